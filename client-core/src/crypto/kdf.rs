//! HKDF-SHA256 (RFC 5869) and HMAC-SHA256 (RFC 2104).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroize as _;

use super::secret::{Secret, Secret32};

/// `N` bytes by HKDF-SHA256; `info` is taken as the concatenation of its parts.
#[expect(clippy::expect_used, reason = "expansion fails above 255 blocks only, which the constant assertion excludes")]
pub(crate) fn hkdf<const N: usize>(salt: Option<&[u8]>, material: &[u8], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32) };
    let hkdf = Hkdf::<Sha256>::new(salt, material);
    Secret::filled_by(|output| hkdf.expand_multi_info(info, output)).expect("short enough")
}

/// One key by HKDF-Expand (RFC 5869, section 2.3) from a key that is uniformly random already.
pub(crate) fn expand_one(key: &Secret32, info: &[&[u8]]) -> Secret32 {
    // One block of output is HMAC(key, info | 0x01). The library's expansion takes its key as a
    // slice and checks two lengths; this is on the path of every message.
    let mut mac = keyed(key);
    info.iter().for_each(|part| mac.update(part));
    mac.update(&[1]);
    finish(mac)
}

/// HMAC-SHA256 (RFC 2104) keyed with 32 bytes.
pub(crate) fn keyed(key: &Secret32) -> Hmac<Sha256> {
    // A short key is filled with zeros up to the hash's block (RFC 2104, section 2).
    let mut block = [0; 64];
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
    let output = hkdf::<96>(salt, material, info);
    let mut keys = [const { Secret::<32>::zeros() }; 3];
    for (key, part) in keys.iter_mut().zip(output.expose().as_chunks().0) {
        key.overwrite(part);
    }
    keys
}
