//! Announcements: made by an administrator, signed by the relay, told to everybody.
//!
//! Each node looks again and again for those that are in force, whoever has made them: another node, or a command
//! beside the relay. It keeps them in memory, so that a connection that begins costs the store nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ed25519_dalek::SigningKey;
use susurro_protocol::AnnouncementId;
use susurro_protocol::announcement::Notice;
use susurro_protocol::limits::ANNOUNCEMENTS_MAX;
use susurro_protocol::rest::{NewAnnouncement, Page, SignedAnnouncement, SignedText};

use super::{Office, Relay};
use crate::domain::Error;
use crate::domain::announcement::{Announced, announcement};

/// Those that were in force at the last look, oldest first.
#[derive(Default)]
pub(super) struct InForce {
    list: Mutex<Vec<(Announced, Arc<Notice>)>>,
    /// Held for one look: of two at once the one that has read less must not write last, or what it lacks
    /// would be new once more, and told twice.
    look: tokio::sync::Mutex<()>,
}

impl InForce {
    fn list(&self) -> MutexGuard<'_, Vec<(Announced, Arc<Notice>)>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(announced: &Announced) -> SignedAnnouncement {
    SignedAnnouncement { id: announced.id, announcement: SignedText::of(&announced.notice.announcement) }
}

impl Office {
    /// Signs an announcement and keeps it. Relays on the same database find and tell it.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a text or time that none may have.
    pub async fn announce(&self, key: &SigningKey, new: &NewAnnouncement) -> Result<SignedAnnouncement, Error> {
        let mut id = [0; 16];
        self.entropy.fill(&mut id)?;
        let made = announcement(AnnouncementId::from_bytes(id), self.clock.now(), &new.text, new.expires_in)?;
        let notice = Notice::sign(key, &made);
        let announced = Announced { id: made.id, issued: made.issued, expires: made.expires, notice };
        let entry = entry(&announced);
        self.announcements.announce(announced).await?;
        tracing::info!("an announcement was made");
        Ok(entry)
    }
}

impl Relay {
    /// [`Office::announce`], told to everybody who is connected to this node before this ends.
    ///
    /// # Errors
    ///
    /// Those.
    pub async fn announce(&self, new: &NewAnnouncement) -> Result<SignedAnnouncement, Error> {
        let made = self.office().announce(&self.keys.signing, new).await?;
        self.hear_announcements().await?;
        Ok(made)
    }

    /// What is in force.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn announcements(&self) -> Result<Page<SignedAnnouncement>, Error> {
        let found = self.ports.announcements.announcements(self.now(), most()).await?;
        Ok(Page { items: found.iter().map(entry).collect(), next: None })
    }

    /// What a session begins with.
    #[must_use]
    pub fn notices(&self) -> Vec<Arc<Notice>> {
        let now = self.now();
        let list = self.in_force.list();
        list.iter().filter(|(announced, _)| announced.expires > now).map(|(_, notice)| notice.clone()).collect()
    }

    /// Looks for announcements that were made since the last look, and tells them.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn hear_announcements(&self) -> Result<(), Error> {
        let _look = self.in_force.look.lock().await;
        let found = self.ports.announcements.announcements(self.now(), most()).await?;
        let mut new = Vec::new();
        {
            let mut list = self.in_force.list();
            let known = |one: &Announced| list.iter().find(|(known, _)| known.id == one.id).map(|(_, notice)| notice);
            let kept = found.into_iter().map(|announced| {
                let notice = known(&announced).cloned().unwrap_or_else(|| {
                    let notice = Arc::new(announced.notice.clone());
                    new.push(notice.clone());
                    notice
                });
                (announced, notice)
            });
            *list = kept.collect();
        }
        // After the list was changed: a connection that begins meanwhile finds it there or hears it here.
        if !new.is_empty() {
            self.ports.bus.announce(&new);
        }
        Ok(())
    }
}

fn most() -> u32 {
    u32::try_from(ANNOUNCEMENTS_MAX).unwrap_or(u32::MAX)
}
