//! What is said of times, states and trust: a sign and always a word.

use jiff::Timestamp;
use jiff::civil::Date;
use susurro_client_core::model::{Cause, Connection, Delivery, Trouble, Trust};
use susurro_protocol::AccountName;

use super::model::{Home, Model, Screen};
use crate::key;
use crate::sanitize;

/// A sign and its word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// One or two cells.
    pub sign: &'static str,
    /// What it means.
    pub word: String,
    /// How much it matters.
    pub weight: Weight,
}

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// As it should be.
    Good,
    /// For information.
    Plain,
    /// Look at it.
    Warning,
    /// Something has to be done.
    Bad,
}

/// Local hours and minutes.
#[must_use]
pub fn time(model: &Model, at: u64) -> String {
    let zoned = timestamp(at).to_zoned(model.zone.clone());
    format!("{:02}:{:02}", zoned.hour(), zoned.minute())
}

/// Local date, hours, minutes and seconds.
#[must_use]
pub fn moment(model: &Model, at: u64) -> String {
    let zoned = timestamp(at).to_zoned(model.zone.clone());
    format!("{} {:02}:{:02}:{:02}", zoned.date(), zoned.hour(), zoned.minute(), zoned.second())
}

/// Local day: today, yesterday, or year, month and day.
#[must_use]
pub fn day(model: &Model, at: u64) -> String {
    let date = local_date(model, at);
    let today = local_date(model, model.now);
    if date == today {
        return model.text(key!("day-today"));
    }
    if today.yesterday().is_ok_and(|yesterday| yesterday == date) {
        return model.text(key!("day-yesterday"));
    }
    date.to_string()
}

/// For a list: the time of today, else the day.
#[must_use]
pub fn short(model: &Model, at: u64) -> String {
    let date = local_date(model, at);
    if date == local_date(model, model.now) {
        time(model, at)
    } else {
        format!("{:02}-{:02}", date.month(), date.day())
    }
}

/// How far a message came.
#[must_use]
pub fn delivery(model: &Model, delivery: Delivery) -> Mark {
    let (sign, word, weight) = match delivery {
        Delivery::Queued => ("○", key!("delivery-queued"), Weight::Warning),
        Delivery::Accepted => ("✓", key!("delivery-accepted"), Weight::Plain),
        Delivery::Stored => ("✓✓", key!("delivery-stored"), Weight::Good),
        Delivery::Read => ("●", key!("delivery-read"), Weight::Good),
        Delivery::Failed(_) => ("✗", key!("delivery-failed"), Weight::Bad),
    };
    Mark { sign, word: model.text(word), weight }
}

/// What is known of a key.
#[must_use]
pub fn trust(model: &Model, trust: Trust) -> Mark {
    let (sign, word, weight) = match trust {
        Trust::Unverified => ("?", key!("trust-unverified"), Weight::Plain),
        Trust::Verified => ("✓", key!("trust-verified"), Weight::Good),
        Trust::Changed => ("!", key!("trust-changed"), Weight::Warning),
        Trust::ChangedAfterVerification => ("✗", key!("trust-blocked"), Weight::Bad),
    };
    Mark { sign, word: model.text(word), weight }
}

/// That somebody is there.
#[must_use]
pub fn present(model: &Model) -> Mark {
    Mark { sign: "•", word: model.text(key!("presence-here")), weight: Weight::Good }
}

/// How things stand with the relay, and what to do where something is to be done.
#[must_use]
pub fn connection(model: &Model, home: &Home) -> Mark {
    if let Some(what) = &home.store_failed {
        let word = model.text_with(key!("status-store-failed"), &[("what", sanitize::line(what).into())]);
        return Mark { sign: "✗", word, weight: Weight::Bad };
    }
    let mark = |sign, word, weight| Mark { sign, word, weight };
    match &home.connection {
        Connection::Offline => mark("○", model.text(key!("status-offline")), Weight::Warning),
        Connection::Connecting => mark("◌", model.text(key!("status-connecting")), Weight::Warning),
        Connection::Connected => mark("●", model.text(key!("status-connected")), Weight::Good),
        Connection::Waiting { at, trouble } => {
            let seconds = at.saturating_sub(model.now).div_ceil(1000);
            let reason = self::trouble(model, trouble);
            let word =
                model.text_with(key!("status-reconnecting"), &[("seconds", seconds.into()), ("reason", reason.into())]);
            mark("◌", word, Weight::Warning)
        }
        Connection::Blocked(trouble) => {
            let reason = self::trouble(model, trouble);
            mark("✗", model.text_with(key!("status-blocked"), &[("reason", reason.into())]), Weight::Bad)
        }
    }
}

