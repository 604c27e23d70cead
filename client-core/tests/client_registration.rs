//! Registration and login: whatever fails and wherever a program stops, no identity is lost and
//! the same words go on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "support/fake.rs"]
mod fake;

use std::path::Path;

use fake::{FakeRelay, Fault};
use susurro_client_core::{Client, Error, Secret};
use susurro_protocol::ErrorCode;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::rest::{AUTH_SCHEME, StretchParams};

const PASSWORD: &str = "a long password";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

async fn register(profile: &Path, url: &str, name: &str) -> Result<Client, Error> {
    Client::register(profile, url, name, secret(PASSWORD), secret("passphrase")).await
}

async fn login(profile: &Path, url: &str, name: &str, password: &str) -> Result<Client, Error> {
    Client::login(profile, url, name, secret(password), secret("passphrase")).await
}

async fn open(profile: &Path) -> Result<Client, Error> {
    Client::open(profile, secret("passphrase")).await
}

#[tokio::test]
async fn a_registered_profile_opens_logs_out_and_logs_in_again() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("alice");
    let client = register(&profile, &format!("{url}/"), "alice").await.unwrap();
    let me = client.me();
    assert_eq!((me.name.as_str(), me.relay_url.as_str()), ("alice", url.as_str()));
    let id = client.queue("bob", "written before logging out").await.unwrap();
    client.logout().await.unwrap();
    client.close().await;

    let client = login(&profile, &url, "alice", PASSWORD).await.unwrap();
    assert_eq!(client.me(), me);
    assert!(client.message(id).await.unwrap().is_some());
    assert_eq!(client.queued().await.unwrap(), 1);
    client.close().await;
    assert_eq!(open(&profile).await.unwrap().me(), me);
    assert_eq!(relay.names(), ["alice"]);
    assert!(relay.asked.lock().unwrap().contains(&"POST /auth/logout".to_owned()));
}

#[tokio::test]
async fn a_registered_person_can_be_written_to_before_they_connect() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    register(directory.path(), &url, "alice").await.unwrap();
    let accounts = relay.accounts.lock().unwrap();
    let prekeys = accounts[0].prekeys.as_ref().unwrap();
    assert_eq!((prekeys.one_time.len(), prekeys.pq_one_time.len()), (100, 100));
}

#[tokio::test]
async fn what_is_wrong_before_the_relay_is_asked_leaves_nothing() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("new");
    let try_with = async |relay: &str, name: &str, password: &str, passphrase: &str| {
        Client::register(&profile, relay, name, secret(password), secret(passphrase)).await.unwrap_err()
    };
    assert!(matches!(try_with(&url, "Alice!", PASSWORD, "p").await, Error::BadName(_)));
    assert!(matches!(try_with(&url, "al", PASSWORD, "p").await, Error::BadName(_)));
    assert_eq!(try_with(&url, "alice", "1234567", "p").await, Error::WeakPassword);
    assert_eq!(try_with(&url, "alice", PASSWORD, "").await, Error::EmptyPassphrase);
    assert_eq!(try_with("relay", "alice", PASSWORD, "p").await, Error::BadRelayUrl);
    assert_eq!(try_with("http://relay.example", "alice", PASSWORD, "p").await, Error::PlainHttpNotLoopback);
    assert!(!profile.exists());
    assert!(relay.names().is_empty());
}

#[tokio::test]
async fn a_taken_name_leaves_nothing_and_another_name_works() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    register(&directory.path().join("first"), &url, "alice").await.unwrap().close().await;
    let profile = directory.path().join("second");
    assert_eq!(register(&profile, &url, "alice").await.unwrap_err(), Error::NameTaken);
    assert!(!profile.exists());
    register(&profile, &url, "alicia").await.unwrap();
    assert_eq!(relay.names(), ["alice", "alicia"]);
}

