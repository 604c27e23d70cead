//! Files between two people with the real programs: a relay that is killed in the middle of the way there and of the
//! way back, names that lead elsewhere, files that are there already, files that are too large.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use susurro_conformance::command::{Person, Said};
use susurro_conformance::relay::{Relay, log_of};
use susurro_conformance::search::{Marker, Markers};

/// For anything that is waited for.
const DEADLINE: Duration = Duration::from_secs(90);

const MIB: usize = 1 << 20;

/// A way to a relay that can be blocked after so many bytes in one direction.
struct Tap {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

#[derive(Default)]
struct State {
    /// Bytes that went by, up and down.
    passed: [usize; 2],
    /// Nothing passes that way once so many did.
    most: Option<(usize, usize)>,
    /// Somebody waits at the limit.
    blocked: bool,
}

impl Tap {
    fn to(relay: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tap = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = tap.state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Refused like this where there is no relay.
                let Ok(relay) = TcpStream::connect(&relay) else { continue };
                for (from, to, way) in [(&client, &relay, Way::Up), (&relay, &client, Way::Down)] {
                    let (from, to, state) = (from.try_clone().unwrap(), to.try_clone().unwrap(), state.clone());
                    std::thread::spawn(move || pass(from, to, way, &state));
                }
            }
        });
        tap
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn passed(&self, way: Way) -> usize {
        self.state.0.lock().unwrap().passed[way as usize]
    }

    /// From now on only so many bytes pass that way.
    fn block_after(&self, way: Way, bytes: usize) {
        let mut state = self.state.0.lock().unwrap();
        state.most = Some((way as usize, state.passed[way as usize] + bytes));
    }

    /// Waits until the way is blocked.
    fn blocked(&self) {
        let state = self.state.0.lock().unwrap();
        let (state, late) = self.state.1.wait_timeout_while(state, DEADLINE, |state| !state.blocked).unwrap();
        assert!(!late.timed_out(), "nothing comes as far as that: {:?}", state.passed);
    }

    fn open(&self) {
        let mut state = self.state.0.lock().unwrap();
        (state.most, state.blocked) = (None, false);
        self.state.1.notify_all();
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, way: Way, state: &(Mutex<State>, Condvar)) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut now = state.0.lock().unwrap();
        while now.most.is_some_and(|(of, most)| of == way as usize && now.passed[of] + read > most) {
            now.blocked = true;
            state.1.notify_all();
            now = state.1.wait(now).unwrap();
        }
        now.passed[way as usize] += read;
        drop(now);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Both directions of both: whoever is there learns of it at once.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn ok(said: Said) -> Said {
    assert_eq!(said.code, Some(0), "stdout {:?}, stderr {:?}", said.stdout, said.stderr);
    said
}

/// Bytes that occur nowhere else, the same at each run.
fn content(size: usize) -> Vec<u8> {
    let blocks = (0_u64..).flat_map(|n| Sha256::digest([&b"attachment"[..], &n.to_be_bytes()].concat()));
    blocks.take(size).collect()
}

/// Files below a folder.
fn files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

fn register(folder: &Path, url: &str) -> (Person, Person) {
    let people = ["alice", "bob"].map(|name| {
        let person = Person::new(folder, name);
        ok(person.run(&["register", "--relay", url, "--name", name]).unwrap());
        person
    });
    let [alice, bob] = people;
    (alice, bob)
}

