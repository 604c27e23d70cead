//! What a client counts, and what it never uses twice.

use std::collections::{BTreeMap, HashSet};

use crate::clients::run::Lanes;
use crate::clients::stage::{Lane, Stage};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!("CON-8/one-by-one", ["CON-8"], "the messages of a chat are counted from 1, one by one", one_by_one),
        client!("RAT-8/fresh", ["RAT-8"], "each message has a random value of its own", fresh),
    ]
}

/// Alice has sent three more texts, and Bob has read them.
async fn after_three(lane: &Lane) -> Result<Stage, Stop> {
    let mut stage = lane.acquainted().await?;
    for text in ["one", "two", "three"] {
        stage.sends(text).await?.done()?;
    }
    let Stage { relay, bob, .. } = &mut stage;
    bob.fetch(relay)?;
    stage.bob_has(&["one", "two", "three"])?;
    Ok(stage)
}

async fn one_by_one(lane: &Lane) -> Outcome {
    let stage = after_three(lane).await?;
    let counters: Vec<_> = stage.bob.read.iter().map(|content| content.counter).collect();
    let expected: Vec<_> = (1..).take(counters.len()).collect();
    same("counters", &expected, &counters)?;
    stage.finish()
}

/// Where the random value of an envelope is (section 16.1): behind the initial header when there is one.
fn random_value(envelope: &[u8]) -> Option<&[u8]> {
    let at = if *envelope.get(1)? == 1 { 1187 } else { 2 };
    envelope.get(at..at + 24)
}

async fn fresh(lane: &Lane) -> Outcome {
    let stage = after_three(lane).await?;
    // A message that is sent again has the same bytes: by its identifier it counts once.
    let envelopes: BTreeMap<_, _> = stage
        .relay
        .record()
        .sends()
        .flat_map(|send| send.deposits.into_iter().map(move |deposit| (send.message, deposit.ciphertext)))
        .collect();
    let values: HashSet<_> = envelopes.values().filter_map(|envelope| random_value(envelope.as_slice())).collect();
    that(envelopes.len() >= 3 && values.len() == envelopes.len(), "as many random values as messages", values.len())?;
    stage.finish()
}
