//! Performing effects with the client, and passing on what it tells.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use susurro_client_core::client::Client;
use susurro_client_core::model::Trust;
use susurro_client_core::profile::SafetyInfo;
use susurro_client_core::{Error, Secret};
use susurro_protocol::AccountName;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::app::model::Me;
use crate::app::model::conversation::WINDOW;
use crate::app::{Effect, Msg};

/// Time for what was asked for to become durable before leaving; all of it is local.
const FINISH: Duration = Duration::from_secs(5);

/// For a download of which nothing comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A path as a shell would read it.
fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// Performs effects. What touches the local store is performed one after the other, in the order
/// in which it was asked for; what waits for the network or for key derivation, beside it.
pub struct Performer {
    shared: Arc<Shared>,
    ordered: UnboundedSender<Effect>,
    worker: JoinHandle<()>,
}

struct Shared {
    profile: PathBuf,
    inbox: UnboundedSender<Msg>,
    client: Mutex<Option<Client>>,
    /// A read of the list is asked for and not begun: another one would read the same.
    chats_wanted: AtomicBool,
}

/// Who a client is.
#[must_use]
pub fn me(client: &Client) -> Me {
    let me = client.me();
    Me { name: me.name, relay: me.relay_url }
}

impl Performer {
    /// For the profile in this directory; answers and events go to `inbox`.
    #[must_use]
    pub fn new(profile: PathBuf, inbox: UnboundedSender<Msg>) -> Self {
        let shared =
            Arc::new(Shared { profile, inbox, client: Mutex::new(None), chats_wanted: AtomicBool::new(false) });
        let (ordered, queue) = unbounded_channel();
        let worker = tokio::spawn(work(shared.clone(), queue));
        Self { shared, ordered, worker }
    }

    /// Takes an open client; gives the message that puts the conversations on the screen. It must be
    /// taken in before those of the inbox.
    pub fn adopt(&self, client: Client) -> Msg {
        let me = me(&client);
        *self.shared.client() = Some(client.clone());
        self.shared.follow(&client);
        Msg::Opened(me)
    }

    /// Begins an effect; its answer comes as a message.
    pub fn perform(&self, effect: Effect) {
        match effect {
            Effect::Quit | Effect::Redraw => {}
            Effect::Register { .. }
            | Effect::Unlock { .. }
            | Effect::StartChat(_)
            | Effect::Attach { .. }
            | Effect::Save { .. } => {
                let shared = self.shared.clone();
                tokio::spawn(async move { shared.slow(effect).await });
            }
            Effect::LoadChats if self.shared.chats_wanted.swap(true, Ordering::AcqRel) => {}
            effect => {
                // The worker lives as long as this; when it is gone, so is the interface.
                let _ = self.ordered.send(effect);
            }
        }
    }

    /// Waits until all that was asked for is done, then closes the profile.
    pub async fn finish(self) {
        drop(self.ordered);
        let _ = tokio::time::timeout(FINISH, self.worker).await;
        let client = self.shared.client().take();
        if let Some(client) = client {
            client.close().await;
        }
    }
}

async fn work(shared: Arc<Shared>, mut queue: UnboundedReceiver<Effect>) {
    while let Some(effect) = queue.recv().await {
        if effect == Effect::LoadChats {
            shared.chats_wanted.store(false, Ordering::Release);
        }
        let Some(client) = shared.client().clone() else { continue };
        if let Some(msg) = perform(&client, effect).await {
            shared.tell(msg);
        }
    }
}

/// Performs one effect on the store; gives the answer.
async fn perform(client: &Client, effect: Effect) -> Option<Msg> {
    let or_failed = |outcome: Result<(), Error>| outcome.err().map(Msg::Failed);
    match effect {
        Effect::GoOnline => {
            client.go_online();
            None
        }
        Effect::LoadChats => Some(client.chats().await.map_or_else(Msg::Failed, Msg::Chats)),
        Effect::LoadWindow { peer, before } => {
            let read = client.timeline(peer.as_str(), before, WINDOW).await;
            Some(read.map_or_else(Msg::Failed, |messages| {
                let more = u32::try_from(messages.len()).unwrap_or(u32::MAX) >= WINDOW;
                Msg::Window { peer, before, messages, more }
            }))
        }
        Effect::LoadMessage(id) => match client.message(id).await {
            Ok(message) => message.map(|message| Msg::Message(Box::new(message))),
            Err(error) => Some(Msg::Failed(error)),
        },
        Effect::LoadDraft(peer) => {
            let read = client.draft(peer.as_str()).await;
            Some(read.map_or_else(Msg::Failed, |text| Msg::Draft { peer, text }))
        }
        Effect::SaveDraft { peer, text } => or_failed(client.set_draft(peer.as_str(), &text).await),
        Effect::Send { peer, text, ticket } => {
            let queued = client.queue(peer.as_str(), &text).await;
            Some(queued.map_or_else(|error| Msg::SendFailed { ticket, error }, |message| Msg::Sent { ticket, message }))
        }
        Effect::Typing { peer, typing } => or_failed(client.typing(peer.as_str(), typing).await),
        Effect::Retry(id) => or_failed(client.retry(id).await),
        Effect::MarkRead { peer, up_to } => or_failed(client.mark_read(peer.as_str(), up_to).await),
        Effect::SetPresence(wanted) => Some(presence(client, wanted).await.map_or_else(Msg::Failed, Msg::Presence)),
        Effect::LoadAnnouncements => Some(client.announcements().await.map_or_else(Msg::Failed, Msg::Announcements)),
        Effect::MarkTold(ids) => or_failed(client.mark_told(&ids).await),
        Effect::LoadSafety(peer) => {
            Some(client.safety_number(peer.as_str()).await.map_or_else(Msg::SafetyFailed, Msg::Safety))
        }
        Effect::SetVerified { peer, groups } => {
            Some(decide(client, &peer, &groups, true).await.map_or_else(Msg::SafetyFailed, Msg::Safety))
        }
        Effect::AcceptKey { peer, groups } => {
            Some(decide(client, &peer, &groups, false).await.map_or_else(Msg::SafetyFailed, Msg::Safety))
        }
        Effect::Quit
        | Effect::Redraw
        | Effect::Register { .. }
        | Effect::Unlock { .. }
        | Effect::StartChat(_)
        | Effect::Attach { .. }
        | Effect::Save { .. } => None,
    }
}

