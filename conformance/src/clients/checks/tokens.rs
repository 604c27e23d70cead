//! Tokens that are refused, lost and limited.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use susurro_protocol::ErrorCode;
use susurro_protocol::rest::RefreshRequest;

use super::rules;
use crate::clients::peer::device_of;
use crate::clients::relay::{Point, Reply, Turn};
use crate::clients::run::Lanes;
use crate::clients::stage::{Lane, Stage};
use crate::suite::check::that;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!(
            "AUTH-6/killed-with-new-tokens",
            ["AUTH-6", "ACT-3"],
            "kill -9 when the new token is used for the first time",
            killed_with_new_tokens
        ),
        client!(
            "AUTH-6/lost-answer",
            ["AUTH-6", "ACT-4"],
            "the answer to a refresh is lost, and its minute (AUTH-13) is over",
            lost_answer
        ),
        client!(
            "ACT-3/tokens-refused",
            ["ACT-3", "ACT-4", "TOK-4"],
            "every token is refused as revoked, the refresh token too",
            tokens_refused
        ),
        client!(
            "ACT-3/expired-everywhere",
            ["ACT-3"],
            "the access token expires before each step of a first message",
            expired_everywhere
        ),
        client!(
            "REST-3/retry-after",
            ["REST-3", "ACT-1"],
            "429 with two seconds of Retry-After for a claim",
            retry_after
        ),
    ]
}

/// No refresh token was shown twice.
fn each_refresh_once(stage: &Stage) -> Outcome {
    let record = stage.relay.record();
    let bodies: Vec<RefreshRequest> =
        record.requests("POST /auth/refresh").filter_map(|asked| serde_json::from_slice(&asked.body).ok()).collect();
    let all: HashSet<_> = bodies.iter().map(|body| &body.refresh_token).collect();
    that(
        all.len() == bodies.len(),
        "each refresh token is used once",
        format!("{} uses of {}", bodies.len(), all.len()),
    )
}

async fn killed_with_new_tokens(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    let device = device_of(&stage.relay, "alice")?;
    stage.relay.world().expire(device);
    stage.relay.rules(rules(|rules| {
        let mut refreshed = false;
        rules.turn = Some(Box::new(move |point| match point {
            Point::Answering(asked) if asked.is("POST /auth/refresh") => {
                refreshed = true;
                Turn::Go
            }
            Point::Asked(_) if refreshed => Turn::Freeze,
            _ => Turn::Go,
        }));
    }));
    let running = stage.alice.start(&["sync", "--timeout", "30"], b"").await?;
    let seen = stage
        .relay
        .until("a request with the new token", |record| {
            let upgrades = record.requests("GET /ws");
            upgrades.filter_map(|asked| asked.token()).collect::<HashSet<_>>().len() > 1
        })
        .await;
    running.kill().await?;
    seen?;
    stage.all_is_well_again().await?;
    each_refresh_once(&stage)?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

async fn lost_answer(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    let device = device_of(&stage.relay, "alice")?;
    stage.relay.world().expire(device);
    stage.relay.rules(rules(|rules| {
        let mut first = true;
        rules.turn = Some(Box::new(move |point| match point {
            Point::Answering(asked) if asked.is("POST /auth/refresh") && std::mem::take(&mut first) => Turn::Cut,
            _ => Turn::Go,
        }));
    }));
    stage.syncs(5).await?.ended_with(&[3, 4])?;
    // By now the login is ended for good, and that is told.
    stage.syncs(5).await?.ended_with(&[3])?;
    stage.relay.honest_again();
    stage.alice.run(&["login", "--relay", &stage.url, "--name", "alice"]).await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

async fn tokens_refused(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    stage.relay.rules(rules(|rules| {
        rules.before = Some(Box::new(|_, asked| {
            let public = ["/.well-known/susurro", "/auth/params"].contains(&asked.path.as_str());
            (!public).then(|| Reply::problem(401, ErrorCode::TokenRevoked))
        }));
    }));
    let said = stage.syncs(10).await?;
    said.ended_with(&[3])?;
    let refreshes = stage.relay.record().requests("POST /auth/refresh").count();
    that(refreshes == 1, "one exchange of the refresh token", refreshes)?;
    stage.relay.honest_again();
    if stage.syncs(10).await?.code != Some(0) {
        // Tokens may be given up, what waits may not.
        stage.alice.run(&["login", "--relay", &stage.url, "--name", "alice"]).await?.done()?;
    }
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

async fn expired_everywhere(lane: &Lane) -> Outcome {
    let mut stage = lane.registered().await?;
    let device = device_of(&stage.relay, "alice")?;
    let routes = ["GET /keys/count", "GET /users/bob/devices", "POST /chats", "POST /keys/claim"];
    stage.relay.rules(rules(|rules| {
        let mut left: Vec<_> = routes.to_vec();
        rules.before = Some(Box::new(move |world, asked| {
            let known = left.iter().position(|route| asked.is(route))?;
            left.remove(known);
            world.expire(device);
            // What comes next is the honest answer to an expired token.
            None
        }));
    }));
    let said = stage.sends("through expired tokens").await?;
    let kept = !said.stdout.trim().is_empty();
    that(said.code == Some(0) || !said.stderr.is_empty(), "it works or says why not", &said.stderr)?;
    stage.all_is_well_again().await?;
    if !kept {
        stage.sends("through expired tokens").await?.done()?;
        stage.bob.fetch(&stage.relay)?;
    }
    stage.bob_has(&["through expired tokens"])?;
    each_refresh_once(&stage)?;
    stage.finish()
}

async fn retry_after(lane: &Lane) -> Outcome {
    let mut stage = lane.registered().await?;
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let note = Arc::clone(&times);
    stage.relay.rules(rules(|rules| {
        rules.before = Some(Box::new(move |_, asked| {
            if !asked.is("POST /keys/claim") {
                return None;
            }
            let mut times = note.lock().unwrap_or_else(PoisonError::into_inner);
            times.push(Instant::now());
            (times.len() == 1).then(|| Reply::problem(429, ErrorCode::RateLimited).with("retry-after", 2))
        }));
    }));
    stage.sends("patiently").await?.done()?;
    let waited = {
        let times = times.lock().unwrap_or_else(PoisonError::into_inner);
        times.get(1).zip(times.first()).map(|(second, first)| second.duration_since(*first))
    };
    that(waited >= Some(Duration::from_millis(1990)), "the next claim comes after two seconds", waited)?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["patiently"])?;
    stage.finish()
}
