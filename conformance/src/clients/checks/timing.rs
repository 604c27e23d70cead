//! Signs of life, and the way back.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use susurro_protocol::frame::FrameKind;

use super::rules;
use crate::clients::relay::{Point, Turn};
use crate::clients::run::Lanes;
use crate::clients::stage::Lane;
use crate::suite::check::that;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!("SES-4/ping-and-silence", ["SES-4"], "a quiet connection, then a ping that is never answered", ping),
        client!("SES-6/waits-before-coming-back", ["SES-6"], "every connection ends at once, five times", comes_back),
    ]
}

async fn ping(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.relay.rules(rules(|rules| {
        rules.heard = Some(Box::new(|_, kind, _| (kind == FrameKind::Ping).then(Vec::new)));
    }));
    let began = Instant::now();
    let running = stage.alice.start(&["recv", "--json", "--count", "1", "--timeout", "100"], b"").await?;
    let seen = stage.relay.until("a Ping", |record| record.frames(FrameKind::Ping).next().is_some()).await;
    let pinged = began.elapsed();
    let back = match &seen {
        Ok(()) => stage.relay.until("another connection after silence", |record| record.hellos().count() > 1).await,
        Err(_) => Ok(()),
    };
    stage.relay.honest_again();
    stage.bob.write(&stage.relay, "alice", "still there")?;
    let said = running.end().await;
    seen?;
    back?;
    let said = said?;
    that((25..45).contains(&pinged.as_secs()), "a Ping after about 30 seconds of silence, and not before", pinged)?;
    that(said.field("text") == ["still there"], "the message arrives on the new connection", &said.stdout)?;
    stage.finish()
}

async fn comes_back(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let note = Arc::clone(&times);
    stage.relay.rules(rules(|rules| {
        rules.turn = Some(Box::new(move |point| match point {
            Point::Greeted(_) => {
                let mut times = note.lock().unwrap_or_else(PoisonError::into_inner);
                times.push(Instant::now());
                if times.len() <= 5 { Turn::Cut } else { Turn::Go }
            }
            _ => Turn::Go,
        }));
    }));
    let running = stage.alice.start(&["recv", "--json", "--count", "1", "--timeout", "100"], b"").await?;
    let seen = stage.relay.until("a sixth connection", |record| record.hellos().count() >= 6).await;
    stage.bob.write(&stage.relay, "alice", "in the end")?;
    let said = running.end().await;
    seen?;
    let said = said?;
    that(said.field("text") == ["in the end"], "the message arrives in the end", &said.stdout)?;
    let waits: Vec<Duration> = {
        let times = times.lock().unwrap_or_else(PoisonError::into_inner);
        times.windows(2).map(|pair| pair[1] - pair[0]).take(5).collect()
    };
    that(waits.iter().all(|wait| *wait >= Duration::from_millis(100)), "a wait before each", &waits)?;
    let late: Duration = waits.iter().skip(2).sum();
    that(waits.first().is_some_and(|first| late > *first), "longer after each failure", &waits)?;
    let different: HashSet<_> = waits.iter().map(Duration::as_millis).collect();
    that(different.len() > 2, "by a random amount", &waits)?;
    stage.finish()
}
