//! Whispers: forwarded to whoever is there, and to nobody else, ever.

use susurro_protocol::command::{Deposit, Whisper};
use susurro_protocol::event::Whispered;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::rest::{Page, WaitingMessage};
use susurro_protocol::{ChatId, DeviceId, ErrorCode, limits};

use crate::check;
use crate::relays::ground::{Ground, random};
use crate::relays::line::Session;
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("WHISPER-1/forwarded", ["WHISPER-1"], "a whisper says what was sent, by whom, in which chat", forwarded),
        check!("WHISPER-1/not-stored", ["WHISPER-1"], "a whisper does not wait for a device that is away", not_stored),
        check!(
            "WHISPER-1/largest",
            ["WHISPER-1", "WHISPER-4"],
            "a whisper of exactly 1,024 bytes is forwarded",
            largest
        ),
        check!("WHISPER-2/not-a-member", ["WHISPER-2"], "a whisper into a chat of others reaches nobody", stranger),
        check!("WHISPER-2/other-device", ["WHISPER-2"], "a whisper to the device of a stranger", other_device),
        check!("WHISPER-2/own-device", ["WHISPER-2"], "a whisper to the sending device", own_device),
        check!("WHISPER-2/twice", ["WHISPER-2"], "a whisper that names a device twice comes once", twice),
        check!("WHISPER-2/some", ["WHISPER-2"], "an unknown device in a whisper does not keep it from others", some),
        check!("WHISPER-3/no-answer", ["WHISPER-3"], "nothing answers a whisper, forwarded or forgotten", no_answer),
        check!("WHISPER-4/too-large", ["WHISPER-4", "LIM-1"], "a whisper of 1,025 bytes ends the session", too_large),
        check!("WHISPER-4/empty", ["WHISPER-4"], "an empty whisper ends the session", empty),
        check!("WHISPER-4/too-many", ["WHISPER-4"], "a whisper to 33 devices ends the session", too_many),
        check!("WHISPER-5/rate", ["WHISPER-5"], "of 300 whispers at once those above the rate are forgotten", rate),
        check!(
            "WHISPER-6/beside-deliveries",
            ["WHISPER-6"],
            "whispers between messages take no position and no room of the window",
            beside
        ),
        check!("FRAME-5/whisper", ["FRAME-5"], "a Whisper with the body of another structure", malformed),
    ]
}

fn whisper(chat: ChatId, to: &[DeviceId], text: &[u8]) -> Whisper {
    let deposits = to.iter().map(|device| Deposit { device: *device, ciphertext: text.into() }).collect();
    Whisper { chat, deposits }
}

/// The next frame is a whisper with this text.
async fn hears(session: &mut Session, text: &[u8]) -> Result<Whispered, Stop> {
    let heard: Whispered = session.expect(FrameKind::Whispered).await?;
    same("ciphertext", &text, &heard.ciphertext.as_slice())?;
    Ok(heard)
}

async fn forwarded(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut to = pair.bob.connect_behind().await?;
    let mut from = pair.alice.connect_behind().await?;
    for text in [b"one".as_slice(), b"two", b"three"] {
        from.say(FrameKind::Whisper, &whisper(pair.chat, &[pair.bob.device], text)).await;
        let heard = hears(&mut to, text).await?;
        same("chat", &pair.chat, &heard.chat)?;
        same("sender", &pair.alice.account, &heard.sender)?;
        same("sender device", &pair.alice.device, &heard.sender_device)?;
    }
    Ok(())
}

async fn not_stored(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut from = pair.alice.connect_behind().await?;
    from.say(FrameKind::Whisper, &whisper(pair.chat, &[pair.bob.device], b"nobody is there")).await;
    from.quiet().await?;
    let page: Page<WaitingMessage> = pair.bob.get(&format!("/chats/{}/messages", pair.chat)).await?.read(200)?;
    same("messages that wait", &0, &page.items.len())?;
    let mut to = pair.bob.connect(0).await?;
    to.quiet().await?;
    from.say(FrameKind::Whisper, &whisper(pair.chat, &[pair.bob.device], b"now")).await;
    hears(&mut to, b"now").await.map(drop)
}

async fn largest(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut to = pair.bob.connect_behind().await?;
    let mut from = pair.alice.connect_behind().await?;
    let text = vec![7; limits::WHISPER_MAX];
    from.say(FrameKind::Whisper, &whisper(pair.chat, &[pair.bob.device], &text)).await;
    hears(&mut to, &text).await.map(drop)
}

async fn stranger(relay: &Ground) -> Outcome {
    let (pair, others) = (relay.pair().await?, relay.pair().await?);
    let mut to = pair.bob.connect_behind().await?;
    let mut from = others.alice.connect_behind().await?;
    let unknown = ChatId::from_bytes(random());
    for chat in [pair.chat, unknown] {
        from.say(FrameKind::Whisper, &whisper(chat, &[pair.bob.device], b"pst")).await;
        from.quiet().await?;
    }
    to.quiet().await
}

