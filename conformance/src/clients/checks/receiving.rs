//! What a relay can do to deliveries.

use susurro_protocol::content::{TYPE_TEXT, Text};
use susurro_protocol::event::Deliver;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::{ChatId, DeviceId, MessageId, codec};

use super::rules;
use crate::clients::peer::{Peer, device_of};
use crate::clients::random;
use crate::clients::run::Lanes;
use crate::clients::stage::{Lane, Stage};
use crate::suite::check::that;
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!("DLV-4/delivered-twice", ["DLV-4", "RAT-6"], "the same message at two positions", twice),
        client!(
            "DLV-4/delivered-again-after-restart",
            ["DLV-4", "DLV-2"],
            "a message that was acknowledged comes again to the next process",
            again
        ),
        client!("DLV-1/positions-repeat-and-fall", ["DLV-1", "DLV-4"], "positions that repeat and fall", positions),
        client!(
            "DLV-2/acknowledged-in-vain",
            ["DLV-2", "DLV-4"],
            "the relay forgets no acknowledgement but the first",
            acknowledged_in_vain
        ),
        client!("DLV-5/another-sender", ["DLV-5"], "a message is said to be from somebody else", other_sender),
        client!(
            "DLV-5/another-device",
            ["DLV-5"],
            "a message is said to be from a device that nobody has",
            other_device
        ),
        client!("DLV-5/another-chat", ["DLV-5", "CON-1"], "a message is said to be of another chat", other_chat),
        client!(
            "DLV-5/lying-clock",
            ["DLV-5", "CON-3", "RAT-10"],
            "three messages in the wrong order, with clocks that lie",
            clocks
        ),
        client!(
            "RAT-6/same-ciphertext",
            ["RAT-6", "CON-1", "KA-4"],
            "the same ciphertext under other identifiers",
            same_ciphertext
        ),
        client!(
            "CON-11/same-id-other-ciphertext",
            ["CON-11", "DLV-4"],
            "another message under an identifier that was shown",
            same_id
        ),
        client!(
            "DLV-3/changed-ciphertext",
            ["RAT-1"],
            "ciphertexts with a flipped bit, cut, empty and too long",
            changed_ciphertext
        ),
    ]
}

/// A text of Bob's that has not been delivered yet.
fn sealed(stage: &mut Stage, text: &str) -> Result<Deliver, Stop> {
    let body = codec::encode(&Text { text: text.to_owned() });
    let content = stage.bob.content(&stage.relay, "alice", TYPE_TEXT, body)?;
    stage.bob.seal(&stage.relay, "alice", &content)
}

fn deliver(stage: &Stage, delivery: Deliver) -> Outcome {
    stage.relay.deliver(device_of(&stage.relay, "alice")?, delivery);
    Ok(())
}

async fn twice(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let one = sealed(&mut stage, "once")?;
    for delivery in [one.clone(), one.clone(), one] {
        deliver(&stage, delivery)?;
    }
    stage.bob.write(&stage.relay, "alice", "behind it")?;
    stage.alice_gets(&["once", "behind it"]).await?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["once", "behind it"], "the history shows it once", shown)?;
    stage.finish()
}

async fn again(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let one = sealed(&mut stage, "once")?;
    deliver(&stage, one.clone())?;
    stage.alice_gets(&["once"]).await?;
    deliver(&stage, one)?;
    stage.syncs(20).await?.done()?;
    stage.alice_gets(&[]).await?;
    let device = device_of(&stage.relay, "alice")?;
    let left = stage.relay.world().devices.get(&device).map_or(0, |device| device.mailbox.len());
    that(left == 0, "what comes again is acknowledged again", left)?;
    stage.finish()
}

async fn positions(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    for text in ["one", "two", "three"] {
        stage.bob.write(&stage.relay, "alice", text)?;
    }
    stage.relay.rules(rules(|rules| {
        rules.deliveries = Some(Box::new(|mailbox| {
            let high = mailbox.iter().map(|delivery| delivery.seq).max().unwrap_or(0);
            let at = |number: usize, seq| mailbox.get(number).map(|delivery| Deliver { seq, ..delivery.clone() });
            [at(0, high), at(0, high), at(1, high - 1), at(2, high), at(1, 1), at(2, 0)].into_iter().flatten().collect()
        }));
        let mut first = true;
        rules.heard = Some(Box::new(move |_, kind, _| {
            // Nothing is forgotten: what the client took for old comes again from the honest relay.
            (kind == FrameKind::Ack && !std::mem::take(&mut first)).then(Vec::new)
        }));
    }));
    stage.syncs(5).await?.ended_with(&[0, 1, 4])?;
    stage.relay.honest_again();
    let device = device_of(&stage.relay, "alice")?;
    let mailbox = stage.relay.world().devices.get_mut(&device).map(|device| std::mem::take(&mut device.mailbox));
    for delivery in mailbox.unwrap_or_default() {
        deliver(&stage, delivery)?;
    }
    stage.alice_gets(&["one", "two", "three"]).await?;
    stage.finish()
}

async fn acknowledged_in_vain(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let device = device_of(&stage.relay, "alice")?;
    for text in ["one", "two"] {
        stage.bob.write(&stage.relay, "alice", text)?;
    }
    let mailbox = stage.relay.world().devices.get(&device).map(|device| device.mailbox.clone()).unwrap_or_default();
    stage.alice_gets(&["one", "two"]).await?;
    for _ in 0..3 {
        if let Some(device) = stage.relay.world().devices.get_mut(&device) {
            device.mailbox = mailbox.clone();
        }
        stage.relay.rules(rules(|rules| {
            let mailbox = mailbox.clone();
            rules.deliveries = Some(Box::new(move |_| mailbox.clone()));
        }));
        stage.syncs(10).await?.done()?;
    }
    stage.relay.honest_again();
    stage.alice_gets(&[]).await?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["one", "two"], "the history shows each once", shown)?;
    stage.finish()
}

