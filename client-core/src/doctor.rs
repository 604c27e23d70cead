//! What is wrong with a profile, its relay or the clock, and what to do about it.

use std::path::Path;

use susurro_protocol::rest::{RelayInfo, prekey_digest};

use crate::client::{Client, open_store};
use crate::crypto::{LocalDevice, Prekeys};
use crate::driver::now;
use crate::error::Error;
use crate::model::Delivery;
use crate::profile::fingerprint;
use crate::secret::Secret;
use crate::store::port::Snapshot;
use crate::store::{Directory, Registration, Store};
use crate::sync::{Answer, Request, Token};
use crate::transport::{Http, RelayUrl, TransportError};

/// Milliseconds that two clocks may differ: tokens and login proofs live for minutes.
const SKEW_MAX: u64 = 120_000;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What: `profile`, `passphrase`, `store`, `relay`, `relay key`, `clock`, `login`, `prekeys`, `outbox`.
    pub name: &'static str,
    /// How it is.
    pub outcome: Outcome,
}

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well; what was found.
    Ok(String),
    /// Not well.
    Err {
        /// What was found.
        what: String,
        /// What to do about it.
        next: String,
    },
}

impl Check {
    /// Whether it is well.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        matches!(self.outcome, Outcome::Ok(_))
    }

    fn well(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Ok(found.into()) }
    }

    fn bad(name: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Err { what: what.into(), next: next.into() } }
    }
}

impl Client {
    /// Looks at everything that can be wrong. Changes nothing; ends at what makes the rest
    /// impossible to look at. Without a passphrase only the files are looked at.
    pub async fn doctor(profile: &Path, passphrase: Option<Secret>) -> Vec<Check> {
        let mut checks = Vec::new();
        if let Some(store) = local(profile, passphrase, &mut checks).await {
            // Whatever fails in here has told so.
            remote(&store, &mut checks).await;
            if let Err(error) = store.close().await {
                checks.push(Check::bad("store", error.to_string(), "check free space and permissions"));
            }
        }
        checks
    }
}

async fn local(profile: &Path, passphrase: Option<Secret>, checks: &mut Vec<Check>) -> Option<Store> {
    let directory = match Directory::acquire_existing(profile) {
        Ok(directory) => directory,
        Err(error) => {
            let error = Error::from(error);
            let next = match error {
                Error::NoProfile => "register, or name the directory of your profile",
                Error::Locked => "close the other program; until then it is the one that uses the profile",
                _ => "check the permissions of the directory",
            };
            checks.push(Check::bad("profile", error.to_string(), next));
            return None;
        }
    };
    checks.push(match others_can_read(directory.path()) {
        Some(what) => {
            Check::bad("profile", what, "take the rights of other users away: chmod -R go-rwx on the directory")
        }
        None => Check::well("profile", directory.path().display().to_string()),
    });
    let Some(passphrase) = passphrase else {
        checks.push(Check::bad("passphrase", "not given", "give it to have the rest looked at"));
        return None;
    };
    let store = match open_store(directory, passphrase).await {
        Ok(store) => store,
        Err(error @ Error::WrongPassphrase) => {
            checks.push(Check::bad("passphrase", error.to_string(), "try again; it cannot be recovered"));
            return None;
        }
        Err(error) => {
            let next = match error {
                Error::FromTheFuture => "update this program",
                Error::NoProfile => "registration stopped before anything was made: register again",
                _ => {
                    "nothing was changed: restore the profile from a copy, or move the directory aside and register anew"
                }
            };
            checks.push(Check::bad("store", error.to_string(), next));
            return None;
        }
    };
    checks.push(Check::well("passphrase", "opens the key"));
    checks.push(match store.check().await {
        Ok(()) => Check::well("store", "every page is whole"),
        Err(error) => {
            let next = "copy the profile away, then restore it from an earlier copy or register anew";
            Check::bad("store", Error::from(error).to_string(), next)
        }
    });
    Some(store)
}

async fn remote(store: &Store, checks: &mut Vec<Check>) {
    let snapshot = match store.load().await {
        Ok(snapshot) => snapshot,
        Err(error) => {
            checks.push(Check::bad("store", Error::from(error).to_string(), "restore the profile from a copy"));
            return;
        }
    };
    if !matches!(store.registration().await, Ok(Registration::Done)) {
        let next = "register again with the same name, password and passphrase";
        checks.push(Check::bad("login", format!("registration as {} is not finished", snapshot.name), next));
    }
    match relay(&snapshot).await {
        Ok((http, info)) => {
            checks.push(Check::well("relay", format!("{} answers, version {}", snapshot.relay.url, info.software)));
            checks.push(relay_key(&snapshot, &info));
            checks.push(clock(&info));
            checks.extend(login_and_prekeys(&snapshot, &http).await);
        }
        Err(error) => {
            let next = match error {
                Error::PlainHttpNotLoopback => {
                    "use https://, or set SUSURRO_INSECURE_HTTP=1 inside a protected network"
                }
                _ => "check the network and the address; messages stay queued meanwhile",
            };
            checks.push(Check::bad("relay", error.to_string(), next));
        }
    }
    checks.push(outbox(store, &snapshot).await);
}

