//! Who is there, and who may know: a board of what the connections of one node have said.
//!
//! Nothing here is ever stored. An account *A* is present to an account *W* while a connection of A is open that shows
//! itself to W, here or at another node; W's connections that watch A are told when that changes. Whoever is not
//! shown to learns nothing, also not whether there is such an account.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use susurro_protocol::command::Presence;
use susurro_protocol::limits::PRESENCE_MAX;
use susurro_protocol::{AccountId, ErrorCode};

use super::Error;

/// Accounts named in a `Presence` for which it counts as one more message: what it sets in motion grows with them,
/// and naming four takes no more than delivering one message.
const NAMED_A_MESSAGE: usize = 4;

/// What one connection has said: sorted, each account once, as small as it gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    shown_to: Box<[AccountId]>,
    watching: Box<[AccountId]>,
}

impl Said {
    /// Reads a frame.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a list of more than [`PRESENCE_MAX`].
    pub fn of(presence: Presence) -> Result<Self, Error> {
        let Presence { shown_to, watching } = presence;
        if shown_to.len() > PRESENCE_MAX || watching.len() > PRESENCE_MAX {
            return Err(ErrorCode::InvalidRequest.into());
        }
        let each = |accounts: Vec<AccountId>| accounts.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        Ok(Self { shown_to: each(shown_to), watching: each(watching) })
    }

    fn shows(&self, to: &AccountId) -> bool {
        self.shown_to.binary_search(to).is_ok()
    }

    fn watches(&self, account: &AccountId) -> bool {
        self.watching.binary_search(account).is_ok()
    }

    fn is_empty(&self) -> bool {
        self.shown_to.is_empty() && self.watching.is_empty()
    }
}

/// As how many messages a frame counts.
#[must_use]
pub fn messages_worth(presence: &Presence) -> u64 {
    let named = presence.shown_to.len() + presence.watching.len();
    1 + (named / NAMED_A_MESSAGE) as u64
}

/// What a connection has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<K> {
    /// The connection.
    pub to: K,
    /// Who came or went.
    pub account: AccountId,
    /// Whether it came.
    pub joined: bool,
}

/// What follows from what a connection says, or from its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Followed<K> {
    /// For connections of this node.
    pub told: Vec<Told<K>>,
    /// The account, which is no longer shown here to these…
    pub left: Vec<AccountId>,
    /// …and to these from now on. For the other nodes.
    pub joined: Vec<AccountId>,
    /// Accounts that the connection's account did not watch here before: the other nodes may know of them.
    pub asks: Vec<AccountId>,
    /// Whether the account has from now on, or has no longer, a connection here that takes part.
    pub takes_part: Option<bool>,
}

/// What the connections of a node have said, by a key `K` that each has.
#[derive(Debug)]
pub struct Board<K> {
    said: HashMap<K, (AccountId, Said)>,
    accounts: HashMap<AccountId, Vec<K>>,
    /// By watcher and watched: the nodes at which the second is shown to the first, and in which round of questions each
    /// said so last.
    elsewhere: HashMap<AccountId, HashMap<AccountId, Vec<(u64, u64)>>>,
}

impl<K> Default for Board<K> {
    fn default() -> Self {
        Self { said: HashMap::new(), accounts: HashMap::new(), elsewhere: HashMap::new() }
    }
}

impl<K: Hash + Eq + Copy> Board<K> {
    /// A connection says something, in place of what it said before.
    pub fn say(&mut self, key: K, account: AccountId, said: Said) -> Followed<K> {
        // As it was, for comparing.
        let took_part = self.accounts.contains_key(&account);
        let before = self.said.get(&key).map(|(_, before)| before.clone()).unwrap_or_default();
        let touched: BTreeSet<_> = before.shown_to.iter().chain(&said.shown_to).copied().collect();
        let shown: Vec<_> = touched.into_iter().map(|to| (to, self.is_shown(&account, &to))).collect();
        let known: BTreeSet<_> = before.watching.iter().filter(|of| self.is_present(of, &account)).copied().collect();
        let is_new = |of: &&AccountId| self.watchers(&account, of).next().is_none();
        let asks = said.watching.iter().filter(is_new).copied().collect();

        self.replace(key, account, &said);

        let takes_part = self.accounts.contains_key(&account);
        let takes_part = (took_part != takes_part).then_some(takes_part);
        let mut followed = Followed { told: Vec::new(), left: Vec::new(), joined: Vec::new(), asks, takes_part };
        for (to, was) in shown {
            let is = self.is_shown(&account, &to);
            if was == is {
                continue;
            }
            if is { &mut followed.joined } else { &mut followed.left }.push(to);
            if !self.is_elsewhere(&to, &account) {
                let others = self.watchers(&to, &account).filter(|watcher| *watcher != key);
                followed.told.extend(others.map(|to| Told { to, account, joined: is }));
            }
        }
        for of in &said.watching {
            let joined = self.is_present(of, &account);
            if joined != known.contains(of) {
                followed.told.push(Told { to: key, account: *of, joined });
            }
        }
        followed
    }

