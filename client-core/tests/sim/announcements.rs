//! What the relay says to everybody: believed for its signature, shown once, and nothing else depends on it.

use ed25519_dalek::SigningKey;
use susurro_client_core::model::ClientEvent;
use susurro_client_core::store::port::Mutation;
use susurro_protocol::announcement::{Announcement, Notice};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::signed::{Label, SignedBytes};
use susurro_protocol::{AnnouncementId, ErrorCode, codec};

use crate::relay::RELAY_KEY;
use crate::solo::Solo;

fn said(alice: &Solo, seed: u8, text: &str) -> Announcement {
    let id = AnnouncementId::from_bytes([seed; 16]);
    Announcement { id, issued: alice.now, expires: alice.now + 60_000, text: text.to_owned() }
}

fn told(alice: &mut Solo, notice: &Notice) {
    alice.told(FrameKind::Notice, &codec::encode(notice));
}

fn shown(alice: &Solo) -> Vec<String> {
    let events = alice.events.iter().filter_map(|event| match event {
        ClientEvent::Announcement(said) => Some(said.text.clone()),
        _ => None,
    });
    events.collect()
}

#[test]
fn an_announcement_is_shown_once_and_kept_before_also_after_a_restart() {
    let mut alice = Solo::alice();
    alice.connect();
    let notice = Notice::sign(&RELAY_KEY, &said(&alice, 1, "one"));
    told(&mut alice, &notice);
    assert!(alice.commit.iter().any(|change| matches!(change, Mutation::Announcement(kept) if kept.text == "one")));
    told(&mut alice, &notice);
    assert!(alice.commit.is_empty(), "known");
    assert_eq!(shown(&alice), ["one"]);
    let other = Notice::sign(&RELAY_KEY, &said(&alice, 2, "two"));
    told(&mut alice, &other);
    assert_eq!(shown(&alice), ["one", "two"]);
    let mut again = Solo::with(|store| store.announcements = alice.store.announcements.clone());
    again.connect();
    for notice in [notice, other] {
        told(&mut again, &notice);
    }
    assert_eq!(shown(&again), Vec::<String>::new());
}

#[test]
fn a_forged_announcement_shows_nothing_and_the_session_goes_on() {
    let mut alice = Solo::alice();
    alice.connect();
    let (key, good) = (RELAY_KEY.clone(), said(&alice, 1, "good"));
    let other = SigningKey::from_bytes(&[9; 32]);
    let mut changed = Notice::sign(&key, &good);
    changed.announcement.body = codec::encode(&said(&alice, 1, "send your password to root")).into();
    let late = Announcement { issued: alice.now - 10, expires: alice.now, ..good.clone() };
    let endless = Announcement { expires: u64::MAX, ..good.clone() };
    let forged = [
        Notice::sign(&other, &good),
        changed,
        Notice { announcement: SignedBytes::new(&key, Label::Welcome, codec::encode(&good)) },
        Notice { announcement: SignedBytes::new(&key, Label::Announcement, vec![0x90]) },
        Notice::sign(&key, &said(&alice, 1, "\u{1b}[2J")),
        Notice::sign(&key, &said(&alice, 1, "")),
        Notice::sign(&key, &late),
        Notice::sign(&key, &endless),
    ];
    for notice in &forged {
        told(&mut alice, notice);
        assert!(alice.commit.is_empty() && alice.closed.is_empty(), "{notice:?}");
    }
    assert_eq!(shown(&alice), Vec::<String>::new());
    told(&mut alice, &Notice::sign(&key, &good));
    assert_eq!(shown(&alice), ["good"], "a forged one does not take the place of the one whose name it bears");
    alice.told(FrameKind::Notice, &[0x91, 1]);
    assert_eq!(alice.closed, [Some(ErrorCode::MalformedBody)], "no structure of its kind at all (FRAME-5)");
}

#[test]
fn a_flood_of_announcements_has_an_end() {
    let mut alice = Solo::alice();
    alice.connect();
    let key = RELAY_KEY.clone();
    for n in 0..=255_u8 {
        let notice = Notice::sign(&key, &said(&alice, n, "again"));
        told(&mut alice, &notice);
    }
    assert_eq!(shown(&alice).len(), 100);
}
