//! The checks, by what they look at.

mod accounts;
mod administration;
mod blobs;
mod bytes;
mod chats;
mod config;
mod deliver;
mod hello;
mod http;
mod keys;
mod lists;
mod login;
mod opening;
mod presence;
mod rates;
mod recovery;
mod registration;
mod send;
mod session;
mod tokens;
mod upgrade;
mod whisper;

use super::ground::Ground;
use crate::suite::Check;

/// Every check on a relay.
#[must_use]
pub fn all() -> Vec<Check<Ground>> {
    [
        upgrade::checks(),
        hello::checks(),
        opening::checks(),
        session::checks(),
        bytes::checks(),
        send::checks(),
        deliver::checks(),
        whisper::checks(),
        presence::checks(),
        registration::checks(),
        login::checks(),
        tokens::checks(),
        http::checks(),
        lists::checks(),
        keys::checks(),
        chats::checks(),
        accounts::checks(),
        recovery::checks(),
        administration::checks(),
        config::checks(),
        blobs::checks(),
        rates::checks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
