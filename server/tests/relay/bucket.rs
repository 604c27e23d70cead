//! The program with its attachments in a bucket of a server that speaks the protocol of S3 and is not ours.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};
use susurro_protocol::bytes::to_base64;
use susurro_protocol::limits::BLOB_CHUNK;
use susurro_protocol::rest::{BlobState, NewBlob, Problem};
use susurro_protocol::{BlobId, ErrorCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::{Instant, sleep};
use xtask::services::{Database, Objects};

use crate::check::{check, expect};
use crate::support::{PATIENCE, Person, database, random, register_at};

const CHUNK: usize = BLOB_CHUNK;
const BUCKET: &str = "susurro";
const SECRET: &str = "the-key-to-the-bucket-51c7";

/// How long a relay may keep an upload waiting whose bucket is gone: less than a client waits for an answer.
const SOON: Duration = Duration::from_secs(15);

/// The way from the relay to the bucket, on which answers can be held back.
struct Way {
    address: SocketAddr,
    holds: Arc<AtomicBool>,
}

impl Way {
    async fn to(objects: &Objects) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let holds = Arc::new(AtomicBool::new(false));
        let (held, there) = (holds.clone(), objects.url().replace("http://", ""));
        tokio::spawn(async move {
            while let Ok((relay, _)) = listener.accept().await {
                let Ok(bucket) = TcpStream::connect(&there).await else { continue };
                let ((mut from_relay, mut to_relay), (mut from_bucket, mut to_bucket)) =
                    (relay.into_split(), bucket.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut from_relay, &mut to_bucket).await });
                let held = held.clone();
                tokio::spawn(async move {
                    let mut answer = vec![0; 64 * 1024];
                    while let Ok(read @ 1..) = from_bucket.read(&mut answer).await {
                        while held.load(Ordering::Relaxed) {
                            sleep(Duration::from_millis(10)).await;
                        }
                        if to_relay.write_all(&answer[..read]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, holds }
    }

    fn hold(&self, yes: bool) {
        self.holds.store(yes, Ordering::Relaxed);
    }
}

/// The program, its bucket and its database.
struct Site {
    relay: Option<Child>,
    url: String,
    objects: Objects,
    way: Way,
    dir: tempfile::TempDir,
    database: Option<Database>,
}

impl Site {
    async fn new() -> Self {
        let objects = spawn_blocking(|| Objects::start().unwrap()).await.unwrap();
        objects.make_bucket(BUCKET).unwrap();
        let way = Way::to(&objects).await;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), SECRET).unwrap();
        std::fs::write(dir.path().join("clock"), "+0\n").unwrap();
        let url = "http://127.0.0.1:0".to_owned();
        let mut site = Self { relay: None, url, objects, way, dir, database: database() };
        site.start();
        site
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// What the program has to be told, in any of its commands.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("SUSURRO_BLOBS", format!("s3://{BUCKET}/attachments")),
            ("SUSURRO_BLOBS_ENDPOINT", format!("http://{}", self.way.address)),
            ("SUSURRO_BLOBS_ACCESS_KEY", "someone".to_owned()),
            ("SUSURRO_BLOBS_SECRET_KEY_FILE", self.dir.path().join("key").display().to_string()),
        ];
        settings.extend(self.database.as_ref().map(|database| ("SUSURRO_DATABASE", database.url())));
        settings
    }

    /// Starts the program, after the first time where it was before, by the clock that a file says.
    fn start(&mut self) {
        let library = xtask::system::faketime().expect(xtask::system::FAKETIME_MISSING);
        let mut command = Command::new(env!("CARGO_BIN_EXE_susurro-server"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SUSURRO_")) {
            command.env_remove(name);
        }
        command.envs(self.settings()).env("LD_PRELOAD", library).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_TIMESTAMP_FILE", self.dir.path().join("clock")).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command.args(["serve", "--listen", &self.url["http://".len()..], "--auth-rate", "1000", "--data-dir"]);
        command.arg(self.data()).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(self.dir.path().join("log")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        self.relay = Some(child);
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}: {}", self.log()));
        url.trim_end().clone_into(&mut self.url);
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// `kill -9`.
    fn kill(&mut self) {
        let mut relay = self.relay.take().unwrap();
        relay.kill().unwrap();
        relay.wait().unwrap();
    }

    async fn person(&self, name: &str) -> Person {
        register_at(self.url.clone(), Client::new(), name).await
    }

    /// The names of all objects, in their order.
    fn names(&self) -> Vec<String> {
        let mut names = self.objects.list(BUCKET).unwrap();
        names.sort_unstable();
        names
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            let _ = relay.kill();
            let _ = relay.wait();
        }
    }
}

/// Bytes that differ from place to place.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xff).unwrap()).collect()
}

/// The name of an object.
fn object(blob: BlobId, chunk: usize) -> String {
    format!("attachments/{blob}/{chunk}")
}

async fn begin(person: &Person, size: usize, expires_after: u32) -> BlobId {
    let new = NewBlob { blob: BlobId::from_bytes(random()), size: size as u64, expires_after };
    let begun: BlobState = person.post("/blobs", &new).await.unwrap();
    assert_eq!(begun.offset, 0);
    begun.blob
}

/// The request with the chunk of this number.
fn chunk(person: &Person, blob: BlobId, number: usize, all: &[u8]) -> reqwest::RequestBuilder {
    let (start, end) = (number * CHUNK, ((number + 1) * CHUNK).min(all.len()));
    let request =
        person.request(Method::PUT, &format!("/blobs/{blob}")).header("content-type", "application/octet-stream");
    let request = request.header("content-range", format!("bytes {start}-{}/{}", end - 1, all.len()));
    request.body(all[start..end].to_vec())
}

async fn put(person: &Person, blob: BlobId, number: usize, all: &[u8]) {
    let state: BlobState = chunk(person, blob, number, all).send().await.unwrap().json().await.unwrap();
    assert_eq!(state.offset, ((number + 1) * CHUNK).min(all.len()) as u64);
}

async fn get(person: &Person, blob: BlobId, range: Option<&str>) -> Response {
    let request = person.request(Method::GET, &format!("/blobs/{blob}"));
    range.into_iter().fold(request, |request, range| request.header("range", range)).send().await.unwrap()
}

async fn offset(person: &Person, blob: BlobId) -> usize {
    let answer = person.request(Method::HEAD, &format!("/blobs/{blob}")).send().await.unwrap();
    answer.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_into_a_bucket_goes_on_behind_kills_and_is_read_in_ranges_until_it_is_over() {
    let mut site = Site::new().await;
    let (alice, bob) = (site.person("alice").await, site.person("bob").await);
    let all = bytes(2 * CHUNK + 5);
    let blob = begin(&alice, all.len(), 0).await;
    put(&alice, blob, 0, &all).await;

    // Killed when the bucket has the chunk and the relay does not know it yet.
    site.way.hold(true);
    let cut = tokio::spawn(chunk(&alice, blob, 1, &all).send());
    eventually("the chunk is in the bucket", || site.names().contains(&object(blob, 1))).await;
    site.kill();
    assert!(cut.await.unwrap().is_err(), "nobody was told that the chunk is there");
    site.way.hold(false);
    site.start();
    assert_eq!(offset(&alice, blob).await, CHUNK, "what was not acknowledged is not counted on");
    assert_eq!(get(&bob, blob, None).await.status(), StatusCode::NOT_FOUND, "it is not whole");
    put(&alice, blob, 1, &all).await;
    // Killed when it has said that the chunk is there.
    site.kill();
    site.start();
    assert_eq!(offset(&alice, blob).await, 2 * CHUNK);
    put(&alice, blob, 2, &all).await;

    for reader in [&alice, &bob] {
        assert!(get(reader, blob, None).await.bytes().await.unwrap()[..] == all[..], "what was uploaded");
    }
    for (range, start, end) in [
        ("bytes=0-0".to_owned(), 0, 1),
        (format!("bytes={}-{CHUNK}", CHUNK - 1), CHUNK - 1, CHUNK + 1),
        (format!("bytes=7-{}", 2 * CHUNK + 1), 7, 2 * CHUNK + 2),
        ("bytes=-3".to_owned(), all.len() - 3, all.len()),
    ] {
        let answer = get(&bob, blob, Some(&range)).await;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert!(answer.bytes().await.unwrap()[..] == all[start..end], "{range}");
    }
    let behind = get(&bob, blob, Some(&format!("bytes={}-", all.len()))).await;
    assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);

    // The bucket holds the chunks as they came, and not a word more.
    assert_eq!(site.names(), [0, 1, 2].map(|number| object(blob, number)));
    let kept = [0, 1, 2].map(|number| site.objects.read(BUCKET, &object(blob, number)).unwrap());
    assert!(kept.concat() == all);

    // One is deleted, one ends by itself, one stays; what is over goes from the bucket as well.
    let short = bytes(9);
    let (ends, stays) = (begin(&alice, short.len(), 60).await, begin(&alice, short.len(), 0).await);
    for blob in [ends, stays] {
        put(&alice, blob, 0, &short).await;
    }
    let deleted = alice.request(Method::DELETE, &format!("/blobs/{blob}")).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    assert_eq!(get(&bob, blob, None).await.status(), StatusCode::NOT_FOUND, "at once");
    assert_eq!(get(&bob, ends, None).await.status(), StatusCode::OK);
    site.kill();
    std::fs::write(site.dir.path().join("clock"), "+600\n").unwrap();
    site.start();
    assert_eq!(get(&bob, ends, None).await.status(), StatusCode::NOT_FOUND);
    eventually("only one is left", || site.names() == [object(stays, 0)]).await;
    assert!(get(&bob, stays, None).await.bytes().await.unwrap()[..] == short[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_goes_away_is_said_soon_and_used_again_when_it_is_back() {
    let mut site = Site::new().await;
    let alice = site.person("alice").await;
    let all = bytes(CHUNK + 5);
    let blob = begin(&alice, all.len(), 0).await;
    put(&alice, blob, 0, &all).await;

    site.objects.kill().unwrap();
    let begun = Instant::now();
    let answer = chunk(&alice, blob, 1, &all).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    let problem: Problem = answer.json().await.unwrap();
    assert_eq!(problem.code, ErrorCode::StorageUnavailable);
    assert!(!serde_json::to_string(&problem).unwrap().contains("bucket"), "what is behind the relay is not told");
    assert!(begun.elapsed() < SOON, "said after {:?}", begun.elapsed());
    println!("said after {:?}", begun.elapsed());
    // Messages do not need the bucket.
    assert!(reqwest::get(format!("{}/readyz", site.url)).await.unwrap().status().is_success());
    assert_eq!(offset(&alice, blob).await, CHUNK);

    block_in_place(|| site.objects.restart().unwrap());
    site.objects.make_bucket(BUCKET).unwrap();
    put(&alice, blob, 1, &all).await;
    assert_eq!(site.names(), [object(blob, 1)]);
    // The first chunk was lost with what the server held: no answer looks whole and is not.
    let read = get(&alice, blob, None).await;
    assert!(!read.status().is_success() || read.bytes().await.is_err());
    assert!(get(&alice, blob, Some(&format!("bytes={CHUNK}-"))).await.bytes().await.unwrap()[..] == all[CHUNK..]);
    let log = site.log();
    assert!(log.contains("the bucket of the blobs") && !log.contains(SECRET), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_whether_the_bucket_keeps_and_gives_back() {
    let mut site = Site::new().await;
    let look = async |site: &Site, more: &[(&'static str, String)]| {
        let settings = site.settings().into_iter().chain(more.iter().cloned());
        check(&site.data(), settings, &[]).await
    };
    let (code, findings) = look(&site, &[]).await;
    assert_eq!(code, Some(0), "{findings:?}");
    expect(&findings, "blobs", "ok", "the bucket susurro keeps and gives back");
    assert_eq!(site.names(), [""; 0], "it leaves nothing behind");

    let (code, findings) = look(&site, &[("SUSURRO_BLOBS", "s3://no-such-bucket".to_owned())]).await;
    assert_eq!(code, Some(1), "{findings:?}");
    expect(&findings, "blobs", "fail", "the bucket of the blobs");
    site.objects.kill().unwrap();
    let begun = Instant::now();
    let (code, findings) = look(&site, &[]).await;
    assert_eq!(code, Some(1), "{findings:?}");
    expect(&findings, "blobs", "fail", "the bucket of the blobs");
    assert!(
        !format!("{findings:?}").contains(SECRET) && !format!("{findings:?}").contains(&to_base64(SECRET.as_bytes()))
    );
    assert!(begun.elapsed() < SOON, "after {:?}", begun.elapsed());
}
