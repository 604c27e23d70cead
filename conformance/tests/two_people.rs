//! The command line, as its contract words it: two people talk from their shells.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::time::{Duration, Instant};

use susurro_conformance::command::{Person, Said};
use susurro_conformance::relay::Relay;

fn ok(said: Said) -> Said {
    assert_eq!(said.code, Some(0), "stdout {:?}, stderr {:?}", said.stdout, said.stderr);
    said
}

#[test]
fn register_send_receive_history_chats_verify_logout_and_login() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let relay = Relay::start(&data, "127.0.0.1:0", &[]).unwrap();
    let address = relay.address().to_owned();
    let url = relay.url().to_owned();
    let (alice, bob) = (Person::new(folder.path(), "alice"), Person::new(folder.path(), "bob"));
    ok(alice.run(&["register", "--relay", &url, "--name", "alice"]).unwrap());
    ok(bob.run(&["register", "--relay", &url, "--name", "bob"]).unwrap());

    let sent = ok(alice.run(&["send", "bob", "first"]).unwrap());
    assert_eq!(sent.stdout.trim().len(), 32, "the message id, alone, on stdout: {:?}", sent.stdout);
    ok(alice.run_with(&["send", "bob", "-"], "second, ünïcödé 🦀\nof two lines\n".as_bytes()).unwrap());

    let first = ok(bob.run(&["recv", "--count", "1", "--timeout", "30", "--json"]).unwrap()).json();
    assert_eq!(first.len(), 1);
    let message = &first[0];
    for (field, value) in [("type", "message"), ("from", "alice"), ("to", "bob"), ("text", "first")] {
        assert_eq!(message[field], value, "{message}");
    }
    assert_eq!(message["v"], 1);
    assert_eq!(message["id"], sent.stdout.trim());
    for field in ["chat", "sent_at", "received_at", "state"] {
        assert!(!message[field].is_null(), "{field} is missing in {message}");
    }
    let second = ok(bob.run(&["recv", "--count", "1", "--timeout", "30", "--json"]).unwrap()).json();
    assert_eq!(second[0]["text"], "second, ünïcödé 🦀\nof two lines");
    let none = bob.run(&["recv", "--count", "1", "--timeout", "1", "--json"]).unwrap();
    assert_eq!((none.code, none.stdout.as_str()), (Some(1), ""), "each message is printed once");
    ok(bob.run(&["recv", "--timeout", "1"]).unwrap());
    let history = ok(bob.run(&["history", "alice", "--json"]).unwrap()).json();
    assert_eq!(history.len(), 2, "history prints them again");
    assert_eq!(ok(bob.run(&["history", "alice", "--limit", "1", "--json"]).unwrap()).json().len(), 1);
    let chats = ok(alice.run(&["chats", "--json"]).unwrap()).json();
    assert_eq!(chats.len(), 1);

    let digits = |said: Said| -> Vec<String> {
        let groups = said.stdout.split_whitespace().filter(|w| w.len() == 5 && w.bytes().all(|b| b.is_ascii_digit()));
        groups.map(str::to_owned).collect()
    };
    let of_alice = digits(ok(alice.run(&["verify", "bob"]).unwrap()));
    let of_bob = digits(ok(bob.run(&["verify", "alice"]).unwrap()));
    assert_eq!((of_alice.len(), &of_alice), (12, &of_bob));
    ok(alice.run(&["verify", "bob", "--confirm"]).unwrap());
    let chats = ok(alice.run(&["chats"]).unwrap()).stdout;
    assert!(chats.contains("of two lines") && !chats.contains("key-verified"), "the last message, not a note: {chats}");

    // Offline: kept, said, and sent later.
    drop(relay);
    let refused = alice.run(&["send", "bob", "nobody listens"]).unwrap();
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    let queued = ok(alice.run(&["send", "bob", "third, from the outbox", "--queue"]).unwrap());
    assert!(!queued.stderr.is_empty(), "it says that the message waits");
    let relay = Relay::start(&data, &address, &[]).unwrap();
    ok(alice.run(&["sync"]).unwrap());
    let third = ok(bob.run(&["recv", "--count", "1", "--timeout", "60", "--json"]).unwrap()).json();
    assert_eq!(third[0]["text"], "third, from the outbox");

    ok(bob.run(&["doctor"]).unwrap());
    ok(bob.run(&["logout"]).unwrap());
    assert_eq!(bob.run(&["send", "alice", "logged out"]).unwrap().code, Some(3));
    ok(bob.run(&["login", "--relay", &url, "--name", "bob"]).unwrap());
    ok(bob.run(&["send", "alice", "back again"]).unwrap());
    let back = ok(alice.run(&["recv", "--count", "1", "--timeout", "30", "--json"]).unwrap()).json();
    assert_eq!(back[0]["text"], "back again");
    drop(relay);
}

#[test]
fn wait_stored_waits_for_the_device_of_the_peer() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&folder.path().join("relay"), "127.0.0.1:0", &[]).unwrap();
    let (alice, bob) = (Person::new(folder.path(), "alice"), Person::new(folder.path(), "bob"));
    ok(alice.run(&["register", "--relay", relay.url(), "--name", "alice"]).unwrap());
    ok(bob.run(&["register", "--relay", relay.url(), "--name", "bob"]).unwrap());
    let late = alice.run(&["send", "bob", "nobody is there", "--wait", "stored", "--timeout", "2"]).unwrap();
    assert_ne!(late.code, Some(0), "bob's device has not stored anything");
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| bob.run(&["recv", "--count", "2", "--timeout", "60", "--json"]).unwrap());
        ok(alice.run(&["send", "bob", "now", "--wait", "stored", "--timeout", "60"]).unwrap());
        let came = ok(receiving.join().unwrap()).json();
        let texts: Vec<_> = came.iter().map(|m| m["text"].clone()).collect();
        assert_eq!(texts, ["nobody is there", "now"]);
    });
}

