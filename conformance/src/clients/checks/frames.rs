//! Genuine frames that do not belong, and messages that are no frames.

use susurro_protocol::command::Ping;
use susurro_protocol::event::{ErrorNotice, Pong};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::{ErrorCode, codec};

use super::rules;
use super::sessions::closes_with;
use crate::clients::relay::{Say, Seen};
use crate::clients::run::Lanes;
use crate::clients::stage::{Lane, Stage};
use crate::suite::check::that;
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!("FRAME-1/oversize", ["FRAME-1", "SES-5"], "a message of 300,000 bytes", oversize),
        client!("FRAME-1/nonsense", ["FRAME-1", "SES-5"], "a binary message that is no frame", nonsense),
        client!("FRAME-2/text-message", ["FRAME-2", "SES-5"], "a text message of the WebSocket", text_message),
        client!(
            "FRAME-3/unknown-kinds",
            ["FRAME-3"],
            "fifty kinds of a later version before a delivery",
            unknown_kinds
        ),
        client!("FRAME-4/frame-out-of-place", ["FRAME-4", "SES-5"], "a Ping and a Hello from the relay", out_of_place),
        client!(
            "FRAME-5/malformed-bodies",
            ["FRAME-5", "ENC-4", "SES-5"],
            "bodies that are not their structures",
            malformed
        ),
        client!("FRAME-6/malformed-error", ["FRAME-6"], "an Error frame whose body is no notice", malformed_error),
        client!(
            "ENC-2/later-fields",
            ["ENC-2", "ENC-5"],
            "structures with fields of a later version behind the known ones",
            later_fields
        ),
        client!(
            "ACT-9/errors-in-a-session",
            ["ACT-9", "ACT-2", "ERR-1", "ERR-2"],
            "Error frames of each consequence in a session",
            errors
        ),
    ]
}

/// A session begins with this; the client ends it with `code`, and gets the waiting text from an honest relay.
async fn begins_with(lane: &Lane, code: Option<ErrorCode>, says: Vec<Say>) -> Result<Stage, Stop> {
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", "waits")?;
    stage.relay.rules(rules(|rules| rules.opening = Some(Box::new(move || says.clone()))));
    let said = stage.syncs(2).await?;
    if let Some(code) = code {
        said.refused()?;
        closes_with(&stage, code)?;
    }
    stage.relay.honest_again();
    stage.alice_gets(&["waits"]).await?;
    stage.finish()?;
    Ok(stage)
}

/// The codes of the `Error` frames that the client has sent.
fn errors_sent(stage: &Stage) -> Vec<u16> {
    let record = stage.relay.record();
    let notices = record.frames(FrameKind::Error).filter_map(|body| codec::decode::<ErrorNotice>(body).ok());
    notices.map(|notice| notice.code.number()).collect()
}

/// FRAME-4 and FRAME-5 ask for an answer, and SES-5 says which.
fn has_answered(stage: &Stage, code: ErrorCode) -> Outcome {
    let sent = errors_sent(stage);
    that(sent.contains(&code.number()), format!("an Error frame with {}", code.number()), sent)
}

async fn oversize(lane: &Lane) -> Outcome {
    begins_with(lane, Some(ErrorCode::FrameTooLarge), vec![Say::Message(vec![0x95; 300_000])]).await.map(drop)
}

async fn nonsense(lane: &Lane) -> Outcome {
    begins_with(lane, Some(ErrorCode::MalformedFrame), vec![Say::Message(b"not a frame".to_vec())]).await.map(drop)
}

async fn text_message(lane: &Lane) -> Outcome {
    begins_with(lane, Some(ErrorCode::MalformedFrame), vec![Say::Text("hello".to_owned())]).await.map(drop)
}

async fn unknown_kinds(lane: &Lane) -> Outcome {
    let says = (0..50).map(|n| Say::Frame(FrameKind::Unknown(1000 + n), vec![0xc1, 1, 2])).collect();
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", "behind them")?;
    let mut says: Option<Vec<Say>> = Some(says);
    stage.relay.rules(rules(|rules| rules.opening = Some(Box::new(move || says.take().unwrap_or_default()))));
    stage.syncs(20).await?.done()?;
    that(stage.relay.record().hellos().count() == 1, "the same connection goes on", "another one")?;
    let sent = errors_sent(&stage);
    that(sent.is_empty(), "a client ignores what it does not know", sent)?;
    stage.alice_gets(&["behind them"]).await?;
    stage.finish()
}

