//! Clients that are slow, many or greedy: what they are told, and that others do not notice.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use susurro_protocol::event::Stored;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::rest::{PostMessage, Problem};
use susurro_protocol::{ErrorCode, MessageId};
use susurro_server::adapters::inbound::serve::Bounds;
use susurro_server::config::Config;
use susurro_server::domain::rate::{Pace, PerMinute};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, Person, Relay, pair, random, relay_with};

/// What a test waits instead of what an operator would.
const SHORT: Duration = Duration::from_millis(500);

async fn bounded(change: impl FnOnce(Bounds) -> Bounds) -> Relay {
    let short = Bounds { head: SHORT, body: SHORT, write: SHORT, ..Bounds::default() };
    relay_with(|config| Config { bounds: change(short), ..config }).await
}

async fn dial(relay: &Relay) -> TcpStream {
    TcpStream::connect(relay.running.addr).await.unwrap()
}

/// Everything that comes until the relay closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // A reset is an end as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the relay closes");
    String::from_utf8_lossy(&all).into_owned()
}

/// The answer to one small request on a connection that stays open.
async fn asked(stream: &mut TcpStream) -> Option<String> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"status\":\"ok\"}") {
        let mut part = [0; 512];
        match stream.read(&mut part).await {
            Ok(read @ 1..) => answer.extend_from_slice(&part[..read]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_head_never_ends_is_given_up() {
    let relay = bounded(|bounds| bounds).await;
    let begun = Instant::now();
    let (mut silent, mut slow) = (dial(&relay).await, dial(&relay).await);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-more: ").await.unwrap();
    let (mut slow_in, mut slow_out) = slow.split();
    let dripping = async {
        // One byte at a time, as long as the relay takes them.
        while slow_out.write_all(b"a").await.is_ok() && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = async {
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, slow_in.read_to_end(&mut answer)).await.expect("the relay closes");
    };
    tokio::join!(dripping, ended);
    until_closed(&mut silent).await;
    assert!(begun.elapsed() >= SHORT, "nobody is hurried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_asks_no_more_is_closed() {
    let relay = bounded(|bounds| bounds).await;
    let mut kept = dial(&relay).await;
    assert!(asked(&mut kept).await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(asked(&mut kept).await.is_some(), "asking twice on one connection works");
    assert_eq!(until_closed(&mut kept).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_headers_is_refused_unread() {
    let relay = bounded(|bounds| bounds).await;
    let many: String = (0..100).map(|n| format!("x-{n}: a\r\n")).collect();
    let large = format!("x-large: {}\r\n", "a".repeat(64 * 1024));
    for headers in [many, large] {
        let mut stream = dial(&relay).await;
        let _ = stream.write_all(format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes()).await;
        let answer = until_closed(&mut stream).await;
        // A client that still writes may see the reset before the answer.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    // What browsers send is no flood.
    let usual: String = (0..40).map(|n| format!("x-{n}: {}\r\n", "a".repeat(200))).collect();
    let mut stream = dial(&relay).await;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{usual}\r\n").as_bytes()).await.unwrap();
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_given_up_and_told() {
    let relay = bounded(|bounds| bounds).await;
    let mut stream = dial(&relay).await;
    let head =
        "POST /auth/refresh HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(serde_json::from_str::<Problem>(body).unwrap().code, ErrorCode::IdleTimeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_and_never_reads_is_dropped() {
    let relay = bounded(|bounds| bounds).await;
    let mut stream = dial(&relay).await;
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    // The description is larger than a hundred kilobytes: after some the sockets are full.
    let (asked, closed) = (Instant::now(), async {
        let mut sent = 0_u32;
        while stream.write_all(request).await.is_ok() && sent < 1_000_000 {
            sent += 1;
        }
        sent
    });
    let sent = timeout(PATIENCE, closed).await.expect("the relay drops who does not read");
    assert!(sent < 1_000_000 && asked.elapsed() >= SHORT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections_and_no_more() {
    let relay = bounded(|bounds| Bounds { of_address: Some(3), head: PATIENCE, ..bounds }).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = dial(&relay).await;
        assert!(asked(&mut stream).await.is_some());
        held.push(stream);
    }
    assert_eq!(until_closed(&mut dial(&relay).await).await, "");
    drop(held.pop());
    let until = Instant::now() + PATIENCE;
    while asked(&mut dial(&relay).await).await.is_none() {
        assert!(Instant::now() < until, "the place of the one that left is free again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_may_be_wait_for_their_turn() {
    let relay = bounded(|bounds| Bounds { connections: 3, head: PATIENCE, ..bounds }).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = dial(&relay).await;
        assert!(asked(&mut stream).await.is_some());
        held.push(stream);
    }
    let mut fourth = dial(&relay).await;
    let mut waiting = Box::pin(asked(&mut fourth));
    assert!(timeout(SHORT, waiting.as_mut()).await.is_err(), "there is no room yet");
    drop(held.pop());
    let answer = timeout(PATIENCE, waiting).await.expect("its turn comes");
    assert!(answer.is_some());
}

/// Two people talk while as many connections as this process may have lie idle. 10,000 where the
/// system allows it: both ends of each are in one process here, and each is an open file.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_do_not_hurt_others() {
    let files = susurro_server::adapters::inbound::serve::open_files().unwrap_or(1_024);
    let idle = (files.saturating_sub(400) / 2).min(10_000);
    let bounds = Bounds { connections: 60_000, ..Bounds::default() };
    let relay = relay_with(|config| Config { bounds, ..config }).await;
    let (alice, bob, chat) = pair(&relay).await;
    let (mut at_alice, mut at_bob) = (alice.connect(0).await, bob.connect(0).await);

    let begun = Instant::now();
    let mut held = Vec::new();
    while held.len() < idle as usize {
        let some = (0..100).map(|_| async { dial(&relay).await });
        held.extend(futures_util::future::join_all(some).await);
    }
    println!("{} idle connections after {:?}", held.len(), begun.elapsed());
    let mut times = Vec::new();
    for n in 1..=200_u64 {
        let sent = Instant::now();
        at_alice.deposit(&alice.message(chat, &bob, &n.to_be_bytes())).await.unwrap();
        assert_eq!(at_bob.delivery().await.seq, n);
        at_bob.ack(n).await;
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    println!("a message takes {:?}, one in a hundred {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
    assert!(times[times.len() / 2] < Duration::from_millis(250), "{:?}", times[times.len() / 2]);
    assert!(at_alice.is_quiet().await);
    // Who opens a connection now gets its turn as well.
    assert!(timeout(PATIENCE, asked(&mut dial(&relay).await)).await.is_ok_and(|answer| answer.is_some()));
    // Those that never said a word do not stay for ever.
    for stream in &mut held[..100] {
        until_closed(stream).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_brings_too_much_is_slowed_down_and_loses_nothing() {
    let pace = Pace { messages: PerMinute(60), kib: PerMinute(1_000_000) };
    let relay = relay_with(|config| Config { pace, ..config }).await;
    let (alice, bob, chat) = pair(&relay).await;
    let (mut at_alice, mut at_bob) = (alice.connect(0).await, bob.connect(0).await);
    let begun = Instant::now();
    let messages: Vec<_> = (0..63_u8).map(|n| alice.message(chat, &bob, &[n + 1])).collect();
    for message in &messages {
        at_alice.say(FrameKind::Send, message).await;
    }
    for (n, message) in messages.iter().enumerate() {
        let stored: Stored = at_alice.expect(FrameKind::Stored).await;
        assert_eq!(stored.message, message.message, "in order");
        assert_eq!(at_bob.delivery().await.message, messages[n].message);
    }
    assert!(begun.elapsed() >= Duration::from_secs(2), "the last three came one a second: {:?}", begun.elapsed());

    // Coming again gives nothing back, and neither does the other door.
    let post = PostMessage {
        message: MessageId::from_bytes(random()),
        lists: messages[0].lists.clone(),
        deposits: messages[0].deposits.clone(),
        time_to_live: 0,
    };
    drop(at_alice);
    let path = format!("/chats/{chat}/messages");
    let until = Instant::now() + PATIENCE;
    // What the connection has spent counts when the relay has noticed its end.
    while !relay_refuses(&alice, &path, &post).await {
        assert!(Instant::now() < until);
    }
    let mut again = alice.connect(0).await;
    let begun = Instant::now();
    for _ in 0..3 {
        again.deposit(&alice.message(chat, &bob, b"again")).await.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// Whether a message over HTTPS is refused as one too many.
async fn relay_refuses(person: &Person, path: &str, post: &PostMessage) -> bool {
    let response = person.request(Method::POST, path).json(post).send().await.unwrap();
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => {
            assert!(response.headers().contains_key("retry-after"));
            true
        }
        status => {
            assert_eq!(status, StatusCode::OK);
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_so_many_sockets_and_no_more() {
    let relay = relay_with(|config| config).await;
    let (alice, bob, _) = pair(&relay).await;
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(alice.dial().await.unwrap());
    }
    assert_eq!(alice.dial().await.err(), Some(StatusCode::TOO_MANY_REQUESTS));
    let _other = bob.connect(0).await;
    open.pop();
    let until = Instant::now() + PATIENCE;
    while alice.dial().await.is_err() {
        assert!(Instant::now() < until, "the place of the one that left is free again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_counted_beside_everything_else() {
    let relay = relay_with(|config| Config { search_rate: PerMinute(2), ..config }).await;
    let (alice, ..) = pair(&relay).await;
    let search = async || alice.request(Method::GET, "/users/search?q=bo").send().await.unwrap();
    for left in ["1", "0"] {
        let found = search().await;
        assert_eq!(found.status(), StatusCode::OK);
        assert_eq!(
            (&found.headers()["ratelimit-limit"], &found.headers()["ratelimit-remaining"]),
            (&"2".parse().unwrap(), &left.parse().unwrap())
        );
    }
    let refused = search().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    let me = alice.request(Method::GET, "/users/me").send().await.unwrap();
    assert_eq!(me.status(), StatusCode::OK);
}

/// Many clients at once that begin a request and drip.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_slow_clients_do_not_hurt_others() {
    let relay = relay_with(|config| config).await;
    let (alice, bob, chat) = pair(&relay).await;
    let (mut at_alice, mut at_bob) = (alice.connect(0).await, bob.connect(0).await);
    let mut slow = Vec::new();
    for _ in 0..500 {
        let mut stream = dial(&relay).await;
        stream.write_all(b"POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n").await.unwrap();
        slow.push(stream);
    }
    for n in 1..=50_u64 {
        for stream in &mut slow {
            let _ = stream.write_all(b"x-a: b\r\n").await;
        }
        let deposited = timeout(PATIENCE, at_alice.deposit(&alice.message(chat, &bob, b"hello"))).await;
        deposited.expect("others are served").unwrap();
        assert_eq!(at_bob.delivery().await.seq, n);
    }
    at_alice.say(FrameKind::Ping, &susurro_protocol::command::Ping { nonce: 1 }).await;
}
