//! `Hello` with every field wrong in turn.

use susurro_protocol::bytes::Fixed;
use susurro_protocol::event::ErrorNotice;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::handshake::Welcome;
use susurro_protocol::signed::{self, Label};
use susurro_protocol::{AccountId, DeviceId, ErrorCode, codec};

use crate::check;
use crate::relays::ground::{Ground, Person, random};
use crate::relays::line::{Draft, Heard, raw};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("HS-2/kind", ["HS-2", "FRAME-4"], "the first frame is a Ping", other_kind),
        check!("HS-2/seq", ["HS-2"], "Hello with seq 1", seq),
        check!("HS-2/no-structure", ["HS-2", "FRAME-5"], "Hello with a body of another structure", no_structure),
        check!("HS-2/short", ["HS-2", "ENC-4"], "Hello without its last field", short),
        check!("ENC-4/text-for-bytes", ["ENC-4"], "Hello with text in place of a byte string", text_for_bytes),
        check!("ENC-4/array-for-bytes", ["ENC-4"], "Hello with an array in place of a byte string", array_for_bytes),
        check!("ENC-4/negative", ["ENC-4"], "Hello with a cursor of -1", negative),
        check!("ENC-4/behind", ["ENC-4"], "Hello with a byte behind the structure", behind),
        check!("ID-1/short", ["ID-1", "ENC-4"], "Hello with an account id of 15 bytes", short_id),
        check!("ENC-2/longer-hello", ["ENC-2"], "Hello with elements of a later version", longer),
        check!("ENC-5/wide", ["ENC-5"], "Hello with integers in their widest form", wide),
        check!("FRAME-1/first-nonsense", ["FRAME-1"], "the first message is no frame", nonsense),
        check!("FRAME-1/first-oversize", ["FRAME-1", "LIM-1"], "the first message is too large", oversize),
        check!("FRAME-2/first-text", ["FRAME-2"], "the first message is text", text),
        check!("FRAME-6/first-error", ["FRAME-6"], "an Error frame in place of Hello", error),
        check!("VER-2/later-only", ["VER-2"], "a client of versions 2 to 9", later_only),
        check!("VER-2/earlier-only", ["VER-2"], "a client of version 0", earlier_only),
        check!("VER-2/reversed", ["VER-2"], "a range of versions that is reversed", reversed),
        check!("VER-2/widest", ["VER-2"], "a client of all versions gets version 1", widest),
        check!(
            "HS-10/frame-version",
            ["HS-10"],
            "a Hello whose frame says another version than its body",
            frame_version
        ),
        check!("HS-2/account", ["HS-2", "TOK-6"], "Hello of another account", account),
        check!(
            "HS-2/account-and-device",
            ["HS-2", "TOK-6"],
            "Hello of somebody else with one's own token",
            somebody_else
        ),
        check!("HS-2/device", ["HS-2", "TOK-6"], "Hello of another device", device),
        check!("HS-2/relay-key", ["HS-2"], "Hello for another relay", relay_key),
        check!("HS-2/token-hash", ["HS-2"], "Hello with the hash of another token", token_hash),
        check!("HS-2/token-of-other-login", ["HS-2"], "Hello made for another login of the device", other_login),
        check!("HS-2/stolen-token", ["HS-2"], "a token without the device's key", stolen_token),
        check!("HS-2/flipped-signature", ["HS-2"], "a signature with a flipped bit", flipped_signature),
        check!("HS-2/flipped-body", ["HS-2", "ENC-6"], "a signed cursor that was changed", flipped_body),
        check!("HS-2/no-signature", ["HS-2"], "Hello with an empty tag, and with one of 63 bytes", no_signature),
        check!("SIG-1/high-s", ["SIG-1", "HS-2"], "a signature with S + L in place of S", high_s),
        check!("SIG-2/label", ["SIG-2"], "Hello signed under the label of a login", label),
        check!("HS-2/order", ["HS-2"], "several things wrong: the first in the order is named", order),
        check!("HS-5/zero", ["HS-5"], "an ephemeral key of zeros", zero),
        check!("HS-5/small-order", ["HS-5"], "an ephemeral key of order eight", small_order),
        check!("HS-11/fresh", ["HS-11"], "the relay's ephemeral key is another one each time", fresh),
        check!("LIM-2/announced", ["LIM-2", "HS-2"], "Welcome says what section 9 lists", announced),
    ]
}

