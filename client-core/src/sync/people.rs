//! People: names resolved, device lists verified, sessions begun.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use susurro_protocol::event::DevicesChanged;
use susurro_protocol::keys::{DeviceCertificate, DeviceList, KeyError};
use susurro_protocol::rest::{BundleText, Chat, ClaimResponse, SignedText, UserDevices};
use susurro_protocol::{AccountId, AccountName, ChatId, DeviceId, ErrorCode};

use super::engine::Engine;
use super::jobs::Job;
use super::types::{Effect, Refused, RequestFailure};
use crate::crypto::PeerSessions;
use crate::model::{ClientEvent, Contact, Trust};
use crate::store::port::Mutation;

/// First wait in milliseconds when a device has published no prekeys; doubles up to ten minutes.
const NO_PREKEYS_WAIT: u64 = 5_000;
const NO_PREKEYS_WAIT_MAX: u64 = 600_000;

#[derive(Default)]
pub(super) struct People {
    pub(super) contacts: BTreeMap<AccountName, Contact>,
    names: BTreeMap<AccountId, AccountName>,
    pub(super) lists: BTreeMap<AccountId, DeviceList>,
    /// When each list was learned, in requests.
    learned: BTreeMap<AccountId, u64>,
    /// Names of senders who are no contacts, as the relay says.
    pub(super) strangers: BTreeMap<AccountId, AccountName>,
    /// Senders whom the relay cannot name or whose devices it cannot show; asked again in the
    /// next session.
    pub(super) unknown: BTreeSet<AccountId>,
    /// Devices that were looked for in a newly fetched list in this session.
    pub(super) looked_for: BTreeSet<DeviceId>,
    /// Names that are being resolved, with the device list once it came.
    resolving: BTreeMap<AccountName, Resolving>,
    /// Whose device list is to be fetched before more is sent.
    pub(super) refetch: BTreeSet<AccountName>,
    /// Whose chat is to be opened before more is sent.
    pub(super) reopen: BTreeSet<AccountName>,
    /// Refused device lists that were noted already.
    pub(super) noted: BTreeSet<[u8; 32]>,
}

#[derive(Default)]
struct Resolving {
    list: Option<DeviceList>,
    /// Somebody waits for the outcome.
    asked: bool,
}

impl People {
    /// `None` when a stored list does not verify.
    pub(super) fn new(contacts: Vec<Contact>, device_lists: &[(AccountId, Vec<u8>)]) -> Option<Self> {
        let mut lists = BTreeMap::new();
        for (account, bytes) in device_lists {
            let list = read_list(&SignedText(bytes.as_slice().into()))?;
            lists.insert(*account, list);
        }
        let names = contacts.iter().map(|contact| (contact.account, contact.name.clone())).collect();
        let contacts = contacts.into_iter().map(|contact| (contact.name.clone(), contact)).collect();
        Some(Self { contacts, names, lists, ..Self::default() })
    }

    /// The contact behind an account.
    pub(super) fn name_of(&self, account: &AccountId) -> Option<&AccountName> {
        self.names.get(account)
    }

    pub(super) fn certificate(&self, account: &AccountId, device: &DeviceId) -> Option<&DeviceCertificate> {
        self.lists.get(account)?.certificate(device)
    }

    pub(super) fn put(&mut self, contact: Contact) {
        if let Some(former) = self.contacts.get(&contact.name) {
            self.names.remove(&former.account);
        }
        self.strangers.remove(&contact.account);
        self.names.insert(contact.account, contact.name.clone());
        self.contacts.insert(contact.name.clone(), contact);
    }

    pub(super) fn forget_doubts(&mut self) {
        self.unknown.clear();
        self.looked_for.clear();
        self.strangers.clear();
    }
}

impl<R: CryptoRng> Engine<R> {
    pub(super) fn start_chat(&mut self, peer: AccountName) -> Result<(), Refused> {
        if peer == self.me.name {
            return Err(Refused::Yourself);
        }
        if let Some(contact) = self.people.contacts.get(&peer) {
            let outcome = Ok(contact.clone());
            self.people.refetch.insert(peer.clone());
            self.draft.effects.push(Effect::ChatStarted { peer, outcome });
            return Ok(());
        }
        if !self.is_connected() {
            return Err(Refused::Offline);
        }
        self.people.resolving.entry(peer).or_default().asked = true;
        Ok(())
    }

    /// Finds out who is behind a name.
    pub(super) fn resolve(&mut self, name: &AccountName) {
        if !self.people.resolving.contains_key(name) {
            self.people.resolving.insert(name.clone(), Resolving::default());
        }
    }

