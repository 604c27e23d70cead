//! Access and refresh tokens: whose they are, how they end.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use susurro_protocol::ErrorCode;
use susurro_protocol::bytes::to_base64;
use susurro_protocol::rest::{Me, TokenResponse};

use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Ground, Person, ask, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("TOK-1/no-token", ["TOK-1", "HTTP-4"], "every request that needs a token, without one", no_token),
        check!("TOK-1/other-scheme", ["TOK-1"], "a token under another scheme than Bearer", other_scheme),
        check!("TOK-1/in-query", ["TOK-1"], "a token in the query of a request over REST", in_query),
        check!("TOK-1/refresh-token", ["TOK-1"], "a refresh token in place of an access token", refresh_as_access),
        check!("TOK-5/changed", ["TOK-5"], "a token that was changed, at several places", changed),
        check!("TOK-5/no-algorithm", ["TOK-5"], "a token that says alg none", no_algorithm),
        check!(
            "TOK-5/other-algorithm",
            ["TOK-5"],
            "a token that says HS256, keyed with the relay's public key",
            other_algorithm
        ),
        check!("TOK-5/other-claims", ["TOK-5", "TOK-6"], "a token with somebody else's claims", other_claims),
        check!("TOK-2/expired", ["TOK-2"], "an expired token", expired),
        check!("TOK-6/own", ["TOK-6"], "a token is good for its own account", own),
        check!(
            "TOK-3/logout",
            ["TOK-3", "AUTH-5"],
            "after a logout the access token is revoked, over REST and for a socket",
            logout
        ),
        check!(
            "AUTH-5/refresh-after-logout",
            ["AUTH-5", "AUTH-11"],
            "after a logout the refresh token is revoked",
            refresh_after_logout
        ),
        check!("TOK-7/other-login", ["TOK-7"], "a logout leaves another login of the device alone", other_login),
        check!("AUTH-5/logout-twice", ["AUTH-5", "TOK-3"], "a second logout", logout_twice),
        check!("AUTH-6/rotated", ["AUTH-6"], "a refresh gives new tokens, several times over", rotated),
        check!(
            "AUTH-6/reused",
            ["AUTH-6", "TOK-7"],
            "a refresh token that was exchanged long before ends its login",
            reused
        ),
        check!("AUTH-6/reuse-closes", ["AUTH-6", "TOK-7"], "with that the open connection is closed", reuse_closes),
        check!(
            "AUTH-13/lost-answer",
            ["AUTH-13"],
            "a refresh whose answer was lost, repeated: new tokens, and those of the lost answer count as exchanged",
            lost_answer
        ),
        check!("AUTH-11/unknown", ["AUTH-11"], "a refresh token that nobody ever got", unknown),
    ]
}

async fn refresh(relay: &Ground, token: &str) -> Result<Answer, Stop> {
    relay.post("/auth/refresh", &json!({"refresh_token": token})).await
}

/// Passes when the access token is refused with this code over REST.
async fn refused(person: &Person, code: ErrorCode) -> Outcome {
    let answer = person.get("/users/me").await?;
    answer.refused(code)?;
    same("WWW-Authenticate", &Some("Bearer"), &answer.header("www-authenticate"))
}

async fn no_token(relay: &Ground) -> Outcome {
    let chat = hex::encode(random::<16>());
    let (one, messages) = (format!("/chats/{chat}"), format!("/chats/{chat}/messages"));
    let requests = [
        (Method::POST, "/auth/logout"),
        (Method::GET, "/users/me"),
        (Method::PATCH, "/users/me"),
        (Method::GET, "/users/search?q=a"),
        (Method::GET, "/users/somebody/devices"),
        (Method::PUT, "/keys"),
        (Method::GET, "/keys/count"),
        (Method::POST, "/keys/claim"),
        (Method::GET, "/chats"),
        (Method::POST, "/chats"),
        (Method::GET, &one),
        (Method::GET, &messages),
        (Method::POST, &messages),
    ];
    for (method, path) in requests {
        let answer = ask(relay.request(method.clone(), path)).await?;
        answer.refused(ErrorCode::Unauthenticated).map_err(|stop| about(&stop, &format!("{method} {path}")))?;
        same("WWW-Authenticate", &Some("Bearer"), &answer.header("www-authenticate"))?;
    }
    Ok(())
}

