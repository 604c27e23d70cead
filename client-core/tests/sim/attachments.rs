//! Files: uploaded before their message is sent, from where they stopped, whatever comes between.

use susurro_client_core::crypto::attachment::blob_size;
use susurro_client_core::model::{ClientEvent, Delivery, Direction, MessageContent};
use susurro_client_core::sync::{Command, Input, Request, RequestFailure};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::content::{Attachment, RECEIPT_SAVED, RECEIPT_STORED, Receipt, TYPE_ATTACHMENT, TYPE_RECEIPT};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::limits::{ATTACHMENT_MAX, BLOB_CHUNK};
use susurro_protocol::{BlobId, ErrorCode, MessageId, codec};

use crate::faults::{Action, Faults};
use crate::forger::Forger;
use crate::people::people;
use crate::solo::Solo;
use crate::world::World;

/// Of three chunks and a bit.
const SIZE: u64 = 3_200_000;

fn file(number: u8, size: u64) -> Attachment {
    Attachment {
        name: format!("{number}.pdf"),
        media_type: "application/pdf".into(),
        size,
        blob: BlobId::from_bytes([number; 16]),
        key: Fixed([number; 32]),
        hash: Fixed([number; 32]),
    }
}

fn attach(alice: &mut Solo, number: u8, again: bool) -> MessageId {
    let (message, peer) = (MessageId::from_bytes([number; 16]), people()[1].name.clone());
    let attachment = file(number, SIZE);
    alice.input(Input::Command(Command::Attach { peer, message, attachment, again }));
    assert!(alice.refused.is_none());
    message
}

fn delivery(alice: &Solo, message: MessageId) -> Delivery {
    alice.store.messages.values().find(|view| view.id == message).unwrap().delivery
}

/// Whether a message is on its way to the relay.
fn sends(alice: &Solo) -> bool {
    alice.frames.iter().any(|frame| RawFrame::decode(&frame.clone().into()).unwrap().kind == FrameKind::Send)
}

/// The offset of the chunk that is asked for.
fn chunk(alice: &Solo) -> Option<u64> {
    alice.requests.iter().find_map(|(_, request, _)| match request {
        Request::PutBlob { offset, .. } => Some(*offset),
        _ => None,
    })
}

/// Answers requests until this chunk is asked for.
fn until_chunk(alice: &mut Solo, number: u64) {
    for _ in 0..50 {
        let out = alice.relay_reads();
        alice.hear(out);
        if chunk(alice) == Some(number * BLOB_CHUNK as u64) {
            return;
        }
        if !alice.requests.is_empty() {
            alice.answer();
        }
        assert!(!sends(alice), "the message waits for its file");
    }
    panic!("chunk {number} is never asked for");
}

#[test]
fn a_message_waits_for_its_file_and_what_is_behind_it_waits_as_well() {
    let mut alice = Solo::alice();
    alice.connect();
    let message = attach(&mut alice, 1, false);
    let text = alice.compose(&people()[1], 2);
    for number in 0..4 {
        until_chunk(&mut alice, number);
        assert_eq!(delivery(&alice, message), Delivery::Queued);
    }
    assert!(alice.uploaded.is_empty());
    alice.exchange();
    assert_eq!((delivery(&alice, message), delivery(&alice, text)), (Delivery::Accepted, Delivery::Accepted));
    assert_eq!(alice.uploaded, [BlobId::from_bytes([1; 16])], "the copy in the profile is of no use any more");
    let size = blob_size(SIZE).unwrap();
    let told: Vec<_> = alice
        .events
        .iter()
        .filter_map(|event| match event {
            ClientEvent::Transfer { message: of, done, size: whole, .. } if *of == message && *whole == size => {
                Some(*done)
            }
            _ => None,
        })
        .collect();
    let chunk = BLOB_CHUNK as u64;
    assert_eq!(told, [0, chunk, 2 * chunk, 3 * chunk, size]);
}

