//! `kill -9` at the moments that matter.

use std::time::Duration;

use susurro_protocol::codec;
use susurro_protocol::command::Ack;
use susurro_protocol::frame::FrameKind;

use super::rules;
use crate::clients::peer::device_of;
use crate::clients::relay::{Point, Turn};
use crate::clients::run::Lanes;
use crate::clients::stage::Lane;
use crate::suite::check::that;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!(
            "ACK-3/acknowledged-is-durable",
            ["ACK-3", "RAT-1"],
            "kill -9 when an Ack arrives, five times",
            acknowledged
        ),
        client!(
            "ACK-3/killed-before-ack",
            ["DLV-2", "DLV-4", "RAT-1"],
            "kill -9 right after a delivery left, at several moments",
            killed_before_ack
        ),
        client!("CON-5/receipt-after-durable", ["CON-5"], "kill -9 when a receipt arrives", receipt),
        client!(
            "SEND-7/killed-at-send",
            ["SEND-7", "RAT-7"],
            "kill -9 when a Send arrives, and again at the next try",
            killed_at_send
        ),
    ]
}

async fn acknowledged(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let device = device_of(&stage.relay, "alice")?;
    for round in 0..5 {
        let text = format!("acknowledged {round}");
        stage.bob.write(&stage.relay, "alice", &text)?;
        let position = stage.relay.world().devices.get(&device).map_or(0, |device| device.head);
        stage.relay.rules(rules(|rules| {
            rules.turn = Some(Box::new(move |point| match point {
                Point::Heard(FrameKind::Ack, body) => {
                    let acked = codec::decode::<Ack>(body).is_ok_and(|ack| ack.cursor >= position);
                    if acked { Turn::Freeze } else { Turn::Go }
                }
                _ => Turn::Go,
            }));
        }));
        let running = stage.alice.start(&["sync", "--timeout", "40"], b"").await?;
        let seen = stage.relay.until("the delivery is acknowledged", |record| record.acknowledged() >= position).await;
        running.kill().await?;
        seen?;
        stage.relay.honest_again();
        // Without the relay, which has forgotten it.
        if let Some(device) = stage.relay.world().devices.get_mut(&device) {
            device.mailbox.clear();
        }
        let said = stage.alice.run(&["recv", "--json", "--timeout", "0"]).await?;
        said.done()?;
        that(said.field("text") == [text.clone()], format!("what was acknowledged is durable: {text}"), &said.stdout)?;
    }
    stage.finish()
}

async fn killed_before_ack(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let mut texts = Vec::new();
    for wait in [0, 1, 3, 6, 12] {
        let text = format!("killed after {wait} ms");
        stage.bob.write(&stage.relay, "alice", &text)?;
        texts.push(text);
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut tell = Some(tell);
        stage.relay.rules(rules(|rules| {
            rules.said = Some(Box::new(move |kind, message| {
                if kind == FrameKind::Deliver
                    && let Some(tell) = tell.take()
                {
                    let _ = tell.send(());
                }
                vec![message]
            }));
        }));
        let running = stage.alice.start(&["sync", "--timeout", "40"], b"").await?;
        let delivered = tokio::time::timeout(Duration::from_secs(40), told).await;
        that(matches!(delivered, Ok(Ok(()))), "a session in which the message is delivered", &delivered)?;
        // Moments to be killed at, not a wait for anything.
        tokio::time::sleep(Duration::from_millis(wait)).await;
        running.kill().await?;
        stage.relay.honest_again();
    }
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    stage.alice_gets(&texts).await?;
    let shown = stage.texts_of("bob").await?;
    that(shown == texts, "each of them once in the history", shown)?;
    stage.finish()
}

async fn receipt(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", "receipted")?;
    stage.relay.rules(rules(|rules| {
        rules.turn = Some(Box::new(|point| match point {
            Point::Heard(FrameKind::Send, _) => Turn::Freeze,
            _ => Turn::Go,
        }));
    }));
    let running = stage.alice.start(&["sync", "--timeout", "40"], b"").await?;
    let seen = stage.relay.until("a receipt", |record| record.sends().next().is_some()).await;
    running.kill().await?;
    seen?;
    let said = stage.alice.run(&["recv", "--json", "--timeout", "0"]).await?;
    that(said.field("text") == ["receipted"], "what was receipted is durable", &said.stdout)?;
    stage.all_is_well_again().await?;
    let receipts = stage.bob.read.iter().filter(|content| content.kind == 2).count();
    that(receipts >= 1, "the receipt comes in the end", receipts)?;
    stage.finish()
}

async fn killed_at_send(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("killed twice").await?;
    for round in 1..=2 {
        stage.relay.rules(rules(|rules| {
            rules.turn = Some(Box::new(|point| match point {
                Point::Heard(FrameKind::Send, _) => Turn::Freeze,
                _ => Turn::Go,
            }));
        }));
        let running = stage.alice.start(&["sync", "--timeout", "40"], b"").await?;
        let seen = stage.relay.until("a Send", |record| record.sends().count() >= round).await;
        running.kill().await?;
        seen?;
    }
    stage.all_is_well_again().await?;
    stage.bob_has(&["killed twice"])?;
    stage.finish()
}
