//! Randomness that is not random: the same bytes at each run.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest as _, Sha256};

/// SHA-256 of a name and a counter.
#[derive(Debug, Clone)]
pub struct Named {
    name: String,
    counter: u64,
}

impl Named {
    /// The bytes of this name. Each case has its own, so that a new one moves no other.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self { name: name.to_owned(), counter: 0 }
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            self.counter += 1;
            let block = Sha256::new()
                .chain_update(b"susurro vectors\0")
                .chain_update(self.name.as_bytes())
                .chain_update([0])
                .chain_update(self.counter.to_be_bytes())
                .finalize();
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
        }
    }
}

/// Gives out the bytes of a case, in order, and remembers when they did not suffice.
#[derive(Debug, Default)]
pub struct Tape {
    bytes: Vec<u8>,
    at: usize,
    short: bool,
}

impl Tape {
    /// A tape with these bytes.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        Self { bytes: parts.concat(), ..Self::default() }
    }

    /// Whether exactly the bytes of the tape were asked for.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        !self.short && self.at == self.bytes.len()
    }

    fn fill(&mut self, out: &mut [u8]) {
        match self.bytes.get(self.at..self.at + out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => self.short = true,
        }
        self.at += out.len();
    }
}

macro_rules! infallible_rng {
    ($name:ident) => {
        impl TryRng for $name {
            type Error = Infallible;

            fn try_next_u32(&mut self) -> Result<u32, Infallible> {
                let mut bytes = [0; 4];
                self.fill(&mut bytes);
                Ok(u32::from_le_bytes(bytes))
            }

            fn try_next_u64(&mut self) -> Result<u64, Infallible> {
                let mut bytes = [0; 8];
                self.fill(&mut bytes);
                Ok(u64::from_le_bytes(bytes))
            }

            fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
                self.fill(out);
                Ok(())
            }
        }

        impl TryCryptoRng for $name {}
    };
}
infallible_rng!(Named);
infallible_rng!(Tape);
