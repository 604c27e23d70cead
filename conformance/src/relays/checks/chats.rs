//! Chats and their messages over REST.

use serde_json::{Value, json};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::rest::{AcknowledgeMessages, Chat, Page, PostedMessage, WaitingMessage, acknowledgement_proof};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::{ChatId, ErrorCode};

use super::send::post;
use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Ground, Person, fresh_name, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!(
            "CHAT-2/opened",
            ["CHAT-2", "ID-4"],
            "a chat is made once, whoever asks, with the id of section 4",
            opened
        ),
        check!("CHAT-2/race", ["CHAT-2"], "both open the chat at the same time", race),
        check!("CHAT-3/oneself", ["CHAT-3"], "a chat with oneself", oneself),
        check!("CHAT-3/nobody", ["CHAT-3", "HTTP-6"], "a chat with a name that nobody has, or that cannot be", nobody),
        check!("CHAT-1/of-others", ["CHAT-1"], "a chat of others looks like none", of_others),
        check!("CHAT-1/messages-of-others", ["CHAT-1"], "so do its messages", messages_of_others),
        check!("CHAT-1/list", ["CHAT-1"], "the list of chats has one's own only", own_list),
        check!(
            "CHAT-4/own-device",
            ["CHAT-4"],
            "a page of messages is the asking device's mailbox, not the other's",
            own_device
        ),
        check!("CHAT-4/this-chat", ["CHAT-4"], "and of this chat only, in order", this_chat),
        check!("CHAT-4/acknowledges-nothing", ["CHAT-4"], "reading acknowledges nothing", reading),
        check!(
            "CHAT-5/posted",
            ["CHAT-5", "HTTP-9"],
            "a message that was posted waits, and is delivered to an open session",
            posted
        ),
        check!("CHAT-5/ttl-left-out", ["CHAT-5"], "a message without a time to live", without_ttl),
        check!("CHAT-7/acknowledged", ["CHAT-7"], "a device acknowledges one chat over REST", acknowledged),
        check!("CHAT-7/again", ["CHAT-7"], "the same acknowledgement once more", acknowledged_again),
        check!(
            "CHAT-7/of-others",
            ["CHAT-1", "CHAT-7"],
            "an acknowledgement of a chat of others",
            acknowledged_by_other
        ),
        check!("CHAT-8/stolen-token", ["CHAT-8"], "an acknowledgement without the device's key", unsigned),
        check!("CHAT-9/beyond", ["CHAT-9"], "an acknowledgement of what never came", beyond),
        check!(
            "CHAT-6/large-pages",
            ["CHAT-6"],
            "pages of large messages hold at most 1 MiB, and together all",
            large_pages
        ),
    ]
}

async fn open(person: &Person, peer: &str) -> Result<(u16, Chat), Stop> {
    let answer = person.post("/chats", &json!({"peer": peer})).await?;
    let status = answer.status;
    Ok((status, answer.read(if status == 200 { 200 } else { 201 })?))
}

async fn page(person: &Person, chat: ChatId, query: &str) -> Result<Page<WaitingMessage>, Stop> {
    person.get(&format!("/chats/{chat}/messages{query}")).await?.read(200)
}

async fn opened(relay: &Ground) -> Outcome {
    let (one, two) = (relay.pair().await?, relay.pair().await?);
    let person = relay.person().await?;
    for peer in [&one.alice, &two.bob] {
        let (status, chat) = open(&person, &peer.name).await?;
        same("status of the first", &201, &status)?;
        same("id", &ChatId::direct(&person.account, &peer.account), &chat.chat)?;
        same("kind", &"direct", &chat.kind.as_str())?;
        let mut members: Vec<_> = chat.members.iter().map(|member| (member.account, member.name.to_string())).collect();
        members.sort_unstable();
        let mut expected = vec![(person.account, person.name.clone()), (peer.account, peer.name.clone())];
        expected.sort_unstable();
        same("members", &expected, &members)?;
        for (asker, other) in [(&person, peer), (peer, &person)] {
            let again = open(asker, &other.name).await?;
            same("the same chat", &(200, &chat), &(again.0, &again.1))?;
        }
    }
    Ok(())
}

