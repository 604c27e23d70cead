//! Relays, or whoever sits before them, that tamper with the frames of a session.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use susurro_protocol::ErrorCode;
use susurro_protocol::frame::{FrameKind, RawFrame};

use super::rules;
use crate::clients::relay::{Rules, Say};
use crate::clients::run::Lanes;
use crate::clients::stage::{Lane, Stage};
use crate::suite::check::that;
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!("SES-1/flipped-bit", ["SES-1", "SES-5", "CONN-21"], "one bit of a delivery's body is flipped", flipped),
        client!("SES-1/cut-tag", ["SES-1"], "a delivery with the first half of its tag", cut_tag),
        client!("SES-2/replayed-frame", ["SES-2", "SES-5"], "each delivery comes as the same frame twice", replayed),
        client!("SES-2/left-out-frame", ["SES-2"], "the first delivery's frame is left out", left_out),
        client!("SES-2/swapped-frames", ["SES-2"], "two frames change places", swapped),
        client!(
            "SES-2/frames-of-an-earlier-session",
            ["SES-1", "SES-2"],
            "all frames of an earlier session come instead",
            earlier
        ),
        client!(
            "SES-3/frame-of-another-version",
            ["SES-3", "SES-5"],
            "a delivery's frame says version 2",
            other_version
        ),
        client!("SES-7/own-frame-reflected", ["SES-7"], "the client's own first frame comes back", reflected),
        client!("FRAME-7/forged-stored", ["FRAME-7", "SES-1"], "a Stored without a tag answers a Send", forged_stored),
    ]
}

