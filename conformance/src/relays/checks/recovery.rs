//! The recovery key: set, taken away, and in the place of a password.

use serde_json::{Value, json};
use susurro_protocol::ErrorCode;
use susurro_protocol::bytes::{Fixed, to_base64};
use susurro_protocol::rest::{RecoveryState, SignedText, TokenResponse, login_proof};
use susurro_protocol::signed::{self, Label};

use super::accounts::{another, next};
use super::login::timed;
use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Ground, Person, fresh_name, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("REC-2/set", ["REC-2", "HTTP-9"], "a recovery key is set, replaced and taken away", set),
        check!(
            "REC-6/recovered",
            ["REC-6", "REC-5", "HTTP-9"],
            "an account is recovered: what ends and what goes on",
            recovered
        ),
        check!("REC-4/order", ["REC-4"], "recoveries with one thing wrong in each", order),
        check!(
            "REC-4/alike",
            ["REC-4", "ERR-3"],
            "an unknown name, an account without a recovery key, a wrong one",
            alike
        ),
        check!(
            "REC-5/device-list",
            ["REC-5", "REC-4"],
            "a device that comes with the next device list, or with a wrong one",
            list
        ),
    ]
}

async fn put(person: &Person, auth: [u8; 32], key: Option<[u8; 32]>) -> Result<Answer, Stop> {
    person.put("/users/me/recovery", &json!({ "auth": Fixed(auth), "recovery_auth": key.map(Fixed) })).await
}

async fn state(person: &Person) -> Result<RecoveryState, Stop> {
    person.get("/users/me/recovery").await?.read(200)
}

