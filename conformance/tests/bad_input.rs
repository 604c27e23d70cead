//! Bad input gets a clear message, the documented exit code, and loses nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use susurro_client_core::store::Directory;
use susurro_conformance::command::{Person, Said};
use susurro_conformance::relay::Relay;

struct House {
    folder: tempfile::TempDir,
    relay: Option<Relay>,
    alice: Person,
    bob: Person,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&folder.path().join("relay"), "127.0.0.1:0", &[]).unwrap();
    let (alice, bob) = (Person::new(folder.path(), "alice"), Person::new(folder.path(), "bob"));
    for (person, name) in [(&alice, "alice"), (&bob, "bob")] {
        expect(0, "", person.run(&["register", "--relay", relay.url(), "--name", name]).unwrap());
    }
    House { folder, relay: Some(relay), alice, bob }
}

/// The exit code, and a message that says `what` and goes on to say what to do.
fn expect(code: i32, what: &str, said: Said) {
    assert_eq!(said.code, Some(code), "stdout {:?}, stderr {:?}", said.stdout, said.stderr);
    assert!(said.stderr.to_lowercase().contains(what), "{what:?} is missing in {:?}", said.stderr);
    assert!(!said.stderr.contains("panicked"), "{:?}", said.stderr);
    if code != 0 {
        assert_eq!(said.stdout, "", "stdout is for data");
    }
}

#[test]
fn a_wrong_password_and_a_foreign_profile_are_refused_and_the_right_one_works_again() {
    let house = house();
    let url = house.relay.as_ref().unwrap().url().to_owned();
    expect(0, "", house.bob.run(&["logout"]).unwrap());
    let mut wrong = house.bob.clone();
    wrong.password = "not the password".into();
    expect(3, "wrong name or password", wrong.run(&["login", "--relay", &url, "--name", "bob"]).unwrap());
    expect(1, "belongs to bob", house.bob.run(&["login", "--relay", &url, "--name", "alice"]).unwrap());
    let nobody = Person::new(house.folder.path(), "nobody");
    expect(1, "no profile", nobody.run(&["login", "--relay", &url, "--name", "bob"]).unwrap());
    expect(0, "", house.bob.run(&["login", "--relay", &url, "--name", "bob"]).unwrap());
}

#[test]
fn names_that_are_taken_bad_or_unknown() {
    let house = house();
    let url = house.relay.as_ref().unwrap().url().to_owned();
    let carol = Person::new(house.folder.path(), "carol");
    expect(1, "already", carol.run(&["register", "--relay", &url, "--name", "alice"]).unwrap());
    for bad in ["al", "Alice", "al ice", "älice", "a/../b", &"x".repeat(51)] {
        expect(2, "name", carol.run(&["register", "--relay", &url, "--name", bad]).unwrap());
    }
    expect(0, "", carol.run(&["register", "--relay", &url, "--name", "carol"]).unwrap());
    expect(1, "nobody-here", carol.run(&["send", "nobody-here", "hello"]).unwrap());
    expect(2, "name", carol.run(&["send", "No Name", "hello"]).unwrap());
    expect(2, "your own name", carol.run(&["send", "carol", "hello"]).unwrap());
}

#[test]
fn texts_that_are_empty_too_long_or_not_utf_8() {
    let house = house();
    expect(2, "nothing to send", house.alice.run(&["send", "bob", ""]).unwrap());
    expect(2, "nothing to send", house.alice.run_with(&["send", "bob", "-"], b"\n").unwrap());
    let limit = 32 * 1024;
    expect(2, "32768", house.alice.run_with(&["send", "bob", "-"], &vec![b'x'; limit + 1]).unwrap());
    expect(2, "utf-8", house.alice.run_with(&["send", "bob", "-"], b"caf\xe9").unwrap());
    expect(2, "", house.alice.run(&["send", "bob"]).unwrap());
    expect(2, "", house.alice.run(&["sned", "bob", "x"]).unwrap());
    expect(0, "", house.alice.run_with(&["send", "bob", "-"], &vec![b'x'; limit]).unwrap());
    let came = house.bob.run(&["recv", "--count", "1", "--timeout", "30", "--json"]).unwrap();
    assert_eq!(came.json()[0]["text"].as_str().map(str::len), Some(limit));
}