fn trouble(model: &Model, trouble: &Trouble) -> String {
    model.text(match trouble {
        Trouble::Unreachable => key!("trouble-unreachable"),
        Trouble::NotARelay => key!("trouble-not-a-relay"),
        Trouble::GoingAway => key!("trouble-going-away"),
        Trouble::Overloaded => key!("trouble-overloaded"),
        Trouble::Lost => key!("trouble-lost"),
        Trouble::Superseded => key!("trouble-superseded"),
        Trouble::RelayKeyChanged => key!("trouble-relay-key"),
        Trouble::LoggedOut => key!("trouble-logged-out"),
        #[allow(unreachable_patterns, reason = "a later version of the client may know more")]
        _ => key!("trouble-lost"),
    })
}

/// The program's own line in a conversation.
#[must_use]
pub fn note(model: &Model, peer: &AccountName, note: &str) -> String {
    let key = match note {
        "key-changed" => key!("note-key-changed"),
        "key-changed-after-verification" => key!("note-key-blocked"),
        "key-verified" => key!("note-key-verified"),
        "key-accepted" => key!("note-key-accepted"),
        "key-restored" => key!("note-key-restored"),
        "device-list-refused" => key!("note-devices-refused"),
        other => return model.text_with(key!("note-other"), &[("name", sanitize::line(other).into())]),
    };
    model.text_with(key, &[("name", peer.as_str().into())])
}

/// Why a message is not shown, and what to do.
#[must_use]
pub fn unreadable(model: &Model, peer: &AccountName, cause: Cause) -> String {
    let key = match cause {
        Cause::NoSession => key!("unreadable-no-session"),
        Cause::OldKey => key!("unreadable-old-key"),
        Cause::TooFarAhead => key!("unreadable-too-far"),
        Cause::Tampered => key!("unreadable-tampered"),
        Cause::UnknownVersion => key!("unreadable-version"),
        Cause::Malformed => key!("unreadable-malformed"),
    };
    model.text_with(key, &[("name", peer.as_str().into())])
}

/// The newest announcement that nobody has looked at, in one line, and where to read it.
#[must_use]
pub fn announcement(model: &Model) -> Option<String> {
    let home = model.home()?;
    let said = home.announcements.last()?;
    let text = sanitize::line(&said.text).into();
    Some(model.text_with(key!("announcement-banner"), &[("text", text)]))
}

/// What stops sending in the open conversation, and what to do.
#[must_use]
pub fn banner(model: &Model) -> Option<String> {
    let home = model.home()?;
    let peer = &home.open.as_ref()?.peer;
    let blocked = home.trust(peer).is_some_and(|trust| !trust.may_send());
    blocked.then(|| model.text_with(key!("banner-key-changed"), &[("name", peer.as_str().into())]))
}

/// The whole status line of the conversations.
#[must_use]
pub fn status(model: &Model) -> Option<(Mark, String)> {
    let Screen::Home(home) = &model.screen else { return None };
    let mark = connection(model, home);
    let mut rest = String::new();
    if home.queued > 0 {
        rest.push_str(" · ");
        rest.push_str(&model.text_with(key!("status-queued"), &[("count", home.queued.into())]));
    }
    if let Some(open) = &home.open
        && let Some(trust) = home.trust(&open.peer)
    {
        rest.push_str(&format!(" · {}: {}", open.peer, self::trust(model, trust).word));
        if home.present.contains(&open.peer) {
            rest.push_str(&format!(", {}", present(model).word));
        }
    }
    Some((mark, rest))
}

fn timestamp(at: u64) -> Timestamp {
    // A peer's clock may claim anything; what no calendar holds is shown as the end of it.
    i64::try_from(at).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

fn local_date(model: &Model, at: u64) -> Date {
    timestamp(at).to_zoned(model.zone.clone()).date()
}