async fn other_device(relay: &Ground) -> Outcome {
    let (pair, others) = (relay.pair().await?, relay.pair().await?);
    let mut to = others.bob.connect_behind().await?;
    let mut from = pair.alice.connect_behind().await?;
    from.say(FrameKind::Whisper, &whisper(pair.chat, &[others.bob.device], b"pst")).await;
    from.quiet().await?;
    to.quiet().await
}

async fn own_device(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut from = pair.alice.connect_behind().await?;
    from.say(FrameKind::Whisper, &whisper(pair.chat, &[pair.alice.device], b"echo")).await;
    from.quiet().await?;
    from.quiet().await
}

async fn twice(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut to = pair.bob.connect_behind().await?;
    let mut from = pair.alice.connect_behind().await?;
    let bob = pair.bob.device;
    from.say(FrameKind::Whisper, &whisper(pair.chat, &[bob, bob], b"once")).await;
    hears(&mut to, b"once").await?;
    to.quiet().await
}

async fn some(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut to = pair.bob.connect_behind().await?;
    let mut from = pair.alice.connect_behind().await?;
    let devices = [DeviceId::from_bytes(random()), pair.bob.device];
    from.say(FrameKind::Whisper, &whisper(pair.chat, &devices, b"still")).await;
    hears(&mut to, b"still").await.map(drop)
}

async fn no_answer(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut from = pair.alice.connect_behind().await?;
    for devices in [vec![pair.bob.device], vec![DeviceId::from_bytes(random())], vec![]] {
        from.say(FrameKind::Whisper, &whisper(pair.chat, &devices, b"hm")).await;
        from.quiet().await?;
    }
    Ok(())
}

/// A whisper that ends its session, and is not forwarded.
async fn ends(relay: &Ground, code: ErrorCode, text: &[u8], devices: usize) -> Outcome {
    let pair = relay.pair().await?;
    let mut to = pair.bob.connect_behind().await?;
    let mut from = pair.alice.connect_behind().await?;
    let devices: Vec<_> = (1..devices).map(|_| DeviceId::from_bytes(random())).chain([pair.bob.device]).collect();
    from.say(FrameKind::Whisper, &whisper(pair.chat, &devices, text)).await;
    from.ended(code).await?;
    to.quiet().await
}

async fn too_large(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::TooLarge, &[7; limits::WHISPER_MAX + 1], 1).await
}

async fn empty(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::InvalidRequest, b"", 1).await
}

async fn too_many(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::InvalidRequest, b"pst", 33).await
}

async fn rate(relay: &Ground) -> Outcome {
    // Nobody else whispers from these devices: the bucket is full.
    let pair = relay.new_pair().await?;
    let mut to = pair.bob.connect_behind().await?;
    let mut from = pair.alice.connect_behind().await?;
    let mut heard = 0;
    // In small steps, so that none is forgotten because too many wait.
    for _ in 0..30 {
        for _ in 0..10 {
            from.say(FrameKind::Whisper, &whisper(pair.chat, &[pair.bob.device], b"again")).await;
        }
        from.quiet().await?;
        heard += to.whispers_until_pong().await?;
    }
    let most = limits::WHISPERS_A_MINUTE as usize;
    // A slow run may have filled the bucket a little meanwhile.
    that((most..most + 100).contains(&heard), format!("{most} whispers, and few more"), heard)?;
    from.quiet().await
}

async fn beside(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, mut to) = pair.bob.afresh().await?;
    let mut from = pair.alice.connect_behind().await?;
    let (mut positions, mut whispers) = (Vec::new(), 0);
    for n in 0..20_u8 {
        from.say(FrameKind::Whisper, &whisper(pair.chat, &[pair.bob.device], &[n; 8])).await;
        from.stored(&pair.alice.message(pair.chat, &pair.bob, &[n; 8])).await?;
    }
    while positions.len() < 20 {
        let frame = to.frame().await?;
        match frame.kind {
            FrameKind::Whispered => whispers += 1,
            FrameKind::Deliver => {
                let delivery: susurro_protocol::event::Deliver =
                    susurro_protocol::codec::decode(&frame.body).map_err(|e| Stop::failed("Deliver", e.to_string()))?;
                same("the message", &[positions.len() as u8; 8].as_slice(), &delivery.ciphertext.as_slice())?;
                positions.push(delivery.seq);
            }
            kind => return Err(Stop::failed("Whispered or Deliver", format!("{kind:?}"))),
        }
    }
    that(
        positions.is_sorted() && positions[0] > head,
        format!("rising positions above {head}"),
        format!("{positions:?}"),
    )?;
    that(whispers <= 20, "at most 20 whispers", whispers)
}

async fn malformed(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut from = pair.alice.connect_behind().await?;
    from.say_body(FrameKind::Whisper, &[0x91, 1]).await;
    from.ended(ErrorCode::MalformedBody).await
}
