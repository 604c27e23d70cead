//! Who is in a chat, kept in memory until the database says that it has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use susurro_protocol::{AccountId, ChatId};
use tokio::time::sleep;

use crate::domain::message::Roster;

/// Rosters that are kept; more chats than these are read again now and then.
const KEPT: usize = 10_000;

/// The longest that one is believed: how late a node learns of a change when the network swallows
/// its connection without a word.
const BELIEVED: Duration = Duration::from_secs(20);

/// Between two tries to listen again.
const AGAIN: Duration = Duration::from_secs(1);

/// Where triggers of the database tell of changes (`migrations/postgres`).
const CHANNEL: &str = "susurro_rosters";

/// The rosters that were read while somebody listened for changes.
#[derive(Default)]
pub(super) struct Rosters(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    rosters: HashMap<ChatId, (Arc<Roster>, Instant)>,
    is_listening: bool,
    /// How often something was forgotten: a roster that was read before must not be kept after.
    changes: u64,
}

impl Rosters {
    /// The roster of a chat, or a number for [`keep`](Self::keep).
    pub(super) fn find(&self, chat: &ChatId) -> Result<Arc<Roster>, u64> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.rosters.get(chat) {
            Some((roster, since)) if since.elapsed() < BELIEVED => Ok(roster.clone()),
            _ => Err(kept.changes),
        }
    }

    /// Keeps what was read, unless something has changed meanwhile.
    pub(super) fn keep(&self, chat: ChatId, roster: Arc<Roster>, changes: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.is_listening || kept.changes != changes {
            return;
        }
        if kept.rosters.len() >= KEPT {
            kept.rosters.clear();
        }
        kept.rosters.insert(chat, (roster, Instant::now()));
    }

    /// Forgets a chat that this node has changed: its own notice may take a moment.
    pub(super) fn changed(&self, chat: &ChatId) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.changes += 1;
        kept.rosters.remove(chat);
    }

    /// Forgets what a notice names; everything when it cannot be read.
    fn hear(&self, notice: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.changes += 1;
        match notice.split_once(':').map(|(kind, id)| (kind, bytes(id))) {
            Some(("chat", Some(id))) => {
                kept.rosters.remove(&ChatId::from_bytes(id));
            }
            Some(("account", Some(id))) => {
                let account = AccountId::from_bytes(id);
                kept.rosters.retain(|_, (roster, _)| !roster.members.iter().any(|member| member.account == account));
            }
            _ => kept.rosters.clear(),
        }
    }

    fn listening(&self, is_listening: bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.is_listening = is_listening;
        kept.changes += 1;
        kept.rosters.clear();
    }
}

fn bytes(hex: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if hex.len() != 32 || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// Listens for as long as the store is open.
pub(super) fn listen(rosters: Arc<Rosters>, pool: PgPool) {
    tokio::spawn(async move {
        while !pool.is_closed() {
            if let Ok(mut listener) = PgListener::connect_with(&pool).await
                && listener.listen(CHANNEL).await.is_ok()
            {
                rosters.listening(true);
                // `None` says that the connection was lost, and with it perhaps a notice.
                while let Ok(Some(notice)) = listener.try_recv().await {
                    rosters.hear(notice.payload());
                }
                rosters.listening(false);
            }
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = pool.close_event() => {}
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Member;

    fn roster(account: u8) -> Arc<Roster> {
        let account = AccountId::from_bytes([account; 16]);
        let members = vec![Member { account, list_version: 1, devices: Vec::new() }];
        Arc::new(Roster { members, disappear_after: 0 })
    }

    fn chat(n: u8) -> ChatId {
        ChatId::from_bytes([n; 16])
    }

    #[test]
    fn what_is_read_before_a_change_is_not_kept_after_it() {
        let rosters = Rosters::default();
        rosters.keep(chat(1), roster(1), 0);
        assert!(rosters.find(&chat(1)).is_err(), "nobody listens");
        rosters.listening(true);
        let Err(changes) = rosters.find(&chat(1)) else { unreachable!() };
        rosters.hear(&format!("chat:{}", "07".repeat(16)));
        rosters.keep(chat(1), roster(1), changes);
        assert!(rosters.find(&chat(1)).is_err());
    }

    #[test]
    fn a_notice_takes_away_what_it_names_and_one_that_cannot_be_read_takes_all() {
        let rosters = Rosters::default();
        rosters.listening(true);
        let fill = || {
            for n in 1..=3 {
                let changes = rosters.find(&chat(n)).err().unwrap_or_default();
                rosters.keep(chat(n), roster(n), changes);
            }
        };
        let left = || (1..=3).filter(|n| rosters.find(&chat(*n)).is_ok()).collect::<Vec<u8>>();
        fill();
        rosters.hear(&format!("chat:{}", "01".repeat(16)));
        assert_eq!(left(), [2, 3]);
        rosters.hear(&format!("account:{}", "03".repeat(16)));
        assert_eq!(left(), [2]);
        rosters.hear("chat:xyz");
        assert_eq!(left(), [0; 0]);
        fill();
        rosters.listening(false);
        assert_eq!(left(), [0; 0]);
    }
}
