//! Attacks by name, after the list in `docs/crypto.md`, as far as they aim at the engine.

use susurro_client_core::crypto::Prekeys;
use susurro_client_core::model::{Cause, ClientEvent, Delivery, Direction, MessageContent};
use susurro_client_core::store::port::Mutation;
use susurro_client_core::sync::{Command, Effect, Input, Request};
use susurro_protocol::content::{RECEIPT_READ, Receipt, Repair, TYPE_RECEIPT, TYPE_REPAIR, TYPE_TEXT, Text};
use susurro_protocol::{MessageId, codec};

use crate::dice::Dice;
use crate::faults::{Action, CrashPoint};
use crate::forger::Forger;
use crate::people::{Person, people};
use crate::solo::Solo;
use crate::world::World;

fn text(text: &str) -> Vec<u8> {
    codec::encode(&Text { text: text.into() })
}

/// Lets all that waits in Alice's mailbox arrive.
fn fetch(alice: &mut Solo) {
    for _ in 0..1000 {
        let mut out = Vec::new();
        alice.relay.deliver(people()[0].device_id(), &mut out);
        if out.is_empty() {
            break;
        }
        alice.hear(out);
        alice.exchange();
    }
    alice.exchange();
}

fn texts(alice: &Solo, peer: &Person) -> Vec<String> {
    alice.store.texts(&peer.name, Direction::Incoming).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn attack_13_reordered_dropped_and_duplicated_at_the_relay() {
    let (bob, carol) = (&people()[1], &people()[2]);
    let mut alice = Solo::alice();
    let mut forger = Forger::new(bob);
    for n in 1..=6 {
        forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text(&format!("text {n}")), 1);
    }
    let mailbox = &mut alice.relay.devices.get_mut(&people()[0].device_id()).unwrap().mailbox;
    let at = |n: u64| mailbox[&n].clone();
    // 1 3 2 2 6 4, and never 5.
    let order = [at(1), at(3), at(2), at(2), at(6), at(4)];
    for (seq, delivery) in (1..).zip(order) {
        mailbox.insert(seq, susurro_protocol::event::Deliver { seq, ..delivery });
    }
    alice.connect();
    alice.exchange();
    fetch(&mut alice);
    assert_eq!(texts(&alice, bob), ["text 1", "text 2", "text 3", "text 4", "text 6"], "in the sender's order");
    let shown = alice.events.iter().filter(|event| matches!(event, ClientEvent::Message(_))).count();
    assert_eq!(shown, 5, "each once");

    // A ciphertext under another identifier is neither a new message nor lost to its own.
    let message = MessageId::from_bytes([1; 16]);
    let content = forger.content(&people()[0], message, TYPE_TEXT, text("text 7"), 1);
    forger.send_content(&mut alice.relay, &people()[0], MessageId::from_bytes([2; 16]), &content, 1);
    let mailbox = &mut alice.relay.devices.get_mut(&people()[0].device_id()).unwrap().mailbox;
    let moved = mailbox.values().last().unwrap().clone();
    mailbox.insert(moved.seq + 1, susurro_protocol::event::Deliver { seq: moved.seq + 1, message, ..moved });
    fetch(&mut alice);
    assert_eq!(texts(&alice, bob).last().unwrap(), "text 7");
    let placeholder = alice.store.messages.values().find(|view| view.id == MessageId::from_bytes([2; 16])).unwrap();
    assert_eq!(placeholder.content, MessageContent::Undecryptable(Cause::Tampered));
    assert!(texts(&alice, carol).is_empty());
}

#[test]
fn attack_18_a_flood_of_garbage_and_of_resets_costs_one_claim_an_hour_and_one_answer_a_message() {
    let bob = &people()[1];
    let mut alice = Solo::alice();
    alice.connect();
    let sent = alice.compose(bob, 1);
    alice.exchange();
    let claims = |alice: &Solo| 100 - alice.relay.devices[&bob.device_id()].keys.pq.len();
    assert_eq!(claims(&alice), 1);

    // Garbage in Bob's name: kept, shown as what it is, and one repair for all of it.
    let mut forger = Forger::new(bob);
    let mut dice = Dice::new(1);
    for _ in 0..50 {
        let garbage = [vec![1, 2], (0..400).map(|_| dice.roll() as u8).collect()].concat();
        forger.deposit(&mut alice.relay, &people()[0], MessageId::from_bytes(dice.id()), garbage, 1);
    }
    fetch(&mut alice);
    assert_eq!(alice.store.undecryptable.len(), 50);
    assert_eq!(claims(&alice), 2, "one bundle");
    for _ in 0..20 {
        let garbage = vec![1; 400];
        forger.deposit(&mut alice.relay, &people()[0], MessageId::from_bytes(dice.id()), garbage, 1);
    }
    fetch(&mut alice);
    assert_eq!(claims(&alice), 2, "not before the hour is over");

    // Resets by Bob himself, each asking for the same message again.
    let before = alice.relay.devices[&bob.device_id()].head;
    for _ in 0..20 {
        forger.start(&mut alice.relay, &people()[0], alice.now);
        let repair = codec::encode(&Repair { messages: vec![sent] });
        forger.send(&mut alice.relay, &people()[0], TYPE_REPAIR, repair, alice.now);
    }
    fetch(&mut alice);
    assert_eq!(alice.relay.devices[&bob.device_id()].head - before, 1, "sent again once");
    // The conversation still works.
    forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text("still here"), alice.now);
    fetch(&mut alice);
    assert_eq!(texts(&alice, bob), ["still here"]);
}

