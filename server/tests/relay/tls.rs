//! HTTPS by certificate files. The key beside this file is for this test and nothing else.

use std::path::Path;

use susurro_server::config::{Config, TlsFiles};

use crate::support::{register_at, relay_with};

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
