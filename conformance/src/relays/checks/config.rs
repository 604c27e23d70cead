//! The configuration of a chat, leaving it, and pages while chats come and go.

use std::time::Duration;

use serde_json::{Value, json};
use susurro_protocol::rest::{Chat, ChatConfig, Page, WaitingMessage};
use susurro_protocol::{ChatId, ErrorCode};

use super::send::post;
use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Ground, Pair, Person, ask, random};
use crate::suite::check::{same, that};
use crate::suite::run::pause;
use crate::suite::{Check, Outcome, Stop};

/// How long a relay may take to drop what is past its time.
const TIDY_ROUNDS: u32 = 90;

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("CFG-1/made", ["CFG-1"], "the configuration of a chat that was just made", made),
        check!("CFG-1/either", ["CFG-1"], "both members change it, one after the other, and both see it", either),
        check!("CFG-1/of-others", ["CFG-1", "CHAT-1"], "a change of a chat of others", of_others),
        check!("CFG-2/conflict", ["CFG-2"], "a change that is based on another version", conflict),
        check!("CFG-2/race", ["CFG-2"], "two changes based on one version, at the same time", race),
        check!("CFG-3/unknown", ["CFG-3", "VER-4"], "suites that are unknown, times that are too long", unknown),
        check!("CFG-3/left-out", ["CFG-3"], "members that are left out stay as they are", left_out),
        check!("CFG-4/dropped", ["CFG-4"], "a message that waits for longer than the chat allows", dropped),
        check!("LEAVE-1/gone", ["LEAVE-1"], "a chat that was left is gone for who left it, and for nobody else", gone),
        check!("LEAVE-2/rejected", ["LEAVE-2"], "messages into a chat that one has left", rejected),
        check!("LEAVE-3/back", ["LEAVE-3"], "either opens it again, with the configuration that it had", back),
        check!("LEAVE-4/waiting", ["LEAVE-4"], "what waited when the chat was left", waiting),
        check!("PAGE-3/chats-while-writing", ["PAGE-3"], "pages of chats while chats come and go", paging),
    ]
}

async fn configure(person: &Person, chat: ChatId, change: &Value) -> Result<Answer, Stop> {
    person.patch(&format!("/chats/{chat}/config"), change).await
}

async fn config(person: &Person, chat: ChatId) -> Result<ChatConfig, Stop> {
    Ok(person.get(&format!("/chats/{chat}")).await?.read::<Chat>(200)?.config)
}

async fn leave(person: &Person, chat: ChatId) -> Result<Answer, Stop> {
    ask(person.request(reqwest::Method::DELETE, &format!("/chats/{chat}"))).await
}

async fn chats(person: &Person, query: &str) -> Result<Page<Chat>, Stop> {
    person.get(&format!("/chats{query}")).await?.read(200)
}

/// Two people whose chat no other check has configured or left.
async fn fresh(relay: &Ground) -> Result<Pair, Stop> {
    relay.new_pair().await
}

async fn made(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    same("configuration", &ChatConfig::INITIAL, &config(&pair.alice, pair.chat).await?)?;
    let listed = chats(&pair.bob, "").await?.items;
    same("listed", &ChatConfig::INITIAL, &listed.first().map_or(config(&pair.bob, pair.chat).await?, |c| c.config))
}

async fn either(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    for (version, person, seconds) in [(1, &pair.alice, 3600), (2, &pair.bob, 0), (3, &pair.alice, 60)] {
        let change = json!({"version": version, "disappear_after": seconds});
        let now: ChatConfig = configure(person, pair.chat, &change).await?.read(200)?;
        same("version and time", &(version + 1, seconds), &(now.version, now.disappear_after))?;
        same("who", &Some(person.account), &now.changed_by)?;
        that(now.changed.is_some(), "when", now.changed)?;
        for other in [&pair.alice, &pair.bob] {
            same("as it is then", &now, &config(other, pair.chat).await?)?;
        }
    }
    Ok(())
}

