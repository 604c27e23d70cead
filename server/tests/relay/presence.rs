//! Who is there, told to those who may know.

use std::time::{Duration, Instant};

use susurro_protocol::command::Presence;
use susurro_protocol::event::PresenceChanged;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::limits::PRESENCE_MAX;
use susurro_protocol::{AccountId, ErrorCode};
use susurro_server::config::Config;
use susurro_server::domain::rate::{Pace, PerMinute};

use crate::administration::done;
use crate::devices;
use crate::nodes::{moved, reaches, two_unlinked, two_with};
use crate::support::{Closed, Person, Talk, embedded, pair, random, register, relay, relay_with};

/// To whom somebody is shown, and whom they watch.
async fn say(talk: &mut Talk, shown_to: &[&Person], watching: &[&Person]) {
    let accounts = |people: &[&Person]| people.iter().map(|person| person.account).collect();
    let presence = Presence { shown_to: accounts(shown_to), watching: accounts(watching) };
    talk.say(FrameKind::Presence, &presence).await;
}

/// The next frame says that this one came or went, and nothing else.
async fn hears(talk: &mut Talk, who: &Person, joined: bool) {
    let changed: PresenceChanged = talk.expect(FrameKind::PresenceChanged).await;
    let (come, gone) = if joined { (vec![who.account], vec![]) } else { (vec![], vec![who.account]) };
    assert_eq!(changed, PresenceChanged { joined: come, left: gone });
}

