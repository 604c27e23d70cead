//! What the relay says to everybody.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use susurro_protocol::ErrorCode;
use susurro_protocol::announcement::{Announcement, Notice};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::limits::{ANNOUNCEMENT_MAX, ANNOUNCEMENTS_MAX};
use susurro_protocol::rest::{Page, SignedAnnouncement};
use tokio::time::{Instant, sleep};

use crate::administration::{administrator, done};
use crate::support::{PATIENCE, Person, Talk, code, pair, register, relay};

/// The next announcement on a connection, verified as a client does.
pub(crate) async fn announced(talk: &mut Talk, person: &Person) -> Announcement {
    let notice: Notice = talk.expect(FrameKind::Notice).await;
    notice.verify(&person.relay_key).unwrap()
}

async fn in_force(person: &Person) -> Vec<String> {
    let page: Page<SignedAnnouncement> = person.get("/announcements").await.unwrap();
    assert_eq!(page.next, None);
    let texts = page.items.into_iter().map(|one| {
        let said = Notice { announcement: one.announcement.read().unwrap() }.verify(&person.relay_key).unwrap();
        assert_eq!(said.id, one.id);
        said.text
    });
    texts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_reaches_who_is_connected_at_once_and_others_when_they_come() {
    let relay = relay().await;
    let root = administrator(&relay).await;
    let (alice, bob, _) = pair(&relay).await;
    let mut at_alice = alice.connect(0).await;
    assert!(at_alice.is_quiet().await);
    let made: SignedAnnouncement =
        root.post("/announcements", &json!({ "text": "Down on Sunday\nat nine.", "expires_in": 3600 })).await.unwrap();
    let said = announced(&mut at_alice, &alice).await;
    assert_eq!(
        (said.id, said.text.as_str(), said.expires - said.issued),
        (made.id, "Down on Sunday\nat nine.", 3_600_000)
    );

    // The command beside the relay, with its own words and the relay's key.
    done(&relay, &["announce", "Back again.", "--expires", "1h"]);
    assert_eq!(announced(&mut at_alice, &alice).await.text, "Back again.");
    assert!(at_alice.is_quiet().await, "each once");

    // Bob comes later, and again: the relay keeps nothing of who has got which.
    for _ in 0..2 {
        let mut at_bob = bob.connect(0).await;
        assert_eq!(announced(&mut at_bob, &bob).await.text, "Down on Sunday\nat nine.");
        assert_eq!(announced(&mut at_bob, &bob).await.text, "Back again.");
        assert!(at_bob.is_quiet().await);
    }
    assert_eq!(in_force(&alice).await, ["Down on Sunday\nat nine.", "Back again."]);
    let relay = relay.restart().await;
    let mut at_bob = Person { url: relay.running.url(), ..bob }.connect(0).await;
    let bob = Person { url: relay.running.url(), ..register(&relay, "dave").await };
    assert_eq!(announced(&mut at_bob, &bob).await.text, "Down on Sunday\nat nine.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_told_no_more_and_only_the_newest_are_in_force() {
    let relay = relay().await;
    let root = administrator(&relay).await;
    let _: SignedAnnouncement =
        root.post("/announcements", &json!({ "text": "short", "expires_in": 1 })).await.unwrap();
    assert_eq!(in_force(&root).await, ["short"]);
    let end = Instant::now() + PATIENCE;
    while !in_force(&root).await.is_empty() {
        assert!(Instant::now() < end, "it expires");
        sleep(Duration::from_millis(20)).await;
    }
    let mut talk = root.connect(0).await;
    assert!(talk.is_quiet().await);
    for n in 0..ANNOUNCEMENTS_MAX + 2 {
        let _: SignedAnnouncement = root.post("/announcements", &json!({ "text": format!("{n}") })).await.unwrap();
        assert_eq!(announced(&mut talk, &root).await.text, format!("{n}"));
    }
    let newest: Vec<_> = (2..ANNOUNCEMENTS_MAX + 2).map(|n| n.to_string()).collect();
    assert_eq!(in_force(&root).await, newest);
    let mut again = root.connect(0).await;
    for text in newest {
        assert_eq!(announced(&mut again, &root).await.text, text);
    }
    assert!(again.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_announce_and_only_what_an_announcement_may_say() {
    let relay = relay().await;
    let root = administrator(&relay).await;
    let alice = register(&relay, "alice").await;
    let wanted = json!({ "text": "I am the relay" });
    assert_eq!(code(alice.post::<Value>("/announcements", &wanted).await), Some(ErrorCode::Forbidden));
    let long = "x".repeat(ANNOUNCEMENT_MAX + 1);
    for refused in [
        json!({ "text": "" }),
        json!({ "text": " \n " }),
        json!({ "text": "a\u{1b}[2J" }),
        json!({ "text": long }),
        json!({ "text": "x", "expires_in": 0 }),
        json!({ "text": "x", "expires_in": 30 * 24 * 3600 + 1 }),
        json!({}),
    ] {
        assert_eq!(code(root.post::<Value>("/announcements", &refused).await), Some(ErrorCode::InvalidRequest));
    }
    assert_eq!(in_force(&alice).await, Vec::<String>::new());
    let nobody = alice.http.request(Method::GET, format!("{}/announcements", alice.url)).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
}