/// Sends this as the first message of a line; it is refused.
async fn refused(person: &Person, message: Vec<u8>, code: ErrorCode) -> Outcome {
    let mut line = person.dial().await?;
    line.send(message).await;
    line.refused(code).await
}

/// A `Hello` that a check has changed is refused.
async fn changed(relay: &Ground, code: ErrorCode, change: impl FnOnce(&mut Draft)) -> Outcome {
    let pair = relay.pair().await?;
    let mut draft = pair.alice.draft(0);
    change(&mut draft);
    refused(&pair.alice, draft.frame(), code).await
}

/// A `Hello` whose body a check has changed, signed, is refused.
async fn body(relay: &Ground, code: ErrorCode, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Outcome {
    let pair = relay.pair().await?;
    let draft = pair.alice.draft(0);
    let changed = change(codec::encode(&draft.hello));
    refused(&pair.alice, draft.frame_with(&changed), code).await
}

/// A `Hello` with this frame is answered with `Welcome`.
async fn welcomed(person: &Person, message: Vec<u8>) -> Result<Welcome, Stop> {
    let mut line = person.dial().await?;
    line.send(message).await;
    match line.hear().await? {
        Heard::Frame(frame) if frame.kind == FrameKind::Welcome => {
            codec::decode(&frame.body).map_err(|error| Stop::failed("Welcome", error.to_string()))
        }
        Heard::Frame(frame) => {
            let seen = codec::decode::<ErrorNotice>(&frame.body);
            Err(Stop::failed("Welcome", format!("{:?}: {seen:?}", frame.kind)))
        }
        other => Err(Stop::failed("Welcome", format!("{other:?}"))),
    }
}

async fn other_kind(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    refused(&pair.alice, raw(1, 20, 0, &[0x91, 1], &[0; 64]), ErrorCode::UnexpectedFrame).await
}

async fn seq(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let draft = pair.alice.draft(0);
    let body = codec::encode(&draft.hello);
    let tag = signed::sign(&draft.key, Label::Hello, &body);
    refused(&pair.alice, raw(1, 1, 1, &body, &tag), ErrorCode::UnexpectedFrame).await
}

async fn no_structure(relay: &Ground) -> Outcome {
    body(relay, ErrorCode::MalformedBody, |_| vec![0x90]).await
}

async fn short(relay: &Ground) -> Outcome {
    body(relay, ErrorCode::MalformedBody, |mut body| {
        body[0] = 0x97;
        body.pop();
        body
    })
    .await
}

/// Behind the header and the two versions comes the account: `0xc4 16` and its bytes.
const ACCOUNT: usize = 3;

async fn text_for_bytes(relay: &Ground) -> Outcome {
    body(relay, ErrorCode::MalformedBody, |body| {
        // A text of 16 letters has a header of one byte.
        [&body[..ACCOUNT], &[0xb0], &[b'a'; 16], &body[ACCOUNT + 18..]].concat()
    })
    .await
}

async fn array_for_bytes(relay: &Ground) -> Outcome {
    body(relay, ErrorCode::MalformedBody, |body| {
        [&body[..ACCOUNT], &[0xdc, 0, 16], &[1; 16], &body[ACCOUNT + 18..]].concat()
    })
    .await
}

async fn negative(relay: &Ground) -> Outcome {
    body(relay, ErrorCode::MalformedBody, |mut body| {
        body.pop();
        body.push(0xff);
        body
    })
    .await
}

async fn behind(relay: &Ground) -> Outcome {
    body(relay, ErrorCode::MalformedBody, |body| [body, vec![0]].concat()).await
}

async fn short_id(relay: &Ground) -> Outcome {
    body(relay, ErrorCode::MalformedBody, |body| {
        [&body[..ACCOUNT], &[0xc4, 15], &body[ACCOUNT + 2..ACCOUNT + 17], &body[ACCOUNT + 18..]].concat()
    })
    .await
}

async fn longer(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let draft = pair.alice.draft(0);
    let mut body = codec::encode(&draft.hello);
    body[0] = 0x9a;
    body.extend([0x92, 1, 0xa1, b'x', 0xc0]);
    welcomed(&pair.alice, draft.frame_with(&body)).await.map(drop)
}

async fn wide(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let draft = pair.alice.draft(0);
    let mut body = vec![0xdc, 0, 8];
    let hello = &draft.hello;
    for version in [hello.min_version, hello.max_version] {
        body.extend([0xcf, 0, 0, 0, 0, 0, 0, 0, version]);
    }
    for bytes in [
        &hello.account.as_bytes()[..],
        hello.device.as_bytes(),
        &hello.relay_key.0,
        &hello.ephemeral.0,
        &hello.token_hash.0,
    ] {
        // A length in four bytes.
        body.extend([0xc6, 0, 0, 0, bytes.len().to_be_bytes()[7]]);
        body.extend(bytes);
    }
    body.extend([0xcf, 0, 0, 0, 0, 0, 0, 0, 0]);
    welcomed(&pair.alice, draft.frame_with(&body)).await.map(drop)
}

async fn nonsense(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    refused(&pair.alice, b"GET / HTTP/1.1\r\n\r\n".to_vec(), ErrorCode::MalformedFrame).await
}

async fn oversize(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    refused(&pair.alice, vec![0; 262_145], ErrorCode::FrameTooLarge).await
}

async fn text(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut line = pair.alice.dial().await?;
    line.send_text("hello").await;
    line.refused(ErrorCode::MalformedFrame).await
}

async fn error(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut line = pair.alice.dial().await?;
    let notice = codec::encode(&ErrorNotice::of(ErrorCode::BadTag));
    line.send(raw(1, 42, 0, &notice, &[])).await;
    match line.hear().await? {
        Heard::Frame(frame) => Err(Stop::failed("an end without an answer", format!("{:?}", frame.kind))),
        Heard::Closed(..) | Heard::Gone => Ok(()),
    }
}

async fn later_only(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::UnsupportedVersion, |draft| {
        (draft.hello.min_version, draft.hello.max_version) = (2, 9);
    })
    .await
}

