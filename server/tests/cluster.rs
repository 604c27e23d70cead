//! The nodes of one relay over a real Redis: what one says reaches the other, and what happens when Redis does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failed test may stop anywhere"
)]

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use susurro_protocol::command::Presence;
use susurro_protocol::event::PrekeysLow;
use susurro_protocol::{AccountId, ChatId, DeviceId, ErrorCode, MessageId};
use susurro_server::adapters::outbound::bus::LocalBus;
use susurro_server::adapters::outbound::rates::LocalRates;
use susurro_server::adapters::outbound::redis::{Address, Options, link, rates};
use susurro_server::domain::message::{Signal, Waiting};
use susurro_server::domain::presence::Said;
use susurro_server::domain::rate::PerMinute;
use susurro_server::domain::token::{FamilyId, NewFamily, RefreshHash, Rotation};
use susurro_server::ports::{
    Answer, Around, Asker, Audience, Bus, Counted, Ending, Link, Neighbours, Rates, Sessions, Shown, Slot, Stance,
    Taken, Turn, Word,
};
use susurro_server::service::{Cluster, SharedRates};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use xtask::services::{Redis, RedisCluster};
use zeroize::Zeroizing;

const PATIENCE: Duration = Duration::from_secs(30);

/// A node without doors and without a store.
struct Node {
    bus: Arc<Cluster>,
    link: Arc<dyn Link>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn node(url: &str, number: u64, sessions: &Arc<dyn Sessions>) -> Node {
    node_with(url, None, number, sessions).await
}

async fn node_with(url: &str, password: Option<&str>, number: u64, sessions: &Arc<dyn Sessions>) -> Node {
    let address = Address::read(url, password).unwrap();
    let (link, driver) = link(Options { address, key: Zeroizing::new([7; 32]) }).unwrap();
    let link: Arc<dyn Link> = Arc::new(link);
    let bus = Arc::new(Cluster::new(Arc::new(LocalBus::default()), link.clone(), number));
    let (tended, sessions) = (bus.clone(), sessions.clone());
    let tending = async move { tended.tend(sessions, Arc::new(One)).await };
    let tasks = vec![tokio::spawn(driver.run(bus.clone())), tokio::spawn(tending)];
    let node = Node { bus, link, tasks };
    until(|| node.link.is_up()).await;
    node
}

/// Logins of which only the end is kept.
#[derive(Default)]
struct Ended(Mutex<HashSet<FamilyId>>);

impl Sessions for Ended {
    fn begin(&self, _: NewFamily) -> Answer<'_, ()> {
        unused()
    }

    fn rotate(&self, _: RefreshHash, _: RefreshHash, _: u64, _: u64) -> Answer<'_, Rotation> {
        unused()
    }

    fn revoke(&self, family: FamilyId, _: u64) -> Answer<'_, ()> {
        self.0.lock().unwrap().insert(family);
        Box::pin(std::future::ready(Ok(())))
    }

    fn is_revoked(&self, family: FamilyId) -> Answer<'_, bool> {
        let revoked = self.0.lock().unwrap().contains(&family);
        Box::pin(std::future::ready(Ok(revoked)))
    }

    fn expire(&self, _: u64, _: u32) -> Answer<'_, u64> {
        unused()
    }
}

/// A database that one other node is at work on, which hears all.
struct One;

impl Neighbours for One {
    fn look(&self, _: Stance) -> Answer<'_, Around> {
        Box::pin(std::future::ready(Ok(Around { others: 1, unheard: 0 })))
    }
}

/// What no node asks for here.
fn unused<T: Send + 'static>() -> Answer<'static, T> {
    Box::pin(std::future::pending())
}

fn sessions() -> Arc<dyn Sessions> {
    Arc::new(Ended::default())
}

async fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "in time");
        sleep(Duration::from_millis(2)).await;
    }
}

fn device(n: u8) -> DeviceId {
    DeviceId::from_bytes([n; 16])
}

const FAMILY: FamilyId = FamilyId([1; 16]);

fn message(to: u8) -> Waiting {
    Waiting {
        mailbox: device(to),
        seq: 1,
        message: MessageId::from_bytes([1; 16]),
        chat: ChatId::from_bytes([2; 16]),
        sender: AccountId::from_bytes([3; 16]),
        sender_device: device(200),
        stored_at: 0,
        ciphertext: Bytes::from_static(b"no node sends a message to another"),
    }
}

