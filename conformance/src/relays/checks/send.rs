//! Depositing messages over both doors.

use serde_json::{Value, json};
use susurro_protocol::command::{Deposit, ListVersion, Send};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::rest::PostedMessage;
use susurro_protocol::{AccountId, ChatId, DeviceId, ErrorCode, limits};

use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Ground, Lease, Pair, Person, random};
use crate::relays::line::Session;
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("SEND-1/stored", ["SEND-1"], "a message is stored and said to be", stored),
        check!(
            "SEND-1/order",
            ["SEND-1", "CONN-9"],
            "128 messages without reading, taken and refused, answered in order",
            order
        ),
        check!("SEND-2/again", ["SEND-2"], "the same Send again is Stored again and delivered once", again),
        check!("SEND-2/next-connection", ["SEND-2"], "the same Send on the next connection", next_connection),
        check!(
            "SEND-2/rest-after-socket",
            ["SEND-2", "CHAT-5"],
            "the same message over REST after the socket",
            rest_after_socket
        ),
        check!(
            "SEND-2/socket-after-rest",
            ["SEND-2", "CHAT-5"],
            "the same message over the socket after REST",
            socket_after_rest
        ),
        check!(
            "SEND-2/both-at-once",
            ["SEND-2"],
            "the same message over both doors at once is delivered once",
            both_at_once
        ),
        check!("SEND-2/other-contents", ["SEND-2"], "a message id with other contents", other_contents),
        check!(
            "SEND-2/other-contents-rest",
            ["SEND-2", "CHAT-5"],
            "a message id with other contents over REST",
            other_contents_rest
        ),
        check!("SEND-2/other-chat", ["SEND-2"], "a message id in another chat", other_chat),
        check!("SEND-2/other-device", ["SEND-2"], "the message id of another device may be used", other_device),
        check!("SEND-3/not-a-member", ["SEND-3"], "a Send into a chat of others", not_a_member),
        check!("SEND-3/no-chat", ["SEND-3"], "a Send into a chat that does not exist", no_chat),
        check!("SEND-3/rest", ["SEND-3", "CHAT-5"], "both over REST", not_a_member_rest),
        check!("SEND-4/older-list", ["SEND-4"], "a device list of version 0", older_list),
        check!("SEND-4/newer-list", ["SEND-4"], "a device list that does not exist yet", newer_list),
        check!("SEND-4/no-own-list", ["SEND-4"], "the sender's own list is not named", no_own_list),
        check!("SEND-4/no-peer-list", ["SEND-4"], "the other's list is not named", no_peer_list),
        check!("SEND-4/list-twice", ["SEND-4"], "a list is named twice", list_twice),
        check!("SEND-4/missing-device", ["SEND-4"], "no ciphertext for a device", missing_device),
        check!("SEND-4/extra-device", ["SEND-4", "SEND-6"], "a ciphertext for a device of nobody", extra_device),
        check!("SEND-4/device-twice", ["SEND-4"], "two ciphertexts for a device", device_twice),
        check!("SEND-4/own-device", ["SEND-4"], "a ciphertext for the sending device", own_device),
        check!(
            "SEND-4/rest",
            ["SEND-4", "CHAT-5", "HTTP-8"],
            "stale over REST, with the accounts and devices named",
            stale_rest
        ),
        check!("SEND-5/too-large", ["SEND-5", "LIM-1"], "a ciphertext of 65,537 bytes", too_large),
        check!("SEND-5/too-large-rest", ["SEND-5", "LIM-1", "CHAT-5"], "the same over REST", too_large_rest),
        check!("SEND-5/largest", ["SEND-5", "LIM-1"], "a ciphertext of 65,536 bytes is delivered whole", largest),
        check!("SEND-5/empty", ["SEND-5"], "an empty ciphertext", empty),
        check!(
            "SEND-5/time-to-live",
            ["SEND-5", "LIM-1"],
            "a time to live of 30 days is taken, of one second more is not",
            time_to_live
        ),
        check!("SEND-6/full", ["SEND-6"], "a full mailbox rejects", full),
        check!("CONN-14/no-use", ["CONN-14"], "retry_after is 0 where trying again is of no use", no_use),
    ]
}

/// Two people with open sessions, Bob's being behind everything.
struct Talk<'a> {
    pair: Lease<'a>,
    from: Session,
    to: Session,
}

