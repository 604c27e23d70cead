//! Another password, and no account any longer.

use ed25519_dalek::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::event::DevicesChanged;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::keys::{DeviceCertificate, DeviceList};
use susurro_protocol::rest::{SignedText, UserDevices};
use susurro_protocol::{DeviceId, ErrorCode};

use crate::check;
use crate::relays::ground::{Candidate, Ground, Person, ask, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!(
            "CHG-1/wrong",
            ["CHG-1"],
            "a change with a wrong password, or to one that is stretched too cheaply",
            wrong
        ),
        check!("CHG-2/changed", ["CHG-2", "HTTP-9"], "a password is changed: what ends and what goes on", changed),
        check!("DEL-1/deleted", ["DEL-1", "DEL-4"], "an account is deleted, and its name registered again", deleted),
        check!(
            "LIST-1/follows",
            ["LIST-1", "KEY-3", "HTTP-9"],
            "device lists that follow the present one and that do not",
            follows
        ),
        check!(
            "LIST-2/removed",
            ["LIST-2", "LIST-3"],
            "a device is removed: its logins, its connection, its return",
            removed
        ),
        check!("DEL-3/chat", ["DEL-3"], "a chat whose other member was deleted", chat),
    ]
}

fn change(auth: [u8; 32], new: [u8; 32]) -> Value {
    json!({
        "auth": Fixed(auth), "scheme": "argon2id-v1", "salt": Fixed([3; 16]), "memory_kib": 65_536, "passes": 3,
        "lanes": 1, "new_auth": Fixed(new),
    })
}

async fn delete(person: &Person, auth: [u8; 32]) -> Result<crate::relays::answer::Answer, crate::suite::Stop> {
    ask(person.request(Method::DELETE, "/users/me").json(&json!({ "auth": Fixed(auth) }))).await
}

async fn wrong(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let other = change(random(), random());
    person.post("/users/me/password", &other).await?.refused(ErrorCode::InvalidCredentials)?;
    for (member, value) in [("memory_kib", json!(65_535)), ("passes", json!(2)), ("scheme", json!("plain"))] {
        let mut weak = change(person.auth, random());
        weak[member] = value;
        person.post("/users/me/password", &weak).await?.refused(ErrorCode::InvalidRequest)?;
    }
    person.login(relay).await.map(drop)
}

async fn changed(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let asking = person.with_tokens(person.login(relay).await?);
    let mut line = person.connect(0).await?;
    line.quiet().await?;
    let new = random();
    asking.post("/users/me/password", &change(person.auth, new)).await?.is(204)?;
    line.ended(ErrorCode::TokenRevoked).await?;
    person.get("/users/me").await?.refused(ErrorCode::TokenRevoked)?;
    asking.get("/users/me").await?.is(200)?;
    let params = relay.params(&person.name).await?;
    that(params.stretch.salt == Fixed([3; 16]), "the salt of the new password", params.stretch.salt)?;
    let old = person.login_request(params.nonce.as_slice());
    relay.post("/auth/login", &old).await?.refused(ErrorCode::InvalidCredentials)?;
    let mut right = old;
    right["auth"] = json!(Fixed(new));
    relay.post("/auth/login", &right).await?.is(200)
}

async fn deleted(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let other = relay.person().await?;
    delete(&person, random()).await?.refused(ErrorCode::InvalidCredentials)?;
    let mut line = person.connect(0).await?;
    line.quiet().await?;
    delete(&person, person.auth).await?.is(204)?;
    line.ended(ErrorCode::TokenRevoked).await?;
    person.get("/users/me").await?.refused(ErrorCode::TokenRevoked)?;
    other.get(&format!("/users/{}/devices", person.name)).await?.refused(ErrorCode::NotFound)?;
    let nonce = relay.params(&person.name).await?.nonce;
    let login = person.login_request(nonce.as_slice());
    relay.post("/auth/login", &login).await?.refused(ErrorCode::InvalidCredentials)?;
    relay.register(Candidate { name: person.name.clone(), ..Candidate::new() }).await.map(drop)
}

