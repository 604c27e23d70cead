//! Two nodes of one relay on one PostgreSQL and one Redis, with a client that is at both.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use susurro_protocol::bytes::{Bin, Fixed};
use susurro_protocol::command::{Deposit, Whisper};
use susurro_protocol::event::{DevicesChanged, ErrorNotice, Whispered};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::rest::{ChangePassword, DeleteMe, RelayStatus};
use susurro_protocol::{ErrorCode, codec};
use susurro_server::config::Config;
use susurro_server::domain::rate::PerMinute;
use tokio::time::sleep;
use xtask::services::{Database, Redis, database};

use crate::administration::admin;
use crate::support::{Closed, PATIENCE, Person, Relay, code, config, pair, register, relay_at, stretch};
use crate::{devices, recovery};

/// Two nodes and what they share.
pub(crate) struct Two {
    pub(crate) one: Relay,
    pub(crate) other: Relay,
    pub(crate) redis: Redis,
    secrets: tempfile::TempDir,
    database: Database,
}

/// Two nodes without Redis.
pub(crate) async fn two_unlinked() -> (Relay, Relay, Database) {
    let (database, secrets) = (database().unwrap(), tempfile::tempdir().unwrap());
    let start = async || {
        let dir = tempfile::tempdir().unwrap();
        let (database, secrets_dir) = (Some(database.url()), Some(secrets.path().to_owned()));
        let changed = Config { database, secrets_dir, ..config(dir.path()) };
        relay_at(dir, changed).await
    };
    let (one, other) = (start().await, start().await);
    (one, other, database)
}