impl<'a> Talk<'a> {
    async fn begin(relay: &'a Ground) -> Result<Self, Stop> {
        let pair = relay.pair().await?;
        let (from, to) = (pair.alice.connect_behind().await?, pair.bob.connect_behind().await?);
        Ok(Self { pair, from, to })
    }

    fn message(&self, text: &[u8]) -> Send {
        self.pair.alice.message(self.pair.chat, &self.pair.bob, text)
    }

    /// Passes when this message comes, and nothing behind it.
    async fn only(&mut self, send: &Send) -> Outcome {
        same("message", &send.message, &self.to.delivery().await?.message)?;
        self.to.quiet().await
    }

    /// Passes when a message that was changed so is refused with this code, and nothing of it is delivered.
    async fn refuses(&mut self, code: ErrorCode, change: impl FnOnce(&mut Send, &Pair)) -> Result<Refused, Stop> {
        let mut send = self.message(b"refused");
        change(&mut send, &self.pair);
        let rejected = self.from.rejected(&send, code).await?;
        let whole = self.message(b"taken");
        self.from.stored(&whole).await?;
        self.only(&whole).await?;
        Ok(Refused { stale: rejected.stale, missing: rejected.missing, extra: rejected.extra })
    }
}

/// What a refusal names.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    stale: Vec<AccountId>,
    missing: Vec<DeviceId>,
    extra: Vec<DeviceId>,
}

/// The body of `POST /chats/{id}/messages` for the same message.
pub(super) fn posted(send: &Send) -> Value {
    json!({
        "message": send.message,
        "lists": send.lists,
        "deposits": send.deposits,
        "time_to_live": send.time_to_live,
    })
}

pub(super) async fn post(person: &Person, send: &Send) -> Result<Answer, Stop> {
    person.post(&format!("/chats/{}/messages", send.chat), &posted(send)).await
}

async fn stored(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let send = talk.message(b"hello");
    let stored = talk.from.stored(&send).await?;
    let apart = stored.stored_at.abs_diff(relay.info.time);
    that(apart < 24 * 3_600_000, "stored_at by the relay's clock, in milliseconds", stored.stored_at)?;
    talk.only(&send).await
}

async fn order(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let mut sent = Vec::new();
    for n in 0..128_u8 {
        let mut send = talk.message(&[n; 100]);
        if n % 5 == 0 {
            send.lists.clear();
        }
        talk.from.say(FrameKind::Send, &send).await;
        sent.push(send);
    }
    for send in &sent {
        let (message, taken) = match talk.from.answer().await? {
            Ok(stored) => (stored.message, true),
            Err(rejected) => (rejected.message, false),
        };
        same("answer to", &(send.message, !send.lists.is_empty()), &(message, taken))?;
    }
    for send in sent.iter().filter(|send| !send.lists.is_empty()) {
        same("message", &send.message, &talk.to.delivery().await?.message)?;
    }
    Ok(())
}

async fn again(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let send = talk.message(b"once");
    let first = talk.from.stored(&send).await?;
    let second = talk.from.stored(&send).await?;
    same("stored_at of the first time", &first.stored_at, &second.stored_at)?;
    talk.only(&send).await
}

async fn next_connection(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let send = talk.message(b"once");
    talk.from.stored(&send).await?;
    talk.from = talk.pair.alice.connect_behind().await?;
    talk.from.stored(&send).await?;
    talk.only(&send).await
}

async fn rest_after_socket(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let send = talk.message(b"once");
    let stored = talk.from.stored(&send).await?;
    let again: PostedMessage = post(&talk.pair.alice, &send).await?.read(200)?;
    same("answer", &(send.message, stored.stored_at), &(again.message, again.stored_at))?;
    talk.only(&send).await
}

async fn socket_after_rest(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let send = talk.message(b"once");
    let first: PostedMessage = post(&talk.pair.alice, &send).await?.read(200)?;
    let again = talk.from.stored(&send).await?;
    same("stored_at", &first.stored_at, &again.stored_at)?;
    talk.only(&send).await
}

async fn both_at_once(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    for _ in 0..5 {
        let send = talk.message(b"once");
        let Talk { pair, from, .. } = &mut talk;
        let (answer, stored) = tokio::join!(post(&pair.alice, &send), from.stored(&send));
        let posted: PostedMessage = answer?.read(200)?;
        same("stored_at", &stored?.stored_at, &posted.stored_at)?;
        talk.only(&send).await?;
    }
    Ok(())
}

