//! What the relay shows of itself: in its log, and in what it keeps.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use serde_json::Value;
use susurro_protocol::bytes::to_base64;

use crate::support::{PATIENCE, register_at};

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_log_at_its_finest_shows_sizes_and_positions_and_nothing_of_a_person() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_susurro-server"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "trace", "--log-format", "json", "--data-dir"]);
    command.arg(dir.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.strip_prefix("listening on ").unwrap().trim_end().to_owned();
    let mut stderr = child.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });

    let alice = register_at(url.clone(), reqwest::Client::new(), "alice-in-the-log").await;
    let bob = register_at(url, reqwest::Client::new(), "bob-in-the-log").await;
    let chat = alice.open_chat("bob-in-the-log").await;
    let (mut from, mut to) = (alice.connect(0).await, bob.connect(0).await);
    let ciphertext = [b"0123456789abcdef".as_slice(), &[b'x'; 300]].concat();
    from.deposit(&alice.message(chat, &bob, &ciphertext)).await.unwrap();
    to.delivery().await;
    to.ack(1).await;
    assert!(to.is_quiet().await);
    // A token in the address, a wrong password and a refused frame are what might be written down.
    let query = alice.dial_with(|mut request| {
        *request.uri_mut() = format!("{}?token={}", request.uri(), alice.tokens.access_token).parse().unwrap();
        request
    });
    query.await.unwrap().send(vec![1, 2, 3]).await;
    alice.login_as("alice-in-the-log", [7; 32], alice.device).await.unwrap_err();
    alice.login_as("alice-in-the-log", alice.auth, alice.device).await.unwrap();
    assert!(Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(move || child.wait())).await;
    assert!(ended.unwrap().unwrap().unwrap().success());

    let log = log.join().unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<&Value> = lines.iter().filter(|line| line["target"] == "susurro_server::seen").collect();
    let mailbox: String = bob.device.as_bytes()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let head: String = b"0123456789abcdef".iter().map(|byte| format!("{byte:02x}")).collect();
    for event in ["stored", "delivered"] {
        let line = seen.iter().find(|line| line["event"] == event).unwrap_or_else(|| panic!("{event}: {log}"));
        assert_eq!((line["mailbox"].as_str(), line["head"].as_str()), (Some(&*mailbox), Some(&*head)));
        assert_eq!((line["seq"].as_u64(), line["bytes"].as_u64()), (Some(1), Some(316)));
    }
    let line = seen.iter().find(|line| line["event"] == "acknowledged").unwrap();
    assert_eq!((line["mailbox"].as_str(), line["seq"].as_u64()), (Some(&*mailbox), Some(1)));

    let secrets = [&alice, &bob].into_iter().flat_map(|person| {
        [
            person.tokens.access_token.clone(),
            person.tokens.refresh_token.clone(),
            to_base64(&person.auth),
            person.auth.iter().map(|byte| format!("{byte:02x}")).collect(),
            person.account.to_string(),
            person.device.to_string(),
        ]
    });
    for secret in secrets.chain(["alice-in-the-log".to_owned(), "bob-in-the-log".to_owned(), "token=".to_owned()]) {
        assert!(!log.contains(&secret), "{secret} in the log");
    }

    // Neither passwords nor tokens are kept as they came.
    for name in ["relay.db", "relay.db-wal"] {
        let Ok(kept) = std::fs::read(dir.path().join(name)) else { continue };
        let has = |needle: &[u8]| kept.windows(needle.len()).any(|window| window == needle);
        for person in [&alice, &bob] {
            assert!(!has(&person.auth), "a stretched password in {name}");
            assert!(!has(person.tokens.refresh_token.as_bytes()) && !has(person.tokens.access_token.as_bytes()));
        }
    }
}