    /// Whether a device list or a chat is being asked for at this moment. One that the relay did not
    /// give and that is asked for again later does not count: nobody has to wait for it.
    pub(super) fn is_asking_about_people(&self) -> bool {
        self.jobs.runs(|job| matches!(job, Job::Devices(_) | Job::OpenChat(_)))
    }

    /// Asks for whatever is missing.
    pub(super) fn look_after_people(&mut self) {
        let mut jobs: Vec<_> = self.people.refetch.iter().cloned().map(Job::Devices).collect();
        jobs.extend(self.people.reopen.iter().cloned().map(Job::OpenChat));
        jobs.extend(self.people.resolving.iter().map(|(name, state)| match state.list {
            None => Job::Devices(name.clone()),
            Some(_) => Job::OpenChat(name.clone()),
        }));
        if !self.people.lists.contains_key(&self.me.account) {
            jobs.push(Job::Devices(self.me.name.clone()));
        }
        for job in jobs {
            self.want(job);
        }
    }

    pub(super) fn devices_changed(&mut self, changed: &DevicesChanged) {
        let known = self.people.lists.get(&changed.account).is_some_and(|list| list.body().version >= changed.version);
        if known {
            return;
        }
        if changed.account == self.me.account {
            self.people.refetch.insert(self.me.name.clone());
        } else if let Some(name) = self.people.name_of(&changed.account).cloned() {
            self.people.refetch.insert(name);
        }
    }

    pub(super) fn devices_fetched(&mut self, name: &AccountName, answer: &UserDevices) {
        self.people.refetch.remove(name);
        let list =
            read_list(&answer.device_list).filter(|list| list.body().account == answer.account && answer.name == *name);
        let Some(list) = list else {
            self.refuse_name(name, ErrorCode::InvalidDeviceList);
            if self.people.contacts.contains_key(name) {
                self.note_refused_list(name, answer.device_list.0.as_slice());
            }
            return;
        };
        let account = list.body().account;
        // Others who were said to have this name do not.
        let others = self.people.strangers.iter().filter(|(other, n)| *n == name && **other != account);
        let others: Vec<_> = others.map(|(other, _)| *other).collect();
        self.people.unknown.extend(others);
        if *name == self.me.name {
            if account == self.me.account {
                self.learn_list(list);
            }
            return;
        }
        match self.people.contacts.get(name).map(|contact| contact.account) {
            Some(pinned) if pinned == account => {
                if self.learn_list(list) {
                    self.key_confirmed(name);
                }
            }
            Some(_) => self.key_changed(name, list),
            None => {
                let believed = self.learn_list(list.clone());
                match self.people.resolving.get_mut(name) {
                    Some(state) if believed => state.list = Some(list),
                    Some(_) => self.refuse_name(name, ErrorCode::InvalidDeviceList),
                    None => {}
                }
            }
        }
    }

    /// Keeps a list when it continues the known one; says whether it did.
    pub(super) fn learn_list(&mut self, list: DeviceList) -> bool {
        let account = list.body().account;
        if let Some(known) = self.people.lists.get(&account) {
            if let Err(error) = list.follows(known) {
                let mark = self.people.learned.get(&account).copied().unwrap_or(0);
                if matches!(error, KeyError::RolledBack { .. }) && self.jobs.answers_before(mark) {
                    // It was right when it was asked for; a newer one has overtaken it.
                    return false;
                }
                if let Some(name) = self.people.name_of(&account).cloned() {
                    self.note_refused_list(&name, list.signed().body.as_slice());
                }
                return false;
            }
            if list.hash() == known.hash() {
                return true;
            }
        }
        let bytes = SignedText::of(list.signed()).0.as_slice().to_vec();
        self.draft.keep(Mutation::DeviceList(account, bytes));
        self.people.lists.insert(account, list);
        self.people.learned.insert(account, self.jobs.mark());
        true
    }

    pub(super) fn chat_opened(&mut self, name: &AccountName, chat: &Chat) {
        self.people.reopen.remove(name);
        let Some(list) = self.people.resolving.get(name).and_then(|state| state.list.as_ref()) else { return };
        let account = list.body().account;
        let (account_key, expected) = (list.body().account_key.0, ChatId::direct(&self.me.account, &account));
        if chat.chat != expected || !chat.members.iter().any(|member| member.account == account) {
            return self.refuse_name(name, ErrorCode::UnknownChat);
        }
        self.add_contact(name.clone(), account, account_key);
    }

