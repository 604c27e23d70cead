//! The recovery key in the place of a forgotten password.

use reqwest::Method;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::rest::{
    Me, Problem, RecoverRequest, RecoveryState, SetRecovery, SignedText, TokenResponse, login_proof,
};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::{DeviceId, ErrorCode};

use crate::devices::{another_device, next};
use crate::support::{Person, Relay, answer, code, random, register, relay, stretch};

/// Sets a recovery key; says with which status.
pub(crate) async fn set(person: &Person, auth: [u8; 32], key: Option<[u8; 32]>) -> u16 {
    let body = SetRecovery { auth: Fixed(auth), recovery_auth: key.map(Fixed) };
    person.request(Method::PUT, "/users/me/recovery").json(&body).send().await.unwrap().status().as_u16()
}

pub(crate) async fn request(person: &Person, name: &str, key: [u8; 32], device: DeviceId) -> RecoverRequest {
    let nonce = person.params(name).await.nonce;
    let proof = login_proof(&person.relay_key, &person.account, &device, nonce.as_slice());
    RecoverRequest {
        username: name.to_owned(),
        recovery_auth: Fixed(key),
        stretch: stretch(),
        new_auth: Fixed([9; 32]),
        device,
        nonce,
        proof: Fixed(signed::sign(&person.signing_key, Label::Login, &proof)),
        device_list: None,
    }
}

pub(crate) async fn recover(person: &Person, request: &RecoverRequest) -> Result<TokenResponse, Problem> {
    answer(person.http.post(format!("{}/auth/recover", person.url)).json(request)).await
}

async fn alice() -> (Relay, Person, [u8; 32]) {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let key = random();
    assert_eq!(set(&alice, alice.auth, Some(key)).await, 204);
    (relay, alice, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_key_is_set_with_the_password_and_stays_over_restarts() {
    let (relay, alice, key) = alice().await;
    assert!(alice.get::<RecoveryState>("/users/me/recovery").await.unwrap().set.is_some());
    assert_eq!(set(&alice, [0; 32], Some([1; 32])).await, 401);
    assert_eq!(set(&alice, [0; 32], None).await, 401);
    let relay = relay.restart().await;
    let alice = Person { url: relay.running.url(), ..alice };
    recover(&alice, &request(&alice, "alice", key, alice.device).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn recovering_ends_every_login_and_sets_another_password() {
    let (_relay, alice, key) = alice().await;
    let mut talk = alice.connect(0).await;
    assert!(talk.is_quiet().await);
    let tokens = recover(&alice, &request(&alice, "alice", key, alice.device).await).await.unwrap();
    assert_eq!(talk.frame().await.unwrap().kind(), FrameKind::Error);
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked));
    assert_eq!(
        code(alice.login_as("alice", alice.auth, alice.device).await),
        Some(ErrorCode::InvalidCredentials),
        "the former password"
    );
    alice.login_as("alice", [9; 32], alice.device).await.unwrap();
    let back = Person { tokens, ..alice };
    back.get::<Me>("/users/me").await.unwrap();
    assert_eq!(set(&back, [9; 32], None).await, 204);
    let gone = recover(&back, &request(&back, "alice", key, back.device).await).await;
    assert_eq!(code(gone), Some(ErrorCode::InvalidCredentials));
}

#[tokio::test(flavor = "multi_thread")]
async fn recovering_takes_the_key_and_then_a_device_and_its_signature() {
    let (relay, alice, key) = alice().await;
    let bob = register(&relay, "bob").await;
    let refused = async |request: RecoverRequest| code(recover(&alice, &request).await);
    let wrong = [0; 32];
    for (name, key) in [("alice", wrong), ("bob", key), ("nobody", key), ("NO_SUCH", key)] {
        // Also with a device that is not the account's: that is not told before.
        let request = request(&alice, name, key, DeviceId::from_bytes([7; 16])).await;
        assert_eq!(refused(request).await, Some(ErrorCode::InvalidCredentials), "{name}");
    }
    let foreign = request(&alice, "alice", key, bob.device).await;
    assert_eq!(refused(foreign).await, Some(ErrorCode::UnknownDevice));
    let mut unsigned = request(&alice, "alice", key, alice.device).await;
    unsigned.proof = Fixed([0; 64]);
    assert_eq!(refused(unsigned).await, Some(ErrorCode::BadSignature));
    let mut weak = request(&alice, "alice", key, alice.device).await;
    weak.stretch.passes = 1;
    assert_eq!(refused(weak).await, Some(ErrorCode::InvalidRequest));
    // The next list, but not signed by the account key of this account.
    let (certificate, _) = another_device(&bob);
    let mut listed = request(&alice, "alice", key, certificate.body().device).await;
    listed.device_list = Some(SignedText::of(next(&bob, &bob.list, &[&certificate]).signed()));
    assert_eq!(refused(listed).await, Some(ErrorCode::InvalidDeviceList));
    alice.get::<Me>("/users/me").await.unwrap();
    alice.login_as("alice", alice.auth, alice.device).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_comes_with_the_next_list_and_the_lost_one_goes() {
    let (_relay, alice, key) = alice().await;
    let (certificate, signing_key) = another_device(&alice);
    let device = certificate.body().device;
    let two = next(&alice, &alice.list, &[&certificate]);
    let new = Person { device, signing_key, list: two.clone(), ..alice };
    let mut asked = request(&new, "alice", key, device).await;
    asked.device_list = Some(SignedText::of(two.signed()));
    let tokens = recover(&new, &asked).await.unwrap();
    assert_eq!(tokens.device, device);
    // The answer was lost: the same list is the present one by now.
    let mut again = request(&new, "alice", key, device).await;
    again.device_list = Some(SignedText::of(two.signed()));
    let new = Person { tokens: recover(&new, &again).await.unwrap(), ..new };
    new.get::<Me>("/users/me").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_is_not_recovered() {
    let (relay, alice, key) = alice().await;
    crate::administration::done(&relay, &["user", "disable", "alice"]);
    let refused = recover(&alice, &request(&alice, "alice", key, alice.device).await).await;
    assert_eq!(code(refused), Some(ErrorCode::AccountDisabled));
    crate::administration::done(&relay, &["user", "enable", "alice"]);
    alice.login_as("alice", alice.auth, alice.device).await.expect("the password is what it was");
}