/// The same failure with where it was.
pub(super) fn about(stop: &Stop, place: &str) -> Stop {
    match stop {
        Stop::Failed { expected, seen } => Stop::failed(expected.clone(), format!("{place}: {seen}")),
        Stop::Skipped(why) => Stop::skipped(why.clone()),
    }
}

async fn other_scheme(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let token = &pair.alice.tokens.access_token;
    for header in [format!("Basic {token}"), format!("Token {token}"), token.clone(), "Bearer".to_owned()] {
        let request = relay.request(Method::GET, "/users/me").header("authorization", header);
        ask(request).await?.refused(ErrorCode::Unauthenticated)?;
    }
    Ok(())
}

async fn in_query(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let path = format!("/users/me?token={}", pair.alice.tokens.access_token);
    relay.get(&path).await?.refused(ErrorCode::Unauthenticated)
}

async fn refresh_as_access(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    refused(&pair.alice.with_token(&pair.alice.tokens.refresh_token), ErrorCode::Unauthenticated).await
}

async fn changed(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let token = &pair.alice.tokens.access_token;
    for at in (1..token.len() - 1).step_by(token.len() / 12 + 1) {
        let mut bytes = token.clone().into_bytes();
        if bytes[at] == b'.' {
            continue;
        }
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8_lossy(&bytes).into_owned();
        refused(&pair.alice.with_token(&other), ErrorCode::Unauthenticated).await?;
    }
    for other in ["", ".", "..", "a.b.c", &token[..token.len() - 4], &format!("{token}.{token}")] {
        refused(&pair.alice.with_token(other), ErrorCode::Unauthenticated).await?;
    }
    Ok(())
}

/// Header and claims of a token that is a JWT. To clients it is opaque: a relay may make it otherwise.
fn parts(token: &str) -> Result<[Value; 2], Stop> {
    let no_jwt = || Stop::skipped("this relay's tokens are no JWT");
    let read = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let mut split = token.split('.');
    let header = split.next().and_then(read).ok_or_else(no_jwt)?;
    let claims = split.next().and_then(read).ok_or_else(no_jwt)?;
    Ok([header, claims])
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", to_base64(header.to_string().as_bytes()), to_base64(claims.to_string().as_bytes()))
}

async fn no_algorithm(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let [mut header, claims] = parts(&pair.alice.tokens.access_token)?;
    let signature = pair.alice.tokens.access_token.rsplit('.').next().unwrap_or_default().to_owned();
    for algorithm in ["none", "None", "NONE"] {
        header["alg"] = json!(algorithm);
        for signature in ["", &signature] {
            let token = format!("{}.{signature}", unsigned(&header, &claims));
            refused(&pair.alice.with_token(&token), ErrorCode::Unauthenticated).await?;
        }
    }
    Ok(())
}

async fn other_algorithm(relay: &Ground) -> Outcome {
    use hmac::{KeyInit as _, Mac as _};
    let pair = relay.pair().await?;
    let [mut header, claims] = parts(&pair.alice.tokens.access_token)?;
    header["alg"] = json!("HS256");
    let signed = unsigned(&header, &claims);
    let mut block = [0; 64];
    block[..32].copy_from_slice(&relay.info.relay_key.0);
    let mut mac = hmac::Hmac::<sha2::Sha256>::new((&block).into());
    mac.update(signed.as_bytes());
    let token = format!("{signed}.{}", to_base64(&mac.finalize().into_bytes()));
    refused(&pair.alice.with_token(&token), ErrorCode::Unauthenticated).await
}

async fn other_claims(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let [header, mut claims] = parts(&pair.alice.tokens.access_token)?;
    let signature = pair.alice.tokens.access_token.rsplit('.').next().unwrap_or_default().to_owned();
    claims["sub"] = json!(pair.bob.account);
    claims["device"] = json!(pair.bob.device);
    let token = format!("{}.{signature}", unsigned(&header, &claims));
    refused(&pair.alice.with_token(&token), ErrorCode::Unauthenticated).await
}

