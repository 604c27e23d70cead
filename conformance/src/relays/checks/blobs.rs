//! Encrypted attachments: uploading in chunks, going on after a loss, ranges, who may do what.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use susurro_protocol::limits::{BLOB_CHUNK, BLOB_MAX};
use susurro_protocol::rest::BlobState;
use susurro_protocol::{BlobId, ErrorCode};

use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Ground, Person, ask, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

const CHUNK: usize = BLOB_CHUNK;

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("BLOB-1/begun", ["BLOB-1"], "an upload is begun once, and the same request tells how far it is", begun),
        check!("BLOB-1/reused", ["BLOB-1"], "an identifier that stands for another blob", reused),
        check!("BLOB-2/too-large", ["BLOB-2", "LIM-1"], "sizes and lives that are too large, and none", too_large),
        check!("BLOB-3/chunks", ["BLOB-3", "BLOB-6"], "three chunks, one after the other, read back as one", in_chunks),
        check!("BLOB-3/out-of-order", ["BLOB-3"], "a chunk that is not the next", out_of_order),
        check!("BLOB-3/other-shapes", ["BLOB-3"], "pieces that are no chunks of the blob", other_shapes),
        check!("BLOB-4/again", ["BLOB-4"], "a chunk that is there already changes nothing", again),
        check!("BLOB-4/at-once", ["BLOB-4"], "the same chunk many times at once", at_once),
        check!("BLOB-5/how-far", ["BLOB-5"], "HEAD says how far an upload is", how_far),
        check!("BLOB-6/ranges", ["BLOB-6"], "ranges: within a chunk, across chunks, the end, beyond", ranges),
        check!("BLOB-7/unfinished", ["BLOB-7"], "an upload that is not whole is nobody else's", unfinished),
        check!("BLOB-7/who", ["BLOB-7"], "whoever knows the id reads; nobody without a token", who),
        check!("BLOB-8/owner", ["BLOB-8"], "who began it alone uploads and deletes", owner),
        check!("BLOB-8/deleted", ["BLOB-8"], "a blob that was deleted is gone for all", deleted),
    ]
}

fn blob_id() -> BlobId {
    BlobId::from_bytes(random())
}

fn path(blob: BlobId) -> String {
    format!("/blobs/{blob}")
}

/// Bytes that differ from place to place.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xff).unwrap_or_default()).collect()
}

async fn begin(person: &Person, blob: BlobId, size: u64) -> Result<Answer, Stop> {
    person.post("/blobs", &json!({"blob": blob, "size": size})).await
}

fn piece(person: &Person, blob: BlobId, range: &str, bytes: &[u8]) -> RequestBuilder {
    let request = person.request(Method::PUT, &path(blob)).header("content-type", "application/octet-stream");
    request.header("content-range", format!("bytes {range}")).body(bytes.to_vec())
}

async fn put(person: &Person, blob: BlobId, start: usize, all: &[u8]) -> Result<Answer, Stop> {
    let end = (start + CHUNK).min(all.len());
    ask(piece(person, blob, &format!("{start}-{}/{}", end - 1, all.len()), &all[start..end])).await
}

async fn upload(person: &Person, all: &[u8]) -> Result<BlobId, Stop> {
    let blob = blob_id();
    begin(person, blob, all.len() as u64).await?.is(201)?;
    for start in (0..all.len()).step_by(CHUNK) {
        put(person, blob, start, all).await?.is(200)?;
    }
    Ok(blob)
}

async fn head(person: &Person, blob: BlobId) -> Result<Answer, Stop> {
    ask(person.request(Method::HEAD, &path(blob))).await
}

async fn read(person: &Person, blob: BlobId, range: &str) -> Result<Answer, Stop> {
    ask(person.request(Method::GET, &path(blob)).header("range", range)).await
}

async fn delete(person: &Person, blob: BlobId) -> Result<Answer, Stop> {
    ask(person.request(Method::DELETE, &path(blob))).await
}

async fn begun(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (blob, all) = (blob_id(), bytes(CHUNK + 9));
    let made: BlobState = begin(&person, blob, all.len() as u64).await?.read(201)?;
    same("blob, size and offset", &(blob, all.len() as u64, 0), &(made.blob, made.size, made.offset))?;
    that(made.expires > relay.info.time, "a time to come", made.expires)?;
    put(&person, blob, 0, &all).await?.is(200)?;
    let again: BlobState = begin(&person, blob, all.len() as u64).await?.read(200)?;
    same("offset", &(CHUNK as u64), &again.offset)
}

async fn reused(relay: &Ground) -> Outcome {
    let (person, other) = (relay.person().await?, relay.person().await?);
    let blob = blob_id();
    begin(&person, blob, 5).await?.is(201)?;
    begin(&person, blob, 6).await?.refused(ErrorCode::BlobConflict)?;
    begin(&other, blob, 5).await?.refused(ErrorCode::BlobConflict)?;
    begin(&person, blob, 5).await?.is(200)
}

