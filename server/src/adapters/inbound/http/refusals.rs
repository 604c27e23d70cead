//! Which errors each route may answer with, for the description of the interface. The status of a
//! code comes from the table that the answers themselves come from.

use std::collections::BTreeMap;

use susurro_protocol::ErrorCode::{
    self, AccountDisabled, AccountExists, BadSignature, BlobConflict, BlobQuota, ConfigConflict, Forbidden,
    IdleTimeout, Internal, InvalidCredentials, InvalidDeviceList, InvalidInvite, InvalidName, InvalidPrekeys,
    InvalidRequest, MailboxFull, MessageIdReused, NameTaken, NotFound, RangeNotSatisfiable, RateLimited,
    RegistrationClosed, StaleDeviceList, StaleNonce, StorageUnavailable, TokenExpired, TokenRevoked, TooLarge,
    Unauthenticated, UnknownChat, UnknownDevice, UnsupportedVersion,
};
use susurro_protocol::rest::Problem;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};
use utoipa::{IntoResponses, ToSchema};

use crate::adapters::inbound::problem;

/// Whatever reads or writes the store.
const STORE: &[ErrorCode] = &[Internal, StorageUnavailable];

/// Whatever is counted.
const COUNTED: &[ErrorCode] = &[RateLimited];

/// Whatever takes a body.
const BODY: &[ErrorCode] = &[IdleTimeout, InvalidRequest, TooLarge];

/// Whatever needs an access token.
const TOKEN: &[ErrorCode] = &[Unauthenticated, TokenExpired, TokenRevoked];

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $($codes:expr),+;)+) => {$(
        $(#[$doc])*
        pub(in crate::adapters::inbound) struct $name;
        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                answers(&[$($codes),+].concat())
            }
        }
    )+};
}

