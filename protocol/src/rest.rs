//! JSON of the REST interface (`docs/protocol.md`, section 15).
//!
//! Byte strings are unpadded base64url, identifiers 32 hexadecimal digits, times milliseconds
//! since 1970 unless a field says seconds. Signed objects are the base64url of the msgpack
//! [`SignedBytes`].

use serde::{Deserialize, Deserializer, Serialize};

use crate::bytes::{Bin, Fixed};
use crate::codec::{self, Malformed};
use crate::command::{Deposit, ListVersion};
use crate::error::ErrorCode;
use crate::event::Deliver;
use crate::ids::{AccountId, AccountName, AnnouncementId, BlobId, ChatId, DeviceId, MailboxSeq, MessageId, PrekeyId};
use crate::keys::OneTimePrekey;
use crate::signed::SignedBytes;
use crate::version::SUITE;

/// A signed object as base64url of its msgpack bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedText(pub Bin);

impl SignedText {
    /// Packs an object.
    #[must_use]
    pub fn of(signed: &SignedBytes) -> Self {
        Self(codec::encode(signed).into())
    }

    /// Unpacks it; its signature is not checked here.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it is no signed object.
    pub fn read(&self) -> Result<SignedBytes, Malformed> {
        codec::decode(self.0.as_slice())
    }
}

/// `application/problem+json` (RFC 9457) of every error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:susurro:error:` and the name of the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sentence of the code.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable number.
    pub code: ErrorCode,
    /// More about this case, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// With `stale-device-list`: as in `Rejected`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<AccountId>,
    /// With `stale-device-list`: as in `Rejected`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<DeviceId>,
    /// With `stale-device-list`: as in `Rejected`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<DeviceId>,
}

/// `GET /.well-known/susurro`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RelayInfo {
    /// Always `susurro`: tells a relay from any other web server.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::Service))]
    pub service: String,
    /// Version of the relay's software.
    pub software: String,
    /// Lowest protocol version.
    pub min_version: u8,
    /// Highest protocol version.
    pub max_version: u8,
    /// Ed25519 key of the relay.
    pub relay_key: Fixed<32>,
    /// `open`, `invite` or `closed`.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::Registration))]
    pub registration: String,
    /// The relay's clock.
    pub time: u64,
    /// Largest ciphertext in bytes.
    pub ciphertext_max: u32,
}

/// The only value of `scheme` in this version.
pub const AUTH_SCHEME: &str = "argon2id-v1";

/// How a password is stretched (`docs/protocol.md`, section 15.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StretchParams {
    /// The only one in this version.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::Scheme))]
    pub scheme: String,
    /// Salt.
    pub salt: Fixed<16>,
    /// Argon2id memory in KiB.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::MemoryKib))]
    pub memory_kib: u32,
    /// Argon2id passes.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::Passes))]
    pub passes: u32,
    /// Argon2id lanes.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::Lanes))]
    pub lanes: u32,
}

/// `GET /auth/params?username=`; unknown names get parameters that stay the same and cannot be told from real ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthParams {
    /// How to stretch.
    #[serde(flatten)]
    pub stretch: StretchParams,
    /// To be signed at login; good for five minutes.
    pub nonce: Bin,
}

/// `POST /auth/register`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegisterRequest {
    /// The wanted name. A string, so that a bad one gets its own error.
    pub username: String,
    /// How the password was stretched.
    #[serde(flatten)]
    pub stretch: StretchParams,
    /// The stretched password.
    pub auth: Fixed<32>,
    /// Device list of version 1 with one certificate.
    pub device_list: SignedText,
    /// What a relay whose registration is by invite asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub invite: Option<String>,
}

/// `POST /auth/login`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginRequest {
    /// The name.
    pub username: String,
    /// The stretched password.
    pub auth: Fixed<32>,
    /// The device that logs in.
    pub device: DeviceId,
    /// From [`AuthParams::nonce`].
    pub nonce: Bin,
    /// The device's signature over [`login_proof`].
    pub proof: Fixed<64>,
}

