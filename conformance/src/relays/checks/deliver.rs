//! Mailboxes: order, windows, acknowledgements, and whose they are.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use susurro_protocol::command::Send;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::rest::{Page, WaitingMessage};
use susurro_protocol::{ErrorCode, limits};

use super::send::post;
use crate::check;
use crate::relays::ground::{Ground, Pair};
use crate::relays::line::Session;
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("DLV-1/order", ["DLV-1"], "300 messages come in their order, at rising positions", order),
        check!(
            "DLV-1/waiting-order",
            ["DLV-1"],
            "what waited comes in its order at the next connection",
            waiting_order
        ),
        check!(
            "DLV-1/never-twice",
            ["DLV-1"],
            "a position is not given again after everything was forgotten",
            never_twice
        ),
        check!(
            "DLV-1/what-was-sent",
            ["DLV-1", "DLV-5"],
            "a delivery says what was sent, by whom, in which chat",
            what_was_sent
        ),
        check!("DLV-2/again", ["DLV-2"], "what was not acknowledged comes again on each connection", again),
        check!("DLV-2/behind-cursor", ["DLV-2", "ACK-1"], "a connection goes on behind its cursor", behind_cursor),
        check!("DLV-2/expired", ["DLV-2"], "a message with one second to live is dropped", expired),
        check!("ACK-2/cumulative", ["ACK-2"], "an Ack forgets everything up to its cursor", cumulative),
        check!("ACK-2/below", ["ACK-2"], "an Ack below an earlier one changes nothing", below),
        check!("ACK-2/rest", ["ACK-2", "CHAT-4"], "what was acknowledged is gone from REST, too", gone_from_rest),
        check!(
            "CONN-10/beyond",
            ["CONN-10"],
            "an Ack beyond the last delivery ends the session and forgets nothing",
            beyond
        ),
        check!("CONN-10/far-beyond", ["CONN-10"], "an Ack of the highest position", far_beyond),
        check!("DLV-3/count", ["DLV-3"], "a window of deliveries, and no more before an Ack", count),
        check!("DLV-3/bytes", ["DLV-3"], "a window of 1 MiB, and no more before an Ack", bytes),
        check!("DLV-3/refilled", ["DLV-3"], "an Ack of some makes room for as many", refilled),
        check!(
            "CONN-15/largest-alone",
            ["CONN-15"],
            "a message of the largest size comes when nothing else waits",
            largest_alone
        ),
        check!(
            "DLV-3/slow-reader",
            ["DLV-3", "SEND-1"],
            "a recipient that reads nothing does not hold up the sender",
            slow_reader
        ),
        check!("DLV-1/isolation", ["DLV-1", "CHAT-4"], "a third person's connection gets nothing of it", isolation),
        check!(
            "DLV-1/not-to-the-sender",
            ["DLV-1"],
            "the sending device gets nothing of its own message",
            not_to_sender
        ),
    ]
}

/// Sends so many messages to Bob and reads the answers.
async fn fill(pair: &Pair, from: &mut Session, texts: impl Iterator<Item = Vec<u8>>) -> Result<Vec<Send>, Stop> {
    let sent: Vec<_> = texts.map(|text| pair.alice.message(pair.chat, &pair.bob, &text)).collect();
    for some in sent.chunks(64) {
        for send in some {
            from.say(FrameKind::Send, send).await;
        }
        for send in some {
            match from.answer().await? {
                Ok(stored) if stored.message == send.message => {}
                other => return Err(Stop::failed("Stored, in order", format!("{other:?}"))),
            }
        }
    }
    Ok(sent)
}

fn small(count: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|n| n.to_be_bytes().to_vec())
}

async fn waiting(pair: &Pair) -> Result<usize, Stop> {
    let page: Page<WaitingMessage> = pair.bob.get(&format!("/chats/{}/messages", pair.chat)).await?.read(200)?;
    Ok(page.items.len())
}

async fn order(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (mut last, mut to) = pair.bob.afresh().await?;
    let mut from = pair.alice.connect_behind().await?;
    let sent = fill(&pair, &mut from, small(300)).await?;
    for send in &sent {
        let got = to.delivery().await?;
        same("message", &send.message, &got.message)?;
        that(got.seq > last, format!("a position above {last}"), got.seq)?;
        last = got.seq;
        to.ack(last).await;
    }
    to.quiet().await
}