    /// Pins a person at first contact.
    pub(super) fn add_contact(&mut self, name: AccountName, account: AccountId, account_key: [u8; 32]) {
        let chat = ChatId::direct(&self.me.account, &account);
        let contact =
            Contact { name: name.clone(), account, account_key, chat, trust: Trust::Unverified, offered_key: None };
        self.draft.keep(Mutation::Contact(contact.clone()));
        self.people.put(contact.clone());
        self.draft.emit(ClientEvent::NewContact(name.clone()));
        let provisional = super::outbox::provisional_chat(&name);
        if let Some(mut state) = self.chats.remove(&provisional) {
            state.chat = chat;
            self.chats.insert(chat, state);
            self.draft.chats.remove(&provisional);
            self.draft.chats.insert(chat);
            self.draft.keep(Mutation::ChatKnown(provisional, chat));
        }
        self.move_queue(&name, chat);
        if self.people.resolving.remove(&name).is_some_and(|state| state.asked) {
            self.draft.effects.push(Effect::ChatStarted { peer: name, outcome: Ok(contact) });
        }
    }

    /// The relay does not resolve a name, or not to anything that holds.
    fn refuse_name(&mut self, name: &AccountName, code: ErrorCode) {
        self.name_refused(name, code, RequestFailure::Refused { code, retry_after: None });
    }

    pub(super) fn name_refused(&mut self, name: &AccountName, code: ErrorCode, failure: RequestFailure) {
        self.people.refetch.remove(name);
        let strangers = self.people.strangers.iter().filter(|(_, n)| *n == name).map(|(account, _)| *account);
        self.people.unknown.extend(strangers);
        let reopening = self.people.reopen.remove(name);
        let resolving = self.people.resolving.remove(name);
        if reopening || resolving.is_some() {
            self.fail_queue(name, code);
        }
        if resolving.is_some_and(|state| state.asked) {
            self.draft.effects.push(Effect::ChatStarted { peer: name.clone(), outcome: Err(failure) });
        }
    }

    /// Who is in the chat of a delivery from a stranger.
    pub(super) fn members_fetched(&mut self, id: ChatId, chat: &Chat) {
        for member in chat.members.iter().filter(|member| member.account != self.me.account) {
            if chat.chat == id && ChatId::direct(&self.me.account, &member.account) == id && member.name != self.me.name
            {
                self.people.strangers.insert(member.account, member.name.clone());
            }
        }
        let senders: Vec<_> = self.inbox.held.iter().filter(|held| held.chat == id).map(|held| held.sender).collect();
        for sender in senders {
            if !self.people.strangers.contains_key(&sender) {
                self.people.unknown.insert(sender);
            }
        }
    }

    pub(super) fn members_unknown(&mut self, id: ChatId) {
        let senders = self.inbox.held.iter().filter(|held| held.chat == id).map(|held| held.sender);
        self.people.unknown.extend(senders);
    }

    /// A bundle came that was claimed to send to a device.
    pub(super) fn claimed(&mut self, account: AccountId, device: DeviceId, claim: &ClaimResponse, attempts: u32) {
        if self.can_send_to(&account, &device) {
            return;
        }
        if !self.start_session(account, device, claim, 0) {
            let wait = NO_PREKEYS_WAIT.saturating_mul(1 << attempts.min(16)).min(NO_PREKEYS_WAIT_MAX);
            self.jobs.put_off(Job::Claim(account, device), attempts, self.now + wait);
        }
    }

    pub(super) fn can_send_to(&self, account: &AccountId, device: &DeviceId) -> bool {
        let certificate = self.people.certificate(account, device);
        let sessions = self.sessions.get(device);
        certificate.zip(sessions).is_some_and(|(certificate, sessions)| sessions.can_send_to(certificate))
    }

    /// Starts a session from a claimed bundle, every part of it verified; says whether it could. `beyond` is a
    /// generation that unreadable headers claim.
    pub(super) fn start_session(
        &mut self,
        account: AccountId,
        device: DeviceId,
        claim: &ClaimResponse,
        beyond: u64,
    ) -> bool {
        match read_list(&claim.device_list) {
            Some(list) if list.body().account == account => {
                self.learn_list(list);
            }
            _ => return false,
        }
        let Some(certificate) = self.people.certificate(&account, &device) else { return false };
        let bundle = claim.bundles.iter().find(|bundle| bundle.device == device).map(BundleText::read);
        let Some(Ok(bundle)) = bundle else { return false };
        let none = PeerSessions::new();
        let sessions = self.sessions.get(&device).unwrap_or(&none);
        match sessions.start_beyond(beyond, &self.me.device, certificate, &bundle, self.now / 1000, &mut self.rng) {
            Ok(started) => {
                self.sessions.insert(device, started);
                self.draft.sessions.insert(device);
                true
            }
            Err(_) => false,
        }
    }
}

/// Reads and verifies a device list.
fn read_list(text: &SignedText) -> Option<DeviceList> {
    DeviceList::verify(text.read().ok()?).ok()
}
