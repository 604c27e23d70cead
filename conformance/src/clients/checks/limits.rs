//! Sizes: of texts, of padding, and those that a relay sets.

use susurro_protocol::limits::TEXT_MAX;

use super::rules;
use crate::clients::run::Lanes;
use crate::clients::stage::Lane;
use crate::search::Marker;
use crate::suite::check::that;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!("LIM-1/longest-text", ["LIM-1"], "a text of 32,768 bytes, and one of a byte more", longest),
        client!("LIM-2/smaller-limits", ["LIM-2"], "a relay that takes ciphertexts of 3,000 bytes", smaller),
        client!(
            "PAD-1/every-length",
            ["PAD-1", "PAD-2"],
            "texts of many lengths, and what their ciphertexts show of them",
            every_length
        ),
        client!(
            "PAD-2/nothing-plain",
            ["PAD-2", "FRAME-7"],
            "all bytes of a conversation are searched for its words",
            nothing_plain
        ),
    ]
}

async fn longest(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let longest = "ñ".repeat(TEXT_MAX / 2);
    stage.alice.run_with(&["send", "bob", "-"], longest.as_bytes()).await?.done()?;
    let longer = stage.alice.run_with(&["send", "bob", "-"], format!("{longest}x").as_bytes()).await?;
    longer.ended_with(&[2])?;
    stage.alice.run(&["send", "bob", ""]).await?.ended_with(&[2])?;
    stage.all_is_well_again().await?;
    stage.bob_has(&[&longest])?;
    stage.finish()
}

async fn smaller(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.relay.rules(rules(|rules| {
        rules.welcome = Some(Box::new(|welcome| {
            welcome.ciphertext_max = 3000;
        }));
    }));
    let large = "x".repeat(5000);
    let said = stage.alice.run(&["send", "bob", &large, "--timeout", "4"]).await?;
    said.refused()?;
    stage.alice.run(&["send", "bob", "small", "--timeout", "10"]).await?.done()?;
    let largest = {
        let record = stage.relay.record();
        record.sends().flat_map(|send| send.deposits).map(|deposit| deposit.ciphertext.len()).max()
    };
    that(largest <= Some(3000), "no ciphertext above what the relay takes", largest)?;
    // It failed and says so, or it waits for another relay: it is not lost.
    let state = stage.state_of(&large).await?;
    that(["failed", "queued"].contains(&state.as_str()), "the large text is shown for what it is", state)?;
    stage.bob.fetch(&stage.relay)?;
    let came = stage.bob.texts();
    that(came.iter().any(|text| text == "small"), "what is small enough comes", came.len())?;
    stage.finish()
}

async fn every_length(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let mut lengths = Vec::new();
    for length in [1, 60, 700, 3000, 9000] {
        stage.queues(&"x".repeat(length)).await?;
    }
    stage.syncs(20).await?.done()?;
    for send in stage.relay.record().sends() {
        lengths.extend(send.deposits.iter().map(|deposit| deposit.ciphertext.len()));
    }
    that(lengths.len() >= 5 && lengths[0] == lengths[1], "short texts of the same length outside", &lengths)?;
    stage.all_is_well_again().await?;
    that(stage.bob.texts().len() == 6, "all of them come", stage.bob.texts().len())?;
    stage.finish()
}

async fn nothing_plain(lane: &Lane) -> Outcome {
    let mut stage = lane.registered().await?;
    let words = "a sentence that nobody else may read";
    stage.sends(words).await?.done()?;
    stage.bob.fetch(&stage.relay)?;
    stage.bob.write(&stage.relay, "alice", "an answer")?;
    stage.alice_gets(&["an answer"]).await?;
    stage.bob_has(&[words])?;
    let markers = [Marker::new("the text", words.as_bytes()), Marker::new("its end", &words.as_bytes()[18..])];
    let leaks = crate::search::leaks("what the client sent", &stage.relay.record().bytes, &markers);
    that(leaks.is_empty(), "no word of it anywhere", leaks)?;
    stage.finish()
}
