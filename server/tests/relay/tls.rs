//! HTTPS by certificate files. The key beside this file is for this test and nothing else.

use std::path::Path;

use std::time::{Duration, Instant};

use susurro_server::config::{Config, TlsFiles};
use susurro_server::metrics::metrics;

use crate::support::{PATIENCE, register_at, relay_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_with_a_certificate_speaks_https_alone() {
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/relay/tls").join(name);
    let tls = Some(TlsFiles { cert: file("cert.pem"), key: file("key.pem") });
    let relay = relay_with(|config| Config { tls, ..config }).await;
    let url = relay.running.url();
    assert!(url.starts_with("https://"));
    assert!(reqwest::get(format!("{url}/healthz")).await.is_err(), "nobody vouches for this certificate");

    let certificate = reqwest::Certificate::from_pem(&std::fs::read(file("cert.pem")).unwrap()).unwrap();
    let trusting = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let alice = register_at(url.clone(), trusting, "alice").await;
    let me: susurro_protocol::rest::Me = alice.get("/users/me").await.unwrap();
    assert_eq!(me.account, alice.account);
    let plain = reqwest::get(format!("{}/healthz", url.replacen("https", "http", 1))).await;
    assert!(plain.is_err(), "plain HTTP gets no answer");

    // A handshake that never ends holds up neither others nor the end.
    let _silent = tokio::net::TcpStream::connect(relay.running.addr).await.unwrap();
    let _: susurro_protocol::rest::Me = alice.get("/users/me").await.unwrap();
    assert!(relay.running.shutdown().await);
}

/// A certificate for this machine that vouches for itself, and its key, as PEM.
fn identity() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Whether the relay at `url` shows this certificate to a new connection.
async fn shows(url: &str, certificate: &str) -> bool {
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    let trusting = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    trusting.get(format!("{url}/healthz")).send().await.is_ok()
}

/// Waits until it shows the certificate.
async fn until_shown(url: &str, certificate: &str) {
    let until = Instant::now() + PATIENCE;
    while !shows(url, certificate).await {
        assert!(Instant::now() < until, "the new certificate is never shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_without_a_restart_and_a_broken_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let write = |(cert, key): &(String, String)| {
        std::fs::write(&files.cert, cert).unwrap();
        std::fs::write(&files.key, key).unwrap();
    };
    let (first, second, third) = (identity(), identity(), identity());
    write(&first);
    let tls = Some(files.clone());
    let quick = Duration::from_millis(30);
    let relay = relay_with(|config| Config { tls, reload_every: quick, ..config }).await;
    let url = relay.running.url();
    assert!(shows(&url, &first.0).await && !shows(&url, &second.0).await);
    let certificate = reqwest::Certificate::from_pem(first.0.as_bytes()).unwrap();
    let trusting = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let alice = register_at(url.clone(), trusting, "alice").await;

    let failed = || {
        let text = metrics().text();
        let line = text.lines().find(|line| line.starts_with("susurro_certificate_loads_total{outcome=\"failed\"}"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or_default()
    };
    let before = failed();
    // The certificate of one and the key of another; then none at all.
    std::fs::write(&files.cert, &second.0).unwrap();
    let until = Instant::now() + PATIENCE;
    while failed() == before {
        assert!(Instant::now() < until, "the broken pair is never read");
        tokio::time::sleep(quick).await;
    }
    assert!(shows(&url, &first.0).await, "the old one stays");
    std::fs::remove_file(&files.cert).unwrap();
    assert!(shows(&url, &first.0).await);

    write(&second);
    until_shown(&url, &second.0).await;
    let _: susurro_protocol::rest::Me = alice.get("/users/me").await.unwrap();
    // When told to, even if nothing seems to have changed.
    write(&third);
    relay.running.reload();
    until_shown(&url, &third.0).await;
    assert!(metrics().certificate_expiry.get() > 0);
}
