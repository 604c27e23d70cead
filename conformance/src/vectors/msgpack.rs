//! Just enough msgpack to write what nobody should write, and to read what our writer wrote.

/// A msgpack value. [`Raw`](Self::Raw) is whatever a case of a malformed input needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Msgpack {
    /// An integer in its shortest form.
    Uint(u64),
    /// A byte string.
    Bin(Vec<u8>),
    /// A text.
    Str(String),
    /// An array.
    Array(Vec<Self>),
    /// Nothing.
    Nil,
    /// These bytes as they are.
    Raw(Vec<u8>),
}

impl Msgpack {
    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Uint(number) => write_uint(*number, out),
            Self::Bin(bytes) => {
                write_length(bytes.len(), [None, Some(0xc4), Some(0xc5), Some(0xc6)], 0, out);
                out.extend_from_slice(bytes);
            }
            Self::Str(text) => {
                write_length(text.len(), [Some(0xa0), Some(0xd9), Some(0xda), Some(0xdb)], 31, out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Array(items) => {
                write_length(items.len(), [Some(0x90), None, Some(0xdc), Some(0xdd)], 15, out);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Nil => out.push(0xc0),
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// Reads one value that fills `bytes`; `None` for forms that our writer does not use.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (value, rest) = read(bytes)?;
        rest.is_empty().then_some(value)
    }
}

/// An integer in eight bytes, however small: allowed, though nobody needs it.
#[must_use]
pub fn wide(number: u64) -> Msgpack {
    Msgpack::Raw([&[0xcf], &number.to_be_bytes()[..]].concat())
}

fn write_uint(number: u64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    match number {
        0..=0x7f => out.push(bytes[7]),
        0x80..=0xff => out.extend([0xcc, bytes[7]]),
        0x100..=0xffff => out.extend([&[0xcd], &bytes[6..]].concat()),
        0x1_0000..=0xffff_ffff => out.extend([&[0xce], &bytes[4..]].concat()),
        _ => out.extend([&[0xcf], &bytes[..]].concat()),
    }
}

/// The first of the markers (in the byte itself, 8, 16, 32 bits) that can say `length`.
fn write_length(length: usize, markers: [Option<u8>; 4], inline_max: usize, out: &mut Vec<u8>) {
    let bytes = (length as u64).to_be_bytes();
    let [inline, eight, sixteen, thirty_two] = markers;
    if let (Some(marker), true) = (inline, length <= inline_max) {
        out.push(marker | bytes[7]);
    } else if let (Some(marker), true) = (eight, length <= 0xff) {
        out.extend([marker, bytes[7]]);
    } else if let (Some(marker), true) = (sixteen, length <= 0xffff) {
        out.extend([marker, bytes[6], bytes[7]]);
    } else if let Some(marker) = thirty_two {
        out.extend([marker, bytes[4], bytes[5], bytes[6], bytes[7]]);
    }
}

fn read(bytes: &[u8]) -> Option<(Msgpack, &[u8])> {
    let (marker, rest) = bytes.split_first()?;
    Some(match *marker {
        number @ 0..=0x7f => (Msgpack::Uint(number.into()), rest),
        0xcc => number(rest, 1)?,
        0xcd => number(rest, 2)?,
        0xce => number(rest, 4)?,
        0xcf => number(rest, 8)?,
        0xc0 => (Msgpack::Nil, rest),
        0xc4 => bin(rest, 1)?,
        0xc5 => bin(rest, 2)?,
        0xc6 => bin(rest, 4)?,
        short @ 0xa0..=0xbf => text(rest, usize::from(short & 0x1f))?,
        0xd9 => sized(rest, 1).and_then(|(length, rest)| text(rest, length))?,
        0xda => sized(rest, 2).and_then(|(length, rest)| text(rest, length))?,
        0xdb => sized(rest, 4).and_then(|(length, rest)| text(rest, length))?,
        short @ 0x90..=0x9f => array(rest, usize::from(short & 0x0f))?,
        0xdc => sized(rest, 2).and_then(|(length, rest)| array(rest, length))?,
        0xdd => sized(rest, 4).and_then(|(length, rest)| array(rest, length))?,
        _ => return None,
    })
}

fn number(bytes: &[u8], width: usize) -> Option<(Msgpack, &[u8])> {
    let (number, rest) = bytes.split_at_checked(width)?;
    Some((Msgpack::Uint(number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))), rest))
}

fn sized(bytes: &[u8], width: usize) -> Option<(usize, &[u8])> {
    let (Msgpack::Uint(length), rest) = number(bytes, width)? else { return None };
    Some((usize::try_from(length).ok()?, rest))
}

fn bin(bytes: &[u8], width: usize) -> Option<(Msgpack, &[u8])> {
    let (length, rest) = sized(bytes, width)?;
    let (bytes, rest) = rest.split_at_checked(length)?;
    Some((Msgpack::Bin(bytes.to_vec()), rest))
}

fn text(bytes: &[u8], length: usize) -> Option<(Msgpack, &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((Msgpack::Str(std::str::from_utf8(text).ok()?.to_owned()), rest))
}

fn array(mut bytes: &[u8], length: usize) -> Option<(Msgpack, &[u8])> {
    let mut items = Vec::new();
    for _ in 0..length {
        let (item, rest) = read(bytes)?;
        items.push(item);
        bytes = rest;
    }
    Some((Msgpack::Array(items), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_is_what_the_library_writes() {
        let value = (1_u8, 300_u16, 70_000_u32, u64::MAX, "x".repeat(40), vec![serde_bytes(3), serde_bytes(300)]);
        let own = Msgpack::Array(vec![
            Msgpack::Uint(1),
            Msgpack::Uint(300),
            Msgpack::Uint(70_000),
            Msgpack::Uint(u64::MAX),
            Msgpack::Str("x".repeat(40)),
            Msgpack::Array(vec![Msgpack::Bin(vec![7; 3]), Msgpack::Bin(vec![7; 300])]),
        ]);
        assert_eq!(rmp_serde::to_vec(&value).ok(), Some(own.to_bytes()));
        assert_eq!(Msgpack::read(&own.to_bytes()), Some(own));
        assert_eq!(Msgpack::read(&[0x92, 1]), None);
    }

    fn serde_bytes(length: usize) -> susurro_protocol::bytes::Bin {
        vec![7; length].into()
    }
}
