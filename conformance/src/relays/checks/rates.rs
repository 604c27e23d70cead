//! How often somebody may ask, and what the answers say of it.

use reqwest::Method;
use serde_json::json;
use susurro_protocol::ErrorCode;

use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Ground, Person, once, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!(
            "RATE-3/account",
            ["RATE-3", "REST-3"],
            "counted answers say limit, what remains and when it is back",
            counted
        ),
        check!("RATE-3/address", ["RATE-3", "REST-3"], "so do those to /auth", counted_address),
        check!("RATE-3/on-errors", ["RATE-3"], "so do refusals for other reasons", on_errors),
        check!("RATE-1/not-counted", ["RATE-1"], "what is not counted says nothing of it", not_counted),
        check!(
            "RATE-4/account",
            ["RATE-4", "RATE-2", "REST-3"],
            "an account that asks too often is refused, and told how long",
            exhausted
        ),
        check!("RATE-1/others", ["RATE-1"], "that leaves another account alone", others),
        check!("RATE-4/address", ["RATE-4", "REST-3"], "an address that logs in too often is refused", address),
        check!("RATE-5/forwarded", ["RATE-5"], "X-Forwarded-For does not change who is counted", forwarded),
        check!(
            "CONN-18/going-away",
            ["CONN-18", "CONN-19", "DLV-6"],
            "a relay that goes down says when to come back",
            going_away
        ),
    ]
}

/// More than this a minute is not used up by a well-behaved client.
const TRIED: u64 = 300;

/// The three numbers of an answer, which are the same in both forms.
fn numbers(answer: &Answer) -> Result<[u64; 3], Stop> {
    let mut numbers = [0; 3];
    for (number, name) in numbers.iter_mut().zip(["limit", "remaining", "reset"]) {
        *number = answer.number(&format!("ratelimit-{name}"))?;
        same(&format!("x-ratelimit-{name}"), number, &answer.number(&format!("x-ratelimit-{name}"))?)?;
    }
    let [limit, remaining, reset] = numbers;
    that(remaining < limit && reset <= 60, "fewer left than the limit, back within a minute", numbers)?;
    Ok(numbers)
}

async fn counted(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let first = numbers(&pair.alice.get("/users/me").await?)?;
    let second = numbers(&pair.alice.get("/users/me").await?)?;
    same("limit", &first[0], &second[0])?;
    // Between two requests some may have come back.
    that(second[1] <= first[1] + 5, format!("about {} left", first[1]), second[1])
}

async fn counted_address(relay: &Ground) -> Outcome {
    let params = relay.get("/auth/params?username=somebody").await?;
    params.is(200)?;
    numbers(&params)?;
    let login = relay.post("/auth/login", &json!({})).await?;
    numbers(&login).map(drop)
}

async fn on_errors(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for answer in [pair.alice.get("/chats/nonsense").await?, pair.alice.post("/chats", &json!({"peer": "No"})).await?] {
        numbers(&answer)?;
    }
    Ok(())
}

async fn not_counted(relay: &Ground) -> Outcome {
    for path in ["/.well-known/susurro", "/healthz", "/readyz"] {
        let answer = relay.get(path).await?;
        that(answer.header("ratelimit-limit").is_none(), "no RateLimit-Limit", answer.header("ratelimit-limit"))?;
    }
    Ok(())
}

/// Asks until it is refused; the refusal.
async fn exhaust(person: &Person) -> Result<Answer, Stop> {
    let limit = numbers(&person.get("/users/me").await?)?[0];
    if limit > TRIED {
        return Err(Stop::skipped(format!("this relay allows {limit} requests a minute: more than this check tries")));
    }
    for _ in 0..2 * limit {
        let answer = once(person.request(Method::GET, "/users/me")).await?;
        if answer.status == 429 {
            return Ok(answer);
        }
        answer.is(200)?;
    }
    Err(Stop::failed(format!("a refusal after {limit} requests in a moment"), format!("{} answers", 2 * limit)))
}

fn refused(answer: &Answer) -> Outcome {
    answer.refused(ErrorCode::RateLimited)?;
    let wait = answer.number("retry-after")?;
    that((1..=60).contains(&wait), "Retry-After of 1 to 60 seconds", wait)?;
    same("remaining", &0, &numbers(answer)?[1])
}

async fn exhausted(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let answer = exhaust(&person).await?;
    refused(&answer)?;
    // Who waits as long as asked gets an answer.
    crate::suite::run::pause(std::time::Duration::from_secs(answer.number("retry-after")?)).await;
    once(person.request(Method::GET, "/users/me")).await?.is(200)
}

async fn others(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    let before = numbers(&pair.alice.get("/users/me").await?)?[1];
    exhaust(&person).await?;
    let after = numbers(&pair.alice.get("/users/me").await?)?[1];
    that(after + 5 >= before, format!("about {before} left"), after)
}

/// A login that costs the relay nothing: its nonce is none.
async fn attempt(relay: &Ground, forwarded: Option<&str>) -> Result<Answer, Stop> {
    let body = json!({
        "username": "somebody", "auth": susurro_protocol::bytes::Fixed(random::<32>()), "nonce": "AAAA",
        "device": hex::encode(random::<16>()), "proof": susurro_protocol::bytes::Fixed([0; 64]),
    });
    let mut request = relay.request(Method::POST, "/auth/login").json(&body);
    if let Some(address) = forwarded {
        request = request.header("x-forwarded-for", address);
    }
    once(request).await
}

async fn address(relay: &Ground) -> Outcome {
    let mut limit = 1;
    for n in 0.. {
        let answer = attempt(relay, None).await?;
        if answer.status == 429 {
            return refused(&answer);
        }
        limit = limit.max(numbers(&answer)?[0]);
        if limit > TRIED {
            return Err(Stop::skipped(format!(
                "this relay allows {limit} logins a minute: more than this check tries"
            )));
        }
        that(n <= 2 * limit, format!("a refusal after {limit} logins in a moment"), n)?;
    }
    Ok(())
}

async fn forwarded(relay: &Ground) -> Outcome {
    // What is left falls although each request claims to come from elsewhere.
    let (mut least, mut most) = (u64::MAX, 0);
    for n in 0..10 {
        let answer = attempt(relay, Some(&format!("203.0.113.{n}"))).await?;
        if answer.status == 429 {
            return Ok(());
        }
        let [limit, remaining, _] = numbers(&answer)?;
        least = least.min(remaining);
        most = most.max(limit);
    }
    if most > TRIED {
        return Err(Stop::skipped(format!("{most} a minute come back faster than they are used up")));
    }
    that(least + 5 <= most, "fewer left after each request", format!("{least} of {most}"))
}

async fn going_away(_relay: &Ground) -> Outcome {
    Err(Stop::skipped("nobody outside can ask a relay to go down; the relay's own tests do"))
}
