//! Those who watch the relay: metrics and what the documents make of them, logs without people in them, and
//! whose address counts.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use susurro_protocol::rest::{AdminUser, BlobState, CreatedInvite, Me, NewBlob, Page};
use susurro_protocol::{BlobId, ErrorCode};
use susurro_server::adapters::inbound::cors::Site;
use susurro_server::config::Config;
use susurro_server::domain::proxies::Proxies;
use susurro_server::domain::rate::PerMinute;

use crate::administration::admin;
use crate::support::{PATIENCE, Person, Relay, answer, code, pair, random, register, register_at, relay_with};

async fn watched() -> Relay {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    relay_with(|config| Config { metrics_listen: listen, ..config }).await
}

async fn scrape(relay: &Relay) -> String {
    let url = format!("http://{}/metrics", relay.running.metrics_addr.unwrap());
    let response = reqwest::get(url).await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    response.text().await.unwrap()
}

/// The value of a sample, whose labels have to be given as they are written.
fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
    line.split(' ').next()?.parse().ok()
}

/// A little of everything: messages both ways of sending, a refusal, a login that fails.
async fn traffic(relay: &Relay) -> (Person, Person) {
    let (alice, bob, chat) = pair(relay).await;
    let mut hers = alice.connect(0).await;
    let mut his = bob.connect(0).await;
    let message = alice.message(chat, &bob, b"over the socket");
    hers.deposit(&message).await.unwrap();
    his.delivery().await;
    let mut unknown = alice.message(chat, &bob, b"nowhere");
    unknown.chat = susurro_protocol::ChatId::from_bytes([9; 16]);
    hers.deposit(&unknown).await.unwrap_err();
    assert_eq!(code(alice.get::<Me>("/users/nobody/devices").await), Some(ErrorCode::NotFound));
    (alice, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happens() {
    let relay = watched().await;
    let (_alice, _bob) = traffic(&relay).await;
    let text = scrape(&relay).await;
    for (sample, least) in [
        ("susurro_messages_stored_total", 1.0),
        ("susurro_messages_delivered_total", 1.0),
        ("susurro_messages_rejected_total{code=\"unknown-chat\"}", 1.0),
        ("susurro_frames_received_total{kind=\"Send\"}", 2.0),
        ("susurro_frames_sent_total{kind=\"Deliver\"}", 1.0),
        ("susurro_sessions_opened_total", 2.0),
        ("susurro_connections", 0.0),
        ("susurro_commit_messages_count", 1.0),
        ("susurro_commit_seconds_count", 1.0),
        ("susurro_store_ready", 1.0),
        ("susurro_store_bytes", 4096.0),
        ("susurro_bus_up", 1.0),
        ("susurro_http_requests_total{method=\"POST\",route=\"/auth/register\",status=\"201\"}", 2.0),
        ("susurro_http_requests_total{method=\"GET\",route=\"/users/{name}/devices\",status=\"404\"}", 1.0),
        ("susurro_http_request_seconds_count{route=\"/auth/register\"}", 2.0),
    ] {
        let found = value(&text, sample);
        assert!(found.is_some_and(|found| found >= least), "{sample}: {found:?}\n{text}");
    }
    assert!(text.contains(&format!("susurro_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), "{text}");
    if cfg!(target_os = "linux") {
        assert!(value(&text, "process_resident_memory_bytes").unwrap() > 1e6);
        assert!(value(&text, "process_open_fds").unwrap() > 3.0);
        assert!(value(&text, "process_cpu_seconds_total").is_some());
    }
    // The metrics have a listener of their own.
    let open = reqwest::get(format!("{}/metrics", relay.running.url())).await.unwrap();
    assert_eq!(open.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_id_or_address_becomes_a_label() {
    let relay = watched().await;
    let (alice, bob) = traffic(&relay).await;
    let url = relay.running.url();
    // Paths and methods that somebody makes up.
    let http = reqwest::Client::new();
    let _ = http.get(format!("{url}/users/hunter2/devices/hunter2")).send().await.unwrap();
    let _ = http.request(Method::from_bytes(b"HUNTER2").unwrap(), format!("{url}/healthz")).send().await.unwrap();
    let _ = http.get(format!("{url}/auth/params?username=hunter2")).send().await.unwrap();
    let text = scrape(&relay).await;
    let secrets = [
        "alice".to_owned(),
        "bob".to_owned(),
        "hunter2".to_owned(),
        "HUNTER2".to_owned(),
        "127.0.0.1".to_owned(),
        alice.account.to_string(),
        bob.device.to_string(),
        alice.tokens.access_token.clone(),
    ];
    for secret in &secrets {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(value(&text, "susurro_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"}").is_some());
    assert!(text.contains("method=\"other\""), "{text}");
}

/// Words that could be names of metrics of this relay.
fn named(document: &str) -> BTreeSet<&str> {
    let words = document.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.starts_with("susurro_") || word.starts_with("process_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_and_alerts_name_only_metrics_that_exist() {
    let relay = watched().await;
    let _people = traffic(&relay).await;
    let text = scrape(&relay).await;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let exist: BTreeSet<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for (document, least) in [("grafana/dashboard.json", 20), ("alerts.yml", 8)] {
        let content = std::fs::read_to_string(documents.join(document)).unwrap();
        let named = named(&content);
        assert!(named.len() >= least, "{document} was read: {named:?}");
        let missing: Vec<_> = named.iter().filter(|name| !exist.contains(*name)).collect();
        assert!(missing.is_empty(), "{document} names {missing:?}; there are {exist:?}");
    }
    // The page for operators has each of them, without the suffixes of counters and histograms.
    let page = std::fs::read_to_string(documents.join("operating.md")).unwrap();
    for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(page.contains(&format!("`{family}")), "docs/operating.md says nothing of {family}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_counts_is_the_one_that_believed_proxies_have_seen() {
    let strict = |config: Config| Config { auth_rate: PerMinute(2), ..config };
    let attempt = async |relay: &Relay, forwarded: Option<&str>| {
        let request = reqwest::Client::new().post(format!("{}/auth/refresh", relay.running.url()));
        let request = forwarded.into_iter().fold(request, |request, value| request.header("x-forwarded-for", value));
        request.json(&serde_json::json!({ "refresh_token": "x" })).send().await.unwrap().status()
    };
    // Nobody is declared: whatever the header claims, it is one address.
    let relay = relay_with(strict).await;
    for forwarded in ["203.0.113.1", "203.0.113.2"] {
        assert_ne!(attempt(&relay, Some(forwarded)).await, StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(attempt(&relay, Some("203.0.113.3")).await, StatusCode::TOO_MANY_REQUESTS);

    // A proxy is declared: the last address that is not one of its kind counts, not what stands before it.
    let proxies = Proxies::read("127.0.0.1,10.0.0.0/8").unwrap();
    let relay = relay_with(|config| Config { trusted_proxies: proxies, ..strict(config) }).await;
    for forwarded in ["1.1.1.1, 203.0.113.1", "2.2.2.2, 203.0.113.1, 10.0.0.7"] {
        assert_ne!(attempt(&relay, Some(forwarded)).await, StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(attempt(&relay, Some("3.3.3.3, 203.0.113.1")).await, StatusCode::TOO_MANY_REQUESTS);
    assert_ne!(attempt(&relay, Some("203.0.113.2")).await, StatusCode::TOO_MANY_REQUESTS, "somebody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_may_ask_only_when_they_are_named() {
    let ask = async |relay: &Relay, method: Method, origin: &str| {
        let request = reqwest::Client::new().request(method, format!("{}/healthz", relay.running.url()));
        let request = request.header("origin", origin).header("access-control-request-method", "GET");
        request.send().await.unwrap()
    };
    let closed = relay_with(|config| config).await;
    for method in [Method::GET, Method::OPTIONS] {
        let answer = ask(&closed, method, "https://app.example").await;
        assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control-")), "{answer:?}");
    }
    let sites: Vec<Site> = vec!["https://app.example".parse().unwrap()];
    let open = relay_with(|config| Config { cors_origins: sites, ..config }).await;
    let allowed = |answer: &reqwest::Response| answer.headers().get("access-control-allow-origin").cloned();
    let answer = ask(&open, Method::OPTIONS, "https://app.example").await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(allowed(&answer).unwrap(), "https://app.example");
    assert!(answer.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    let answer = ask(&open, Method::GET, "https://app.example").await;
    assert_eq!((answer.status(), allowed(&answer).unwrap()), (StatusCode::OK, "https://app.example".parse().unwrap()));
    assert!(answer.headers()["access-control-expose-headers"].to_str().unwrap().contains("retry-after"));
    assert!(!answer.headers().contains_key("access-control-allow-credentials"));
    for stranger in ["https://app.example.evil", "http://app.example", "https://app.example:444", "null"] {
        let answer = ask(&open, Method::GET, stranger).await;
        assert_eq!(allowed(&answer), None, "{stranger}");
        assert_eq!(answer.headers()["vary"], "origin");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_at_its_loudest_holds_no_name_token_id_or_address() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_susurro-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SUSURRO_")) {
        command.env_remove(name);
    }
    // Whatever somebody writes there: what libraries say of requests at these levels stays out.
    command.args([
        "serve",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--log",
        "trace,susurro_server=trace",
        "--behind-proxy",
    ]);
    command.args(["--log-format", "json", "--data-dir"]).arg(dir.path().join("data")).current_dir(dir.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
    let mut child = Running(command.spawn().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.0.stdout.as_mut().unwrap()), &mut line).unwrap();
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(said["metrics"].is_null());
    let url = said["listening"].as_str().unwrap().to_owned();

    let mut from = reqwest::header::HeaderMap::new();
    from.insert("x-forwarded-for", "203.0.113.77".parse().unwrap());
    let http = reqwest::Client::builder().default_headers(from).build().unwrap();
    let alice = register_at(url.clone(), http.clone(), "alice_in_chains").await;
    let bob = register_at(url.clone(), http.clone(), "bobs_your_uncle").await;
    let chat = alice.open_chat("bobs_your_uncle").await;
    let mut hers = alice.connect(0).await;
    let mut his = bob.connect(0).await;
    hers.deposit(&alice.message(chat, &bob, b"hush")).await.unwrap();
    his.delivery().await;
    alice.login_as("alice_in_chains", alice.auth, alice.device).await.unwrap();
    let wrong = alice.login_as("alice_in_chains", [0; 32], alice.device).await;
    assert_eq!(code(wrong), Some(ErrorCode::InvalidCredentials));
    let (blob, invite) = (attach(&alice, &bob).await, administer(&dir.path().join("data"), &alice, &bob).await);
    let response = http.get(format!("{url}/users/search?q=bobs_your_uncle")).send().await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);

    let until = Instant::now() + PATIENCE;
    let text = loop {
        let text = std::fs::read_to_string(&log).unwrap();
        if text.contains(&id) || Instant::now() > until {
            break text;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(text.contains(&id), "the request is found in the log by the id of its answer");
    assert!(text.contains("\"TRACE\"") && text.contains("\"route\":\"/auth/login\""), "{text}");
    let secrets = [
        "alice_in_chains".to_owned(),
        "bobs_your_uncle".to_owned(),
        "203.0.113.77".to_owned(),
        alice.account.to_string(),
        bob.account.to_string(),
        alice.device.to_string(),
        chat.to_string(),
        alice.tokens.access_token.clone(),
        alice.tokens.access_token.rsplit('.').next().unwrap().to_owned(),
        alice.tokens.refresh_token.clone(),
        susurro_protocol::bytes::to_base64(&alice.auth),
        "Bearer".to_owned(),
        "hush".to_owned(),
        // Whoever knows the identifier of a blob reads it.
        blob.to_string(),
        susurro_protocol::bytes::to_base64(blob.as_bytes()),
        "bytes of an attachment".to_owned(),
        invite.invite,
        "an invite's note".to_owned(),
    ];
    for secret in &secrets {
        assert!(!text.contains(secret), "{secret} stands in the log:\n{text}");
    }
    drop(child);
}

/// An attachment of one that is uploaded, read by the other, and deleted; and requests for it that are refused.
async fn attach(from: &Person, to: &Person) -> BlobId {
    let (blob, bytes) = (BlobId::from_bytes(random()), b"bytes of an attachment");
    let new = NewBlob { blob, size: bytes.len() as u64, expires_after: 0 };
    let begun: BlobState = from.post("/blobs", &new).await.unwrap();
    assert_eq!(begun.blob, blob);
    let path = format!("/blobs/{blob}");
    let put = |person: &Person, range: String| {
        let request = person.request(Method::PUT, &path).header("content-type", "application/octet-stream");
        request.header("content-range", range).body(bytes.to_vec()).send()
    };
    let whole = format!("bytes 0-{}/{}", bytes.len() - 1, bytes.len());
    assert_eq!(put(from, "bytes 1-2/9".to_owned()).await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(put(to, whole.clone()).await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(put(from, whole).await.unwrap().status(), StatusCode::OK);
    let read = to.request(Method::GET, &path).header("range", "bytes=0-4").send().await.unwrap();
    assert_eq!(read.bytes().await.unwrap(), "bytes");
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        assert_eq!(from.request(Method::DELETE, &path).send().await.unwrap().status(), status);
    }
    blob
}

/// What an administrator does, over HTTP, with the relay of this directory; an invite that was made.
async fn administer(data: &Path, root: &Person, other: &Person) -> CreatedInvite {
    let promoted = admin(data, None, &["user", "promote", "alice_in_chains"]);
    assert!(promoted.status.success(), "{promoted:?}");
    let figures = root.request(Method::GET, "/admin/status").send().await.unwrap().text().await.unwrap();
    let connected = root.request(Method::GET, "/users/connected").send().await.unwrap().text().await.unwrap();
    let page = root.http.get(format!("{}/admin", root.url)).send().await.unwrap().text().await.unwrap();
    // Who is connected is what one of them is for; how they got in is in none.
    assert!(connected.contains("bobs_your_uncle") && connected.contains(&other.device.to_string()), "{connected}");
    for person in [root, other] {
        let within = [&person.tokens.access_token[..40], &person.tokens.refresh_token, "203.0.113.77", "127.0.0.1"];
        for shown in [&figures, &connected, &page] {
            assert!(!within.iter().any(|secret| shown.contains(secret)), "{shown}");
        }
        for shown in [&figures, &page] {
            let ids = [person.account.to_string(), person.device.to_string()];
            assert!(!ids.iter().any(|id| shown.contains(id)) && !shown.contains("alice_in"), "{shown}");
        }
    }
    let found: Page<AdminUser> = root.get("/admin/users?q=bobs_your_uncle").await.unwrap();
    assert_eq!(found.items.len(), 1);
    let path = "/admin/users/bobs_your_uncle";
    for disabled in [true, false] {
        let _: AdminUser = root.post(path, &serde_json::json!({ "disabled": disabled })).await.unwrap();
    }
    root.post("/admin/invites", &serde_json::json!({ "uses": 1, "note": "an invite's note" })).await.unwrap()
}

/// A child that does not outlive this value.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_for_tokens_takes_over_on_a_running_relay_and_old_tokens_stay_good() {
    let quick = |config: Config| Config { reload_every: Duration::from_millis(50), ..config };
    let relay = relay_with(quick).await;
    let (alice, bob) = (register(&relay, "alice").await, register(&relay, "bob").await);
    let key_of = |token: &str| {
        let header = susurro_protocol::bytes::from_base64(token.split('.').next().unwrap()).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    };
    assert!(key_of(&alice.tokens.access_token).starts_with("0001-"));
    let rotated = Command::new(env!("CARGO_BIN_EXE_susurro-server"))
        .args(["keys", "rotate", "--json", "--data-dir"])
        .arg(relay.dir.path())
        .output()
        .unwrap();
    assert!(rotated.status.success(), "{rotated:?}");
    let said: serde_json::Value = serde_json::from_slice(&rotated.stdout).unwrap();
    let added = said["added"].as_str().unwrap();
    assert!(added.starts_with("0002-"), "{said}");
    // As old as it has to be for all nodes to know it.
    let file = std::fs::File::options().write(true).open(relay.dir.path().join("token-0002.key")).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(60)).unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        let tokens = alice.login_as("alice", alice.auth, alice.device).await.unwrap();
        if key_of(&tokens.access_token) == added {
            let me: Result<Me, _> =
                answer(alice.http.get(format!("{}/users/me", alice.url)).bearer_auth(&tokens.access_token)).await;
            assert_eq!(me.unwrap().account, alice.account);
            break;
        }
        assert!(Instant::now() < until, "the new key never signs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let me: Me = bob.get("/users/me").await.unwrap();
    assert_eq!(me.account, bob.account, "a token of the old key");
    let listed = Command::new(env!("CARGO_BIN_EXE_susurro-server"))
        .args(["keys", "list", "--data-dir"])
        .arg(relay.dir.path())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.lines().count() == 2 && listed.contains("verifies") && listed.contains("signs"), "{listed}");
}
