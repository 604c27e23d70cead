//! What becomes of messages when a relay drops, doubts, rejects and repeats.

use std::collections::HashMap;
use std::time::Duration;

use susurro_protocol::command::Send;
use susurro_protocol::event::Stored;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::{ErrorCode, MessageId, codec};

use super::rules;
use crate::clients::random;
use crate::clients::relay::world::rejection;
use crate::clients::relay::{Point, Say, Turn, now};
use crate::clients::run::Lanes;
use crate::clients::stage::Lane;
use crate::suite::check::that;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!(
            "SEND-7/dropped-twice",
            ["SEND-7", "ACT-2"],
            "the connection ends twice at a Send, nothing is stored",
            dropped
        ),
        client!("SEND-7/answer-lost", ["SEND-7", "SEND-2"], "a Send is stored, and its answer lost", answer_lost),
        client!("SEND-1/never-answered", ["SEND-7"], "a Send gets no answer at all", never_answered),
        client!(
            "SEND-2/stored-again-and-for-others",
            ["SEND-2"],
            "Stored comes three times, and for messages that nobody sent",
            stored_again
        ),
        client!(
            "ACT-9/every-rejection",
            ["ACT-9", "ACT-1", "ACT-7", "ACT-8", "ERR-1", "CONN-14"],
            "forty messages, each rejected once with another code",
            every_rejection
        ),
        client!("REST-6/silence", ["ACT-1"], "connections are taken, and nothing is ever answered", silence),
        client!(
            "HTTP-3/nonsense-answers",
            ["ENC-8"],
            "web pages, wrong JSON and half answers for every request",
            nonsense
        ),
    ]
}

fn send_of(kind: FrameKind, body: &[u8]) -> Option<Send> {
    (kind == FrameKind::Send).then(|| codec::decode(body).ok()).flatten()
}

async fn dropped(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let mut left = 2;
    stage.relay.rules(rules(|rules| {
        rules.turn = Some(Box::new(move |point| match point {
            Point::Heard(FrameKind::Send, _) if left > 0 => {
                left -= 1;
                Turn::Cut
            }
            _ => Turn::Go,
        }));
    }));
    stage.sends("dropped twice").await?.done()?;
    let tries = stage.relay.record().sends().count();
    that(tries == 3, "two tries in vain and a third", tries)?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["dropped twice"])?;
    stage.finish()
}

async fn answer_lost(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let mut first = true;
    stage.relay.rules(rules(|rules| {
        rules.turn = Some(Box::new(move |point| match point {
            Point::Saying(FrameKind::Stored) if std::mem::take(&mut first) => Turn::Cut,
            _ => Turn::Go,
        }));
    }));
    stage.sends("stored, untold").await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["stored, untold"])?;
    stage.finish()
}

async fn never_answered(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.relay.rules(rules(|rules| {
        rules.heard = Some(Box::new(|_, kind, _| (kind == FrameKind::Send).then(Vec::new)));
    }));
    let said = stage.alice.run(&["send", "bob", "unanswered", "--timeout", "3"]).await?;
    said.refused()?;
    that(said.took < Duration::from_secs(30), "an end when the time is over", said.took)?;
    that(!said.stdout.trim().is_empty(), "the identifier of the kept message on stdout", &said.stdout)?;
    let state = stage.state_of("unanswered").await?;
    that(state == "queued", "the message is queued", state)?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["unanswered"])?;
    stage.finish()
}

async fn stored_again(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.relay.rules(rules(|rules| {
        rules.opening = Some(Box::new(|| {
            let stored = Stored { message: MessageId::from_bytes(random()), stored_at: now() };
            vec![Say::Frame(FrameKind::Stored, codec::encode(&stored)); 5]
        }));
        rules.heard = Some(Box::new(|world, kind, body| {
            let send = send_of(kind, body)?;
            let device = world.device_of("alice")?;
            world.store(device, &send, now()).ok()?;
            let stored = Stored { message: send.message, stored_at: u64::MAX };
            let unknown = Stored { message: MessageId::from_bytes(random()), stored_at: 0 };
            let frames = [unknown, stored, stored, unknown, stored];
            Some(frames.iter().map(|stored| Say::Frame(FrameKind::Stored, codec::encode(stored))).collect())
        }));
    }));
    for text in ["one", "two", "three"] {
        stage.queues(text).await?;
    }
    stage.syncs(20).await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["one", "two", "three"])?;
    for text in ["one", "two", "three"] {
        let state = stage.state_of(text).await?;
        that(["accepted", "stored", "read"].contains(&state.as_str()), "each message is accepted", state)?;
    }
    stage.finish()
}