async fn earlier_only(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::UnsupportedVersion, |draft| {
        (draft.hello.min_version, draft.hello.max_version) = (0, 0);
    })
    .await
}

async fn reversed(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::UnsupportedVersion, |draft| {
        (draft.hello.min_version, draft.hello.max_version) = (2, 1);
    })
    .await
}

async fn widest(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut draft = pair.alice.draft(0);
    (draft.hello.min_version, draft.hello.max_version) = (0, 255);
    let welcome = welcomed(&pair.alice, draft.frame()).await?;
    same("version", &1, &welcome.version)
}

async fn frame_version(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let draft = pair.alice.draft(0);
    let body = codec::encode(&draft.hello);
    let tag = signed::sign(&draft.key, Label::Hello, &body);
    welcomed(&pair.alice, raw(7, 1, 0, &body, &tag)).await.map(drop)
}

async fn account(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::Unauthenticated, |draft| draft.hello.account = AccountId::from_bytes(random())).await
}

async fn somebody_else(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut draft = pair.bob.draft(0);
    draft.hello.token_hash = pair.alice.draft(0).hello.token_hash;
    refused(&pair.alice, draft.frame(), ErrorCode::Unauthenticated).await
}

async fn device(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::Unauthenticated, |draft| draft.hello.device = DeviceId::from_bytes(random())).await
}

async fn relay_key(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::RelayKeyMismatch, |draft| draft.hello.relay_key.0[31] ^= 1).await
}

async fn token_hash(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::Unauthenticated, |draft| draft.hello.token_hash.0[0] ^= 1).await
}

async fn other_login(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let other = pair.alice.with_tokens(pair.alice.login(relay).await?);
    refused(&pair.alice, other.draft(0).frame(), ErrorCode::Unauthenticated).await
}

