//! `attachments.json`.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Made, Maker, text};
use crate::vectors::case::File;
use crate::vectors::random::Named;

/// Bytes of a file in a whole piece.
const PIECE: usize = 65_520;

fn of(unit: &str, times: usize) -> Value {
    json!({ "repeat": unit, "times": times })
}

pub(super) fn file() -> Made<File> {
    let mut maker =
        Maker::new("attachments", "Files in pieces: sizes, pieces, whole blobs, and blobs that are refused.");
    sizes(&mut maker)?;
    pieces(&mut maker)?;
    small(&mut maker)?;
    joined(&mut maker);
    Ok(maker.finish())
}

fn sizes(maker: &mut Maker) -> Made {
    for size in [
        0_u64,
        1,
        255,
        256,
        257,
        1024,
        4096,
        4097,
        65_520,
        65_521,
        65_536,
        131_040,
        131_041,
        1_000_000,
        10_485_760,
        104_857_599,
        104_857_600,
    ] {
        let what = "bytes after padding, and of the blob";
        maker.done(&format!("sizes/{size}"), &["ATT-1"], what, "attachment.sizes", json!({ "size": size }))?;
    }
    let case = (json!({ "size": 104_857_601_u64 }), "too-large");
    maker.refused("sizes/too-large", &["ATT-1"], "a byte too many", "attachment.sizes", case);
    Ok(())
}

fn pieces(maker: &mut Maker) -> Made {
    let key = hex::encode(Named::of("attachments/piece").bytes::<32>());
    for (id, what, number, last) in [
        ("first", "the first piece of several", 0_u64, false),
        ("only", "a piece that is first and last", 0, true),
        ("third", "the third piece", 2, false),
        ("third-last", "the third piece, which is the last", 2, true),
        ("far", "a number of more than one byte", 258, false),
    ] {
        let input = json!({ "key": key, "number": number, "last": last, "content": "68656c6c6f" });
        maker.done(&format!("piece/{id}"), &["ATT-1"], what, "attachment.piece", input)?;
    }
    Ok(())
}

/// Files of one piece, whole.
fn small(maker: &mut Maker) -> Made {
    let key = hex::encode(Named::of("attachments/key").bytes::<32>());
    for (id, what, content) in [
        ("empty", "an empty file", of("00", 0)),
        ("short", "a short file", json!("68656c6c6f")),
        ("fills", "a file that needs no padding", of("61", 256)),
        ("padme", "a file above 4096 bytes", of("62", 5000)),
        ("piece", "a file of exactly one piece", of("63", PIECE)),
        ("two-pieces", "a byte more", of("64", PIECE + 1)),
        ("three-pieces", "three pieces", of("65", 2 * PIECE + 9)),
    ] {
        let input = json!({ "key": key, "content": content });
        maker.done(&format!("seal/{id}"), &["ATT-1"], what, "attachment.seal", input)?;
    }
    let piece = |maker: &mut Maker, content: Value| {
        let input = json!({ "key": key, "number": 0, "last": true, "content": content });
        let made =
            maker.done("open/blob", &["ATT-1"], "the blob of the cases that follow", "attachment.piece", input)?;
        text(maker, &made, "piece")
    };
    let blob = piece(maker, json!({ "concat": ["68656c6c6f", of("00", 251)] }))?;
    let hash_of = |blob: &str| hex::encode(Sha256::digest(hex::decode(blob).unwrap_or_default()));
    let input = |size: u64, blob: &str, hash: &str| json!({ "key": key, "size": size, "hash": hash, "blob": blob });
    let case = (input(5, &blob, &hash_of(&blob)), json!({ "content": "68656c6c6f" }));
    maker.known("open/short", &["ATT-2"], "a short file", "attachment.open", case);
    let flipped = format!("{}{}", if blob.starts_with('0') { '1' } else { '0' }, &blob[1..]);
    let (cut, longer) = (blob[..blob.len() - 2].to_owned(), format!("{blob}00"));
    for (id, what, size, blob, hash) in [
        ("other-hash", "a hash of something else", 5, &blob, hash_of(&cut)),
        ("flipped", "a bit that flipped, and the hash of that", 5, &flipped, hash_of(&flipped)),
        ("cut", "a byte is missing, and the hash of that", 5, &cut, hash_of(&cut)),
        ("longer", "a byte too many, and the hash of that", 5, &longer, hash_of(&longer)),
        ("nothing", "no byte at all", 5, &String::new(), hash_of("")),
        ("smaller", "a size of the same padding: behind it are no zeros", 4, &blob, hash_of(&blob)),
        ("larger", "a size of other padding", 257, &blob, hash_of(&blob)),
        ("too-large", "a size above the limit", 104_857_601, &blob, hash_of(&blob)),
    ] {
        let case = (input(size, blob, &hash), "damaged-attachment");
        maker.refused(&format!("refused/{id}"), &["ATT-2"], what, "attachment.open", case);
    }
    let mut other = input(5, &blob, &hash_of(&blob));
    other["key"] = hex::encode([1; 32]).into();
    maker.refused("refused/other-key", &["ATT-2"], "another key", "attachment.open", (other, "damaged-attachment"));
    Ok(())
}

/// Files of more pieces, put together as they should be and in all wrong ways.
fn joined(maker: &mut Maker) {
    let key = hex::encode(Named::of("attachments/key").bytes::<32>());
    let size = 2 * PIECE + 9;
    // 131,049 bytes are padded to 131,072.
    let [first, second] = ["61", "62"].map(|unit| of(unit, PIECE));
    let third = json!({ "concat": [of("63", 9), of("00", 23)] });
    let piece =
        |number: u64, last: bool, content: &Value| json!({ "number": number, "last": last, "content": content });
    let (one, two, three) = (piece(0, false, &first), piece(1, false, &second), piece(2, true, &third));
    let input = |size: usize, pieces: Value| json!({ "key": key, "size": size, "pieces": pieces });
    let content = json!({ "concat": [first, second, of("63", 9)] });
    let case = (input(size, json!([one, two, three])), json!({ "content": content }));
    maker.known("join/three", &["ATT-2"], "three pieces", "attachment.join", case);
    let unmarked = piece(2, false, &third);
    let marked = piece(1, true, &second);
    let not_zeros = piece(2, true, &json!({ "concat": [of("63", 9), of("00", 22), "01"] }));
    for (id, what, size, pieces) in [
        ("swapped", "the first two in the other order", size, json!([two, one, three])),
        ("repeated", "the first in place of the second", size, json!([one, one, three])),
        ("unmarked", "the last piece is not marked as the last", size, json!([one, two, unmarked])),
        ("marked", "a piece before the last one is marked as the last", size, json!([one, marked, three])),
        ("cut", "the last piece is missing", size, json!([one, two])),
        ("cut-to-fit", "two pieces, and the size of two", 131_040, json!([one, two])),
        ("left-out", "the second piece is missing", size, json!([one, three])),
        ("behind", "a piece behind the last", size, json!([one, two, three, three])),
        ("not-zeros", "padding that is not zeros", size, json!([one, two, not_zeros])),
    ] {
        let case = (input(size, pieces), "damaged-attachment");
        maker.refused(&format!("join/refused/{id}"), &["ATT-2"], what, "attachment.join", case);
    }
}
