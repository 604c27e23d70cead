//! Trust: what happens when the relay names another key.

use susurro_client_core::model::{Delivery, MessageContent, Trust};
use susurro_client_core::sync::{
    Command, Input, NOTE_DEVICE_LIST_REFUSED, NOTE_KEY_ACCEPTED, NOTE_KEY_CHANGED, NOTE_KEY_CHANGED_AFTER_VERIFICATION,
    NOTE_KEY_RESTORED, NOTE_KEY_VERIFIED, Refused,
};
use susurro_protocol::{AccountId, MessageId};

use crate::people::{Person, people};
use crate::solo::Solo;

fn notes(alice: &Solo) -> Vec<String> {
    let timeline = alice.store.timeline(&people()[1].name);
    timeline
        .into_iter()
        .filter_map(|view| match &view.content {
            MessageContent::Note(key) => Some(key.clone()),
            _ => None,
        })
        .collect()
}

fn delivery(alice: &Solo, message: MessageId) -> Delivery {
    alice.store.messages.values().find(|view| view.id == message).unwrap().delivery
}

/// Alice has written to Bob.
fn acquainted() -> Solo {
    let mut alice = Solo::alice();
    alice.connect();
    alice.compose(&people()[1], 1);
    alice.exchange();
    assert_eq!(alice.store.contacts[&people()[1].name].trust, Trust::Unverified);
    alice
}

/// The relay names somebody else as Bob, and Alice looks.
fn another_bob(alice: &mut Solo) -> Person {
    let other = Person::new("bob", 99);
    alice.relay.register(&other, alice.now);
    look(alice);
    other
}

fn look(alice: &mut Solo) {
    alice.input(Input::Command(Command::StartChat(people()[1].name.clone())));
    alice.exchange();
}

#[test]
fn a_changed_key_of_an_unverified_contact_is_a_note_and_sending_goes_on_to_the_new_one() {
    let mut alice = acquainted();
    let other = another_bob(&mut alice);
    let contact = alice.store.contacts[&other.name].clone();
    assert_eq!((contact.trust, contact.account), (Trust::Changed, other.account()));
    assert_eq!(notes(&alice), [NOTE_KEY_CHANGED]);
    let message = alice.compose(&other, 2);
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
    assert_eq!(alice.relay.devices[&other.device_id()].head, 1);
    let positions: Vec<_> = alice.store.timeline(&other.name).into_iter().map(|view| view.position).collect();
    assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "one timeline: {positions:?}");
}

#[test]
fn a_changed_key_of_a_verified_contact_stops_sending_until_a_person_accepts_it() {
    let mut alice = acquainted();
    let bob = &people()[1];
    alice.input(Input::Command(Command::SetVerified(bob.name.clone())));
    assert_eq!(alice.store.contacts[&bob.name].trust, Trust::Verified);
    alice.input(Input::GoOffline);
    let waiting = alice.compose(bob, 2);
    let other = Person::new("bob", 99);
    alice.relay.register(&other, alice.now);
    alice.connect();
    look(&mut alice);
    let contact = alice.store.contacts[&bob.name].clone();
    assert_eq!(contact.trust, Trust::ChangedAfterVerification);
    assert_eq!((contact.account, contact.offered_key), (bob.account(), Some(other.device.account_key())));
    assert_eq!(notes(&alice), [NOTE_KEY_VERIFIED, NOTE_KEY_CHANGED_AFTER_VERIFICATION]);
    let head = alice.relay.devices[&other.device_id()].head;
    assert_eq!(head, 0, "nothing went to the new key");

    let message = MessageId::from_bytes([3; 16]);
    let compose = Command::Compose { peer: bob.name.clone(), message, text: "secret".into() };
    alice.input(Input::Command(compose.clone()));
    assert_eq!(alice.refused, Some(Refused::KeyChanged(bob.name.clone())));
    alice.input(Input::Command(Command::SetVerified(bob.name.clone())));
    assert_eq!(alice.refused, Some(Refused::KeyChanged(bob.name.clone())), "not without accepting it");

    // A restart changes nothing.
    alice.restart();
    alice.connect();
    alice.exchange();
    alice.input(Input::Command(compose.clone()));
    assert_eq!(alice.refused, Some(Refused::KeyChanged(bob.name.clone())));

    alice.input(Input::Command(Command::AcceptKey(bob.name.clone())));
    alice.input(Input::Command(compose));
    assert_eq!(alice.refused, None);
    alice.exchange();
    let contact = &alice.store.contacts[&bob.name];
    assert_eq!(contact.trust, Trust::Unverified);
    assert_eq!(contact.account, AccountId::of_account_key(&other.device.account_key()));
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
    assert!(matches!(delivery(&alice, waiting), Delivery::Accepted));
    assert_eq!(notes(&alice).last().unwrap(), NOTE_KEY_ACCEPTED);
}