#[tokio::test(flavor = "multi_thread")]
async fn those_it_is_shown_to_see_coming_and_going_and_others_nothing() {
    let relay = relay().await;
    let (alice, bob, _) = pair(&relay).await;
    let carol = register(&relay, "carol").await;
    let (mut at_bob, mut at_carol) = (bob.connect(0).await, carol.connect(0).await);
    for watcher in [&mut at_bob, &mut at_carol] {
        say(watcher, &[], &[&alice]).await;
        assert!(watcher.is_quiet().await);
    }
    let mut at_alice = alice.connect(0).await;
    assert!(at_alice.is_quiet().await && at_bob.is_quiet().await, "nobody is shown before it says so");
    say(&mut at_alice, &[&bob], &[]).await;
    hears(&mut at_bob, &alice, true).await;

    // Another connection of the same device, after the old one without a word in between.
    let mut again = alice.connect(0).await;
    assert_eq!(at_alice.ended().await, (ErrorCode::Superseded, Closed(Some(4207))));
    hears(&mut at_bob, &alice, false).await;
    say(&mut again, &[&bob], &[]).await;
    hears(&mut at_bob, &alice, true).await;
    drop(again);
    hears(&mut at_bob, &alice, false).await;
    assert!(at_bob.is_quiet().await);
    assert!(at_carol.is_quiet().await, "a chat makes nobody present, and neither does watching");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_there_while_one_of_its_devices_is() {
    let relay = relay().await;
    let (alice, bob, _) = pair(&relay).await;
    let (certificate, key) = devices::another_device(&alice);
    let list = devices::next(&alice, &alice.list, &[&alice.list.certificates()[0], &certificate]);
    devices::put(&alice, &list).await.unwrap();
    let second = devices::on(&alice, certificate.body().device, key).await;

    let mut at_bob = bob.connect(0).await;
    say(&mut at_bob, &[], &[&alice]).await;
    let (mut one, mut two) = (alice.connect(0).await, second.connect(0).await);
    say(&mut one, &[&bob], &[]).await;
    hears(&mut at_bob, &alice, true).await;
    say(&mut two, &[&bob], &[]).await;
    assert!(two.is_quiet().await && at_bob.is_quiet().await);
    say(&mut one, &[], &[]).await;
    assert!(one.is_quiet().await && at_bob.is_quiet().await);
    // Watched by two devices: each is told for itself, the second one of what is there already.
    let mut watcher = alice.connect(0).await;
    say(&mut watcher, &[], &[&bob]).await;
    say(&mut two, &[&bob], &[&bob]).await;
    say(&mut at_bob, &[&alice], &[&alice]).await;
    hears(&mut watcher, &bob, true).await;
    hears(&mut two, &bob, true).await;
    drop(two);
    hears(&mut at_bob, &alice, false).await;
    assert!(watcher.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_logged_out_or_removed_is_gone() {
    let relay = relay().await;
    let (alice, bob, _) = pair(&relay).await;
    let mut at_bob = bob.connect(0).await;
    say(&mut at_bob, &[], &[&alice]).await;
    let mut at_alice = alice.connect(0).await;
    say(&mut at_alice, &[&bob], &[]).await;
    hears(&mut at_bob, &alice, true).await;
    alice.logout().await;
    hears(&mut at_bob, &alice, false).await;

    let alice = Person { tokens: alice.login_as("alice", alice.auth, alice.device).await.unwrap(), ..alice };
    let mut at_alice = alice.connect(0).await;
    say(&mut at_alice, &[&bob], &[]).await;
    hears(&mut at_bob, &alice, true).await;
    done(&relay, &["user", "disable", "alice"]);
    hears(&mut at_bob, &alice, false).await;
    assert!(at_bob.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_are_too_long_or_malformed_end_the_session_and_tell_nobody() {
    let relay = relay().await;
    let (alice, bob, _) = pair(&relay).await;
    let mut at_bob = bob.connect(0).await;
    say(&mut at_bob, &[], &[&alice]).await;
    let long = vec![&bob; PRESENCE_MAX + 1];
    for (shown_to, watching) in [(&long[..], &[][..]), (&[], &long)] {
        let mut at_alice = alice.connect(0).await;
        say(&mut at_alice, shown_to, watching).await;
        assert_eq!(at_alice.ended().await, (ErrorCode::InvalidRequest, Closed(Some(4301))));
    }
    let mut at_alice = alice.connect(0).await;
    at_alice.say(FrameKind::Presence, &susurro_protocol::command::Ping { nonce: 1 }).await;
    assert_eq!(at_alice.ended().await.0, ErrorCode::MalformedBody);
    assert!(at_bob.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_names_count_as_many_messages_and_what_follows_waits() {
    // Sixty messages at once, then one a second: a frame with 512 names is worth more than two minutes of them.
    let pace = Pace { messages: PerMinute(60), kib: PerMinute(1024) };
    let relay = relay_with(|config| Config { pace, ..config }).await;
    let (alice, bob, _) = pair(&relay).await;
    let mut at_bob = bob.connect(0).await;
    say(&mut at_bob, &[], &[&alice]).await;
    assert!(at_bob.is_quiet().await);
    let mut at_alice = alice.connect(0).await;
    let mut shown_to: Vec<_> = (1..PRESENCE_MAX).map(|_| AccountId::from_bytes(random())).collect();
    shown_to.push(bob.account);
    at_alice.say(FrameKind::Presence, &Presence { watching: shown_to.clone(), shown_to }).await;
    // It is not refused.
    hears(&mut at_bob, &alice, true).await;
    say(&mut at_alice, &[], &[]).await;
    let held = tokio::time::timeout(Duration::from_secs(2), at_bob.frame()).await;
    assert!(held.is_err(), "what follows is read when its time has come");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_presence_is_written_down() {
    let relay = embedded().await;
    let (alice, bob, _) = pair(&relay).await;
    let mut at_alice = alice.connect(0).await;
    let unknown: [AccountId; 2] = [AccountId::from_bytes(random()), AccountId::from_bytes(random())];
    let presence = Presence { shown_to: vec![unknown[0], bob.account], watching: vec![unknown[1]] };
    at_alice.say(FrameKind::Presence, &presence).await;
    assert!(at_alice.is_quiet().await);
    let (running, dir) = (relay.running, relay.dir);
    assert!(running.shutdown().await);
    let mut files = vec![dir.path().to_owned()];
    let mut looked = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        looked += bytes.len();
        for account in &unknown {
            let text = account.to_string();
            let found = [account.as_bytes().as_slice(), text.as_bytes()];
            assert!(found.iter().all(|found| !bytes.windows(found.len()).any(|window| window == *found)), "{path:?}");
        }
    }
    assert!(looked > 10_000, "the database was among them");
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_crosses_nodes() {
    let mut two = two_with(|config| config).await;
    for relay in [&two.one, &two.other] {
        reaches(relay, "linked").await;
    }
    let (alice, bob, _) = pair(&two.one).await;
    let carol = moved(&register(&two.one, "carol").await, &two.other);
    let bob = moved(&bob, &two.other);
    let (mut at_alice, mut at_bob, mut at_carol) =
        (alice.connect(0).await, bob.connect(0).await, carol.connect(0).await);
    // Watched before it is shown.
    say(&mut at_bob, &[], &[&alice]).await;
    say(&mut at_carol, &[], &[&alice]).await;
    assert!(at_bob.is_quiet().await);
    let begun = Instant::now();
    say(&mut at_alice, &[&bob], &[]).await;
    hears(&mut at_bob, &alice, true).await;
    println!("presence at the other node is told after {:?}", begun.elapsed());
    say(&mut at_alice, &[], &[]).await;
    hears(&mut at_bob, &alice, false).await;
    // Shown before it is watched.
    say(&mut at_alice, &[&bob], &[]).await;
    hears(&mut at_bob, &alice, true).await;
    let mut at_bob = bob.connect(0).await;
    say(&mut at_bob, &[], &[&alice]).await;
    hears(&mut at_bob, &alice, true).await;

    // Without Redis nobody is said to be at another node, and nodes that hear each other again ask again.
    two.redis.stop().unwrap();
    let gone = Instant::now();
    hears(&mut at_bob, &alice, false).await;
    println!("without Redis who is at the other node has left after {:?}", gone.elapsed());
    two.redis.restart().unwrap();
    let back = Instant::now();
    hears(&mut at_bob, &alice, true).await;
    println!("with Redis again they are back after {:?}", back.elapsed());
    assert!(at_carol.is_quiet().await, "who is not shown to learns nothing at any node");

    // A node that goes down in an orderly way says who has left.
    two.one.running.shutdown().await;
    let gone = Instant::now();
    hears(&mut at_bob, &alice, false).await;
    println!("whoever was at a node that went down has left after {:?}", gone.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_not_polled() {
    let (one, other, _database) = two_unlinked().await;
    for relay in [&one, &other] {
        reaches(relay, "polling").await;
    }
    let (alice, bob, _) = pair(&one).await;
    let carol = moved(&register(&one, "carol").await, &other);
    let (mut at_alice, mut at_bob, mut at_carol) =
        (alice.connect(0).await, bob.connect(0).await, carol.connect(0).await);
    say(&mut at_carol, &[], &[&alice]).await;
    say(&mut at_bob, &[], &[&alice]).await;
    assert!(at_carol.is_quiet().await && at_bob.is_quiet().await);
    say(&mut at_alice, &[&bob, &carol], &[]).await;
    hears(&mut at_bob, &alice, true).await;
    // Her node looks into the database for what waits, and finds nothing of presence there.
    let chat = alice.open_chat("carol").await;
    at_alice.deposit(&alice.message(chat, &carol, b"polled")).await.unwrap();
    at_carol.delivery().await;
    assert!(at_carol.is_quiet().await);
}
