//! The key of the local store, wrapped by a passphrase (`docs/crypto.md`, section 8).
//!
//! `magic 8 | version 1 | memory KiB u32 | passes u32 | lanes u32 | salt 16 | nonce 24 |
//! XChaCha20-Poly1305 of the key 32 + 16 | SHA-256 of all before 32`. The checksum tells a
//! damaged file from a wrong passphrase; it protects against accidents, the tag against people.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::password::{PasswordError, SALT_BYTES, StretchCost, argon2id};
use super::secret::{Secret, Secret32};

const MAGIC: &[u8; 8] = b"SUSUKEY\0";
const FORMAT_VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 8 + 1 + 12 + SALT_BYTES + NONCE_BYTES;
const WRAPPED_BYTES: usize = HEAD_BYTES + 32 + 16 + 32;

/// Why a wrapped key could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// The file is whole, the passphrase is not its own.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The file is not what was written.
    #[error("the key file of the store is damaged; restore the profile from a backup")]
    Damaged,
}

/// Wraps `key` by a passphrase; `cost` is [`StretchCost::PRODUCTION`] outside tests.
///
/// # Errors
///
/// [`PasswordError::TooCostly`] for a cost that this program would refuse to spend at opening.
pub fn wrap_database_key(
    passphrase: &str,
    key: &[u8; 32],
    cost: StretchCost,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, PasswordError> {
    let mut random = [0; SALT_BYTES + NONCE_BYTES];
    rng.fill_bytes(&mut random);
    let mut out = Vec::with_capacity(WRAPPED_BYTES);
    out.extend_from_slice(MAGIC);
    out.push(FORMAT_VERSION);
    for number in [cost.memory_kib, cost.passes, cost.lanes] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&random);
    let (salt, nonce) = salt_and_nonce(&out).ok_or(PasswordError::TooCostly)?;
    let cipher = cipher(&argon2id(passphrase, salt, cost)?);
    let mut sealed = Zeroizing::new(*key);
    let tag = cipher
        .encrypt_inout_detached(nonce.into(), &out, sealed.as_mut_slice().into())
        .map_err(|_| PasswordError::TooCostly)?;
    out.extend_from_slice(&*sealed);
    out.extend_from_slice(&tag);
    let checksum = Sha256::digest(&out);
    out.extend_from_slice(&checksum);
    Ok(out)
}

/// Opens what [`wrap_database_key`] gave.
///
/// # Errors
///
/// [`UnwrapError`] tells a wrong passphrase from a damaged file.
pub fn unwrap_database_key(passphrase: &str, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, UnwrapError> {
    let damaged = UnwrapError::Damaged;
    let (content, checksum) = wrapped.split_last_chunk::<32>().ok_or(damaged)?;
    if wrapped.len() != WRAPPED_BYTES || Sha256::digest(content)[..] != *checksum {
        return Err(damaged);
    }
    let (head, sealed) = content.split_at_checked(HEAD_BYTES).ok_or(damaged)?;
    let (start, numbers) = head.split_at_checked(9).ok_or(damaged)?;
    if start[..8] != *MAGIC || start[8] != FORMAT_VERSION {
        return Err(damaged);
    }
    let number = |at: usize| numbers.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let cost = StretchCost {
        memory_kib: number(0).ok_or(damaged)?,
        passes: number(4).ok_or(damaged)?,
        lanes: number(8).ok_or(damaged)?,
    };
    let (salt, nonce) = salt_and_nonce(head).ok_or(damaged)?;
    let cipher = cipher(&argon2id(passphrase, salt, cost).map_err(|_| damaged)?);
    let (ciphertext, tag) = sealed.split_first_chunk::<32>().ok_or(damaged)?;
    let tag: &[u8; 16] = tag.try_into().map_err(|_| damaged)?;
    let mut key = Zeroizing::new(*ciphertext);
    cipher
        .decrypt_inout_detached(nonce.into(), head, key.as_mut_slice().into(), tag.into())
        .map_err(|_| UnwrapError::WrongPassphrase)?;
    Ok(key)
}

/// A random key for a new store.
pub fn new_database_key(rng: &mut dyn CryptoRng) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(*Secret32::random(rng).expose())
}

fn salt_and_nonce(head: &[u8]) -> Option<(&[u8; SALT_BYTES], &[u8; NONCE_BYTES])> {
    let (salt, nonce) = head.get(21..HEAD_BYTES)?.split_first_chunk()?;
    Some((salt, nonce.try_into().ok()?))
}

fn cipher(key: &Secret<32>) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}
