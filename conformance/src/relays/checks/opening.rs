//! Between `Welcome` and the open session: the first `Ack`, replays, and who takes too long.

use susurro_protocol::ErrorCode;
use susurro_protocol::command::{Ping, Send};
use susurro_protocol::frame::FrameKind;
use tokio::io::AsyncWriteExt as _;

use crate::check;
use crate::relays::ground::{Ground, Pair};
use crate::relays::line::{Heard, raw, tag};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("ACK-1/higher", ["ACK-1"], "the first Ack goes further than Hello", higher),
        check!("CONN-6/below-hello", ["CONN-6", "ACK-1"], "the first Ack is below the cursor of Hello", below),
        check!("CONN-6/above-head", ["CONN-6", "ACK-1"], "the first Ack is above the mailbox head", above),
        check!("CONN-6/ping", ["CONN-6", "ACK-1"], "the first session frame is a Ping", ping_first),
        check!(
            "CONN-6/send",
            ["CONN-6", "FRAME-7"],
            "the first session frame is a Send, which is not stored",
            send_first
        ),
        check!(
            "CONN-6/changes-nothing",
            ["CONN-6", "HS-7"],
            "a refused first frame leaves the older connection alone",
            changes_nothing
        ),
        check!("FRAME-5/first-ack", ["FRAME-5"], "the first Ack has a malformed body", malformed_ack),
        check!(
            "SES-1/first-frame",
            ["SES-1", "CONN-5"],
            "the first session frame has a tag that does not hold",
            first_tag
        ),
        check!("SES-2/first-frame", ["SES-2"], "the first session frame has seq 2", first_seq),
        check!("HS-7/replayed-hello", ["HS-7"], "a replayed Hello does not end the device's connection", replayed),
        check!(
            "HS-7/replay-delivers-nothing",
            ["HS-7", "HS-12"],
            "a replayed Hello gets Welcome and no delivery",
            replay_silent
        ),
        check!("HS-8/superseded", ["HS-8", "ACK-1"], "a newer connection of the device takes over", superseded),
        check!("HS-8/delivered-to-newer", ["HS-8"], "after that, deliveries go to the newer one", to_the_newer),
        check!("HS-13/late", ["HS-13"], "a first frame that comes after that of a newer connection", late_first),
        check!("HS-12/cursor-of-hello", ["HS-12"], "the cursor of a Hello without Ack forgets nothing", hello_only),
        check!("CONN-7/restored", ["CONN-7"], "a client that is ahead of a restored relay gets what waits", restored),
        check!("CONN-7/nothing-waits", ["CONN-7"], "a client that is ahead when nothing waits", restored_empty),
        check!(
            "TOK-3/during-handshake",
            ["TOK-3", "CONN-8"],
            "a logout between Welcome and the first Ack",
            logout_between
        ),
        check!("HS-1/silence", ["HS-1"], "a connection that says nothing is refused after 10 s", silence),
        check!("HS-1/half-hello", ["HS-1"], "a connection that stops in the middle of Hello", half_hello),
        check!("HS-1/pings-only", ["HS-1"], "a connection that sends nothing but WebSocket pings", pings_only),
        check!("CONN-4/no-ack", ["CONN-4"], "a connection that stops behind Welcome", no_ack),
    ]
}

/// Puts so many messages into Bob's mailbox, and where they begin.
async fn fill(pair: &Pair, messages: u64) -> Result<(u64, Vec<Send>), Stop> {
    // `pair` has emptied the mailbox: nothing old is in the way.
    let head = pair.bob.greet(0).await?.0.mailbox_head;
    let mut from = pair.alice.connect_behind().await?;
    let mut sent = Vec::new();
    for _ in 0..messages {
        let send = pair.alice.message(pair.chat, &pair.bob, b"waits");
        from.stored(&send).await?;
        sent.push(send);
    }
    Ok((head, sent))
}

async fn higher(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, sent) = fill(&pair, 3).await?;
    let (_, mut to) = pair.bob.greet(head).await?;
    to.ack(head + 2).await;
    same("message", &sent[2].message, &to.delivery().await?.message)
}

