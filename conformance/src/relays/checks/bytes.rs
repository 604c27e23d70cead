//! Messages in pieces: bytes of the WebSocket that no library would send (RFC 6455, section 5.2).

use susurro_protocol::ErrorCode;
use susurro_protocol::codec;
use susurro_protocol::command::Ping;
use susurro_protocol::event::Pong;
use susurro_protocol::frame::FrameKind;
use tokio::io::AsyncWriteExt as _;

use crate::check;
use crate::relays::ground::Ground;
use crate::relays::line::{Line, Session};
use crate::suite::check::same;
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("FRAME-1/slow", ["FRAME-1", "CONN-11"], "a frame that comes byte by byte", slow),
        check!(
            "FRAME-1/fragments",
            ["FRAME-1"],
            "a frame in three WebSocket fragments, a ping between them",
            fragments
        ),
        check!("FRAME-1/two-at-once", ["FRAME-1", "SEND-1"], "many frames in one write", at_once),
        check!("FRAME-7/half-send", ["FRAME-7", "SEND-6"], "half of a Send, then nothing: not stored", half_send),
        check!(
            "FRAME-1/fragments-too-large",
            ["FRAME-1", "LIM-1"],
            "fragments that are too large only together",
            large_fragments
        ),
        check!("CONN-13/ping", ["CONN-13"], "a WebSocket ping is answered with a pong, and no frame", ping),
    ]
}

/// A frame of the WebSocket as a client sends it: final or not, with a mask of zeros, which changes nothing.
pub(super) fn masked(opcode: u8, last: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![if last { 0x80 } else { 0 } | opcode];
    match (payload.len(), u16::try_from(payload.len())) {
        (length @ 0..=125, _) => out.push(0x80 | length.to_be_bytes()[7]),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend(length.to_be_bytes());
        }
        (length, Err(_)) => {
            out.push(0x80 | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(payload);
    out
}

/// Writes bytes as they are.
async fn write(line: &mut Line, bytes: &[u8]) -> Outcome {
    let stream = line.stream.get_mut();
    let written = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    written.await.map_err(|error| Stop::failed("an open line", error.to_string()))
}

fn pinged(session: &mut Session, nonce: u64) -> Vec<u8> {
    session.seal(FrameKind::Ping, &codec::encode(&Ping { nonce }))
}

async fn ponged(session: &mut Session, nonce: u64) -> Outcome {
    let pong: Pong = session.expect(FrameKind::Pong).await?;
    same("Pong with nonce", &nonce, &pong.nonce)
}

async fn slow(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let message = masked(2, true, &pinged(&mut session, 5));
    for byte in message {
        write(&mut session.line, &[byte]).await?;
        tokio::task::yield_now().await;
    }
    ponged(&mut session, 5).await
}

async fn fragments(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let frame = pinged(&mut session, 6);
    let (one, rest) = frame.split_at(10);
    let (two, three) = rest.split_at(10);
    for piece in [masked(2, false, one), masked(9, true, b"between"), masked(0, false, two), masked(0, true, three)] {
        write(&mut session.line, &piece).await?;
    }
    ponged(&mut session, 6).await
}

async fn at_once(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    let all: Vec<u8> = (0..50).flat_map(|nonce| masked(2, true, &pinged(&mut session, nonce))).collect();
    write(&mut session.line, &all).await?;
    for nonce in 0..50 {
        ponged(&mut session, nonce).await?;
    }
    Ok(())
}

async fn half_send(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut to) = pair.bob.afresh().await?;
    let (_, mut from) = pair.alice.afresh().await?;
    let send = pair.alice.message(pair.chat, &pair.bob, &[1; 1000]);
    let message = masked(2, true, &from.seal(FrameKind::Send, &codec::encode(&send)));
    write(&mut from.line, &message[..message.len() - 1]).await?;
    drop(from);
    // The same device is served again, and what it sends now is the first thing that Bob gets.
    let whole = pair.alice.message(pair.chat, &pair.bob, b"whole");
    pair.alice.connect_behind().await?.stored(&whole).await?;
    same("message", &whole.message, &to.delivery().await?.message)
}

async fn large_fragments(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    for (opcode, last) in [(2, false), (0, false), (0, true)] {
        // The relay may close before the last.
        let _ = write(&mut session.line, &masked(opcode, last, &[0; 100_000])).await;
    }
    session.ended(ErrorCode::FrameTooLarge).await
}

async fn ping(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut session) = pair.alice.afresh().await?;
    write(&mut session.line, &masked(9, true, b"are you there")).await?;
    write(&mut session.line, &masked(10, true, b"nobody asked")).await?;
    session.quiet().await
}