#[tokio::test]
async fn a_directory_that_was_there_before_stays_when_the_name_is_taken() {
    let (_relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    register(&directory.path().join("first"), &url, "alice").await.unwrap().close().await;
    let profile = directory.path().join("second");
    std::fs::create_dir(&profile).unwrap();
    std::fs::write(profile.join("notes.txt"), "mine").unwrap();
    assert_eq!(register(&profile, &url, "alice").await.unwrap_err(), Error::NameTaken);
    assert_eq!(std::fs::read(profile.join("notes.txt")).unwrap(), b"mine");
    assert!(!Client::exists(&profile).await);
}

#[tokio::test]
async fn a_lost_request_or_answer_is_made_good_by_the_same_words_with_the_same_identity() {
    for fault in [Fault::Before, Fault::After] {
        let (relay, url) = FakeRelay::start().await;
        let directory = tempfile::tempdir().unwrap();
        let profile = directory.path().join("alice");
        relay.fail(fault);
        let error = register(&profile, &url, "alice").await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{fault:?}: {error:?}");
        assert!(matches!(open(&profile).await.unwrap_err(), Error::Unfinished(_)));
        let client = register(&profile, &url, "alice").await.unwrap();
        let accounts = relay.accounts.lock().unwrap();
        assert!(accounts[0].prekeys.is_some());
        assert_eq!(accounts.len(), 1);
        assert_eq!(accounts[0].list.body().account, client.me().account, "{fault:?}");
    }
}

#[tokio::test]
async fn a_profile_whose_answer_was_lost_can_also_log_in() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    relay.fail(Fault::After);
    register(directory.path(), &url, "alice").await.unwrap_err();
    login(directory.path(), &url, "alice", PASSWORD).await.unwrap().close().await;
    open(directory.path()).await.unwrap();
}

#[tokio::test]
async fn an_invite_that_the_lost_answer_used_up_does_not_matter() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("alice");
    *relay.invite.lock().unwrap() = Some(Some("abcd-efgh".to_owned()));
    assert_eq!(register(&profile, &url, "alice").await.unwrap_err(), Error::InvalidInvite);
    assert!(!profile.exists());
    let invited = async || {
        let (invite, password, passphrase) = (secret(" abcd-efgh\n"), secret(PASSWORD), secret("passphrase"));
        Client::register_with_invite(&profile, &url, "alice", invite, password, passphrase).await
    };
    relay.fail(Fault::After);
    invited().await.unwrap_err();
    let client = invited().await.unwrap();
    assert_eq!(relay.names(), ["alice"]);
    assert_eq!(relay.accounts.lock().unwrap()[0].list.body().account, client.me().account);
    client.close().await;
    let other = directory.path().join("other");
    let (invite, password, passphrase) = (secret("abcd-efgh"), secret(PASSWORD), secret("passphrase"));
    let refused = Client::register_with_invite(&other, &url, "bob", invite, password, passphrase).await;
    assert_eq!(refused.unwrap_err(), Error::InvalidInvite, "it was good once");
}

#[tokio::test]
async fn an_identity_that_the_relay_may_have_taken_is_not_thrown_away_for_a_mistyped_password() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    relay.fail(Fault::After);
    register(directory.path(), &url, "alice").await.unwrap_err();
    let other = Client::register(directory.path(), &url, "alice", secret("another password"), secret("passphrase"));
    assert_eq!(other.await.unwrap_err(), Error::NameTaken);
    let client = register(directory.path(), &url, "alice").await.unwrap();
    assert_eq!(relay.accounts.lock().unwrap()[0].list.body().account, client.me().account);
}

#[tokio::test]
async fn another_name_replaces_a_registration_that_was_not_finished() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    relay.fail(Fault::Before);
    register(directory.path(), &url, "alice").await.unwrap_err();
    assert_eq!(register(directory.path(), &url, "alicia").await.unwrap().me().name.as_str(), "alicia");
    assert_eq!(relay.names(), ["alicia"]);
}

