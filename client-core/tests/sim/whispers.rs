//! Typing notices: what is told, what is shown, and that nothing else depends on them.

use susurro_client_core::model::{ClientEvent, Trust};
use susurro_client_core::sync::{Command, Input};
use susurro_protocol::codec;
use susurro_protocol::event::Whispered;
use susurro_protocol::frame::FrameKind;

use crate::faults::Action;
use crate::people::people;
use crate::relay::Out;
use crate::world::World;

/// Alice and Bob in the middle of a conversation: each has heard of the other.
fn acquainted() -> World {
    let mut world = World::quiet(2);
    for (from, to) in [(0, 1), (1, 0), (0, 1)] {
        world.act(Action::Write { from, to });
        world.rest(3_000);
    }
    world
}

fn types(world: &mut World, from: usize) {
    world.act(Action::Type { from, to: 1 - from });
}

/// Whether this comes true before a notice expires; some frames are seconds on their way.
fn soon(world: &mut World, done: impl FnMut(&World) -> bool) -> bool {
    let deadline = world.now + 8_000;
    world.run(deadline, done)
}

/// Types, and waits until the other sees it.
fn is_seen_typing(world: &mut World, from: usize) -> bool {
    types(world, from);
    soon(world, |world| sees_typing(world, 1 - from))
}

fn sees_typing(world: &World, client: usize) -> bool {
    world.clients[client].typing.contains(&people()[1 - client].name)
}

/// The relay brings this whisper. Says whether anything was shown because of it.
fn bring(world: &mut World, whispered: &Whispered) -> bool {
    let mut out: Vec<Out> = Vec::new();
    world.relay.forward(people()[1].device_id(), whispered, &mut out);
    world.relay_did(out);
    soon(world, |world| sees_typing(world, 1))
}

fn last(world: &World) -> Whispered {
    world.relay.whispers.last().unwrap().1.clone()
}

#[test]
fn typing_is_shown_until_it_expires_is_stopped_or_a_message_comes() {
    let mut world = acquainted();
    assert!(is_seen_typing(&mut world, 0));
    // Idle for five seconds: the stop is told.
    assert!(soon(&mut world, |world| !sees_typing(world, 1)));
    assert_eq!(world.relay.whispers.len(), 2);

    assert!(is_seen_typing(&mut world, 0));
    world.act(Action::Write { from: 0, to: 1 });
    let heard = |world: &World| world.clients[1].heard[&people()[0].name].len() == 3;
    assert!(soon(&mut world, heard));
    assert!(!sees_typing(&world, 1), "a message says as much");
    assert_eq!(world.relay.whispers.len(), 3, "and nothing more is told");

    assert!(is_seen_typing(&mut world, 0));
    // She crashes: nothing says that she stopped.
    world.act(Action::Crash(0));
    assert!(sees_typing(&world, 1));
    world.rest(10_000);
    assert!(!sees_typing(&world, 1), "ten seconds are over");
}

#[test]
fn going_on_typing_is_told_every_four_seconds_and_shown_without_a_gap() {
    let mut world = acquainted();
    assert!(is_seen_typing(&mut world, 0));
    for _ in 0..100 {
        types(&mut world, 0);
        world.rest(200);
        assert!(sees_typing(&world, 1));
    }
    let told = world.relay.whispers.len();
    assert!((5..=7).contains(&told), "{told} whispers in twenty seconds");
}

#[test]
fn a_whisper_that_comes_again_shows_nothing_also_after_a_restart() {
    let mut world = acquainted();
    assert!(is_seen_typing(&mut world, 0));
    let (first, commits) = (last(&world), world.commits);
    world.rest(20_000);
    assert!(!sees_typing(&world, 1));
    assert!(!bring(&mut world, &first), "heard before");
    assert_eq!(world.commits, commits, "nothing of it was worth a commit");

    // The counter is kept with whatever is committed next, and when the client goes offline.
    world.act(Action::Offline(1));
    world.rest(1_000);
    world.act(Action::Crash(1));
    world.rest(15_000);
    world.act(Action::Online(1));
    world.rest(10_000);
    assert!(!bring(&mut world, &first), "heard before the restart");

    assert!(is_seen_typing(&mut world, 0), "a new one is heard");
    // What was lost is still good while nothing newer of it came, and not after an answer.
    let held = last(&world);
    world.rest(20_000);
    world.act(Action::Write { from: 1, to: 0 });
    world.rest(3_000);
    world.act(Action::Write { from: 0, to: 1 });
    world.rest(3_000);
    assert!(!bring(&mut world, &held), "the key of the chain before is gone");
}