async fn other_contents(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let mut send = talk.message(b"once");
    talk.from.stored(&send).await?;
    talk.only(&send).await?;
    send.deposits[0].ciphertext = (*b"twice").into();
    talk.from.rejected(&send, ErrorCode::MessageIdReused).await?;
    talk.to.quiet().await
}

async fn other_contents_rest(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let mut send = talk.message(b"once");
    talk.from.stored(&send).await?;
    talk.only(&send).await?;
    send.deposits[0].ciphertext = (*b"twice").into();
    post(&talk.pair.alice, &send).await?.refused(ErrorCode::MessageIdReused)?;
    talk.to.quiet().await
}

async fn other_chat(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let other = relay.pair().await?;
    let chat = talk.pair.alice.open_chat(&other.alice.name).await?;
    let send = talk.message(b"once");
    talk.from.stored(&send).await?;
    let elsewhere = Send { message: send.message, ..talk.pair.alice.message(chat, &other.alice, b"once") };
    talk.from.rejected(&elsewhere, ErrorCode::MessageIdReused).await.map(drop)
}

async fn other_device(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let send = talk.message(b"mine");
    talk.from.stored(&send).await?;
    talk.only(&send).await?;
    let back = Send { message: send.message, ..talk.pair.bob.message(send.chat, &talk.pair.alice, b"mine as well") };
    talk.to.stored(&back).await?;
    same("message", &back.message, &talk.from.delivery().await?.message)
}

async fn not_a_member(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let stranger = relay.pair().await?;
    let intrusion = stranger.alice.message(talk.pair.chat, &talk.pair.bob, b"let me in");
    stranger.alice.connect_behind().await?.rejected(&intrusion, ErrorCode::UnknownChat).await?;
    talk.to.quiet().await
}

async fn no_chat(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let nowhere = Send { chat: ChatId::from_bytes(random()), ..talk.message(b"x") };
    talk.from.rejected(&nowhere, ErrorCode::UnknownChat).await.map(drop)
}

async fn not_a_member_rest(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let stranger = relay.pair().await?;
    let intrusion = stranger.alice.message(talk.pair.chat, &talk.pair.bob, b"let me in");
    post(&stranger.alice, &intrusion).await?.refused(ErrorCode::UnknownChat)?;
    let nowhere = Send { chat: ChatId::from_bytes(random()), ..talk.message(b"x") };
    post(&talk.pair.alice, &nowhere).await?.refused(ErrorCode::UnknownChat)?;
    talk.to.quiet().await
}

/// A list that is wrong so names the account whose list is stale.
async fn stale(relay: &Ground, who: impl FnOnce(&Pair) -> AccountId, change: impl FnOnce(&mut Send, &Pair)) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let refused = talk.refuses(ErrorCode::StaleDeviceList, change).await?;
    let expected = Refused { stale: vec![who(&talk.pair)], missing: Vec::new(), extra: Vec::new() };
    same("named", &expected, &refused)
}

fn set_version(send: &mut Send, account: AccountId, version: u64) {
    for list in send.lists.iter_mut().filter(|list| list.account == account) {
        list.version = version;
    }
}

async fn older_list(relay: &Ground) -> Outcome {
    stale(relay, |pair| pair.bob.account, |send, pair| set_version(send, pair.bob.account, 0)).await
}

async fn newer_list(relay: &Ground) -> Outcome {
    stale(relay, |pair| pair.bob.account, |send, pair| set_version(send, pair.bob.account, 2)).await
}

async fn no_own_list(relay: &Ground) -> Outcome {
    stale(relay, |pair| pair.alice.account, |send, pair| send.lists.retain(|list| list.account != pair.alice.account))
        .await
}

async fn no_peer_list(relay: &Ground) -> Outcome {
    stale(relay, |pair| pair.bob.account, |send, pair| send.lists.retain(|list| list.account != pair.bob.account)).await
}

async fn list_twice(relay: &Ground) -> Outcome {
    stale(
        relay,
        |pair| pair.bob.account,
        |send, pair| send.lists.push(ListVersion { account: pair.bob.account, version: 1 }),
    )
    .await
}

