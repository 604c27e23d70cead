//! Frames in an open session, and every way in which they can be wrong.

use susurro_protocol::codec;
use susurro_protocol::command::Ping;
use susurro_protocol::event::ErrorNotice;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::{ErrorCode, limits};

use crate::check;
use crate::relays::ground::Ground;
use crate::relays::line::{Session, raw, tag};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("SES-1/flipped-tag", ["SES-1"], "a frame with a flipped bit in its tag, each byte in turn", flipped_tag),
        check!("SES-1/flipped-body", ["SES-1"], "a frame with a flipped bit in its body", flipped_body),
        check!("SES-1/flipped-kind", ["SES-1"], "a Ping that was made an Ack", flipped_kind),
        check!("SES-1/flipped-seq", ["SES-1"], "a frame whose seq was changed", flipped_seq),
        check!("SES-1/short-tag", ["SES-1"], "the first 16 bytes of a tag", short_tag),
        check!("SES-1/long-tag", ["SES-1"], "a tag with a byte behind it", long_tag),
        check!("SES-1/no-tag", ["SES-1", "CONN-17", "SES-5"], "an empty tag", no_tag),
        check!("SES-1/before-sequence", ["SES-1"], "a wrong seq under a wrong tag is bad-tag", before_sequence),
        check!(
            "SES-1/before-body",
            ["SES-1", "FRAME-7", "CONN-17"],
            "a malformed body under a wrong tag is bad-tag",
            before_body
        ),
        check!("SES-7/own-direction", ["SES-7"], "a frame under the key of the other direction", own_direction),
        check!("SES-2/replay", ["SES-2"], "a frame that comes twice", replay),
        check!("SES-2/gap", ["SES-2"], "a frame that skips a number", gap),
        check!("SES-2/zero", ["SES-2"], "a frame with seq 0", zero),
        check!("SES-2/highest", ["SES-2"], "a frame with the highest seq", highest),
        check!("SES-3/version", ["SES-3"], "a frame of version 2 with a tag that holds", version),
        check!("FRAME-7/forged-send", ["FRAME-7", "SES-1"], "a Send with a wrong tag is not stored", forged_send),
        check!("FRAME-1/nonsense", ["FRAME-1"], "a message that is no frame", nonsense),
        check!("FRAME-1/empty", ["FRAME-1"], "an empty message", empty),
        check!("FRAME-1/four-elements", ["FRAME-1"], "a frame without its tag", four),
        check!("FRAME-1/behind", ["FRAME-1", "ENC-4"], "a frame with a byte behind it", behind),
        check!("FRAME-1/map", ["FRAME-1"], "a map in place of an array", map),
        check!("FRAME-1/body-as-text", ["FRAME-1", "ENC-4"], "a frame whose body is text", body_as_text),
        check!("FRAME-1/later-elements", ["FRAME-1", "ENC-2"], "a frame with elements behind the fifth", later),
        check!("FRAME-1/oversize", ["FRAME-1", "LIM-1"], "a message of 262,145 bytes", oversize),
        check!("FRAME-1/far-oversize", ["FRAME-1", "LIM-1"], "a message of 2 MiB", far_oversize),
        check!("FRAME-1/largest", ["FRAME-1", "LIM-1"], "a frame of exactly 262,144 bytes is taken", largest),
        check!("FRAME-2/text", ["FRAME-2", "CONN-17"], "a text message", text),
        check!("FRAME-3/unknown", ["FRAME-3", "ERR-2"], "a kind that nobody knows is answered and survived", unknown),
        check!("FRAME-3/reserved", ["FRAME-3"], "the reserved kinds are unknown to version 1", reserved),
        check!(
            "FRAME-3/verified-first",
            ["FRAME-3", "SES-1"],
            "an unknown kind with a wrong tag is bad-tag",
            unknown_forged
        ),
        check!("FRAME-4/of-the-relay", ["FRAME-4"], "each kind that only a relay sends", of_the_relay),
        check!("FRAME-4/hello", ["FRAME-4"], "Hello in a session", hello),
        check!("FRAME-5/send", ["FRAME-5"], "a Send with the body of another structure", malformed_send),
        check!("FRAME-5/ack", ["FRAME-5"], "an Ack with a text in place of its cursor", malformed_ack),
        check!("FRAME-5/ping", ["FRAME-5"], "a Ping with an empty body", malformed_ping),
        check!("ENC-4/fraction", ["ENC-4"], "a Ping with a fractional nonce", fraction),
        check!("ENC-4/deep", ["ENC-4"], "a body that nests 1,000 arrays", deep),
        check!("ENC-2/longer-ping", ["ENC-2"], "a Ping with elements of a later version", longer_ping),
        check!("ENC-3/longer-deposit", ["ENC-3"], "a Send whose nested structures have grown", longer_deposit),
        check!("CONN-11/pong", ["CONN-11"], "Ping with the lowest and the highest nonce", pong),
        check!("CONN-12/unknown-kind", ["CONN-12"], "an Error unknown-kind of the client is survived", error_unknown),
        check!(
            "CONN-12/other-error",
            ["CONN-12", "FRAME-6"],
            "another Error of the client closes without an Error",
            error_other
        ),
        check!(
            "CONN-12/unknown-number",
            ["CONN-12", "ERR-1"],
            "an Error with a number of a later version",
            error_later
        ),
        check!(
            "FRAME-6/malformed-error",
            ["FRAME-6"],
            "a malformed Error frame is not answered with an Error",
            error_malformed
        ),
        check!("CONN-8/logout", ["CONN-8", "AUTH-5", "TOK-7"], "a logout closes the open connection", logout),
        check!("SES-4/idle", ["SES-4", "HS-1"], "a silent session ends after 90 s", idle),
        check!("SES-4/sign-of-life", ["SES-4", "CONN-13"], "a WebSocket ping keeps a session open beyond 90 s", alive),
    ]
}