#[test]
fn a_forged_or_misplaced_whisper_shows_nothing_and_changes_nothing() {
    let mut world = acquainted();
    // Nobody hears it: what follows is not refused because it was heard before.
    world.act(Action::Offline(1));
    world.rest(8_000);
    assert!(!is_seen_typing(&mut world, 0));
    let good = world.relay.whispers[0].1.clone();
    world.act(Action::Online(1));
    world.rest(20_000);
    let (commits, sessions) = (world.commits, world.clients[1].store.sessions.clone());
    let bytes = good.ciphertext.as_slice().to_vec();
    let mut forged = Vec::new();
    for at in [0, 1, 2, 25, 26, 200, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        forged.push(Whispered { ciphertext: changed.into(), ..good.clone() });
    }
    forged.push(Whispered { ciphertext: bytes[..297].to_vec().into(), ..good.clone() });
    forged.push(Whispered { ciphertext: [&bytes[..], &[0]].concat().into(), ..good.clone() });
    forged.push(Whispered { ciphertext: vec![].into(), ..good.clone() });
    forged.push(Whispered { sender: people()[2].account(), ..good.clone() });
    forged.push(Whispered { sender_device: people()[2].device_id(), ..good.clone() });
    forged.push(Whispered { chat: susurro_protocol::ChatId::from_bytes([9; 16]), ..good.clone() });
    for whispered in &forged {
        assert!(!bring(&mut world, whispered), "{whispered:?}");
    }
    assert_eq!(world.commits, commits);
    assert_eq!(world.clients[1].store.sessions, sessions);
    assert!(world.conns.values().any(|conn| !conn.closed), "no connection ends because of one");
    // A reflected one is not the other's.
    let back = Whispered { sender: people()[1].account(), sender_device: people()[1].device_id(), ..good.clone() };
    assert!(!bring(&mut world, &back));
    assert!(bring(&mut world, &good), "there was nothing wrong with it");
    world.act(Action::Write { from: 0, to: 1 });
    world.settle();
    world.check();
    assert!(world.complaints.is_empty(), "{:?}", world.complaints);
}

#[test]
fn a_flood_of_whispers_commits_nothing_and_holds_nothing_up() {
    let mut world = acquainted();
    assert!(is_seen_typing(&mut world, 0));
    let good = last(&world);
    let commits = world.commits;
    for round in 0..20_u16 {
        let mut out = Vec::new();
        for n in 0..500_u16 {
            let mut junk = good.clone();
            let mut bytes = junk.ciphertext.as_slice().to_vec();
            bytes[30..34].copy_from_slice(&[round.to_be_bytes(), n.to_be_bytes()].concat());
            junk.ciphertext = bytes.into();
            world.relay.forward(people()[1].device_id(), &junk, &mut out);
        }
        world.relay_did(out);
        world.rest(100);
    }
    assert_eq!(world.commits, commits);
    world.act(Action::Write { from: 0, to: 1 });
    world.settle();
    world.check();
    assert!(world.complaints.is_empty(), "{:?}", world.complaints);
}

#[test]
fn nothing_is_told_to_a_changed_key_and_nothing_of_it_is_shown() {
    for trust in [Trust::Changed, Trust::ChangedAfterVerification] {
        let mut world = acquainted();
        assert!(is_seen_typing(&mut world, 0));
        let good = last(&world);
        world.rest(20_000);
        let before = world.relay.whispers.len();
        for client in 0..2 {
            // As after the relay has named another key; the engine starts from it.
            let mut store = world.clients[client].store.clone();
            store.contacts.values_mut().for_each(|contact| contact.trust = trust);
            world.replace_store(client, store);
        }
        world.rest(30_000);
        types(&mut world, 0);
        world.rest(8_000);
        assert_eq!(world.relay.whispers.len(), before, "{trust:?}");
        assert!(!bring(&mut world, &good), "{trust:?}");
    }
}

#[test]
fn switched_off_nothing_is_told_and_nothing_shown_until_it_is_switched_on() {
    let mut world = acquainted();
    assert!(is_seen_typing(&mut world, 0));
    for client in 0..2 {
        world.feed(client, Input::Command(Command::SetTypingNotices(false)));
    }
    assert!(!sees_typing(&world, 1));
    world.rest(8_000);
    let told = world.relay.whispers.len();
    types(&mut world, 0);
    world.rest(8_000);
    assert_eq!(world.relay.whispers.len(), told);
    // Reciprocal: who tells nothing is shown nothing, also after a restart.
    world.feed(0, Input::Command(Command::SetTypingNotices(true)));
    world.act(Action::Crash(1));
    world.rest(30_000);
    assert!(!is_seen_typing(&mut world, 0));
    assert!(world.relay.whispers.len() > told);
    world.feed(1, Input::Command(Command::SetTypingNotices(true)));
    world.rest(10_000);
    assert!(is_seen_typing(&mut world, 0));
}

#[test]
fn a_whisper_that_is_no_structure_ends_the_session_as_any_frame_does() {
    let mut alice = crate::solo::Solo::alice();
    alice.connect();
    alice.told(FrameKind::Whispered, &[0x91, 1]);
    assert_eq!(alice.closed, [Some(susurro_protocol::ErrorCode::MalformedBody)]);
    let mut alice = crate::solo::Solo::alice();
    alice.connect();
    alice.exchange();
    let stranger = Whispered {
        chat: susurro_protocol::ChatId::from_bytes([1; 16]),
        sender: people()[2].account(),
        sender_device: people()[2].device_id(),
        ciphertext: vec![1; 298].into(),
    };
    alice.told(FrameKind::Whispered, &codec::encode(&stranger));
    assert!(alice.closed.is_empty() && alice.commit.is_empty() && alice.requests.is_empty(), "nobody is looked up");
    assert!(!alice.events.iter().any(|event| matches!(event, ClientEvent::Typing { .. })));
}