#[test]
fn attack_18_both_start_at_once() {
    let mut world = World::quiet(2);
    for n in 0..5 {
        world.act_at(n, Action::Write { from: 0, to: 1 });
        world.act_at(n, Action::Write { from: 1, to: 0 });
    }
    world.rest(60_000);
    world.settle();
    world.check();
    assert!(world.complaints.is_empty(), "{}", world.complaints.join("\n"));
}

/// Bob's disk is put back to before what Alice's session needs; after one request for repair both send in one session.
fn repaired(seed: u64, answered: bool) {
    let mut world = World::new(seed, 2, crate::faults::Faults::NONE);
    world.rest(5_000);
    let old = world.clients[1].store.clone();
    if answered {
        for (from, to) in [(0, 1), (1, 0), (0, 1)] {
            world.act(Action::Write { from, to });
            world.rest(5_000);
        }
    } else {
        world.act(Action::Offline(1));
        // Other prekeys than those that Alice claims.
        let dice = &mut Dice::new(seed);
        let mut fresh = old.clone();
        fresh.prekeys = Prekeys::generate(&people()[1].device, world.now / 1000, dice).to_bytes();
        world.act(Action::Write { from: 0, to: 1 });
        world.rest(5_000);
        world.replace_store(1, fresh);
        world.act(Action::Online(1));
    }
    if answered {
        world.replace_store(1, old);
        world.rest(20_000);
        // In a session that the copy knows nothing of.
        world.act(Action::Write { from: 0, to: 1 });
    }
    world.rest(60_000);
    world.act(Action::Write { from: 1, to: 0 });
    world.rest(20_000);
    world.act(Action::Write { from: 0, to: 1 });
    world.settle();
    let sends = [world.sends_with(0, 1), world.sends_with(1, 0)];
    assert!(sends[0].is_some() && sends[0] == sends[1], "seed {seed}, answered {answered}");
    assert!(world.clients[1].store.undecryptable.is_empty(), "seed {seed}, answered {answered}: all was sent again");
    let all: Vec<_> = world.clients[0].written[&people()[1].name].clone();
    let heard = world.clients[1].store.texts(&people()[0].name, Direction::Incoming);
    assert!(all.ends_with(&heard) && heard.len() >= all.len().min(2), "seed {seed}, answered {answered}: {heard:?}");
}

#[test]
fn after_one_request_for_repair_both_send_in_the_same_session() {
    // Enough that hashes, if they decided, would fall either way.
    for seed in 0..6 {
        repaired(seed, false);
        repaired(seed, true);
    }
}

#[test]
fn a_request_for_repair_goes_beyond_what_a_header_claims_within_a_bound() {
    for (claimed, begun) in [(0, 1), (1, 2), (5, 6), (256, 257), (257, 257), (u64::MAX, 257)] {
        let bob = &people()[1];
        let mut alice = Solo::alice();
        alice.connect();
        alice.exchange();
        Forger::new(bob).send(&mut alice.relay, &people()[0], TYPE_TEXT, text("hello"), 1);
        let mailbox = &mut alice.relay.devices.get_mut(&people()[0].device_id()).unwrap().mailbox;
        let delivery = mailbox.values_mut().last().unwrap();
        let mut bytes = delivery.ciphertext.as_slice().to_vec();
        bytes[34..42].copy_from_slice(&u64::to_be_bytes(claimed));
        if claimed == 1 {
            bytes[700] ^= 1;
        }
        delivery.ciphertext = bytes.into();
        fetch(&mut alice);
        let asked = alice.relay.devices[&bob.device_id()].mailbox.values().next().unwrap();
        let generation = susurro_client_core::crypto::Envelope::read(asked.ciphertext.as_slice()).unwrap();
        assert_eq!(generation.claimed_generation(), Some(begun), "beyond {claimed}");
    }
}