fn signal(to: u8, text: &'static [u8]) -> Signal {
    Signal {
        recipient: device(to),
        chat: ChatId::from_bytes([2; 16]),
        sender: AccountId::from_bytes([3; 16]),
        sender_device: device(200),
        ciphertext: Bytes::from_static(text),
    }
}

/// What a connection finds when it is woken.
async fn woken(slot: &Slot) -> Taken {
    timeout(PATIENCE, slot.rung()).await.expect("the connection is woken");
    slot.take()
}

/// Whether a connection has to end, now.
fn ended(slot: &Slot) -> Option<ErrorCode> {
    slot.take().ending.map(|Ending(code)| code)
}

/// Says something to a device until its connection hears it: subscriptions are made behind the call.
async fn reach(from: &Node, to: u8, slot: &Slot) {
    let end = Instant::now() + PATIENCE;
    loop {
        from.bus.deliver(vec![message(to)]);
        if timeout(Duration::from_millis(50), slot.rung()).await.is_ok() {
            // The ring may be of something that was taken already.
            if !slot.take().behind {
                continue;
            }
            // What is still under way is not for what comes next.
            while timeout(Duration::from_millis(100), slot.rung()).await.is_ok() {
                slot.take();
            }
            return;
        }
        assert!(Instant::now() < end, "the other node hears it");
    }
}

/// The next connection of a device.
fn attach(bus: &Cluster, device: DeviceId, family: FamilyId) -> Arc<Slot> {
    static TURNS: AtomicU64 = AtomicU64::new(1);
    let turn = Turn { welcomed: TURNS.fetch_add(1, Ordering::Relaxed), tie: 0 };
    bus.attach(device, family, turn).expect("nothing is newer")
}

