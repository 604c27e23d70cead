//! Blindness is tested, not promised: after a conversation over a recorded wire, nothing that only
//! the two people may see is found in anything that the relay stored, logged, sent or received,
//! nor, in the clear, in any file of a profile.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test stops where it fails")]

use std::path::{Path, PathBuf};

use susurro_client_core::crypto::unwrap_database_key;
use susurro_client_core::store::port::Snapshot;
use susurro_client_core::store::{DatabaseKey, Directory, Store};
use susurro_conformance::binaries;
use susurro_conformance::command::Person;
use susurro_conformance::relay::{Relay, log_of};
use susurro_conformance::search::{Marker, Markers};
use susurro_conformance::wire::{Recording, Wire};
use xtask::services::{self, Objects, Redis};

/// What a file is called.
const FILE: &str = "a name that only two people know.txt";

/// What two people say to each other, each over a relay that the other need not know.
struct Talk {
    folder: PathBuf,
    alice: Person,
    bob: Person,
    texts: Vec<String>,
}

impl Talk {
    fn new(folder: &Path) -> Self {
        let texts = (0..6).map(|n| format!("a text that only two people know, number {n}")).collect();
        Self { folder: folder.to_owned(), alice: Person::new(folder, "alice"), bob: Person::new(folder, "bob"), texts }
    }

    fn play(&self, url_of_alice: &str, url_of_bob: &str) {
        let Self { folder, alice, bob, texts } = self;
        for (person, url, name) in [(alice, url_of_alice, "alice"), (bob, url_of_bob, "bob")] {
            run(person, &["register", "--relay", url, "--name", name]);
        }
        // Bob is not there: these wait in the relay's database and its log.
        run(alice, &["send", "bob", &texts[0]]);
        run(alice, &["send", "bob", &texts[1]]);
        run(bob, &["recv", "--count", "2", "--timeout", "60"]);
        run(bob, &["send", "alice", &texts[2]]);
        run(bob, &["send", "alice", &texts[3]]);
        run(alice, &["recv", "--count", "2", "--timeout", "60"]);
        let file = folder.join(FILE);
        std::fs::write(&file, Self::file()).unwrap();
        let file = file.to_str().unwrap();
        run(alice, &["send", "bob", "--file", file]);
        let came = bob.run(&["recv", "--count", "1", "--timeout", "60", "--json"]).unwrap().json();
        let saved = folder.join("saved.txt");
        run(bob, &["save", came[0]["id"].as_str().unwrap(), saved.to_str().unwrap()]);
        assert!(std::fs::read(saved).unwrap() == Self::file());
        run(alice, &["send", "bob", &texts[4]]);
        run(alice, &["send", "bob", &texts[5]]);
        // This one stays at the relay.
        run(alice, &["send", "bob", "--file", file]);
    }

    /// More than a piece.
    fn file() -> Vec<u8> {
        (0..5000).flat_map(|n| format!("line {n} of a file that only two people know\n").into_bytes()).collect()
    }

    /// Everything that only the two may ever see.
    async fn secrets(&self) -> Markers {
        let mut secrets = Vec::new();
        for (text, number) in self.texts.iter().zip(0..) {
            secrets.push(Marker::new(format!("text {number}"), text.as_bytes()));
        }
        secrets.push(Marker::new("name of the file", FILE.as_bytes()));
        secrets.push(Marker::new("a line of the file", b"of a file that only two people know"));
        for (person, name) in [(&self.alice, "alice"), (&self.bob, "bob")] {
            secrets.push(Marker::new(format!("password of {name}"), person.password.as_bytes()));
            secrets.push(Marker::new(format!("passphrase of {name}"), person.passphrase.as_bytes()));
            let state = snapshot(person).await;
            secrets.extend(private_keys(name, &state));
        }
        assert!(secrets.len() > 4 * 100, "all prekeys are searched for: {}", secrets.len());
        Markers::of(&secrets)
    }
}

/// What was searched so far, and what was found in it.
struct Search {
    secrets: Markers,
    found: Vec<String>,
    bytes: usize,
}

impl Search {
    fn bytes(&mut self, place: &str, bytes: &[u8]) {
        self.found.extend(self.secrets.leaks(place, bytes));
        self.bytes += bytes.len();
    }

    fn below(&mut self, path: &Path) {
        let (found, bytes) = self.secrets.leaks_below(path).unwrap();
        self.found.extend(found);
        self.bytes += bytes;
    }