#[test]
fn control_characters_from_a_peer_never_reach_the_terminal() {
    let house = house();
    let text = "a\u{1b}[2Jb\u{7}c\u{9b}31md\u{202e}e\re\u{0}f";
    expect(0, "", house.alice.run_with(&["send", "bob", "-"], text.as_bytes()).unwrap());
    let came = house.bob.run(&["recv", "--count", "1", "--timeout", "30"]).unwrap();
    assert_eq!(came.code, Some(0), "{}", came.stderr);
    for said in [came, house.bob.run(&["history", "alice"]).unwrap(), house.bob.run(&["chats"]).unwrap()] {
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.stdout.contains(bad), "{:?}", said.stdout);
    }
    let json = house.bob.run(&["history", "alice", "--json"]).unwrap();
    assert!(!json.stdout.contains(|c: char| c.is_control() && c != '\n'), "{:?}", json.stdout);
    assert_eq!(json.json()[0]["text"], text, "nothing of the text is lost");
}

#[test]
fn no_relay_and_something_that_is_no_relay() {
    let folder = tempfile::tempdir().unwrap();
    let dora = Person::new(folder.path(), "dora");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let register = |url: &str| dora.run(&["register", "--relay", url, "--name", "dora"]).unwrap();
    expect(4, "no relay answers", register(&format!("http://{closed}")));
    for answer in ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "SSH-2.0-other\r\n", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        expect(4, "", register(&url));
    }
    expect(2, "", register("not a url"));
    expect(2, "", register("ftp://127.0.0.1"));
}

#[test]
fn a_relay_with_another_key_than_the_pinned_one_is_refused() {
    let mut house = house();
    let address = house.relay.as_ref().unwrap().address().to_owned();
    expect(0, "", house.alice.run(&["send", "bob", "before"]).unwrap());
    house.relay.take();
    let other = Relay::start(&house.folder.path().join("other"), &address, &[]).unwrap();
    expect(5, "key", house.alice.run(&["send", "bob", "to an impostor"]).unwrap());
    drop(other);
    let back = Relay::start(&house.folder.path().join("relay"), &address, &[]).unwrap();
    expect(0, "", house.alice.run(&["send", "bob", "after"]).unwrap());
    let came = house.bob.run(&["recv", "--count", "2", "--timeout", "60", "--json"]).unwrap();
    let texts: Vec<_> = came.json().iter().map(|m| m["text"].clone()).collect();
    assert!(texts.contains(&"before".into()) && texts.contains(&"after".into()), "{texts:?}");
    drop(back);
}

#[test]
fn wrong_passphrase_locked_and_damaged_stores_are_told_apart_and_kept() {
    let house = house();
    let mut wrong = house.bob.clone();
    wrong.passphrase = "not the passphrase".into();
    expect(6, "wrong passphrase", wrong.run(&["chats"]).unwrap());
    expect(0, "", house.bob.run(&["chats"]).unwrap());

    let held = Directory::acquire_existing(&house.bob.profile).unwrap();
    expect(6, "another program", house.bob.run(&["chats"]).unwrap());
    drop(held);
    expect(0, "", house.bob.run(&["chats"]).unwrap());

    let before = files(&house.bob.profile);
    let database = before.iter().map(|(path, _)| path).find(|path| is_database(path)).unwrap();
    std::fs::write(database, &std::fs::read(database).unwrap()[..5000]).unwrap();
    let damaged = files(&house.bob.profile);
    let said = house.bob.run(&["chats"]).unwrap();
    assert!(!said.stderr.to_lowercase().contains("wrong passphrase"), "{}", said.stderr);
    expect(6, "damaged", said);
    let after = files(&house.bob.profile);
    let same = |path: &std::path::PathBuf| {
        let of =
            |files: &[(std::path::PathBuf, Vec<u8>)]| files.iter().find(|(p, _)| p == path).map(|(_, b)| b.clone());
        of(&damaged) == of(&after)
    };
    assert!(same(database), "an unreadable store is never overwritten");
}

#[test]
fn a_truncated_database_of_the_relay_is_refused_and_left_alone() {
    let mut house = house();
    house.relay.take();
    let data = house.folder.path().join("relay");
    let database = data.join("relay.db");
    let cut = std::fs::read(&database).unwrap()[..4096 + 100].to_vec();
    std::fs::write(&database, &cut).unwrap();
    for extra in ["relay.db-wal", "relay.db-shm"] {
        let _ = std::fs::remove_file(data.join(extra));
    }
    let refused = Relay::start(&data, "127.0.0.1:0", &[]).map(|_| ()).unwrap_err().to_string();
    assert!(refused.to_lowercase().contains("damaged"), "{refused}");
    assert_eq!(std::fs::read(&database).unwrap(), cut);
}

fn is_database(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "db" || extension == "sqlite")
}

fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}
