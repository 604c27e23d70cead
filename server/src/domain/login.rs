//! Login nonces and the parameters shown for names that nobody has.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use susurro_protocol::ErrorCode;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::limits::{LOGIN_NONCE_SECONDS, PASSWORD_MEMORY_KIB_MIN, PASSWORD_PASSES_MIN};
use susurro_protocol::rest::{AUTH_SCHEME, StretchParams};
use zeroize::ZeroizeOnDrop;

use super::error::Error;

/// Bytes of a nonce: the time in milliseconds and an authentication code.
const NONCE_BYTES: usize = 8 + 32;

/// What login nonces and made-up salts are derived from. Kept outside the database.
#[derive(ZeroizeOnDrop)]
pub struct LoginKeys {
    nonce: [u8; 32],
    salt: [u8; 32],
}

impl LoginKeys {
    /// The keys from their two secrets.
    #[must_use]
    pub fn new(nonce: [u8; 32], salt: [u8; 32]) -> Self {
        Self { nonce, salt }
    }

    /// A nonce for `name`, made at `now` (milliseconds). The relay remembers nothing of it.
    #[must_use]
    pub fn nonce(&self, name: &str, now: u64) -> Vec<u8> {
        let time = now.to_be_bytes();
        [&time[..], &code(&self.nonce, &[&time, name.as_bytes()]).finalize().into_bytes()].concat()
    }

    /// Whether this relay made `nonce` for `name` in the last five minutes.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::StaleNonce`].
    pub fn check_nonce(&self, nonce: &[u8], name: &str, now: u64) -> Result<(), Error> {
        let stale = Error::Refused(ErrorCode::StaleNonce);
        let nonce: &[u8; NONCE_BYTES] = nonce.try_into().map_err(|_| stale.clone())?;
        let (time, tag) = nonce.split_at(8);
        code(&self.nonce, &[time, name.as_bytes()]).verify_slice(tag).map_err(|_| stale.clone())?;
        let made = u64::from_be_bytes(time.try_into().unwrap_or_default());
        // A clock that was set back must not make old nonces good for longer.
        let age = now.checked_sub(made).ok_or_else(|| stale.clone())?;
        if age <= LOGIN_NONCE_SECONDS * 1000 { Ok(()) } else { Err(stale) }
    }

    /// Parameters for a name that nobody has: always the same, and alike to those of an account
    /// that our clients make.
    #[must_use]
    pub fn invented_params(&self, name: &str) -> StretchParams {
        let mut salt = [0; 16];
        salt.copy_from_slice(&code(&self.salt, &[name.as_bytes()]).finalize().into_bytes()[..16]);
        StretchParams {
            scheme: AUTH_SCHEME.to_owned(),
            salt: Fixed(salt),
            memory_kib: PASSWORD_MEMORY_KIB_MIN,
            passes: PASSWORD_PASSES_MIN,
            lanes: 1,
        }
    }
}

fn code(key: &[u8; 32], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&block).into());
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_five_minutes_for_its_name_at_its_relay() {
        let keys = LoginKeys::new([1; 32], [2; 32]);
        let nonce = keys.nonce("alice", 1_000_000);
        assert_eq!(keys.check_nonce(&nonce, "alice", 1_000_000), Ok(()));
        assert_eq!(keys.check_nonce(&nonce, "alice", 1_300_000), Ok(()));
        let stale = Err(Error::Refused(ErrorCode::StaleNonce));
        assert_eq!(keys.check_nonce(&nonce, "alice", 1_300_001), stale);
        assert_eq!(keys.check_nonce(&nonce, "alice", 999_999), stale);
        assert_eq!(keys.check_nonce(&nonce, "bob", 1_000_000), stale);
        assert_eq!(keys.check_nonce(&nonce[1..], "alice", 1_000_000), stale);
        assert_eq!(LoginKeys::new([3; 32], [2; 32]).check_nonce(&nonce, "alice", 1_000_000), stale);
    }

    #[test]
    fn invented_parameters_stay_the_same_and_differ_by_name() {
        let keys = LoginKeys::new([1; 32], [2; 32]);
        assert_eq!(keys.invented_params("nobody"), keys.invented_params("nobody"));
        assert_ne!(keys.invented_params("nobody").salt, keys.invented_params("noone").salt);
    }
}
