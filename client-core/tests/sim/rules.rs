//! Each rule of the engine by itself.

use susurro_client_core::model::{ClientEvent, Connection, Delivery, Trouble};
use susurro_client_core::store::port::Mutation;
use susurro_client_core::sync::{Command, ConnectFailure, Input, Refused, Request, RequestFailure};
use susurro_protocol::event::{ErrorNotice, Rejected};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::RESTORATION;
use susurro_protocol::limits::TEXT_MAX;
use susurro_protocol::{ErrorCode, MessageId, codec};

use crate::people::{START, people};
use crate::solo::Solo;

fn kinds(frames: &[Vec<u8>]) -> Vec<FrameKind> {
    frames.iter().map(|frame| RawFrame::decode(&frame.clone().into()).unwrap().kind).collect()
}

fn delivery(solo: &Solo, message: MessageId) -> Delivery {
    solo.store.messages.values().find(|view| view.id == message).unwrap().delivery
}

#[test]
fn the_first_frame_of_a_session_is_the_cursor() {
    let mut alice = Solo::with(|store| store.cursor = 0);
    alice.connect();
    assert_eq!(kinds(&alice.frames)[0], FrameKind::Ack);
}

#[test]
fn a_relay_with_another_key_than_the_pinned_one_is_not_spoken_to_and_not_asked_again() {
    let mut alice = Solo::with(|store| store.relay.key = [3; 32]);
    alice.input(Input::GoOnline);
    alice.open();
    assert_eq!(alice.engine.connection(), Connection::Blocked(Trouble::RelayKeyChanged));
    assert_eq!(alice.socket, None);
    alice.tick_at(START + 24 * 3_600_000);
    assert_eq!(alice.socket, None, "no loop");
}

#[test]
fn a_token_that_ends_soon_is_refreshed_before_a_socket_is_opened() {
    let mut alice = Solo::with(|store| store.tokens.as_mut().unwrap().access_expires = START + 1000);
    let before = alice.store.tokens.clone();
    alice.input(Input::GoOnline);
    assert_eq!(alice.socket, None);
    assert!(matches!(alice.requests[0].1, Request::Refresh { .. }));
    alice.answer();
    assert!(alice.store.tokens != before);
    alice.open();
    assert_eq!(alice.engine.connection(), Connection::Connected);
}

#[test]
fn a_refused_refresh_token_is_a_logout_and_an_unanswered_one_is_not() {
    let mut alice = Solo::with(|store| store.tokens.as_mut().unwrap().access_expires = START);
    alice.input(Input::GoOnline);
    let (id, ..) = alice.requests.remove(0);
    alice.input(Input::Answered(id, Err(RequestFailure::Unreachable)));
    assert!(matches!(alice.engine.connection(), Connection::Waiting { trouble: Trouble::Unreachable, .. }));
    assert!(alice.store.tokens.is_some());
    alice.relay.revoke_refresh();
    alice.wake();
    alice.answer();
    assert_eq!(alice.engine.connection(), Connection::Blocked(Trouble::LoggedOut));
    assert!(alice.store.tokens.is_some(), "a refusal is signed by nobody: an impostor must not log anybody out");
}

#[test]
fn waits_grow_up_to_a_minute_vary_and_never_fall_below_what_the_relay_asks_for() {
    let mut alice = Solo::alice();
    alice.input(Input::GoOnline);
    let mut waits = Vec::new();
    for _ in 0..20 {
        let socket = alice.socket.take().unwrap();
        alice.input(Input::SocketFailed(socket, ConnectFailure::Unreachable));
        let Connection::Waiting { at, .. } = alice.engine.connection() else { panic!("waits") };
        waits.push(at - alice.now);
        alice.wake();
    }
    assert!(waits.iter().all(|wait| (500..=60_000).contains(wait)), "{waits:?}");
    assert!(waits[0] <= 1000 && waits[1] <= 2000 && waits[2] <= 4000);
    assert!(waits[8..].iter().any(|wait| *wait > 20_000));
    assert!(waits[8..].windows(2).all(|pair| pair[0] != pair[1]));
    let refused = ConnectFailure::Refused { code: ErrorCode::RateLimited, retry_after: Some(300_000) };
    alice.input(Input::SocketFailed(alice.socket.unwrap(), refused));
    assert_eq!(
        alice.engine.connection(),
        Connection::Waiting { at: alice.now + 300_000, trouble: Trouble::Overloaded }
    );
}