#[test]
fn attack_19_a_cloned_state_is_repaired_without_anybody_doing_anything() {
    let mut world = World::quiet(2);
    let rounds = |world: &mut World, n: u64| {
        for _ in 0..n {
            world.act(Action::Write { from: 0, to: 1 });
            world.rest(3_000);
            world.act(Action::Write { from: 1, to: 0 });
            world.rest(3_000);
        }
    };
    rounds(&mut world, 3);
    let old = world.clients[0].store.clone();
    rounds(&mut world, 3);
    let written = world.clients[0].written.clone();
    world.replace_store(0, old);
    world.rest(20_000);
    // Both sides write into sessions that no longer fit together.
    rounds(&mut world, 2);
    for _ in 0..4 {
        world.rest(3_600_000);
    }
    rounds(&mut world, 2);
    world.rest(60_000);
    let [alice, bob] = &world.clients[..] else { unreachable!() };
    let all = alice.written[&bob.store.name].clone();
    assert!(all.len() > written[&bob.store.name].len());
    assert_eq!(bob.store.texts(&alice.store.name, Direction::Incoming), all, "Bob misses nothing");
    let bob_wrote = &bob.written[&alice.store.name];
    let alice_sees = alice.store.texts(&bob.store.name, Direction::Incoming);
    assert_eq!(alice_sees[3..], bob_wrote[6..], "nor does Alice, of what came after the copy");
    assert!(alice.store.undecryptable.is_empty() && bob.store.undecryptable.is_empty());
    let unread =
        |view: &&susurro_client_core::model::MessageView| matches!(view.content, MessageContent::Undecryptable(_));
    assert_eq!(bob.store.messages.values().filter(unread).count(), 0, "no placeholder stays");
    assert_eq!(alice.store.messages.values().filter(unread).count(), 0, "no placeholder stays");
}

#[test]
fn attack_20_a_crash_at_every_commit_point_loses_nothing() {
    let play = |crash_at| {
        let mut world = World::quiet(2);
        world.crash_at = crash_at;
        for n in 0..3 {
            world.act_at(n * 2_000, Action::Write { from: 0, to: 1 });
            world.act_at(n * 2_000 + 900, Action::Write { from: 1, to: 0 });
        }
        world.act_at(7_000, Action::Read(0));
        world.rest(30_000);
        world.settle();
        world.check();
        world
    };
    let commits = play(None).commits;
    assert!(commits > 20);
    for commit in 1..=commits {
        let points =
            [CrashPoint::BeforeCommit, CrashPoint::AfterCommit].into_iter().chain((0..4).map(CrashPoint::AfterEffects));
        for point in points {
            let world = play(Some((commit, point)));
            assert!(world.complaints.is_empty(), "{point:?} {commit}:\n{}", world.complaints.join("\n"));
        }
    }
}

#[test]
fn attack_21_new_prekeys_are_durable_before_they_are_published_and_published_until_they_arrived() {
    let mut alice = Solo::alice();
    let device = people()[0].device_id();
    let keys = &mut alice.relay.devices.get_mut(&device).unwrap().keys;
    keys.one_time.clear();
    keys.pq.clear();
    alice.connect();
    let out = alice.relay_reads();
    alice.hear(out);
    alice.answer();
    let ids = |alice: &Solo| {
        let publish = alice.requests.iter().find_map(|(_, request, _)| match request {
            Request::PublishKeys(keys) => Some(keys.one_time.iter().map(|key| key.id).collect::<Vec<_>>()),
            _ => None,
        });
        publish.expect("keys are published")
    };
    let first = ids(&alice);
    assert_eq!(first.len(), 100);
    let durable = Prekeys::from_bytes(&alice.store.prekeys).unwrap();
    let durable: Vec<_> = durable.published().filter(|(kind, _)| *kind == 0).map(|(_, id)| id).collect();
    assert!(first.iter().all(|id| durable.contains(id)), "before they are published");

    // The answer never comes: the same keys again, never others in their place.
    alice.restart();
    alice.connect();
    let out = alice.relay_reads();
    alice.hear(out);
    alice.answer();
    assert_eq!(ids(&alice), first);
    alice.exchange();
    assert_eq!(alice.relay.devices[&device].keys.one_time.len(), 100);

    // And not a second time when some were given out.
    for _ in 0..10 {
        alice.relay.devices.get_mut(&device).unwrap().keys.claim(device);
    }
    alice.restart();
    alice.connect();
    alice.exchange();
    assert_eq!(alice.relay.devices[&device].keys.one_time.len(), 90);
}

