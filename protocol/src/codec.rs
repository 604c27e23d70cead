//! Reading and writing of msgpack structures (`docs/protocol.md`, section 5).
//!
//! Every structure is a msgpack array of its fields in order. A reader ignores elements behind
//! the last one it knows, which is how later versions add fields; everything else that does not
//! fit the structure is refused.

use std::fmt;
use std::marker::PhantomData;

use rmp::{Marker, decode};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize as _, Deserializer as _, Serialize};

/// Depth of nested arrays and maps that a reader follows, the structure itself included (ENC-4): the
/// deepest known structure has five, and a hostile one must not exhaust the stack.
const DEPTH_MAX: usize = 16;

/// The same for the library, which refuses at the depth that it is told.
const DEPTH_REFUSED: usize = DEPTH_MAX + 1;

/// Bytes that are not the msgpack structure that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed {structure}")]
pub struct Malformed {
    /// The structure that was expected.
    pub structure: &'static str,
}

/// A structure that travels as one msgpack array.
pub trait Structure {
    /// Its name in `docs/protocol.md`.
    const NAME: &'static str;

    /// About how many bytes it will be: room for them is made at once.
    fn size(&self) -> usize {
        128
    }
}

/// The msgpack array of `value`'s fields.
///
/// # Panics
///
/// Never: writing to memory cannot fail, and no structure holds a value that msgpack lacks.
#[must_use]
pub fn encode<T: Serialize + Structure>(value: &T) -> Vec<u8> {
    // The only errors are of the writer and of sequences without a length; neither exists here.
    let mut bytes = Vec::with_capacity(value.size());
    if rmp_serde::encode::write(&mut bytes, value).is_err() {
        bytes.clear();
    }
    bytes
}

/// Reads one structure that fills `bytes` to the end.
///
/// # Errors
///
/// [`Malformed`] when the bytes are anything but that structure, with or without unknown
/// elements at its end.
pub fn decode<T: DeserializeOwned + Structure>(bytes: &[u8]) -> Result<T, Malformed> {
    let malformed = Malformed { structure: T::NAME };
    // A reader over a slice hands out parts of it; one over anything else copies each byte string first.
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(DEPTH_REFUSED);
    let (value, unknown) = reader.deserialize_any(Open(PhantomData)).map_err(|_| malformed)?;
    if fills(bytes, unknown) { Ok(value) } else { Err(malformed) }
}

/// Whether the array, which has been read, fills `bytes`, and holds no map before its last `unknown` elements. A
/// structure within another is an array as well, but what serde derives would also read a map of its names.
fn fills(bytes: &[u8], unknown: u32) -> bool {
    let mut reader = decode::Bytes::new(bytes);
    let Ok(elements) = decode::read_array_len(&mut reader) else { return false };
    let mut left = u64::from(elements.saturating_sub(unknown));
    let mut rest = reader.remaining_slice();
    while left > 0 {
        let Some((marker, behind)) = rest.split_first() else { return false };
        let length = |width: usize| {
            let bytes = behind.get(..width).unwrap_or_default();
            bytes.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
        };
        let (skipped, more) = match Marker::from_u8(*marker) {
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => return false,
            Marker::FixArray(count) => (0, usize::from(count)),
            Marker::Array16 => (2, length(2)),
            Marker::Array32 => (4, length(4)),
            Marker::FixStr(count) => (usize::from(count), 0),
            Marker::Str8 | Marker::Bin8 => (1 + length(1), 0),
            Marker::Str16 | Marker::Bin16 => (2 + length(2), 0),
            Marker::Str32 | Marker::Bin32 => (4 + length(4), 0),
            Marker::U8 | Marker::I8 => (1, 0),
            Marker::U16 | Marker::I16 => (2, 0),
            Marker::U32 | Marker::I32 => (4, 0),
            Marker::U64 | Marker::I64 => (8, 0),
            Marker::FixPos(_) | Marker::Null => (0, 0),
            // Nothing else is of a type that a structure has.
            _ => return false,
        };
        rest = behind.get(skipped..).unwrap_or_default();
        left = left - 1 + more as u64;
    }
    if unknown == 0 { rest.is_empty() } else { is_exactly(unknown, rest) }
}