/// The files as they are after each step of a registration that stops there.
#[tokio::test]
async fn attack_20_a_registration_that_stops_anywhere_goes_on() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    let full = directory.path().join("full");
    relay.fail(Fault::Before);
    register(&full, &url, "alice").await.unwrap_err();
    let stops: [&[&str]; 4] = [&[], &["lock"], &["lock", "key"], &["lock", "key", "store.db"]];
    for (number, files) in stops.iter().enumerate() {
        let name = format!("alice{number}");
        let profile = directory.path().join(&name);
        std::fs::create_dir(&profile).unwrap();
        for file in *files {
            std::fs::copy(full.join(file), profile.join(file)).unwrap();
        }
        std::fs::write(profile.join("key.new"), b"half").unwrap();
        std::fs::write(profile.join("store.db.new"), b"half").unwrap();
        register(&profile, &url, &name).await.unwrap().close().await;
        assert_eq!(open(&profile).await.unwrap().me().name.as_str(), name, "stopped after {files:?}");
    }
}

#[tokio::test]
async fn a_refusal_for_sure_leaves_nothing_and_a_fault_of_the_relay_keeps_the_identity() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    for (status, code, expected, kept) in [
        (403, ErrorCode::RegistrationClosed, Error::Rejected(ErrorCode::RegistrationClosed), false),
        (503, ErrorCode::StorageUnavailable, Error::RelayBusy, false),
        (429, ErrorCode::RateLimited, Error::RelayBusy, false),
        (500, ErrorCode::Internal, Error::RelayBusy, true),
    ] {
        let profile = directory.path().join(code.slug());
        relay.fail(Fault::Refuse(status, code));
        assert_eq!(register(&profile, &url, "alice").await.unwrap_err(), expected);
        assert_eq!(Client::exists(&profile).await, kept, "{code:?}");
    }
}

#[tokio::test]
async fn a_finished_profile_is_never_registered_over_with_or_without_a_relay() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    let client = register(directory.path(), &url, "alice").await.unwrap();
    assert_eq!(register(directory.path(), &url, "bob").await.unwrap_err(), Error::Locked);
    client.close().await;
    assert_eq!(register(directory.path(), &url, "bob").await.unwrap_err(), Error::ProfileExists);
    let nobody = "http://127.0.0.1:9";
    assert_eq!(register(directory.path(), nobody, "bob").await.unwrap_err(), Error::ProfileExists);
    let wrong = Client::register(directory.path(), &url, "bob", secret(PASSWORD), secret("another")).await;
    assert_eq!(wrong.unwrap_err(), Error::WrongPassphrase);
    assert_eq!(relay.names(), ["alice"]);
}