async fn chat(relay: &Ground) -> Outcome {
    let pair = relay.new_pair().await?;
    let mut line = pair.bob.connect(0).await?;
    line.quiet().await?;
    delete(&pair.alice, pair.alice.auth).await?.is(204)?;
    line.rejected(&pair.bob.message(pair.chat, &pair.alice, b"gone"), ErrorCode::UnknownChat).await?;
    pair.bob.post("/chats", &json!({ "peer": pair.alice.name })).await?.refused(ErrorCode::NotFound)
}

/// A certificate of a new device of this person.
pub(super) fn another(person: &Person) -> (DeviceCertificate, SigningKey) {
    let signing_key = SigningKey::from_bytes(&random());
    let mut body = person.list.certificates()[0].body().clone();
    body.device = DeviceId::from_bytes(random());
    body.signing_key = Fixed(signing_key.verifying_key().to_bytes());
    body.identity_key = Fixed(random());
    (DeviceCertificate::issue(&person.account_key, body), signing_key)
}

pub(super) fn next(person: &Person, known: &DeviceList, certificates: &[&DeviceCertificate]) -> DeviceList {
    let certificates = certificates.iter().map(|certificate| (*certificate).clone()).collect();
    DeviceList::issue(&person.account_key, Some(known), 1_790_000_001, certificates)
}

async fn put(person: &Person, list: &DeviceList) -> Result<crate::relays::answer::Answer, crate::suite::Stop> {
    person.put("/users/me/devices", &json!({ "device_list": SignedText::of(list.signed()) })).await
}

async fn follows(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let own = person.list.certificates()[0].clone();
    let ((one, _), (other, _)) = (another(&person), another(&person));
    let two = next(&person, &person.list, &[&own, &one]);
    let three = next(&person, &two, &[&own]);
    put(&person, &three).await?.refused(ErrorCode::InvalidDeviceList)?;
    let shown: UserDevices = put(&person, &two).await?.read(200)?;
    that(shown.device_list == SignedText::of(two.signed()), "the new list", shown)?;
    put(&person, &two).await?.is(200)?;
    let fork = next(&person, &person.list, &[&own, &other]);
    for wrong in [&fork, &person.list] {
        put(&person, wrong).await?.refused(ErrorCode::InvalidDeviceList)?;
    }
    let stranger = relay.person().await?;
    let foreign = next(&stranger, &stranger.list, &[&stranger.list.certificates()[0]]);
    put(&person, &foreign).await?.refused(ErrorCode::InvalidDeviceList)?;
    put(&person, &three).await?.is(200)
}

async fn removed(relay: &Ground) -> Outcome {
    let pair = relay.new_pair().await?;
    let person = &pair.alice;
    let mut line = person.connect(0).await?;
    line.quiet().await?;
    let own = person.list.certificates()[0].clone();
    let (certificate, _) = another(person);
    let two = next(person, &person.list, &[&own, &certificate]);
    put(person, &two).await?.is(200)?;
    let mut to = pair.bob.connect(0).await?;
    to.quiet().await?;
    put(person, &next(person, &two, &[&certificate])).await?.is(200)?;
    loop {
        match line.any().await? {
            Ok(frame) if frame.kind == FrameKind::DevicesChanged => {}
            _ => break,
        }
    }
    person.get("/users/me").await?.refused(ErrorCode::TokenRevoked)?;
    let nonce = relay.params(&person.name).await?.nonce;
    relay.post("/auth/login", &person.login_request(nonce.as_slice())).await?.refused(ErrorCode::UnknownDevice)?;
    let changed: DevicesChanged = to.expect(FrameKind::DevicesChanged).await?;
    same("account and version", &(person.account, 3), &(changed.account, changed.version))?;
    to.rejected(&pair.bob.message(pair.chat, person, b"stale"), ErrorCode::StaleDeviceList).await.map(drop)
}
