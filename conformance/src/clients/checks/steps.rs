//! A connection that ends at every step there is: one run of a command for each step, cut there once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::rules;
use crate::clients::relay::{Point, Relay, Turn};
use crate::clients::run::Lanes;
use crate::clients::stage::Lane;
use crate::suite::check::that;
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!(
            "SEND-7/cut-at-every-step-to-a-stranger",
            ["SEND-7", "CONN-21"],
            "a first message; the connection ends at each step in turn",
            to_a_stranger
        ),
        client!(
            "SEND-7/cut-at-every-step-to-an-acquaintance",
            ["SEND-7", "CONN-21", "HS-4"],
            "a message; what goes is cut in half at each step in turn",
            to_an_acquaintance
        ),
        client!(
            "DLV-2/cut-at-every-step",
            ["DLV-2", "DLV-4", "CONN-21"],
            "two messages wait; the connection ends at each step in turn",
            receiving
        ),
        client!(
            "AUTH-8/cut-at-every-step-of-registration",
            ["AUTH-8", "KEY-6", "PUB-5"],
            "a registration; the connection ends at each step in turn",
            registering
        ),
    ]
}

/// More steps than any command takes: a client that never gets done is cut off here.
const STEPS_MAX: usize = 60;

/// Cuts at one step, once. Steps are counted as they come; the count says afterwards whether the step was reached.
fn cut_at(relay: &Relay, step: usize, how: Turn) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    relay.rules(rules(|rules| {
        rules.turn = Some(Box::new(move |point: &Point<'_>| {
            let now = counted.fetch_add(1, Ordering::Relaxed);
            if now != step {
                return Turn::Go;
            }
            // There is nothing to halve where something has just come.
            match point {
                Point::Answering(_) | Point::Greeting | Point::Saying(_) => how,
                Point::Asked(_) | Point::Greeted(_) | Point::Heard(..) => Turn::Cut,
            }
        }));
    }));
    count
}

fn at(step: usize, stop: Stop) -> Stop {
    match stop {
        Stop::Failed { expected, seen } => Stop::failed(format!("cut at step {step}: {expected}"), seen),
        skipped @ Stop::Skipped(_) => skipped,
    }
}

async fn to_a_stranger(lane: &Lane) -> Outcome {
    for step in 0..STEPS_MAX {
        if done(step, to_a_stranger_step(lane, step).await)? {
            return Ok(());
        }
    }
    endless()
}

async fn to_a_stranger_step(lane: &Lane, step: usize) -> Result<Arc<AtomicUsize>, Stop> {
    let mut stage = lane.registered().await?;
    let count = cut_at(&stage.relay, step, Turn::Cut);
    let said = stage.alice.run(&["send", "bob", "cut", "--timeout", "10"]).await?;
    delivered_once(&mut stage, &said).await?;
    Ok(count)
}

async fn to_an_acquaintance(lane: &Lane) -> Outcome {
    for step in 0..STEPS_MAX {
        if done(step, to_an_acquaintance_step(lane, step).await)? {
            return Ok(());
        }
    }
    endless()
}

async fn to_an_acquaintance_step(lane: &Lane, step: usize) -> Result<Arc<AtomicUsize>, Stop> {
    let mut stage = lane.acquainted().await?;
    let count = cut_at(&stage.relay, step, Turn::Half);
    let said = stage.alice.run(&["send", "bob", "cut", "--timeout", "10"]).await?;
    delivered_once(&mut stage, &said).await?;
    Ok(count)
}

/// What a `send` promises: an identifier on stdout means that it comes once, none that it does not come.
async fn delivered_once(stage: &mut crate::clients::stage::Stage, said: &crate::clients::subject::Said) -> Outcome {
    said.ended_with(&[0, 1, 3, 4])?;
    let kept = !said.stdout.trim().is_empty();
    that(kept || said.code != Some(0), "exit code 0 only for a message that is kept", said)?;
    stage.all_is_well_again().await?;
    stage.bob_has(if kept { &["cut"] } else { &[] })?;
    stage.finish()
}

async fn receiving(lane: &Lane) -> Outcome {
    for step in 0..STEPS_MAX {
        if done(step, receiving_step(lane, step).await)? {
            return Ok(());
        }
    }
    endless()
}

async fn receiving_step(lane: &Lane, step: usize) -> Result<Arc<AtomicUsize>, Stop> {
    let mut stage = lane.acquainted().await?;
    for text in ["one", "two"] {
        stage.bob.write(&stage.relay, "alice", text)?;
    }
    let count = cut_at(&stage.relay, step, if step.is_multiple_of(2) { Turn::Cut } else { Turn::Half });
    let said = stage.alice.run(&["recv", "--json", "--count", "2", "--timeout", "10"]).await?;
    said.ended_with(&[0, 1, 3, 4])?;
    stage.relay.honest_again();
    let mut printed = said.field("text");
    if printed.len() < 2 {
        let rest = stage.alice.run(&["recv", "--json", "--timeout", "10", "--count", "1"]).await?;
        printed.extend(rest.field("text"));
        let rest = stage.alice.run(&["recv", "--json", "--timeout", "0"]).await?;
        printed.extend(rest.field("text"));
    }
    that(printed == ["one", "two"], "each is printed once, in order", printed)?;
    stage.finish()?;
    Ok(count)
}

async fn registering(lane: &Lane) -> Outcome {
    for step in 0..STEPS_MAX {
        if done(step, registering_step(lane, step).await)? {
            return Ok(());
        }
    }
    endless()
}

async fn registering_step(lane: &Lane, step: usize) -> Result<Arc<AtomicUsize>, Stop> {
    let mut stage = lane.empty().await?;
    let count = cut_at(&stage.relay, step, if step.is_multiple_of(2) { Turn::Half } else { Turn::Cut });
    let first = stage.register().await?;
    first.ended_with(&[0, 4])?;
    stage.relay.honest_again();
    if first.code != Some(0) {
        stage.register().await?.done()?;
    }
    stage.syncs(20).await?.done()?;
    stage.bob.write(&stage.relay, "alice", "welcome")?;
    stage.alice_gets(&["welcome"]).await?;
    stage.finish()?;
    Ok(count)
}

/// Whether a play had fewer steps than the one that was to be cut: then all were.
fn done(step: usize, played: Result<Arc<AtomicUsize>, Stop>) -> Result<bool, Stop> {
    played.map(|count| count.load(Ordering::Relaxed) <= step).map_err(|stop| at(step, stop))
}

fn endless() -> Outcome {
    Err(Stop::failed(format!("an end within {STEPS_MAX} steps"), "it goes on and on"))
}