#[test]
fn a_relay_that_goes_away_is_left_alone_for_as_long_as_it_asked() {
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    let out = alice.relay.going_away();
    alice.hear(out);
    let Connection::Waiting { at, trouble: Trouble::GoingAway } = alice.engine.connection() else { panic!("waits") };
    assert!(at >= alice.now + 500);
}

#[test]
fn a_silent_connection_is_given_up_after_the_ping_s_deadline() {
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    let start = alice.now;
    alice.wake();
    assert_eq!(alice.now - start, 30_000);
    assert_eq!(kinds(&alice.frames), [FrameKind::Ping]);
    alice.frames.clear();
    alice.wake();
    assert_eq!(alice.now - start, 40_000);
    assert!(matches!(alice.engine.connection(), Connection::Waiting { trouble: Trouble::Lost, .. }));
    assert_eq!(alice.socket, None);
}

#[test]
fn an_answered_ping_keeps_the_connection() {
    let mut alice = Solo::alice();
    alice.connect();
    for _ in 0..100 {
        alice.exchange();
        alice.wake();
    }
    assert_eq!(alice.engine.connection(), Connection::Connected);
    assert!(alice.now - START >= 40 * 30_000);
}

#[test]
fn a_jump_of_the_clock_is_taken_for_a_suspend_and_the_connection_made_anew_at_once() {
    for jump in [3_600_000_i64, -3_600_000] {
        let mut alice = Solo::alice();
        alice.connect();
        alice.exchange();
        let socket = alice.socket;
        alice.tick_at(alice.now.saturating_add_signed(jump));
        assert!(alice.socket.is_none() || alice.socket != socket);
        assert_eq!(alice.engine.connection(), Connection::Connecting);
    }
}

#[test]
fn a_superseded_connection_stops_and_says_so() {
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    let socket = alice.socket.take().unwrap();
    alice.input(Input::SocketClosed(socket, Some(ErrorCode::Superseded)));
    assert_eq!(alice.engine.connection(), Connection::Blocked(Trouble::Superseded));
    alice.tick_at(alice.now + 600_000);
    assert_eq!(alice.socket, None);
    alice.connect();
}

#[test]
fn a_revoked_token_is_refreshed_once_and_then_taken_for_a_logout() {
    let mut alice = Solo::alice();
    alice.input(Input::GoOnline);
    let refused = ConnectFailure::Refused { code: ErrorCode::TokenRevoked, retry_after: None };
    alice.input(Input::SocketFailed(alice.socket.unwrap(), refused));
    alice.answer();
    assert_eq!(alice.engine.connection(), Connection::Connecting);
    alice.input(Input::SocketFailed(alice.socket.unwrap(), refused));
    assert_eq!(alice.engine.connection(), Connection::Blocked(Trouble::LoggedOut));
}

#[test]
fn a_relay_restored_from_a_backup_loses_nothing_that_comes_after() {
    let mut alice = Solo::with(|store| store.cursor = 40);
    alice.connect();
    assert_eq!(alice.store.cursor, 0, "positions are given out a second time");
}