async fn other_sender(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let mut carol = Peer::new("carol");
    carol.join(&mut stage.relay.world());
    carol.write(&stage.relay, "alice", "from carol")?;
    stage.alice_gets(&["from carol"]).await?;
    let alice = stage.relay.world().accounts.get("alice").map(|account| account.account);
    let alice = alice.ok_or_else(|| Stop::failed("alice is registered", "not"))?;
    let moved = sealed(&mut stage, "bob's words")?;
    let chat = ChatId::direct(&alice, &carol.account());
    deliver(&stage, Deliver { sender: carol.account(), sender_device: carol.id(), chat, ..moved.clone() })?;
    deliver(
        &stage,
        Deliver {
            sender: carol.account(),
            sender_device: stage.bob.id(),
            chat,
            message: MessageId::from_bytes(random()),
            ..moved.clone()
        },
    )?;
    deliver(&stage, Deliver { sender_device: carol.id(), message: MessageId::from_bytes(random()), ..moved })?;
    stage.bob.write(&stage.relay, "alice", "behind them")?;
    stage.syncs(20).await?.done()?;
    for peer in ["carol", "bob"] {
        let history = stage.history(peer).await?;
        let shown = history.iter().any(|line| line.get("text").and_then(|text| text.as_str()) == Some("bob's words"));
        that(!shown, format!("words that {peer} has not said here are not shown"), &history)?;
    }
    let shown = stage.texts_of("bob").await?;
    that(shown == ["behind them"], "what comes behind is shown", shown)?;
    stage.finish()
}

async fn other_device(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let moved = sealed(&mut stage, "from nowhere")?;
    deliver(&stage, Deliver { sender_device: DeviceId::from_bytes(random()), ..moved })?;
    stage.bob.write(&stage.relay, "alice", "behind it")?;
    stage.syncs(20).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["behind it"], "nothing of a device that is in no list", shown)?;
    stage.finish()
}

async fn other_chat(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let moved = sealed(&mut stage, "elsewhere")?;
    deliver(&stage, Deliver { chat: ChatId::from_bytes(random()), ..moved })?;
    stage.bob.write(&stage.relay, "alice", "behind it")?;
    stage.syncs(20).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["behind it"], "nothing whose chat differs inside and outside", shown)?;
    stage.finish()
}

async fn clocks(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let mut sealed = Vec::new();
    for (text, sent_at) in [("one", u64::MAX), ("two", 0), ("three", 1_000_000_000_000)] {
        let body = codec::encode(&Text { text: text.to_owned() });
        let mut content = stage.bob.content(&stage.relay, "alice", TYPE_TEXT, body)?;
        content.sent_at = sent_at;
        sealed.push(stage.bob.seal(&stage.relay, "alice", &content)?);
    }
    for (delivery, stored_at) in sealed.into_iter().rev().zip([u64::MAX, 0, 1]) {
        deliver(&stage, Deliver { stored_at, ..delivery })?;
    }
    stage.syncs(20).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["one", "two", "three"], "the history is in the sender's order", shown)?;
    let plain = stage.alice.run(&["history", "bob"]).await?;
    plain.done()?;
    stage.finish()
}

async fn same_ciphertext(lane: &Lane) -> Outcome {
    let mut stage = lane.registered().await?;
    // The first message of a session, with its initial header, then one in the session.
    for text in ["first", "second"] {
        let one = sealed(&mut stage, text)?;
        deliver(&stage, one.clone())?;
        for _ in 0..3 {
            deliver(&stage, Deliver { message: MessageId::from_bytes(random()), ..one.clone() })?;
        }
    }
    stage.syncs(20).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["first", "second"], "each ciphertext is shown once", shown)?;
    stage.bob.write(&stage.relay, "alice", "the session goes on")?;
    stage.syncs(20).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    that(shown.last().map(String::as_str) == Some("the session goes on"), "the session goes on", shown)?;
    stage.finish()
}

async fn same_id(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let first = sealed(&mut stage, "first")?;
    let body = codec::encode(&Text { text: "second".to_owned() });
    let mut content = stage.bob.content(&stage.relay, "alice", TYPE_TEXT, body)?;
    content.message = first.message;
    let second = stage.bob.seal(&stage.relay, "alice", &content)?;
    deliver(&stage, first)?;
    deliver(&stage, second)?;
    stage.bob.write(&stage.relay, "alice", "behind them")?;
    stage.alice_gets(&["first", "behind them"]).await?;
    stage.finish()
}

async fn changed_ciphertext(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let good = sealed(&mut stage, "untouched")?;
    let bytes = good.ciphertext.as_slice().to_vec();
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        bytes
    };
    let changed = [
        flipped(0),
        flipped(1),
        flipped(2),
        flipped(40),
        flipped(bytes.len() - 1),
        bytes[..bytes.len() / 2].to_vec(),
        Vec::new(),
        [bytes.clone(), vec![0; 70_000]].concat(),
    ];
    for ciphertext in changed {
        deliver(
            &stage,
            Deliver { ciphertext: ciphertext.into(), message: MessageId::from_bytes(random()), ..good.clone() },
        )?;
    }
    deliver(&stage, good.clone())?;
    stage.syncs(20).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["untouched"], "only the untouched one is shown", shown)?;
    stage.finish()
}