/// What a device signs at login, under [`Label::Login`](crate::signed::Label::Login):
/// `relay_key | account | device | nonce`.
#[must_use]
pub fn login_proof(relay_key: &[u8; 32], account: &AccountId, device: &DeviceId, nonce: &[u8]) -> Vec<u8> {
    [&relay_key[..], account.as_bytes(), device.as_bytes(), nonce].concat()
}

/// The answer to register, login and refresh.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenResponse {
    /// The account.
    pub account: AccountId,
    /// The device the tokens are for.
    pub device: DeviceId,
    /// Sent as `Authorization: Bearer`.
    pub access_token: String,
    /// Seconds until it expires.
    pub access_expires_in: u64,
    /// Good once.
    pub refresh_token: String,
    /// Seconds until it expires.
    pub refresh_expires_in: u64,
}

/// `POST /auth/refresh`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefreshRequest {
    /// The last refresh token, or the one before when the answer to it was lost. Showing any other
    /// revokes all of its family.
    pub refresh_token: String,
}

// Tokens and stretched passwords are secrets: their structures have no derived Debug.
macro_rules! redacted {
    ($($name:ident),+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )+};
}
redacted!(
    RegisterRequest,
    LoginRequest,
    TokenResponse,
    RefreshRequest,
    CreatedInvite,
    ChangePassword,
    DeleteMe,
    SetRecovery,
    RecoverRequest
);

/// `POST /users/me/password`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangePassword {
    /// The present password, stretched as [`AuthParams`] says.
    pub auth: Fixed<32>,
    /// How the new one was stretched.
    #[serde(flatten)]
    pub stretch: StretchParams,
    /// The new one, stretched.
    pub new_auth: Fixed<32>,
}

/// `PUT /users/me/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PutDevices {
    /// The next device list of the account, which follows the present one.
    pub device_list: SignedText,
}

/// `DELETE /users/me`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeleteMe {
    /// The password, stretched as [`AuthParams`] says.
    pub auth: Fixed<32>,
}

/// `PUT /users/me/recovery`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetRecovery {
    /// The password, stretched as [`AuthParams`] says.
    pub auth: Fixed<32>,
    /// What the new recovery key proves itself by; null takes the present one away.
    // Without this a body that lacks it would take it away.
    #[serde(deserialize_with = "Option::deserialize")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub recovery_auth: Option<Fixed<32>>,
}

/// `GET /users/me/recovery`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoveryState {
    /// When the present recovery key was set; null when there is none.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub set: Option<u64>,
}

/// `POST /auth/recover`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoverRequest {
    /// The name.
    pub username: String,
    /// What the recovery key proves itself by.
    pub recovery_auth: Fixed<32>,
    /// How the new password was stretched.
    #[serde(flatten)]
    pub stretch: StretchParams,
    /// The new password, stretched.
    pub new_auth: Fixed<32>,
    /// The device that logs in.
    pub device: DeviceId,
    /// From [`AuthParams::nonce`].
    pub nonce: Bin,
    /// The device's signature over [`login_proof`].
    pub proof: Fixed<64>,
    /// The next device list of the account, where the device is not in the present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub device_list: Option<SignedText>,
}

/// An account as `GET /admin/users` tells it to those who administer the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminUser {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: AccountName,
    /// Its display name.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub display_name: Option<String>,
    /// `user` or `admin`.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::Role))]
    pub role: String,
    /// Since when it may not log in; null for an account that may.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub disabled: Option<u64>,
    /// When it was registered.
    pub created: u64,
}

/// `POST /admin/users/{name}`: what is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeUser {
    /// Whether the account may not log in. Disabling ends its logins and closes its connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub disabled: Option<bool>,
    /// `user` or `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::Role, nullable = false, required = false))]
    pub role: Option<String>,
}

