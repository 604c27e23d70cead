//! Accounts, their names and their first device list.

use susurro_protocol::keys::{DeviceCertificate, DeviceList};
use susurro_protocol::limits::{
    DISPLAY_NAME_MAX, PASSWORD_LANES_MAX, PASSWORD_MEMORY_KIB_MAX, PASSWORD_MEMORY_KIB_MIN, PASSWORD_PASSES_MAX,
    PASSWORD_PASSES_MIN,
};
use susurro_protocol::rest::{AUTH_SCHEME, SignedText, StretchParams};
use susurro_protocol::{AccountId, AccountName, DeviceId, ErrorCode};

use super::error::Error;
use super::invite::InviteHash;
use super::token::FamilyId;

/// An account as the relay knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its identifier.
    pub id: AccountId,
    /// Its name.
    pub name: AccountName,
    /// What the person calls themselves.
    pub display_name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// When it was registered, in milliseconds since 1970.
    pub created: u64,
    /// Since when it may not log in, in milliseconds since 1970.
    pub disabled: Option<u64>,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Talk.
    User,
    /// Talk and administer.
    Admin,
}

impl Role {
    /// Its name in tokens and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// The role of exactly this name.
    #[must_use]
    pub fn exactly(name: &str) -> Option<Self> {
        match name {
            "user" => Some(Self::User),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// The role of this name; the lesser one for anything unknown.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        if name == "admin" { Self::Admin } else { Self::User }
    }
}

/// How an account proves its password.
#[derive(Clone)]
pub struct Credentials {
    /// Whose.
    pub account: AccountId,
    /// How the client stretches the password.
    pub stretch: StretchParams,
    /// What the relay remembers of the stretched one.
    pub verifier: Verifier,
}

/// Argon2id of a stretched password, keyed with the relay's pepper.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    /// Salt of this hash; another one than the client's.
    pub salt: [u8; 16],
    /// The hash.
    pub hash: [u8; 32],
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier(redacted)")
    }
}

/// What whoever sets a password has shown: the salt of the verifier that it was checked against, so that
/// a proof is worth nothing once that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The present password.
    Password([u8; 16]),
    /// The recovery key; only of an account that may log in.
    Recovery([u8; 16]),
}

impl Proof {
    /// Whether it counts for an account with a password and perhaps a recovery key that are checked against these
    /// salts.
    ///
    /// # Errors
    ///
    /// `InvalidCredentials` when what was shown was replaced meanwhile; `AccountDisabled`.
    pub fn check(self, password: [u8; 16], recovery: Option<[u8; 16]>, is_disabled: bool) -> Result<(), Error> {
        match self {
            Self::Password(shown) if shown == password => Ok(()),
            Self::Recovery(shown) if recovery == Some(shown) && is_disabled => Err(ErrorCode::AccountDisabled.into()),
            Self::Recovery(shown) if recovery == Some(shown) => Ok(()),
            Self::Password(_) | Self::Recovery(_) => Err(ErrorCode::InvalidCredentials.into()),
        }
    }
}

/// Another password.
pub struct NewPassword {
    /// Whose.
    pub account: AccountId,
    /// How the client stretches it.
    pub stretch: StretchParams,
    /// What is remembered of it.
    pub verifier: Verifier,
    /// What was shown for it.
    pub proof: Proof,
    /// The login that goes on; every other one ends.
    pub kept: Option<FamilyId>,
}

/// Everything that a registration writes.
pub struct NewAccount {
    /// The account.
    pub account: Account,
    /// How it proves its password.
    pub stretch: StretchParams,
    /// What is remembered of the password.
    pub verifier: Verifier,
    /// Its first device list, verified.
    pub list: DeviceList,
    /// The invite that it is made with, where one is needed.
    pub invite: Option<InviteHash>,
}

/// One device with its verified certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Whose.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// Its certificate.
    pub certificate: DeviceCertificate,
}

/// A device list as it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredList {
    /// Whose.
    pub account: AccountId,
    /// The account's name.
    pub name: AccountName,
    /// The list, as msgpack of the signed bytes.
    pub list: SignedText,
}

/// A name from outside.
///
/// # Errors
///
/// [`ErrorCode::InvalidName`], saying what is wrong with it.
pub fn parse_name(text: &str) -> Result<AccountName, Error> {
    text.parse()
        .map_err(|why: susurro_protocol::ids::IdError| Error::explained(ErrorCode::InvalidName, why.to_string()))
}

/// The first device list of an account: version 1 with one certificate, and every signature holds.
///
/// # Errors
///
/// [`ErrorCode::InvalidDeviceList`].
pub fn first_list(text: &SignedText) -> Result<DeviceList, Error> {
    let signed = text.read().map_err(|why| Error::explained(ErrorCode::InvalidDeviceList, why.to_string()))?;
    let list = DeviceList::verify(signed).map_err(Error::device_list)?;
    if list.body().version != 1 || list.certificates().len() != 1 {
        let why = "a registration brings version 1 with exactly one certificate";
        return Err(Error::explained(ErrorCode::InvalidDeviceList, why));
    }
    Ok(list)
}