/// The body of `POST /auth/recover`, to be changed by a check.
async fn request(relay: &Ground, person: &Person, key: [u8; 32], new: [u8; 32]) -> Result<Value, Stop> {
    let mut body = person.login_request(relay.params(&person.name).await?.nonce.as_slice());
    let more = json!({
        "recovery_auth": Fixed(key), "scheme": "argon2id-v1", "salt": Fixed([5; 16]), "memory_kib": 65_536, "passes": 3,
        "lanes": 1, "new_auth": Fixed(new),
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.remove("auth");
        body.extend(more);
    }
    Ok(body)
}

async fn set(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    same("no recovery key", &None, &state(&person).await?.set)?;
    let (one, other) = (random(), random());
    put(&person, random(), Some(one)).await?.refused(ErrorCode::InvalidCredentials)?;
    put(&person, person.auth, Some(one)).await?.is(204)?;
    that(state(&person).await?.set.is_some(), "since when there is one", "null")?;
    put(&person, person.auth, Some(other)).await?.is(204)?;
    let former = request(relay, &person, one, random()).await?;
    relay.post("/auth/recover", &former).await?.refused(ErrorCode::InvalidCredentials)?;
    put(&person, random(), None).await?.refused(ErrorCode::InvalidCredentials)?;
    put(&person, person.auth, None).await?.is(204)?;
    same("no recovery key any longer", &None, &state(&person).await?.set)?;
    let gone = request(relay, &person, other, random()).await?;
    relay.post("/auth/recover", &gone).await?.refused(ErrorCode::InvalidCredentials)?;
    person.put("/users/me/recovery", &json!({ "auth": Fixed(person.auth) })).await?.refused(ErrorCode::InvalidRequest)
}

async fn recovered(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (key, new) = (random(), random());
    put(&person, person.auth, Some(key)).await?.is(204)?;
    let mut line = person.connect(0).await?;
    line.quiet().await?;
    let body = request(relay, &person, key, new).await?;
    let tokens: TokenResponse = relay.post("/auth/recover", &body).await?.read(200)?;
    same("account and device", &(person.account, person.device), &(tokens.account, tokens.device))?;
    line.ended(ErrorCode::TokenRevoked).await?;
    person.get("/users/me").await?.refused(ErrorCode::TokenRevoked)?;
    let back = person.with_tokens(tokens);
    back.get("/users/me").await?.is(200)?;
    let params = relay.params(&person.name).await?;
    that(params.stretch.salt == Fixed([5; 16]), "the salt of the new password", params.stretch.salt)?;
    let mut login = person.login_request(params.nonce.as_slice());
    relay.post("/auth/login", &login).await?.refused(ErrorCode::InvalidCredentials)?;
    login["auth"] = json!(Fixed(new));
    relay.post("/auth/login", &login).await?.is(200)?;
    // Also after another change of the password.
    let change = json!({
        "auth": Fixed(new), "scheme": "argon2id-v1", "salt": Fixed([6; 16]), "memory_kib": 65_536, "passes": 3, "lanes": 1,
        "new_auth": Fixed(person.auth),
    });
    back.post("/users/me/password", &change).await?.is(204)?;
    let again = request(relay, &person, key, random()).await?;
    relay.post("/auth/recover", &again).await?.is(200)
}

async fn order(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let key = random();
    put(&person, person.auth, Some(key)).await?.is(204)?;
    let mut wrong = request(relay, &person, random(), random()).await?;
    // Everything is wrong, and is made right one by one.
    wrong["passes"] = json!(2);
    wrong["nonce"] = json!(to_base64(&random::<40>()));
    wrong["device"] = json!(susurro_protocol::DeviceId::from_bytes(random()));
    wrong["device_list"] = json!(SignedText::of(person.list.certificates()[0].signed()));
    let refused = async |body: &Value, code| relay.post("/auth/recover", body).await?.refused(code);
    refused(&wrong, ErrorCode::InvalidRequest).await?;
    wrong["passes"] = json!(3);
    refused(&wrong, ErrorCode::StaleNonce).await?;
    let nonce = relay.params(&person.name).await?.nonce;
    wrong["nonce"] = json!(nonce);
    refused(&wrong, ErrorCode::InvalidCredentials).await?;
    wrong["recovery_auth"] = json!(Fixed(key));
    refused(&wrong, ErrorCode::InvalidDeviceList).await?;
    wrong.as_object_mut().map(|body| body.remove("device_list"));
    refused(&wrong, ErrorCode::UnknownDevice).await?;
    wrong["device"] = json!(person.device);
    refused(&wrong, ErrorCode::BadSignature).await?;
    person.get("/users/me").await?.is(200)?;
    let proof = login_proof(&person.relay_key, &person.account, &person.device, nonce.as_slice());
    wrong["proof"] = json!(Fixed(signed::sign(&person.signing_key, Label::Login, &proof)));
    relay.post("/auth/recover", &wrong).await?.is(200)
}

async fn alike(relay: &Ground) -> Outcome {
    let (with, without) = (relay.person().await?, relay.person().await?);
    put(&with, with.auth, Some(random())).await?.is(204)?;
    let nobody = fresh_name("nobody-");
    let names = [with.name.as_str(), without.name.as_str(), nobody.as_str()];
    let mut times = [const { Vec::new() }; 3];
    // Interleaved, so that whatever else the machine does falls upon all of them.
    for _ in 0..3 {
        for (name, times) in names.into_iter().zip(&mut times) {
            let mut body = request(relay, &with, random(), random()).await?;
            body["username"] = json!(name);
            body["nonce"] = json!(relay.params(name).await?.nonce);
            times.push(timed(relay, "/auth/recover", &body).await?);
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    });
    let ratio =
        medians.iter().copied().fold(0.0, f64::max) / medians.iter().copied().fold(f64::MAX, f64::min).max(1e-6);
    // Generous: without the same work one is a hundred times faster.
    that(ratio < 3.0, "medians within a factor of 3", format!("{medians:.3?} s"))
}

async fn list(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let key = random();
    put(&person, person.auth, Some(key)).await?.is(204)?;
    let (certificate, signing_key) = another(&person);
    let own = person.list.certificates()[0].clone();
    let device = certificate.body().device;
    let body = async |list: &susurro_protocol::keys::DeviceList| {
        let mut body = request(relay, &person, key, random()).await?;
        let nonce = relay.params(&person.name).await?.nonce;
        let proof = login_proof(&person.relay_key, &person.account, &device, nonce.as_slice());
        body["nonce"] = json!(nonce);
        body["device"] = json!(device);
        body["proof"] = json!(Fixed(signed::sign(&signing_key, Label::Login, &proof)));
        body["device_list"] = json!(SignedText::of(list.signed()));
        Ok::<_, Stop>(body)
    };
    let stranger = relay.person().await?;
    let foreign = next(&stranger, &stranger.list, &[&stranger.list.certificates()[0]]);
    let without = next(&person, &person.list, &[&own]);
    relay.post("/auth/recover", &body(&foreign).await?).await?.refused(ErrorCode::InvalidDeviceList)?;
    relay.post("/auth/recover", &body(&without).await?).await?.refused(ErrorCode::UnknownDevice)?;
    person.get("/users/me").await?.is(200)?;
    // The device that is left out of it goes with it.
    let two = next(&person, &person.list, &[&certificate]);
    let tokens: TokenResponse = relay.post("/auth/recover", &body(&two).await?).await?.read(200)?;
    same("device", &device, &tokens.device)?;
    person.with_tokens(tokens).get("/users/me").await?.is(200)?;
    person.get("/users/me").await?.refused(ErrorCode::TokenRevoked)?;
    let gone = request(relay, &person, key, random()).await?;
    relay.post("/auth/recover", &gone).await?.refused(ErrorCode::UnknownDevice)
}