async fn race(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let person = relay.person().await?;
    let (one, other) = tokio::join!(open(&person, &pair.alice.name), open(&pair.alice, &person.name));
    let (one, other) = (one?, other?);
    same("chat", &one.1.chat, &other.1.chat)?;
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    same("statuses", &[200, 201], &statuses)
}

async fn oneself(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    pair.alice.post("/chats", &json!({"peer": pair.alice.name})).await?.refused(ErrorCode::InvalidRequest)
}

async fn nobody(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    pair.alice.post("/chats", &json!({"peer": fresh_name("nobody-")})).await?.refused(ErrorCode::NotFound)?;
    for name in ["", "ab", "Not A Name", "x".repeat(51).as_str()] {
        pair.alice.post("/chats", &json!({"peer": name})).await?.refused(ErrorCode::InvalidName)?;
    }
    Ok(())
}

/// The answers for a chat of others and for none are the same bytes.
async fn looks_like_none(stranger: &Person, of_others: &str, none: &str) -> Outcome {
    let (one, other) = (stranger.get(of_others).await?, stranger.get(none).await?);
    one.refused(ErrorCode::NotFound)?;
    same("status and body", &(other.status, &other.body), &(one.status, &one.body))
}

async fn of_others(relay: &Ground) -> Outcome {
    let (pair, stranger) = (relay.pair().await?, relay.pair().await?);
    let none = format!("/chats/{}", hex::encode(random::<16>()));
    looks_like_none(&stranger.alice, &format!("/chats/{}", pair.chat), &none).await?;
    pair.bob.get(&format!("/chats/{}", pair.chat)).await?.is(200)
}

async fn messages_of_others(relay: &Ground) -> Outcome {
    let (pair, stranger) = (relay.pair().await?, relay.pair().await?);
    let send = pair.alice.message(pair.chat, &pair.bob, b"between two");
    post(&pair.alice, &send).await?.is(200)?;
    let none = format!("/chats/{}/messages", hex::encode(random::<16>()));
    looks_like_none(&stranger.alice, &format!("/chats/{}/messages", pair.chat), &none).await
}

async fn own_list(relay: &Ground) -> Outcome {
    let (pair, stranger) = (relay.pair().await?, relay.pair().await?);
    let all: Page<Chat> = stranger.alice.get("/chats").await?.read(200)?;
    let strange = all.items.iter().any(|chat| !chat.members.iter().any(|m| m.account == stranger.alice.account));
    that(!strange, "chats that the asker is a member of", &all.items)?;
    that(all.items.iter().all(|chat| chat.chat != pair.chat), "no chat of others", pair.chat)?;
    that(all.items.iter().any(|chat| chat.chat == stranger.chat), "the own chat", stranger.chat)
}

async fn own_device(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let send = pair.alice.message(pair.chat, &pair.bob, b"for Bob");
    post(&pair.alice, &send).await?.is(200)?;
    let own = page(&pair.alice, pair.chat, "").await?;
    that(own.items.is_empty(), "nothing in the sender's mailbox", own.items.len())?;
    let found = page(&pair.bob, pair.chat, "").await?;
    let [item] = &found.items[..] else { return Err(Stop::failed("one message", format!("{}", found.items.len()))) };
    let seen = (item.delivery.message, item.delivery.sender, item.delivery.sender_device, item.delivery.chat);
    same("message", &(send.message, pair.alice.account, pair.alice.device, pair.chat), &seen)?;
    same("ciphertext", &&b"for Bob"[..], &item.delivery.ciphertext.as_slice())
}

async fn this_chat(relay: &Ground) -> Outcome {
    let (pair, third) = (relay.pair().await?, relay.pair().await?);
    let other = third.alice.open_chat(&pair.bob.name).await?;
    let mut expected = Vec::new();
    for _ in 0..5 {
        let send = pair.alice.message(pair.chat, &pair.bob, b"this chat");
        post(&pair.alice, &send).await?.is(200)?;
        expected.push(send.message);
        post(&third.alice, &third.alice.message(other, &pair.bob, b"another")).await?.is(200)?;
    }
    let (mut found, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = page(&pair.bob, pair.chat, &query).await?;
        that(page.items.len() <= 2, "at most 2 items", page.items.len())?;
        found.extend(page.items.iter().map(|item| item.delivery.message));
        let Some(next) = page.next else { break };
        that(found.len() <= expected.len(), "an end", found.len())?;
        query = format!("?limit=2&after={next}");
    }
    same("messages", &expected, &found)
}

