//! Device lists: the next one, and what becomes of a device that is not in it.

use ed25519_dalek::SigningKey;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::command::{Deposit, ListVersion, Send};
use susurro_protocol::event::DevicesChanged;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList};
use susurro_protocol::rest::{Me, Problem, PutDevices, SignedText, UserDevices};
use susurro_protocol::{DeviceId, ErrorCode};

use crate::support::{Person, code, pair, random, register, relay};

/// A certificate of a new device of this person, and the device's key.
pub(crate) fn another_device(person: &Person) -> (DeviceCertificate, SigningKey) {
    let signing_key = SigningKey::from_bytes(&random());
    let body = CertificateBody {
        device: DeviceId::from_bytes(random()),
        signing_key: Fixed(signing_key.verifying_key().to_bytes()),
        identity_key: Fixed(random()),
        ..person.list.certificates()[0].body().clone()
    };
    (DeviceCertificate::issue(&person.account_key, body), signing_key)
}

/// The list behind `known`, with these certificates.
pub(crate) fn next(person: &Person, known: &DeviceList, certificates: &[&DeviceCertificate]) -> DeviceList {
    let certificates = certificates.iter().map(|certificate| (*certificate).clone()).collect();
    DeviceList::issue(&person.account_key, Some(known), 2, certificates)
}

pub(crate) async fn put(person: &Person, list: &DeviceList) -> Result<UserDevices, Problem> {
    person.put("/users/me/devices", &PutDevices { device_list: SignedText::of(list.signed()) }).await
}

/// The same account on another device, logged in.
pub(crate) async fn on(person: &Person, device: DeviceId, signing_key: SigningKey) -> Person {
    let other = Person {
        url: person.url.clone(),
        relay_key: person.relay_key,
        account: person.account,
        device,
        account_key: person.account_key.clone(),
        signing_key,
        list: person.list.clone(),
        auth: person.auth,
        tokens: person.tokens.clone(),
        http: person.http.clone(),
    };
    let name = person.get::<Me>("/users/me").await.unwrap().name;
    let tokens = other.login_as(name.as_str(), other.auth, device).await.unwrap();
    Person { tokens, ..other }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_comes_and_goes_with_the_list_and_others_are_told() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let (mut to, first) = (bob.connect(0).await, alice.connect(0).await);
    assert!(to.is_quiet().await);
    let (certificate, key) = another_device(&alice);
    let own = &alice.list.certificates()[0];
    let two = next(&alice, &alice.list, &[own, &certificate]);
    assert_eq!(put(&alice, &two).await.unwrap().device_list, SignedText::of(two.signed()));
    let told: DevicesChanged = to.expect(FrameKind::DevicesChanged).await;
    assert_eq!((told.account, told.version), (alice.account, 2));

    let phone = on(&alice, certificate.body().device, key).await;
    let mut second = phone.connect(0).await;
    let stale = to.deposit(&bob.message(chat, &alice, b"for one device")).await.unwrap_err();
    assert_eq!((stale.code, stale.missing), (ErrorCode::StaleDeviceList, vec![phone.device]));
    let versions = |version| {
        vec![ListVersion { account: alice.account, version }, ListVersion { account: bob.account, version: 1 }]
    };
    let deposit = |device, text: &[u8]| Deposit { device, ciphertext: text.to_vec().into() };
    let message = bob.message(chat, &alice, b"x");
    let both = Send {
        lists: versions(2),
        deposits: vec![deposit(alice.device, b"to the first"), deposit(phone.device, b"to the second")],
        ..message
    };
    to.deposit(&both).await.unwrap();
    assert_eq!(second.delivery().await.ciphertext.as_slice(), b"to the second");
    // The phone says something, and something waits for the first device when that is removed.
    let said = Send {
        lists: versions(2),
        deposits: vec![deposit(bob.device, b"from the phone"), deposit(alice.device, b"my own copy")],
        ..phone.message(chat, &bob, b"x")
    };
    second.deposit(&said).await.unwrap();
    assert_eq!(to.delivery().await.ciphertext.as_slice(), b"from the phone");

    let three = next(&alice, &two, &[&certificate]);
    put(&phone, &three).await.unwrap();
    let told: DevicesChanged = to.expect(FrameKind::DevicesChanged).await;
    assert_eq!(told.version, 3);
    let mut first = first;
    loop {
        let frame = first.frame().await.unwrap();
        if frame.kind() == FrameKind::Error {
            break;
        }
    }
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked));
    assert_eq!(code(alice.login_as("alice", alice.auth, alice.device).await), Some(ErrorCode::UnknownDevice));
    phone.get::<Me>("/users/me").await.unwrap();
    let one = Send {
        lists: versions(3),
        deposits: vec![deposit(phone.device, b"to what is left")],
        ..bob.message(chat, &alice, b"x")
    };
    to.deposit(&one).await.unwrap();
    // What the removed device had sent is still there.
    let relay = relay.restart().await;
    let phone = Person { url: relay.running.url(), ..phone };
    phone.get::<Me>("/users/me").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_does_not_follow_the_present_one_changes_nothing() {
    let relay = relay().await;
    let (alice, mallory) = (register(&relay, "alice").await, register(&relay, "mallory").await);
    let own = &alice.list.certificates()[0];
    let (certificate, _) = another_device(&alice);
    let (other, _) = another_device(&alice);
    let two = next(&alice, &alice.list, &[own, &certificate]);
    let fork = next(&alice, &alice.list, &[own, &other]);
    let three = next(&alice, &two, &[own]);
    let mut changed = own.body().clone();
    changed.identity_key = Fixed(random());
    let changed = DeviceCertificate::issue(&alice.account_key, changed);
    let swapped = next(&alice, &alice.list, &[&changed]);
    let stolen = next(&mallory, &mallory.list, &[mallory.list.certificates().first().unwrap()]);
    let invalid = Some(ErrorCode::InvalidDeviceList);
    for (wrong, what) in
        [(&three, "a gap"), (&swapped, "another certificate of a device"), (&stolen, "somebody else's")]
    {
        assert_eq!(code(put(&alice, wrong).await), invalid, "{what}");
    }
    put(&alice, &alice.list).await.unwrap();
    put(&alice, &two).await.unwrap();
    put(&alice, &two).await.unwrap();
    for (wrong, what) in [(&alice.list, "the one before"), (&fork, "another one of the same version")] {
        assert_eq!(code(put(&alice, wrong).await), invalid, "{what}");
    }
    put(&alice, &three).await.unwrap();
    let back = next(&alice, &three, &[own, &certificate]);
    assert_eq!(code(put(&alice, &back).await), invalid, "a removed device does not come back under its identifier");
    let shown: UserDevices = mallory.get("/users/alice/devices").await.unwrap();
    assert_eq!(shown.device_list, SignedText::of(three.signed()));
}
