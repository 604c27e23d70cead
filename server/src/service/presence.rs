//! Who is there, told to those who may know, at this node and over all of them.
//!
//! What connections say of it lives in memory, with them. Nodes tell each other on the channels of the accounts that
//! take part ([`Audience::Account`]): that somebody is shown to the account at a node, or no longer; and the question
//! whether the account is shown to somebody. A word may get lost and a node may die, so nothing is believed for long:
//!
//! - What a node said is forgotten when it was not heard of for [`SILENT`]. Nodes say every two seconds that they are
//!   at work.
//! - What is watched is asked for again in rounds, [`ROUND`] apart and whenever nodes begin to hear each other. What no
//!   node repeats in a round is forgotten at its end.
//!
//! While the nodes do not hear each other, each knows of its own connections alone: presence is not polled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use susurro_protocol::AccountId;
use susurro_protocol::command::Presence;
use tokio::sync::Notify;
use tokio::time::{Instant, interval, sleep, timeout};

use super::Relay;
use super::cluster::{NODES_MAX, Unlinked, jittered};
use crate::domain::Error;
use crate::domain::presence::{Board, Followed, Said, Told};
use crate::domain::token::Claims;
use crate::ports::{Audience, Link, Shown, Slot, Word};

/// Between two rounds of questions: as late as that goes away what a lost word left behind.
const ROUND: Duration = Duration::from_secs(60);

/// Before a round that something new is the reason for: more of it may come.
const SETTLED: Duration = Duration::from_millis(250);

/// How long answers may take.
const ANSWERED: Duration = Duration::from_secs(3);

/// How long after its last word what a node said is believed: it has missed three of those that it is at work.
const SILENT: Duration = Duration::from_secs(8);

/// Between two looks for nodes that are silent.
const LOOK: Duration = Duration::from_millis(500);

/// Questions a second of one node at most, so that a round disturbs nobody: with more than 120,000 pairs of watcher
/// and watched it takes longer than [`ROUND`].
const ASKED_A_SECOND: usize = 2_000;

/// Between two portions of questions.
const PORTION: Duration = Duration::from_millis(50);

/// The presences that this node knows of.
pub struct Presences {
    link: Arc<dyn Link>,
    node: u64,
    state: Mutex<State>,
    /// Rung when there is a reason for a round.
    changed: Notify,
}

#[derive(Default)]
struct State {
    board: Board<usize>,
    /// Of the connections on the board, by the address of their slot, which nothing else has as long as it is held here.
    slots: HashMap<usize, Arc<Slot>>,
    /// The other nodes, and when each was heard last.
    heard: HashMap<u64, Instant>,
    round: u64,
}

impl Presences {
    /// Those of node `node`, a number that no other node has.
    #[must_use]
    pub fn new(link: Arc<dyn Link>, node: u64) -> Self {
        Self { link, node, state: Mutex::default(), changed: Notify::new() }
    }

