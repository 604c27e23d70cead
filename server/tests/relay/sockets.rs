//! The handshake, its enemies, and how connections end.

use std::time::Duration;

use susurro_protocol::command::{Ack, Ping, Send};
use susurro_protocol::event::{ErrorNotice, GoingAway, Pong};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::limits::FRAME_MAX;
use susurro_protocol::{ErrorCode, MessageId};
use susurro_server::adapters::inbound::ws::Timing;
use susurro_server::config::Config;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Closed, Person, code, pair, register, relay, relay_with};

fn closed(code: ErrorCode) -> Closed {
    Closed(Some(code.close_code()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_needs_a_good_token_and_the_subprotocol() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let without = async |name: &'static str| {
        alice
            .dial_with(|mut request| {
                request.headers_mut().remove(name);
                request
            })
            .await
            .err()
            .map(|status| status.as_u16())
    };
    assert_eq!(without("authorization").await, Some(401));
    assert_eq!(without("sec-websocket-protocol").await, Some(400));
    let query = alice
        .dial_with(|mut request| {
            request.headers_mut().remove("authorization");
            *request.uri_mut() = format!("{}?token={}", request.uri(), alice.tokens.access_token).parse().unwrap();
            request
        })
        .await;
    assert!(query.is_ok(), "a token in the query is as good");
    let plain = alice.get::<()>("/ws").await;
    assert_eq!(code(plain), Some(ErrorCode::InvalidRequest));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_without_the_device_key_opens_nothing() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let thief = Person { signing_key: ed25519_dalek::SigningKey::from_bytes(&[9; 32]), ..alice };
    let mut socket = thief.dial().await.unwrap();
    socket.send(thief.hello(0).1).await;
    assert_eq!(socket.refused().await, (ErrorCode::BadSignature, closed(ErrorCode::BadSignature)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_of_another_account_token_relay_or_kind_is_refused() {
    let relay = relay().await;
    let (alice, bob) = (register(&relay, "alice").await, register(&relay, "bob").await);

    let mut socket = bob.dial().await.unwrap();
    socket.send(alice.hello(0).1).await;
    assert_eq!(socket.refused().await.0, ErrorCode::Unauthenticated, "made for another token");

    let tokens = susurro_protocol::rest::TokenResponse { ..clone(&bob.tokens) };
    let pretender = Person { tokens, ..alice };
    let mut socket = pretender.dial().await.unwrap();
    socket.send(pretender.hello(0).1).await;
    assert_eq!(socket.refused().await.0, ErrorCode::Unauthenticated, "the token is another account's");

    let elsewhere = Person { relay_key: [1; 32], ..bob };
    let mut socket = elsewhere.dial().await.unwrap();
    socket.send(elsewhere.hello(0).1).await;
    assert_eq!(socket.refused().await.0, ErrorCode::RelayKeyMismatch);

    let carol = register(&relay, "carol").await;
    let mut socket = carol.dial().await.unwrap();
    let ping = RawFrame {
        version: 1,
        kind: FrameKind::Ping,
        seq: 0,
        body: bytes::Bytes::from_static(&[0x91, 1]),
        tag: bytes::Bytes::new(),
    };
    socket.send(ping.encode()).await;
    assert_eq!(socket.refused().await.0, ErrorCode::UnexpectedFrame);

    let mut socket = carol.dial().await.unwrap();
    socket.send(&b"GET / HTTP/1.1"[..]).await;
    assert_eq!(socket.refused().await, (ErrorCode::MalformedFrame, closed(ErrorCode::MalformedFrame)));
}

fn clone(tokens: &susurro_protocol::rest::TokenResponse) -> susurro_protocol::rest::TokenResponse {
    serde_json::from_value(serde_json::to_value(tokens).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_is_not_waited_for() {
    let timing = Timing { handshake: Duration::from_millis(200), ..Timing::default() };
    let relay = relay_with(|config| Config { timing, ..config }).await;
    let alice = register(&relay, "alice").await;
    let socket = alice.dial().await.unwrap();
    assert_eq!(socket.refused().await, (ErrorCode::HandshakeTimeout, closed(ErrorCode::HandshakeTimeout)));

    // Nor after `Welcome`, where the refusal can be checked.
    let (_, talk) = alice.greet(0).await;
    assert_eq!(talk.ended().await, (ErrorCode::HandshakeTimeout, closed(ErrorCode::HandshakeTimeout)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_session_is_ended() {
    let timing = Timing { idle: Duration::from_millis(500), ..Timing::default() };
    let relay = relay_with(|config| Config { timing, ..config }).await;
    let alice = register(&relay, "alice").await;
    let talk = alice.connect(0).await;
    assert_eq!(talk.ended().await, (ErrorCode::IdleTimeout, closed(ErrorCode::IdleTimeout)));
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_6_a_replayed_hello_cannot_take_a_connection_over() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut talk = alice.connect(0).await;
    let hello = alice.hello(0).1;
    for _ in 0..2 {
        // Somebody with the token and a recorded `Hello`, but without the ephemeral behind it.
        let mut thief = alice.dial().await.unwrap();
        thief.send(hello.clone()).await;
        assert_eq!(thief.raw().await.unwrap().kind, FrameKind::Welcome);
        thief.send(vec![0x95, 1, 17, 1, 0xc4, 2, 0x91, 0, 0xc4, 0]).await;
        loop {
            match thief.receive().await {
                Ok(_) => {}
                Err(ended) => break assert_eq!(ended, closed(ErrorCode::BadTag)),
            }
        }
    }
    assert!(talk.is_quiet().await, "the device's own connection did not notice");
    talk.deposit(&alice.message(chat, &bob, b"still here")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_session_frame_is_the_acknowledgement_of_the_cursor_and_nothing_else() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let (_, mut talk) = alice.greet(0).await;
    talk.say(FrameKind::Ping, &Ping { nonce: 1 }).await;
    assert_eq!(talk.ended().await.0, ErrorCode::UnexpectedFrame);
    let (_, mut talk) = alice.greet(0).await;
    talk.say(FrameKind::Ack, &Ack { cursor: 1 }).await;
    assert_eq!(talk.ended().await.0, ErrorCode::UnexpectedFrame);
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledging_what_was_not_delivered_deletes_nothing() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    alice.connect(0).await.deposit(&alice.message(chat, &bob, b"x")).await.unwrap();
    let mut to = bob.connect(0).await;
    assert_eq!(to.delivery().await.seq, 1);
    to.ack(2).await;
    assert_eq!(to.ended().await, (ErrorCode::UnexpectedFrame, closed(ErrorCode::UnexpectedFrame)));
    assert_eq!(bob.connect(0).await.delivery().await.seq, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_acknowledgement_may_be_further_than_hello_but_not_behind_it() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut from = alice.connect(0).await;
    for _ in 0..3 {
        from.deposit(&alice.message(chat, &bob, b"x")).await.unwrap();
    }
    let (_, mut to) = bob.greet(1).await;
    to.ack(2).await;
    assert_eq!(to.delivery().await.seq, 3);
    for bad in [0, 4] {
        let (_, mut to) = bob.greet(1).await;
        to.ack(bad).await;
        assert_eq!(to.ended().await.0, ErrorCode::UnexpectedFrame);
    }
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while bob.connect(0).await.delivery().await.seq != 3 {
        assert!(std::time::Instant::now() < deadline, "what was acknowledged first is forgotten");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_ahead_of_a_restored_relay_gets_everything_that_waits() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut from = alice.connect(0).await;
    for _ in 0..3 {
        from.deposit(&alice.message(chat, &bob, b"x")).await.unwrap();
    }
    let mut to = bob.connect(0).await;
    assert_eq!(to.delivery().await.seq, 1);
    to.ack(1).await;
    assert_eq!((to.delivery().await.seq, to.delivery().await.seq), (2, 3));
    assert!(to.is_quiet().await);
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    let (welcome, mut to) = loop {
        let (welcome, to) = bob.greet(900).await;
        if welcome.mailbox_head == 1 {
            break (welcome, to);
        }
        assert!(std::time::Instant::now() < deadline, "the acknowledgement becomes durable");
    };
    // It goes on from the head that it is told, below everything that it may not have seen.
    to.ack(welcome.mailbox_head).await;
    assert_eq!((to.delivery().await.seq, to.delivery().await.seq), (2, 3));
    to.ack(3).await;
    assert!(to.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_client_ends_the_connection_without_an_error_back() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let mut talk = alice.connect(0).await;
    talk.say(FrameKind::Error, &ErrorNotice::of(ErrorCode::UnknownKind)).await;
    assert!(talk.is_quiet().await);
    talk.say(FrameKind::Error, &ErrorNotice::of(ErrorCode::BadTag)).await;
    assert_eq!(talk.frame().await.err(), Some(closed(ErrorCode::BadTag)));
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_4_a_flipped_bit_a_replay_and_a_gap_close_the_session() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let ping = Ping { nonce: 1 };

    let mut talk = alice.connect(0).await;
    let mut frame = talk.pair.sealer.seal(FrameKind::Ping, &ping).unwrap();
    *frame.last_mut().unwrap() ^= 1;
    talk.socket.send(frame).await;
    assert_eq!(talk.ended().await, (ErrorCode::BadTag, closed(ErrorCode::BadTag)));

    let mut talk = alice.connect(0).await;
    let frame = talk.pair.sealer.seal(FrameKind::Ping, &ping).unwrap();
    talk.socket.send(frame.clone()).await;
    talk.expect::<Pong>(FrameKind::Pong).await;
    talk.socket.send(frame).await;
    assert_eq!(talk.ended().await, (ErrorCode::BadSequence, closed(ErrorCode::BadSequence)));

    let mut talk = alice.connect(0).await;
    talk.pair.sealer.seal(FrameKind::Ping, &ping).unwrap();
    talk.say(FrameKind::Ping, &ping).await;
    assert_eq!(talk.ended().await.0, ErrorCode::BadSequence);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_kind_is_survived_and_other_nonsense_is_not() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let mut talk = alice.connect(0).await;
    let later = talk.pair.sealer.seal_body(FrameKind::Unknown(999), &[0x90]).unwrap();
    talk.socket.send(later).await;
    let notice: ErrorNotice = talk.expect(FrameKind::Error).await;
    assert_eq!((notice.code, notice.about), (ErrorCode::UnknownKind, 999));
    assert!(talk.is_quiet().await);

    let wrong_way = talk.pair.sealer.seal(FrameKind::Pong, &Pong { nonce: 1 }).unwrap();
    talk.socket.send(wrong_way).await;
    assert_eq!(talk.ended().await, (ErrorCode::UnexpectedFrame, closed(ErrorCode::UnexpectedFrame)));

    let mut talk = alice.connect(0).await;
    let malformed = talk.pair.sealer.seal_body(FrameKind::Send, &[0x90]).unwrap();
    talk.socket.send(malformed).await;
    assert_eq!(talk.ended().await, (ErrorCode::MalformedBody, closed(ErrorCode::MalformedBody)));

    let mut talk = alice.connect(0).await;
    futures_util::SinkExt::send(&mut talk.socket.stream, Message::text("hello")).await.unwrap();
    assert_eq!(talk.ended().await.0, ErrorCode::MalformedFrame);

    let mut talk = alice.connect(0).await;
    talk.socket.send(vec![0; FRAME_MAX + 1]).await;
    assert_eq!(talk.ended().await, (ErrorCode::FrameTooLarge, Closed(Some(1009))));

    let mut talk = alice.connect(0).await;
    talk.socket.send(vec![0; 4 * FRAME_MAX]).await;
    assert_eq!(talk.ended().await, (ErrorCode::FrameTooLarge, Closed(Some(1009))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_of_the_same_device_takes_over() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let old = bob.connect(0).await;
    let mut new = bob.connect(0).await;
    assert_eq!(old.ended().await, (ErrorCode::Superseded, closed(ErrorCode::Superseded)));
    alice.connect(0).await.deposit(&alice.message(chat, &bob, b"x")).await.unwrap();
    assert_eq!(new.delivery().await.seq, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_ends_the_open_connection_at_once() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let mut talk = alice.connect(0).await;
    assert!(talk.is_quiet().await, "the session is open");
    alice.logout().await;
    assert_eq!(talk.ended().await, (ErrorCode::TokenRevoked, closed(ErrorCode::TokenRevoked)));
    assert_eq!(alice.dial().await.err().map(|status| status.as_u16()), Some(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_during_the_handshake_is_noticed() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let (_, mut talk) = alice.greet(0).await;
    alice.logout().await;
    talk.ack(0).await;
    assert_eq!(talk.ended().await.0, ErrorCode::TokenRevoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_goes_away_answers_what_it_took_and_says_when_to_come_back() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut from = alice.connect(0).await;
    let mut to = bob.connect(0).await;
    let sent: Vec<Send> = (0..300_u16).map(|n| alice.message(chat, &bob, &n.to_be_bytes())).collect();
    for send in &sent {
        from.say(FrameKind::Send, send).await;
    }
    // One answer shows that the relay has begun to read them.
    let mut stored: Vec<MessageId> =
        vec![from.expect::<susurro_protocol::event::Stored>(FrameKind::Stored).await.message];
    let (running, again) = relay.parted();
    let ending = tokio::spawn(running.shutdown());
    let going = loop {
        let frame = from.frame().await.unwrap();
        match frame.kind() {
            FrameKind::Stored => {
                stored.push(
                    susurro_protocol::codec::decode::<susurro_protocol::event::Stored>(frame.body()).unwrap().message,
                );
            }
            FrameKind::GoingAway => break susurro_protocol::codec::decode::<GoingAway>(frame.body()).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert!(going.retry_after > 0);
    assert_eq!(from.socket.receive().await.unwrap_err(), Closed(Some(1001)));
    while to.frame().await.is_ok() {}
    assert!(ending.await.unwrap(), "in time");

    let running = again.start().await;
    let bob = Person { url: running.url(), ..bob };
    let mut to = bob.connect(0).await;
    for message in stored {
        let got = to.delivery().await;
        assert_eq!(got.message, message, "whatever was answered is there");
        to.ack(got.seq).await;
    }
    assert!(to.is_quiet().await, "and whatever is there was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_idle_connections_do_not_hold_up_the_end() {
    let relay = relay().await;
    let mut sockets = Vec::new();
    // An account has at most 32 (RATE-7).
    for name in ["alice", "bruno", "carla", "dario"] {
        let person = register(&relay, name).await;
        for _ in 0..25 {
            sockets.push(person.dial().await.unwrap());
        }
    }
    assert!(relay.running.shutdown().await);
}