#[test]
fn after_a_restoration_what_has_no_receipt_is_sent_again_once() {
    let mut alice = Solo::alice();
    alice.connect();
    let message = alice.compose(&people()[1], 1);
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
    let device = people()[0].device_id();
    alice.relay.restored(device);
    alice.restart();
    alice.connect();
    assert_eq!(kinds(&alice.frames).iter().filter(|kind| **kind == FrameKind::Send).count(), 1, "it may be lost");
    assert_eq!(alice.store.cursor, RESTORATION, "positions went up");
    alice.exchange();
    alice.restart();
    alice.connect();
    assert!(!kinds(&alice.frames).contains(&FrameKind::Send), "once a restoration");
}

#[test]
fn events_of_an_earlier_socket_and_answers_to_an_earlier_engine_are_ignored() {
    let mut alice = Solo::alice();
    alice.input(Input::GoOnline);
    let first = alice.socket.unwrap();
    alice.input(Input::SocketFailed(first, ConnectFailure::Unreachable));
    alice.wake();
    let second = alice.socket.unwrap();
    assert!(second > first);
    alice.input(Input::SocketClosed(first, None));
    alice.open();
    assert_eq!(alice.engine.connection(), Connection::Connected);
    let (id, ..) = alice.requests.remove(0);
    alice.restart();
    alice.input(Input::GoOnline);
    alice.input(Input::Answered(id, Err(RequestFailure::Refused { code: ErrorCode::TokenRevoked, retry_after: None })));
    assert_eq!(alice.engine.connection(), Connection::Connecting);
    assert!(alice.requests.is_empty());
}

#[test]
fn one_message_of_a_conversation_is_on_its_way_at_a_time_and_conversations_do_not_wait_for_each_other() {
    let mut alice = Solo::alice();
    alice.connect();
    for person in [1, 2] {
        alice.compose(&people()[person], person as u8);
    }
    alice.exchange();
    for (person, number) in [(1, 3), (1, 4), (2, 5), (2, 6)] {
        alice.compose(&people()[person], number);
    }
    assert_eq!(kinds(&alice.frames), [FrameKind::Send, FrameKind::Send], "one each");
    let out = alice.relay_reads();
    alice.hear(out);
    assert_eq!(kinds(&alice.frames), [FrameKind::Send, FrameKind::Send], "then the next");
    alice.exchange();
    assert!(alice.store.outbox.is_empty());
}

#[test]
fn bytes_and_stepped_session_are_durable_together_and_every_try_sends_the_same_bytes() {
    let mut alice = Solo::alice();
    alice.connect();
    alice.compose(&people()[1], 1);
    alice.exchange();
    alice.compose(&people()[1], 2);
    let encrypted = |mutation: &Mutation| matches!(mutation, Mutation::Outbox(entry) if entry.wire.is_some());
    assert!(alice.commit.iter().any(encrypted));
    assert!(alice.commit.iter().any(|mutation| matches!(mutation, Mutation::Sessions(..))));
    let body = |frame: &Vec<u8>| RawFrame::decode(&frame.clone().into()).unwrap().body;
    let first = body(&alice.frames[0]);
    for _ in 0..3 {
        alice.restart();
        alice.connect();
        let send = alice.frames.iter().find(|frame| kinds(&[frame.to_vec()]) == [FrameKind::Send]).unwrap();
        assert_eq!(body(send), first);
    }
}

#[test]
fn a_name_that_nobody_has_fails_loudly() {
    let mut alice = Solo::alice();
    alice.connect();
    let peer: susurro_protocol::AccountName = "nobody".parse().unwrap();
    let message = MessageId::from_bytes([1; 16]);
    alice.input(Input::Command(Command::Compose { peer: peer.clone(), message, text: "hello?".into() }));
    assert_eq!(delivery(&alice, message), Delivery::Queued);
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Failed(ErrorCode::NotFound));
    let failed = ClientEvent::Delivery { peer, message, delivery: Delivery::Failed(ErrorCode::NotFound) };
    assert!(alice.events.contains(&failed));
    assert!(alice.store.outbox.is_empty());
}

