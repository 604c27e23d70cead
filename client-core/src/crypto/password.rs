//! Passwords and passphrases: Argon2id (RFC 9106), then HKDF.
//!
//! The password never leaves the client. The relay gets `auth` and never learns `backup`.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use rand_core::CryptoRng;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::limits::{
    PASSWORD_LANES_MAX, PASSWORD_MEMORY_KIB_MAX, PASSWORD_MEMORY_KIB_MIN, PASSWORD_PASSES_MAX, PASSWORD_PASSES_MIN,
};
use susurro_protocol::rest::{AUTH_SCHEME, StretchParams};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::kdf::hkdf;
use super::secret::{Secret, Secret32};

const INFO_AUTH: &[u8] = b"susurro/v1/password-auth\0";
const INFO_BACKUP: &[u8] = b"susurro/v1/password-backup\0";

/// Bytes of a salt (RFC 9106, section 4).
pub(crate) const SALT_BYTES: usize = 16;

/// Why a password was not stretched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// A scheme that this program does not know.
    #[error("the relay asks for a way of logging in that this program does not know; update it")]
    UnknownScheme,
    /// Parameters below the floor: a relay that asks for them could search for the password.
    #[error("the relay asks for weaker password protection than this program allows; do not use this relay")]
    TooWeak,
    /// Parameters above the ceiling.
    #[error("the relay asks for more memory or time than this program allows; do not use this relay")]
    TooCostly,
}

/// What Argon2id is to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StretchCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl StretchCost {
    /// What this program uses: the second recommendation of RFC 9106, section 4, on one lane,
    /// since the lanes are computed one after the other here.
    pub const PRODUCTION: Self = Self { memory_kib: PASSWORD_MEMORY_KIB_MIN, passes: PASSWORD_PASSES_MIN, lanes: 1 };

    /// The least that Argon2id can do: protects nothing. For tests.
    pub const INSECURE: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    /// Whether it is below the ceiling of [`susurro_protocol::limits`] and possible at all.
    pub(crate) fn is_affordable(self) -> bool {
        self.memory_kib <= PASSWORD_MEMORY_KIB_MAX
            && (1..=PASSWORD_PASSES_MAX).contains(&self.passes)
            && (1..=PASSWORD_LANES_MAX).contains(&self.lanes)
            && self.memory_kib >= 8 * self.lanes
    }
}

/// A stretched password.
pub struct StretchedPassword {
    /// What the relay is shown.
    pub auth: Zeroizing<[u8; 32]>,
    /// What may wrap a backup; never leaves the client.
    pub backup: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for StretchedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StretchedPassword(redacted)")
    }
}

/// Parameters for a new password, with a fresh salt.
pub fn new_params(rng: &mut dyn CryptoRng) -> StretchParams {
    let StretchCost { memory_kib, passes, lanes } = StretchCost::PRODUCTION;
    let salt = Fixed(*Secret::<SALT_BYTES>::random(rng).expose());
    StretchParams { scheme: AUTH_SCHEME.to_owned(), salt, memory_kib, passes, lanes }
}

/// Stretches a password as `params` says, whoever they come from: floor and ceiling of
/// [`susurro_protocol::limits`] are kept here. Takes about a quarter of a second and 64 MiB.
///
/// # Errors
///
/// [`PasswordError`] when the parameters are not acceptable.
pub fn stretch_password(password: &str, params: &StretchParams) -> Result<StretchedPassword, PasswordError> {
    if params.scheme != AUTH_SCHEME {
        return Err(PasswordError::UnknownScheme);
    }
    if params.memory_kib < PASSWORD_MEMORY_KIB_MIN || params.passes < PASSWORD_PASSES_MIN || params.lanes == 0 {
        return Err(PasswordError::TooWeak);
    }
    let cost = StretchCost { memory_kib: params.memory_kib, passes: params.passes, lanes: params.lanes };
    let stretched = argon2id(password, &params.salt.0, cost)?;
    let output = |info: &[u8]| {
        let key: Secret32 = hkdf(None, stretched.expose(), &[info]);
        Zeroizing::new(*key.expose())
    };
    Ok(StretchedPassword { auth: output(INFO_AUTH), backup: output(INFO_BACKUP) })
}

/// Argon2id, version 19, of the password in Unicode normalisation form NFKC: the same password
/// typed on another keyboard gives the same bytes.
pub(crate) fn argon2id(password: &str, salt: &[u8; SALT_BYTES], cost: StretchCost) -> Result<Secret32, PasswordError> {
    if !cost.is_affordable() {
        return Err(PasswordError::TooCostly);
    }
    let too_costly = |_| PasswordError::TooCostly;
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(too_costly)?;
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let normalized = normalize(password);
    let output = Secret::filled_by(|output| {
        argon2.hash_password_into_with_memory(normalized.as_bytes(), salt, output, &mut memory)
    });
    memory.zeroize();
    output.map_err(too_costly)
}

fn normalize(password: &str) -> Zeroizing<String> {
    // NFKC makes a character at most 18 times as long (UAX #15, section 9): enough room from the
    // start, since a string that moves would leave the password behind.
    let mut normalized = Zeroizing::new(String::with_capacity(password.len() * 18));
    normalized.extend(password.nfkc());
    normalized
}