async fn of_others(relay: &Ground) -> Outcome {
    let (pair, stranger) = (fresh(relay).await?, relay.pair().await?);
    let change = json!({"version": 1, "disappear_after": 60});
    configure(&stranger.alice, pair.chat, &change).await?.refused(ErrorCode::NotFound)?;
    leave(&stranger.alice, pair.chat).await?.refused(ErrorCode::NotFound)?;
    let none = ChatId::from_bytes(random());
    configure(&stranger.alice, none, &change).await?.refused(ErrorCode::NotFound)?;
    same("configuration", &ChatConfig::INITIAL, &config(&pair.alice, pair.chat).await?)
}

async fn conflict(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    configure(&pair.alice, pair.chat, &json!({"version": 1, "disappear_after": 60})).await?.is(200)?;
    let before = config(&pair.bob, pair.chat).await?;
    for version in [0, 1, 3, u64::MAX] {
        let change = json!({"version": version, "disappear_after": 5});
        configure(&pair.bob, pair.chat, &change).await?.refused(ErrorCode::ConfigConflict)?;
    }
    same("configuration", &before, &config(&pair.bob, pair.chat).await?)
}

async fn race(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    let change = |seconds: u32| json!({"version": 1, "disappear_after": seconds});
    let (one, two) = (change(60), change(120));
    let (one, two) = tokio::join!(configure(&pair.alice, pair.chat, &one), configure(&pair.bob, pair.chat, &two));
    let (one, two) = (one?, two?);
    let (made, refused, who) =
        if one.status == 200 { (one, two, pair.alice.account) } else { (two, one, pair.bob.account) };
    let made: ChatConfig = made.read(200)?;
    refused.refused(ErrorCode::ConfigConflict)?;
    same("who", &Some(who), &made.changed_by)?;
    same("configuration", &made, &config(&pair.alice, pair.chat).await?)
}

async fn unknown(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    for change in [
        json!({"version": 1, "suite": 2}),
        json!({"version": 1, "suite": 0}),
        json!({"version": 1, "suite": 65_536}),
        json!({"version": 1, "disappear_after": 2_592_001}),
        json!({"version": 1, "disappear_after": -1}),
        json!({"version": 1, "disappear_after": null}),
        json!({"disappear_after": 60}),
    ] {
        configure(&pair.alice, pair.chat, &change).await?.refused(ErrorCode::InvalidRequest)?;
    }
    same("configuration", &ChatConfig::INITIAL, &config(&pair.alice, pair.chat).await?)?;
    configure(&pair.alice, pair.chat, &json!({"version": 1, "suite": 1, "disappear_after": 2_592_000})).await?.is(200)
}

async fn left_out(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    configure(&pair.alice, pair.chat, &json!({"version": 1, "disappear_after": 60})).await?.is(200)?;
    let now: ChatConfig = configure(&pair.alice, pair.chat, &json!({"version": 2, "suite": 1})).await?.read(200)?;
    same("version and time", &(3, 60), &(now.version, now.disappear_after))?;
    let now: ChatConfig = configure(&pair.alice, pair.chat, &json!({"version": 3})).await?.read(200)?;
    same("version, suite and time", &(4, 1, 60), &(now.version, now.suite, now.disappear_after))
}

async fn dropped(relay: &Ground) -> Outcome {
    if relay.quick {
        return Err(Stop::skipped("waits until the relay drops what is past its time"));
    }
    let pair = fresh(relay).await?;
    let before = pair.alice.message(pair.chat, &pair.bob, b"before");
    post(&pair.alice, &before).await?.is(200)?;
    configure(&pair.bob, pair.chat, &json!({"version": 1, "disappear_after": 1})).await?.is(200)?;
    let mut longer = pair.alice.message(pair.chat, &pair.bob, b"for a second");
    longer.time_to_live = 86_400;
    post(&pair.alice, &longer).await?.is(200)?;
    for _ in 0..TIDY_ROUNDS {
        let page: Page<WaitingMessage> = pair.bob.get(&format!("/chats/{}/messages", pair.chat)).await?.read(200)?;
        let left: Vec<_> = page.items.iter().map(|item| item.delivery.message).collect();
        if left == [before.message] {
            return Ok(());
        }
        that(left.contains(&before.message), "what was there before the change", &left)?;
        pause(Duration::from_secs(2)).await;
    }
    Err(Stop::failed("the message is dropped", "it waits for three minutes"))
}

