//! `susurro-conformance list`: every requirement, its level, what covers it.

use std::io::{self, Write};

use crate::suite::{About, requirements};
use crate::{clients, relays, vectors};

/// Something that shows whether requirements are kept: a check, a vector, or a test of this repository.
#[derive(Debug, Clone)]
pub struct Cover {
    /// Its name.
    pub name: String,
    /// The requirements.
    pub requirements: Vec<String>,
    /// One of the vectors, of which there are too many to name each.
    pub vector: bool,
}

/// Requirements that no check from outside and no vector can show to be kept, with the test that shows it: the
/// requirement, the test's file, its function. Whoever writes a check for one of them takes it out here.
pub const TESTS: &[(&str, &str, &str)] = &[
    // The lives of tokens are hours and days, and only the relay can make one that has lived.
    ("TOK-2", "server/tests/usecases.rs", "an_access_token_ends_after_its_hour_and_a_refresh_token_after_its_days"),
    // What stands in its database.
    ("AUTH-4", "server/tests/relay/storage.rs", "what_proves_a_password_is_not_stored_as_such"),
    // Nobody can wait for an upload to be a day old.
    ("BLOB-9", "server/tests/usecases.rs", "an_upload_that_is_not_whole_goes_after_a_day"),
    // Nobody outside can ask a relay to go down, or break its disk.
    (
        "CONN-18",
        "server/tests/relay/sockets.rs",
        "a_relay_that_goes_away_answers_what_it_took_and_says_when_to_come_back",
    ),
    ("HTTP-5", "server/src/adapters/inbound/problem.rs", "an_answer_never_carries_the_relays_own_troubles"),
    ("HTTP-7", "server/tests/relay/tls.rs", "a_relay_with_a_certificate_speaks_https_alone"),
    // A relay under test has one rule for registration, and the suite no account that administers it.
    (
        "REG-2",
        "server/tests/relay/administration.rs",
        "registration_is_open_closed_or_by_invite_and_the_relay_says_which",
    ),
    (
        "REG-3",
        "server/tests/relay/administration.rs",
        "an_invite_is_good_for_its_uses_its_time_and_until_it_is_taken_back",
    ),
    ("REG-4", "client-core/tests/client_registration.rs", "an_invite_that_the_lost_answer_used_up_does_not_matter"),
    (
        "ADM-2",
        "server/tests/relay/administration.rs",
        "disabling_ends_every_login_at_once_and_enabling_lets_log_in_again",
    ),
    (
        "ADM-3",
        "server/tests/relay/administration.rs",
        "disabling_ends_every_login_at_once_and_enabling_lets_log_in_again",
    ),
    ("ADM-4", "server/tests/relay/administration.rs", "who_administers_is_looked_up_at_each_request"),
    (
        "ADM-5",
        "server/tests/relay/administration.rs",
        "an_invite_is_good_for_its_uses_its_time_and_until_it_is_taken_back",
    ),
    // What stands on the relay's disk, and how its nodes are told of each other.
    ("PRE-5", "server/tests/relay/presence.rs", "nothing_of_presence_is_written_down"),
    ("PRE-7", "server/tests/relay/presence.rs", "presence_crosses_nodes"),
    // Whether somebody has switched presence on, and who is there on a screen.
    ("PRE-8", "client-core/tests/sim/presence.rs", "nothing_is_said_and_nobody_shown_until_it_is_switched_on"),
    ("PRE-8", "client-core/tests/sim/presence.rs", "nobody_whose_key_has_changed_is_told_or_shown"),
    ("PRE-9", "client-core/tests/sim/presence.rs", "who_is_there_is_shown_and_nobody_is_after_the_session"),
    // The suite administers nothing, and cannot make a relay announce.
    (
        "ANN-1",
        "server/tests/relay/announcements.rs",
        "an_announcement_reaches_who_is_connected_at_once_and_others_when_they_come",
    ),
    (
        "ANN-1",
        "server/tests/relay/announcements.rs",
        "what_has_expired_is_told_no_more_and_only_the_newest_are_in_force",
    ),
    (
        "ANN-2",
        "server/tests/relay/announcements.rs",
        "only_administrators_announce_and_only_what_an_announcement_may_say",
    ),
    // What a screen shows, and what a person types, are told by no documented command; neither is what is stored of it.
    ("SIGNAL-5", "client-core/tests/sim/whispers.rs", "a_whisper_that_comes_again_shows_nothing_also_after_a_restart"),
    ("TYPING-1", "client-core/tests/sim/whispers.rs", "typing_is_shown_until_it_expires_is_stopped_or_a_message_comes"),
    ("TYPING-3", "client-core/tests/sim/whispers.rs", "nothing_is_told_to_a_changed_key_and_nothing_of_it_is_shown"),
    (
        "TYPING-3",
        "client-core/tests/sim/whispers.rs",
        "switched_off_nothing_is_told_and_nothing_shown_until_it_is_switched_on",
    ),
    // Files on a disk, and a second try of an upload: the suite's relay keeps no blobs.
    ("ATT-2", "conformance/tests/attachments.rs", "a_blob_that_the_relay_changed_is_never_a_file"),
    (
        "ATT-3",
        "conformance/tests/attachments.rs",
        "a_file_arrives_whole_although_the_relay_is_killed_on_the_way_there_and_on_the_way_back",
    ),
    // What stands in its database.
    ("DEL-2", "server/tests/relay/administration.rs", "a_deleted_account_leaves_nothing_and_its_name_is_free"),
    ("REC-3", "server/tests/relay/storage.rs", "what_proves_a_password_is_not_stored_as_such"),
    // 100,000 messages would burden a relay of others.
    ("SEND-6", "server/tests/relay/messages.rs", "a_full_mailbox_takes_nothing_until_something_was_fetched"),
];