refusals! {
    /// `GET /readyz`.
    Ready: STORE;
    /// `GET /ws`.
    Upgrade: COUNTED, TOKEN, STORE, &[InvalidRequest, UnsupportedVersion];
    /// `GET /auth/params`.
    Params: COUNTED, STORE, &[InvalidRequest];
    /// `POST /auth/register`.
    Register: COUNTED, STORE, BODY, &[InvalidName, InvalidDeviceList, InvalidInvite, RegistrationClosed, NameTaken, AccountExists];
    /// `POST /auth/login`.
    Login: COUNTED, STORE, BODY, &[StaleNonce, InvalidCredentials, UnknownDevice, BadSignature, AccountDisabled];
    /// `POST /auth/recover`.
    Recover: COUNTED, STORE, BODY, &[StaleNonce, InvalidCredentials, InvalidDeviceList, UnknownDevice, BadSignature, AccountDisabled];
    /// `POST /auth/refresh`.
    Refresh: COUNTED, STORE, BODY, TOKEN;
    /// Requests of an account without body and parameters.
    OfAccount: COUNTED, STORE, TOKEN;
    /// Requests of an account with a body.
    Asked: COUNTED, STORE, TOKEN, BODY;
    /// Requests of an account that show its password again.
    Proven: COUNTED, STORE, TOKEN, BODY, &[InvalidCredentials];
    /// `PUT /users/me/devices`.
    PutDevices: COUNTED, STORE, TOKEN, BODY, &[InvalidDeviceList];
    /// `DELETE /admin/users/{name}`.
    AdminDelete: COUNTED, STORE, TOKEN, &[InvalidRequest, InvalidName, NotFound, Forbidden];
    /// `GET /admin/…` without parameters.
    AdminOnly: COUNTED, STORE, TOKEN, &[Forbidden];
    /// `GET /admin/…` with a query string.
    AdminFound: COUNTED, STORE, TOKEN, &[InvalidRequest, Forbidden];
    /// `GET /admin/users/{name}`.
    AdminNamed: COUNTED, STORE, TOKEN, &[InvalidName, NotFound, Forbidden];
    /// `POST /admin/users/{name}`.
    AdminChange: COUNTED, STORE, TOKEN, BODY, &[InvalidName, NotFound, Forbidden];
    /// `POST /admin/…`.
    AdminAsked: COUNTED, STORE, TOKEN, BODY, &[Forbidden];
    /// `/admin/…` for something that may not be there.
    AdminSought: COUNTED, STORE, TOKEN, &[NotFound, Forbidden];
    /// Requests of an account with a query string.
    Found: COUNTED, STORE, TOKEN, &[InvalidRequest];
    /// `POST /blobs`.
    BeginBlob: COUNTED, STORE, TOKEN, BODY, &[BlobConflict, BlobQuota];
    /// `PUT /blobs/{blob}`.
    PutBlob: COUNTED, STORE, TOKEN, BODY, &[NotFound, BlobConflict];
    /// `GET /blobs/{blob}`.
    ReadBlob: COUNTED, STORE, TOKEN, &[NotFound, RangeNotSatisfiable];
    /// `HEAD` and `DELETE /blobs/{blob}`.
    Blob: COUNTED, STORE, TOKEN, &[NotFound];
    /// `GET` and `DELETE /chats/{chat}`.
    Chat: COUNTED, STORE, TOKEN, &[NotFound];
    /// Requests of an account for something that may not be there.
    Sought: COUNTED, STORE, TOKEN, &[InvalidRequest, NotFound];
    /// `GET /users/{name}/devices`.
    Devices: COUNTED, STORE, TOKEN, &[InvalidName, NotFound];
    /// `PUT /keys`.
    Publish: COUNTED, STORE, TOKEN, BODY, &[InvalidPrekeys, UnknownDevice];
    /// `POST /keys/claim`.
    Claim: COUNTED, STORE, TOKEN, BODY, &[NotFound];
    /// `POST /chats`.
    OpenChat: COUNTED, STORE, TOKEN, BODY, &[InvalidName, NotFound];
    /// `PATCH /chats/{chat}/config`.
    Configure: COUNTED, STORE, TOKEN, BODY, &[NotFound, ConfigConflict];
    /// `POST /chats/{chat}/messages/ack`.
    Acknowledge: COUNTED, STORE, TOKEN, BODY, &[NotFound, UnknownDevice, BadSignature];
    /// `POST /chats/{chat}/messages`.
    Send: COUNTED, STORE, TOKEN, BODY, &[NotFound, UnknownChat, UnknownDevice, StaleDeviceList, MessageIdReused, MailboxFull];
}

/// One answer a status, each naming its codes.
fn answers(codes: &[ErrorCode]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes {
        let status = problem::status(*code).map_or(500, |status| status.as_u16());
        by_status.entry(status).or_default().push(*code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), answer(status, codes).into())).collect()
}

fn answer(status: u16, mut codes: Vec<ErrorCode>) -> Response {
    codes.sort_unstable();
    codes.dedup();
    let meaning: Vec<String> =
        codes.iter().map(|code| format!("`{}` ({}): {}", code.slug(), code.number(), code.text())).collect();
    let integer = || ObjectBuilder::new().schema_type(Type::Integer);
    let kinds: Vec<String> = codes.iter().map(|code| format!("urn:susurro:error:{}", code.slug())).collect();
    let exact = ObjectBuilder::new()
        .property("code", integer().enum_values(Some(codes.iter().map(|code| code.number()))))
        .property("status", integer().enum_values(Some([status])))
        .property("type", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds)));
    let schema = AllOfBuilder::new().item(Ref::from_schema_name(Problem::name())).item(exact);
    let content = ContentBuilder::new().schema(Some(Schema::AllOf(schema.build()))).build();
    let mut response =
        ResponseBuilder::new().description(meaning.join("; ")).content("application/problem+json", content);
    if status == 401 && codes.iter().any(|code| TOKEN.contains(code)) {
        let description = "`Bearer`, with the codes 2001, 2002 and 2003.";
        response = response.header("www-authenticate", text(description));
    }
    if (status == 429 || status >= 500) && codes.iter().any(|code| code.is_temporary()) {
        response = response.header("retry-after", seconds("Seconds until it makes sense to ask again."));
    }
    response.build()
}

fn seconds(description: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

fn text(description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}