#[tokio::test]
async fn login_tells_apart_what_a_person_can_do_something_about() {
    let (_relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (profile, other) = (directory.path().join("alice"), directory.path().join("bob"));
    register(&profile, &url, "alice").await.unwrap().close().await;
    register(&other, &url, "bob").await.unwrap().close().await;
    let nothing = directory.path().join("nothing");
    assert_eq!(login(&nothing, &url, "alice", PASSWORD).await.unwrap_err(), Error::NoProfile);
    assert!(!nothing.exists());
    assert!(Error::NoProfile.to_string().contains("new device"));
    assert_eq!(login(&profile, &url, "alice", "wrong password").await.unwrap_err(), Error::WrongNameOrPassword);
    let bob = "bob".parse().unwrap();
    assert_eq!(login(&other, &url, "alice", PASSWORD).await.unwrap_err(), Error::OtherAccount(bob));
    login(&profile, &url, "alice", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_profile_whose_device_the_account_does_not_have_is_told_so() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (alice, bob) = (directory.path().join("alice"), directory.path().join("bob"));
    register(&alice, &url, "alice").await.unwrap().close().await;
    register(&bob, &url, "bob").await.unwrap().close().await;
    {
        // The relay knows other keys under the name, as after a registration on another machine.
        let mut accounts = relay.accounts.lock().unwrap();
        let (name, auth, stretch) = (accounts[0].name.clone(), accounts[0].auth, accounts[0].stretch.clone());
        accounts.remove(0);
        accounts[0] = fake::Account { name, auth, stretch, list: accounts[0].list.clone(), prekeys: None };
    }
    assert_eq!(login(&alice, &url, "alice", PASSWORD).await.unwrap_err(), Error::UnknownDevice);
}

#[tokio::test]
async fn attack_26_a_relay_that_asks_for_weak_or_ruinous_stretching_gets_nothing() {
    let (relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    register(directory.path(), &url, "alice").await.unwrap().close().await;
    let of = |memory_kib, passes, lanes| StretchParams {
        scheme: AUTH_SCHEME.to_owned(),
        salt: Fixed([0; 16]),
        memory_kib,
        passes,
        lanes,
    };
    for asked in [of(8, 1, 1), of(65535, 3, 1), of(65536, 2, 1), of(u32::MAX, 3, 1), of(65536, u32::MAX, 1)] {
        *relay.weak.lock().unwrap() = Some(asked.clone());
        let error = login(directory.path(), &url, "alice", PASSWORD).await.unwrap_err();
        assert_eq!(error, Error::UnsafeParameters, "{asked:?}");
    }
    let asked = relay.asked.lock().unwrap();
    assert!(!asked.contains(&"POST /auth/login".to_owned()), "the password went out: {asked:?}");
}

#[tokio::test]
async fn a_relay_with_another_key_than_the_pinned_one_gets_no_proof_and_no_password() {
    let (_relay, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    register(directory.path(), &url, "alice").await.unwrap().close().await;
    let other = fake::serve(|asked| {
        assert_eq!(asked.path, "/.well-known/susurro", "more than its key was asked of it");
        fake::json(&fake::info([1; 32]))
    })
    .await;
    let error = login(directory.path(), &other, "alice", PASSWORD).await.unwrap_err();
    let Error::RelayKeyChanged { pinned, offered } = error else { panic!("{error:?}") };
    assert_ne!(pinned, offered);
    // The same relay at another address is still the same relay.
    let moved = url.replace("127.0.0.1", "localhost");
    let client = login(directory.path(), &moved, "alice", PASSWORD).await.unwrap();
    assert_eq!(client.me().relay_url, moved);
}

#[tokio::test]
async fn tokens_of_another_account_are_not_taken() {
    let (_honest, url) = FakeRelay::start().await;
    let directory = tempfile::tempdir().unwrap();
    register(directory.path(), &url, "alice").await.unwrap().close().await;
    let key = fake::info(FakeRelay::start().await.0.key.verifying_key().to_bytes());
    let liar = fake::serve(move |asked| match asked.path.split('?').next() {
        Some("/.well-known/susurro") => fake::json(&key),
        Some("/auth/params") => fake::json(&susurro_protocol::rest::AuthParams {
            stretch: StretchParams {
                scheme: AUTH_SCHEME.to_owned(),
                salt: Fixed([0; 16]),
                memory_kib: 65536,
                passes: 3,
                lanes: 1,
            },
            nonce: [1; 8].into(),
        }),
        _ => fake::json(&susurro_protocol::rest::TokenResponse {
            account: susurro_protocol::AccountId::from_bytes([9; 16]),
            device: susurro_protocol::DeviceId::from_bytes([9; 16]),
            access_token: "a".to_owned(),
            access_expires_in: 1,
            refresh_token: "r".to_owned(),
            refresh_expires_in: 1,
        }),
    })
    .await;
    let error = login(directory.path(), &liar, "alice", PASSWORD).await.unwrap_err();
    assert!(matches!(error, Error::NotARelay { .. }), "{error:?}");
}