async fn too_large(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    begin(&person, blob_id(), BLOB_MAX + 1).await?.refused(ErrorCode::TooLarge)?;
    begin(&person, blob_id(), 0).await?.refused(ErrorCode::InvalidRequest)?;
    let long = json!({"blob": blob_id(), "size": 5, "expires_after": 2_592_001});
    person.post("/blobs", &long).await?.refused(ErrorCode::InvalidRequest)?;
    begin(&person, blob_id(), BLOB_MAX).await?.is(201)
}

async fn in_chunks(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (blob, all) = (blob_id(), bytes(2 * CHUNK + 100));
    begin(&person, blob, all.len() as u64).await?.is(201)?;
    for (start, offset) in [(0, CHUNK), (CHUNK, 2 * CHUNK), (2 * CHUNK, all.len())] {
        let state: BlobState = put(&person, blob, start, &all).await?.read(200)?;
        same("offset", &(offset as u64), &state.offset)?;
    }
    let answer = person.get(&path(blob)).await?;
    answer.is(200)?;
    same("length", &all.len(), &answer.body.len())?;
    that(answer.body[..] == all[..], "the bytes that were uploaded", "others")?;
    same("content type", &Some("application/octet-stream"), &answer.header("content-type"))?;
    same("accept-ranges", &Some("bytes"), &answer.header("accept-ranges"))?;
    for size in [1, CHUNK] {
        let all = bytes(size);
        let blob = upload(&person, &all).await?;
        that(person.get(&path(blob)).await?.body[..] == all[..], "a blob of one chunk", size)?;
    }
    Ok(())
}

async fn out_of_order(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (blob, all) = (blob_id(), bytes(2 * CHUNK + 5));
    begin(&person, blob, all.len() as u64).await?.is(201)?;
    for start in [CHUNK, 2 * CHUNK] {
        put(&person, blob, start, &all).await?.refused(ErrorCode::BlobConflict)?;
    }
    put(&person, blob, 0, &all).await?.is(200)?;
    put(&person, blob, 2 * CHUNK, &all).await?.refused(ErrorCode::BlobConflict)?;
    let state: BlobState = put(&person, blob, CHUNK, &all).await?.read(200)?;
    same("offset", &(2 * CHUNK as u64), &state.offset)
}

async fn other_shapes(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (blob, all) = (blob_id(), bytes(CHUNK + 5));
    let size = all.len();
    begin(&person, blob, size as u64).await?.is(201)?;
    let cases: [(String, &[u8]); 8] = [
        (format!("0-9/{size}"), &all[..10]),
        (format!("1-{CHUNK}/{size}"), &all[1..=CHUNK]),
        (format!("0-{}/{size}", CHUNK - 1), &all[..CHUNK - 1]),
        (format!("0-{}/{}", CHUNK - 1, size + 1), &all[..CHUNK]),
        (format!("0-{}/*", CHUNK - 1), &all[..CHUNK]),
        (format!("{CHUNK}-{}/{size}", size + 1), &all[..7]),
        ("5-4/9".to_owned(), &[]),
        ("nonsense".to_owned(), &all[..CHUNK]),
    ];
    for (range, body) in cases {
        let answer = ask(piece(&person, blob, &range, body)).await?;
        that(answer.refused(ErrorCode::InvalidRequest).is_ok(), format!("{range}: invalid-request"), answer.seen())?;
    }
    let untyped =
        person.request(Method::PUT, &path(blob)).header("content-range", format!("bytes 0-{}/{size}", CHUNK - 1));
    ask(untyped.body(all[..CHUNK].to_vec())).await?.refused(ErrorCode::InvalidRequest)?;
    same("offset", &Some("0"), &head(&person, blob).await?.header("upload-offset"))
}

async fn again(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (blob, all) = (blob_id(), bytes(CHUNK + 5));
    begin(&person, blob, all.len() as u64).await?.is(201)?;
    put(&person, blob, 0, &all).await?.is(200)?;
    let other = vec![9; all.len()];
    let state: BlobState = put(&person, blob, 0, &other).await?.read(200)?;
    same("offset", &(CHUNK as u64), &state.offset)?;
    put(&person, blob, CHUNK, &all).await?.is(200)?;
    let state: BlobState = put(&person, blob, CHUNK, &other).await?.read(200)?;
    same("offset", &(all.len() as u64), &state.offset)?;
    that(person.get(&path(blob)).await?.body[..] == all[..], "the bytes of the first time", "others")
}

async fn at_once(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (blob, all) = (blob_id(), bytes(CHUNK + 5));
    begin(&person, blob, all.len() as u64).await?.is(201)?;
    for start in [0, CHUNK] {
        let (a, b, c, d) = tokio::join!(
            put(&person, blob, start, &all),
            put(&person, blob, start, &all),
            put(&person, blob, start, &all),
            put(&person, blob, start, &all)
        );
        for answer in [a?, b?, c?, d?] {
            let state: BlobState = answer.read(200)?;
            same("offset", &((start + CHUNK).min(all.len()) as u64), &state.offset)?;
        }
    }
    that(person.get(&path(blob)).await?.body[..] == all[..], "the bytes that were uploaded", "others")
}

