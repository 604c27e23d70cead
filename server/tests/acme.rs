//! A certificate by itself, from Pebble, the authority that Let's Encrypt tests clients with. It resolves
//! the name with a name server of this test, connects to the relay's own port, and looks at the proof.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may stop anywhere")]

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use susurro_server::compose;
use susurro_server::config::{Acme, Config};
use xtask::system;

const PATIENCE: Duration = Duration::from_secs(90);

/// The name of the relay; nobody else has one that ends so.
const NAME: &str = "relay.susurro.test";

/// A child that does not outlive this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A name server that knows one thing: every name is this machine. Ends with the test's process.
fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let Some(answer) = answered(&question[..length]) else { continue };
            let _ = socket.send_to(&answer, from);
        }
    });
    address
}

/// The answer to one question (RFC 1035, section 4): an address for type A, nothing for others.
fn answered(question: &[u8]) -> Option<Vec<u8>> {
    let name_end = 12 + question.get(12..)?.iter().position(|byte| *byte == 0)? + 1;
    let kind = question.get(name_end..name_end + 2)?;
    let is_address = kind == [0, 1];
    let mut answer = question.get(..2)?.to_vec();
    // A response, authoritative; one question, and one answer or none.
    answer.extend([0x84, 0, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    answer.extend(question.get(12..name_end + 4)?);
    if is_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

/// An authority that connects to `port` for proofs. Gives its directory; its certificate is in `folder/ca.pem`.
fn authority(folder: &Path, port: u16) -> (Running, String, u16) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("ca.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let (listen, manage) = (free_port(), free_port());
    let settings = serde_json::json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{listen}"),
        "managementListenAddress": format!("127.0.0.1:{manage}"),
        "certificate": folder.join("ca.pem"),
        "privateKey": folder.join("key.pem"),
        "httpPort": 1,
        "tlsPort": port,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
    }});
    std::fs::write(folder.join("pebble.json"), settings.to_string()).unwrap();
    let mut command = Command::new("pebble");
    command.args(["-strict", "-dnsserver", &name_server().to_string(), "-config"]).arg(folder.join("pebble.json"));
    // It waits a random time before it looks, and says now and then that a good nonce is bad; the latter stays.
    command.env("PEBBLE_VA_NOSLEEP", "1").stdin(Stdio::null());
    let log = std::fs::File::create(folder.join("pebble.log")).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log);
    (Running(command.spawn().unwrap()), format!("https://localhost:{listen}/dir"), manage)
}

async fn trusting(certificate: &[u8]) -> reqwest::Client {
    let certificate = reqwest::Certificate::from_pem(certificate).unwrap();
    reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_obtains_its_certificate_and_shows_it_again_after_a_restart() {
    // What the relay says of a refusal is shown when the test fails.
    susurro_server::telemetry::start(&susurro_server::telemetry::Logs::default()).unwrap();
    tokio::task::spawn_blocking(system::prepare_pebble).await.unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (authority, directory, manage) = authority(folder.path(), port);
    let ca = folder.path().join("ca.pem");
    let asking = trusting(&std::fs::read(&ca).unwrap()).await;
    let until = Instant::now() + PATIENCE;
    let root = loop {
        // The root of what it signs is new with each start.
        if let Ok(answer) = asking.get(format!("https://localhost:{manage}/roots/0")).send().await {
            break answer.text().await.unwrap();
        }
        assert!(Instant::now() < until, "{}", std::fs::read_to_string(folder.path().join("pebble.log")).unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };

    let acme = Acme {
        domains: vec![NAME.to_owned()],
        contact: Some("admin@susurro.test".to_owned()),
        directory,
        ca: Some(ca),
    };
    let data = folder.path().join("data");
    let config =
        || Config { listen: SocketAddr::from(([127, 0, 0, 1], port)), acme: acme.clone(), ..Config::new(&data) };
    let relay = compose::start(config()).await.unwrap();
    assert!(relay.url().starts_with("https://"));
    let visitor = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(root.as_bytes()).unwrap()])
        .resolve(NAME, SocketAddr::from(([127, 0, 0, 1], port)))
        .build()
        .unwrap();
    let url = format!("https://{NAME}:{port}/healthz");
    let until = Instant::now() + PATIENCE;
    loop {
        match visitor.get(&url).send().await {
            Ok(answer) => {
                assert!(answer.status().is_success());
                break;
            }
            Err(error) => {
                let log = std::fs::read_to_string(folder.path().join("pebble.log")).unwrap();
                assert!(Instant::now() < until, "no certificate: {error}\n{log}");
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(relay.shutdown().await);

    // The authority is gone: what was obtained is still there, and only its owner can read it.
    drop(authority);
    let kept = std::fs::read_dir(data.join("acme")).unwrap().next().unwrap().unwrap().path();
    #[cfg(unix)]
    for file in ["account.json", "privkey.pem", "fullchain.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(kept.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
    let relay = compose::start(config()).await.unwrap();
    let until = Instant::now() + PATIENCE;
    while visitor.get(&url).send().await.is_err() {
        assert!(Instant::now() < until, "the kept certificate is not shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(relay.shutdown().await);
}
