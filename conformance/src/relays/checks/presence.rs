//! Presence: told to whom it is shown, and to nobody else.

use std::collections::BTreeSet;

use susurro_protocol::command::Presence;
use susurro_protocol::event::PresenceChanged;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::{AccountId, ErrorCode, limits};

use crate::check;
use crate::relays::ground::{Ground, random};
use crate::relays::line::Session;
use crate::suite::check::same;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("PRE-1/joined", ["PRE-1"], "who is shown to is told when somebody comes", joined),
        check!("PRE-1/there-already", ["PRE-1"], "who begins to watch is told of those who are there, once", there),
        check!("PRE-2/left", ["PRE-2", "PRE-1"], "who is shown to is told when the connection ends", left),
        check!(
            "PRE-2/replaced",
            ["PRE-2"],
            "a later frame takes the place of the one before, for both lists",
            replaced
        ),
        check!("PRE-3/not-shown", ["PRE-3"], "who is not shown to learns nothing, also with a chat", not_shown),
        check!("PRE-3/unknown", ["PRE-3"], "an account that there is not is watched as one that is away", unknown),
        check!(
            "PRE-4/largest",
            ["PRE-4"],
            "lists of exactly 256 accounts are taken, and one named often counts once",
            largest
        ),
        check!(
            "PRE-4/shown-too-many",
            ["PRE-4", "LIM-1"],
            "257 accounts to be shown to end the session",
            shown_too_many
        ),
        check!("PRE-4/watched-too-many", ["PRE-4", "LIM-1"], "257 accounts to watch end the session", watched_too_many),
        check!("FRAME-5/presence", ["FRAME-5"], "a Presence with the body of another structure", malformed),
    ]
}

fn says(shown_to: &[AccountId], watching: &[AccountId]) -> Presence {
    Presence { shown_to: shown_to.to_vec(), watching: watching.to_vec() }
}

async fn say(session: &mut Session, shown_to: &[AccountId], watching: &[AccountId]) -> Outcome {
    session.say(FrameKind::Presence, &says(shown_to, watching)).await;
    Ok(())
}

/// The next frame says that these came and those went.
async fn hears(session: &mut Session, joined: &[AccountId], left: &[AccountId]) -> Outcome {
    let changed: PresenceChanged = session.expect(FrameKind::PresenceChanged).await?;
    let set = |accounts: &[AccountId]| accounts.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    same("joined", &set(joined), &set(&changed.joined))?;
    same("left", &set(left), &set(&changed.left))
}

async fn joined(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (alice, bob) = (pair.alice.account, pair.bob.account);
    let mut watcher = pair.bob.connect_behind().await?;
    say(&mut watcher, &[], &[alice]).await?;
    watcher.quiet().await?;
    let mut shown = pair.alice.connect_behind().await?;
    watcher.quiet().await?;
    say(&mut shown, &[bob], &[]).await?;
    hears(&mut watcher, &[alice], &[]).await?;
    shown.quiet().await?;
    watcher.quiet().await
}

async fn there(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (alice, bob) = (pair.alice.account, pair.bob.account);
    let mut shown = pair.alice.connect_behind().await?;
    say(&mut shown, &[bob], &[]).await?;
    shown.quiet().await?;
    let mut watcher = pair.bob.connect_behind().await?;
    watcher.quiet().await?;
    say(&mut watcher, &[], &[alice]).await?;
    hears(&mut watcher, &[alice], &[]).await?;
    say(&mut watcher, &[], &[alice]).await?;
    watcher.quiet().await?;
    watcher.quiet().await
}

async fn left(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (alice, bob) = (pair.alice.account, pair.bob.account);
    let mut watcher = pair.bob.connect_behind().await?;
    say(&mut watcher, &[], &[alice]).await?;
    let mut shown = pair.alice.connect_behind().await?;
    say(&mut shown, &[bob], &[]).await?;
    hears(&mut watcher, &[alice], &[]).await?;
    drop(shown);
    hears(&mut watcher, &[], &[alice]).await
}

async fn replaced(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (alice, bob) = (pair.alice.account, pair.bob.account);
    let mut watcher = pair.bob.connect_behind().await?;
    say(&mut watcher, &[], &[alice]).await?;
    let mut shown = pair.alice.connect_behind().await?;
    say(&mut shown, &[bob], &[]).await?;
    hears(&mut watcher, &[alice], &[]).await?;
    say(&mut shown, &[], &[]).await?;
    hears(&mut watcher, &[], &[alice]).await?;
    say(&mut watcher, &[], &[]).await?;
    watcher.quiet().await?;
    say(&mut shown, &[bob], &[]).await?;
    shown.quiet().await?;
    watcher.quiet().await
}

async fn not_shown(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let alice = pair.alice.account;
    let mut watcher = pair.bob.connect_behind().await?;
    say(&mut watcher, &[alice], &[alice]).await?;
    let mut other = pair.alice.connect_behind().await?;
    for shown_to in [vec![], vec![alice], vec![AccountId::from_bytes(random())]] {
        say(&mut other, &shown_to, &[]).await?;
        other.quiet().await?;
        watcher.quiet().await?;
        // Asked anew, now that the other is connected and shows itself to somebody else.
        say(&mut watcher, &[], &[]).await?;
        say(&mut watcher, &[alice], &[alice]).await?;
        watcher.quiet().await?;
    }
    drop(other);
    watcher.quiet().await
}

async fn unknown(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut watcher = pair.bob.connect_behind().await?;
    for account in [AccountId::from_bytes(random()), pair.alice.account] {
        say(&mut watcher, &[account], &[account]).await?;
        watcher.quiet().await?;
    }
    watcher.quiet().await
}

async fn largest(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (alice, bob) = (pair.alice.account, pair.bob.account);
    let mut watcher = pair.bob.connect_behind().await?;
    say(&mut watcher, &[], &[alice; limits::PRESENCE_MAX]).await?;
    let mut shown = pair.alice.connect_behind().await?;
    let mut all: Vec<_> = (1..limits::PRESENCE_MAX).map(|_| AccountId::from_bytes(random())).collect();
    all.push(bob);
    say(&mut shown, &all, &all).await?;
    let changed: PresenceChanged = watcher.expect(FrameKind::PresenceChanged).await?;
    same("joined", &1, &changed.joined.len())?;
    watcher.quiet().await
}

async fn ends(relay: &Ground, shown: usize, watched: usize) -> Outcome {
    let pair = relay.pair().await?;
    let mut watcher = pair.bob.connect_behind().await?;
    say(&mut watcher, &[], &[pair.alice.account]).await?;
    let mut from = pair.alice.connect_behind().await?;
    let names = |n: usize| vec![pair.bob.account; n];
    say(&mut from, &names(shown), &names(watched)).await?;
    from.ended(ErrorCode::InvalidRequest).await?;
    watcher.quiet().await
}

async fn shown_too_many(relay: &Ground) -> Outcome {
    ends(relay, limits::PRESENCE_MAX + 1, 0).await
}

async fn watched_too_many(relay: &Ground) -> Outcome {
    ends(relay, 0, limits::PRESENCE_MAX + 1).await
}

async fn malformed(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut from = pair.alice.connect_behind().await?;
    from.say_body(FrameKind::Presence, &[0x92, 0xc0, 0x90]).await;
    from.ended(ErrorCode::MalformedBody).await
}