#[test]
fn an_upload_goes_on_where_it_stopped_also_after_a_restart() {
    let mut alice = Solo::alice();
    alice.connect();
    let message = attach(&mut alice, 1, false);
    until_chunk(&mut alice, 2);
    alice.restart();
    alice.connect();
    let mut first = None;
    for _ in 0..50 {
        first = first.or(chunk(&alice));
        let out = alice.relay_reads();
        alice.hear(out);
        if alice.requests.is_empty() {
            break;
        }
        alice.answer();
    }
    assert_eq!(first, Some(2 * BLOB_CHUNK as u64), "what is there is not sent again");
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
}

#[test]
fn an_upload_that_the_relay_lost_begins_anew() {
    let mut alice = Solo::alice();
    alice.connect();
    let message = attach(&mut alice, 1, false);
    until_chunk(&mut alice, 2);
    alice.relay.blobs.clear();
    alice.exchange();
    assert!(alice.requests.is_empty(), "it waits a moment");
    alice.wake();
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
    assert_eq!(alice.relay.blobs[&BlobId::from_bytes([1; 16])].2, blob_size(SIZE).unwrap());
}

#[test]
fn a_file_that_is_not_taken_fails_loudly_and_holds_nothing_up() {
    let mut alice = Solo::alice();
    alice.relay.blob_quota = 1000;
    alice.connect();
    let message = attach(&mut alice, 1, false);
    let text = alice.compose(&people()[1], 2);
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Failed(ErrorCode::BlobQuota));
    assert_eq!(delivery(&alice, text), Delivery::Accepted);
    assert!(alice.uploaded.is_empty(), "its copy is kept for another try");
    alice.relay.blob_quota = u64::MAX;
    assert_eq!(attach(&mut alice, 1, true), message);
    assert_eq!(delivery(&alice, message), Delivery::Queued);
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
    let shown = alice.events.iter().filter(|event| matches!(event, ClientEvent::Message(view) if view.id == message));
    assert_eq!(shown.count(), 1);
}

#[test]
fn a_relay_that_says_nonsense_of_an_upload_is_none() {
    let mut alice = Solo::alice();
    alice.connect();
    let message = attach(&mut alice, 1, false);
    until_chunk(&mut alice, 1);
    for (size, offset) in [(blob_size(SIZE).unwrap(), 7), (1, 1), (blob_size(SIZE).unwrap(), 0)] {
        let at = alice.requests.iter().position(|(_, request, _)| matches!(request, Request::PutBlob { .. })).unwrap();
        let (id, ..) = alice.requests.remove(at);
        let state = susurro_protocol::rest::BlobState { blob: BlobId::from_bytes([1; 16]), size, offset, expires: 1 };
        alice.input(Input::Answered(id, Ok(susurro_client_core::sync::Answer::Blob(state))));
        assert_eq!(chunk(&alice), None, "not asked for the next");
        alice.wake();
        alice.wake();
    }
    assert_ne!(delivery(&alice, message), Delivery::Accepted);
}

#[test]
fn a_blob_is_deleted_when_the_one_it_was_for_has_saved_it() {
    let mut alice = Solo::alice();
    alice.connect();
    let message = attach(&mut alice, 1, false);
    alice.exchange();
    let [_, bob, carol] = people() else { panic!("three people") };
    let (mut from_bob, mut from_carol) = (Forger::new(bob), Forger::new(carol));
    let now = alice.now;
    for (forger, state) in [(&mut from_carol, RECEIPT_SAVED), (&mut from_bob, RECEIPT_STORED)] {
        let receipt = codec::encode(&Receipt { state, messages: vec![message], at: now });
        forger.send(&mut alice.relay, &people()[0], TYPE_RECEIPT, receipt, now);
    }
    alice.restart();
    alice.connect();
    alice.exchange();
    // The driver looks whether the message was for whoever says so; here is said who that is.
    assert!(alice.dropped.iter().all(|(peer, _)| *peer == carol.name), "{:?}", alice.dropped);
    alice.dropped.clear();
    let receipt = codec::encode(&Receipt { state: RECEIPT_SAVED, messages: vec![message], at: now });
    from_bob.send(&mut alice.relay, &people()[0], TYPE_RECEIPT, receipt, now);
    alice.restart();
    alice.connect();
    alice.exchange();
    assert_eq!(alice.dropped, [(bob.name.clone(), message)]);
    assert_eq!(delivery(&alice, message), Delivery::Stored, "saved is no state of a message");
}