async fn waiting_order(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, to) = pair.bob.afresh().await?;
    drop(to);
    let mut from = pair.alice.connect_behind().await?;
    let sent = fill(&pair, &mut from, small(20)).await?;
    let mut to = pair.bob.connect(head).await?;
    let mut last = head;
    for send in &sent {
        let got = to.delivery().await?;
        same("message", &send.message, &got.message)?;
        that(got.seq > last, format!("a position above {last}"), got.seq)?;
        last = got.seq;
    }
    Ok(())
}

async fn never_twice(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut from = pair.alice.connect_behind().await?;
    let mut given = HashSet::new();
    for _ in 0..3 {
        let (head, mut to) = pair.bob.afresh().await?;
        from.stored(&pair.alice.message(pair.chat, &pair.bob, b"x")).await?;
        let got = to.delivery().await?;
        that(got.seq > head && given.insert(got.seq), format!("a new position above {head}"), got.seq)?;
        to.ack(got.seq).await;
        to.quiet().await?;
    }
    Ok(())
}

async fn what_was_sent(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut to) = pair.bob.afresh().await?;
    let send = pair.alice.message(pair.chat, &pair.bob, b"not for the relay");
    let stored = pair.alice.connect_behind().await?.stored(&send).await?;
    let got = to.delivery().await?;
    let expected = (send.message, send.chat, pair.alice.account, pair.alice.device, stored.stored_at);
    same("delivery", &expected, &(got.message, got.chat, got.sender, got.sender_device, got.stored_at))?;
    same("ciphertext", &&b"not for the relay"[..], &got.ciphertext.as_slice())
}

async fn again(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, to) = pair.bob.afresh().await?;
    drop(to);
    let mut from = pair.alice.connect_behind().await?;
    let sent = fill(&pair, &mut from, small(5)).await?;
    for _ in 0..3 {
        let mut to = pair.bob.connect(head).await?;
        for send in &sent {
            same("message", &send.message, &to.delivery().await?.message)?;
        }
    }
    Ok(())
}

async fn behind_cursor(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, to) = pair.bob.afresh().await?;
    drop(to);
    let mut from = pair.alice.connect_behind().await?;
    let sent = fill(&pair, &mut from, small(5)).await?;
    let mut to = pair.bob.connect(head).await?;
    let third = {
        to.delivery().await?;
        to.delivery().await?;
        to.delivery().await?.seq
    };
    drop(to);
    let mut to = pair.bob.connect(third).await?;
    same("message behind the cursor", &sent[3].message, &to.delivery().await?.message)
}

async fn expired(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, to) = pair.bob.afresh().await?;
    drop(to);
    let mut from = pair.alice.connect_behind().await?;
    let short = Send { time_to_live: 1, ..pair.alice.message(pair.chat, &pair.bob, b"soon gone") };
    from.stored(&short).await?;
    let long = pair.alice.message(pair.chat, &pair.bob, b"stays");
    from.stored(&long).await?;
    let began = Instant::now();
    // How often a relay looks is its own affair; two minutes are a long second.
    while waiting(&pair).await? > 1 {
        if began.elapsed() > Duration::from_secs(120) {
            return Err(Stop::failed("a message with one second to live is gone after two minutes", "it still waits"));
        }
        // Asked rarely: the requests of an account are counted.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let mut to = pair.bob.connect(head).await?;
    same("message", &long.message, &to.delivery().await?.message)?;
    to.quiet().await
}

async fn cumulative(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, mut to) = pair.bob.afresh().await?;
    let mut from = pair.alice.connect_behind().await?;
    let sent = fill(&pair, &mut from, small(4)).await?;
    let mut third = 0;
    for n in 0..4 {
        let seq = to.delivery().await?.seq;
        if n == 2 {
            third = seq;
        }
    }
    to.ack(third).await;
    to.quiet().await?;
    // An acknowledgement becomes durable a moment later.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut to = pair.bob.connect(head).await?;
        let first = to.delivery().await?.message;
        if first == sent[3].message {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Stop::failed("the first three are forgotten", format!("{first}")));
        }
    }
}

async fn below(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut to) = pair.bob.afresh().await?;
    let mut from = pair.alice.connect_behind().await?;
    fill(&pair, &mut from, small(2)).await?;
    let first = to.delivery().await?.seq;
    let second = to.delivery().await?.seq;
    for cursor in [second, first, 0, second] {
        to.ack(cursor).await;
    }
    to.quiet().await?;
    let more = fill(&pair, &mut from, small(1)).await?;
    same("message", &more[0].message, &to.delivery().await?.message)
}