async fn reading(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (head, session) = pair.bob.afresh().await?;
    drop(session);
    let send = pair.alice.message(pair.chat, &pair.bob, b"read twice");
    post(&pair.alice, &send).await?.is(200)?;
    for _ in 0..2 {
        same("messages", &1, &page(&pair.bob, pair.chat, "").await?.items.len())?;
    }
    let mut to = pair.bob.connect(head).await?;
    same("message", &send.message, &to.delivery().await?.message)
}

async fn posted(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (_, mut to) = pair.bob.afresh().await?;
    let send = pair.alice.message(pair.chat, &pair.bob, b"posted");
    let answer: PostedMessage = post(&pair.alice, &send).await?.read(200)?;
    same("message", &send.message, &answer.message)?;
    let got = to.delivery().await?;
    same("delivery", &(send.message, answer.stored_at), &(got.message, got.stored_at))
}

async fn without_ttl(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let send = pair.alice.message(pair.chat, &pair.bob, b"no end");
    let mut body = super::send::posted(&send);
    if let Some(members) = body.as_object_mut() {
        members.remove("time_to_live");
    }
    let path = format!("/chats/{}/messages", pair.chat);
    let answer: Value = pair.alice.post(&path, &body).await?.json(200)?;
    same("message", &json!(send.message), &answer["message"])
}

async fn acknowledge(person: &Person, chat: ChatId, up_to: u64) -> Result<Answer, Stop> {
    let proof = acknowledgement_proof(&person.relay_key, &person.account, &person.device, &chat, up_to);
    let proof = signed::sign(&person.signing_key, Label::Acknowledgement, &proof);
    acknowledge_with(person, chat, up_to, proof).await
}

async fn acknowledge_with(person: &Person, chat: ChatId, up_to: u64, proof: [u8; 64]) -> Result<Answer, Stop> {
    let request = AcknowledgeMessages { up_to, proof: Fixed(proof) };
    person.post(&format!("/chats/{chat}/messages/ack"), &request).await
}

async fn waiting(person: &Person, chat: ChatId) -> Result<Vec<WaitingMessage>, Stop> {
    Ok(page(person, chat, "").await?.items)
}

async fn acknowledged(relay: &Ground) -> Outcome {
    let (pair, third) = (relay.pair().await?, relay.pair().await?);
    let other = third.alice.open_chat(&pair.bob.name).await?;
    for _ in 0..3 {
        post(&pair.alice, &pair.alice.message(pair.chat, &pair.bob, b"this chat")).await?.is(200)?;
        post(&third.alice, &third.alice.message(other, &pair.bob, b"another")).await?.is(200)?;
    }
    let before = waiting(&pair.bob, pair.chat).await?;
    let [first, second, third_one] = &before[..] else {
        return Err(Stop::failed("three messages", before.len().to_string()));
    };
    let answer = acknowledge(&pair.bob, pair.chat, second.delivery.seq).await?;
    answer.is(204)?;
    that(first.delivery.seq < second.delivery.seq, "rising positions", first.delivery.seq)?;
    let after: Vec<_> = waiting(&pair.bob, pair.chat).await?.into_iter().map(|item| item.delivery.seq).collect();
    same("what is left of this chat", &vec![third_one.delivery.seq], &after)?;
    same("messages of the other chat", &3, &waiting(&pair.bob, other).await?.len())?;
    // An open session gets what is left: one of this chat and three of the other, and no more.
    let mut to = pair.bob.connect(first.delivery.seq - 1).await?;
    for _ in 0..4 {
        let got = to.delivery().await?;
        that(got.seq > second.delivery.seq || got.chat == other, "what was not acknowledged", got.seq)?;
    }
    Ok(())
}