async fn relay(snapshot: &Snapshot) -> Result<(Http, RelayInfo), Error> {
    let url = RelayUrl::parse(&snapshot.relay.url)?;
    let http = Http::new(url.clone()).map_err(|error| Error::Io(error.to_string()))?;
    let info = http.info().await.map_err(|error| crate::client::failures::at(error, &url))?;
    Ok((http, info))
}

fn relay_key(snapshot: &Snapshot, info: &RelayInfo) -> Check {
    let (pinned, offered) = (snapshot.relay.key, info.relay_key.0);
    if pinned == offered {
        return Check::well("relay key", fingerprint(&pinned));
    }
    let what = format!("the relay shows {}, pinned is {}", fingerprint(&offered), fingerprint(&pinned));
    Check::bad("relay key", what, "ask whoever runs the relay; if they did not change it, somebody stands in between")
}

fn clock(info: &RelayInfo) -> Check {
    let ours = now();
    let skew = ours.abs_diff(info.time);
    if skew <= SKEW_MAX {
        return Check::well("clock", format!("{} s from the relay's", skew / 1000));
    }
    let which = if ours > info.time { "ahead of" } else { "behind" };
    let what = format!("{} s {which} the relay's", skew / 1000);
    Check::bad("clock", what, "set this machine's clock; if it is right, tell whoever runs the relay")
}

async fn login_and_prekeys(snapshot: &Snapshot, http: &Http) -> Vec<Check> {
    const LOG_IN: &str = "log in again";
    let Some(tokens) = &snapshot.tokens else {
        return vec![Check::bad("login", "logged out", LOG_IN)];
    };
    if tokens.access_expires <= now() {
        // Refreshing would spend the refresh token: that is left to the client itself.
        return vec![Check::well("login", "logged in; the access token is renewed at the next connection")];
    }
    let token = Token(tokens.access.clone());
    match http.perform(Request::CountKeys, Some(&token)).await {
        Ok(Answer::Keys(count)) => {
            let same = same_prekeys(snapshot, count.one_time, count.pq_one_time, &count.digest.0);
            let found = format!("{} and {} one-time prekeys at the relay", count.one_time, count.pq_one_time);
            let prekeys = if same {
                Check::well("prekeys", found)
            } else {
                let what = format!("{found}, other ones than this device's");
                Check::bad("prekeys", what, "connect once: missing keys are published again")
            };
            vec![Check::well("login", "the relay takes this device's token"), prekeys]
        }
        Ok(_) => Vec::new(),
        Err(TransportError::Refused { code, .. }) if !code.is_temporary() => {
            vec![Check::bad("login", format!("the relay refuses this device's token: {code}"), LOG_IN)]
        }
        Err(error) => vec![Check::bad("login", error.to_string(), "try again in a while")],
    }
}

fn same_prekeys(snapshot: &Snapshot, one_time: u32, pq_one_time: u32, digest: &[u8; 32]) -> bool {
    let known = LocalDevice::from_bytes(&snapshot.device).and_then(|_| Prekeys::from_bytes(&snapshot.prekeys));
    known.is_ok_and(|prekeys| prekey_digest(prekeys.published_when_left(one_time, pq_one_time)) == *digest)
}

async fn outbox(store: &Store, snapshot: &Snapshot) -> Check {
    let waiting = snapshot.outbox.iter().filter(|entry| entry.shown).count();
    let mut failed = 0;
    for contact in &snapshot.contacts {
        let newest = store.timeline(&contact.name, None, 200).await.unwrap_or_default();
        failed += newest.iter().filter(|view| matches!(view.delivery, Delivery::Failed(_))).count();
    }
    if failed > 0 {
        return Check::bad(
            "outbox",
            format!("{failed} messages failed"),
            "look at the conversation and send them again",
        );
    }
    match waiting {
        0 => Check::well("outbox", "empty"),
        waiting => Check::well("outbox", format!("{waiting} messages wait for a connection")),
    }
}

/// What other users of this machine can read or write, if anything.
fn others_can_read(directory: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let allows = |path: &Path, rights: u32| {
            std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & rights != 0)
        };
        if allows(directory, 0o022) {
            return Some(format!("other users can put files into {}", directory.display()));
        }
        for file in ["key", "store.db"].map(|name| directory.join(name)) {
            if allows(&file, 0o077) {
                return Some(format!("other users can read {}", file.display()));
            }
        }
    }
    #[cfg(not(unix))]
    let _ = directory;
    None
}
