//! What is on this machine, or named by the configuration.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Finding;
use crate::adapters::inbound::listen::Identity;
use crate::adapters::outbound::redis;
use crate::adapters::outbound::secrets::TokenKeys;
use crate::compose;
use crate::config::{Config, Database, Secret};

/// Below this the relay soon has to refuse messages, and below that it does.
const DISK_LOW: u64 = 2 * 1024 * 1024 * 1024;
const DISK_FULL: u64 = 64 * 1024 * 1024;

/// Days before its end when a certificate should have been renewed.
pub(super) const RENEWED_DAYS: i64 = 14;

pub(super) fn settings(config: &Config) -> Finding {
    match config.check() {
        Ok(()) => Finding::ok("settings", "fit together"),
        Err(error) => Finding::fail("settings", error.to_string(), "`susurro-server config print` shows what counts"),
    }
}

/// The relay's keys. Looks without making any.
pub(super) fn secrets(config: &Config) -> Finding {
    const CHECK: &str = "keys";
    let directory = config.secrets_dir();
    if !directory.is_dir() {
        let found = format!("{} is not there", directory.display());
        return Finding::fail(CHECK, found, "start the relay once, or name its directory with --data-dir");
    }
    let exposed = ["relay.key", "pepper.key"].iter().map(|name| directory.join(name)).find_map(|path| trouble(&path));
    if let Some(found) = exposed {
        return Finding::fail(CHECK, found, "restore it from a backup, readable by its owner only: chmod 600");
    }
    match TokenKeys::read(directory) {
        Err(error) => Finding::fail(CHECK, error.to_string(), "see what the message says"),
        Ok(keys) => match keys.signing() {
            None => Finding::fail(CHECK, "there is no key for tokens", "start the relay once"),
            Some(signing) => Finding::ok(CHECK, format!("{signing} signs tokens, of {}", keys.iter().count())),
        },
    }
}

fn trouble(path: &Path) -> Option<String> {
    let Ok(found) = std::fs::metadata(path) else { return Some(format!("{} is not there", path.display())) };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if found.permissions().mode() & 0o077 != 0 {
            return Some(format!("{} can be read by others", path.display()));
        }
    }
    let _ = found;
    None
}

pub(super) fn disk(config: &Config) -> Finding {
    const CHECK: &str = "disk";
    match fs4::available_space(&config.data_dir) {
        Err(error) => Finding::fail(CHECK, error.to_string(), "name the data directory with --data-dir"),
        Ok(free) => {
            let found = format!("{} MiB free for {}", free / (1024 * 1024), config.data_dir.display());
            let todo = "make room, or move the data directory to a larger disk";
            match free {
                ..DISK_FULL => Finding::fail(CHECK, found, todo),
                DISK_FULL..DISK_LOW => Finding::warn(CHECK, found, todo),
                _ => Finding::ok(CHECK, found),
            }
        }
    }
}

/// The certificate in files; what is shown to clients is another question.
pub(super) fn certificate(config: &Config) -> Finding {
    const CHECK: &str = "certificate";
    let Some(files) = &config.tls else {
        return Finding::skip(CHECK, "no certificate in files");
    };
    match Identity::of_files(files) {
        Err(error) => Finding::fail(CHECK, error.to_string(), "give the chain and the key that belongs to it, as PEM"),
        Ok(identity) => lasting(CHECK, identity.ends, String::new()),
    }
}

/// A certificate by when it ends.
pub(super) fn lasting(check: &'static str, ends: i64, more: String) -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let days = (ends - i64::try_from(now).unwrap_or(i64::MAX)).div_euclid(86_400);
    let todo = "renew it; a running relay shows the new one by itself";
    match days {
        ..0 => Finding::fail(check, format!("ended {} days ago{more}", -days), todo),
        0..RENEWED_DAYS => Finding::warn(check, format!("ends in {days} days{more}"), todo),
        _ => Finding::ok(check, format!("good for {days} days{more}")),
    }
}

pub(super) async fn database(config: &Config) -> Finding {
    const CHECK: &str = "database";
    match compose::office(config).await {
        Ok(office) => {
            office.close().await;
            Finding::ok(CHECK, "can be opened, and has the schema of this version")
        }
        Err(error) => {
            let todo = "start the relay once if there is no database yet; else see whether its server or disk is there";
            Finding::fail(CHECK, error.to_string(), todo)
        }
    }
}

/// Nodes on one database without Redis work, and are slow to tell each other of messages.
async fn without_redis(check: &'static str, config: &Config) -> Finding {
    let none = Finding::skip(check, "none is configured: this node is the only one");
    if !matches!(config.database(), Ok(Database::Postgres(_))) {
        return none;
    }
    // What is wrong with the database is said where that is looked at.
    let Ok(office) = compose::office(config).await else { return none };
    let around = office.nodes().await;
    office.close().await;
    match around {
        Ok(around) if around.others > 1 => Finding::warn(
            check,
            format!("none is configured, and {} nodes are at work on the database: they poll", around.others),
            "give every node the same --redis; until then messages between nodes take about two seconds",
        ),
        _ => none,
    }
}

pub(super) async fn redis(config: &Config) -> Finding {
    const CHECK: &str = "redis";
    let Some(url) = &config.redis else { return without_redis(CHECK, config).await };
    let todo = "see whether it runs and the password is right; until then nodes reach each other by polling only";
    match redis::Address::read(url, config.redis_password.as_ref().map(Secret::reveal)) {
        Err(error) => Finding::fail(CHECK, error.to_string(), todo),
        Ok(address) => {
            if address.is_tls() {
                // The client takes the process's provider; one that is there already is the same.
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            }
            match redis::ping(&address).await {
                Ok(true) => Finding::ok(CHECK, "a cluster answers"),
                Ok(false) => Finding::ok(CHECK, "answers"),
                // Not what it says: its errors may hold the address with its password.
                Err(kind) => Finding::fail(CHECK, format!("does not answer: {kind}"), todo),
            }
        }
    }
}

/// Whether attachments can be kept: a byte is, for a moment.
pub(super) async fn blobs(config: &Config) -> Finding {
    const CHECK: &str = "blobs";
    match compose::blobs::probe(config).await {
        Ok(place) => Finding::ok(CHECK, format!("{place} keeps and gives back")),
        Err(error) => {
            let todo = "see whether the directory can be written, or the bucket is there and its key is right";
            Finding::fail(CHECK, error.to_string(), todo)
        }
    }
}
