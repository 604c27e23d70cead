//! A wrong passphrase, a damaged key file and a damaged database are told apart, and nothing that
//! cannot be read is ever changed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::path::Path;

use getrandom::SysRng;
use rand_core::UnwrapErr;
use support::{KEY, create, every_byte, incoming, messages, open};
use susurro_client_core::crypto::{StretchCost, wrap_database_key};
use susurro_client_core::store::{Directory, Registration, StoreError};
use susurro_client_core::{Client, Error, Fault, Secret};

const PASSPHRASE: &str = "an ordinary passphrase";

/// A profile as a client leaves it, with some hundred pages of messages.
async fn profile(path: &Path) {
    let wrapped = wrap_database_key(PASSPHRASE, &KEY, StretchCost::INSECURE, &mut UnwrapErr(SysRng)).unwrap();
    let directory = Directory::acquire(path).unwrap();
    directory.write_key(&wrapped).unwrap();
    drop(directory);
    let store = create(path).await;
    store.set_registration(Registration::Done).await.unwrap();
    for number in 0..40 {
        store.commit(&messages([incoming(number, i64::from(number), &"text ".repeat(2000))])).await.unwrap();
    }
    store.close().await.unwrap();
}

async fn error_of(path: &Path, passphrase: &str) -> Error {
    Client::open(path, Secret::new(passphrase.to_owned())).await.unwrap_err()
}

fn is_damage(error: &Error, of: &str) -> bool {
    matches!(error, Error::Damaged { what } if what.contains(of))
}

/// Opens a profile of which one file was changed, and makes sure that opening changes none.
async fn refused(path: &Path, what: &str, of: &str) {
    let before = every_byte(path);
    let error = error_of(path, PASSPHRASE).await;
    assert!(is_damage(&error, of), "{what}: {error:?}");
    assert_eq!(error.fault(), Fault::Store);
    let after = every_byte(path);
    for (name, bytes) in before {
        let now = after.iter().find(|(other, _)| *other == name);
        assert!(now.is_some_and(|(_, now)| *now == bytes), "{what}: {name} was changed");
    }
}

#[tokio::test]
async fn a_wrong_passphrase_is_called_so_and_the_right_one_still_works() {
    let directory = tempfile::tempdir().unwrap();
    profile(directory.path()).await;
    for wrong in ["", "An ordinary passphrase", "an ordinary passphrase "] {
        assert_eq!(error_of(directory.path(), wrong).await, Error::WrongPassphrase);
    }
    // The keys in this profile are none, so the engine does not start; the passphrase did open it.
    assert!(is_damage(&error_of(directory.path(), PASSPHRASE).await, "database"));
}

#[tokio::test]
async fn every_damaged_byte_of_the_key_file_is_damage_and_not_a_wrong_passphrase() {
    let directory = tempfile::tempdir().unwrap();
    profile(directory.path()).await;
    let key = directory.path().join("key");
    let good = fs::read(&key).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&key, &bad).unwrap();
        refused(directory.path(), &format!("byte {at} of the key"), "key file").await;
    }
    for length in [0, 1, good.len() / 2, good.len() - 1] {
        fs::write(&key, &good[..length]).unwrap();
        refused(directory.path(), &format!("key cut to {length}"), "key file").await;
    }
    fs::remove_file(&key).unwrap();
    refused(directory.path(), "no key", "key file").await;
}

#[tokio::test]
async fn a_damaged_database_is_damage_wherever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    profile(directory.path()).await;
    let database = directory.path().join("store.db");
    let good = fs::read(&database).unwrap();
    assert!(good.len() > 40 * 4096, "too small to have a middle");
    let places = [0, 20, 100, 4096, good.len() / 2, good.len() - 4096, good.len() - 1];
    for at in places {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&database, &bad).unwrap();
        refused(directory.path(), &format!("byte {at} of {}", good.len()), "database").await;
    }
    for length in [0, 1, 100, 4096, good.len() / 2 / 4096 * 4096, good.len() - 4096, good.len() - 1] {
        fs::write(&database, &good[..length]).unwrap();
        refused(directory.path(), &format!("cut to {length}"), "database").await;
    }
    fs::write(&database, &good).unwrap();
    assert!(open(directory.path()).await.is_ok(), "the good bytes are good again");
}

#[tokio::test]
async fn a_missing_database_is_no_profile_and_the_key_stays() {
    let directory = tempfile::tempdir().unwrap();
    profile(directory.path()).await;
    let key = fs::read(directory.path().join("key")).unwrap();
    fs::remove_file(directory.path().join("store.db")).unwrap();
    assert_eq!(error_of(directory.path(), PASSPHRASE).await, Error::NoProfile);
    assert_eq!(fs::read(directory.path().join("key")).unwrap(), key);
}

#[tokio::test]
async fn the_database_of_another_key_is_not_opened() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    profile(one.path()).await;
    profile(other.path()).await;
    let wrapped = wrap_database_key(PASSPHRASE, &[0x77; 32], StretchCost::INSECURE, &mut UnwrapErr(SysRng)).unwrap();
    fs::write(one.path().join("key"), wrapped).unwrap();
    refused(one.path(), "foreign key", "database").await;
}

#[tokio::test]
async fn a_key_file_and_a_profile_are_never_written_over() {
    let directory = tempfile::tempdir().unwrap();
    profile(directory.path()).await;
    let before = every_byte(directory.path());
    let locked = Directory::acquire(directory.path()).unwrap();
    assert!(matches!(locked.write_key(b"another"), Err(StoreError::Io(_))));
    let again = susurro_client_core::store::Store::create(locked, &support::key(), &support::profile()).await;
    assert!(again.is_err());
    for (name, bytes) in before {
        assert!(fs::read(&name).unwrap() == bytes, "{name} was changed");
    }
}

#[tokio::test]
async fn a_place_without_a_profile_is_called_so_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nothing");
    assert_eq!(error_of(&path, PASSPHRASE).await, Error::NoProfile);
    assert!(!path.exists());
    assert!(!Client::exists(&path).await);
    profile(directory.path()).await;
    assert!(Client::exists(directory.path()).await);
}