/// Three texts wait; what the frames of deliveries become is for `tamper` to say. The client ends the session with
/// `code`, and gets each text once from an honest relay.
async fn tampered(
    lane: &Lane,
    code: ErrorCode,
    shown_first: &[&str],
    tamper: impl FnMut(FrameKind, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static,
) -> Outcome {
    strayed(lane, code, shown_first, rules(|rules| rules.said = Some(Box::new(tamper)))).await
}

/// As [`tampered`], under these rules.
async fn strayed(lane: &Lane, code: ErrorCode, shown_first: &[&str], stray: Rules) -> Outcome {
    let mut stage = lane.acquainted().await?;
    for text in ["one", "two", "three"] {
        stage.bob.write(&stage.relay, "alice", text)?;
    }
    stage.relay.rules(stray);
    stage.syncs(2).await?.refused()?;
    closes_with(&stage, code)?;
    stage.relay.honest_again();
    let shown = stage.texts_of("bob").await?;
    that(shown == shown_first, format!("of the tampered session {shown_first:?} is believed"), &shown)?;
    stage.alice_gets(&["one", "two", "three"]).await?;
    stage.finish()
}

/// The client has ended a connection with this error's close code.
pub(super) fn closes_with(stage: &Stage, code: ErrorCode) -> Outcome {
    let record = stage.relay.record();
    let ends: Vec<_> = record.ends().collect();
    that(ends.contains(&Some(code.close_code())), format!("the session is closed with {}", code.close_code()), ends)
}

fn changed(message: Vec<u8>, change: impl FnOnce(&mut RawFrame)) -> Vec<u8> {
    match RawFrame::decode(&Bytes::from(message)) {
        Ok(mut frame) => {
            change(&mut frame);
            frame.encode()
        }
        Err(_) => Vec::new(),
    }
}

async fn flipped(lane: &Lane) -> Outcome {
    let flip = |kind, message| match kind {
        FrameKind::Deliver => vec![changed(message, |frame| {
            let mut body = frame.body.to_vec();
            if let Some(last) = body.last_mut() {
                *last ^= 1;
            }
            frame.body = body.into();
        })],
        _ => vec![message],
    };
    tampered(lane, ErrorCode::BadTag, &[], flip).await
}

async fn cut_tag(lane: &Lane) -> Outcome {
    let cut = |kind, message| match kind {
        FrameKind::Deliver => vec![changed(message, |frame| frame.tag = frame.tag.slice(..16))],
        _ => vec![message],
    };
    tampered(lane, ErrorCode::BadTag, &[], cut).await
}

async fn replayed(lane: &Lane) -> Outcome {
    let twice = |kind, message: Vec<u8>| match kind {
        FrameKind::Deliver => vec![message.clone(), message],
        _ => vec![message],
    };
    // The first of the two is genuine, on each of the connections that fit into the time.
    let mut stage = lane.acquainted().await?;
    for text in ["one", "two", "three"] {
        stage.bob.write(&stage.relay, "alice", text)?;
    }
    stage.relay.rules(rules(|rules| rules.said = Some(Box::new(twice))));
    let said = stage.syncs(2).await?;
    said.ended_with(&[0, 1, 4])?;
    closes_with(&stage, ErrorCode::BadSequence)?;
    stage.relay.honest_again();
    stage.alice_gets(&["one", "two", "three"]).await?;
    stage.finish()
}

async fn left_out(lane: &Lane) -> Outcome {
    let mut delivered = false;
    let leave_out = move |kind, message| {
        if kind == FrameKind::Deliver && !std::mem::replace(&mut delivered, true) { Vec::new() } else { vec![message] }
    };
    let mut stage = lane.acquainted().await?;
    for text in ["one", "two", "three"] {
        stage.bob.write(&stage.relay, "alice", text)?;
    }
    stage.relay.rules(rules(|rules| rules.said = Some(Box::new(leave_out))));
    stage.syncs(20).await?.done()?;
    closes_with(&stage, ErrorCode::BadSequence)?;
    stage.alice_gets(&["one", "two", "three"]).await?;
    stage.finish()
}

async fn swapped(lane: &Lane) -> Outcome {
    let held: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let fresh = Arc::clone(&held);
    let swap = move |kind, message: Vec<u8>| {
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        match (kind, held.take()) {
            (FrameKind::Deliver, None) => {
                *held = Some(message);
                Vec::new()
            }
            (_, Some(earlier)) => vec![message, earlier],
            _ => vec![message],
        }
    };
    let stray = rules(|rules| {
        // What one session holds back at its end does not belong between the frames of the next.
        rules.welcome = Some(Box::new(move |_| *fresh.lock().unwrap_or_else(PoisonError::into_inner) = None));
        rules.said = Some(Box::new(swap));
    });
    strayed(lane, ErrorCode::BadSequence, &[], stray).await
}

async fn other_version(lane: &Lane) -> Outcome {
    strayed(lane, ErrorCode::UnsupportedVersion, &[], rules(|rules| rules.version = Some(2))).await
}

async fn earlier(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let kept: Arc<Mutex<VecDeque<Vec<u8>>>> = Arc::default();
    let keep = Arc::clone(&kept);
    stage.bob.write(&stage.relay, "alice", "one")?;
    stage.relay.rules(rules(|rules| {
        rules.said = Some(Box::new(move |_, message| {
            keep.lock().unwrap_or_else(PoisonError::into_inner).push_back(message.clone());
            vec![message]
        }));
    }));
    stage.alice_gets(&["one"]).await?;
    stage.bob.write(&stage.relay, "alice", "two")?;
    stage.relay.rules(rules(|rules| {
        rules.said = Some(Box::new(move |_, _| {
            kept.lock().unwrap_or_else(PoisonError::into_inner).pop_front().into_iter().collect()
        }));
    }));
    stage.syncs(2).await?.refused()?;
    closes_with(&stage, ErrorCode::BadTag)?;
    stage.relay.honest_again();
    stage.alice_gets(&["two"]).await?;
    stage.finish()
}

async fn reflected(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", "one")?;
    let reflect = Arc::clone(&stage.relay);
    stage.relay.rules(rules(|rules| {
        rules.heard = Some(Box::new(move |_, kind, _| {
            // The bytes of the frame are the last message that came.
            let message = reflect.record().last_message.clone();
            (kind == FrameKind::Ack).then(|| vec![Say::Message(message)])
        }));
    }));
    stage.syncs(2).await?.refused()?;
    closes_with(&stage, ErrorCode::BadTag)?;
    stage.relay.honest_again();
    stage.alice_gets(&["one"]).await?;
    stage.finish()
}

async fn forged_stored(lane: &Lane) -> Result<(), Stop> {
    use susurro_protocol::codec;
    use susurro_protocol::command::Send;
    use susurro_protocol::event::Stored;
    let mut stage = lane.acquainted().await?;
    stage.relay.rules(rules(|rules| {
        rules.heard = Some(Box::new(|_, kind, body| {
            let send: Send = (kind == FrameKind::Send).then(|| codec::decode(body).ok()).flatten()?;
            let stored = codec::encode(&Stored { message: send.message, stored_at: 1 });
            let forged = |seq| RawFrame {
                version: 1,
                kind: FrameKind::Stored,
                seq,
                body: stored.clone().into(),
                tag: Bytes::from_static(&[0; 32]),
            };
            Some((1..4).map(|seq| Say::Message(forged(seq).encode())).collect())
        }));
    }));
    let said = stage.alice.run(&["send", "bob", "kept", "--timeout", "3"]).await?;
    said.refused()?;
    let state = stage.state_of("kept").await?;
    that(state == "queued", "the message is still queued", &state)?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}
