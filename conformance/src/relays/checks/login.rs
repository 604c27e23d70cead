//! Logging in, and what a stranger may learn from it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use susurro_protocol::ErrorCode;
use susurro_protocol::bytes::{Fixed, to_base64};
use susurro_protocol::signed::{self, Label};

use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Ground, Lease, fresh_name, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("AUTH-10/logged-in", ["AUTH-10", "AUTH-2"], "a login with nothing wrong in it, twice", logged_in),
        check!(
            "AUTH-1/shape",
            ["AUTH-1", "AUTH-12"],
            "the parameters of a name that nobody has look like real ones",
            shape
        ),
        check!("AUTH-1/steady", ["AUTH-1"], "they are the same at each request", steady),
        check!("AUTH-1/impossible", ["AUTH-1"], "a name that cannot be is answered as one that could", impossible),
        check!("AUTH-1/no-name", ["HTTP-9", "HTTP-6"], "the parameters of no name", no_name),
        check!("AUTH-2/made-up", ["AUTH-2"], "a nonce that the relay did not make", made_up_nonce),
        check!("AUTH-2/of-another-name", ["AUTH-2"], "a nonce that was made for another name", nonce_of_another),
        check!("AUTH-2/changed", ["AUTH-2"], "a nonce with a flipped bit, each byte in turn", changed_nonce),
        check!("AUTH-3/wrong-password", ["AUTH-3"], "a wrong password", wrong_password),
        check!(
            "ERR-3/bytes",
            ["ERR-3", "AUTH-3"],
            "the answers to an unknown name and a wrong password are the same bytes",
            alike
        ),
        check!(
            "ERR-3/time",
            ["ERR-3", "AUTH-3"],
            "the answers to an unknown name and a wrong password take as long",
            time
        ),
        check!(
            "AUTH-3/device-after-password",
            ["AUTH-3", "AUTH-10"],
            "an unknown device is told only with the right password",
            device_last
        ),
        check!("AUTH-10/foreign-device", ["AUTH-10", "TOK-6"], "a login with another account's device", foreign_device),
        check!("AUTH-10/bad-proof", ["AUTH-10"], "a proof of another key, another nonce, another relay", bad_proof),
        check!("AUTH-10/proof-label", ["SIG-2"], "a proof that is signed as a Hello", proof_label),
    ]
}

/// A login of Alice that a check has changed.
async fn login(relay: &Ground, pair: &Lease<'_>, change: impl FnOnce(&mut Value)) -> Result<Answer, Stop> {
    let nonce = relay.params(&pair.alice.name).await?.nonce;
    let mut request = pair.alice.login_request(nonce.as_slice());
    change(&mut request);
    relay.post("/auth/login", &request).await
}

async fn logged_in(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for _ in 0..2 {
        let tokens = pair.alice.login(relay).await?;
        same("account and device", &(pair.alice.account, pair.alice.device), &(tokens.account, tokens.device))?;
        pair.alice.with_tokens(tokens).get("/users/me").await?.is(200)?;
    }
    Ok(())
}

async fn shape(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let real = relay.get(&format!("/auth/params?username={}", pair.alice.name)).await?.json(200)?;
    let invented = relay.get(&format!("/auth/params?username={}", fresh_name("nobody-"))).await?.json(200)?;
    let shape = |params: &Value| -> Vec<(String, usize)> {
        let members = params.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.clone(), value.as_str().map_or(0, str::len))).collect()
    };
    same("members and lengths", &shape(&real), &shape(&invented))?;
    for member in ["scheme", "memory_kib", "passes", "lanes"] {
        same(member, &real[member], &invented[member])?;
    }
    // 40 bytes in base64url.
    same("length of the nonce", &Some(54), &real["nonce"].as_str().map(str::len))
}

async fn steady(relay: &Ground) -> Outcome {
    let name = fresh_name("nobody-");
    let (one, other) = (relay.params(&name).await?, relay.params(&name).await?);
    same("parameters", &one.stretch, &other.stretch)?;
    let another = relay.params(&fresh_name("nobody-")).await?;
    that(one.stretch.salt != another.stretch.salt, "another salt for another name", another.stretch.salt)
}

async fn impossible(relay: &Ground) -> Outcome {
    for name in ["x", "NoBody", "a%20b", "%C3%B1and%C3%BA", ""] {
        let params = relay.params(name).await?;
        same("costs", &(65_536, 3, 1), &(params.stretch.memory_kib, params.stretch.passes, params.stretch.lanes))?;
        same("bytes of the nonce", &40, &params.nonce.len())?;
    }
    Ok(())
}

async fn no_name(relay: &Ground) -> Outcome {
    relay.get("/auth/params").await?.refused(ErrorCode::InvalidRequest)
}

async fn made_up_nonce(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for nonce in [random::<40>().to_vec(), Vec::new(), vec![0; 8]] {
        let request = pair.alice.login_request(&nonce);
        relay.post("/auth/login", &request).await?.refused(ErrorCode::StaleNonce)?;
    }
    Ok(())
}

async fn nonce_of_another(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let nonce = relay.params(&pair.bob.name).await?.nonce;
    let request = pair.alice.login_request(nonce.as_slice());
    relay.post("/auth/login", &request).await?.refused(ErrorCode::StaleNonce)
}

