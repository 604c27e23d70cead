//! HKDF-SHA256 (RFC 5869).

use hkdf::Hkdf;
use sha2::Sha256;

use super::secret::{Secret, Secret32};

/// `N` bytes by HKDF-SHA256; `info` is taken as the concatenation of its parts.
#[expect(clippy::expect_used, reason = "expansion fails above 255 blocks only, which the constant assertion excludes")]
pub(crate) fn hkdf<const N: usize>(salt: Option<&[u8]>, material: &[u8], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32) };
    let hkdf = Hkdf::<Sha256>::new(salt, material);
    Secret::filled_by(|output| hkdf.expand_multi_info(info, output)).expect("short enough")
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