/// The device list that replaces `known`: of the same account key, its direct successor, and with the
/// certificate that each device had before.
///
/// # Errors
///
/// [`ErrorCode::InvalidDeviceList`].
pub fn next_list(known: &DeviceList, next: &DeviceList) -> Result<ListChange, Error> {
    next.follows(known).map_err(Error::device_list)?;
    let wrong = |why: &str| Err(Error::explained(ErrorCode::InvalidDeviceList, why));
    if next.body().version != known.body().version + 1 {
        return wrong("the next list has the next version");
    }
    let device = |certificate: &DeviceCertificate| certificate.body().device;
    for certificate in next.certificates() {
        if known.certificate(&device(certificate)).is_some_and(|before| before.hash() != certificate.hash()) {
            return wrong("a device keeps its certificate; another one is another device");
        }
    }
    let without = |list: &DeviceList, other: &DeviceList| -> Vec<DeviceId> {
        list.certificates().iter().map(device).filter(|device| other.certificate(device).is_none()).collect()
    };
    Ok(ListChange { removed: without(known, next), added: without(next, known) })
}

/// What another device list changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListChange {
    /// Devices that are no longer in it.
    pub removed: Vec<DeviceId>,
    /// Devices that are new in it.
    pub added: Vec<DeviceId>,
}

/// Checks how a client has stretched a password.
///
/// # Errors
///
/// [`ErrorCode::InvalidRequest`] for an unknown scheme or a cost outside the protocol's limits.
pub fn check_stretch(stretch: &StretchParams) -> Result<(), Error> {
    if stretch.scheme != AUTH_SCHEME {
        return Err(Error::invalid(format!("the only scheme is {AUTH_SCHEME}")));
    }
    let within = (PASSWORD_MEMORY_KIB_MIN..=PASSWORD_MEMORY_KIB_MAX).contains(&stretch.memory_kib)
        && (PASSWORD_PASSES_MIN..=PASSWORD_PASSES_MAX).contains(&stretch.passes)
        && (1..=PASSWORD_LANES_MAX).contains(&stretch.lanes);
    if within { Ok(()) } else { Err(Error::invalid("the cost of stretching is outside the limits")) }
}

/// Checks a display name: everyone on the relay sees it, so nothing in it may steer a terminal.
///
/// # Errors
///
/// [`ErrorCode::InvalidRequest`].
pub fn check_display_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.chars().count() > DISPLAY_NAME_MAX || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "a display name has 1 to {DISPLAY_NAME_MAX} characters and no control characters"
        )));
    }
    Ok(())
}

/// The first name after every name that begins with `prefix`: names consist of bytes below `{`.
#[must_use]
pub fn after_prefix(prefix: &str) -> String {
    format!("{prefix}{{")
}

/// Whether `text` can begin a name.
#[must_use]
pub fn is_name_prefix(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use susurro_protocol::bytes::Fixed;

    use super::*;

    fn stretch(memory_kib: u32, passes: u32, lanes: u32) -> StretchParams {
        StretchParams { scheme: AUTH_SCHEME.into(), salt: Fixed([0; 16]), memory_kib, passes, lanes }
    }

    #[test]
    fn attack_26_weak_or_excessive_stretching_is_refused_at_registration() {
        assert_eq!(check_stretch(&stretch(64 * 1024, 3, 1)), Ok(()));
        for bad in [
            stretch(64 * 1024 - 1, 3, 1),
            stretch(64 * 1024, 2, 1),
            stretch(64 * 1024, 3, 0),
            stretch(64 * 1024, 3, 17),
            stretch(u32::MAX, 3, 1),
            stretch(64 * 1024, 17, 1),
            StretchParams { scheme: "plain".into(), ..stretch(64 * 1024, 3, 1) },
        ] {
            assert_eq!(check_stretch(&bad).map_err(|e| e.code()), Err(ErrorCode::InvalidRequest));
        }
    }

    #[test]
    fn display_names_cannot_carry_terminal_control() {
        assert_eq!(check_display_name("Ålice 🌻"), Ok(()));
        for bad in ["", "\u{1b}[2J", "a\nb", "\u{9b}31m", &"x".repeat(101)] {
            assert!(check_display_name(bad).is_err());
        }
    }

    #[test]
    fn a_prefix_ends_before_every_other_name() {
        assert!("al_z" < after_prefix("al_").as_str() && "al-" < after_prefix("al").as_str());
        assert!("am" > after_prefix("al").as_str());
        assert!(!is_name_prefix("a%") && is_name_prefix(""));
    }
}