    fn wire(&mut self, what: &str, wire: &Wire) {
        for (number, recording) in wire.recordings().iter().enumerate() {
            self.bytes(&format!("connection {number} to {what}"), &recording.unmasked());
            self.bytes(&format!("connection {number} from {what}"), &recording.to_client);
        }
    }

    /// The log of a relay, which has to be as loud as it can be.
    fn log(&mut self, data: &Path) {
        let log = std::fs::read_to_string(log_of(data)).unwrap();
        assert!(log.contains("TRACE") && log.contains("stored"), "the relay logs all that it can");
        self.bytes("the log", log.as_bytes());
    }

    fn end(self) {
        eprintln!("searched {} bytes for {} secrets", self.bytes, self.secrets.len());
        assert!(self.found.is_empty(), "{:#?}", self.found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_reaches_the_relay_and_nothing_readable_lies_in_a_profile() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let relay = Relay::start(&data, "127.0.0.1:0", &[]).unwrap();
    let wire = Wire::to(relay.address().to_owned()).await.unwrap();
    let talk = Talk::new(folder.path());
    tokio::task::block_in_place(|| talk.play(&wire.url(), &wire.url()));

    let mut search = Search { secrets: talk.secrets().await, found: Vec::new(), bytes: 0 };
    search.below(&data);
    search.log(&data);
    search.wire("the relay", &wire);
    // The wire was really read: a name, which the relay may know, is found on it.
    let name = Markers::of(&[Marker::new("name", b"\"username\":\"alice\"")]);
    assert!(wire.recordings().iter().any(|recording| !name.leaks("", &recording.unmasked()).is_empty()));
    let upgraded = wire.recordings().iter().filter(|r| r.to_relay.starts_with(b"GET /ws")).count();
    assert!(upgraded >= 6, "WebSocket traffic was recorded: {upgraded}");

    // A profile is encrypted at rest: neither texts nor keys lie in it as they are.
    for person in [&talk.alice, &talk.bob] {
        search.below(&person.profile);
    }
    search.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_reaches_postgresql_redis_a_bucket_metrics_or_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (database, redis) = (services::database().unwrap(), Redis::start().unwrap());
    let objects = tokio::task::block_in_place(|| Objects::start().unwrap());
    objects.make_bucket("susurro").unwrap();
    let to_bucket = Wire::to(place(&objects.url())).await.unwrap();
    let to_database = Wire::to(place(&database.url())).await.unwrap();
    let to_redis = Wire::to(place(&redis.url())).await.unwrap();
    // Past the wire, which has to be readable: encrypted, it would show nothing.
    let recorded = database.url().replace(&place(&database.url()), place(&to_database.url()).as_str());
    let environment = [
        ("SUSURRO_DATABASE", format!("{recorded}?sslmode=disable")),
        ("SUSURRO_REDIS", format!("redis://{}", place(&to_redis.url()))),
        ("SUSURRO_METRICS_LISTEN", "127.0.0.1:0".to_owned()),
        ("SUSURRO_BLOBS", "s3://susurro/attachments".to_owned()),
        ("SUSURRO_BLOBS_ENDPOINT", to_bucket.url()),
        ("SUSURRO_BLOBS_ACCESS_KEY", "somebody".to_owned()),
        ("SUSURRO_BLOBS_SECRET_KEY", BUCKET_KEY.to_owned()),
        ("SUSURRO_SECRETS_DIR", folder.path().join("secrets").display().to_string()),
    ];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let program = binaries::relay().unwrap();
    let start = |data: &Path| Relay::start_program(&program, data, "127.0.0.1:0", &[], &environment).unwrap();
    let (one, other) = (folder.path().join("one/data"), folder.path().join("other/data"));
    let nodes = [&one, &other].map(|data| {
        std::fs::create_dir_all(data.parent().unwrap()).unwrap();
        start(data)
    });
    let talk = Talk::new(folder.path());
    tokio::task::block_in_place(|| talk.play(nodes[0].url(), nodes[1].url()));
    let backup = folder.path().join("backup");
    let mut command = std::process::Command::new(&program);
    command.arg("backup").arg("--data-dir").arg(&one).arg(&backup).envs(environment);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let mut search = Search { secrets: talk.secrets().await, found: Vec::new(), bytes: 0 };
    search.wire("PostgreSQL", &to_database);
    search.wire("Redis", &to_redis);
    search.below(&backup);
    search.wire("the bucket", &to_bucket);
    let uploaded: usize = to_bucket.recordings().iter().map(|recording| recording.to_relay.len()).sum();
    assert!(uploaded > 2 * Talk::file().len(), "two files went to the bucket: {uploaded} bytes");
    for data in [&one, &other] {
        search.below(data);
        search.log(data);
        search.bytes("the metrics", scraped(data).await.as_bytes());
    }
    // Each was really read: what it may know is found in it.
    let known = |what: &[u8], bytes: &[u8]| !Markers::of(&[Marker::new("known", what)]).leaks("", bytes).is_empty();
    let stored = |r: &Recording| known(b"INSERT INTO messages", &r.to_relay);
    assert!(to_database.recordings().iter().any(stored), "the statements were recorded");
    assert!(to_redis.recordings().iter().any(|r| known(b"$7\r\nPUBLISH\r\n", &r.to_relay)));
    let of_accounts = std::fs::read_dir(&backup).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    assert!(of_accounts.into_iter().any(|bytes| known(b"argon2id", &bytes)), "the tables are in the backup");
    search.end();
}

/// The key to the bucket of the attachments.
const BUCKET_KEY: &str = "the-key-to-the-bucket-7b1e";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_relay_has_to_know_is_told_neither_to_its_bucket_nor_to_those_who_watch_it() {
    let folder = tempfile::tempdir().unwrap();
    let objects = tokio::task::block_in_place(|| Objects::start().unwrap());
    objects.make_bucket("susurro").unwrap();
    let to_bucket = Wire::to(place(&objects.url())).await.unwrap();
    let environment = [
        ("SUSURRO_BLOBS", "s3://susurro/attachments"),
        ("SUSURRO_BLOBS_ENDPOINT", &to_bucket.url()),
        ("SUSURRO_BLOBS_ACCESS_KEY", "somebody"),
        ("SUSURRO_BLOBS_SECRET_KEY", BUCKET_KEY),
        ("SUSURRO_METRICS_LISTEN", "127.0.0.1:0"),
    ];
    let (program, data) = (binaries::relay().unwrap(), folder.path().join("relay"));
    let relay = Relay::start_program(&program, &data, "127.0.0.1:0", &[], &environment).unwrap();
    let wire = Wire::to(relay.address().to_owned()).await.unwrap();
    let people = ["alice_of_the_wire", "bob_of_the_wire"].map(|name| (Person::new(folder.path(), name), name));
    tokio::task::block_in_place(|| {
        for (person, name) in &people {
            run(person, &["register", "--relay", &wire.url(), "--name", name]);
        }
        run(&people[0].0, &["send", people[1].1, "a word"]);
        run(&people[1].0, &["recv", "--count", "1", "--timeout", "60"]);
    });
    let tokens = tokens(&wire);
    let bearer = tokens.iter().find(|(kind, _)| *kind == "access_token").unwrap().1.clone();
    let blob: [u8; 16] = std::array::from_fn(|n| 0x51 ^ u8::try_from(n * 13).unwrap());
    let bytes: Vec<u8> = (0..90_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    attach(&wire.url(), &bearer, &blob, &bytes).await;

    let operate = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&program);
        let made = command.args(arguments).envs(environment).env("SUSURRO_DATA_DIR", &data).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap()
    };
    operate(&["admin", "user", "promote", people[0].1]);
    let administrator = operate(&["admin", "token", people[0].1]).trim().to_owned();
    let shown = async |path: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", relay.url())).bearer_auth(&administrator);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    };
    let accounts: serde_json::Value = serde_json::from_str(&shown("/admin/users").await).unwrap();
    let accounts = accounts["items"].as_array().unwrap().iter();
    let accounts: Vec<_> = accounts.map(|user| hex::decode(user["account"].as_str().unwrap()).unwrap()).collect();

    // Whoever has a token is somebody; whoever has an identifier of an attachment reads it.
    let mut keys = vec![
        Marker::new("the key to the bucket", BUCKET_KEY.as_bytes()),
        Marker::new("the administrator's token", administrator.as_bytes()),
        Marker::new("bytes of an attachment", &bytes[1_000..1_032]),
        Marker::new("the identifier of an attachment", &blob),
    ];
    keys.extend(tokens.iter().map(|(kind, token)| Marker::new(format!("a token: {kind}"), token.as_bytes())));
    let mut names: Vec<_> = people.iter().map(|(_, name)| Marker::new(*name, name.as_bytes())).collect();
    names.extend(accounts.iter().map(|account| Marker::new("an account's identifier", account)));
    assert_eq!((tokens.len() >= 4, names.len()), (true, 4));
    let everything = Markers::of(&[keys.clone(), names.clone()].concat());
    let log = std::fs::read_to_string(log_of(&data)).unwrap();
    assert!(log.contains("TRACE") && log.contains("/blobs/{blob}"), "the relay logs all that it can");
    let watched = [
        ("the log", log),
        ("the metrics", scraped(&data).await),
        ("the status page", shown("/admin").await),
        ("its program", shown("/admin/page.js").await),
        ("the status", shown("/admin/status").await),
        ("the settings", operate(&["config", "print"])),
    ];
    let mut found: Vec<_> = watched.iter().flat_map(|(place, text)| everything.leaks(place, text.as_bytes())).collect();
    // Administrators are told who is there, and no more.
    let keys_alone = Markers::of(&keys);
    for path in ["/admin/users", "/users/connected"] {
        found.extend(keys_alone.leaks(path, shown(path).await.as_bytes()));
    }
    // A bucket is told what it is to keep and under which name, by somebody who has its key and does not say it.
    let mut strange = vec![Marker::new("the key to the bucket", BUCKET_KEY.as_bytes())];
    strange.extend(names);
    strange.extend(tokens.iter().map(|(kind, token)| Marker::new(format!("a token: {kind}"), token.as_bytes())));
    let strange = Markers::of(&strange);
    let to_bucket: Vec<u8> = to_bucket.recordings().into_iter().flat_map(|recording| recording.to_relay).collect();
    found.extend(strange.leaks("to the bucket", &to_bucket));
    assert!(memchr::memmem::find(&to_bucket, b"PUT /susurro/attachments/").is_some(), "it was really used");
    assert!(memchr::memmem::find(&to_bucket, &bytes[1_000..1_032]).is_some(), "with these bytes");
    // What lies on the disk: neither tokens nor the key of the bucket, and the attachment is elsewhere.
    let (on_disk, searched) = Markers::of(&[&keys[..3], &keys[4..]].concat()).leaks_below(&data).unwrap();
    found.extend(on_disk);
    assert!(searched > 100_000, "the database was read: {searched} bytes");
    assert!(found.is_empty(), "{found:#?}");
}

/// Uploads, reads in a range, asks for what is not there.
async fn attach(url: &str, token: &str, blob: &[u8; 16], bytes: &[u8]) {
    let http = reqwest::Client::new();
    let (blob, size) = (hex::encode(blob), bytes.len());
    let new = serde_json::json!({ "blob": blob, "size": size });
    let begun = http.post(format!("{url}/blobs")).bearer_auth(token).json(&new).send().await.unwrap();
    assert_eq!(begun.status(), 201);
    let path = format!("{url}/blobs/{blob}");
    let put = http.put(&path).bearer_auth(token).header("content-type", "application/octet-stream");
    let put = put.header("content-range", format!("bytes 0-{}/{size}", size - 1)).body(bytes.to_vec());
    assert_eq!(put.send().await.unwrap().status(), 200);
    let read = http.get(&path).bearer_auth(token).header("range", "bytes=7-4095").send().await.unwrap();
    assert!(read.bytes().await.unwrap() == bytes[7..4_096]);
    assert_eq!(http.get(&path).send().await.unwrap().status(), 401);
    let nothing = http.get(format!("{url}/blobs/{}", "0".repeat(32))).bearer_auth(token).send().await.unwrap();
    assert_eq!(nothing.status(), 404);
}

/// Every token that the relay has given out over this wire, with what it is.
fn tokens(wire: &Wire) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for recording in wire.recordings() {
        let text = String::from_utf8_lossy(&recording.to_client).into_owned();
        for kind in ["access_token", "refresh_token"] {
            let before = format!("\"{kind}\":\"");
            let given = text.split(&before).skip(1).filter_map(|rest| rest.split('"').next());
            found.extend(given.map(|token| (kind, token.to_owned())));
        }
    }
    found
}

/// Host and port of a URL.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap().to_owned()
}

/// The metrics of the relay on this folder, whose log says where they are.
async fn scraped(data: &Path) -> String {
    let log = std::fs::read_to_string(log_of(data)).unwrap();
    let line = log.lines().find(|line| line.contains("metrics are given out")).unwrap();
    let (_, address) = line.rsplit_once("addr=").unwrap();
    let address: String = address.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
    let metrics = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("susurro_messages_stored_total"));
    metrics
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