#[test]
fn who_is_there_is_told_to_contacts_when_both_have_switched_it_on() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&folder.path().join("relay"), "127.0.0.1:0", &[]).unwrap();
    let (alice, bob) = (Person::new(folder.path(), "alice"), Person::new(folder.path(), "bob"));
    ok(alice.run(&["register", "--relay", relay.url(), "--name", "alice"]).unwrap());
    ok(bob.run(&["register", "--relay", relay.url(), "--name", "bob"]).unwrap());
    ok(alice.run(&["send", "bob", "hello"]).unwrap());
    ok(bob.run(&["recv", "--count", "1", "--timeout", "30"]).unwrap());
    let shown = |person: &Person, wait| ok(person.run(&["presence", "show", "--json", "--wait", wait]).unwrap()).json();
    let at_first = shown(&alice, "1");
    assert_eq!((&at_first[0]["on"], at_first[0].get("present")), (&serde_json::json!(false), None));
    for person in [&alice, &bob] {
        assert_eq!(ok(person.run(&["presence", "on", "--json"]).unwrap()).json()[0]["on"], true);
    }
    assert_eq!(shown(&alice, "1")[0]["present"], serde_json::json!([]));
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| bob.run(&["recv", "--count", "1", "--timeout", "60"]).unwrap());
        let until = Instant::now() + Duration::from_secs(30);
        while shown(&alice, "1")[0]["present"] != serde_json::json!(["bob"]) {
            assert!(Instant::now() < until, "bob is there");
        }
        ok(alice.run(&["send", "bob", "I see you"]).unwrap());
        ok(receiving.join().unwrap());
    });
    assert_eq!(shown(&alice, "1")[0]["present"], serde_json::json!([]), "and gone");
}

#[test]
fn an_invite_another_password_and_the_end_of_an_account() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let relay = Relay::start(&data, "127.0.0.1:0", &["--registration", "invite"]).unwrap();
    let url = relay.url().to_owned();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let alice = Person::new(folder.path(), "alice");
    let refused = alice.run(&["register", "--relay", &url, "--name", "alice"]).unwrap();
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("invite"), "{}", refused.stderr);
    let made = std::process::Command::new(susurro_conformance::binaries::relay().unwrap())
        .args(["admin", "--data-dir"])
        .arg(&data)
        .args(["invite", "create"])
        .output()
        .unwrap();
    let invite = file("invite", std::str::from_utf8(&made.stdout).unwrap());
    ok(alice.run(&["register", "--relay", &url, "--name", "alice", "--invite-file", &invite]).unwrap());

    let (new, wrong) = (file("new", "another password\n"), file("wrong", "not the password\n"));
    let refused = alice.run(&["account", "password", "--password-file", &wrong, "--new-password-file", &new]).unwrap();
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    ok(alice.run(&["account", "password", "--new-password-file", &new]).unwrap());
    ok(alice.run(&["sync"]).unwrap());
    let login = |password: &str| {
        alice.run(&["login", "--relay", &url, "--name", "alice", "--password-file", password]).unwrap()
    };
    ok(alice.run(&["logout"]).unwrap());
    assert_eq!(alice.run(&["login", "--relay", &url, "--name", "alice"]).unwrap().code, Some(3), "the old one");
    ok(login(&new));

    // The password is forgotten: the words of the recovery key and the profile give another one.
    let made = ok(alice.run(&["account", "recovery", "--password-file", &new]).unwrap());
    assert_eq!(made.stdout.split_whitespace().count(), 24, "{}", made.stdout);
    let (words, later) = (file("words", &made.stdout), file("later", "a third password\n"));
    let recover =
        |words: &str| alice.run(&["recover", "--recovery-file", words, "--new-password-file", &later]).unwrap();
    assert_eq!(recover(&file("few", "abandon abandon\n")).code, Some(2));
    let other = "zoo ".repeat(23) + "vote\n";
    assert_eq!(recover(&file("others", &other)).code, Some(3));
    ok(recover(&words));
    ok(alice.run(&["sync"]).unwrap());
    assert_eq!(login(&new).code, Some(3), "the one that was forgotten");
    let new = later.clone();
    ok(alice.run(&["account", "recovery", "--remove", "--password-file", &new]).unwrap());
    assert_eq!(recover(&words).code, Some(3));

    ok(alice.run(&["account", "name", "Alicia"]).unwrap());
    assert_eq!(alice.run(&["account", "name"]).unwrap().code, Some(2), "nothing is taken away by leaving out a word");
    ok(alice.run(&["account", "name", "--remove"]).unwrap());
    let listed = ok(alice.run(&["devices", "--json"]).unwrap());
    assert_eq!(listed.stdout.lines().count(), 1);
    assert!(listed.stdout.contains(r#""this":true"#), "{}", listed.stdout);
    let this: String = listed.stdout.split("\"device\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(alice.run(&["devices", "--remove", &this]).unwrap().code, Some(2));
    assert_eq!(alice.run(&["devices", "--remove", &"0".repeat(32)]).unwrap().code, Some(1));

    let delete = |name: &str, password: &str| {
        alice.run(&["account", "delete", "--confirm", name, "--password-file", password]).unwrap()
    };
    assert_eq!(delete("bob", &new).code, Some(1));
    assert_eq!(delete("alice", &wrong).code, Some(3));
    ok(alice.run(&["sync"]).unwrap());
    ok(delete("alice", &new));
    assert_eq!(alice.run(&["sync"]).unwrap().code, Some(3), "nobody knows it any longer");
    assert_eq!(login(&new).code, Some(3));
    ok(alice.run(&["chats"]).unwrap());
}