/// Every check of each suite, by the suite's name. A suite adds its own here.
#[must_use]
pub fn suites() -> [(&'static str, Vec<About>); 2] {
    let relays = relays::all().into_iter().map(|check| check.about).collect();
    [("relay", relays), ("client", clients::run::abouts())]
}

/// Everything that covers requirements.
///
/// # Errors
///
/// When the vectors cannot be read.
pub fn covers() -> io::Result<Vec<Cover>> {
    let checks = suites().into_iter().flat_map(|(suite, checks)| {
        checks.into_iter().map(move |check| (format!("{suite}:{}", check.id), owned(check.covers)))
    });
    let tests = TESTS.iter().map(|(requirement, file, function)| (format!("{file}:{function}"), owned(&[requirement])));
    let cover = |vector| move |(name, requirements)| Cover { name, requirements, vector };
    let vectors = vectors::covers().map_err(io::Error::other)?;
    Ok(checks.chain(tests).map(cover(false)).chain(vectors.into_iter().map(cover(true))).collect())
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// Writes the list: a line a requirement, with its level, the checks and tests that cover it, and the number of
/// vectors.
///
/// # Errors
///
/// When it cannot be written, or the vectors cannot be read.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    let covers = covers()?;
    for requirement in requirements() {
        let covering = || covers.iter().filter(|cover| cover.requirements.contains(&requirement.id));
        let mut covered: Vec<_> = covering().filter(|cover| !cover.vector).map(|cover| cover.name.clone()).collect();
        match covering().filter(|cover| cover.vector).count() {
            0 => {}
            1 => covered.push("1 vector".to_owned()),
            vectors => covered.push(format!("{vectors} vectors")),
        }
        if covered.is_empty() {
            covered.push("nothing".to_owned());
        }
        let level = format!("{:?}", requirement.level).to_uppercase();
        writeln!(out, "{:<9} {level:<7} {}", requirement.id, covered.join(", "))?;
    }
    Ok(())
}