async fn changed_nonce(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let nonce = relay.params(&pair.alice.name).await?.nonce;
    for byte in (0..nonce.len()).step_by(13) {
        let mut changed = nonce.as_slice().to_vec();
        changed[byte] ^= 1;
        let request = pair.alice.login_request(&changed);
        relay.post("/auth/login", &request).await?.refused(ErrorCode::StaleNonce)?;
    }
    Ok(())
}

async fn wrong_password(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let wrong = login(relay, &pair, |request| request["auth"] = json!(Fixed(random::<32>()))).await?;
    wrong.refused(ErrorCode::InvalidCredentials)
}

/// The request of somebody who tries this name with a random password.
async fn guess(relay: &Ground, name: &str) -> Result<Value, Stop> {
    let nonce = relay.params(name).await?.nonce;
    Ok(json!({
        "username": name,
        "auth": Fixed(random::<32>()),
        "device": hex::encode(random::<16>()),
        "nonce": to_base64(nonce.as_slice()),
        "proof": Fixed([1; 64]),
    }))
}

async fn alike(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let known = relay.post("/auth/login", &guess(relay, &pair.alice.name).await?).await?;
    let unknown = relay.post("/auth/login", &guess(relay, &fresh_name("nobody-")).await?).await?;
    known.refused(ErrorCode::InvalidCredentials)?;
    same("status and body", &(known.status, &known.body), &(unknown.status, &unknown.body))?;
    // What counts requests and tells the time differs between any two answers.
    let fixed = |answer: &Answer| -> Vec<(String, String)> {
        let headers = answer.headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            !name.contains("ratelimit") && name != "date" && name != "x-request-id"
        });
        headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect()
    };
    same("headers", &fixed(&known), &fixed(&unknown))
}

/// Pairs of attempts whose times are compared.
const PAIRS: usize = 15;

async fn time(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let nobody = fresh_name("nobody-");
    let mut times = [Vec::new(), Vec::new()];
    // Interleaved, so that whatever else the machine does falls upon both alike.
    for _ in 0..PAIRS {
        for (name, times) in [pair.alice.name.as_str(), &nobody].into_iter().zip(&mut times) {
            let request = guess(relay, name).await?;
            times.push(timed(relay, "/auth/login", &request).await?);
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let ratio = known.as_secs_f64() / unknown.as_secs_f64().max(1e-6);
    // Generous: without the same work one is a hundred times faster.
    let seen = format!("{known:.1?} for a name that exists, {unknown:.1?} for one that does not");
    if (0.4..2.5).contains(&ratio) { Ok(()) } else { Err(Stop::failed("medians within a factor of 2.5", seen)) }
}

/// How long refused credentials take, pauses that the relay asks for left out.
pub(super) async fn timed(relay: &Ground, path: &str, request: &Value) -> Result<Duration, Stop> {
    loop {
        let began = Instant::now();
        let answer = crate::relays::ground::once(relay.request(reqwest::Method::POST, path).json(request)).await?;
        let took = began.elapsed();
        if answer.status == 429 {
            let seconds = answer.number("retry-after")?;
            crate::suite::run::pause(Duration::from_secs(seconds.clamp(1, 120))).await;
            continue;
        }
        answer.refused(ErrorCode::InvalidCredentials)?;
        return Ok(took);
    }
}

async fn device_last(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let device = hex::encode(random::<16>());
    let with_wrong = login(relay, &pair, |request| {
        request["device"] = json!(device);
        request["auth"] = json!(Fixed(random::<32>()));
    });
    with_wrong.await?.refused(ErrorCode::InvalidCredentials)?;
    login(relay, &pair, |request| request["device"] = json!(device)).await?.refused(ErrorCode::UnknownDevice)
}

async fn foreign_device(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let device = pair.bob.device;
    login(relay, &pair, |request| request["device"] = json!(device)).await?.refused(ErrorCode::UnknownDevice)
}

async fn bad_proof(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let other_key = pair.bob.login_request(&[1; 40])["proof"].clone();
    let other_nonce = pair.alice.login_request(&[1; 40])["proof"].clone();
    for proof in [other_key, other_nonce, json!(Fixed([0; 64]))] {
        login(relay, &pair, |request| request["proof"] = proof).await?.refused(ErrorCode::BadSignature)?;
    }
    let nonce = relay.params(&pair.alice.name).await?.nonce;
    let mut elsewhere = pair.alice.with_tokens(pair.alice.tokens.clone());
    elsewhere.relay_key = [1; 32];
    let request = elsewhere.login_request(nonce.as_slice());
    relay.post("/auth/login", &request).await?.refused(ErrorCode::BadSignature)
}

async fn proof_label(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let nonce = relay.params(&pair.alice.name).await?.nonce;
    let mut request = pair.alice.login_request(nonce.as_slice());
    let alice = &pair.alice;
    let body = susurro_protocol::rest::login_proof(&alice.relay_key, &alice.account, &alice.device, nonce.as_slice());
    request["proof"] = json!(Fixed(signed::sign(&alice.signing_key, Label::Hello, &body)));
    relay.post("/auth/login", &request).await?.refused(ErrorCode::BadSignature)
}
