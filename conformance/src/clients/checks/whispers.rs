//! Whispers, genuine and made up: none of them is worth anything but a moment's notice.

use susurro_protocol::event::Whispered;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::signal::{SIGNAL_TYPING, Signal, TYPING_STARTED, Typing};
use susurro_protocol::{AccountId, ChatId, DeviceId, codec};

use super::rules;
use crate::clients::random;
use crate::clients::relay::{Asked, Say, Seen, now};
use crate::clients::run::Lanes;
use crate::clients::stage::{Lane, Stage};
use crate::suite::check::that;
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!(
            "SIGNAL-3/genuine",
            ["SIGNAL-3", "WKEY-3"],
            "whispers of a contact: typing, types and bodies that nobody knows, again and in the wrong order",
            genuine
        ),
        client!(
            "SIGNAL-3/flood",
            ["SIGNAL-1", "SIGNAL-3", "WKEY-4"],
            "two thousand whispers that are garbage, changed, misplaced, too long, or of strangers",
            flood
        ),
    ]
}

fn typing(counter: u64) -> Signal {
    let body = codec::encode(&Typing { state: TYPING_STARTED, seconds: 10 });
    Signal { counter, kind: SIGNAL_TYPING, body: body.into() }
}

/// The relay says these whispers before anything else; a text and what the client has to send get through all the
/// same, and the client asks and sends nothing because of them.
async fn disturbs_nothing(stage: &mut Stage, whispers: Vec<Whispered>) -> Outcome {
    stage.bob.write(&stage.relay, "alice", "behind them")?;
    let mut frames: Vec<_> = whispers.iter().map(codec::encode).collect();
    let first = std::mem::take(&mut frames);
    stage.relay.rules(rules(|rules| {
        rules.opening =
            Some(Box::new(move || first.iter().map(|body| Say::Frame(FrameKind::Whispered, body.clone())).collect()));
    }));
    stage.queues("kept").await?;
    stage.syncs(55).await?.done()?;
    let asked = {
        let record = stage.relay.record();
        // Whatever stands behind the name of the route: a chat or a person is asked about by its path.
        let about = |asked: &Asked| ["/chats", "/users"].iter().any(|route| asked.path.starts_with(route));
        record.events.iter().filter(|seen| matches!(seen, Seen::Asked(asked) if about(asked))).count()
    };
    that(asked == 0, "no question because of a whisper", asked)?;
    stage.all_is_well_again().await?;
    stage.alice_gets(&["behind them"]).await?;
    stage.bob_has(&["kept"])?;
    let chats = stage.alice.run(&["chats", "--json"]).await?;
    that(chats.json().len() == 1, "nobody becomes a contact by whispering", &chats.stdout)?;
    stage.finish()
}

async fn genuine(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", "in this chain")?;
    stage.syncs(30).await?.done()?;
    stage.alice_gets(&["in this chain"]).await?;
    let counter = now();
    let mut signals: Vec<_> = (0..50).map(|more| typing(counter + more)).collect();
    signals.extend([typing(counter), typing(0), typing(u64::MAX)]);
    signals.push(Signal { kind: 77, ..typing(counter + 100) });
    for body in [vec![], vec![0xc0], vec![0x92, 77, 1], vec![0x92, 1, 0xcd, 1, 0], vec![0x92, 1, 0]] {
        signals.push(Signal { body: body.into(), ..typing(counter + 200) });
    }
    let mut whispers = Vec::new();
    for signal in signals {
        let whispered = stage.bob.whisper(&stage.relay, "alice", &signal)?;
        whispers.extend([whispered.clone(), whispered]);
    }
    disturbs_nothing(&mut stage, whispers).await
}

async fn flood(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", "in this chain")?;
    stage.syncs(30).await?.done()?;
    stage.alice_gets(&["in this chain"]).await?;
    let good = stage.bob.whisper(&stage.relay, "alice", &typing(now()))?;
    let whispers = (0..2000_usize).map(|number| changed(&good, number)).collect::<Result<_, Stop>>()?;
    disturbs_nothing(&mut stage, whispers).await
}

/// A whisper with something wrong about it; what, goes by its number.
fn changed(good: &Whispered, number: usize) -> Result<Whispered, Stop> {
    let bytes = good.ciphertext.as_slice();
    let with = |ciphertext: Vec<u8>| Whispered { ciphertext: ciphertext.into(), ..good.clone() };
    Ok(match number % 8 {
        0 => with(random::<298>().to_vec()),
        1 => with([&[1, 3][..], &random::<296>()].concat()),
        2 => {
            let mut flipped = bytes.to_vec();
            let at = number % flipped.len();
            flipped[at] ^= 1;
            with(flipped)
        }
        3 => with(bytes.get(..number % bytes.len()).unwrap_or_default().to_vec()),
        4 => with([bytes, &vec![0; 1 + number % 700]].concat()),
        5 => Whispered { sender: AccountId::from_bytes(random()), ..good.clone() },
        6 => Whispered { sender_device: DeviceId::from_bytes(random()), ..good.clone() },
        _ => Whispered { chat: ChatId::from_bytes(random()), ..good.clone() },
    })
}
