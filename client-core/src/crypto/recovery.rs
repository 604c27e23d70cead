//! The recovery key (`docs/protocol.md`, section 15.2): 256 random bits, and the words that people write it down as.
//!
//! The words are those of BIP-39: 24 of a list of 2048 in which the first four letters of a word tell it from all
//! others, eleven bits a word, the last eight bits a checksum. They are English in every language of the
//! interface, so that a key that was written down is good in all of them.

use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::kdf::hkdf;
use super::secret::Secret32;

const INFO_AUTH: &[u8] = b"susurro/v1/recovery-auth\0";

/// The English list of BIP-39, in its order, as python-mnemonic 0.21 carries it (MIT).
const LIST: &str = include_str!("recovery_words.txt");

/// Words of a key: 256 bits and 8 of a checksum, eleven in each.
const RECOVERY_WORDS: usize = 24;

/// Bits of a word.
const WORD_BITS: u32 = 11;

/// Why words are no recovery key. Says where, never what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryWordsError {
    /// Fewer or more of them.
    #[error("a recovery key has {RECOVERY_WORDS} words, these are {0}")]
    Count(usize),
    /// The word in this place, counted from one, is not in the list.
    #[error("word {0} is none of those that a recovery key has")]
    Unknown(usize),
    /// One of them is wrong, or two have changed places.
    #[error("the words do not belong together: one of them is another, or stands in another place")]
    Checksum,
}

/// 256 bits that stand in for a forgotten password.
pub struct RecoveryKey(Secret32);

impl RecoveryKey {
    /// A fresh one.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(Secret32::random(rng))
    }

    /// With these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret32::copy_of(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// What the relay is shown. It tells nothing of the key.
    #[must_use]
    pub fn auth(&self) -> Zeroizing<[u8; 32]> {
        let auth: Secret32 = hkdf(None, self.0.expose(), &[INFO_AUTH]);
        Zeroizing::new(*auth.expose())
    }

    /// The words, with a space between them.
    #[must_use]
    pub fn words(&self) -> Zeroizing<String> {
        // No word has more than eight letters: the text never moves, which would leave a copy behind.
        let mut words = Zeroizing::new(String::with_capacity(RECOVERY_WORDS * 9));
        let (mut bits, mut held) = (Zeroizing::new(0_u32), 0);
        for byte in self.0.expose().iter().chain([&checksum(self.0.expose())]) {
            *bits = (*bits << 8 | u32::from(*byte)) & 0x000f_ffff;
            held += 8;
            if held >= WORD_BITS {
                held -= WORD_BITS;
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(word((*bits >> held) & 0x7ff));
            }
        }
        words
    }

    /// Reads what a person typed: any space between the words, capital letters or not.
    ///
    /// # Errors
    ///
    /// [`RecoveryWordsError`].
    pub fn from_words(text: &str) -> Result<Self, RecoveryWordsError> {
        let count = text.split_whitespace().count();
        if count != RECOVERY_WORDS {
            return Err(RecoveryWordsError::Count(count));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(33));
        let (mut bits, mut held) = (Zeroizing::new(0_u32), 0);
        for (place, typed) in text.split_whitespace().enumerate() {
            let index = LIST.lines().zip(0_u32..).find(|(word, _)| word.eq_ignore_ascii_case(typed));
            let (_, index) = index.ok_or(RecoveryWordsError::Unknown(place + 1))?;
            *bits = (*bits << WORD_BITS | index) & 0x000f_ffff;
            held += WORD_BITS;
            while held >= 8 {
                held -= 8;
                bytes.extend((*bits >> held).to_be_bytes().last());
            }
        }
        let (key, sum) = bytes.split_first_chunk().ok_or(RecoveryWordsError::Checksum)?;
        if sum == [checksum(key)] { Ok(Self::from_bytes(key)) } else { Err(RecoveryWordsError::Checksum) }
    }
}

impl std::fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryKey(redacted)")
    }
}

fn checksum(key: &[u8; 32]) -> u8 {
    Sha256::digest(key)[0]
}

fn word(index: u32) -> &'static str {
    // Eleven bits number 2048 lines.
    LIST.lines().nth(index as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    /// The test vectors of BIP-39 with 256 bits (github.com/trezor/python-mnemonic, vectors.json).
    const PUBLISHED: [([u8; 32], &str); 4] = [
        (
            [0; 32],
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                   abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art",
        ),
        (
            [0x7f; 32],
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth \
                      useful legal winner thank year wave sausage worth title",
        ),
        (
            [0x80; 32],
            "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor \
                      acoustic avoid letter advice cage absurd amount doctor acoustic bless",
        ),
        (
            [0xff; 32],
            "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote",
        ),
    ];

    #[test]
    fn the_words_are_those_of_bip_39() {
        assert_eq!(LIST.lines().count(), 2048);
        assert!(LIST.lines().is_sorted_by(|a, b| a < b));
        for (bytes, words) in PUBLISHED {
            assert_eq!(*RecoveryKey::from_bytes(&bytes).words(), words);
            assert_eq!(RecoveryKey::from_words(words).unwrap().expose(), &bytes);
        }
        let real = RecoveryKey::generate(&mut crate::driver::rng());
        let typed = real.words().to_uppercase().replace(' ', "\n  ");
        assert_eq!(RecoveryKey::from_words(&typed).unwrap().expose(), real.expose());
    }

    #[test]
    fn wrong_words_are_refused_and_not_repeated() {
        let (_, words) = PUBLISHED[1];
        let refused = |text: &str| RecoveryKey::from_words(text).map(|_| ()).unwrap_err();
        assert_eq!(refused(""), RecoveryWordsError::Count(0));
        assert_eq!(refused(&format!("{words} art")), RecoveryWordsError::Count(25));
        assert_eq!(refused(&words.replacen("year", "yeer", 1)), RecoveryWordsError::Unknown(4));
        assert_eq!(refused(&words.replacen("winner thank", "thank winner", 1)), RecoveryWordsError::Checksum);
        assert!(!refused(&words.replacen("year", "yeer", 1)).to_string().contains("yeer"));
    }

    #[test]
    fn attack_24_debug_shows_no_recovery_key() {
        assert_eq!(format!("{:?}", RecoveryKey::from_bytes(&[7; 32])), "RecoveryKey(redacted)");
    }
}