async fn gone(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    leave(&pair.bob, pair.chat).await?.is(204)?;
    pair.bob.get(&format!("/chats/{}", pair.chat)).await?.refused(ErrorCode::NotFound)?;
    pair.bob.get(&format!("/chats/{}/messages", pair.chat)).await?.refused(ErrorCode::NotFound)?;
    leave(&pair.bob, pair.chat).await?.refused(ErrorCode::NotFound)?;
    let change = json!({"version": 1, "disappear_after": 60});
    configure(&pair.bob, pair.chat, &change).await?.refused(ErrorCode::NotFound)?;
    that(chats(&pair.bob, "").await?.items.is_empty(), "no chat", ())?;
    same("the other's", &1, &chats(&pair.alice, "").await?.items.len())?;
    pair.alice.get(&format!("/chats/{}", pair.chat)).await?.is(200)
}

async fn rejected(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    // The relay has taken one before, so that nothing it remembers of the chat lets another in.
    post(&pair.alice, &pair.alice.message(pair.chat, &pair.bob, b"before")).await?.is(200)?;
    leave(&pair.bob, pair.chat).await?.is(204)?;
    for (from, to) in [(&pair.alice, &pair.bob), (&pair.bob, &pair.alice)] {
        let send = from.message(pair.chat, to, b"too late");
        post(from, &send).await?.refused(ErrorCode::UnknownChat)?;
        from.connect_behind().await?.rejected(&send, ErrorCode::UnknownChat).await?;
    }
    Ok(())
}

async fn back(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    configure(&pair.alice, pair.chat, &json!({"version": 1, "disappear_after": 60})).await?.is(200)?;
    let before = config(&pair.alice, pair.chat).await?;
    for (opens, other) in [(&pair.alice, &pair.bob), (&pair.bob, &pair.alice)] {
        leave(&pair.bob, pair.chat).await?.is(204)?;
        let chat: Chat = opens.post("/chats", &json!({"peer": other.name})).await?.read(200)?;
        same("chat and configuration", &(pair.chat, before), &(chat.chat, chat.config))?;
        for person in [&pair.alice, &pair.bob] {
            same("chats", &1, &chats(person, "").await?.items.len())?;
        }
        post(opens, &opens.message(pair.chat, other, b"again")).await?.is(200)?;
    }
    Ok(())
}

async fn waiting(relay: &Ground) -> Outcome {
    let pair = fresh(relay).await?;
    let send = pair.alice.message(pair.chat, &pair.bob, b"stored before");
    post(&pair.alice, &send).await?.is(200)?;
    leave(&pair.bob, pair.chat).await?.is(204)?;
    let mut to = pair.bob.connect(0).await?;
    same("delivery", &send.message, &to.delivery().await?.message)
}

async fn paging(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let mut others = Vec::new();
    for _ in 0..9 {
        let other = relay.person().await?;
        others.push((person.open_chat(&other.name).await?, other));
    }
    others.sort_by_key(|(chat, _)| *chat);
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    let (mut left, mut added) = (Vec::new(), Vec::new());
    loop {
        let page = chats(&person, &query).await?;
        seen.extend(page.items.iter().map(|chat| chat.chat));
        let Some(next) = page.next else { break };
        that(seen.len() < 40, "an end", seen.len())?;
        query = format!("?limit=2&after={next}");
        // The one that the page ended with goes, so does one far ahead; a new one comes anywhere.
        let Some(last) = seen.last() else { break };
        let ahead = others.iter().rev().map(|(chat, _)| *chat).find(|chat| !left.contains(chat) && chat > last);
        for gone in [Some(*last), ahead].into_iter().flatten().filter(|chat| !added.contains(chat)) {
            leave(&person, gone).await?.is(204)?;
            left.push(gone);
        }
        added.push(person.open_chat(&relay.person().await?.name).await?);
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    sorted.dedup();
    same("each once, in order", &sorted, &seen)?;
    let missed: Vec<_> = others.iter().map(|(chat, _)| *chat).filter(|chat| !left.contains(chat)).collect();
    that(missed.iter().all(|chat| seen.contains(chat)), "everything that was there all the time", &missed)
}