/// An open session in which the client sends this message; it ends with an error.
async fn ends(relay: &Ground, code: ErrorCode, message: impl FnOnce(&mut Session) -> Vec<u8>) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let message = message(&mut session);
    session.line.send(message).await;
    session.ended(code).await
}

fn ping_body() -> Vec<u8> {
    codec::encode(&Ping { nonce: 5 })
}

/// A ping whose tag a check has changed.
async fn tagged(relay: &Ground, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Outcome {
    ends(relay, ErrorCode::BadTag, |session| {
        let seq = session.sent + 1;
        raw(1, 20, seq, &ping_body(), &change(tag(&session.to_relay, 1, 20, seq, &ping_body())))
    })
    .await
}

async fn flipped_tag(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for byte in 0..32 {
        let (_, mut session) = pair.alice.afresh().await?;
        let mut frame = session.seal(FrameKind::Ping, &ping_body());
        let at = frame.len() - 32 + byte;
        frame[at] ^= 1 << (byte % 8);
        session.line.send(frame).await;
        session.ended(ErrorCode::BadTag).await?;
    }
    Ok(())
}

async fn flipped_body(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadTag, |session| {
        let seq = session.sent + 1;
        let tag = tag(&session.to_relay, 1, 20, seq, &ping_body());
        raw(1, 20, seq, &codec::encode(&Ping { nonce: 4 }), &tag)
    })
    .await
}

async fn flipped_kind(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadTag, |session| {
        let seq = session.sent + 1;
        raw(1, 17, seq, &ping_body(), &tag(&session.to_relay, 1, 20, seq, &ping_body()))
    })
    .await
}

async fn flipped_seq(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadTag, |session| {
        let seq = session.sent + 1;
        raw(1, 20, seq, &ping_body(), &tag(&session.to_relay, 1, 20, seq + 1, &ping_body()))
    })
    .await
}

async fn short_tag(relay: &Ground) -> Outcome {
    tagged(relay, |tag| tag[..16].to_vec()).await
}

async fn long_tag(relay: &Ground) -> Outcome {
    tagged(relay, |tag| [tag, vec![0]].concat()).await
}

async fn no_tag(relay: &Ground) -> Outcome {
    tagged(relay, |_| Vec::new()).await
}

async fn before_sequence(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadTag, |_| raw(1, 20, 77, &ping_body(), &[0; 32])).await
}

async fn before_body(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadTag, |session| raw(1, 16, session.sent + 1, &[0xc1], &[0; 32])).await
}

async fn own_direction(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadTag, |session| {
        let seq = session.sent + 1;
        raw(1, 20, seq, &ping_body(), &tag(&session.from_relay, 1, 20, seq, &ping_body()))
    })
    .await
}

async fn replay(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let frame = session.seal(FrameKind::Ping, &ping_body());
    session.line.send(frame.clone()).await;
    session.expect::<susurro_protocol::event::Pong>(FrameKind::Pong).await?;
    session.line.send(frame).await;
    session.ended(ErrorCode::BadSequence).await
}

async fn gap(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadSequence, |session| session.sealed(1, 20, session.sent + 2, &ping_body())).await
}