async fn expired(_relay: &Ground) -> Outcome {
    Err(Stop::skipped("an access token lives an hour, and nobody but the relay can make one that has lived"))
}

async fn own(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for person in [&pair.alice, &pair.bob] {
        let me: Me = person.get("/users/me").await?.read(200)?;
        same("account and name", &(person.account, person.name.as_str()), &(me.account, me.name.as_str()))?;
    }
    Ok(())
}

async fn logout(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    person.logout().await?;
    refused(&person, ErrorCode::TokenRevoked).await?;
    same("status of an upgrade", &Some(401), &crate::relays::line::dial(person.upgrade()?).await?.err())
}

async fn refresh_after_logout(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    person.logout().await?;
    refresh(relay, &person.tokens.refresh_token).await?.refused(ErrorCode::TokenRevoked)
}

async fn other_login(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let other = person.with_tokens(person.login(relay).await?);
    person.logout().await?;
    refused(&person, ErrorCode::TokenRevoked).await?;
    other.get("/users/me").await?.is(200)?;
    refresh(relay, &other.tokens.refresh_token).await?.is(200)
}

async fn logout_twice(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    person.logout().await?;
    let again = ask(person.request(Method::POST, "/auth/logout")).await?;
    again.refused(ErrorCode::TokenRevoked)
}

async fn rotated(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let mut token = person.tokens.refresh_token.clone();
    for _ in 0..3 {
        let next: TokenResponse = refresh(relay, &token).await?.read(200)?;
        that(next.refresh_token != token, "another refresh token", "the same")?;
        same("account and device", &(person.account, person.device), &(next.account, next.device))?;
        token = next.refresh_token.clone();
        person.with_tokens(next).get("/users/me").await?.is(200)?;
    }
    Ok(())
}

/// Exchanges the first refresh token, then what came of it, so that the first is older than any grace for a lost
/// answer; the person with the newest tokens.
async fn exchanged_twice(relay: &Ground) -> Result<(Person, Person), Stop> {
    let person = relay.person().await?;
    let second: TokenResponse = refresh(relay, &person.tokens.refresh_token).await?.read(200)?;
    let third: TokenResponse = refresh(relay, &second.refresh_token).await?.read(200)?;
    let newest = person.with_tokens(third);
    Ok((person, newest))
}

async fn reused(relay: &Ground) -> Outcome {
    let (person, newest) = exchanged_twice(relay).await?;
    newest.get("/users/me").await?.is(200)?;
    refresh(relay, &person.tokens.refresh_token).await?.refused(ErrorCode::TokenRevoked)?;
    refused(&newest, ErrorCode::TokenRevoked).await?;
    refresh(relay, &newest.tokens.refresh_token).await?.refused(ErrorCode::TokenRevoked)
}

async fn reuse_closes(relay: &Ground) -> Outcome {
    let (person, newest) = exchanged_twice(relay).await?;
    let (_, session) = newest.afresh().await?;
    refresh(relay, &person.tokens.refresh_token).await?.refused(ErrorCode::TokenRevoked)?;
    session.ended(ErrorCode::TokenRevoked).await
}

async fn lost_answer(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let lost: TokenResponse = refresh(relay, &person.tokens.refresh_token).await?.read(200)?;
    let again: TokenResponse = refresh(relay, &person.tokens.refresh_token).await?.read(200)?;
    that(again.refresh_token != lost.refresh_token, "another refresh token", "the same")?;
    person.with_tokens(again.clone()).get("/users/me").await?.is(200)?;
    refresh(relay, &lost.refresh_token).await?.refused(ErrorCode::TokenRevoked)?;
    refused(&person.with_tokens(again), ErrorCode::TokenRevoked).await
}

async fn unknown(relay: &Ground) -> Outcome {
    for token in [to_base64(&random::<32>()), "nonsense".to_owned(), String::new()] {
        refresh(relay, &token).await?.refused(ErrorCode::Unauthenticated)?;
    }
    Ok(())
}
