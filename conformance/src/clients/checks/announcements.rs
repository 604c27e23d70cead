//! Announcements, genuine and forged.

use ed25519_dalek::SigningKey;
use susurro_protocol::announcement::{Announcement, Notice};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::signed::{Label, SignedBytes};
use susurro_protocol::{AnnouncementId, codec};

use super::rules;
use crate::clients::random;
use crate::clients::relay::{Say, now};
use crate::clients::run::Lanes;
use crate::clients::stage::{Lane, Stage};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!(
            "ANN-4/once",
            ["ANN-4"],
            "an announcement in each of three sessions, and another beside it, among the messages of a contact",
            once
        ),
        client!(
            "ANN-3/forged",
            ["ANN-3"],
            "announcements under another key, another label, changed, of no structure, empty, with control characters, without end",
            forged
        ),
    ]
}

fn said(text: &str) -> Announcement {
    let issued = now();
    Announcement {
        id: AnnouncementId::from_bytes(random()),
        issued,
        expires: issued + 3_600_000,
        text: text.to_owned(),
    }
}

/// Says these at the beginning of each session, and when it is asked.
fn says(stage: &Stage, notices: &[Notice]) {
    stage.relay.world().announced =
        notices.iter().map(|notice| (AnnouncementId::from_bytes(random()), notice.clone())).collect();
    let bodies: Vec<_> = notices.iter().map(codec::encode).collect();
    stage.relay.rules(rules(|rules| {
        rules.opening =
            Some(Box::new(move || bodies.iter().map(|body| Say::Frame(FrameKind::Notice, body.clone())).collect()));
    }));
}

/// The texts that the client shows as the relay's, and how many of them as new.
async fn shown(stage: &Stage) -> Result<(Vec<String>, usize), Stop> {
    let listed = stage.alice.run(&["announcements", "--json"]).await?;
    listed.done()?;
    let listed = listed.json();
    let new = listed.iter().filter(|one| one["new"] == true).count();
    Ok((listed.iter().map(|one| one["text"].as_str().unwrap_or_default().to_owned()).collect(), new))
}

async fn once(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let key = stage.relay.world().key.clone();
    let notices = ["down at nine", "bob: pay me"].map(|text| Notice::sign(&key, &said(text)));
    says(&stage, &notices);
    let first = stage.syncs(30).await?;
    first.done()?;
    same("told on stderr, once", &1, &first.stderr.matches("down at nine").count())?;
    same("nothing of it is data", &"", &first.stdout.as_str())?;
    stage.bob.write(&stage.relay, "alice", "a message")?;
    for _ in 0..2 {
        let again = stage.syncs(30).await?;
        again.done()?;
        that(!again.stderr.contains("down at nine"), "not told again", &again.stderr)?;
    }
    let expected = vec!["down at nine".to_owned(), "bob: pay me".to_owned()];
    let (mut texts, new) = shown(&stage).await?;
    texts.sort_unstable_by_key(|text| text != "down at nine");
    same("shown as the relay's, and not as new", &(expected, 0), &(texts, new))?;
    stage.alice_gets(&["a message"]).await?;
    let chats = stage.alice.run(&["chats", "--json"]).await?;
    that(chats.json().len() == 1, "nobody becomes a contact by an announcement", &chats.stdout)?;
    let history = stage.alice.run(&["history", "bob", "--json"]).await?;
    that(!history.stdout.contains("pay me"), "no message of anybody", &history.stdout)?;
    stage.finish()
}

async fn forged(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let key = stage.relay.world().key.clone();
    let genuine = said("genuine");
    let evil = Announcement { text: "evil".to_owned(), ..genuine.clone() };
    let mut changed = Notice::sign(&key, &genuine);
    changed.announcement.body = codec::encode(&evil).into();
    let under = |label| Notice { announcement: SignedBytes::new(&key, label, codec::encode(&evil)) };
    let mut notices = vec![
        Notice::sign(&SigningKey::from_bytes(&random()), &evil),
        changed,
        under(Label::Welcome),
        under(Label::Login),
        Notice { announcement: SignedBytes::new(&key, Label::Announcement, b"evil".to_vec()) },
    ];
    for text in ["", "   ", "evil\u{1b}[2J", "evil\tevil", &"evil".repeat(251)] {
        notices.push(Notice::sign(&key, &said(text)));
    }
    for (issued, expires) in [(now(), u64::MAX), (now(), now() - 1), (0, 1)] {
        notices.push(Notice::sign(&key, &Announcement { issued, expires, ..evil.clone() }));
    }
    notices.push(Notice::sign(&key, &genuine));
    says(&stage, &notices);
    stage.bob.write(&stage.relay, "alice", "behind them")?;
    let synced = stage.syncs(30).await?;
    synced.done()?;
    that(!synced.stderr.contains("evil"), "nothing of a forged announcement is shown", &synced.stderr)?;
    stage.alice_gets(&["behind them"]).await?;
    let (texts, _) = shown(&stage).await?;
    same("only the genuine one", &vec!["genuine".to_owned()], &texts)?;
    stage.finish()
}