/// Waits until a node says this of the others in `/readyz`, which it is all the time.
pub(crate) async fn reaches(relay: &Relay, how: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = reqwest::get(format!("{}/readyz", relay.running.url())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let said: serde_json::Value = answer.json().await.unwrap();
        if said["nodes"] == how {
            return;
        }
        assert!(Instant::now() < until, "{how}: {said}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_without_redis_notice_each_other_and_poll() {
    let (one, other, _database) = two_unlinked().await;
    for relay in [&one, &other] {
        reaches(relay, "polling").await;
    }
    let (alice, bob, chat) = pair(&one).await;
    let bob = moved(&bob, &other);
    let (mut at_alice, mut at_bob) = (alice.connect(0).await, bob.connect(0).await);
    let mut times = Vec::new();
    for n in 1..=5_u64 {
        let sent = Instant::now();
        at_alice.deposit(&alice.message(chat, &bob, &n.to_be_bytes())).await.unwrap();
        assert_eq!(at_bob.delivery().await.seq, n);
        at_bob.ack(n).await;
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    println!("without Redis a message to the other node takes {:?} to {:?}", times[0], times[4]);
    // The first one alone again is told so by the database.
    assert!(other.running.shutdown().await);
    reaches(&one, "alone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_hears_from_the_database_that_another_has_lost_redis() {
    let mut lost = Redis::start().unwrap();
    // Each reaches a Redis of its own: that they do not hear each other over the other one is not what is tried here.
    let two = two_of(|config, n| if n == 0 { Config { redis: Some(lost.url()), ..config } } else { config }).await;
    reaches(&two.other, "linked").await;
    let (alice, bob, chat) = pair(&two.one).await;
    let bob = moved(&bob, &two.other);
    let (mut at_alice, mut at_bob) = (alice.connect(0).await, bob.connect(0).await);
    lost.kill().unwrap();
    let gone = Instant::now();
    reaches(&two.one, "polling").await;
    reaches(&two.other, "polling").await;
    println!("a node that hears everything polls {:?} after another lost Redis", gone.elapsed());
    let sent = Instant::now();
    at_alice.deposit(&alice.message(chat, &bob, b"nobody is woken")).await.unwrap();
    assert_eq!(at_bob.delivery().await.seq, 1);
    println!("a message from that one takes {:?}", sent.elapsed());
    lost.restart().unwrap();
    reaches(&two.one, "linked").await;
    reaches(&two.other, "linked").await;
}

pub(crate) async fn two_with(change: impl Fn(Config) -> Config) -> Two {
    two_of(|config, _| change(config)).await
}

/// `change` gets the number of the node as well.
async fn two_of(change: impl Fn(Config, usize) -> Config) -> Two {
    let (database, redis) = (database().unwrap(), Redis::start().unwrap());
    let secrets = tempfile::tempdir().unwrap();
    let start = async |number: usize| {
        let dir = tempfile::tempdir().unwrap();
        let shared = Config {
            database: Some(database.url()),
            redis: Some(redis.url()),
            secrets_dir: Some(secrets.path().to_owned()),
            ..config(dir.path())
        };
        relay_at(dir, change(shared, number)).await
    };
    let (one, other) = (start(0).await, start(1).await);
    Two { one, other, redis, secrets, database }
}

/// The same person at another node.
pub(crate) fn moved(person: &Person, to: &Relay) -> Person {
    moved_to(person, &to.running.url())
}

fn moved_to(person: &Person, url: &str) -> Person {
    Person {
        url: url.to_owned(),
        tokens: person.tokens.clone(),
        http: person.http.clone(),
        signing_key: person.signing_key.clone(),
        account_key: person.account_key.clone(),
        list: person.list.clone(),
        ..*person
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_at_two_nodes_talk_as_at_one() {
    let two = two_with(|config| config).await;
    let (alice, bob, chat) = pair(&two.one).await;
    let bob = moved(&bob, &two.other);
    let (mut at_alice, mut at_bob) = (alice.connect(0).await, bob.connect(0).await);
    let mut times = Vec::new();
    for n in 1..=100_u64 {
        let sent = Instant::now();
        at_alice.deposit(&alice.message(chat, &bob, &n.to_be_bytes())).await.unwrap();
        assert_eq!(at_bob.delivery().await.seq, n);
        at_bob.ack(n).await;
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    println!("a message to the other node takes {:?}", times[times.len() / 2]);
    assert!(times[times.len() / 2] < Duration::from_secs(1), "woken, not polled: {:?}", times[times.len() / 2]);

    let ciphertext = Bin::from(&b"typing"[..]);
    let whisper = Whisper { chat, deposits: vec![Deposit { device: bob.device, ciphertext: ciphertext.clone() }] };
    at_alice.say(FrameKind::Whisper, &whisper).await;
    let whispered: Whispered = at_bob.expect(FrameKind::Whispered).await;
    assert_eq!((whispered.sender, whispered.ciphertext), (alice.account, ciphertext));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_know_of_each_other_and_of_one_that_has_gone() {
    let two = two_with(|config| config).await;
    let root = register(&two.one, "root").await;
    let status = async |person: &Person| person.get::<RelayStatus>("/admin/status").await;
    assert_eq!(code(status(&root).await), Some(ErrorCode::Forbidden));
    let promoted = std::process::Command::new(env!("CARGO_BIN_EXE_susurro-server"))
        .args(["admin", "--data-dir"])
        .arg(two.one.dir.path())
        .args(["user", "promote", "root"])
        .env("SUSURRO_DATABASE", two.database.url())
        .output()
        .unwrap();
    assert!(promoted.status.success(), "{promoted:?}");
    let _talk = root.connect(0).await;
    let there = moved(&root, &two.other);
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = status(&there).await.unwrap().nodes;
        let other = seen.iter().find(|node| !node.here).map(|node| node.connections);
        assert_eq!(seen.iter().filter(|node| node.here).count(), 1);
        // As many connections as that node has by then told of.
        if (seen.len(), other) == (2, Some(1)) {
            break;
        }
        assert!(Instant::now() < until, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    two.one.running.shutdown().await;
    while status(&there).await.unwrap().nodes.len() != 1 {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_announces_is_told_at_the_other() {
    let two = two_with(|config| config).await;
    let alice = register(&two.one, "alice").await;
    let there = moved(&alice, &two.other);
    let mut talk = there.connect(0).await;
    assert!(talk.is_quiet().await);
    let announced = std::process::Command::new(env!("CARGO_BIN_EXE_susurro-server"))
        .args(["admin", "--data-dir"])
        .arg(two.one.dir.path())
        .args(["announce", "to every node"])
        .env("SUSURRO_DATABASE", two.database.url())
        .env("SUSURRO_SECRETS_DIR", two.secrets.path())
        .output()
        .unwrap();
    assert!(announced.status.success(), "{announced:?}");
    assert_eq!(crate::announcements::announced(&mut talk, &alice).await.text, "to every node");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ends_at_one_node_ends_at_the_other_at_once() {
    let mut two = two_with(|config| config).await;
    let (alice, bob, _) = pair(&two.one).await;
    // With Redis and without.
    for person in [alice, bob] {
        let there = moved(&person, &two.other);
        let mut talk = there.connect(0).await;
        assert!(talk.is_quiet().await);
        let begun = Instant::now();
        person.logout().await;
        assert_eq!(there.request(Method::GET, "/users/me").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
        println!("refused at the other node {:?} after the logout began", begun.elapsed());
        assert_eq!(talk.ended().await, (ErrorCode::TokenRevoked, Closed(Some(4203))));
        println!("its connection there ended {:?} after it", begun.elapsed());
        two.redis.stop().unwrap();
    }
}

/// What ends the logins of somebody.
#[derive(Debug, Clone, Copy)]
enum Ends {
    Password,
    Recovery,
    Removal,
    Disabling,
    Deletion,
}

/// Does it, at the node where `person` is.
async fn end(what: Ends, person: &Person, name: &str, root: &Person) {
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    match what {
        Ends::Password => {
            // By another login, which goes on.
            let asking = person.login_as(name, person.auth, person.device).await.unwrap();
            let asking = Person { tokens: asking, ..moved_to(person, &person.url) };
            let body = ChangePassword { auth: Fixed(person.auth), stretch: stretch(), new_auth: Fixed([1; 32]) };
            assert_eq!(status(asking.request(Method::POST, "/users/me/password").json(&body)).await, 204);
            assert_eq!(status(asking.request(Method::GET, "/users/me")).await, 200);
        }
        Ends::Recovery => {
            assert_eq!(recovery::set(person, person.auth, Some([2; 32])).await, 204);
            let request = recovery::request(person, name, [2; 32], person.device).await;
            recovery::recover(person, &request).await.unwrap();
        }
        Ends::Removal => {
            let (certificate, key) = devices::another_device(person);
            let two = devices::next(person, &person.list, &[&person.list.certificates()[0], &certificate]);
            devices::put(person, &two).await.unwrap();
            let other = devices::on(person, certificate.body().device, key).await;
            devices::put(&other, &devices::next(person, &two, &[&certificate])).await.unwrap();
        }
        Ends::Disabling => {
            let body = serde_json::json!({ "disabled": true });
            assert_eq!(status(root.request(Method::POST, &format!("/admin/users/{name}")).json(&body)).await, 200);
        }
        Ends::Deletion => {
            let body = DeleteMe { auth: Fixed(person.auth) };
            assert_eq!(status(person.request(Method::DELETE, "/users/me").json(&body)).await, 204);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_a_login_at_one_node_ends_it_at_the_other_at_once() {
    let mut two = two_with(|config| config).await;
    let root = register(&two.one, "root").await;
    let database = [("SUSURRO_DATABASE", two.database.url())];
    assert!(admin(two.one.dir.path(), database, &["user", "promote", "root"]).status.success());
    for redis in [true, false] {
        if !redis {
            two.redis.stop().unwrap();
        }
        for what in [Ends::Password, Ends::Recovery, Ends::Removal, Ends::Disabling, Ends::Deletion] {
            let name = format!("{what:?}-{redis}").to_lowercase();
            let person = register(&two.one, &name).await;
            let there = moved(&person, &two.other);
            let mut talk = there.connect(0).await;
            assert!(talk.is_quiet().await);
            let begun = Instant::now();
            end(what, &person, &name, &root).await;
            let asked = there.request(Method::GET, "/users/me").send().await.unwrap().status();
            assert_eq!(asked, StatusCode::UNAUTHORIZED, "{name}");
            let notice: ErrorNotice = loop {
                let frame = talk.frame().await.unwrap();
                match frame.kind() {
                    FrameKind::Error => break codec::decode(frame.body()).unwrap(),
                    kind => assert_eq!(kind, FrameKind::DevicesChanged, "{name}"),
                }
            };
            assert_eq!(notice.code, ErrorCode::TokenRevoked, "{name}");
            assert_eq!(talk.frame().await.err(), Some(Closed(Some(4203))), "{name}");
            println!("{name}: the connection at the other node ended {:?} after it began", begun.elapsed());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_at_the_other_node_are_told_of_another_device_list() {
    let two = two_with(|config| config).await;
    let (alice, bob, _) = pair(&two.one).await;
    let mut there = moved(&bob, &two.other).connect(0).await;
    assert!(there.is_quiet().await);
    let (certificate, _) = devices::another_device(&alice);
    let list = devices::next(&alice, &alice.list, &[&alice.list.certificates()[0], &certificate]);
    devices::put(&alice, &list).await.unwrap();
    let changed: DevicesChanged = there.expect(FrameKind::DevicesChanged).await;
    assert_eq!((changed.account, changed.version), (alice.account, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_has_one_connection_at_all_nodes() {
    let two = two_with(|config| config).await;
    let (alice, bob, chat) = pair(&two.one).await;
    let bob_there = moved(&bob, &two.other);
    let (mut at_alice, first) = (alice.connect(0).await, bob.connect(0).await);
    let mut second = bob_there.connect(0).await;
    assert!(second.is_quiet().await);
    assert_eq!(first.ended().await, (ErrorCode::Superseded, Closed(Some(4207))));
    at_alice.deposit(&alice.message(chat, &bob, b"to where bob is")).await.unwrap();
    assert_eq!(second.delivery().await.seq, 1);
    // Not acknowledged: it comes again where bob goes next.
    let mut third = bob.connect(0).await;
    assert_eq!(third.delivery().await.seq, 1);
    assert_eq!(second.ended().await, (ErrorCode::Superseded, Closed(Some(4207))));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_over_both_nodes() {
    let two = two_with(|config| Config { rest_rate: PerMinute(10), ..config }).await;
    let (alice, ..) = pair(&two.one).await;
    let there = moved(&alice, &two.other);
    let until = Instant::now() + PATIENCE;
    let (mut allowed, mut turn) = (0, 0);
    loop {
        turn += 1;
        let asked = if turn % 2 == 0 { &alice } else { &there };
        match asked.request(Method::GET, "/users/me").send().await.unwrap().status() {
            StatusCode::OK => allowed += 1,
            StatusCode::TOO_MANY_REQUESTS => break,
            other => panic!("{other}"),
        }
        assert!(Instant::now() < until);
    }
    // The chat was one more; some come back meanwhile; each node by itself would allow as many as both here.
    assert!((9..15).contains(&allowed), "{allowed} of 10");
}