async fn below(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, _) = fill(&pair, 1).await?;
    let (_, mut to) = pair.bob.greet(head + 1).await?;
    to.ack(head).await;
    to.ended(ErrorCode::UnexpectedFrame).await
}

async fn above(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, sent) = fill(&pair, 1).await?;
    let (welcome, mut to) = pair.bob.greet(head).await?;
    to.ack(welcome.mailbox_head + 1).await;
    to.ended(ErrorCode::UnexpectedFrame).await?;
    let mut to = pair.bob.connect(head).await?;
    same("message that still waits", &sent[0].message, &to.delivery().await?.message)
}

async fn ping_first(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.greet(0).await?;
    session.say(FrameKind::Ping, &Ping { nonce: 1 }).await;
    session.ended(ErrorCode::UnexpectedFrame).await
}

async fn send_first(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, _) = fill(&pair, 0).await?;
    let (_, mut session) = pair.alice.greet(0).await?;
    session.say(FrameKind::Send, &pair.alice.message(pair.chat, &pair.bob, b"too early")).await;
    session.ended(ErrorCode::UnexpectedFrame).await?;
    pair.bob.connect(head).await?.quiet().await
}

async fn changes_nothing(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut open) = pair.alice.afresh().await?;
    let (_, mut other) = pair.alice.greet(0).await?;
    other.say(FrameKind::Ping, &Ping { nonce: 1 }).await;
    other.ended(ErrorCode::UnexpectedFrame).await?;
    open.quiet().await
}

async fn malformed_ack(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.greet(0).await?;
    session.say_body(FrameKind::Ack, &[0x91, 0xa1, b'0']).await;
    session.ended(ErrorCode::MalformedBody).await
}

async fn first_tag(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.greet(0).await?;
    session.line.send(raw(1, 17, 1, &[0x91, 0], &[7; 32])).await;
    session.ended(ErrorCode::BadTag).await
}

async fn first_seq(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.greet(0).await?;
    let frame = session.sealed(1, 17, 2, &[0x91, 0]);
    session.line.send(frame).await;
    session.ended(ErrorCode::BadSequence).await
}

async fn replayed(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, mut open) = pair.alice.afresh().await?;
    let hello = pair.alice.draft(head).frame();
    for _ in 0..2 {
        // Somebody with the token and a recorded `Hello`, but without the ephemeral behind it.
        let mut thief = pair.alice.dial().await?;
        thief.send(hello.clone()).await;
        match thief.hear().await? {
            Heard::Frame(frame) if frame.kind == FrameKind::Welcome => {}
            other => return Err(Stop::failed("Welcome", format!("{other:?}"))),
        }
        thief.send(raw(1, 17, 1, &[0x91, 0], &tag(&[0; 32], 1, 17, 1, &[0x91, 0]))).await;
        loop {
            match thief.hear().await? {
                Heard::Frame(frame) if frame.kind == FrameKind::Error => {}
                Heard::Frame(frame) => {
                    return Err(Stop::failed("nothing but the end", format!("{:?}", frame.kind)));
                }
                Heard::Closed(4104, _) => break,
                other => return Err(Stop::failed("close 4104", format!("{other:?}"))),
            }
        }
    }
    open.quiet().await
}

async fn replay_silent(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, sent) = fill(&pair, 1).await?;
    let mut thief = pair.bob.dial().await?;
    thief.send(pair.bob.draft(head).frame()).await;
    match thief.hear().await? {
        Heard::Frame(frame) if frame.kind == FrameKind::Welcome => {}
        other => return Err(Stop::failed("Welcome", format!("{other:?}"))),
    }
    // While the thief listens, the device itself gets its message: what would have gone to the thief first.
    let mut to = pair.bob.connect(head).await?;
    same("message", &sent[0].message, &to.delivery().await?.message)?;
    thief.send(b"enough".to_vec()).await;
    match thief.hear().await? {
        Heard::Frame(frame) if frame.kind == FrameKind::Deliver => Err(Stop::failed("no delivery", "Deliver")),
        _ => to.quiet().await,
    }
}

async fn superseded(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, old) = pair.alice.afresh().await?;
    let mut new = pair.alice.connect(head).await?;
    new.quiet().await?;
    old.ended(ErrorCode::Superseded).await
}

