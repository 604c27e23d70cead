//! What a person at the other end can put into a ciphertext.

use susurro_protocol::bytes::Fixed;
use susurro_protocol::content::{
    Attachment, RECEIPT_READ, Receipt, Resent, TYPE_ATTACHMENT, TYPE_RECEIPT, TYPE_RESENT, TYPE_TEXT, Text,
};
use susurro_protocol::limits::ATTACHMENT_MAX;
use susurro_protocol::{BlobId, ChatId, MessageId, codec};

use crate::clients::hand::{Header, Mallory};
use crate::clients::peer::{Peer, device_of};
use crate::clients::random;
use crate::clients::relay::now;
use crate::clients::run::Lanes;
use crate::clients::stage::Lane;
use crate::suite::check::that;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!("CON-1/other-message-inside", ["CON-1"], "inside is another message id than outside", other_message),
        client!("CON-1/other-chat-inside", ["CON-1"], "inside is another chat than outside", other_chat),
        client!("CON-2/unknown-type", ["CON-2"], "contents of a type of a later version", unknown_type),
        client!(
            "CON-4/receipts",
            ["CON-4", "CON-10"],
            "receipts about messages to others, of unknown states, and of what was read",
            receipts
        ),
        client!(
            "CON-6/resent",
            ["CON-6", "CON-11"],
            "contents that are sent again: of other chats, of wrong types, shown before",
            resent
        ),
        client!("CON-7/control-characters", ["CON-7"], "a text that would rewrite a terminal", control_characters),
        client!(
            "CON-9/broken-texts",
            ["CON-9", "LIM-1"],
            "texts and attachments that are empty, too long, and no structure",
            broken_texts
        ),
        client!("PAD-1/bad-padding", ["PAD-1"], "genuine ciphertexts whose padding is another", bad_padding),
        client!(
            "RAT-4/flags-and-kinds",
            ["RAT-4"],
            "genuine headers with flags, envelopes of another version or kind",
            flags
        ),
        client!(
            "RAT-2/too-far-ahead",
            ["RAT-2"],
            "a genuine message 1,001 ahead of the chain, and one 1,000 ahead",
            too_far
        ),
    ]
}

async fn other_message(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let content = stage.bob.content(&stage.relay, "alice", TYPE_TEXT, text("under another name"))?;
    let mut delivery = stage.bob.seal(&stage.relay, "alice", &content)?;
    delivery.message = MessageId::from_bytes(random());
    stage.relay.deliver(device_of(&stage.relay, "alice")?, delivery);
    stage.bob.write(&stage.relay, "alice", "behind it")?;
    stage.syncs(20).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["behind it"], "a content under another identifier is not shown", shown)?;
    stage.finish()
}

async fn other_chat(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let mut content = stage.bob.content(&stage.relay, "alice", TYPE_TEXT, text("of another chat"))?;
    let chat = content.chat;
    content.chat = ChatId::from_bytes(random());
    let mut delivery = stage.bob.seal(&stage.relay, "alice", &content)?;
    delivery.chat = chat;
    stage.relay.deliver(device_of(&stage.relay, "alice")?, delivery);
    stage.bob.write(&stage.relay, "alice", "behind it")?;
    stage.syncs(20).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["behind it"], "a content of another chat is not shown", shown)?;
    stage.finish()
}

fn text(text: &str) -> Vec<u8> {
    codec::encode(&Text { text: text.to_owned() })
}

async fn unknown_type(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.bob.send(&stage.relay, "alice", 99, b"anything at all".to_vec())?;
    stage.bob.write(&stage.relay, "alice", "behind it")?;
    let said = stage.alice.run(&["recv", "--json", "--count", "2", "--timeout", "20"]).await?;
    said.done()?;
    let lines = said.json();
    let shown = lines.iter().any(|line| {
        line.get("type").and_then(|kind| kind.as_str()) == Some("unknown")
            && line.get("content_type").and_then(serde_json::Value::as_u64) == Some(99)
    });
    that(shown, "recv says that something of type 99 came", &said.stdout)?;
    that(said.field("text") == ["behind it"], "what comes behind is shown", &said.stdout)?;
    let plain = stage.alice.run(&["history", "bob"]).await?;
    plain.done()?;
    that(plain.stdout.lines().count() >= 4, "the history has a line for it", &plain.stdout)?;
    stage.finish()
}