#[test]
fn a_failed_text_can_be_sent_again_under_its_identifier() {
    let mut alice = Solo::alice();
    alice.connect();
    let bob = alice.relay.accounts.remove(&people()[1].name).unwrap();
    let message = alice.compose(&people()[1], 1);
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Failed(ErrorCode::NotFound));
    alice.relay.accounts.insert(people()[1].name.clone(), bob);
    let (peer, text) = (people()[1].name.clone(), "text 1".to_owned());
    alice.input(Input::Command(Command::Retry { peer, message, text }));
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
}

#[test]
fn a_message_that_the_relay_never_takes_fails_and_the_next_goes_on() {
    let mut alice = Solo::alice();
    alice.connect();
    alice.compose(&people()[1], 1);
    alice.exchange();
    // The chat is gone and cannot be opened again.
    alice.relay.chats.clear();
    let bob = alice.relay.accounts.remove(&people()[1].name).unwrap();
    let lost = alice.compose(&people()[1], 2);
    alice.exchange();
    assert!(matches!(delivery(&alice, lost), Delivery::Failed(_)));
    alice.relay.accounts.insert(people()[1].name.clone(), bob);
    let next = alice.compose(&people()[1], 3);
    alice.exchange();
    assert_eq!(delivery(&alice, next), Delivery::Accepted);
}

#[test]
fn a_message_for_a_device_without_prekeys_stays_queued_and_is_tried_again() {
    let mut alice = Solo::alice();
    alice.connect();
    let device = alice.relay.devices.remove(&people()[1].device_id()).unwrap();
    let message = alice.compose(&people()[1], 1);
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Queued);
    alice.relay.devices.insert(people()[1].device_id(), device);
    for _ in 0..3 {
        alice.wake();
        alice.exchange();
    }
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
}

#[test]
fn a_text_is_refused_before_anything_changes_when_it_cannot_be_sent() {
    let mut alice = Solo::alice();
    let (me, bob) = (people()[0].name.clone(), people()[1].name.clone());
    let message = MessageId::from_bytes([1; 16]);
    let refusals = [
        (bob.clone(), String::new(), Refused::EmptyText),
        (bob, "x".repeat(TEXT_MAX + 1), Refused::TooLong { bytes: TEXT_MAX + 1, max: TEXT_MAX }),
        (me, "note to self".into(), Refused::Yourself),
    ];
    for (peer, text, refusal) in refusals {
        alice.input(Input::Command(Command::Compose { peer, message, text }));
        assert_eq!(alice.refused, Some(refusal));
        assert!(alice.commit.is_empty() && alice.store.messages.is_empty() && alice.store.outbox.is_empty());
    }
}

#[test]
fn the_largest_legal_text_of_multibyte_characters_goes_through() {
    let mut alice = Solo::alice();
    alice.connect();
    let (peer, message) = (people()[1].name.clone(), MessageId::from_bytes([1; 16]));
    let text = "ñ".repeat(TEXT_MAX / 2);
    alice.input(Input::Command(Command::Compose { peer, message, text }));
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
}

#[test]
fn the_engine_says_when_it_is_settled() {
    let mut alice = Solo::alice();
    assert!(!alice.engine.is_settled());
    alice.connect();
    alice.exchange();
    assert!(alice.engine.is_settled());
    alice.compose(&people()[1], 1);
    assert!(!alice.engine.is_settled());
    alice.exchange();
    assert!(alice.engine.is_settled());
    assert!(alice.events.contains(&ClientEvent::Queued(0)));

    // Who would end now would not hear of a changed device list.
    let changed = alice.relay.new_list(&people()[1], alice.now);
    alice.hear(changed);
    assert!(!alice.engine.is_settled());
    alice.exchange();
    assert!(alice.engine.is_settled());
}

