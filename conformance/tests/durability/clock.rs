//! A relay whose clock is set back while people write.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use susurro_conformance::binaries;
use susurro_conformance::relay::Relay;
use tokio::time::timeout;

use super::DEADLINE;
use super::support::Conversation;

/// Messages that each of the two writes.
const EACH: usize = 600;

/// Seconds by which the relay's clock is ahead of ours.
async fn ahead(url: &str) -> i64 {
    let info: serde_json::Value =
        reqwest::get(format!("{url}/.well-known/susurro")).await.unwrap().json().await.unwrap();
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    (info["time"].as_i64().unwrap() - i64::try_from(ours).unwrap()) / 1000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_and_forward_loses_nothing_and_repeats_nothing() {
    timeout(DEADLINE, run()).await.expect("all messages arrive in time");
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let (library, shown) = (
        xtask::system::faketime().expect(xtask::system::FAKETIME_MISSING).display().to_string(),
        folder.path().join("clock").display().to_string(),
    );
    // The clock on the wall alone, as when somebody sets it: what measures durations goes on.
    let environment = [
        ("LD_PRELOAD", &*library),
        ("FAKETIME_TIMESTAMP_FILE", &*shown),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    // Renamed into place: the process reads it at each look at the clock.
    let set = |seconds: i64| {
        let new = folder.path().join("clock.new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(new, &shown).unwrap();
    };
    set(0);
    let (program, data) = (binaries::relay().unwrap(), folder.path().join("relay"));
    let start = |listen: &str| Relay::start_program(&program, &data, listen, &[], &environment).unwrap();
    let mut relay = start("127.0.0.1:0");
    let (url, address) = (relay.url().to_owned(), relay.address().to_owned());
    assert!(ahead(&url).await.abs() <= 1);
    let mut talk = Conversation::begin(folder.path(), [&url; 2], EACH).await;
    for (tenths, seconds) in [(1, -3_600), (2, -86_400), (3, 0), (4, -7_200)] {
        talk.after(tenths).await;
        set(seconds);
        let next = talk.recovery().await;
        assert!((ahead(&url).await - seconds).abs() <= 2, "the clock was set");
        eprintln!("set to {seconds} s: the next messages after {next:?}");
    }
    // Every connection and every login has to come about again, by a clock that is behind what the database knows.
    for (tenths, seconds) in [(5, -7_200), (6, -86_400), (7, 0)] {
        talk.after(tenths).await;
        relay.kill().unwrap();
        set(seconds);
        relay = start(&address);
        eprintln!("killed, and started at {seconds} s: the next messages after {:?}", talk.recovery().await);
    }
    talk.end().await;
    drop(relay);
}