async fn everything_crosses(url: &str) {
    let sessions = sessions();
    let (a, b) = (node(url, 1, &sessions).await, node(url, 2, &sessions).await);
    let slots: Vec<_> = (1..=40).map(|n| attach(&b.bus, device(n), FamilyId([n; 16]))).collect();
    for (n, slot) in (1..=40).zip(&slots) {
        reach(&a, n, slot).await;
    }
    let slot = &slots[4];
    a.bus.whisper(vec![signal(5, b"typing"), signal(77, b"to nobody")]);
    let signals: Vec<_> = woken(slot).await.signals.into_iter().map(|signal| signal.ciphertext).collect();
    assert_eq!(signals, [&b"typing"[..]]);
    a.bus.prekeys_low(device(5), PrekeysLow { one_time: 3, pq_one_time: 4 });
    assert_eq!(woken(slot).await.prekeys_low, Some(PrekeysLow { one_time: 3, pq_one_time: 4 }));

    a.bus.revoke(FamilyId([5; 16]));
    assert_eq!(woken(slot).await.ending, Some(Ending(ErrorCode::TokenRevoked)));
    assert_eq!(ended(&slots[5]), None, "others stay");

    // The newest connection of a device stays, whichever node it is at.
    let here = attach(&a.bus, device(6), FAMILY);
    assert_eq!(woken(&slots[5]).await.ending, Some(Ending(ErrorCode::Superseded)));
    b.bus.detach(device(6), &slots[5]);
    let there = attach(&b.bus, device(6), FAMILY);
    until(|| ended(&here) == Some(ErrorCode::Superseded)).await;
    reach(&a, 6, &there).await;
    assert_eq!(ended(&there), None);

    // One that has become it late takes it over from no newer one, whichever node that is at.
    let late = a.bus.attach(device(6), FAMILY, Turn { welcomed: 0, tie: 0 }).unwrap();
    until(|| ended(&late) == Some(ErrorCode::Superseded)).await;
    assert_eq!(ended(&there), None);
    reach(&a, 6, &there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_says_reaches_the_other() {
    let redis = Redis::start().unwrap();
    everything_crosses(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_over_a_cluster_of_redis_servers() {
    let redis = RedisCluster::start().unwrap();
    everything_crosses(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn valkey_carries_what_redis_carries() {
    let mut valkey = Redis::start_valkey().unwrap();
    let mut banner = TcpStream::connect(("127.0.0.1", valkey.port())).unwrap();
    banner.write_all(b"INFO server\r\n").unwrap();
    let mut said = vec![0; 400];
    banner.read_exact(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("server_name:valkey"), "{}", String::from_utf8_lossy(&said));
    everything_crosses(&valkey.url()).await;
    limits_are_shared(&valkey.url()).await;
    presence_is_put_right(&valkey.url()).await;
    valkey.kill().unwrap();
    valkey.restart().unwrap();
    everything_crosses(&valkey.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_from_beside_the_address_opens_redis() {
    let redis = Redis::start_with(&[("--requirepass", "s3cret")]).unwrap();
    let sessions = sessions();
    let a = node_with(&redis.url(), Some("s3cret"), 1, &sessions).await;
    assert!(a.link.is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_connections_that_come_at_once_one_stays() {
    let redis = Redis::start().unwrap();
    let sessions = sessions();
    let (a, b) = (node(&redis.url(), 1, &sessions).await, node(&redis.url(), 2, &sessions).await);
    for round in 0..100 {
        let (at_a, at_b) = (a.bus.clone(), b.bus.clone());
        let spawn = |bus: Arc<Cluster>| tokio::spawn(async move { attach(&bus, device(9), FAMILY) });
        let (one, other) = tokio::join!(spawn(at_a), spawn(at_b));
        let (one, other) = (one.unwrap(), other.unwrap());
        until(|| ended(&one).is_some() || ended(&other).is_some()).await;
        // Heard by both in one order: were both to end, the second would do so in a moment.
        reach_any(&a, &b, 9).await;
        assert!(ended(&one).is_none() || ended(&other).is_none(), "round {round}: nobody is left");
        a.bus.detach(device(9), &one);
        b.bus.detach(device(9), &other);
    }
}

/// Waits until each node has heard what was said to this device before.
async fn reach_any(a: &Node, b: &Node, n: u8) {
    // A revocation comes by the same way behind what was said before; a connection tells when it has come.
    for (from, to) in [(a, b), (b, a)] {
        let marker = attach(&to.bus, device(100 + n), FamilyId([99; 16]));
        let end = Instant::now() + PATIENCE;
        loop {
            from.bus.revoke(FamilyId([99; 16]));
            if timeout(Duration::from_millis(50), marker.ended()).await.is_ok() {
                break;
            }
            assert!(Instant::now() < end, "a revocation is heard");
        }
        to.bus.detach(device(100 + n), &marker);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_connections_look_for_themselves_and_afterwards_hear_again() {
    let mut redis = Redis::start().unwrap();
    let sessions = sessions();
    let (a, b) = (node(&redis.url(), 1, &sessions).await, node(&redis.url(), 2, &sessions).await);
    let slot = attach(&b.bus, device(1), FamilyId([1; 16]));
    let revoked = attach(&b.bus, device(2), FamilyId([2; 16]));
    reach(&a, 1, &slot).await;

    // Killed: noticed at once, and polled from then on.
    let gone = Instant::now();
    redis.kill().unwrap();
    until(|| !a.link.is_up() && !b.link.is_up()).await;
    println!("a Redis that was killed is missed after {:?}", gone.elapsed());
    a.bus.deliver(vec![message(1)]);
    for _ in 0..3 {
        assert!(woken(&slot).await.behind);
    }
    // Ended in the store alone: nobody could say so.
    let ending = Instant::now();
    sessions.revoke(FamilyId([2; 16]), 1).await.unwrap();
    assert_eq!(timeout(PATIENCE, revoked.ended()).await.unwrap(), Ending(ErrorCode::TokenRevoked));
    println!("without Redis a revocation reaches the other node after {:?}", ending.elapsed());
    let late = attach(&b.bus, device(3), FAMILY);

    // Empty when it comes back: everything is followed again, what came meanwhile included.
    let back = Instant::now();
    redis.restart().unwrap();
    until(|| a.link.is_up() && b.link.is_up()).await;
    println!("a Redis that is back is used after {:?}", back.elapsed());
    reach(&a, 1, &slot).await;
    reach(&a, 3, &late).await;
    let here = attach(&a.bus, device(3), FAMILY);
    assert_eq!(timeout(PATIENCE, late.ended()).await.unwrap(), Ending(ErrorCode::Superseded));
    assert_eq!(ended(&here), None);

    // Standing still, as behind a cut network: nothing is closed, and yet it is missed.
    let still = Instant::now();
    redis.pause().unwrap();
    until(|| !a.link.is_up() && !b.link.is_up()).await;
    println!("a Redis that stands still is missed after {:?}", still.elapsed());
    redis.resume().unwrap();
    until(|| a.link.is_up() && b.link.is_up()).await;
    reach(&a, 1, &slot).await;
}

/// A node that says that it is at work, and asks the others who is there.
async fn attentive(url: &str, number: u64) -> Node {
    let mut node = node(url, number, &sessions()).await;
    let (shown, presences) = (node.bus.clone(), node.bus.presences());
    node.tasks.push(tokio::spawn(async move { shown.show_itself().await }));
    node.tasks.push(tokio::spawn(async move { presences.tend().await }));
    node
}

fn account(n: u8) -> AccountId {
    AccountId::from_bytes([n; 16])
}

/// A connection of account `n` that says this of presence.
fn present(node: &Node, n: u8, shown_to: &[u8], watching: &[u8]) -> Arc<Slot> {
    let all = |some: &[u8]| some.iter().map(|n| account(*n)).collect();
    let slot = Arc::new(Slot::default());
    let said = Said::of(Presence { shown_to: all(shown_to), watching: all(watching) }).unwrap();
    node.bus.presences().say(account(n), &slot, said);
    slot
}

/// The next word about presence that a connection gets.
async fn told(slot: &Slot) -> Vec<(AccountId, bool)> {
    loop {
        let told: Vec<_> = woken(slot).await.presence.into_iter().collect();
        if !told.is_empty() {
            return told;
        }
    }
}

async fn presence_is_put_right(url: &str) {
    let (a, b) = (attentive(url, 1).await, attentive(url, 2).await);
    let watching = present(&b, 2, &[], &[1, 3]);
    let _shown = present(&a, 1, &[2, 9], &[]);
    assert_eq!(told(&watching).await, [(account(1), true)]);
    // Somebody has gone and nobody heard it, as when a word is lost. That another node comes is a reason to ask again.
    let stale = Shown { account: account(3), node: 1, joined: true };
    a.link.say(Audience::Account(account(2)), Word::Shown(stale));
    assert_eq!(told(&watching).await, [(account(3), true)]);
    let begun = Instant::now();
    let _c = attentive(url, 3).await;
    assert_eq!(told(&watching).await, [(account(3), false)]);
    println!("what was no longer true is put right {:?} after there was a reason to look", begun.elapsed());

    // A node that is killed says nothing more.
    let killed = Instant::now();
    drop(a);
    assert_eq!(told(&watching).await, [(account(1), false)]);
    println!("whoever was at a node that died has left after {:?}", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(15));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_repeats_and_what_a_dead_node_said_of_presence_is_forgotten() {
    let redis = Redis::start().unwrap();
    presence_is_put_right(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_of_presence_over_a_cluster_of_redis_servers() {
    let redis = RedisCluster::start().unwrap();
    presence_is_put_right(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_starts_without_redis_and_finds_it_later() {
    let mut redis = Redis::start().unwrap();
    redis.stop().unwrap();
    let sessions = sessions();
    let address = Address::read(&redis.url(), None).unwrap();
    let (link, driver) = link(Options { address, key: Zeroizing::new([7; 32]) }).unwrap();
    let link = Arc::new(link);
    let bus = Arc::new(Cluster::new(Arc::new(LocalBus::default()), link.clone(), 1));
    let (tended, of_store) = (bus.clone(), sessions.clone());
    let driving = tokio::spawn(driver.run(bus.clone()));
    let tending = tokio::spawn(async move { tended.tend(of_store, Arc::new(One)).await });
    let slot = attach(&bus, device(1), FAMILY);
    assert!(woken(&slot).await.behind, "it polls from the beginning");
    redis.restart().unwrap();
    until(|| link.is_up()).await;
    let other = node(&redis.url(), 2, &sessions).await;
    reach(&other, 1, &slot).await;
    driving.abort();
    tending.abort();
}

/// Counters as a node of a relay has them, over its own.
fn counting(url: &str) -> (Arc<dyn Rates>, JoinHandle<()>) {
    let address = Address::read(url, None).unwrap();
    let (shared, driver) = rates(Options { address, key: Zeroizing::new([7; 32]) }).unwrap();
    let local = Arc::new(LocalRates::default());
    (Arc::new(SharedRates { shared: Arc::new(shared), local }), tokio::spawn(driver.run()))
}

async fn limits_are_shared(url: &str) {
    let (one, of_one) = counting(url);
    let (other, of_other) = counting(url);
    let asker = |n: u8| Asker { counted: Counted::Account, who: [n; 16] };
    let take = async |rates: &Arc<dyn Rates>, n: u8| rates.take(asker(n), PerMinute(20), 0).await.unwrap();
    // Until both are connected each counts alone: an asker that each of them counts is one whom the other counted.
    let end = Instant::now() + PATIENCE;
    for n in 100.. {
        let (first, second, third) = (take(&one, n).await, take(&other, n).await, take(&one, n).await);
        if [first.remaining, second.remaining, third.remaining] == [19, 18, 17] {
            break;
        }
        assert!(Instant::now() < end, "the nodes count together");
        sleep(Duration::from_millis(20)).await;
    }
    for n in 0..20 {
        let allowance = take(if n % 2 == 0 { &one } else { &other }, 1).await;
        assert_eq!((allowance.limit, allowance.retry_after), (20, None), "{n}");
        assert!(allowance.remaining >= 19 - n && allowance.reset <= 60);
    }
    for rates in [&one, &other] {
        let refused = take(rates, 1).await;
        assert!(refused.retry_after.is_some_and(|seconds| (1..=3).contains(&seconds)), "{refused:?}");
        assert_eq!((refused.remaining, take(rates, 2).await.retry_after), (0, None));
    }
    let waited = Instant::now();
    while take(&other, 1).await.retry_after.is_some() {
        assert!(waited.elapsed() < Duration::from_secs(10), "one comes back every three seconds");
        sleep(Duration::from_millis(100)).await;
    }
    of_one.abort();
    of_other.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_those_of_all_nodes_together_and_of_each_without_redis() {
    let mut redis = Redis::start().unwrap();
    limits_are_shared(&redis.url()).await;
    let (rates, driving) = counting(&redis.url());
    let asker = Asker { counted: Counted::Auth, who: [9; 16] };
    redis.pause().unwrap();
    for n in (0..20).rev() {
        let begun = Instant::now();
        let allowance = rates.take(asker, PerMinute(20), 1_000).await.unwrap();
        assert_eq!((allowance.remaining, allowance.retry_after), (n, None), "this node counts alone");
        assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits long for a count");
    }
    assert!(rates.take(asker, PerMinute(20), 1_000).await.unwrap().retry_after.is_some());
    redis.resume().unwrap();
    redis.kill().unwrap();
    redis.restart().unwrap();
    limits_are_shared(&redis.url()).await;
    driving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_shared_over_a_cluster_of_redis_servers() {
    let redis = RedisCluster::start().unwrap();
    limits_are_shared(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_along_in_redis_learns_no_device_and_no_word() {
    let redis = Redis::start().unwrap();
    let sessions = sessions();
    let mut monitor = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    monitor.write_all(b"MONITOR\r\n").unwrap();
    let (a, b) = (node(&redis.url(), 1, &sessions).await, node(&redis.url(), 2, &sessions).await);
    let id: [u8; 16] = *b"a device's id 16";
    let family = FamilyId(*b"a family's id 16");
    let slot = attach(&b.bus, DeviceId::from_bytes(id), family);
    let whisper = || Signal {
        recipient: DeviceId::from_bytes(id),
        chat: ChatId::from_bytes(*b"a chat's id is16"),
        sender: AccountId::from_bytes(*b"an account id 16"),
        ..signal(1, b"ciphertext of a whisper")
    };
    let end = Instant::now() + PATIENCE;
    loop {
        a.bus.whisper(vec![whisper()]);
        if timeout(Duration::from_millis(50), slot.rung()).await.is_ok() {
            break;
        }
        assert!(Instant::now() < end);
    }
    a.bus.revoke(family);
    timeout(PATIENCE, slot.ended()).await.unwrap();
    monitor.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut seen = Vec::new();
    let _ = monitor.read_to_end(&mut seen);
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains("PUBLISH") && seen.contains("SUBSCRIBE"), "the monitor sees something");
    let spelled = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for secret in ["a device's id", "a family's id", "a chat's id", "an account", "ciphertext of a whisper"] {
        assert!(!seen.contains(secret), "{secret} can be read in Redis");
        assert!(!seen.contains(&spelled(secret.as_bytes())), "{secret} can be read in Redis");
    }
}