#[test]
fn the_verified_key_named_again_lets_sending_go_on() {
    let mut alice = acquainted();
    let bob = &people()[1];
    alice.input(Input::Command(Command::SetVerified(bob.name.clone())));
    another_bob(&mut alice);
    assert_eq!(alice.store.contacts[&bob.name].trust, Trust::ChangedAfterVerification);
    alice.relay.register(bob, alice.now);
    look(&mut alice);
    let contact = &alice.store.contacts[&bob.name];
    assert_eq!((contact.trust, contact.offered_key), (Trust::Verified, None));
    assert_eq!(notes(&alice).last().unwrap(), NOTE_KEY_RESTORED);
}

#[test]
fn attack_10_a_rolled_back_or_forked_device_list_is_refused_and_noted_once() {
    let mut alice = acquainted();
    let bob = &people()[1];
    let out = alice.relay.new_list(bob, alice.now + 1000);
    alice.hear(out);
    alice.exchange();
    let second = alice.store.lists[&bob.account()].clone();
    let version = |alice: &Solo| alice.relay.accounts[&bob.name].list.body().version;
    assert_eq!(version(&alice), 2);
    for rolled_back in [true, true, false] {
        let account = alice.relay.accounts.get_mut(&bob.name).unwrap();
        account.list = bob.list.clone();
        if !rolled_back {
            alice.relay.next_list(bob, alice.now + 5000);
        }
        look(&mut alice);
        assert_eq!(alice.store.lists[&bob.account()], second, "the known list is kept");
    }
    assert_eq!(notes(&alice), [NOTE_DEVICE_LIST_REFUSED, NOTE_DEVICE_LIST_REFUSED], "one for each wrong list");
}

#[test]
fn a_stale_list_is_fetched_and_the_message_encrypted_again() {
    let mut alice = acquainted();
    // Nobody told Alice.
    alice.relay.next_list(&people()[1], alice.now);
    let message = alice.compose(&people()[1], 2);
    alice.exchange();
    assert_eq!(delivery(&alice, message), Delivery::Accepted);
}

#[test]
fn an_answer_that_was_overtaken_by_a_newer_list_is_no_roll_back() {
    let mut alice = acquainted();
    let bob = &people()[1];
    alice.input(Input::Command(Command::StartChat(bob.name.clone())));
    let (late, request, token) = alice.requests.remove(0);
    let answer = alice.relay.request(request, token.as_ref().map(|token| token.0.as_str()), alice.now, &mut Vec::new());
    // The next list comes with a claim, before the answer.
    let other = alice.relay.next_list(bob, alice.now);
    assert_eq!(other.version, 2);
    let list = alice.relay.accounts[&bob.name].list.clone();
    let mut forger = crate::forger::Forger::new(bob);
    forger.deposit(&mut alice.relay, &people()[0], MessageId::from_bytes([4; 16]), vec![1; 300], 1);
    let mut out = Vec::new();
    alice.relay.deliver(people()[0].device_id(), &mut out);
    alice.hear(out);
    alice.exchange();
    let known = alice.store.lists[&bob.account()].clone();
    assert_eq!(known, susurro_protocol::rest::SignedText::of(list.signed()).0.as_slice());
    alice.input(Input::Answered(late, answer));
    assert_eq!(alice.store.lists[&bob.account()], known);
    assert!(notes(&alice).is_empty());
}