async fn zero(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadSequence, |session| session.sealed(1, 20, 0, &ping_body())).await
}

async fn highest(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadSequence, |session| session.sealed(1, 20, u64::MAX, &ping_body())).await
}

async fn version(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::UnsupportedVersion, |session| session.sealed(2, 20, session.sent + 1, &ping_body())).await
}

async fn forged_send(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut to) = pair.bob.afresh().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let send = pair.alice.message(pair.chat, &pair.bob, b"forged");
    let mut frame = session.seal(FrameKind::Send, &codec::encode(&send));
    if let Some(last) = frame.last_mut() {
        *last ^= 1;
    }
    session.line.send(frame).await;
    session.ended(ErrorCode::BadTag).await?;
    to.quiet().await
}

async fn nonsense(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::MalformedFrame, |_| b"{\"kind\":\"ping\"}".to_vec()).await
}

async fn empty(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::MalformedFrame, |_| Vec::new()).await
}

async fn four(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::MalformedFrame, |session| {
        let mut frame = session.seal(FrameKind::Ping, &ping_body());
        frame[0] = 0x94;
        frame.truncate(frame.len() - 34);
        frame
    })
    .await
}

async fn behind(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::MalformedFrame, |session| [session.seal(FrameKind::Ping, &ping_body()), vec![0]].concat())
        .await
}

async fn map(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::MalformedFrame, |session| {
        let mut frame = session.seal(FrameKind::Ping, &ping_body());
        frame[0] = 0x85;
        frame
    })
    .await
}

async fn body_as_text(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::MalformedFrame, |session| {
        let seq = session.sent + 1;
        let seq_byte = seq.to_be_bytes()[7];
        let tag = tag(&session.to_relay, 1, 20, seq, b"\x91\x05");
        [&[0x95, 1, 20, seq_byte, 0xa2, 0x11, 0x05, 0xc4, 32][..], &tag].concat()
    })
    .await
}

async fn later(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let mut frame = session.seal(FrameKind::Ping, &ping_body());
    frame[0] = 0x97;
    frame.extend([0x92, 1, 0xa1, b'x', 0xc0]);
    session.line.send(frame).await;
    session.expect::<susurro_protocol::event::Pong>(FrameKind::Pong).await?;
    session.quiet().await
}

async fn oversize(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::FrameTooLarge, |_| vec![0; limits::FRAME_MAX + 1]).await
}

async fn far_oversize(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::FrameTooLarge, |_| vec![0; 2 * 1024 * 1024]).await
}

async fn largest(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let overhead = session.sealed(1, 999, session.sent + 1, &[0; 100_000]).len() - 100_000;
    session.say_body(FrameKind::Unknown(999), &vec![0; limits::FRAME_MAX - overhead]).await;
    let notice: ErrorNotice = session.expect(FrameKind::Error).await?;
    same("code", &ErrorCode::UnknownKind, &notice.code)?;
    session.quiet().await
}

async fn text(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    session.line.send_text("hello").await;
    session.ended(ErrorCode::MalformedFrame).await
}

async fn survives(session: &mut Session, kind: u16) -> Outcome {
    session.say_body(FrameKind::of_number(kind), &[0x90]).await;
    let notice: ErrorNotice = session.expect(FrameKind::Error).await?;
    same("code and kind", &(ErrorCode::UnknownKind, kind), &(notice.code, notice.about))?;
    session.quiet().await
}

async fn unknown(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    for kind in [0, 3, 999, u16::MAX] {
        survives(&mut session, kind).await?;
    }
    Ok(())
}

async fn reserved(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    for kind in [21] {
        survives(&mut session, kind).await?;
    }
    Ok(())
}

async fn unknown_forged(relay: &Ground) -> Outcome {
    ends(relay, ErrorCode::BadTag, |session| raw(1, 999, session.sent + 1, &[0x90], &[0; 32])).await
}

async fn of_the_relay(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for kind in [2, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41] {
        let (_, mut session) = pair.alice.afresh().await?;
        session.say_body(FrameKind::of_number(kind), &[0x91, 1]).await;
        session.ended(ErrorCode::UnexpectedFrame).await?;
    }
    Ok(())
}

async fn hello(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let body = codec::encode(&pair.alice.draft(0).hello);
    session.say_body(FrameKind::Hello, &body).await;
    session.ended(ErrorCode::UnexpectedFrame).await
}

/// A frame with this body ends the session with `malformed-body`.
async fn malformed(relay: &Ground, kind: FrameKind, body: &[u8]) -> Outcome {
    ends(relay, ErrorCode::MalformedBody, |session| session.seal(kind, body)).await
}

