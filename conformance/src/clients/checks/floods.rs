//! Relays that say too much, and false news.

use susurro_protocol::event::{DevicesChanged, GoingAway, PrekeysLow};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::rest::PublishKeys;
use susurro_protocol::{AccountId, MessageId, codec};

use super::rules;
use crate::clients::peer::device_of;
use crate::clients::random;
use crate::clients::relay::{Say, now};
use crate::clients::run::Lanes;
use crate::clients::stage::Lane;
use crate::suite::check::that;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!(
            "DLV-3/flood",
            ["DLV-2", "DLV-4"],
            "two thousand deliveries without regard to the window, most of them garbage",
            flood
        ),
        client!(
            "DLV-5/flood-of-strangers",
            ["DLV-5"],
            "three hundred deliveries from accounts that nobody has",
            strangers
        ),
        client!(
            "DLV-7/prekeys-low-lies",
            ["PUB-5", "PUB-4"],
            "two hundred times PrekeysLow with nothing left",
            prekeys_low
        ),
        client!(
            "KEY-3/devices-changed-lies",
            ["KEY-3"],
            "five hundred false DevicesChanged, for everybody",
            devices_changed
        ),
        client!("ACT-2/going-away", ["ACT-2", "DLV-6", "CONN-19"], "GoingAway with three seconds to wait", going_away),
    ]
}

async fn flood(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let device = device_of(&stage.relay, "alice")?;
    let chat = stage.bob.content(&stage.relay, "alice", 1, Vec::new())?.chat;
    for number in 0..2000 {
        if number % 20 == 0 {
            stage.bob.write(&stage.relay, "alice", &format!("text {number}"))?;
        }
        let garbage = [&[1, 2][..], &random::<400>()].concat();
        let delivery = stage.bob.delivery(MessageId::from_bytes(random()), chat, garbage);
        stage.relay.deliver(device, delivery);
    }
    stage.syncs(55).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    let wanted: Vec<_> = (0..100).map(|number| format!("text {}", number * 20)).collect();
    that(shown == wanted, "every genuine text, once and in order", shown.len())?;
    let left = stage.relay.world().devices.get(&device).map_or(0, |device| device.mailbox.len());
    that(left == 0, "everything is acknowledged", left)?;
    stage.finish()
}

async fn strangers(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let device = device_of(&stage.relay, "alice")?;
    let alice = stage.relay.world().devices.get(&device).map(|device| device.account);
    let alice = alice.unwrap_or(AccountId::from_bytes([0; 16]));
    for _ in 0..300 {
        let mut delivery = stage.bob.delivery(
            MessageId::from_bytes(random()),
            susurro_protocol::ChatId::from_bytes([0; 16]),
            vec![1, 2],
        );
        delivery.sender = AccountId::from_bytes(random());
        delivery.chat = susurro_protocol::ChatId::direct(&alice, &delivery.sender);
        stage.relay.deliver(device, delivery);
    }
    stage.bob.write(&stage.relay, "alice", "behind them")?;
    stage.syncs(55).await?.done()?;
    let chats = stage.alice.run(&["chats", "--json"]).await?;
    that(chats.json().len() == 1, "nobody who does not exist becomes a contact", &chats.stdout)?;
    stage.alice_gets(&["behind them"]).await?;
    stage.finish()
}

async fn prekeys_low(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", "behind them")?;
    stage.relay.rules(rules(|rules| {
        let low = codec::encode(&PrekeysLow { one_time: 0, pq_one_time: 0 });
        rules.opening = Some(Box::new(move || vec![Say::Frame(FrameKind::PrekeysLow, low.clone()); 200]));
    }));
    let said = stage.syncs(30).await?;
    said.ended_with(&[0, 1, 4])?;
    let puts: Vec<PublishKeys> = {
        let record = stage.relay.record();
        record.requests("PUT /keys").filter_map(|asked| serde_json::from_slice(&asked.body).ok()).collect()
    };
    let most = puts.iter().map(|keys| keys.one_time.len().max(keys.pq_one_time.len())).max().unwrap_or(0);
    that(most <= 200, "never more than 200 prekeys of a kind at once", most)?;
    that(puts.len() <= 10, "no upload for each lie", puts.len())?;
    stage.relay.honest_again();
    stage.alice_gets(&["behind them"]).await?;
    stage.bob.start(&stage.relay, "alice")?;
    stage.bob.write(&stage.relay, "alice", "with a bundle of now")?;
    stage.alice_gets(&["with a bundle of now"]).await?;
    stage.finish()
}

async fn devices_changed(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let alice = stage.relay.world().accounts.get("alice").map(|account| account.account);
    let accounts = [Some(stage.bob.account()), alice, Some(AccountId::from_bytes([3; 16]))];
    stage.bob.write(&stage.relay, "alice", "behind them")?;
    stage.relay.rules(rules(|rules| {
        rules.opening = Some(Box::new(move || {
            let changed = |number: u64| {
                let account = accounts.get(usize::try_from(number % 3).unwrap_or(0)).copied().flatten();
                let account = account.unwrap_or(AccountId::from_bytes([4; 16]));
                let changed = DevicesChanged { account, version: u64::MAX - number };
                Say::Frame(FrameKind::DevicesChanged, codec::encode(&changed))
            };
            (0..500).map(changed).collect()
        }));
    }));
    stage.queues("kept").await?;
    stage.syncs(30).await?.done()?;
    let asked = {
        let record = stage.relay.record();
        record.requests("GET /users/bob/devices").count() + record.requests("GET /users/alice/devices").count()
    };
    that(asked < 40, "no question for each false notice", asked)?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.alice_gets(&["behind them"]).await?;
    stage.finish()
}

async fn going_away(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    let times = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let note = std::sync::Arc::clone(&times);
    stage.relay.rules(rules(|rules| {
        let mut first = true;
        rules.opening = Some(Box::new(move || {
            note.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(now());
            if !std::mem::take(&mut first) {
                return Vec::new();
            }
            vec![Say::Frame(FrameKind::GoingAway, codec::encode(&GoingAway { retry_after: 3000 })), Say::Close(1001)]
        }));
    }));
    stage.syncs(20).await?.done()?;
    let times = times.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let waited = times.get(1).zip(times.first()).map(|(second, first)| second - first);
    that(waited >= Some(2990), "the client comes back after three seconds", waited)?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}
