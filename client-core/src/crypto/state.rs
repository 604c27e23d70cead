//! Fixed layouts of stored state: big-endian integers, raw keys, blocks with a length in front.
//!
//! State holds secrets, so it is written by hand into memory that is wiped, not by a serialiser
//! with buffers of its own.

use zeroize::Zeroizing;

/// Stored state that cannot be read: of a later version, cut off or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored key material is damaged or of a later version; restore the profile from a backup")]
pub struct BadState;

/// Appends to a buffer that is wiped, also when it grows.
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(crate) fn new(version: u8) -> Self {
        let mut writer = Self(Zeroizing::new(Vec::with_capacity(1024)));
        writer.u8(version);
        writer
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            // `Vec` would leave the old contents behind when it moves.
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(self.0.capacity() * 2)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// A count. State never holds 2³² of anything.
    pub(crate) fn count(&mut self, value: usize) -> &mut Self {
        self.u32(u32::try_from(value).unwrap_or(u32::MAX))
    }

    pub(crate) fn block(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    pub(crate) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// Takes from the front; anything missing or left over is [`BadState`].
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], version: u8) -> Result<Self, BadState> {
        let mut reader = Self(bytes);
        if reader.u8()? == version { Ok(reader) } else { Err(BadState) }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], BadState> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(BadState)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], BadState> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(BadState)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, BadState> {
        self.array::<1>().map(|[byte]| *byte)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, BadState> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(BadState),
        }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, BadState> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, BadState> {
        self.array().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// A count of things of at least `size` bytes each: never more than the rest can hold, so
    /// that a damaged count allocates nothing.
    pub(crate) fn count(&mut self, size: usize) -> Result<usize, BadState> {
        let count = self.u32()? as usize;
        if count.checked_mul(size).is_some_and(|bytes| bytes <= self.0.len()) { Ok(count) } else { Err(BadState) }
    }

    pub(crate) fn block(&mut self) -> Result<&'a [u8], BadState> {
        let length = self.count(1)?;
        self.take(length)
    }

    pub(crate) fn end(self) -> Result<(), BadState> {
        if self.0.is_empty() { Ok(()) } else { Err(BadState) }
    }
}
