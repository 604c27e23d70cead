//! Invites: who may register where registration is not open to everybody.

use sha2::{Digest, Sha256};
use susurro_protocol::ErrorCode;
use susurro_protocol::limits::{INVITE_MAX, INVITE_NOTE_MAX, INVITE_USES_MAX};

use super::error::Error;

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// Everybody.
    #[default]
    Open,
    /// Whoever shows an invite.
    Invite,
    /// Nobody.
    Closed,
}

impl Registration {
    /// Its name in `/.well-known/susurro` and in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invite => "invite",
            Self::Closed => "closed",
        }
    }
}

/// Random bytes of an invite: 120 bits, so that nobody guesses one.
pub const INVITE_BYTES: usize = 15;

/// Crockford's alphabet: no letter that is taken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The invite with these random bytes, as people copy it: `abcd-efgh-…`, six groups of four.
#[must_use]
pub fn code(random: &[u8; INVITE_BYTES]) -> String {
    let mut code = String::with_capacity(29);
    for group in random.chunks(5) {
        let bits = group.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        for place in (0..8).rev() {
            if code.len() % 5 == 4 {
                code.push('-');
            }
            let index = usize::try_from(bits >> (5 * place) & 31).unwrap_or_default();
            code.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'0')));
        }
    }
    code
}

/// SHA-256 of an invite: enough, since an invite is random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InviteHash(pub [u8; 32]);

impl InviteHash {
    /// The hash of an invite as somebody typed it: groups, capitals and letters that look like
    /// digits make no difference.
    #[must_use]
    pub fn of(typed: &str) -> Self {
        let plain: String = typed
            .chars()
            .take(INVITE_MAX)
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| match c.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            })
            .collect();
        Self(Sha256::new().chain_update(b"susurro-server/invite\0").chain_update(plain).finalize().into())
    }

    /// What an invite is called in lists: tells it apart and lets nobody in.
    #[must_use]
    pub fn id(&self) -> InviteId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.0[..8]);
        InviteId(id)
    }
}

/// The beginning of an invite's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InviteId(pub [u8; 8]);

impl std::fmt::Display for InviteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl std::str::FromStr for InviteId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = if digits { u64::from_str_radix(text, 16).ok() } else { None };
        number.map(|number| Self(number.to_be_bytes())).ok_or_else(|| ErrorCode::NotFound.into())
    }
}

/// An invite as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Of the invite itself, which the store does not know.
    pub hash: InviteHash,
    /// How many may register with it.
    pub uses: u32,
    /// How many have.
    pub used: u32,
    /// What the operator wrote beside it.
    pub note: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// When it ends, in milliseconds since 1970.
    pub expires: Option<u64>,
    /// When it was taken back, in milliseconds since 1970.
    pub revoked: Option<u64>,
}

impl Invite {
    /// Whether somebody may still register with it.
    #[must_use]
    pub fn is_good(&self, now: u64) -> bool {
        self.used < self.uses && self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// Checks what an operator asks for.
///
/// # Errors
///
/// [`ErrorCode::InvalidRequest`].
pub fn check_invite(uses: u32, note: Option<&str>) -> Result<(), Error> {
    if !(1..=INVITE_USES_MAX).contains(&uses) {
        return Err(Error::invalid(format!("an invite is good for 1 to {INVITE_USES_MAX} registrations")));
    }
    if note.is_some_and(|note| note.chars().count() > INVITE_NOTE_MAX || note.chars().any(char::is_control)) {
        return Err(Error::invalid(format!(
            "a note has at most {INVITE_NOTE_MAX} characters and no control characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_is_read_however_it_is_typed() {
        let code = code(&[0, 1, 2, 3, 4, 250, 251, 252, 253, 254, 255, 9, 8, 7, 6]);
        assert_eq!(code.len(), 29, "{code}");
        assert!(code.split('-').all(|group| group.len() == 4), "{code}");
        let hash = InviteHash::of(&code);
        for typed in [code.to_uppercase(), code.replace('-', ""), code.replace('-', " "), format!(" {code}\n")] {
            assert_eq!(InviteHash::of(&typed), hash, "{typed}");
        }
        assert_eq!(InviteHash::of(&code.replace('0', "O").replace('1', "l")), hash);
        assert_ne!(InviteHash::of(&code[..28]), hash);
    }

    #[test]
    fn different_bytes_give_different_invites() {
        let codes: std::collections::HashSet<_> = (0..120)
            .map(|bit| {
                let mut bytes = [0; 15];
                bytes[bit / 8] = 1 << (bit % 8);
                code(&bytes)
            })
            .collect();
        assert_eq!(codes.len(), 120);
    }

    #[test]
    fn an_invite_ends_by_use_time_and_word() {
        let good = Invite {
            hash: InviteHash([1; 32]),
            uses: 2,
            used: 1,
            note: None,
            created: 1,
            expires: Some(10),
            revoked: None,
        };
        assert!(good.is_good(9) && !good.is_good(10));
        assert!(!Invite { used: 2, ..good.clone() }.is_good(1));
        assert!(!Invite { revoked: Some(1), ..good.clone() }.is_good(1));
        assert_eq!(good.hash.id().to_string().parse(), Ok(good.hash.id()));
        assert!("+111111111111111".parse::<InviteId>().is_err() && "".parse::<InviteId>().is_err());
    }
}
