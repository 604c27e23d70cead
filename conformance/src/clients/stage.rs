//! Where a check plays: a relay at an address, Alice in front of the client under test, Bob in this process.
//!
//! A password is stretched on purpose slowly. A lane registers Alice once, and each check begins with a copy of her
//! profile and of the relay that she is registered with, at the same address. A lane plays one check at a time, so
//! that no two copies ever meet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use super::fault;
use super::peer::Peer;
use super::relay::{Relay, World};
use super::subject::{Person, Said, Subject};
use crate::suite::check::{same, that};
use crate::suite::{Outcome, Stop};

/// An address at which one check after another plays.
pub struct Lane {
    subject: Arc<Subject>,
    folder: TempDir,
    url: String,
    current: Arc<Mutex<Option<Arc<Relay>>>>,
    accept: JoinHandle<()>,
    registered: OnceCell<Template>,
    acquainted: OnceCell<Template>,
}

struct Template {
    profile: PathBuf,
    world: World,
    bob: Peer,
}

/// A check's surroundings.
pub struct Stage {
    /// The relay.
    pub relay: Arc<Relay>,
    /// Its address.
    pub url: String,
    /// In front of the client under test.
    pub alice: Person,
    /// The other person.
    pub bob: Peer,
    /// For files of the check.
    pub folder: TempDir,
}

