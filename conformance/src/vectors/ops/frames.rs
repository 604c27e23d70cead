//! Frames and their tags.

use bytes::Bytes;
use serde_json::json;
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::session::{FrameOpener, frame_tag};

use super::{Answer, Input};

pub(super) fn decode(input: &Input<'_>) -> Answer {
    let frame = RawFrame::decode(&Bytes::from(input.bytes("bytes")?))?;
    Ok(json!({
        "version": frame.version,
        "kind": frame.kind.number(),
        "seq": frame.seq,
        "body": hex::encode(&frame.body),
        "tag": hex::encode(&frame.tag),
    }))
}

pub(super) fn encode(input: &Input<'_>) -> Answer {
    let frame = RawFrame {
        version: input.number("version")?,
        kind: FrameKind::of_number(input.number("kind")?),
        seq: input.number("seq")?,
        body: input.bytes("body")?.into(),
        tag: input.bytes("tag")?.into(),
    };
    Ok(json!({ "bytes": hex::encode(frame.encode()) }))
}

pub(super) fn tag(input: &Input<'_>) -> Answer {
    let kind = FrameKind::of_number(input.number("kind")?);
    let tag =
        frame_tag(input.array("key")?, input.number("version")?, kind, input.number("seq")?, &input.bytes("body")?);
    Ok(json!({ "tag": hex::encode(tag) }))
}

pub(super) fn open(input: &Input<'_>) -> Answer {
    let mut opener = FrameOpener::resume(input.array("key")?, input.number("next")?);
    let frame = opener.open_message(&Bytes::from(input.bytes("bytes")?))?;
    Ok(json!({ "kind": frame.kind().number(), "seq": frame.seq(), "body": hex::encode(frame.body()) }))
}