#[test]
fn a_file_arrives_whole_although_the_relay_is_killed_on_the_way_there_and_on_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let relay = Relay::start(&data, "127.0.0.1:0", &[]).unwrap();
    let address = relay.address().to_owned();
    let tap = Tap::to(address.clone());
    let (alice, bob) = register(folder.path(), &tap.url());
    let (size, bytes) = (6 * MIB + 4321, content(6 * MIB + 4321));
    let name = "the plan that nobody else may see.bin";
    let path = folder.path().join(name);
    fs::write(&path, &bytes).unwrap();

    // There: the relay is killed when about half of it has come.
    let before = tap.passed(Way::Up);
    tap.block_after(Way::Up, 3 * MIB + MIB / 2);
    let (relay, sent) = std::thread::scope(|scope| {
        let sending = scope.spawn(|| alice.run(&["send", "bob", "--file", path.to_str().unwrap()]).unwrap());
        tap.blocked();
        relay.kill().unwrap();
        let chunks = files(&data.join("blobs"));
        assert!((1..=3).contains(&chunks), "some of the file is there: {chunks} chunks");
        let relay = Relay::start(&data, &address, &[]).unwrap();
        tap.open();
        (relay, ok(sending.join().unwrap()).stdout.trim().to_owned())
    });
    let up = tap.passed(Way::Up) - before;
    assert!(up < size + 3 * MIB, "what was there was not sent again: {up} of {size}");
    assert_eq!(files(&alice.profile.join("attachments")), 0, "the copy that was uploaded is gone");

    // Nothing is fetched before Bob asks for it.
    let before = tap.passed(Way::Down);
    let came = ok(bob.run(&["recv", "--count", "1", "--timeout", "60", "--json"]).unwrap()).json();
    for (field, value) in [("type", "attachment"), ("from", "alice"), ("name", name), ("id", sent.as_str())] {
        assert_eq!(came[0][field], value, "{}", came[0]);
    }
    assert_eq!(came[0]["size"], size);
    assert!(tap.passed(Way::Down) - before < MIB / 2, "the file waits until it is asked for");

    // Back: the same.
    let saved = folder.path().join("saved");
    fs::create_dir(&saved).unwrap();
    fs::write(saved.join(name), "of before").unwrap();
    let before = tap.passed(Way::Down);
    tap.block_after(Way::Down, 3 * MIB);
    let (relay, printed) = std::thread::scope(|scope| {
        let saving = scope.spawn(|| bob.run(&["save", &sent, saved.to_str().unwrap()]).unwrap());
        tap.blocked();
        relay.kill().unwrap();
        let relay = Relay::start(&data, &address, &[]).unwrap();
        tap.open();
        (relay, ok(saving.join().unwrap()).stdout.trim().to_owned())
    });
    let down = tap.passed(Way::Down) - before;
    assert!(down < size + MIB, "what was there was not fetched again: {down} of {size}");
    assert_eq!(Path::new(&printed), saved.join("the plan that nobody else may see (1).bin"));
    assert!(fs::read(&printed).unwrap() == bytes, "every byte is the same");
    assert_eq!(fs::read(saved.join(name)).unwrap(), b"of before", "what was there is as it was");
    assert_eq!(files(&bob.profile.join("attachments")), 0, "the download is gone");

    // Neither name nor bytes are in anything that the relay kept or said, nor lie in a profile.
    let mut secrets = vec![Marker::new("name", name.as_bytes())];
    for at in [0, 65_520, MIB, 3 * MIB + 17, size - 64] {
        secrets.push(Marker::new(format!("bytes from {at}"), &bytes[at..at + 32]));
    }
    let secrets = Markers::of(&secrets);
    assert!(!secrets.leaks("the file", &fs::read(&path).unwrap()).is_empty(), "the file itself has them");
    for place in [&data, &alice.profile, &bob.profile] {
        let (found, searched) = secrets.leaks_below(place).unwrap();
        assert!(found.is_empty() && searched > 0, "{found:#?}");
    }
    let log = fs::read(log_of(&data)).unwrap();
    assert!(log.windows(5).any(|word| word == b"TRACE"));
    assert!(secrets.leaks("the log", &log).is_empty());

    // Alice hears that it was saved, and deletes it at the relay.
    ok(alice.run(&["sync"]).unwrap());
    let gone = bob.run(&["save", &sent, saved.to_str().unwrap()]).unwrap();
    assert_eq!(gone.code, Some(1), "{}", gone.stderr);
    assert!(gone.stderr.contains("does not have the file any more"), "{}", gone.stderr);
    assert_eq!(files(&saved), 2, "nothing was written");
    drop(relay);
}