impl Lane {
    /// Opens an address.
    ///
    /// # Errors
    ///
    /// [`Stop::Skipped`] when the system has none.
    pub async fn open(subject: Arc<Subject>) -> Result<Self, Stop> {
        let unable = |error: std::io::Error| Stop::skipped(error.to_string());
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(unable)?;
        let url = format!("http://{}", listener.local_addr().map_err(unable)?);
        let current = Arc::<Mutex<Option<Arc<Relay>>>>::default();
        let shown = Arc::clone(&current);
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Between two checks nobody is at home.
                let relay = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(relay) = relay {
                    tokio::spawn(relay.serve(stream));
                }
            }
        });
        let folder = tempfile::tempdir().map_err(unable)?;
        Ok(Self { subject, folder, url, current, accept, registered: OnceCell::new(), acquainted: OnceCell::new() })
    }

    /// A relay that knows Bob; Alice has no profile.
    ///
    /// # Errors
    ///
    /// [`Stop::Skipped`] when a folder cannot be made.
    pub async fn empty(&self) -> Result<Stage, Stop> {
        let mut world = World::new();
        let mut bob = Peer::new("bob");
        bob.join(&mut world);
        self.stage(world, bob, None)
    }

    /// Alice is registered and has published her prekeys; she and Bob have not met.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when the client cannot even register.
    pub async fn registered(&self) -> Result<Stage, Stop> {
        let template = self.registered.get_or_try_init(|| self.register()).await?;
        self.stage(template.world.clone(), template.bob.copy()?, Some(&template.profile))
    }

    /// Alice and Bob have each written once and read what the other wrote.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when the client cannot even do that.
    pub async fn acquainted(&self) -> Result<Stage, Stop> {
        let template = self.acquainted.get_or_try_init(|| self.acquaint()).await?;
        self.stage(template.world.clone(), template.bob.copy()?, Some(&template.profile))
    }

    async fn register(&self) -> Result<Template, Stop> {
        let stage = self.empty().await?;
        stage.register().await?.done()?;
        stage.alice.run(&["sync", "--timeout", "20"]).await?.done()?;
        self.keep(stage, "registered")
    }

    async fn acquaint(&self) -> Result<Template, Stop> {
        let mut stage = self.registered().await?;
        stage.sends("first of alice").await?.done()?;
        stage.bob.fetch(&stage.relay)?;
        stage.bob.write(&stage.relay, "alice", "first of bob")?;
        let said = stage.alice.run(&["recv", "--json", "--count", "1", "--timeout", "20"]).await?;
        said.done()?;
        same("the first texts", &vec!["first of bob".to_owned()], &said.field("text"))?;
        stage.bob.fetch(&stage.relay)?;
        same("the first texts", &vec!["first of alice".to_owned()], &stage.bob.texts())?;
        self.keep(stage, "acquainted")
    }

    fn keep(&self, stage: Stage, name: &str) -> Result<Template, Stop> {
        let profile = self.folder.path().join(name);
        copy(&stage.alice.profile, &profile).map_err(fault)?;
        let world = stage.relay.world().clone();
        Ok(Template { profile, world, bob: stage.bob })
    }

    fn stage(&self, world: World, bob: Peer, profile: Option<&Path>) -> Result<Stage, Stop> {
        let folder = tempfile::tempdir().map_err(fault)?;
        let alice = Person {
            subject: Arc::clone(&self.subject),
            profile: folder.path().join("alice"),
            password: "password-of-alice-9d1f".to_owned(),
            passphrase: "passphrase-of-alice-3c7a".to_owned(),
        };
        if let Some(profile) = profile {
            copy(profile, &alice.profile).map_err(fault)?;
        }
        let relay = Relay::new(world);
        let former = self.current.lock().unwrap_or_else(PoisonError::into_inner).replace(Arc::clone(&relay));
        if let Some(former) = former {
            former.end();
        }
        Ok(Stage { relay, url: self.url.clone(), alice, bob, folder })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl Stage {
    /// `register --name alice`.
    ///
    /// # Errors
    ///
    /// As [`Person::run`].
    pub async fn register(&self) -> Result<Said, Stop> {
        self.alice.run(&["register", "--relay", &self.url, "--name", "alice"]).await
    }

    /// `send bob TEXT`.
    ///
    /// # Errors
    ///
    /// As [`Person::run`].
    pub async fn sends(&self, text: &str) -> Result<Said, Stop> {
        self.alice.run(&["send", "bob", text, "--timeout", "20"]).await
    }

    /// `send --queue bob TEXT`, which has to work without any relay.
    ///
    /// # Errors
    ///
    /// As [`Person::run`].
    pub async fn queues(&self, text: &str) -> Outcome {
        self.alice.run(&["send", "--queue", "bob", text]).await?.done()
    }

    /// `sync` within a time.
    ///
    /// # Errors
    ///
    /// As [`Person::run`].
    pub async fn syncs(&self, seconds: u32) -> Result<Said, Stop> {
        self.alice.run(&["sync", "--timeout", &seconds.to_string()]).await
    }

    /// The relay turns honest, and the client does what is left to do.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it does not.
    pub async fn all_is_well_again(&mut self) -> Outcome {
        self.relay.honest_again();
        self.syncs(30).await?.done()?;
        self.bob.fetch(&self.relay)
    }

    /// Bob has exactly these texts, besides the first one of people who have met.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] with what he has.
    pub fn bob_has(&self, texts: &[&str]) -> Outcome {
        let has: Vec<_> = self.bob.texts().into_iter().filter(|text| text != "first of alice").collect();
        let wanted: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        same("Bob gets each text once and in order:", &wanted, &has)
    }

    /// `recv` prints exactly these texts of Bob's, each once, and nothing more the next time.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] with what it prints.
    pub async fn alice_gets(&self, texts: &[&str]) -> Outcome {
        let count = texts.len().to_string();
        let mut args = vec!["recv", "--json", "--timeout", if texts.is_empty() { "0" } else { "20" }];
        if !texts.is_empty() {
            args.extend(["--count", &count]);
        }
        let first = self.alice.run(&args).await?;
        first.done()?;
        let again = self.alice.run(&["recv", "--json", "--timeout", "0"]).await?;
        let printed: Vec<_> = first.json().into_iter().chain(again.json()).collect();
        let text = |line: &serde_json::Value| line.get("text").map(|text| text.as_str().unwrap_or("").to_owned());
        let got: Vec<_> = printed.iter().filter_map(text).collect();
        let wanted: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        same("recv prints each text once and in order:", &wanted, &got)
    }

    /// `history`, one JSON value a message.
    ///
    /// # Errors
    ///
    /// As [`Person::run`].
    pub async fn history(&self, peer: &str) -> Result<Vec<serde_json::Value>, Stop> {
        let said = self.alice.run(&["history", peer, "--json", "--limit", "100000"]).await?;
        // Nobody to have a history with is an empty one.
        said.ended_with(&[0, 1])?;
        Ok(said.json())
    }

    /// The texts of one side in the history with Bob, the first ones of people who have met left out.
    ///
    /// # Errors
    ///
    /// As [`Person::run`].
    pub async fn texts_of(&self, from: &str) -> Result<Vec<String>, Stop> {
        let of = |line: &serde_json::Value| {
            let text = line.get("text")?.as_str()?.to_owned();
            (line.get("from")?.as_str()? == from && !text.starts_with("first of ")).then_some(text)
        };
        Ok(self.history("bob").await?.iter().filter_map(of).collect())
    }

    /// The state of a text of Alice's in the history with Bob.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when the text is lost.
    pub async fn state_of(&self, text: &str) -> Result<String, Stop> {
        let history = self.history("bob").await?;
        let line = history.iter().find(|line| line.get("text").and_then(|known| known.as_str()) == Some(text));
        let state = line.and_then(|line| Some(line.get("state")?.as_str()?.to_owned()));
        state.ok_or_else(|| Stop::failed(format!("{text:?} is in the history"), format!("{history:?}")))
    }

    /// The state of each text of Alice's in the history with Bob.
    ///
    /// # Errors
    ///
    /// As [`Person::run`].
    pub async fn states(&self) -> Result<BTreeMap<String, String>, Stop> {
        let state = |line: &serde_json::Value| {
            let field = |name| line.get(name)?.as_str().map(str::to_owned);
            (field("from")? == "alice").then_some((field("text")?, field("state")?))
        };
        Ok(self.history("bob").await?.iter().filter_map(state).collect())
    }

    /// What `chats --json` says of a person.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when there is no such conversation.
    pub async fn trust_in(&self, peer: &str) -> Result<String, Stop> {
        let said = self.alice.run(&["chats", "--json"]).await?;
        said.done()?;
        let chats = said.json();
        let chat = chats.iter().find(|chat| chat.get("peer").and_then(|known| known.as_str()) == Some(peer));
        let trust = chat.and_then(|chat| Some(chat.get("trust")?.as_str()?.to_owned()));
        trust.ok_or_else(|| Stop::failed(format!("a conversation with {peer}"), said.stdout))
    }

    /// What holds in every check: the client did nothing that no client may do, and no secret left it.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] with what it did.
    pub fn finish(&self) -> Outcome {
        let record = self.relay.record();
        that(record.objections.is_empty(), "nothing that no client may do", &record.objections)?;
        for secret in [&self.alice.password, &self.alice.passphrase] {
            let leaked = memchr::memmem::find(&record.bytes, secret.as_bytes()).is_some();
            that(!leaked, "PWD-1: passwords stay with the client", "one of them was sent as it is")?;
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            std::fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
