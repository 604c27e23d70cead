//! Schemas of what stands in JSON, for the OpenAPI description of the REST interface.
//!
//! Structures derive theirs; here are the types that read and write themselves.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::bytes::{Bin, Fixed};
use crate::error::ErrorCode;
use crate::ids::{AccountId, AccountName, AnnouncementId, BlobId, ChatId, DeviceId, MessageId};
use crate::limits::{
    DISPLAY_NAME_MAX, INVITE_NOTE_MAX, INVITE_USES_MAX, NAME_MAX, NAME_MIN, PASSWORD_LANES_MAX,
    PASSWORD_MEMORY_KIB_MAX, PASSWORD_MEMORY_KIB_MIN, PASSWORD_PASSES_MAX, PASSWORD_PASSES_MIN,
};
use crate::rest::{AUTH_SCHEME, SignedText};

/// Base64url of whole groups of three bytes, and what may follow: the unused bits of the last
/// character are zero.
const GROUP: &str = "[A-Za-z0-9_-]{4}";
const ONE_MORE: &str = "[A-Za-z0-9_-][AQgw]";
const TWO_MORE: &str = "[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]";

fn text(pattern: String, description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).description(Some(description))
}

impl PartialSchema for Bin {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^({GROUP})*({ONE_MORE}|{TWO_MORE})?$");
        text(pattern, "Bytes as base64url without padding (RFC 4648, section 5).").into()
    }
}

impl ToSchema for Bin {
    fn name() -> Cow<'static, str> {
        "Bytes".into()
    }
}

impl<const N: usize> PartialSchema for Fixed<N> {
    fn schema() -> RefOr<Schema> {
        let rest = ["", ONE_MORE, TWO_MORE][N % 3];
        let pattern = format!("^({GROUP}){{{}}}{rest}$", N / 3);
        text(pattern, &format!("{N} bytes as base64url without padding.")).into()
    }
}

impl<const N: usize> ToSchema for Fixed<N> {
    fn name() -> Cow<'static, str> {
        format!("Bytes{N}").into()
    }
}

impl PartialSchema for SignedText {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^({GROUP})*({ONE_MORE}|{TWO_MORE})?$");
        text(pattern, "Base64url without padding of the msgpack of a signed object.").into()
    }
}

impl ToSchema for SignedText {}

macro_rules! identifiers {
    ($($name:ident $of:literal),+) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                text("^[0-9a-f]{32}$".to_owned(), concat!("Identifier of ", $of, ".")).into()
            }
        }
        impl ToSchema for $name {}
    )+};
}
identifiers!(AccountId "an account", DeviceId "a device", ChatId "a chat", MessageId "a message", BlobId "a blob", AnnouncementId "an announcement");

impl PartialSchema for AccountName {
    fn schema() -> RefOr<Schema> {
        text(format!("^[a-z0-9_-]{{{NAME_MIN},{NAME_MAX}}}$"), "Name of an account.").into()
    }
}

impl ToSchema for AccountName {}

impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        let known: Vec<String> = Self::ALL.iter().map(|code| format!("{} `{}`", code.number(), code.slug())).collect();
        let description =
            format!("Stable number of an error. Later versions have more than these: {}.", known.join(", "));
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(u16::MAX))
            .description(Some(description))
            .into()
    }
}

impl ToSchema for ErrorCode {}

/// A number with limits of the protocol.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident: $min:expr, $max:expr;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let number = ObjectBuilder::new().schema_type(Type::Integer);
                number.minimum(Some($min)).maximum(Some($max)).into()
            }
        }
        impl ToSchema for $name {}
    )+};
}

numbers! {
    /// Of `StretchParams`.
    MemoryKib: PASSWORD_MEMORY_KIB_MIN, PASSWORD_MEMORY_KIB_MAX;
    /// Of `StretchParams`.
    Passes: PASSWORD_PASSES_MIN, PASSWORD_PASSES_MAX;
    /// Of `StretchParams`.
    Lanes: 1, PASSWORD_LANES_MAX;
    /// Of `CreateInvite`.
    InviteUses: 1, INVITE_USES_MAX;
}

/// `limit` of a query: a whole number of whatever size (PAGE-2).
#[must_use]
pub fn whole_number() -> Schema {
    let meaning = "At most this many, up to 100, and 100 when left out; other numbers are taken to the nearer end.";
    ObjectBuilder::new().schema_type(Type::Integer).description(Some(meaning)).build().into()
}

/// Of `UpdateMe`: as long as a display name may be, and without control characters.
pub(crate) struct DisplayName;

impl PartialSchema for DisplayName {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^[^\\u0000-\\u001f\\u007f-\\u009f]{{1,{DISPLAY_NAME_MAX}}}$");
        text(pattern, "What the person calls themselves.").into()
    }
}

impl ToSchema for DisplayName {}

/// Of `CreateInvite`: as long as a note may be, and without control characters.
pub(crate) struct InviteNote;

impl PartialSchema for InviteNote {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^[^\\u0000-\\u001f\\u007f-\\u009f]{{0,{INVITE_NOTE_MAX}}}$");
        text(pattern, "For the operator's own list.").into()
    }
}

impl ToSchema for InviteNote {}

/// A text that has only these values in this version.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $($word:expr),+;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some([$($word),+])).into()
            }
        }
        impl ToSchema for $name {}
    )+};
}

words! {
    /// Of `RelayInfo`.
    Service: "susurro";
    /// Of `RelayInfo`.
    Registration: "open", "invite", "closed";
    /// Of `AdminUser`.
    Role: "user", "admin";
    /// Of `StretchParams`.
    Scheme: AUTH_SCHEME;
    /// Of `Chat`.
    ChatKind: "direct";
}