/// `GET /admin/status`: the relay in figures. Those of a node are of the node that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RelayStatus {
    /// Version of the relay's software.
    pub software: String,
    /// When this node was started.
    pub started: u64,
    /// Its clock.
    pub time: u64,
    /// Its open connections.
    pub connections: u64,
    /// Messages that it has called stored since it was started.
    pub stored: u64,
    /// Messages that it has handed to a connection since it was started.
    pub delivered: u64,
    /// Messages that wait in all mailboxes.
    pub waiting: u64,
    /// Bytes of the database, without logs that are written over again.
    pub storage_bytes: u64,
    /// Accounts, the disabled ones included.
    pub accounts: u64,
    /// Accounts that may not log in.
    pub disabled: u64,
    /// Who may register.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::Registration))]
    pub registration: String,
    /// The nodes that were heard of a moment ago, this one included; empty for a relay of one node.
    pub nodes: Vec<RelayNode>,
}

/// A node in [`RelayStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RelayNode {
    /// The number that it has drawn at its start, in 16 hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{16}$"))]
    pub node: String,
    /// Whether it is the one that was asked.
    pub here: bool,
    /// Its open connections.
    pub connections: u64,
    /// Milliseconds since it was heard.
    pub quiet: u64,
}

/// A device in `GET /users/connected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectedDevice {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: AccountName,
    /// The device.
    pub device: DeviceId,
}

/// `POST /announcements`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewAnnouncement {
    /// 1 to 1,000 characters, none of them a control character but line feeds.
    pub text: String,
    /// Seconds until it is told no more, up to 30 days; 7 days when left out.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = u32, required = false))]
    pub expires_in: Option<u32>,
}

/// An announcement, in the answer to [`NewAnnouncement`] and in `GET /announcements`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedAnnouncement {
    /// What it is called.
    pub id: AnnouncementId,
    /// As in the frame `Notice`, to be verified before anything of it is believed.
    pub announcement: SignedText,
}

/// `POST /admin/invites`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateInvite {
    /// How many may register with it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::InviteUses))]
    pub uses: u32,
    /// Seconds until it ends; never when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_in: Option<u32>,
    /// For the operator's own list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::InviteNote, nullable = false, required = false))]
    pub note: Option<String>,
}

/// The answer to [`CreateInvite`]: the only time that the invite itself is told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedInvite {
    /// What to give to those who are to register.
    pub invite: String,
    /// How the list tells of it.
    #[serde(flatten)]
    pub entry: InviteEntry,
}

/// An invite in the list of `GET /admin/invites`, which cannot be registered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InviteEntry {
    /// Tells it apart: 16 hexadecimal digits.
    pub id: String,
    /// How many may register with it.
    pub uses: u32,
    /// How many have.
    pub used: u32,
    /// What was noted beside it.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub note: Option<String>,
    /// When it was made.
    pub created: u64,
    /// When it ends; null for never.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub expires: Option<u64>,
    /// When it was taken back; null for not.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub revoked: Option<u64>,
}

/// `GET /users/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: AccountName,
    /// What the person calls themselves, if anything. The relay and everyone on it can read it.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub display_name: Option<String>,
    /// When it was registered.
    pub created: u64,
}

/// `PATCH /users/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateMe {
    /// The new display name; `null` takes it away.
    // Without this a body that lacks it would take the name away.
    #[serde(deserialize_with = "Option::deserialize")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::DisplayName>, required))]
    pub display_name: Option<String>,
}

/// One user of `GET /users/search?q=&after=&limit=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserEntry {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: AccountName,
    /// Its display name.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub display_name: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give this as `after` for the next page; `null` at the end.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub next: Option<String>,
}

/// `GET /users/{name}/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserDevices {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: AccountName,
    /// Its signed device list.
    pub device_list: SignedText,
}

/// `PUT /keys`. Putting the same keys again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishKeys {
    /// Replaces the signed prekey.
    pub signed_prekey: SignedText,
    /// Replaces the last-resort ML-KEM prekey.
    pub pq_last_resort: SignedText,
    /// Added to the one-time X25519 prekeys.
    #[cfg_attr(feature = "openapi", schema(max_items = 200))]
    pub one_time: Vec<OneTimePrekey>,
    /// Added to the one-time ML-KEM prekeys.
    #[cfg_attr(feature = "openapi", schema(max_items = 200))]
    pub pq_one_time: Vec<SignedText>,
}

