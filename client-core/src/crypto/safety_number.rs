//! Safety numbers (`docs/crypto.md`, section 6): what two people compare.
//!
//! After Signal's numeric fingerprints: SHA-512 iterated 5,200 times, so that a search for a key
//! with a similar number costs 5,200 times as much.

use std::fmt;

use sha2::{Digest as _, Sha512};
use susurro_protocol::AccountId;

const LABEL: &[u8] = b"susurro/v1/safety-number\0";
const ITERATIONS: u32 = 5_200;
const QR_VERSION: u8 = 1;

/// 60 digits, the same on both sides.
#[derive(Clone, PartialEq, Eq)]
pub struct SafetyNumber {
    digits: String,
    halves: [[u8; 32]; 2],
}

/// The number of two people, each given by account and account key. The order does not matter.
#[must_use]
pub fn safety_number(one: (AccountId, [u8; 32]), other: (AccountId, [u8; 32])) -> SafetyNumber {
    let mut halves = [fingerprint(one), fingerprint(other)];
    halves.sort_unstable();
    let digits = halves.iter().map(digits).collect();
    SafetyNumber { digits, halves }
}

impl SafetyNumber {
    /// The 60 digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The digits in twelve groups of five.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        (0..12).filter_map(|group| self.digits.get(group * 5..group * 5 + 5))
    }

    /// What the QR code holds: version 1, then the first 32 bytes of each person's hash, in the
    /// order of the halves. 65 bytes, the same on both sides.
    #[must_use]
    pub fn qr_payload(&self) -> Vec<u8> {
        [&[QR_VERSION], &self.halves[0][..], &self.halves[1]].concat()
    }
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.groups().enumerate() {
            write!(f, "{}{group}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafetyNumber({self})")
    }
}

fn fingerprint((account, account_key): (AccountId, [u8; 32])) -> [u8; 32] {
    let mut hash =
        Sha512::new().chain_update(LABEL).chain_update(account_key).chain_update(account.as_bytes()).finalize();
    for _ in 1..ITERATIONS {
        hash = Sha512::new().chain_update(hash).chain_update(account_key).finalize();
    }
    let mut half = [0; 32];
    half.copy_from_slice(&hash[..32]);
    half
}

/// 30 digits: six times five bytes, big-endian, modulo 100,000.
fn digits(half: &[u8; 32]) -> String {
    half.as_chunks::<5>()
        .0
        .iter()
        .map(|chunk| {
            let number = chunk.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            format!("{:05}", number % 100_000)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(byte: u8) -> (AccountId, [u8; 32]) {
        let key = [byte; 32];
        (AccountId::of_account_key(&key), key)
    }

    #[test]
    fn both_sides_see_the_same_and_other_keys_see_another() {
        let number = safety_number(person(1), person(2));
        assert_eq!(number, safety_number(person(2), person(1)));
        assert_eq!(number.qr_payload(), safety_number(person(2), person(1)).qr_payload());
        assert_ne!(number, safety_number(person(1), person(3)));
        // The account belongs to the hash as well.
        assert_ne!(number, safety_number((AccountId::from_bytes([9; 16]), [1; 32]), person(2)));
    }

    #[test]
    fn sixty_digits_in_twelve_groups() {
        let number = safety_number(person(1), person(2));
        assert_eq!(number.digits().len(), 60);
        assert!(number.digits().bytes().all(|digit| digit.is_ascii_digit()));
        assert_eq!(number.groups().collect::<String>(), number.digits());
        assert!(number.groups().all(|group| group.len() == 5) && number.groups().count() == 12);
        assert_eq!(number.to_string().len(), 71);
        assert_eq!(number.qr_payload().len(), 65);
    }
}