/// Reads the known elements of an array with `T`, then skips the rest of it.
struct Open<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for Open<T> {
    /// The value, and how many elements stand behind those that it knows.
    type Value = (T, u32);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let value = T::deserialize(SeqAccessDeserializer::new(&mut elements))?;
        let mut unknown = 0;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            unknown += 1;
        }
        Ok((value, unknown))
    }
}

/// Whether `bytes` are exactly `count` msgpack values of any kind, inside an array that somebody else has opened.
pub(crate) fn is_exactly(count: u32, bytes: &[u8]) -> bool {
    let mut reader = rmp_serde::Deserializer::new(bytes);
    // The array around them is the first level.
    reader.set_max_depth(DEPTH_REFUSED - 1);
    (0..count).all(|_| IgnoredAny::deserialize(&mut reader).is_ok()) && reader.get_ref().is_empty()
}

/// Names structures for [`encode`] and [`decode`].
macro_rules! structures {
    ($($name:ident),+ $(,)?) => {
        $(impl $crate::codec::Structure for $name {
            const NAME: &'static str = stringify!($name);
        })+
    };
}
pub(crate) use structures;

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Pair(u32, crate::bytes::Bin);
    #[derive(Serialize, Deserialize)]
    struct Later(u32, crate::bytes::Bin, Vec<Vec<u8>>, String);
    structures!(Pair, Later);

    #[test]
    fn unknown_trailing_elements_are_ignored_and_nothing_else_is() {
        let later = Later(7, vec![1, 2].into(), vec![vec![1]], "new".into());
        assert_eq!(decode::<Pair>(&encode(&later)), Ok(Pair(7, vec![1, 2].into())));

        let exact = encode(&Pair(7, vec![1].into()));
        let refused = Err(Malformed { structure: "Pair" });
        assert_eq!(decode::<Pair>(&[exact.clone(), vec![0]].concat()), refused);
        assert_eq!(decode::<Pair>(&exact[..exact.len() - 1]), refused);
        assert_eq!(decode::<Pair>(&[0x91, 7]), refused);
        assert_eq!(decode::<Pair>(&[0x92, 7, 0xa1, b'x']), refused, "a string is no byte string");
        assert_eq!(decode::<Pair>(&[0x82, 0, 7, 1, 0xc4, 0]), refused, "a map is no array");
        assert_eq!(decode::<Pair>(&[]), refused);
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nest {
        all: Vec<Named>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Named {
        a: u8,
        #[serde(deserialize_with = "crate::bytes::text")]
        b: String,
    }
    structures!(Nest, Named);

    #[test]
    fn a_nested_structure_is_an_array_and_text_is_text() {
        let nest = Nest { all: vec![Named { a: 1, b: "x".into() }, Named { a: 2, b: String::new() }] };
        assert_eq!(decode::<Nest>(&encode(&nest)), Ok(nest));
        let map = [0x91, 0x91, 0x82, 0xa1, b'a', 1, 0xa1, b'b', 0xa1, b'x'];
        assert!(decode::<Nest>(&map).is_err(), "a map of names is no structure");
        assert_eq!(decode::<Named>(&[0x93, 1, 0xa1, b'x', 0x80]), Ok(Named { a: 1, b: "x".into() }), "behind it is");
        assert!(decode::<Named>(&[0x92, 1, 0xc4, 1, b'x']).is_err(), "a byte string is no text");
        assert!(decode::<Named>(&[0x92, 1, 0xa1, 0xff]).is_err(), "text is UTF-8");
    }

    #[test]
    fn deep_nesting_and_huge_lengths_are_refused_without_harm() {
        // An array of a pair and `inner` arrays in one another: with its own, `inner + 1`.
        let nested = |inner: usize| [vec![0x93, 7, 0xc4, 0], vec![0x91; inner - 1], vec![0x90]].concat();
        assert!(decode::<Pair>(&nested(15)).is_ok());
        assert!(decode::<Pair>(&nested(16)).is_err());
        assert!(decode::<Pair>(&nested(100_000)).is_err());
        assert!(decode::<Pair>(&[0x92, 7, 0xc6, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(decode::<Pair>(&[0xdd, 0xff, 0xff, 0xff, 0xff, 7]).is_err());
    }
}