/// `GET /keys/count` and the answer to `PUT /keys`: what the relay holds for this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyCount {
    /// One-time X25519 prekeys left.
    pub one_time: u32,
    /// One-time ML-KEM prekeys left.
    pub pq_one_time: u32,
    /// [`prekey_digest`] of everything published and not yet given out.
    pub digest: Fixed<32>,
}

/// SHA-256 over `kind | id` (one byte, eight bytes big-endian) of every prekey, sorted by kind
/// and id; kind 0 stands for a one-time X25519 prekey, the others for
/// [`PrekeyKind::number`](crate::keys::PrekeyKind::number).
#[must_use]
pub fn prekey_digest(prekeys: impl IntoIterator<Item = (u8, PrekeyId)>) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut sorted: Vec<_> = prekeys.into_iter().collect();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(b"susurro/v1/prekey-digest\0");
    for (kind, id) in sorted {
        hash.update([kind]);
        hash.update(id.to_be_bytes());
    }
    hash.finalize().into()
}

/// `POST /keys/claim`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimRequest {
    /// Whose devices.
    pub account: AccountId,
    /// Only these devices; all when empty.
    #[serde(default)]
    pub devices: Vec<DeviceId>,
}

/// The answer to a claim: one bundle a device. A device without prekeys is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimResponse {
    /// The account's present device list.
    pub device_list: SignedText,
    /// The bundles.
    pub bundles: Vec<BundleText>,
}

/// [`PrekeyBundle`](crate::keys::PrekeyBundle) in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BundleText {
    /// The device.
    pub device: DeviceId,
    /// Its signed prekey.
    pub signed_prekey: SignedText,
    /// A one-time ML-KEM prekey, or the last-resort one.
    pub pq_prekey: SignedText,
    /// 2 for one-time, 3 for last-resort.
    pub pq_kind: u8,
    /// A one-time X25519 prekey, while there are any.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub one_time_prekey: Option<OneTimePrekey>,
}

impl BundleText {
    /// Unpacks the bundle; nothing in it is verified here.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when a part is no signed object.
    pub fn read(&self) -> Result<crate::keys::PrekeyBundle, Malformed> {
        Ok(crate::keys::PrekeyBundle {
            device: self.device,
            signed_prekey: self.signed_prekey.read()?,
            pq_prekey: self.pq_prekey.read()?,
            pq_kind: self.pq_kind,
            one_time_prekey: self.one_time_prekey,
        })
    }
}

/// `POST /chats`: the direct chat with another account; made at the first request, the same ever after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenChat {
    /// The other's name. A string, so that a bad one gets its own error.
    pub peer: String,
}

/// A chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Chat {
    /// The chat.
    pub chat: ChatId,
    /// `direct`.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::ChatKind))]
    pub kind: String,
    /// Its members, the asking account among them.
    pub members: Vec<ChatMember>,
    /// When it was opened.
    pub created: u64,
    /// What its members have agreed on, as the relay knows it.
    pub config: ChatConfig,
}

/// What the relay keeps of a chat's settings. It is what the relay acts on, and no proof for anybody: what clients do
/// with their own messages they agree on end to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChatConfig {
    /// From 1, one more with each change.
    pub version: u64,
    /// Cipher suite.
    pub suite: u16,
    /// Seconds for which a message may wait; 0 for the relay's longest.
    pub disappear_after: u32,
    /// Who changed it last; nobody as long as it is as it was made.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")] // null, but not missing (ENC-8)
    pub changed_by: Option<AccountId>,
    /// When, in milliseconds since 1970.
    #[cfg_attr(feature = "openapi", schema(required))]
    #[serde(deserialize_with = "Option::deserialize")]
    pub changed: Option<u64>,
}

