//! A relay with a certificate of a private authority, as the README sets one up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::path::Path;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use susurro_conformance::binaries;
use susurro_conformance::command::{Person, Said};
use susurro_conformance::relay::Relay;
use xtask::services::Redis;

/// Exit code of everything that is about the way to the relay.
const NETWORK: i32 = 4;

/// A new authority in `folder`, and what it vouches for: a relay on this machine.
fn issue(folder: &Path) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Our relays");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    std::fs::create_dir(folder).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("relay.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("relay.key"), key.serialize_pem()).unwrap();
}

#[track_caller]
fn ok(said: Said) -> Said {
    assert_eq!(said.code, Some(0), "stdout {:?}, stderr {:?}", said.stdout, said.stderr);
    said
}

#[test]
fn a_relay_of_a_private_authority_is_reached_by_whoever_trusts_it_and_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    issue(&ours);
    issue(&theirs);
    let (certificate, key) = (ours.join("relay.pem"), ours.join("relay.key"));
    let tls = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let relay = Relay::start(&folder.path().join("relay"), "127.0.0.1:0", &tls).unwrap();
    assert!(relay.url().starts_with("https://"), "{}", relay.url());
    let person =
        |name: &str, authority: &Path| Person::new(folder.path(), name).with("SSL_CERT_FILE", authority.join("ca.pem"));

    let (alice, bob) = (person("alice", &ours), person("bob", &ours));
    ok(alice.run(&["register", "--relay", relay.url(), "--name", "alice"]).unwrap());
    ok(bob.run(&["register", "--relay", relay.url(), "--name", "bob"]).unwrap());
    ok(alice.run(&["send", "bob", "over our own TLS"]).unwrap());
    let came = ok(bob.run(&["recv", "--count", "1", "--timeout", "60", "--json"]).unwrap()).json();
    assert_eq!(came[0]["text"], "over our own TLS");

    // Who trusts another authority gets nowhere, new or known, and is told why and what to do.
    let carol = person("carol", &theirs);
    let refused = carol.run(&["register", "--relay", relay.url(), "--name", "carol"]).unwrap();
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(NETWORK), ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("certificate") && refused.stderr.contains("SSL_CERT_FILE"), "{}", refused.stderr);
    let alice = alice.with("SSL_CERT_FILE", theirs.join("ca.pem"));
    let refused = alice.run(&["send", "bob", "to nobody", "--timeout", "20"]).unwrap();
    assert_eq!(refused.code, Some(NETWORK), "stdout {:?}, stderr {:?}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("certificate") && refused.stderr.contains("SSL_CERT_FILE"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_with_a_certificate_of_a_private_authority_is_used_by_a_node_that_trusts_it_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    issue(&ours);
    issue(&theirs);
    let redis = Redis::start_tls(&ours.join("relay.pem"), &ours.join("relay.key")).unwrap();
    let url = redis.tls_url().unwrap();
    let program = binaries::relay().unwrap();
    let start = |name: &str, authority: &Path| {
        let ca = authority.join("ca.pem").display().to_string();
        let environment = [("SUSURRO_REDIS", url.as_str()), ("SSL_CERT_FILE", ca.as_str())];
        Relay::start_program(&program, &folder.path().join(name), "127.0.0.1:0", &[], &environment).unwrap()
    };
    let (trusting, other) = (start("trusting", &ours), start("other", &theirs));
    let nodes = async |relay: &Relay| {
        let answer = reqwest::get(format!("{}/readyz", relay.url())).await.unwrap();
        answer.json::<serde_json::Value>().await.unwrap()["nodes"].clone()
    };
    let until = Instant::now() + Duration::from_secs(60);
    while nodes(&trusting).await != "linked" {
        assert!(Instant::now() < until, "Redis is reached over TLS");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It has had as much time, and has said why it does not come to anything.
    let log = susurro_conformance::relay::log_of(other.folder());
    while !std::fs::read_to_string(&log).unwrap().contains("cannot be reached over Redis") {
        assert!(Instant::now() < until, "it says so");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(nodes(&other).await, "polling");
}