async fn receipts(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.sends("to bob").await?.done()?;
    let message =
        stage.relay.record().sends().last().map(|send| send.message).unwrap_or(MessageId::from_bytes([0; 16]));
    let mut carol = Peer::new("carol");
    carol.join(&mut stage.relay.world());
    carol.write(&stage.relay, "alice", "hello from carol")?;
    stage.alice_gets(&["hello from carol"]).await?;
    let receipt = |state, at| codec::encode(&Receipt { state, messages: vec![message], at });
    carol.send(&stage.relay, "alice", TYPE_RECEIPT, receipt(RECEIPT_READ, now()))?;
    stage.syncs(20).await?.done()?;
    let state = stage.state_of("to bob").await?;
    that(state == "accepted", "a stranger's receipt changes nothing", state)?;
    stage.bob.send(&stage.relay, "alice", TYPE_RECEIPT, receipt(77, now()))?;
    stage.syncs(20).await?.done()?;
    let state = stage.state_of("to bob").await?;
    that(state == "accepted", "a receipt of an unknown state changes nothing", state)?;
    let before = stage.relay.record().sends().count();
    stage.bob.send(&stage.relay, "alice", TYPE_RECEIPT, receipt(RECEIPT_READ, 1))?;
    stage.bob.send(&stage.relay, "alice", TYPE_RECEIPT, receipt(1, u64::MAX))?;
    stage.syncs(20).await?.done()?;
    let state = stage.state_of("to bob").await?;
    that(state == "read", "read stays read", state)?;
    let answers = stage.relay.record().sends().count() - before;
    that(answers == 0, "no receipt answers a receipt", answers)?;
    stage.finish()
}

async fn resent(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", "shown before")?;
    let shown_before = stage.bob.content(&stage.relay, "alice", TYPE_TEXT, text("never sent"))?;
    let mut elsewhere = stage.bob.content(&stage.relay, "alice", TYPE_TEXT, text("of another chat"))?;
    elsewhere.chat = ChatId::from_bytes(random());
    let again = codec::encode(&Resent { content: codec::encode(&shown_before).into() });
    let nested = stage.bob.content(&stage.relay, "alice", TYPE_RESENT, again.clone())?;
    for inner in [codec::encode(&elsewhere), codec::encode(&nested), b"nothing".to_vec()] {
        stage.bob.send(&stage.relay, "alice", TYPE_RESENT, codec::encode(&Resent { content: inner.into() }))?;
    }
    for _ in 0..2 {
        stage.bob.send(&stage.relay, "alice", TYPE_RESENT, again.clone())?;
    }
    stage.syncs(20).await?.done()?;
    let mut shown = stage.texts_of("bob").await?;
    shown.sort();
    that(shown == ["never sent", "shown before"], "what is sent again is shown once, the rest not at all", shown)?;
    stage.finish()
}

/// Escape sequences, a bell, a carriage return, overrides of the writing direction, C1 controls, separators.
const HOSTILE: &str = "\x1b[2J\x1b[31mred\x07\rover\u{202e}txet\u{2066}\u{9b}31m\u{2028}line\u{200f}\x08\x7f";

async fn control_characters(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.bob.write(&stage.relay, "alice", HOSTILE)?;
    let plain = stage.alice.run(&["recv", "--count", "1", "--timeout", "20"]).await?;
    plain.done()?;
    let history = stage.alice.run(&["history", "bob"]).await?;
    let json = stage.alice.run(&["history", "bob", "--json"]).await?;
    let chats = stage.alice.run(&["chats"]).await?;
    for said in [&plain, &history, &json, &chats] {
        let hostile = |c: &char| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let found = said.stdout.chars().find(hostile).or_else(|| said.stderr.chars().find(hostile));
        that(found.is_none(), format!("no character that a terminal obeys in `{}`", said.asked), found)?;
    }
    that(plain.stdout.contains("red"), "the rest of the text is shown", &plain.stdout)?;
    let exact = json.field("text");
    that(exact.iter().any(|text| text == HOSTILE), "--json gives the exact text", exact)?;
    stage.finish()
}

