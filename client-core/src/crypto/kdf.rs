//! HKDF-SHA256 (RFC 5869) and HMAC-SHA256 (RFC 2104).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroize as _;

use super::secret::{Secret, Secret32};

/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// `N` bytes by HKDF-SHA256; `info` is taken as the concatenation of its parts.
#[expect(clippy::expect_used, reason = "expansion fails above 255 blocks only, which the constant assertion excludes")]
pub(crate) fn hkdf<const N: usize>(salt: Option<&[u8]>, material: &[u8], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32) };
    let hkdf = Hkdf::<Sha256>::new(salt, material);
    Secret::filled_by(|output| hkdf.expand_multi_info(info, output)).expect("short enough")
}

/// One key of 32 bytes by HKDF-SHA256, with a short salt.
///
/// One block of output is `HMAC(HMAC(salt, material), info | 0x01)`. This is on the path of every
/// message; the library's way checks and copies twice as much. A test compares them.
pub(crate) fn one_key<const N: usize>(salt: &[u8; N], material: &Secret32, info: &[u8]) -> Secret32 {
    const { assert!(N <= BLOCK_BYTES) };
    let mut block = [0; BLOCK_BYTES];
    block[..N].copy_from_slice(salt);
    let extracted = finish(Hmac::new((&block).into()).chain_update(material.expose()));
    finish(keyed(&extracted).chain_update(info).chain_update([1]))
}

/// HMAC-SHA256 (RFC 2104) keyed with 32 bytes.
pub(crate) fn keyed(key: &Secret32) -> Hmac<Sha256> {
    // A short key is filled with zeros up to the hash's block (RFC 2104, section 2).
    let mut block = [0; BLOCK_BYTES];
    block[..32].copy_from_slice(key.expose());
    let mac = Hmac::new((&block).into());
    block.zeroize();
    mac
}

/// The tag as a secret.
pub(crate) fn finish(mac: Hmac<Sha256>) -> Secret32 {
    let mut bytes: [u8; 32] = mac.finalize().into_bytes().into();
    let secret = Secret::copy_of(&bytes);
    bytes.zeroize();
    secret
}

/// Three keys of 32 bytes, in order, by one expansion to 96 bytes.
pub(crate) fn three_keys(salt: Option<&[u8]>, material: &[u8], info: &[&[u8]]) -> [Secret32; 3] {
    keys::<96, 3>(salt, material, info)
}

/// Four keys of 32 bytes, in order, by one expansion to 128 bytes. The first three are those of
/// [`three_keys`].
pub(crate) fn four_keys(salt: Option<&[u8]>, material: &[u8], info: &[&[u8]]) -> [Secret32; 4] {
    keys::<128, 4>(salt, material, info)
}

fn keys<const BYTES: usize, const N: usize>(salt: Option<&[u8]>, material: &[u8], info: &[&[u8]]) -> [Secret32; N] {
    const { assert!(BYTES == N * 32) };
    let output = hkdf::<BYTES>(salt, material, info);
    let mut keys = [const { Secret::<32>::zeros() }; N];
    for (key, part) in keys.iter_mut().zip(output.expose().as_chunks().0) {
        key.overwrite(part);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_gives_the_same_key_as_the_library() {
        let material = Secret::copy_of(&[7; 32]);
        let short = one_key(&[9; 24], &material, b"info\0");
        let long: Secret32 = hkdf(Some(&[9; 24]), material.expose(), &[b"in", b"fo\0"]);
        assert_eq!(short.expose(), long.expose());
    }
}