    fn replace(&mut self, key: K, account: AccountId, said: &Said) {
        self.said.remove(&key);
        let keys = self.accounts.entry(account).or_default();
        keys.retain(|known| *known != key);
        if !said.is_empty() {
            keys.push(key);
            self.said.insert(key, (account, said.clone()));
        }
        if self.accounts.get(&account).is_some_and(Vec::is_empty) {
            self.accounts.remove(&account);
        }
        // What other nodes said is kept only as long as somebody here wants to know.
        let Some(mut known) = self.elsewhere.remove(&account) else { return };
        known.retain(|of, _| self.watchers(&account, of).next().is_some());
        if !known.is_empty() {
            self.elsewhere.insert(account, known);
        }
    }

    /// A connection has ended: as if it had said that it neither shows itself nor watches anybody. `None` when it never
    /// said anything else.
    pub fn end(&mut self, key: K) -> Option<(AccountId, Followed<K>)> {
        let account = self.said.get(&key).map(|(account, _)| *account)?;
        Some((account, self.say(key, account, Said::default())))
    }

    /// What a connection watches.
    pub fn watched(&self, key: K) -> &[AccountId] {
        self.said.get(&key).map_or(&[], |(_, said)| &said.watching)
    }

    /// Another node says, in answer to the questions of `round` or by itself, whether `account` is shown there to
    /// `watcher`.
    pub fn heard(
        &mut self,
        watcher: AccountId,
        account: AccountId,
        (node, round): (u64, u64),
        joined: bool,
    ) -> Vec<Told<K>> {
        if self.watchers(&watcher, &account).next().is_none() {
            return Vec::new();
        }
        let was = self.is_present(&account, &watcher);
        let nodes = self.elsewhere.entry(watcher).or_default().entry(account).or_default();
        nodes.retain(|(known, _)| *known != node);
        if joined {
            nodes.push((node, round));
        }
        self.settle(watcher, account, was)
    }

    /// Forgets what other nodes have said and `stays` does not hold for: the node, and the round in which it was said.
    pub fn retain_elsewhere(&mut self, stays: impl Fn(u64, u64) -> bool) -> Vec<Told<K>> {
        let gone = |nodes: &[(u64, u64)]| nodes.iter().any(|(node, round)| !stays(*node, *round));
        let mut touched = Vec::new();
        for (watcher, accounts) in &self.elsewhere {
            touched.extend(accounts.iter().filter(|(_, nodes)| gone(nodes)).map(|(account, _)| (*watcher, *account)));
        }
        let mut told = Vec::new();
        for (watcher, account) in touched {
            if let Some(nodes) = self.elsewhere.get_mut(&watcher).and_then(|accounts| accounts.get_mut(&account)) {
                nodes.retain(|(node, round)| stays(*node, *round));
            }
            told.extend(self.settle(watcher, account, true));
        }
        told
    }

    /// Whether `account` is shown to `to` by a connection of this node.
    pub fn is_shown(&self, account: &AccountId, to: &AccountId) -> bool {
        self.of(account).any(|(_, said)| said.shows(to))
    }

    /// The accounts that take part at this node.
    pub fn accounts(&self) -> Vec<AccountId> {
        self.accounts.keys().copied().collect()
    }

    /// What the connections of an account watch here, each once.
    pub fn watched_by(&self, account: &AccountId) -> BTreeSet<AccountId> {
        self.of(account).flat_map(|(_, said)| said.watching.iter().copied()).collect()
    }

