//! `susurro-server check` against relays that are well, and against each kind of trouble.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use susurro_server::config::{Config, TlsFiles};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::support::{Relay, relay, relay_with};

/// Exit code, and outcome, words and advice of each check.
pub(crate) async fn check(
    dir: &Path,
    settings: impl IntoIterator<Item = (&'static str, String)>,
    more: &[&str],
) -> (Option<i32>, BTreeMap<String, (String, String, bool)>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_susurro-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SUSURRO_")) {
        command.env_remove(name);
    }
    command.envs(settings).args(["check", "--json", "--data-dir"]).arg(dir).args(more).stdin(Stdio::null());
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    let output = command.output().await.unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let findings = lines.lines().map(|line| {
        let finding: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        (text("check"), (text("outcome"), text("found"), finding["todo"].is_string()))
    });
    (output.status.code(), findings.collect())
}

/// Holds one check against what is expected; trouble always comes with advice.
#[track_caller]
pub(crate) fn expect(findings: &BTreeMap<String, (String, String, bool)>, check: &str, outcome: &str, words: &str) {
    let (found, text, advised) = findings.get(check).unwrap_or_else(|| panic!("{check} is missing: {findings:?}"));
    assert!(found == outcome && text.contains(words), "{check}: {findings:?}");
    assert_eq!(*advised, ["warn", "fail"].contains(&outcome), "{check}: {findings:?}");
}