#[test]
fn attack_21_a_first_message_gets_through_when_all_one_time_prekeys_are_gone() {
    let mut world = World::quiet(2);
    world.act(Action::Offline(1));
    let keys = &mut world.relay.devices.get_mut(&people()[1].device_id()).unwrap().keys;
    keys.one_time.clear();
    keys.pq.clear();
    world.act(Action::Write { from: 0, to: 1 });
    world.rest(10_000);
    world.settle();
    world.rest(10_000);
    world.check();
    assert!(world.complaints.is_empty(), "{}", world.complaints.join("\n"));
    assert_eq!(world.relay.devices[&people()[1].device_id()].keys.one_time.len(), 100, "and refilled");
}

#[test]
fn attack_22_receipts_for_messages_that_did_not_go_to_their_sender_are_ignored() {
    let (bob, carol) = (&people()[1], &people()[2]);
    let mut alice = Solo::alice();
    alice.connect();
    let to_bob = alice.compose(bob, 1);
    alice.exchange();
    let mut forger = Forger::new(carol);
    let receipt = || {
        let messages = vec![to_bob, MessageId::from_bytes([9; 16])];
        codec::encode(&Receipt { state: RECEIPT_READ, messages, at: 1 })
    };
    // From a stranger: no contact, no conversation, nothing shown.
    forger.send(&mut alice.relay, &people()[0], TYPE_RECEIPT, receipt(), 1);
    fetch(&mut alice);
    assert!(!alice.store.contacts.contains_key(&carol.name));
    assert!(alice.store.timeline(&carol.name).is_empty());
    // From a contact whom it did not go to.
    forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text("hello"), 1);
    forger.send(&mut alice.relay, &people()[0], TYPE_RECEIPT, receipt(), 1);
    fetch(&mut alice);
    assert_eq!(texts(&alice, carol), ["hello"]);
    let view = alice.store.messages.values().find(|view| view.id == to_bob).unwrap();
    assert_eq!((view.delivery, view.read_at), (Delivery::Accepted, None));
    // From Bob it counts.
    let mut forger = Forger::new(bob);
    forger.send(&mut alice.relay, &people()[0], TYPE_RECEIPT, receipt(), 1);
    fetch(&mut alice);
    let view = alice.store.messages.values().find(|view| view.id == to_bob).unwrap();
    assert_eq!(view.delivery, Delivery::Read);
}

#[test]
fn attack_22_receipts_are_coalesced_and_never_answered() {
    let bob = &people()[1];
    let mut alice = Solo::alice();
    let mut forger = Forger::new(bob);
    for n in 0..3 {
        forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text(&format!("text {n}")), 1);
    }
    alice.connect();
    alice.exchange();
    fetch(&mut alice);
    assert_eq!(alice.relay.devices[&bob.device_id()].head, 1, "one receipt for all three");
    let receipt = codec::encode(&Receipt { state: RECEIPT_READ, messages: Vec::new(), at: 1 });
    forger.send(&mut alice.relay, &people()[0], TYPE_RECEIPT, receipt, 1);
    fetch(&mut alice);
    assert_eq!(alice.relay.devices[&bob.device_id()].head, 1, "none for a receipt");
}

#[test]
fn attack_10_a_device_that_the_relay_made_up_is_not_believed() {
    let bob = &people()[1];
    let mut alice = Solo::alice();
    let mut forger = Forger::new(bob);
    forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text("genuine"), 1);
    let mailbox = &mut alice.relay.devices.get_mut(&people()[0].device_id()).unwrap().mailbox;
    let mut foreign = mailbox[&1].clone();
    foreign.sender_device = people()[2].device_id();
    foreign.message = MessageId::from_bytes([3; 16]);
    foreign.seq = 2;
    mailbox.insert(2, foreign);
    alice.connect();
    alice.exchange();
    fetch(&mut alice);
    assert_eq!(texts(&alice, bob), ["genuine"]);
    let view = alice.store.messages.values().find(|view| view.id == MessageId::from_bytes([3; 16])).unwrap();
    assert_eq!(view.content, MessageContent::Undecryptable(Cause::Tampered));
}