    /// Says what follows for the watchers here when it is not as it was, and keeps no empty entry.
    fn settle(&mut self, watcher: AccountId, account: AccountId, was: bool) -> Vec<Told<K>> {
        if let Some(accounts) = self.elsewhere.get_mut(&watcher) {
            if accounts.get(&account).is_some_and(Vec::is_empty) {
                accounts.remove(&account);
            }
            if accounts.is_empty() {
                self.elsewhere.remove(&watcher);
            }
        }
        let is = self.is_present(&account, &watcher);
        if was == is {
            return Vec::new();
        }
        self.watchers(&watcher, &account).map(|to| Told { to, account, joined: is }).collect()
    }

    fn of<'b>(&'b self, account: &AccountId) -> impl Iterator<Item = (K, &'b Said)> {
        let keys = self.accounts.get(account).map_or(&[][..], Vec::as_slice);
        keys.iter().filter_map(|key| Some((*key, &self.said.get(key)?.1)))
    }

    /// The connections of `watcher` here that watch `account`.
    fn watchers(&self, watcher: &AccountId, account: &AccountId) -> impl Iterator<Item = K> {
        self.of(watcher).filter(move |(_, said)| said.watches(account)).map(|(key, _)| key)
    }

    fn is_elsewhere(&self, watcher: &AccountId, account: &AccountId) -> bool {
        self.elsewhere.get(watcher).is_some_and(|accounts| accounts.contains_key(account))
    }

    fn is_present(&self, account: &AccountId, to: &AccountId) -> bool {
        self.is_shown(account, to) || self.is_elsewhere(to, account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: u64 = 7;

    fn account(byte: u8) -> AccountId {
        AccountId::from_bytes([byte; 16])
    }

    fn said(shown_to: &[u8], watching: &[u8]) -> Said {
        let all = |bytes: &[u8]| bytes.iter().map(|byte| account(*byte)).collect();
        Said::of(Presence { shown_to: all(shown_to), watching: all(watching) }).unwrap_or_default()
    }

    /// Connections are numbered by ten times their account, so that it is seen whose they are.
    fn say(board: &mut Board<u8>, key: u8, shown_to: &[u8], watching: &[u8]) -> Followed<u8> {
        board.say(key, account(key / 10), said(shown_to, watching))
    }

    fn told(told: &[Told<u8>]) -> Vec<(u8, u8, bool)> {
        told.iter().map(|told| (told.to, told.account.as_bytes()[0], told.joined)).collect()
    }

    #[test]
    fn who_is_shown_to_is_told_of_coming_and_going_and_nobody_else_is() {
        let mut board = Board::default();
        assert!(say(&mut board, 20, &[], &[1]).told.is_empty());
        assert!(say(&mut board, 30, &[], &[1]).told.is_empty());
        let came = say(&mut board, 10, &[2], &[]);
        assert_eq!((told(&came.told), came.joined, came.left), (vec![(20, 1, true)], vec![account(2)], vec![]));
        assert!(say(&mut board, 10, &[2], &[]).told.is_empty(), "the same again changes nothing");
        let went = board.end(10).map(|(of, went)| (of, told(&went.told), went.left));
        assert_eq!(went, Some((account(1), vec![(20, 1, false)], vec![account(2)])));
        assert!(board.end(10).is_none());
    }

    #[test]
    fn who_begins_to_watch_is_told_of_those_who_are_there_once() {
        let mut board = Board::default();
        say(&mut board, 10, &[2], &[]);
        say(&mut board, 40, &[2], &[]);
        assert_eq!(told(&say(&mut board, 20, &[], &[1, 3, 4]).told), [(20, 1, true), (20, 4, true)]);
        assert!(say(&mut board, 20, &[], &[1, 4]).told.is_empty());
        assert_eq!(told(&say(&mut board, 21, &[], &[1]).told), [(21, 1, true)], "each connection for itself");
        assert!(say(&mut board, 20, &[], &[]).told.is_empty(), "who no longer watches is told nothing");
        assert_eq!(told(&say(&mut board, 10, &[], &[]).told), [(21, 1, false)]);
    }

    #[test]
    fn an_account_is_there_while_any_of_its_connections_shows_it() {
        let mut board = Board::default();
        say(&mut board, 20, &[], &[1]);
        assert_eq!(told(&say(&mut board, 10, &[2], &[]).told), [(20, 1, true)]);
        assert!(say(&mut board, 11, &[2, 3], &[]).told.is_empty());
        assert!(say(&mut board, 10, &[], &[]).told.is_empty());
        assert_eq!(
            told(&say(&mut board, 11, &[3], &[]).told),
            [(20, 1, false)],
            "the last one shows it to others only"
        );
    }

    #[test]
    fn an_account_may_watch_itself() {
        let mut board = Board::default();
        assert_eq!(told(&say(&mut board, 10, &[1], &[1]).told), [(10, 1, true)]);
        assert_eq!(told(&say(&mut board, 10, &[], &[1]).told), [(10, 1, false)]);
        say(&mut board, 11, &[1], &[]);
        assert_eq!(board.end(10).map(|(_, followed)| followed.told), Some(vec![]));
    }

    #[test]
    fn what_another_node_says_counts_beside_what_is_seen_here() {
        let mut board = Board::default();
        assert!(board.heard(account(2), account(1), (NODE, 1), true).is_empty(), "nobody asked");
        assert_eq!(say(&mut board, 20, &[], &[1]).asks, [account(1)]);
        assert!(say(&mut board, 21, &[], &[1]).asks.is_empty(), "it is known already");
        assert_eq!((board.accounts(), board.watched_by(&account(2))), (vec![account(2)], [account(1)].into()));
        assert_eq!(told(&board.heard(account(2), account(1), (NODE, 1), true)), [(20, 1, true), (21, 1, true)]);
        assert!(board.heard(account(2), account(1), (NODE, 2), true).is_empty());
        assert!(say(&mut board, 10, &[2], &[]).told.is_empty());
        assert!(board.heard(account(2), account(1), (NODE, 2), false).is_empty());
        assert_eq!(told(&say(&mut board, 10, &[], &[]).told).len(), 2);
        // A connection that begins to watch learns what is known here of elsewhere.
        board.heard(account(2), account(1), (NODE, 3), true);
        assert_eq!(told(&say(&mut board, 22, &[], &[1]).told), [(22, 1, true)]);
    }

    #[test]
    fn a_node_that_is_gone_or_no_longer_answers_takes_with_it_what_it_said() {
        let mut board = Board::default();
        say(&mut board, 20, &[], &[1, 3, 4]);
        for (of, node, round) in [(1, 7, 1), (3, 7, 2), (3, 8, 2), (4, 8, 1)] {
            board.heard(account(2), account(of), (node, round), true);
        }
        assert_eq!(told(&board.retain_elsewhere(|node, _| node != 7)), [(20, 1, false)]);
        assert_eq!(told(&board.retain_elsewhere(|_, round| round == 2)), [(20, 4, false)]);
        say(&mut board, 20, &[], &[]);
        assert!(board.elsewhere.is_empty(), "nothing is kept of what nobody wants to know");
        assert!(say(&mut board, 20, &[], &[3]).told.is_empty());
    }

    #[test]
    fn an_account_takes_part_from_its_first_connection_that_says_something_to_its_last() {
        let mut board = Board::default();
        assert_eq!(say(&mut board, 10, &[], &[]).takes_part, None);
        assert_eq!(say(&mut board, 10, &[2], &[]).takes_part, Some(true));
        assert_eq!(say(&mut board, 11, &[], &[2]).takes_part, None);
        assert_eq!(say(&mut board, 10, &[], &[]).takes_part, None);
        assert_eq!(board.end(11).and_then(|(_, followed)| followed.takes_part), Some(false));
        assert!(board.said.is_empty() && board.accounts().is_empty());
    }

    #[test]
    fn lists_are_bounded_and_weighed() {
        let named = |n: usize| vec![account(1); n];
        let list = |shown: usize, watched: usize| Presence { shown_to: named(shown), watching: named(watched) };
        assert!(Said::of(list(PRESENCE_MAX, PRESENCE_MAX)).is_ok());
        for long in [list(PRESENCE_MAX + 1, 0), list(0, PRESENCE_MAX + 1)] {
            assert_eq!(Said::of(long).map_err(|error| error.code()), Err(ErrorCode::InvalidRequest));
        }
        assert_eq!([list(0, 0), list(3, 0), list(256, 256)].map(|list| messages_worth(&list)), [1, 1, 129]);
    }
}