async fn gone_from_rest(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut to) = pair.bob.afresh().await?;
    let mut from = pair.alice.connect_behind().await?;
    fill(&pair, &mut from, small(2)).await?;
    to.delivery().await?;
    let last = to.delivery().await?.seq;
    same("messages that wait", &2, &waiting(&pair).await?)?;
    to.ack(last).await;
    to.quiet().await?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while waiting(&pair).await? > 0 {
        that(Instant::now() < deadline, "nothing waits any longer", "it does")?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

async fn acked_beyond(relay: &Ground, beyond: impl FnOnce(u64) -> u64) -> Outcome {
    let pair = relay.pair().await?;
    let (head, mut to) = pair.bob.afresh().await?;
    let mut from = pair.alice.connect_behind().await?;
    let sent = fill(&pair, &mut from, small(1)).await?;
    let seq = to.delivery().await?.seq;
    to.ack(beyond(seq)).await;
    to.ended(ErrorCode::UnexpectedFrame).await?;
    let mut to = pair.bob.connect(head).await?;
    same("message that still waits", &sent[0].message, &to.delivery().await?.message)
}

async fn beyond(relay: &Ground) -> Outcome {
    acked_beyond(relay, |seq| seq + 1).await
}

async fn far_beyond(relay: &Ground) -> Outcome {
    acked_beyond(relay, |_| u64::MAX).await
}

async fn count(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (welcome, mut to) = pair.bob.greet(0).await?;
    to.ack(welcome.mailbox_head).await;
    let window = welcome.window as usize;
    let mut from = pair.alice.connect_behind().await?;
    let sent = fill(&pair, &mut from, small(window + 10)).await?;
    let mut last = 0;
    for send in &sent[..window] {
        let got = to.delivery().await?;
        same("message", &send.message, &got.message)?;
        last = got.seq;
    }
    to.quiet().await?;
    to.ack(last).await;
    for send in &sent[window..] {
        same("message", &send.message, &to.delivery().await?.message)?;
    }
    Ok(())
}

async fn bytes(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut to) = pair.bob.afresh().await?;
    let mut from = pair.alice.connect_behind().await?;
    let fit = limits::DELIVERY_WINDOW_BYTES / limits::CIPHERTEXT_MAX;
    for _ in 0..fit + 2 {
        let send = pair.alice.message(pair.chat, &pair.bob, &vec![1; limits::CIPHERTEXT_MAX]);
        from.stored(&send).await?;
    }
    let mut seqs = Vec::new();
    for _ in 0..fit {
        seqs.push(to.delivery().await?.seq);
    }
    to.quiet().await?;
    to.ack(seqs[0]).await;
    to.delivery().await?;
    to.quiet().await
}

async fn refilled(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (welcome, mut to) = pair.bob.greet(0).await?;
    to.ack(welcome.mailbox_head).await;
    let window = welcome.window as usize;
    let mut from = pair.alice.connect_behind().await?;
    let sent = fill(&pair, &mut from, small(window + 30)).await?;
    let mut tenth = 0;
    for n in 0..window {
        let seq = to.delivery().await?.seq;
        if n == 9 {
            tenth = seq;
        }
    }
    to.ack(tenth).await;
    for send in &sent[window..window + 10] {
        same("message", &send.message, &to.delivery().await?.message)?;
    }
    to.quiet().await
}

async fn largest_alone(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut to) = pair.bob.afresh().await?;
    let send = pair.alice.message(pair.chat, &pair.bob, &vec![1; limits::CIPHERTEXT_MAX]);
    pair.alice.connect_behind().await?.stored(&send).await?;
    same("message", &send.message, &to.delivery().await?.message)
}

async fn slow_reader(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    // Bob's connection is open, and nobody reads it.
    let (head, to) = pair.bob.afresh().await?;
    let mut from = pair.alice.connect_behind().await?;
    let sent = fill(&pair, &mut from, (0..60).map(|_| vec![1; 32 * 1024])).await?;
    let mut new = pair.bob.connect(head).await?;
    drop(to);
    for send in &sent {
        let got = new.delivery().await?;
        same("message", &send.message, &got.message)?;
        new.ack(got.seq).await;
    }
    Ok(())
}

async fn isolation(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let stranger = relay.pair().await?;
    let mut ear = stranger.alice.connect_behind().await?;
    let (_, mut to) = pair.bob.afresh().await?;
    let send = pair.alice.message(pair.chat, &pair.bob, b"between two");
    post(&pair.alice, &send).await?.is(200)?;
    same("message", &send.message, &to.delivery().await?.message)?;
    ear.quiet().await
}

async fn not_to_sender(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut from = pair.alice.connect_behind().await?;
    from.stored(&pair.alice.message(pair.chat, &pair.bob, b"away")).await?;
    from.quiet().await
}
