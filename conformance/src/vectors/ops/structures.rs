//! Identifiers, structures, contents, JSON, versions and errors.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use susurro_protocol::codec::{self, Malformed, Structure};
use susurro_protocol::content::Content;
use susurro_protocol::handshake::{Hello, Welcome};
use susurro_protocol::keys::{CertificateBody, DeviceListBody, OneTimePrekey, PrekeyBody, PrekeyBundle};
use susurro_protocol::objects::Objects;
use susurro_protocol::signed::SignedBytes;
use susurro_protocol::{
    AccountId, AccountName, ErrorCode, MessageId, announcement, command, content, event, rest, signal, version,
};

use super::{Answer, Input, Refusal};
use crate::vectors::msgpack::Msgpack;
use crate::vectors::schema;

/// Reads a structure and writes it again.
type Rewrite = fn(&[u8]) -> Result<Vec<u8>, Malformed>;

fn rewrite<T: Serialize + DeserializeOwned + Structure>(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    codec::decode::<T>(bytes).map(|value| codec::encode(&value))
}

macro_rules! structures {
    ($($name:ty),+ $(,)?) => { &[$((<$name as Structure>::NAME, rewrite::<$name> as Rewrite)),+] };
}

const STRUCTURES: &[(&str, Rewrite)] = structures!(
    SignedBytes,
    CertificateBody,
    DeviceListBody,
    PrekeyBody,
    OneTimePrekey,
    PrekeyBundle,
    Hello,
    Welcome,
    command::Ack,
    command::Send,
    command::ListVersion,
    command::Deposit,
    command::Ping,
    command::Whisper,
    command::Presence,
    event::Stored,
    event::Rejected,
    event::Deliver,
    event::Whispered,
    event::PresenceChanged,
    event::Pong,
    announcement::Notice,
    announcement::Announcement,
    event::DevicesChanged,
    event::PrekeysLow,
    event::GoingAway,
    event::ErrorNotice,
    Content,
    content::Text,
    content::Receipt,
    content::Repair,
    content::Resent,
    content::Attachment,
    signal::Signal,
    signal::Typing,
);

/// Reads JSON and gives its known members.
type Reread = fn(&str) -> Result<Value, serde_json::Error>;

fn reread<T: Serialize + DeserializeOwned>(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<Objects<T>>(text).and_then(|Objects(value)| serde_json::to_value(&value))
}

macro_rules! json_structures {
    ($($name:ident),+ $(,)?) => { &[$((stringify!($name), reread::<rest::$name> as Reread)),+] };
}

const JSON_STRUCTURES: &[(&str, Reread)] = json_structures!(
    AuthParams,
    RegisterRequest,
    LoginRequest,
    TokenResponse,
    RefreshRequest,
    UpdateMe,
    PublishKeys,
    KeyCount,
    ClaimRequest,
    ClaimResponse,
    OpenChat,
    PostMessage,
    PostedMessage,
    AcknowledgeMessages,
    ConfigureChat,
    NewBlob,
    BlobState,
);

/// The entry of a table that has the name of `structure`.
fn entry<T: Copy>(table: &[(&str, T)], structure: &str) -> Result<T, Refusal> {
    let found = table.iter().find(|(name, _)| *name == structure).map(|(_, entry)| *entry);
    found.ok_or_else(|| Refusal::Input(format!("no structure {structure}")))
}

pub(super) fn parse_identifier(input: &Input<'_>) -> Answer {
    let text = input.text("text")?;
    let text = match input.text("kind")? {
        "name" => text.parse::<AccountName>().map_err(|_| ErrorCode::InvalidName)?.to_string(),
        "id" => text.parse::<MessageId>().map_err(|_| ErrorCode::InvalidRequest)?.to_string(),
        other => return Err(Refusal::Input(format!("no kind {other}"))),
    };
    Ok(json!({ "text": text }))
}

pub(super) fn account(input: &Input<'_>) -> Answer {
    Ok(json!({ "account": AccountId::of_account_key(&input.array("account_key")?).to_string() }))
}

pub(super) fn chat(input: &Input<'_>) -> Answer {
    Ok(json!({ "chat": input.chat_of("one", "other")?.to_string() }))
}

pub(super) fn decode(input: &Input<'_>) -> Answer {
    Ok(json!({ "fields": fields(input.text("structure")?, &input.bytes("bytes")?)? }))
}

fn fields(structure: &str, bytes: &[u8]) -> Answer {
    let written = entry(STRUCTURES, structure)?(bytes).map_err(|_| ErrorCode::MalformedBody)?;
    let fields = Msgpack::read(&written).and_then(|value| schema::to_json(structure, &value));
    fields.ok_or_else(|| Refusal::Input(format!("{structure} is not as its table says")))
}

pub(super) fn encode(input: &Input<'_>) -> Answer {
    let structure = input.text("structure")?;
    let packed = schema::from_json(structure, input.value("fields")?);
    let packed = packed.ok_or_else(|| Refusal::Input(format!("these are not the fields of {structure}")))?;
    let bytes = entry(STRUCTURES, structure)?(&packed.to_bytes()).map_err(|_| ErrorCode::MalformedBody)?;
    Ok(json!({ "bytes": hex::encode(bytes) }))
}

pub(super) fn content(input: &Input<'_>) -> Answer {
    let bytes = input.bytes("bytes")?;
    let content: Content = codec::decode(&bytes).map_err(|_| ErrorCode::MalformedBody)?;
    let structure = match content.body().map_err(|_| ErrorCode::MalformedBody)? {
        content::Body::Text(_) => "Text",
        content::Body::Receipt(_) => "Receipt",
        content::Body::Repair(_) => "Repair",
        content::Body::Resent(_) => "Resent",
        content::Body::Attachment(_) => "Attachment",
        content::Body::Unknown(kind) => {
            return Ok(json!({ "fields": fields("Content", &bytes)?, "body": { "unknown": kind } }));
        }
    };
    let body = json!({ "structure": structure, "fields": fields(structure, content.body.as_slice())? });
    Ok(json!({ "fields": fields("Content", &bytes)?, "body": body }))
}

pub(super) fn signal(input: &Input<'_>) -> Answer {
    let bytes = input.bytes("bytes")?;
    let signal: signal::Signal = codec::decode(&bytes).map_err(|_| ErrorCode::MalformedBody)?;
    let body = match signal.body().map_err(|_| ErrorCode::MalformedBody)? {
        signal::SignalBody::Typing(_) => {
            json!({ "structure": "Typing", "fields": fields("Typing", signal.body.as_slice())? })
        }
        signal::SignalBody::Unknown(kind) => json!({ "unknown": kind }),
    };
    Ok(json!({ "fields": fields("Signal", &bytes)?, "body": body }))
}

pub(super) fn json(input: &Input<'_>) -> Answer {
    let read = entry(JSON_STRUCTURES, input.text("structure")?)?;
    let value = read(input.text("text")?).map_err(|_| ErrorCode::InvalidRequest)?;
    Ok(json!({ "value": value }))
}

pub(super) fn negotiate(input: &Input<'_>) -> Answer {
    let chosen = version::negotiate(input.number("min_version")?, input.number("max_version")?);
    Ok(json!({ "version": chosen.ok_or(ErrorCode::UnsupportedVersion)? }))
}

pub(super) fn describe_error(input: &Input<'_>) -> Answer {
    let code = ErrorCode::of_number(input.number("number")?);
    let name = if matches!(code, ErrorCode::Other(_)) { Value::Null } else { code.slug().into() };
    Ok(json!({ "name": name, "close_code": code.close_code() }))
}