#[test]
fn a_file_above_its_limits_is_shown_as_unreadable() {
    let mut alice = Solo::alice();
    let mut bob = Forger::new(&people()[1]);
    let now = alice.now;
    let bad = [
        Attachment { size: ATTACHMENT_MAX + 1, ..file(1, 1) },
        Attachment { name: String::new(), ..file(1, 1) },
        Attachment { name: "x".repeat(256), ..file(1, 1) },
        Attachment { media_type: "x".repeat(256), ..file(1, 1) },
    ];
    for attachment in &bad {
        bob.send(&mut alice.relay, &people()[0], TYPE_ATTACHMENT, codec::encode(attachment), now);
    }
    bob.send(&mut alice.relay, &people()[0], TYPE_ATTACHMENT, codec::encode(&file(2, ATTACHMENT_MAX)), now);
    alice.connect();
    alice.exchange();
    let shown = |good: bool| {
        let of = |content: &MessageContent| match content {
            MessageContent::Attachment(_) => good,
            MessageContent::Undecryptable(_) => !good,
            _ => false,
        };
        alice.store.messages.values().filter(|view| of(&view.content)).count()
    };
    assert_eq!((shown(false), shown(true)), (bad.len(), 1));
}

#[test]
fn files_arrive_once_and_after_their_bytes_whatever_goes_wrong() {
    for seed in 0..40 {
        let faults = Faults {
            crash_before_commit: 10,
            crash_after_commit: 10,
            crash_between_effects: 10,
            connection_lost: 30,
            request_lost: 80,
            answer_lost: 80,
            connect_fails: 80,
            ..Faults::NONE
        };
        let mut world = World::new(seed, 2, faults);
        let mut sent = Vec::new();
        for number in 0..4 {
            world.act(Action::Write { from: 0, to: 1 });
            let message = MessageId::from_bytes([number + 1; 16]);
            let (peer, attachment) = (people()[1].name.clone(), file(number + 1, u64::from(number) * 1_500_000));
            world.feed(0, Input::Command(Command::Attach { peer, message, attachment, again: false }));
            if world.clients[0].store.messages.values().any(|view| view.id == message) {
                sent.push(message);
            }
            world.act(Action::Write { from: 1, to: 0 });
            world.rest(4_000);
            if number == 2 {
                world.act(Action::RestartRelay { graceful: false });
            }
        }
        world.settle();
        world.check();
        let came: Vec<_> = world.clients[1]
            .store
            .timeline(&people()[0].name)
            .into_iter()
            .filter(|view| view.direction == Direction::Incoming)
            .filter(|view| matches!(view.content, MessageContent::Attachment(_)))
            .map(|view| view.id)
            .collect();
        assert_eq!(came, sent, "seed {seed}: in order, each once");
        assert_eq!(world.complaints, Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn an_answer_of_an_upload_that_was_given_up_changes_nothing() {
    let mut alice = Solo::alice();
    alice.connect();
    let message = attach(&mut alice, 1, false);
    until_chunk(&mut alice, 1);
    let at = alice.requests.iter().position(|(_, request, _)| matches!(request, Request::PutBlob { .. })).unwrap();
    let (id, ..) = alice.requests.remove(at);
    let refused = RequestFailure::Refused { code: ErrorCode::InvalidRequest, retry_after: None };
    alice.input(Input::Answered(id, Err(refused)));
    assert_eq!(delivery(&alice, message), Delivery::Failed(ErrorCode::InvalidRequest));
    alice.exchange();
    assert_eq!(chunk(&alice), None);
}
