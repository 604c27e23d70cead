//! The checks, by what they are about.

/// A [`Check`](crate::suite::Check) of an asynchronous function that plays on a lane.
macro_rules! client {
    ($id:literal, [$($covers:literal),+ $(,)?], $tried:literal, $function:expr) => {
        $crate::suite::Check {
            about: $crate::suite::About { id: $id, covers: &[$($covers),+], tried: $tried },
            run: |lanes| {
                Box::pin(async move {
                    let taken = lanes.take().await?;
                    $function(taken.lane()?).await
                })
            },
        }
    };
}

mod announcements;
mod bundles;
mod contents;
mod counts;
mod durable;
mod floods;
mod frames;
mod handshake;
mod limits;
mod lists;
mod receiving;
mod registration;
mod sending;
mod sessions;
mod steps;
mod timing;
mod tokens;
mod whispers;

use std::time::Duration;

use super::relay::Rules;
use super::run::Lanes;
use crate::suite::Check;

/// Checks that mostly wait, with the time that they take for it.
pub const WAITING: &[(&str, Duration)] = &[
    ("SES-4/ping-and-silence", Duration::from_secs(120)),
    ("SES-6/waits-before-coming-back", Duration::from_secs(60)),
];

/// Every check of a client.
#[must_use]
pub fn all() -> Vec<Check<Lanes>> {
    let groups = [
        steps::checks(),
        announcements::checks(),
        handshake::checks(),
        sessions::checks(),
        frames::checks(),
        timing::checks(),
        registration::checks(),
        tokens::checks(),
        lists::checks(),
        bundles::checks(),
        sending::checks(),
        limits::checks(),
        durable::checks(),
        receiving::checks(),
        contents::checks(),
        counts::checks(),
        floods::checks(),
        whispers::checks(),
    ];
    groups.into_iter().flatten().collect()
}

/// Rules with one thing changed.
fn rules(change: impl FnOnce(&mut Rules)) -> Rules {
    let mut rules = Rules::default();
    change(&mut rules);
    rules
}