impl ChatConfig {
    /// What a new chat begins with.
    pub const INITIAL: Self = Self { version: 1, suite: SUITE, disappear_after: 0, changed_by: None, changed: None };
}

/// `PATCH /chats/{id}/config`. What is left out stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigureChat {
    /// The version that the change is based on.
    pub version: u64,
    /// Cipher suite.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = u16, required = false))]
    pub suite: Option<u16>,
    /// Seconds for which a message may wait; 0 for the relay's longest.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = u32, required = false))]
    pub disappear_after: Option<u32>,
}

/// A member that may be left out, but is not null when it is there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A member of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChatMember {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: AccountName,
}

/// One message of `GET /chats/{id}/messages?after=&limit=`: what waits for this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaitingMessage {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: Deliver,
}

/// `POST /chats/{id}/messages`: as `Send`, the chat being in the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PostMessage {
    /// Chosen by the sender.
    pub message: MessageId,
    /// As in `Send`.
    pub lists: Vec<ListVersion>,
    /// As in `Send`.
    pub deposits: Vec<Deposit>,
    /// As in `Send`.
    #[serde(default)]
    pub time_to_live: u32,
}

/// The answer to [`PostMessage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PostedMessage {
    /// The message.
    pub message: MessageId,
    /// When it was stored.
    pub stored_at: u64,
}

/// `POST /chats/{id}/messages/ack`: these are durable at the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AcknowledgeMessages {
    /// The last position of the chat that the device needs no more.
    pub up_to: MailboxSeq,
    /// The device's signature over [`acknowledgement_proof`]: a token alone destroys nothing.
    pub proof: Fixed<64>,
}

/// What a device signs when it acknowledges over REST, under
/// [`Label::Acknowledgement`](crate::signed::Label::Acknowledgement): relay key, account, device, chat, and the position
/// in eight bytes. Showing it again changes nothing, since positions never come back.
#[must_use]
pub fn acknowledgement_proof(
    relay_key: &[u8; 32],
    account: &AccountId,
    device: &DeviceId,
    chat: &ChatId,
    up_to: MailboxSeq,
) -> Vec<u8> {
    [&relay_key[..], account.as_bytes(), device.as_bytes(), chat.as_bytes(), &up_to.to_be_bytes()].concat()
}

/// `POST /blobs`: the beginning of an upload. The same once more tells how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewBlob {
    /// 16 random bytes.
    pub blob: BlobId,
    /// Bytes in whole, 1 to `BLOB_MAX`.
    pub size: u64,
    /// Seconds after which it is deleted, at most `TIME_TO_LIVE_MAX`; 0 for the longest.
    #[serde(default)]
    pub expires_after: u32,
}

/// An upload, or a blob that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlobState {
    /// The blob.
    pub blob: BlobId,
    /// Bytes in whole.
    pub size: u64,
    /// Bytes that are here, from the first: where the upload goes on.
    pub offset: u64,
    /// When it is deleted once it is whole, in milliseconds since 1970.
    pub expires: u64,
}

/// `limit` of a query: any whole number, far ones taken to the nearer end of 32 bits, so that none is refused for
/// its size (PAGE-2).
///
/// # Errors
///
/// For a text that is no whole number.
pub fn nearest_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.strip_prefix('-').unwrap_or(&text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(serde::de::Error::custom("not a whole number"));
    }
    let limit = if text.starts_with('-') { 0 } else { digits.parse().unwrap_or(u32::MAX) };
    Ok(Some(limit))
}

/// Query of the paged lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct AfterSeq {
    /// Mailbox position behind which to read.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", param(value_type = u64))]
    pub after: MailboxSeq,
    /// At most this many, up to 100, and 100 when left out; other numbers are taken to the nearer end.
    #[serde(default, deserialize_with = "nearest_limit")]
    #[cfg_attr(feature = "openapi", param(schema_with = crate::openapi::whole_number, required = false))]
    pub limit: Option<u32>,
}