#[test]
fn what_cannot_be_sent_or_saved_is_said_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start(&folder.path().join("relay"), "127.0.0.1:0", &["--blob-quota-mib", "2"]).unwrap();
    let (alice, bob) = register(folder.path(), relay.url());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let make = |name: &str, size: u64| {
        File::create(folder.path().join(name)).unwrap().set_len(size).unwrap();
        at(name)
    };

    // Too large for any attachment, a directory, nothing: refused before anything is kept.
    let large = make("large", 104_857_601);
    for (path, words) in [(large, "100.0 MiB"), (at("relay"), "not a file"), (at("none"), "cannot be sent")] {
        let refused = alice.run(&["send", "bob", "--file", &path]).unwrap();
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{path}");
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert_eq!(ok(alice.run(&["history", "bob"]).unwrap()).stdout, "", "nothing was kept");

    // Too large for this relay: the message fails, and what comes behind it goes on.
    let refused = alice.run(&["send", "bob", "--file", &make("much", 3_000_000)]).unwrap();
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("take all the room"), "{}", refused.stderr);
    ok(alice.run(&["send", "bob", "behind it"]).unwrap());

    // A name that would hide, and one that would rewrite a terminal.
    let hidden = folder.path().join(".bashrc");
    fs::write(&hidden, "alias ls=rm").unwrap();
    let hostile = folder.path().join("photo\u{202e}gpj\u{1b}[2J.sh");
    fs::write(&hostile, "echo").unwrap();
    let sent = [&hidden, &hostile].map(|path| {
        let said = ok(alice.run(&["send", "bob", "--file", path.to_str().unwrap()]).unwrap());
        said.stdout.trim().to_owned()
    });
    ok(bob.run(&["recv", "--count", "3", "--timeout", "60"]).unwrap());
    let shown = ok(bob.run(&["history", "alice"]).unwrap()).stdout;
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown:?}");
    let saved = folder.path().join("saved");
    fs::create_dir(&saved).unwrap();
    let paths = sent.each_ref().map(|message| {
        let said = ok(bob.run(&["save", message, saved.to_str().unwrap()]).unwrap());
        said.stdout.trim().to_owned()
    });
    assert_eq!(paths, ["_bashrc", "photo_gpj_[2J.sh"].map(|name| saved.join(name).to_str().unwrap().to_owned()));
    assert_eq!(fs::read_to_string(&paths[0]).unwrap(), "alias ls=rm");

    // A path of one's own that is taken; a text; nothing.
    let taken = at("taken");
    fs::write(&taken, "mine").unwrap();
    let refused = bob.run(&["save", &sent[1], &taken]).unwrap();
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
    let history = ok(bob.run(&["history", "alice", "--json"]).unwrap()).json();
    let text = history.iter().find(|line| line["text"] == "behind it").unwrap()["id"].as_str().unwrap().to_owned();
    for (message, words) in [(text.as_str(), "has no file"), ("00", "not here"), (&"00".repeat(16), "not here")] {
        let refused = bob.run(&["save", message, &at("never")]).unwrap();
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert!(!Path::new(&at("never")).exists());
    drop(relay);
}

#[test]
fn a_blob_that_the_relay_changed_is_never_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let relay = Relay::start(&data, "127.0.0.1:0", &[]).unwrap();
    let (alice, bob) = register(folder.path(), relay.url());
    let path = folder.path().join("file.bin");
    fs::write(&path, content(200_000)).unwrap();
    let sent = ok(alice.run(&["send", "bob", "--file", path.to_str().unwrap()]).unwrap()).stdout.trim().to_owned();
    ok(bob.run(&["recv", "--count", "1", "--timeout", "60"]).unwrap());
    let mut chunks = Vec::new();
    below(&data.join("blobs"), &mut chunks);
    let [chunk] = &chunks[..] else { panic!("{chunks:?}") };
    let mut bytes = fs::read(chunk).unwrap();
    bytes[100_000] ^= 1;
    fs::write(chunk, bytes).unwrap();
    let saved = folder.path().join("saved");
    fs::create_dir(&saved).unwrap();
    let refused = bob.run(&["save", &sent, saved.to_str().unwrap()]).unwrap();
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(5), ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("not what was sent"), "{}", refused.stderr);
    assert_eq!(files(&saved), 0, "nothing of it is kept as a file");
    drop(relay);
}

fn below(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { below(&path, found) } else { found.push(path) }
    }
}