async fn missing_device(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let refused = talk.refuses(ErrorCode::StaleDeviceList, |send, _| send.deposits.clear()).await?;
    same("missing", &vec![talk.pair.bob.device], &refused.missing)
}

async fn extra_device(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let device = DeviceId::from_bytes(random());
    let extra = Deposit { device, ciphertext: (*b"y").into() };
    let refused = talk.refuses(ErrorCode::StaleDeviceList, |send, _| send.deposits.push(extra)).await?;
    same("extra", &vec![device], &refused.extra)
}

async fn device_twice(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let refused =
        talk.refuses(ErrorCode::StaleDeviceList, |send, _| send.deposits.push(send.deposits[0].clone())).await?;
    same("extra", &vec![talk.pair.bob.device], &refused.extra)
}

async fn own_device(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let refused = talk
        .refuses(ErrorCode::StaleDeviceList, |send, pair| {
            send.deposits.push(Deposit { device: pair.alice.device, ciphertext: (*b"me").into() });
        })
        .await?;
    same("extra", &vec![talk.pair.alice.device], &refused.extra)
}

async fn stale_rest(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let mut send = talk.message(b"x");
    set_version(&mut send, talk.pair.bob.account, 7);
    let device = DeviceId::from_bytes(random());
    send.deposits[0].device = device;
    let problem = post(&talk.pair.alice, &send).await?.problem(ErrorCode::StaleDeviceList)?;
    let expected = json!([[talk.pair.bob.account], [talk.pair.bob.device], [device]]);
    same("stale, missing and extra", &expected, &json!([problem["stale"], problem["missing"], problem["extra"]]))?;
    // Empty lists are left out of a problem.
    set_version(&mut send, talk.pair.bob.account, 1);
    send.deposits.clear();
    let problem = post(&talk.pair.alice, &send).await?.problem(ErrorCode::StaleDeviceList)?;
    that(problem.get("stale").is_none() && problem.get("extra").is_none(), "no empty lists", problem)?;
    talk.to.quiet().await
}

async fn too_large(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let large = vec![1; limits::CIPHERTEXT_MAX + 1];
    talk.refuses(ErrorCode::TooLarge, |send, _| send.deposits[0].ciphertext = large.into()).await.map(drop)
}

async fn too_large_rest(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let send = talk.message(&vec![1; limits::CIPHERTEXT_MAX + 1]);
    post(&talk.pair.alice, &send).await?.refused(ErrorCode::TooLarge)?;
    talk.to.quiet().await
}

async fn largest(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let text: Vec<u8> = (0..limits::CIPHERTEXT_MAX).map(|n| n.to_be_bytes()[7]).collect();
    let send = talk.message(&text);
    talk.from.stored(&send).await?;
    let got = talk.to.delivery().await?;
    that(got.ciphertext.as_slice() == text, "the same 65,536 bytes", got.ciphertext.len())
}

async fn empty(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    talk.refuses(ErrorCode::InvalidRequest, |send, _| send.deposits[0].ciphertext = Vec::new().into()).await?;
    let send = talk.message(b"");
    post(&talk.pair.alice, &send).await?.refused(ErrorCode::InvalidRequest)
}

async fn time_to_live(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let longest = Send { time_to_live: limits::TIME_TO_LIVE_MAX, ..talk.message(b"x") };
    talk.from.stored(&longest).await?;
    talk.only(&longest).await?;
    talk.refuses(ErrorCode::InvalidRequest, |send, _| send.time_to_live = limits::TIME_TO_LIVE_MAX + 1).await.map(drop)
}

async fn full(_relay: &Ground) -> Outcome {
    Err(Stop::skipped("a mailbox is full at 100,000 messages, which would burden a relay of others"))
}

async fn no_use(relay: &Ground) -> Outcome {
    let mut talk = Talk::begin(relay).await?;
    let mut stale = talk.message(b"x");
    stale.lists.clear();
    let large = talk.message(&vec![1; limits::CIPHERTEXT_MAX + 1]);
    let nowhere = Send { chat: ChatId::from_bytes(random()), ..talk.message(b"x") };
    let cases = [(stale, ErrorCode::StaleDeviceList), (large, ErrorCode::TooLarge), (nowhere, ErrorCode::UnknownChat)];
    for (send, code) in cases {
        same("retry_after", &0, &talk.from.rejected(&send, code).await?.retry_after)?;
    }
    Ok(())
}