#[test]
fn kinds_of_a_later_version_are_ignored_and_the_session_goes_on() {
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    alice.told(FrameKind::Unknown(999), b"whatever");
    assert!(alice.frames.is_empty(), "{:?}", kinds(&alice.frames));
    assert_eq!(alice.engine.connection(), Connection::Connected);
}

#[test]
fn what_does_not_belong_ends_the_session_with_an_error_frame_and_its_code() {
    let wrong: [(FrameKind, &[u8], ErrorCode); 4] = [
        (FrameKind::Ping, &[0x91, 1], ErrorCode::UnexpectedFrame),
        (FrameKind::Welcome, &[], ErrorCode::UnexpectedFrame),
        (FrameKind::Stored, &[0x91, 1], ErrorCode::MalformedBody),
        (FrameKind::Pong, &[0x91, 1, 0], ErrorCode::MalformedBody),
    ];
    for (kind, body, code) in wrong {
        let mut alice = Solo::alice();
        alice.connect();
        alice.exchange();
        alice.told(kind, body);
        assert_eq!(kinds(&alice.frames), [FrameKind::Error], "{kind:?}");
        assert_eq!(alice.closed, [Some(code)], "{kind:?}");
        assert!(matches!(alice.engine.connection(), Connection::Waiting { .. }));
    }
    // An error is not answered with an error (FRAME-6).
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    alice.told(FrameKind::Error, &[0x91, 1]);
    assert!(alice.frames.is_empty());
    assert_eq!(alice.closed, [Some(ErrorCode::MalformedBody)]);
}

#[test]
fn a_frame_that_is_not_the_next_one_ends_the_session_with_its_code() {
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    let socket = alice.socket.unwrap();
    alice.input(Input::Frames(socket, vec![b"nothing".to_vec().into()]));
    assert_eq!(kinds(&alice.frames), [FrameKind::Error]);
    assert_eq!(alice.closed, [Some(ErrorCode::MalformedFrame)]);
}

#[test]
fn a_relay_that_takes_a_token_and_then_refuses_it_is_not_asked_in_a_loop() {
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    let notice = codec::encode(&ErrorNotice::of(ErrorCode::TokenRevoked));
    alice.told(FrameKind::Error, &notice);
    alice.answer();
    alice.open();
    alice.exchange();
    alice.told(FrameKind::Error, &notice);
    assert_eq!(alice.engine.connection(), Connection::Blocked(Trouble::LoggedOut));
    assert!(alice.store.tokens.is_some(), "kept for when a person tries again");
}

#[test]
fn a_rejection_for_the_tokens_sake_brings_another_token_and_the_same_bytes() {
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    let message = alice.compose(&people()[1], 1);
    while alice.frames.is_empty() {
        alice.answer();
    }
    let wire = alice.store.outbox.values().next().unwrap().wire.clone();
    alice.frames.clear();
    let rejected = Rejected {
        message,
        code: ErrorCode::TokenExpired,
        stale: Vec::new(),
        missing: Vec::new(),
        extra: Vec::new(),
        retry_after: 0,
    };
    alice.told(FrameKind::Rejected, &codec::encode(&rejected));
    assert!(matches!(alice.requests.last().unwrap().1, Request::Refresh { .. }));
    assert_eq!(alice.store.outbox.values().next().unwrap().wire, wire);
}

#[test]
fn a_ciphertext_above_what_the_relay_takes_is_given_up_and_the_next_one_goes() {
    let mut alice = Solo::alice();
    alice.relay.ciphertext_max = 3000;
    alice.connect();
    let (peer, large) = (people()[1].name.clone(), MessageId::from_bytes([9; 16]));
    alice.input(Input::Command(Command::Compose { peer, message: large, text: "x".repeat(5000) }));
    let small = alice.compose(&people()[1], 1);
    alice.exchange();
    assert_eq!(delivery(&alice, large), Delivery::Failed(ErrorCode::TooLarge));
    assert_eq!(delivery(&alice, small), Delivery::Accepted);
}