/// The codes whose action in a rejection is to try again (section 14.1).
const AGAIN: [ErrorCode; 9] = [
    ErrorCode::HandshakeTimeout,
    ErrorCode::IdleTimeout,
    ErrorCode::MailboxFull,
    ErrorCode::NoPrekeys,
    ErrorCode::Internal,
    ErrorCode::StorageUnavailable,
    ErrorCode::Overloaded,
    ErrorCode::GoingAway,
    ErrorCode::RateLimited,
];

async fn every_rejection(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    // Those of tokens at the end: the second of them asks for the password.
    let about_tokens = [ErrorCode::Unauthenticated, ErrorCode::TokenExpired, ErrorCode::TokenRevoked];
    let others = ErrorCode::ALL.iter().copied().filter(|code| !about_tokens.contains(code));
    let codes: Vec<_> = others.chain([ErrorCode::Other(9999)]).chain(about_tokens).collect();
    // One profile is opened for all of them: texts through one call each would take longer than the check.
    for code in &codes {
        stage.queues(&format!("rejected with {}", code.number())).await?;
    }
    let (mut given, plan) = (HashMap::new(), codes.clone());
    stage.relay.rules(rules(|rules| {
        rules.heard = Some(Box::new(move |_, kind, body| {
            let send = send_of(kind, body)?;
            let number = given.len();
            if given.contains_key(&send.message) {
                return None;
            }
            let code = *plan.get(number)?;
            given.insert(send.message, code);
            let rejected = rejection(send.message, code);
            Some(vec![Say::Frame(FrameKind::Rejected, codec::encode(&rejected))])
        }));
    }));
    let said = stage.syncs(50).await?;
    said.ended_with(&[0, 1, 3, 4])?;
    stage.all_is_well_again().await?;
    let came = stage.bob.texts();
    let states = stage.states().await?;
    for code in codes {
        let text = format!("rejected with {}", code.number());
        let times = came.iter().filter(|known| **known == text).count();
        let goes_on = AGAIN.contains(&code)
            || matches!(code, ErrorCode::StaleDeviceList | ErrorCode::UnknownChat)
            || about_tokens.contains(&code);
        let state = states.get(&text).map_or("lost", String::as_str);
        match times {
            1 => that(state != "failed", "a message that came has not failed", &text)?,
            0 => {
                that(state == "failed", format!("{text:?} came to Bob, or is told to have failed"), state)?;
                that(!goes_on, format!("{text:?} is tried again (section 14.1)"), state)?;
            }
            _ => that(false, format!("{text:?} comes once"), times)?,
        }
    }
    stage.finish()
}

async fn silence(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    stage.relay.rules(rules(|rules| rules.turn = Some(Box::new(|_| Turn::Freeze))));
    for args in [&["sync", "--timeout", "3"][..], &["send", "bob", "refused", "--timeout", "3"]] {
        let said = stage.alice.run(args).await?;
        said.refused()?;
        that(said.took < Duration::from_secs(30), "an end when the time is over", said.took)?;
    }
    let said = stage.alice.run(&["recv", "--timeout", "3"]).await?;
    that(said.took < Duration::from_secs(30), "an end when the time is over", said.took)?;
    stage.all_is_well_again().await?;
    let came = stage.bob.texts();
    that(came.iter().filter(|text| *text == "kept").count() == 1, "what was kept comes once", &came)?;
    stage.finish()
}

async fn nonsense(lane: &Lane) -> Outcome {
    use crate::clients::relay::Reply;
    let mut stage = lane.registered().await?;
    let answers = [
        Reply::of(200, "text/html", "<html>Welcome to your router</html>"),
        Reply::of(200, "application/json", r#"{"items":7}"#),
        Reply::of(200, "application/json", vec![b'['; 2 * 1024 * 1024]),
        Reply::of(418, "application/problem+json", r#"{"type":"x","title":"x","status":418,"code":77777}"#),
    ];
    for answer in answers {
        stage.relay.rules(rules(|rules| {
            rules.before = Some(Box::new(move |_, asked| (!asked.is("GET /ws")).then(|| answer.clone())));
        }));
        let said = stage.alice.run(&["send", "bob", "not to be kept", "--timeout", "3"]).await?;
        said.refused()?;
        that(said.stdout.trim().is_empty(), "nothing is kept for somebody who was never found", &said.stdout)?;
    }
    stage.relay.honest_again();
    stage.sends("in the end").await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["in the end"])?;
    stage.finish()
}