async fn acknowledged_again(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for _ in 0..2 {
        post(&pair.alice, &pair.alice.message(pair.chat, &pair.bob, b"twice")).await?.is(200)?;
    }
    let [first, second] = &waiting(&pair.bob, pair.chat).await?[..] else {
        return Err(Stop::failed("two messages", "another number"));
    };
    for _ in 0..2 {
        acknowledge(&pair.bob, pair.chat, first.delivery.seq).await?.is(204)?;
        let left: Vec<_> = waiting(&pair.bob, pair.chat).await?.into_iter().map(|item| item.delivery.seq).collect();
        same("what is left", &vec![second.delivery.seq], &left)?;
    }
    acknowledge(&pair.bob, pair.chat, 0).await?.is(204)
}

async fn acknowledged_by_other(relay: &Ground) -> Outcome {
    let (pair, stranger) = (relay.pair().await?, relay.pair().await?);
    post(&pair.alice, &pair.alice.message(pair.chat, &pair.bob, b"kept")).await?.is(200)?;
    acknowledge(&stranger.alice, pair.chat, 0).await?.refused(ErrorCode::NotFound)?;
    let seq = waiting(&pair.bob, pair.chat).await?.first().map_or(0, |item| item.delivery.seq);
    // The sender is a member, but the message waits in another mailbox than the sender's.
    let _ = acknowledge(&pair.alice, pair.chat, seq).await?;
    same("messages", &1, &waiting(&pair.bob, pair.chat).await?.len())
}

async fn unsigned(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let other = relay.pair().await?.alice.open_chat(&pair.bob.name).await?;
    post(&pair.alice, &pair.alice.message(pair.chat, &pair.bob, b"kept")).await?.is(200)?;
    let up_to = waiting(&pair.bob, pair.chat).await?.first().map_or(0, |item| item.delivery.seq);
    let bob = &pair.bob;
    let proof = |account, chat, up_to| acknowledgement_proof(&bob.relay_key, account, &bob.device, chat, up_to);
    let good = proof(&bob.account, &pair.chat, up_to);
    let sign = |label, bytes: &[u8]| signed::sign(&bob.signing_key, label, bytes);
    for (what, signature) in [
        ("nobody's", random()),
        ("another's", signed::sign(&pair.alice.signing_key, Label::Acknowledgement, &good)),
        ("under another label", sign(Label::Login, &good)),
        ("of another position", sign(Label::Acknowledgement, &proof(&bob.account, &pair.chat, up_to - 1))),
        ("of another chat", sign(Label::Acknowledgement, &proof(&bob.account, &other, up_to))),
        ("of another account", sign(Label::Acknowledgement, &proof(&pair.alice.account, &pair.chat, up_to))),
    ] {
        let answer = acknowledge_with(bob, pair.chat, up_to, signature).await?;
        that(answer.refused(ErrorCode::BadSignature).is_ok(), format!("bad-signature for {what}"), answer.seen())?;
    }
    same("messages", &1, &waiting(bob, pair.chat).await?.len())
}

async fn beyond(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    post(&pair.alice, &pair.alice.message(pair.chat, &pair.bob, b"kept")).await?.is(200)?;
    let seq = waiting(&pair.bob, pair.chat).await?.first().map_or(0, |item| item.delivery.seq);
    acknowledge(&pair.bob, pair.chat, seq + 1).await?.refused(ErrorCode::InvalidRequest)?;
    same("messages", &1, &waiting(&pair.bob, pair.chat).await?.len())
}

async fn large_pages(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut from = pair.alice.connect_behind().await?;
    let mut expected = Vec::new();
    for _ in 0..20 {
        let send = pair.alice.message(pair.chat, &pair.bob, &vec![1; 65_536]);
        from.stored(&send).await?;
        expected.push(send.message);
    }
    let (mut found, mut query) = (Vec::new(), String::new());
    loop {
        let page = page(&pair.bob, pair.chat, &query).await?;
        let bytes: usize = page.items.iter().map(|item| item.delivery.ciphertext.len()).sum();
        that(bytes <= 1_048_576, "at most 1 MiB of ciphertext", bytes)?;
        found.extend(page.items.iter().map(|item| item.delivery.message));
        let Some(next) = page.next else { break };
        that(found.len() <= expected.len(), "an end", found.len())?;
        query = format!("?after={next}");
    }
    same("messages", &expected, &found)
}