async fn broken_texts(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    for body in [text(""), text(&"x".repeat(32_769)), b"\x91\xc4\x01x".to_vec(), Vec::new(), b"\x90".to_vec()] {
        stage.bob.send(&stage.relay, "alice", TYPE_TEXT, body)?;
    }
    let file = |name: &str, size| {
        codec::encode(&Attachment {
            name: name.to_owned(),
            media_type: String::new(),
            size,
            blob: BlobId::from_bytes(random()),
            key: Fixed(random()),
            hash: Fixed(random()),
        })
    };
    for body in [file("", 1), file(&"x".repeat(256), 1), file("x", ATTACHMENT_MAX + 1), text("no file")] {
        stage.bob.send(&stage.relay, "alice", TYPE_ATTACHMENT, body)?;
    }
    stage.bob.write(&stage.relay, "alice", "behind them")?;
    stage.syncs(20).await?.done()?;
    let shown = stage.texts_of("bob").await?;
    that(shown == ["behind them"], "no text that is none", shown)?;
    let history = stage.history("bob").await?;
    let unreadable =
        history.iter().filter(|line| line.get("type").and_then(|kind| kind.as_str()) == Some("undecryptable"));
    that(unreadable.count() == 9, "nine messages that cannot be read", &history)?;
    let device = device_of(&stage.relay, "alice")?;
    let left = stage.relay.world().devices.get(&device).map_or(0, |device| device.mailbox.len());
    that(left == 0, "all of them are acknowledged", left)?;
    stage.finish()
}

async fn bad_padding(lane: &Lane) -> Outcome {
    let stage = lane.registered().await?;
    let mut mallory = Mallory::join(&stage.relay, "alice")?;
    let paddings: [fn(&mut Vec<u8>); 6] = [
        |padded| {
            if let Some(last) = padded.last_mut() {
                *last = 1;
            }
        },
        |padded| padded.extend(vec![0; 256]),
        |padded| padded.truncate(padded.len() - 1),
        |padded| padded.fill(0),
        Vec::clear,
        |padded| {
            if let Some(end) = padded.iter().rposition(|byte| *byte == 0x80) {
                padded[end] = 0x81;
            }
        },
    ];
    for change in paddings {
        let (content, mut padded) = mallory.padded("badly padded")?;
        change(&mut padded);
        mallory.deliver(&stage.relay, &content, Header::default(), &padded)?;
    }
    let (content, padded) = mallory.padded("well padded")?;
    mallory.deliver(&stage.relay, &content, Header::default(), &padded)?;
    stage.syncs(20).await?.done()?;
    shows_only(&stage, "mallory", &["well padded"]).await
}

async fn flags(lane: &Lane) -> Outcome {
    let stage = lane.registered().await?;
    let mut mallory = Mallory::join(&stage.relay, "alice")?;
    for header in [
        Header { flags: 1, ..Header::default() },
        Header { flags: 0x80, ..Header::default() },
        Header { version: 2, ..Header::default() },
        Header { kind: 3, ..Header::default() },
    ] {
        let (content, padded) = mallory.padded("of a later version")?;
        mallory.deliver(&stage.relay, &content, header, &padded)?;
    }
    let (content, padded) = mallory.padded("of this version")?;
    mallory.deliver(&stage.relay, &content, Header::default(), &padded)?;
    stage.syncs(20).await?.done()?;
    shows_only(&stage, "mallory", &["of this version"]).await
}

async fn too_far(lane: &Lane) -> Outcome {
    let stage = lane.registered().await?;
    let mut mallory = Mallory::join(&stage.relay, "alice")?;
    let (content, padded) = mallory.padded("too far")?;
    mallory.deliver(&stage.relay, &content, Header { number: Some(1001), ..Header::default() }, &padded)?;
    stage.syncs(20).await?.done()?;
    shows_only(&stage, "mallory", &[]).await?;
    // With this one the chain goes on, and the first is not too far ahead any more.
    let (content, padded) = mallory.padded("just near enough")?;
    mallory.deliver(&stage.relay, &content, Header { number: Some(1000), ..Header::default() }, &padded)?;
    stage.syncs(20).await?.done()?;
    let history = stage.history("mallory").await?;
    let shown = history.iter().any(|line| line.get("text").and_then(|text| text.as_str()) == Some("just near enough"));
    that(shown, "a message 1,000 ahead is read", &history)?;
    stage.finish()
}

/// The texts in a conversation are these, and everything was acknowledged.
async fn shows_only(stage: &crate::clients::stage::Stage, peer: &str, texts: &[&str]) -> Outcome {
    let history = stage.history(peer).await?;
    let shown: Vec<_> = history.iter().filter_map(|line| line.get("text")?.as_str()).collect();
    that(shown == texts, format!("of all that came, {texts:?} is shown"), &shown)?;
    let device = device_of(&stage.relay, "alice")?;
    let left = stage.relay.world().devices.get(&device).map_or(0, |device| device.mailbox.len());
    that(left == 0, "everything is acknowledged", left)?;
    stage.finish()
}