async fn how_far(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let (blob, all) = (blob_id(), bytes(CHUNK + 5));
    head(&person, blob).await?.is(404)?;
    begin(&person, blob, all.len() as u64).await?.is(201)?;
    for (offset, next) in [(0, 0), (CHUNK, CHUNK), (all.len(), 0)] {
        let answer = head(&person, blob).await?;
        answer.is(200)?;
        let seen = (answer.number("upload-offset")?, answer.number("upload-length")?);
        same("offset and length", &(offset as u64, all.len() as u64), &seen)?;
        that(answer.body.is_empty(), "no body", answer.body.len())?;
        put(&person, blob, next, &all).await?.is(200)?;
    }
    Ok(())
}

async fn ranges(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let all = bytes(2 * CHUNK + 7);
    let blob = upload(&person, &all).await?;
    let size = all.len();
    for (range, start, end) in [
        ("bytes=0-0".to_owned(), 0, 1),
        (format!("bytes={}-{}", CHUNK - 1, CHUNK), CHUNK - 1, CHUNK + 1),
        (format!("bytes=5-{}", 2 * CHUNK + 2), 5, 2 * CHUNK + 3),
        (format!("bytes={CHUNK}-"), CHUNK, size),
        ("bytes=-3".to_owned(), size - 3, size),
        (format!("bytes={}-{}", size - 1, size + 100), size - 1, size),
    ] {
        let answer = read(&person, blob, &range).await?;
        that(answer.status == 206, format!("{range}: 206"), answer.status)?;
        that(answer.body[..] == all[start..end], format!("{range}: its bytes"), answer.body.len())?;
        let expected = format!("bytes {start}-{}/{size}", end - 1);
        same("content-range", &Some(expected.as_str()), &answer.header("content-range"))?;
    }
    for range in [format!("bytes={size}-"), "bytes=-0".to_owned()] {
        let answer = read(&person, blob, &range).await?;
        answer.refused(ErrorCode::RangeNotSatisfiable)?;
        let expected = format!("bytes */{size}");
        same("content-range", &Some(expected.as_str()), &answer.header("content-range"))?;
    }
    for range in ["bytes=9-3", "bytes=x", "pages=1-2"] {
        let answer = read(&person, blob, range).await?;
        that(answer.status == 200 && answer.body.len() == size, format!("{range}: all of it"), answer.status)?;
    }
    Ok(())
}

async fn unfinished(relay: &Ground) -> Outcome {
    let (person, other) = (relay.person().await?, relay.person().await?);
    let (blob, all) = (blob_id(), bytes(CHUNK + 5));
    begin(&person, blob, all.len() as u64).await?.is(201)?;
    put(&person, blob, 0, &all).await?.is(200)?;
    person.get(&path(blob)).await?.refused(ErrorCode::NotFound)?;
    other.get(&path(blob)).await?.refused(ErrorCode::NotFound)?;
    head(&other, blob).await?.is(404)?;
    put(&person, blob, CHUNK, &all).await?.is(200)?;
    other.get(&path(blob)).await?.is(200)
}

async fn who(relay: &Ground) -> Outcome {
    let (person, other) = (relay.person().await?, relay.person().await?);
    let all = bytes(100);
    let blob = upload(&person, &all).await?;
    for reader in [&person, &other] {
        that(reader.get(&path(blob)).await?.body[..] == all[..], "the bytes", "others")?;
    }
    relay.get(&path(blob)).await?.refused(ErrorCode::Unauthenticated)?;
    person.get(&path(blob_id())).await?.refused(ErrorCode::NotFound)?;
    let list = person.get("/blobs").await?;
    list.refused(ErrorCode::MethodNotAllowed)
}

async fn owner(relay: &Ground) -> Outcome {
    let (person, other) = (relay.person().await?, relay.person().await?);
    let (blob, all) = (blob_id(), bytes(CHUNK + 5));
    begin(&person, blob, all.len() as u64).await?.is(201)?;
    put(&other, blob, 0, &all).await?.refused(ErrorCode::NotFound)?;
    delete(&other, blob).await?.refused(ErrorCode::NotFound)?;
    for start in [0, CHUNK] {
        put(&person, blob, start, &all).await?.is(200)?;
    }
    put(&other, blob, CHUNK, &all).await?.refused(ErrorCode::NotFound)?;
    delete(&other, blob).await?.refused(ErrorCode::NotFound)?;
    other.get(&path(blob)).await?.is(200)
}

async fn deleted(relay: &Ground) -> Outcome {
    let (person, other) = (relay.person().await?, relay.person().await?);
    let all = bytes(CHUNK + 5);
    let blob = upload(&person, &all).await?;
    delete(&person, blob).await?.is(204)?;
    for reader in [&person, &other] {
        reader.get(&path(blob)).await?.refused(ErrorCode::NotFound)?;
        head(reader, blob).await?.is(404)?;
    }
    delete(&person, blob).await?.refused(ErrorCode::NotFound)?;
    put(&person, blob, 0, &all).await?.refused(ErrorCode::NotFound)?;
    let gone: Value = json!({"blob": blob, "size": all.len()});
    person.post("/blobs", &gone).await?.refused(ErrorCode::BlobConflict)
}
