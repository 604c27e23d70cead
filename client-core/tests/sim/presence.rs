//! Presence: off until it is switched on, shown to contacts alone, and over with the session.

use susurro_client_core::model::Trust;
use susurro_client_core::sync::{Command, Input};
use susurro_protocol::command::Presence;
use susurro_protocol::event::PresenceChanged;
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::{AccountId, codec};

use crate::people::people;
use crate::solo::Solo;

/// Alice with a conversation with each of these.
fn acquainted(with: &[usize]) -> Solo {
    let mut alice = Solo::alice();
    alice.connect();
    for peer in with {
        alice.compose(&people()[*peer], u8::try_from(*peer).unwrap());
        alice.exchange();
    }
    alice
}

fn accounts(of: &[usize]) -> Vec<AccountId> {
    of.iter().map(|who| people()[*who].account()).collect()
}

fn switch(alice: &mut Solo, on: bool) {
    alice.input(Input::Command(Command::SetPresence(on)));
}

/// What was said of presence since this was asked last.
fn said(alice: &mut Solo) -> Vec<Presence> {
    let frames = alice.frames.iter().map(|frame| RawFrame::decode(&frame.clone().into()).unwrap());
    let said: Vec<Presence> = frames
        .filter(|frame| frame.kind == FrameKind::Presence)
        .map(|frame| codec::decode(&frame.body).unwrap())
        .collect();
    let _ = alice.relay_reads();
    said
}

fn names(who: &[usize]) -> Presence {
    Presence { shown_to: accounts(who), watching: accounts(who) }
}

fn changed(alice: &mut Solo, joined: &[usize], left: &[usize]) {
    let changed = PresenceChanged { joined: accounts(joined), left: accounts(left) };
    alice.told(FrameKind::PresenceChanged, &codec::encode(&changed));
}

/// Who is there on the screen.
fn shown(alice: &Solo) -> Vec<&str> {
    alice.engine.present().iter().map(|peer| peer.as_str()).collect()
}

#[test]
fn nothing_is_said_and_nobody_shown_until_it_is_switched_on() {
    let mut alice = acquainted(&[1]);
    assert!(said(&mut alice).is_empty());
    changed(&mut alice, &[1], &[]);
    assert!(shown(&alice).is_empty(), "nobody is watched");
    switch(&mut alice, true);
    assert!(alice.store.presence, "kept before it is said");
    assert_eq!(said(&mut alice), [names(&[1])]);
    alice.restart();
    alice.connect();
    assert_eq!(said(&mut alice), [names(&[1])], "again with each session");
    switch(&mut alice, false);
    assert_eq!(said(&mut alice), [names(&[])]);
    alice.restart();
    alice.connect();
    assert!(said(&mut alice).is_empty());
}

#[test]
fn contacts_alone_are_named_and_a_new_one_at_once() {
    let mut alice = acquainted(&[1]);
    switch(&mut alice, true);
    assert_eq!(said(&mut alice), [names(&[1])]);
    alice.compose(&people()[2], 9);
    let mut all = Vec::new();
    while all.is_empty() {
        assert!(!alice.requests.is_empty(), "carol is being looked up");
        alice.answer();
        all = said(&mut alice);
    }
    assert_eq!(all, [names(&[1, 2])]);
    assert!(said(&mut alice).is_empty(), "once");
}

#[test]
fn nobody_whose_key_has_changed_is_told_or_shown() {
    let mut alice = acquainted(&[1, 2]);
    for contact in alice.store.contacts.values_mut().filter(|contact| contact.name == people()[1].name) {
        contact.trust = Trust::Changed;
    }
    alice.restart();
    alice.connect();
    switch(&mut alice, true);
    assert_eq!(said(&mut alice), [names(&[2])]);
    changed(&mut alice, &[1, 2], &[]);
    assert_eq!(shown(&alice), ["carol"]);
}

#[test]
fn who_is_there_is_shown_and_nobody_is_after_the_session() {
    let mut alice = acquainted(&[1, 2]);
    switch(&mut alice, true);
    said(&mut alice);
    changed(&mut alice, &[1, 2], &[]);
    changed(&mut alice, &[1], &[]);
    assert_eq!(shown(&alice), ["bob", "carol"]);
    changed(&mut alice, &[], &[2]);
    assert_eq!(shown(&alice), ["bob"]);
    let stranger = PresenceChanged { joined: vec![AccountId::from_bytes([9; 16])], left: vec![] };
    alice.told(FrameKind::PresenceChanged, &codec::encode(&stranger));
    assert_eq!(shown(&alice), ["bob"]);
    assert!(alice.socket.is_some(), "it is no reason to break off");
    switch(&mut alice, false);
    assert!(shown(&alice).is_empty(), "who shows nothing is shown nothing");
    switch(&mut alice, true);
    said(&mut alice);
    changed(&mut alice, &[1], &[]);
    assert_eq!(shown(&alice), ["bob"]);
    alice.input(Input::SocketClosed(alice.socket.unwrap(), None));
    assert!(shown(&alice).is_empty());
}