async fn out_of_place(lane: &Lane) -> Outcome {
    for kind in [FrameKind::Ping, FrameKind::Hello] {
        let body = codec::encode(&Ping { nonce: 1 });
        let stage = begins_with(lane, Some(ErrorCode::UnexpectedFrame), vec![Say::Frame(kind, body)]).await?;
        has_answered(&stage, ErrorCode::UnexpectedFrame)?;
    }
    Ok(())
}

async fn malformed(lane: &Lane) -> Outcome {
    let bodies: [(FrameKind, &[u8]); 3] =
        [(FrameKind::Deliver, &[0x91, 1]), (FrameKind::Stored, b"\x92\xa3abc\x01"), (FrameKind::Pong, &[0x91, 1, 0])];
    for (kind, body) in bodies {
        let stage = begins_with(lane, Some(ErrorCode::MalformedBody), vec![Say::Frame(kind, body.to_vec())]).await?;
        has_answered(&stage, ErrorCode::MalformedBody)?;
    }
    Ok(())
}

async fn malformed_error(lane: &Lane) -> Outcome {
    let stage = begins_with(lane, None, vec![Say::Frame(FrameKind::Error, vec![0x91, 1])]).await?;
    let sent = errors_sent(&stage);
    that(sent.is_empty(), "no Error frame answers an Error frame", sent)?;
    let ended = stage.relay.record().events.iter().any(|seen| matches!(seen, Seen::Ended(..)));
    that(ended, "the session ends", "it goes on")
}

async fn later_fields(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", "with more fields")?;
    stage.relay.rules(rules(|rules| {
        let mut first = true;
        rules.opening = Some(Box::new(move || {
            // One element more than known, a nonce in the widest form.
            let mut pong = codec::encode(&Pong { nonce: 0 });
            pong = vec![0x92, 0xcf, 0, 0, 0, 0, 0, 0, 0, pong.last().copied().unwrap_or(0), 0xa1, b'x'];
            if std::mem::take(&mut first) { vec![Say::Frame(FrameKind::Pong, pong)] } else { Vec::new() }
        }));
    }));
    stage.syncs(20).await?.done()?;
    that(stage.relay.record().hellos().count() == 1, "the same connection goes on", "another one")?;
    stage.alice_gets(&["with more fields"]).await?;
    stage.finish()
}

async fn errors(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    // What a client has to do about each, and the exit codes by which it tells.
    let codes: [(ErrorCode, &[i32]); 8] = [
        (ErrorCode::MalformedBody, &[1, 4]),
        (ErrorCode::NotFound, &[1, 4]),
        (ErrorCode::Other(9999), &[1, 4]),
        (ErrorCode::Overloaded, &[1, 4]),
        (ErrorCode::Superseded, &[1, 4]),
        (ErrorCode::RelayKeyMismatch, &[5]),
        (ErrorCode::UnknownDevice, &[3]),
        (ErrorCode::TokenRevoked, &[3]),
    ];
    for (code, exits) in codes {
        stage.relay.rules(rules(|rules| {
            rules.opening = Some(Box::new(move || {
                vec![Say::Frame(FrameKind::Error, codec::encode(&ErrorNotice::of(code))), Say::Close(code.close_code())]
            }));
            // Nothing is stored meanwhile: what is sent comes again.
            rules.heard = Some(Box::new(|_, kind, _| (kind == FrameKind::Send).then(Vec::new)));
        }));
        let said = stage.syncs(2).await?;
        said.ended_with(exits)?;
    }
    stage.relay.rules(rules(|rules| {
        rules.opening = Some(Box::new(|| {
            let notice = ErrorNotice { about: 17, ..ErrorNotice::of(ErrorCode::UnknownKind) };
            vec![Say::Frame(FrameKind::Error, codec::encode(&notice))]
        }));
    }));
    let before = stage.relay.record().hellos().count();
    stage.syncs(20).await?.done()?;
    that(
        stage.relay.record().hellos().count() == before + 1,
        "unknown-kind leaves the connection open",
        "another one",
    )?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}