/// A relay with a certificate for this machine, which is its own authority, of these first and last years.
async fn secured(years: (i32, i32), name: &str) -> (Relay, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let certificate = parameters.self_signed(&key).unwrap();
    let files = TlsFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.cert, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    (relay_with(|config| Config { tls: Some(files), ..config }).await, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_well_passes() {
    let relay = relay().await;
    let (code, findings) = check(relay.dir.path(), relay.settings(), &["--url", &relay.running.url()]).await;
    assert_eq!(code, Some(0), "{findings:?}");
    for (check, outcome) in [
        ("settings", "ok"),
        ("keys", "ok"),
        ("certificate", "skip"),
        ("database", "ok"),
        ("redis", "skip"),
        ("tls", "skip"),
        ("relay", "ok"),
        ("websocket", "ok"),
        ("clock", "ok"),
    ] {
        expect(&findings, check, outcome, "");
    }
    assert!(findings.contains_key("disk"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_looked_at_from_outside() {
    let (relay, folder) = secured((2020, 2100), "127.0.0.1").await;
    let (ca, url) = (folder.path().join("cert.pem"), relay.running.url());
    let trusted = ["--url", &url, "--ca", ca.to_str().unwrap()];
    let (code, findings) = check(relay.dir.path(), relay.settings(), &trusted).await;
    assert_eq!(code, Some(0), "{findings:?}");
    expect(&findings, "tls", "ok", "chain and name are right");
    let (code, findings) = check(relay.dir.path(), relay.settings(), &["--url", &url]).await;
    assert_eq!(code, Some(1));
    expect(&findings, "tls", "fail", "certificate");
    expect(&findings, "websocket", "skip", "");

    for (years, name, words) in
        [((2000, 2001), "127.0.0.1", "expired"), ((2020, 2100), "10.0.0.1", "not valid for name")]
    {
        let (relay, folder) = secured(years, name).await;
        let ca = folder.path().join("cert.pem");
        let more = ["--url", &relay.running.url(), "--ca", ca.to_str().unwrap()];
        let (code, findings) = check(relay.dir.path(), relay.settings(), &more).await;
        assert_eq!(code, Some(1));
        expect(&findings, "tls", "fail", words);
        let (cert, key) = (ca.to_str().unwrap(), folder.path().join("key.pem"));
        let (_, findings) =
            check(relay.dir.path(), relay.settings(), &["--tls-cert", cert, "--tls-key", key.to_str().unwrap()]).await;
        expect(&findings, "certificate", if years.1 < 2020 { "fail" } else { "ok" }, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_here_is_named_with_what_to_do() {
    let empty = tempfile::tempdir().unwrap();
    let (code, findings) = check(&empty.path().join("missing"), None, &[]).await;
    assert_eq!(code, Some(1), "{findings:?}");
    expect(&findings, "keys", "fail", "is not there");
    expect(&findings, "clock", "skip", "");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (code, findings) =
        check(empty.path(), None, &["--redis", &format!("redis://{closed}"), "--listen", "0.0.0.0:1"]).await;
    assert_eq!(code, Some(1));
    expect(&findings, "redis", "fail", "does not answer");
    expect(&findings, "settings", "fail", "plain HTTP");
    expect(&findings, "database", "fail", "");

    let relay = relay().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let key = relay.dir.path().join("relay.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let (_, findings) = check(relay.dir.path(), relay.settings(), &[]).await;
        expect(&findings, "keys", "fail", "can be read by others");
    }
    let (_, findings) = check(relay.dir.path(), relay.settings(), &["--url", &format!("http://{closed}")]).await;
    expect(&findings, "tls", "fail", "refused");
    let broken = relay.dir.path().join("broken.pem");
    std::fs::write(&broken, "nothing").unwrap();
    let broken = broken.to_str().unwrap();
    let (_, findings) = check(relay.dir.path(), relay.settings(), &["--tls-cert", broken, "--tls-key", broken]).await;
    expect(&findings, "certificate", "fail", "broken.pem");
}

/// Something in front of a relay that changes what it passes on: `from` becomes `to`, of the same length.
async fn meddler(relay: SocketAddr, from: &'static [u8], to: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut relay = TcpStream::connect(relay).await.unwrap();
                let mut request = vec![0; 4096];
                while let Ok(read @ 1..) = client.read(&mut request).await {
                    let mut passed = request[..read].to_vec();
                    if let Some(at) = passed.windows(from.len()).position(|part| part == from) {
                        passed[at..at + to.len()].copy_from_slice(to);
                    }
                    relay.write_all(&passed).await.unwrap();
                    let mut answer = vec![0; 65_536];
                    let Ok(read @ 1..) = relay.read(&mut answer).await else { return };
                    client.write_all(&answer[..read]).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_loses_upgrades_or_paths_is_found_out() {
    let relay = relay().await;
    let through = async |from, to| {
        let proxy = meddler(relay.running.addr, from, to).await;
        check(relay.dir.path(), relay.settings(), &["--url", &format!("http://{proxy}")]).await
    };
    let (code, findings) = through(b"nothing of the kind", b"nothing of the kind").await;
    assert_eq!(code, Some(0), "{findings:?}");
    let (code, findings) = through(b"upgrade: websocket", b"x-grade: websocket").await;
    assert_eq!(code, Some(1), "{findings:?}");
    expect(&findings, "relay", "ok", "");
    expect(&findings, "websocket", "fail", "not as an upgrade");
    let (_, findings) = through(b"GET /ws", b"GET /nn").await;
    expect(&findings, "websocket", "fail", "status 404");
    let (_, findings) = through(b"/.well-known/susurro", b"/.well-known/nothing").await;
    expect(&findings, "relay", "fail", "status 404");
}

/// A time server that is `ahead` seconds ahead of this machine.
fn time_server(ahead: u64) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 48];
        while let Ok((_, from)) = socket.recv_from(&mut packet) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let seconds = u32::try_from(now.as_secs() + ahead + 2_208_988_800).unwrap();
            let fraction = u32::try_from((u64::from(now.subsec_nanos()) << 32) / 1_000_000_000).unwrap();
            (packet[0], packet[1]) = (0x24, 2);
            packet[40..44].copy_from_slice(&seconds.to_be_bytes());
            packet[44..].copy_from_slice(&fraction.to_be_bytes());
            let _ = socket.send_to(&packet, from);
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_found_out() {
    let relay = relay().await;
    for (ahead, outcome) in [(0, "ok"), (10, "warn"), (3_600, "fail")] {
        let server = time_server(ahead).to_string();
        let (_, findings) = check(relay.dir.path(), relay.settings(), &["--time-server", &server]).await;
        expect(&findings, "clock", outcome, "ms from that of");
    }
}