async fn malformed_send(relay: &Ground) -> Outcome {
    malformed(relay, FrameKind::Send, &[0x91, 5]).await
}

async fn malformed_ack(relay: &Ground) -> Outcome {
    malformed(relay, FrameKind::Ack, &[0x91, 0xa1, b'1']).await
}

async fn malformed_ping(relay: &Ground) -> Outcome {
    malformed(relay, FrameKind::Ping, &[]).await
}

async fn fraction(relay: &Ground) -> Outcome {
    malformed(relay, FrameKind::Ping, &[0x91, 0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]).await
}

async fn deep(relay: &Ground) -> Outcome {
    malformed(relay, FrameKind::Ping, &[vec![0x92, 1], vec![0x91; 1000], vec![1]].concat()).await
}

async fn longer_ping(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    session.say_body(FrameKind::Ping, &[0x93, 9, 0xa1, b'x', 0x91, 0xc0]).await;
    let pong: susurro_protocol::event::Pong = session.expect(FrameKind::Pong).await?;
    same("Pong with nonce", &9, &pong.nonce)
}

async fn longer_deposit(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let body = codec::encode(&pair.alice.message(pair.chat, &pair.bob, b"x"));
    // The deposit is the last structure but one element: `92`, `c4 10` and 16 bytes, `c4 01 78`; then `00`.
    let at = body.len() - 1 - 3 - 18 - 1;
    let longer = [&body[..at], &[0x93], &body[at + 1..body.len() - 1], &[0xc0, 0]].concat();
    that(body[at] == 0x92, "a deposit of two elements", body[at])?;
    session.say_body(FrameKind::Send, &longer).await;
    session.ended(ErrorCode::MalformedBody).await
}

async fn pong(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    for nonce in [0, u64::MAX] {
        session.say(FrameKind::Ping, &Ping { nonce }).await;
        let pong: susurro_protocol::event::Pong = session.expect(FrameKind::Pong).await?;
        same("Pong with nonce", &nonce, &pong.nonce)?;
    }
    Ok(())
}

async fn error_unknown(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    session.say(FrameKind::Error, &ErrorNotice::of(ErrorCode::UnknownKind)).await;
    session.quiet().await
}

async fn error_other(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    session.say(FrameKind::Error, &ErrorNotice::of(ErrorCode::BadTag)).await;
    closes(session, 4104).await
}

async fn error_later(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    session.say(FrameKind::Error, &ErrorNotice::of(ErrorCode::Other(1999))).await;
    closes(session, 4999).await
}

async fn error_malformed(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    session.say_body(FrameKind::Error, &[0x90]).await;
    closes(session, 4108).await
}

/// Passes when the next thing is a close frame of this code, and no `Error` before it.
async fn closes(mut session: Session, code: u16) -> Outcome {
    match session.line.hear().await? {
        crate::relays::line::Heard::Closed(seen, _) if seen == code => Ok(()),
        other => Err(Stop::failed(format!("close {code} without an Error frame"), format!("{other:?}"))),
    }
}

async fn logout(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (_, session) = person.afresh().await?;
    person.logout().await?;
    session.ended(ErrorCode::TokenRevoked).await
}

async fn idle(relay: &Ground) -> Outcome {
    if relay.quick {
        return Err(Stop::skipped("it takes 90 s, and --quick was given"));
    }
    let pair = relay.pair().await?;
    let (_, session) = pair.alice.afresh().await?;
    let began = std::time::Instant::now();
    session.ended_within(ErrorCode::IdleTimeout, std::time::Duration::from_secs(120)).await?;
    let took = began.elapsed().as_secs_f64();
    that((89.0..110.0).contains(&took), "an end after 90 s", format!("{took:.1} s"))
}

async fn alive(relay: &Ground) -> Outcome {
    if relay.quick {
        return Err(Stop::skipped("it takes 100 s, and --quick was given"));
    }
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    // What the rule is about is time itself: there is no condition to wait for.
    tokio::time::sleep(std::time::Duration::from_secs(50)).await;
    let ping = tokio_tungstenite::tungstenite::Message::Ping(bytes::Bytes::from_static(b"still here"));
    futures_util::SinkExt::send(&mut session.line.stream, ping)
        .await
        .map_err(|error| Stop::failed("an open session", error.to_string()))?;
    tokio::time::sleep(std::time::Duration::from_secs(50)).await;
    session.quiet().await
}