async fn late_first(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, sent) = fill(&pair, 1).await?;
    let (_, mut late) = pair.bob.greet(head).await?;
    let mut newer = pair.bob.connect(head).await?;
    same("message", &sent[0].message, &newer.delivery().await?.message)?;
    late.ack(head + 1).await;
    late.ended(ErrorCode::HandshakeTimeout).await?;
    newer.quiet().await?;
    // Nothing was forgotten by that `Ack`, and the newer one has not changed hands.
    let (_, mut again) = pair.bob.greet(head).await?;
    again.ack(head).await;
    same("message", &sent[0].message, &again.delivery().await?.message)?;
    newer.ended(ErrorCode::Superseded).await
}

async fn to_the_newer(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, old) = pair.bob.afresh().await?;
    let mut new = pair.bob.connect(head).await?;
    new.quiet().await?;
    let send = pair.alice.message(pair.chat, &pair.bob, b"to the newer");
    pair.alice.connect_behind().await?.stored(&send).await?;
    same("message", &send.message, &new.delivery().await?.message)?;
    old.ended(ErrorCode::Superseded).await
}

async fn hello_only(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, sent) = fill(&pair, 2).await?;
    let (_, session) = pair.bob.greet(head + 2).await?;
    drop(session);
    let mut to = pair.bob.connect(head).await?;
    same("first message", &sent[0].message, &to.delivery().await?.message)?;
    same("second message", &sent[1].message, &to.delivery().await?.message)
}

async fn restored(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, sent) = fill(&pair, 2).await?;
    // A client that has seen positions which this relay never gave out.
    let (welcome, mut to) = pair.bob.greet(head + 1000).await?;
    same("mailbox_head before the oldest message that waits:", &head, &welcome.mailbox_head)?;
    to.ack(head + 1000).await;
    for send in &sent {
        same("message", &send.message, &to.delivery().await?.message)?;
    }
    // Nothing was forgotten by that `Ack`.
    let mut again = pair.bob.connect(head).await?;
    same("message", &sent[0].message, &again.delivery().await?.message)
}

async fn restored_empty(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, _) = fill(&pair, 0).await?;
    let (welcome, mut to) = pair.bob.greet(head + 1000).await?;
    same("mailbox_head", &head, &welcome.mailbox_head)?;
    to.ack(welcome.mailbox_head).await;
    to.quiet().await
}

async fn logout_between(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (_, mut session) = person.greet(0).await?;
    person.logout().await?;
    session.ack(0).await;
    session.ended(ErrorCode::TokenRevoked).await
}

/// Passes when a time is about ten seconds.
fn ten_seconds(began: std::time::Instant) -> Outcome {
    let took = began.elapsed().as_secs_f64();
    that((9.0..20.0).contains(&took), "an end after 10 s", format!("{took:.1} s"))
}

async fn silence(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let line = pair.alice.dial().await?;
    let began = std::time::Instant::now();
    line.refused(ErrorCode::HandshakeTimeout).await?;
    ten_seconds(began)
}

async fn half_hello(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut line = pair.alice.dial().await?;
    let message = super::bytes::masked(2, true, &pair.alice.draft(0).frame());
    let half = &message[..message.len() / 2];
    let began = std::time::Instant::now();
    line.stream.get_mut().write_all(half).await.map_err(|error| Stop::failed("an open line", error.to_string()))?;
    line.refused(ErrorCode::HandshakeTimeout).await?;
    ten_seconds(began)
}

async fn pings_only(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut line = pair.alice.dial().await?;
    let began = std::time::Instant::now();
    let ping = super::bytes::masked(9, true, b"still here");
    for _ in 0..3 {
        let sent = line.stream.get_mut().write_all(&ping).await;
        sent.map_err(|error| Stop::failed("an open line", error.to_string()))?;
    }
    line.refused(ErrorCode::HandshakeTimeout).await?;
    ten_seconds(began)
}

async fn no_ack(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, session) = pair.alice.greet(0).await?;
    let began = std::time::Instant::now();
    session.ended(ErrorCode::HandshakeTimeout).await?;
    ten_seconds(began)
}