async fn stolen_token(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::BadSignature, |draft| draft.key = ed25519_dalek::SigningKey::from_bytes(&random())).await
}

/// `Hello` with this in place of its signature.
async fn with_tag(relay: &Ground, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Outcome {
    let pair = relay.pair().await?;
    let draft = pair.alice.draft(0);
    let body = codec::encode(&draft.hello);
    let tag = change(signed::sign(&draft.key, Label::Hello, &body).to_vec());
    refused(&pair.alice, raw(1, 1, 0, &body, &tag), ErrorCode::BadSignature).await
}

async fn flipped_signature(relay: &Ground) -> Outcome {
    with_tag(relay, |mut tag| {
        tag[3] ^= 0x10;
        tag
    })
    .await
}

async fn flipped_body(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut draft = pair.alice.draft(0);
    let tag = signed::sign(&draft.key, Label::Hello, &codec::encode(&draft.hello));
    draft.hello.cursor = 1;
    refused(&pair.alice, raw(1, 1, 0, &codec::encode(&draft.hello), &tag), ErrorCode::BadSignature).await
}

async fn no_signature(relay: &Ground) -> Outcome {
    with_tag(relay, |_| Vec::new()).await?;
    with_tag(relay, |mut tag| {
        tag.pop();
        tag
    })
    .await
}

async fn high_s(relay: &Ground) -> Outcome {
    /// The order of the group, little-endian (RFC 8032, section 5.1).
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    with_tag(relay, |mut tag| {
        let mut carry = 0;
        for (byte, order) in tag[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        tag
    })
    .await
}

async fn label(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::BadSignature, |draft| draft.label = Label::Login).await
}

async fn order(relay: &Ground) -> Outcome {
    let thief = || ed25519_dalek::SigningKey::from_bytes(&random());
    changed(relay, ErrorCode::UnsupportedVersion, |draft| {
        (draft.hello.min_version, draft.hello.max_version) = (2, 2);
        draft.hello.relay_key = Fixed([1; 32]);
        draft.hello.token_hash = Fixed([1; 32]);
        draft.key = thief();
    })
    .await?;
    changed(relay, ErrorCode::RelayKeyMismatch, |draft| {
        draft.hello.relay_key = Fixed([1; 32]);
        draft.hello.token_hash = Fixed([1; 32]);
        draft.key = thief();
    })
    .await?;
    changed(relay, ErrorCode::Unauthenticated, |draft| {
        draft.hello.token_hash = Fixed([1; 32]);
        draft.key = thief();
    })
    .await
}

async fn zero(relay: &Ground) -> Outcome {
    changed(relay, ErrorCode::BadSignature, |draft| draft.hello.ephemeral = Fixed([0; 32])).await
}

async fn small_order(relay: &Ground) -> Outcome {
    /// A point of order eight on Curve25519 (RFC 7748, section 6.1, refers to such).
    const EIGHT: [u8; 32] = [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ];
    changed(relay, ErrorCode::BadSignature, |draft| draft.hello.ephemeral = Fixed(EIGHT)).await
}

async fn fresh(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let draft = pair.alice.draft(0);
    let (one, other) =
        (welcomed(&pair.alice, draft.frame()).await?.ephemeral, welcomed(&pair.alice, draft.frame()).await?.ephemeral);
    that(one != other, "another ephemeral key for each connection", "the same twice")
}

async fn announced(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let (welcome, _) = pair.alice.greet(0).await?;
    that(welcome.frame_max <= 262_144, "frame_max of at most 262144", welcome.frame_max)?;
    that(welcome.ciphertext_max <= 65_536, "ciphertext_max of at most 65536", welcome.ciphertext_max)?;
    that((1..=256).contains(&welcome.window), "a window of 1 to 256", welcome.window)?;
    // Both are the relay's clock: an hour apart would be two clocks.
    let apart = welcome.time.abs_diff(relay.info.time);
    that(apart < 3_600_000, "the clock of /.well-known/susurro", welcome.time)
}