async fn presence(client: &Client, wanted: Option<bool>) -> Result<bool, Error> {
    let wanted = match wanted {
        Some(wanted) => wanted,
        None => !client.presence().await?,
    };
    client.set_presence(wanted).await?;
    Ok(wanted)
}

/// Keeps a decision on a key, and reads what is kept: only that is shown. When the number is no
/// longer the one that was looked at, nothing is decided and the new one is shown.
async fn decide(client: &Client, peer: &AccountName, groups: &[String], compared: bool) -> Result<SafetyInfo, Error> {
    let now = client.safety_number(peer.as_str()).await?;
    if now.groups != groups {
        return Ok(now);
    }
    if !compared || now.trust == Trust::ChangedAfterVerification {
        client.accept_key(peer.as_str()).await?;
    }
    if compared {
        client.set_verified(peer.as_str()).await?;
    }
    client.safety_number(peer.as_str()).await
}

impl Shared {
    fn client(&self) -> std::sync::MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, msg: Msg) {
        // Nobody listens any more when the interface is gone.
        let _ = self.inbox.send(msg);
    }

    /// Passes on what a client tells from now on.
    fn follow(&self, client: &Client) {
        let mut events = client.events();
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            loop {
                let msg = match events.recv().await {
                    Ok(event) => Msg::Client(event),
                    Err(RecvError::Lagged(_)) => Msg::Lagged,
                    Err(RecvError::Closed) => break,
                };
                if inbox.send(msg).is_err() {
                    break;
                }
            }
        });
        let mut connection = client.connection();
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            loop {
                let now = connection.borrow_and_update().clone();
                if inbox.send(Msg::Connection(now)).is_err() || connection.changed().await.is_err() {
                    break;
                }
            }
        });
        let mut present = client.present();
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            loop {
                let now = present.borrow_and_update().clone();
                if inbox.send(Msg::Present(now)).is_err() || present.changed().await.is_err() {
                    break;
                }
            }
        });
        let inbox = self.inbox.clone();
        let counting = client.clone();
        tokio::spawn(async move {
            let _ = inbox.send(counting.queued().await.map_or_else(Msg::Failed, Msg::Queued));
        });
    }

    async fn slow(&self, effect: Effect) {
        let opened = match effect {
            Effect::Register { relay, name, invite, password, passphrase } => {
                let password = Secret::new(password.expose().to_owned());
                let passphrase = Secret::new(passphrase.expose().to_owned());
                if invite.expose().trim().is_empty() {
                    Client::register(&self.profile, &relay, &name, password, passphrase).await
                } else {
                    let invite = Secret::new(invite.expose().to_owned());
                    Client::register_with_invite(&self.profile, &relay, &name, invite, password, passphrase).await
                }
            }
            Effect::Unlock { passphrase } => {
                Client::open(&self.profile, Secret::new(passphrase.expose().to_owned())).await
            }
            Effect::StartChat(name) => {
                let Some(client) = self.client().clone() else { return };
                let started = client.start_chat(&name).await;
                self.tell(started.map_or_else(Msg::StartFailed, |contact| Msg::ChatStarted(contact.name)));
                return;
            }
            Effect::Attach { peer, path } => {
                let Some(client) = self.client().clone() else { return };
                // What it becomes comes as an event.
                if let Err(error) = client.attach(peer.as_str(), &at_home(&path)).await {
                    self.tell(Msg::AttachFailed { peer, path, error });
                }
                return;
            }
            Effect::Save { message, to } => {
                let Some(client) = self.client().clone() else { return };
                let to = if to.is_empty() { PathBuf::from(".") } else { at_home(&to) };
                let saved = client.save(message, &to, PATIENCE).await;
                self.tell(match saved {
                    Ok(path) => Msg::Saved(path.display().to_string()),
                    Err(error) => Msg::SaveFailed { message, error },
                });
                return;
            }
            _ => return,
        };
        match opened {
            Ok(client) => {
                // The effects that answer this message need the client; what it tells is of use after it only.
                *self.client() = Some(client.clone());
                self.tell(Msg::Opened(me(&client)));
                self.follow(&client);
            }
            Err(error) => self.tell(Msg::OpenFailed(error)),
        }
    }
}