    /// Those of a node that reaches no others.
    #[must_use]
    pub fn alone() -> Self {
        Self::new(Arc::new(Unlinked), 0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of `account` says something.
    pub fn say(&self, account: AccountId, slot: &Arc<Slot>, said: Said) {
        let key = key(slot);
        // Told under the lock, connections and nodes alike: of two changes everybody hears the later one later.
        let mut state = self.state();
        let followed = state.board.say(key, account, said);
        state.slots.insert(key, slot.clone());
        slot.watches(state.board.watched(key));
        self.follow(&state, account, followed);
    }

    /// A connection has ended.
    pub fn end(&self, slot: &Arc<Slot>) {
        let key = key(slot);
        let mut state = self.state();
        if let Some((account, followed)) = state.board.end(key) {
            self.follow(&state, account, followed);
        }
        state.slots.remove(&key);
    }

    fn follow(&self, state: &State, account: AccountId, followed: Followed<usize>) {
        let Followed { told, left, joined, asks, takes_part } = followed;
        state.tell(told);
        let own = Audience::Account(account);
        if takes_part == Some(true) {
            self.link.follow(own);
        }
        for (whom, joined) in [(left, false), (joined, true)] {
            for to in whom {
                let shown = Shown { account, node: self.node, joined };
                self.link.say(Audience::Account(to), Word::Shown(shown));
            }
        }
        for of in asks {
            self.ask(account, of);
        }
        if takes_part == Some(false) {
            self.link.unfollow(own);
        }
    }

    /// Asks the other nodes whether `of` is shown there to `watcher`.
    fn ask(&self, watcher: AccountId, of: AccountId) -> bool {
        self.link.say(Audience::Account(of), Word::IsShown { to: watcher, node: self.node })
    }

    /// Another node is at work.
    pub(super) fn heard_at_work(&self, node: u64) {
        if node != self.node && self.state().heard(node) {
            self.changed.notify_one();
        }
    }

    /// What a node says to those at which an account takes part.
    pub(super) fn heard(&self, account: AccountId, word: &Word) {
        match *word {
            Word::Shown(shown) if shown.node != self.node => {
                let mut state = self.state();
                if state.heard(shown.node) {
                    self.changed.notify_one();
                }
                if !state.heard.contains_key(&shown.node) {
                    return;
                }
                let round = state.round;
                let told = state.board.heard(account, shown.account, (shown.node, round), shown.joined);
                state.tell(told);
            }
            Word::IsShown { to, node } if node != self.node => {
                let state = self.state();
                if state.board.is_shown(&account, &to) {
                    let shown = Shown { account, node: self.node, joined: true };
                    self.link.say(Audience::Account(to), Word::Shown(shown));
                }
            }
            _ => {}
        }
    }

    /// From now on nodes hear each other again: what was said meanwhile is asked for.
    pub(super) fn restored(&self) {
        self.changed.notify_one();
    }

    /// Asks again what is watched, and forgets what is no longer true, for as long as the node is at work.
    pub async fn tend(&self) {
        tokio::join!(self.listen(), self.ask_around());
    }

    /// Forgets what nodes said that are no longer heard.
    async fn listen(&self) {
        let mut looks = interval(LOOK);
        loop {
            looks.tick().await;
            let mut state = self.state();
            let known = state.heard.len();
            state.heard.retain(|_, heard| heard.elapsed() < SILENT);
            if state.heard.len() < known {
                let State { board, heard, .. } = &mut *state;
                let told = board.retain_elsewhere(|node, _| heard.contains_key(&node));
                state.tell(told);
            }
        }
    }

    async fn ask_around(&self) {
        loop {
            if timeout(jittered(ROUND), self.changed.notified()).await.is_ok() {
                sleep(SETTLED).await;
            }
            let (round, watchers) = {
                let mut state = self.state();
                if state.heard.is_empty() {
                    continue;
                }
                state.round += 1;
                (state.round, state.board.accounts())
            };
            if !self.ask_for(watchers).await {
                continue;
            }
            sleep(ANSWERED).await;
            if self.link.is_up() {
                let mut state = self.state();
                let told = state.board.retain_elsewhere(|_, said| said >= round);
                state.tell(told);
            }
        }
    }

    /// Says whether all questions went out: otherwise that nobody answers means nothing.
    async fn ask_for(&self, watchers: Vec<AccountId>) -> bool {
        let portion = ASKED_A_SECOND * PORTION.as_millis() as usize / 1000;
        let mut asked = 0;
        for watcher in watchers {
            let watched = self.state().board.watched_by(&watcher);
            for of in watched {
                if !self.ask(watcher, of) {
                    return false;
                }
                asked += 1;
                if asked % portion == 0 {
                    sleep(PORTION).await;
                }
            }
        }
        true
    }
}

impl State {
    fn tell(&self, told: Vec<Told<usize>>) {
        for Told { to, account, joined } in told {
            if let Some(slot) = self.slots.get(&to) {
                slot.presence(account, joined);
            }
        }
    }

    /// Says whether the node was not known.
    fn heard(&mut self, node: u64) -> bool {
        let is_new = !self.heard.contains_key(&node);
        if is_new && self.heard.len() >= NODES_MAX {
            return false;
        }
        self.heard.insert(node, Instant::now());
        is_new
    }
}

fn key(slot: &Arc<Slot>) -> usize {
    Arc::as_ptr(slot).addr()
}

impl Relay {
    /// Notes to whom a connection shows its account, and of whom it wants to know, for as long as it is open or until
    /// it says something else.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for what no client sends.
    pub fn presence(&self, claims: &Claims, slot: &Arc<Slot>, presence: Presence) -> Result<(), Error> {
        self.presences.say(claims.account, slot, Said::of(presence)?);
        Ok(())
    }
}