#[test]
fn a_message_s_identifier_taken_by_a_peer_overwrites_nothing() {
    let bob = &people()[1];
    let mut alice = Solo::alice();
    alice.connect();
    let ours = alice.compose(bob, 1);
    alice.exchange();
    let mut forger = Forger::new(bob);
    let content = forger.content(&people()[0], ours, TYPE_TEXT, text("you said this"), 1);
    forger.send_content(&mut alice.relay, &people()[0], ours, &content, 1);
    fetch(&mut alice);
    let view = alice.store.messages.values().find(|view| view.id == ours).unwrap();
    assert_eq!(view.direction, Direction::Outgoing);
    assert_eq!(view.content, MessageContent::Text("text 1".into()));
}

#[test]
fn what_a_later_version_says_is_shown_as_such_and_what_is_malformed_is_told() {
    let bob = &people()[1];
    let mut alice = Solo::alice();
    let mut forger = Forger::new(bob);
    forger.send(&mut alice.relay, &people()[0], 999, vec![0xc0], 1);
    forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, vec![0xc0], 1);
    forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text(""), 1);
    forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text("\u{1b}[2J\u{7}"), 1);
    alice.connect();
    alice.exchange();
    fetch(&mut alice);
    let shown: Vec<_> = alice.store.timeline(&bob.name).into_iter().map(|view| view.content.clone()).collect();
    let malformed = MessageContent::Undecryptable(Cause::Malformed);
    let exact = MessageContent::Text("\u{1b}[2J\u{7}".into());
    assert_eq!(shown, [MessageContent::Unknown(999), malformed.clone(), malformed, exact]);
}

#[test]
fn a_batch_is_one_commit_and_acknowledged_after_it() {
    let bob = &people()[1];
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    let mut forger = Forger::new(bob);
    forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text("first contact"), 1);
    fetch(&mut alice);
    for n in 0..4 {
        forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text(&format!("text {n}")), 1);
    }
    let mut out = Vec::new();
    alice.relay.deliver(people()[0].device_id(), &mut out);
    let messages = out.into_iter().filter_map(|out| match out {
        crate::relay::Out::Send(_, bytes) => Some(bytes.into()),
        crate::relay::Out::Close(..) => None,
    });
    let input = Input::Frames(alice.socket.unwrap(), messages.collect());
    let step = alice.engine.handle(input, alice.now);
    let count = |wanted: fn(&Mutation) -> bool| step.commit.iter().filter(|mutation| wanted(mutation)).count();
    assert_eq!(count(|mutation| matches!(mutation, Mutation::Message(_))), 4);
    assert_eq!(count(|mutation| matches!(mutation, Mutation::Seen(..))), 4);
    assert_eq!(count(|mutation| matches!(mutation, Mutation::Cursor(5))), 1);
    assert_eq!(count(|mutation| matches!(mutation, Mutation::Sessions(..))), 1, "written once");
    let sent = step.effects.iter().filter(|effect| matches!(effect, Effect::Transmit(_))).count();
    assert_eq!(sent, 2, "one acknowledgement and one receipt, both effects of the step");
}

#[test]
fn a_delivery_from_somebody_unknown_holds_back_the_next_ones_and_none_is_acknowledged() {
    let (bob, carol) = (&people()[1], &people()[2]);
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    let mut forger = Forger::new(bob);
    forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text("known"), 1);
    fetch(&mut alice);
    let cursor = alice.store.cursor;
    Forger::new(carol).send(&mut alice.relay, &people()[0], TYPE_TEXT, text("from a stranger"), 1);
    forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text("after it"), 1);
    let mut out = Vec::new();
    alice.relay.deliver(people()[0].device_id(), &mut out);
    alice.hear(out);
    assert_eq!(alice.store.cursor, cursor);
    assert_eq!(texts(&alice, bob), ["known"]);
    alice.exchange();
    assert_eq!(alice.store.cursor, cursor + 2);
    assert_eq!(texts(&alice, carol), ["from a stranger"]);
    assert_eq!(texts(&alice, bob), ["known", "after it"]);
    assert!(alice.events.contains(&ClientEvent::NewContact(carol.name.clone())));
}

#[test]
fn reading_marks_and_tells_once() {
    let bob = &people()[1];
    let mut alice = Solo::alice();
    alice.connect();
    alice.exchange();
    let mut forger = Forger::new(bob);
    let message = forger.send(&mut alice.relay, &people()[0], TYPE_TEXT, text("read me"), 1);
    fetch(&mut alice);
    let before = alice.relay.devices[&bob.device_id()].head;
    alice.input(Input::Command(Command::MarkRead { peer: bob.name.clone(), messages: vec![message] }));
    alice.exchange();
    let view = alice.store.messages.values().find(|view| view.id == message).unwrap();
    assert_eq!(view.delivery, Delivery::Read);
    assert_eq!(alice.relay.devices[&bob.device_id()].head, before + 1);
}
