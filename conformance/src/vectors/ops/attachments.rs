//! Attachments: files in pieces (section 13.2).

use serde_json::json;
use sha2::{Digest as _, Sha256};
use susurro_client_core::crypto::attachment::{AttachmentKey, BadPiece, Opening, Sealing, blob_size, padded_size};
use susurro_protocol::ErrorCode;

use super::{Answer, Input, Refusal};

impl From<BadPiece> for Refusal {
    fn from(_: BadPiece) -> Self {
        damaged()
    }
}

/// What the document has for a blob that is not what was sent.
fn damaged() -> Refusal {
    Refusal::named("damaged-attachment")
}

pub(super) fn sizes(input: &Input<'_>) -> Answer {
    let size = input.number("size")?;
    let sizes = padded_size(size).zip(blob_size(size)).ok_or(ErrorCode::TooLarge)?;
    Ok(json!({ "padded": sizes.0, "blob": sizes.1 }))
}

pub(super) fn piece(input: &Input<'_>) -> Answer {
    let key = AttachmentKey::new(&input.array("key")?);
    let piece = key.seal(input.number("number")?, last(input)?, &input.bytes("content")?)?;
    Ok(json!({ "piece": hex::encode(piece) }))
}

fn last(input: &Input<'_>) -> Result<bool, Refusal> {
    input.value("last")?.as_bool().ok_or_else(|| Refusal::Input("last is no truth value".into()))
}

pub(super) fn seal(input: &Input<'_>) -> Answer {
    let content = input.bytes("content")?;
    let mut sealing = Sealing::new(&input.array("key")?, content.len() as u64).ok_or(ErrorCode::TooLarge)?;
    let (mut rest, mut size) = (&content[..], 0);
    while let Some(wanted) = sealing.wants() {
        let (now, later) = rest.split_at(wanted);
        size += sealing.seal(now)?.len();
        rest = later;
    }
    Ok(json!({ "size": size, "hash": hex::encode(sealing.hash()) }))
}

pub(super) fn open(input: &Input<'_>) -> Answer {
    let blob = input.bytes("blob")?;
    if <[u8; 32]>::from(Sha256::digest(&blob)) != input.array("hash")? {
        return Err(damaged());
    }
    opened(&input.array("key")?, input.number("size")?, &blob)
}

pub(super) fn join(input: &Input<'_>) -> Answer {
    let bytes = input.array("key")?;
    let key = AttachmentKey::new(&bytes);
    let mut blob = Vec::new();
    for piece in input.parts("pieces")? {
        blob.extend(key.seal(piece.number("number")?, last(&piece)?, &piece.bytes("content")?)?);
    }
    opened(&bytes, input.number("size")?, &blob)
}

fn opened(key: &[u8; 32], size: u64, blob: &[u8]) -> Answer {
    if blob_size(size) != Some(blob.len() as u64) {
        return Err(damaged());
    }
    let mut opening = Opening::new(key, size).ok_or_else(damaged)?;
    let (mut content, mut rest) = (Vec::new(), blob);
    while let Some(wanted) = opening.wants() {
        let (now, later) = rest.split_at_checked(wanted).ok_or_else(damaged)?;
        content.extend_from_slice(&opening.open(now)?);
        rest = later;
    }
    Ok(json!({ "content": hex::encode(content) }))
}
