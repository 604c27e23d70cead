//! Blindness is tested, not promised: after a conversation over a recorded wire, nothing that only
//! the two people may see is found in anything that the relay stored, logged, sent or received,
//! nor, in the clear, in any file of a profile.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test stops where it fails")]

use susurro_client_core::crypto::unwrap_database_key;
use susurro_client_core::store::port::Snapshot;
use susurro_client_core::store::{DatabaseKey, Directory, Store};
use susurro_conformance::command::Person;
use susurro_conformance::relay::{Relay, log_of};
use susurro_conformance::search::{Marker, leaks, leaks_below};
use susurro_conformance::wire::Wire;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_reaches_the_relay_and_nothing_readable_lies_in_a_profile() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let relay = Relay::start(&data, "127.0.0.1:0", &[]).unwrap();
    let wire = Wire::to(relay.address().to_owned()).await.unwrap();
    let url = wire.url();
    let (alice, bob) = (Person::new(folder.path(), "alice"), Person::new(folder.path(), "bob"));
    let texts: Vec<String> = (0..6).map(|n| format!("a text that only two people know, number {n}")).collect();

    let people = (alice.clone(), bob.clone(), texts.clone());
    let before = tokio::task::spawn_blocking(move || {
        let (alice, bob, texts) = people;
        for (person, name) in [(&alice, "alice"), (&bob, "bob")] {
            run(person, &["register", "--relay", &url, "--name", name]);
        }
        // Bob is not there: these wait in the relay's database and its WAL.
        run(&alice, &["send", "bob", &texts[0]]);
        run(&alice, &["send", "bob", &texts[1]]);
        run(&bob, &["recv", "--count", "2", "--timeout", "60"]);
        run(&bob, &["send", "alice", &texts[2]]);
        run(&bob, &["send", "alice", &texts[3]]);
        run(&alice, &["recv", "--count", "2", "--timeout", "60"]);
        run(&alice, &["send", "bob", &texts[4]]);
        run(&alice, &["send", "bob", &texts[5]]);
    })
    .await;
    before.unwrap();

    let mut readable = Vec::new();
    let mut keys = Vec::new();
    for (text, number) in texts.iter().zip(0..) {
        readable.push(Marker::new(format!("text {number}"), text.as_bytes()));
    }
    for (person, name) in [(&alice, "alice"), (&bob, "bob")] {
        readable.push(Marker::new(format!("password of {name}"), person.password.as_bytes()));
        readable.push(Marker::new(format!("passphrase of {name}"), person.passphrase.as_bytes()));
        let state = snapshot(person).await;
        keys.extend(private_keys(name, &state));
    }
    assert!(keys.len() > 4 * 100, "all prekeys are searched for: {}", keys.len());

    let everything: Vec<_> = readable.iter().chain(&keys).cloned().collect();
    let (mut found, mut searched) = leaks_below(&data, &everything).unwrap();
    let (in_log, log_bytes) = leaks_below(&log_of(&data), &everything).unwrap();
    let log = std::fs::read_to_string(log_of(&data)).unwrap();
    assert!(log.contains("TRACE") && log.contains("stored"), "the relay logs all that it can");
    found.extend(in_log);
    searched += log_bytes;
    for (number, recording) in wire.recordings().iter().enumerate() {
        for (place, bytes) in [("to the relay", recording.unmasked()), ("to a client", recording.to_client.clone())] {
            found.extend(leaks(&format!("connection {number} {place}"), &bytes, &everything));
            searched += bytes.len();
        }
    }
    // The wire was really read: a name, which the relay may know, is found on it.
    let name = Marker::new("name", b"\"username\":\"alice\"");
    let seen = |r: &susurro_conformance::wire::Recording| name.found_in(&r.unmasked()).is_some();
    assert!(wire.recordings().iter().any(seen));
    let upgraded = wire.recordings().iter().filter(|r| r.to_relay.starts_with(b"GET /ws")).count();
    assert!(upgraded >= 6, "WebSocket traffic was recorded: {upgraded}");

    // A profile is encrypted at rest: neither texts nor keys lie in it as they are.
    for person in [&alice, &bob] {
        let (in_profile, bytes) = leaks_below(&person.profile, &everything).unwrap();
        found.extend(in_profile);
        searched += bytes;
    }
    eprintln!("searched {searched} bytes for {} secrets", everything.len());
    assert!(found.is_empty(), "{found:#?}");
}

fn run(person: &Person, args: &[&str]) {
    let said = person.run(args).unwrap();
    assert_eq!(said.code, Some(0), "{args:?}: {} {}", said.stdout, said.stderr);
}

async fn snapshot(person: &Person) -> Snapshot {
    let directory = Directory::acquire_existing(&person.profile).unwrap();
    let wrapped = directory.read_key().unwrap();
    let key = DatabaseKey::new(unwrap_database_key(&person.passphrase, &wrapped).unwrap());
    Store::open(directory, &key).await.unwrap().load().await.unwrap()
}

/// Every private key in a profile, by the layouts in which `susurro-client-core` stores them.
fn private_keys(name: &str, state: &Snapshot) -> Vec<Marker> {
    let mut keys = vec![
        Marker::new(format!("account key of {name}"), &state.account_key[..]),
        Marker::new(format!("device signing key of {name}"), &state.device[1..33]),
        Marker::new(format!("device identity key of {name}"), &state.device[33..65]),
    ];
    // Version, next id, unpublished id; then four lists of (ids and times, secret, public).
    let mut rest = &state.prekeys[17..];
    for (what, head, secret, public) in [
        ("signed prekey", 24, 32, 32),
        ("last-resort prekey", 24, 64, 0),
        ("one-time prekey", 16, 32, 32),
        ("one-time PQ prekey", 16, 64, 0),
    ] {
        let (count, tail) = rest.split_at(4);
        rest = tail;
        for number in 0..u32::from_be_bytes(count.try_into().unwrap()) {
            let (entry, tail) = rest.split_at(head + secret + public);
            keys.push(Marker::new(format!("{what} {number} of {name}"), &entry[head..head + secret]));
            rest = tail;
        }
    }
    let replays = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
    assert_eq!(rest.len(), 4 + replays * 48, "the layout of stored prekeys changed: read it anew here");
    keys
}
