//! Everything in memory: the store of tests, under the same contract as the one on disk.

mod administration;
mod announcements;
mod blobs;
mod device_list;
mod mailboxes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use susurro_protocol::keys::DeviceList;
use susurro_protocol::rest::{ChatConfig, KeyCount, SignedText};
use susurro_protocol::{AccountId, AccountName, BlobId, ChatId, DeviceId, ErrorCode, MessageId, PrekeyId};

use crate::domain::Error;
use crate::domain::account::{Account, Credentials, Device, NewAccount, StoredList, Verifier};
use crate::domain::announcement::Announced;
use crate::domain::blob::BlobRecord;
use crate::domain::invite::{Invite, InviteHash};
use crate::domain::mailbox::MailboxBounds;
use crate::domain::message::{ChatRecord, Member, Roster, Waiting};
use crate::domain::prekey::{self, Item, Known};
use crate::domain::token::{FamilyId, NewFamily, RefreshHash, Rotation, ShownToken, Standing, rotate};
use crate::ports::{Accounts, Answer, Chats, Claimed, Commits, Devices, Prekeys, Sessions};

/// A relay's store that forgets everything when it is dropped.
pub struct MemoryStore {
    state: Mutex<State>,
    bounds: MailboxBounds,
    commits: Arc<dyn Commits>,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<AccountName, Registered>,
    devices: HashMap<DeviceId, Device>,
    mailboxes: HashMap<DeviceId, Mailbox>,
    sent: HashMap<(DeviceId, MessageId), ([u8; 32], u64)>,
    chats: BTreeMap<ChatId, KeptChat>,
    blobs: HashMap<BlobId, BlobRecord>,
    chunks: HashMap<(BlobId, u32), Bytes>,
    prekeys: HashMap<DeviceId, Keys>,
    families: HashMap<FamilyId, Family>,
    refresh_tokens: HashMap<RefreshHash, (FamilyId, bool, u64)>,
    removed: BTreeSet<DeviceId>,
    invites: BTreeMap<InviteHash, Invite>,
    announcements: Vec<Announced>,
    erasures: BTreeSet<AccountId>,
}

/// Prekeys of a device by kind and id.
type Keys = BTreeMap<(u8, PrekeyId), Key>;

/// The content of a prekey, or only its hash when it was given out.
type Key = ([u8; 32], Option<Vec<u8>>);

struct Registered {
    account: Account,
    credentials: Credentials,
    recovery: Option<(Verifier, u64)>,
    list_version: u64,
    list: SignedText,
    devices: Vec<DeviceId>,
}

struct KeptChat {
    members: [AccountId; 2],
    created: u64,
    config: ChatConfig,
    left: BTreeSet<AccountId>,
}

#[derive(Default)]
struct Mailbox {
    head: u64,
    waiting: BTreeMap<u64, (Waiting, Option<u64>)>,
}

struct Family {
    account: AccountId,
    device: DeviceId,
    expires: u64,
    revoked: bool,
    /// The token that was exchanged last, and when it first was.
    previous: Option<(RefreshHash, u64)>,
}

impl MemoryStore {
    /// Empty. `commits` hears of every stored message.
    #[must_use]
    pub fn new(bounds: MailboxBounds, commits: Arc<dyn Commits>) -> Self {
        Self { state: Mutex::default(), bounds, commits }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn by_id(&self, id: AccountId) -> Option<&Registered> {
        self.accounts.values().find(|registered| registered.account.id == id)
    }

    fn record(&self, chat: ChatId) -> Option<ChatRecord> {
        let KeptChat { members, created, config, left } = self.chats.get(&chat)?;
        let named = |id: &AccountId| self.by_id(*id).map(|registered| (*id, registered.account.name.clone()));
        let mut members: Vec<_> = members.iter().filter_map(named).collect();
        members.sort_unstable();
        let left = left.iter().copied().collect();
        Some(ChatRecord { chat, members, created: *created, config: *config, left })
    }

    fn held(&self, device: DeviceId) -> KeyCount {
        let keys = self.prekeys.get(&device).into_iter().flatten();
        prekey::count(&keys.filter(|(_, (_, content))| content.is_some()).map(|(id, _)| *id).collect::<Vec<_>>())
    }
}

fn done<'a, T: Send + 'a>(outcome: Result<T, Error>) -> Answer<'a, T> {
    Box::pin(std::future::ready(outcome))
}

impl Accounts for MemoryStore {
    fn register(&self, new: NewAccount) -> Answer<'_, ()> {
        let mut state = self.state();
        if state.by_id(new.account.id).is_some() {
            return done(Err(ErrorCode::AccountExists.into()));
        }
        if state.accounts.contains_key(&new.account.name) {
            return done(Err(ErrorCode::NameTaken.into()));
        }
        if new.list.certificates().iter().any(|c| state.devices.contains_key(&c.body().device)) {
            return done(Err(Error::explained(ErrorCode::InvalidDeviceList, "the device identifier is taken")));
        }
        if let Some(hash) = new.invite {
            match state.invites.get_mut(&hash).filter(|invite| invite.is_good(new.account.created)) {
                Some(invite) => invite.used += 1,
                None => return done(Err(ErrorCode::InvalidInvite.into())),
            }
        }
        for certificate in new.list.certificates() {
            let device = certificate.body().device;
            state.devices.insert(device, Device { account: new.account.id, device, certificate: certificate.clone() });
            state.mailboxes.insert(device, Mailbox::default());
        }
        let registered = Registered {
            credentials: Credentials { account: new.account.id, stretch: new.stretch, verifier: new.verifier },
            recovery: None,
            list_version: new.list.body().version,
            list: SignedText::of(new.list.signed()),
            devices: new.list.certificates().iter().map(|c| c.body().device).collect(),
            account: new.account,
        };
        state.accounts.insert(registered.account.name.clone(), registered);
        done(Ok(()))
    }

    fn by_id(&self, id: AccountId) -> Answer<'_, Option<Account>> {
        done(Ok(self.state().by_id(id).map(|registered| registered.account.clone())))
    }

    fn by_name<'a>(&'a self, name: &'a AccountName) -> Answer<'a, Option<Account>> {
        done(Ok(self.state().accounts.get(name).map(|registered| registered.account.clone())))
    }

    fn credentials<'a>(&'a self, name: &'a AccountName) -> Answer<'a, Option<Credentials>> {
        done(Ok(self.state().accounts.get(name).map(|registered| registered.credentials.clone())))
    }

    fn recovery<'a>(&'a self, name: &'a AccountName) -> Answer<'a, Option<(AccountId, Verifier)>> {
        let state = self.state();
        let known = state
            .accounts
            .get(name)
            .and_then(|known| known.recovery.as_ref().map(|(verifier, _)| (known.account.id, verifier.clone())));
        done(Ok(known))
    }

    fn set_display_name(&self, id: AccountId, display_name: Option<String>) -> Answer<'_, ()> {
        let mut state = self.state();
        if let Some(registered) = state.accounts.values_mut().find(|registered| registered.account.id == id) {
            registered.account.display_name = display_name;
        }
        done(Ok(()))
    }

    fn search<'a>(&'a self, prefix: &'a str, after: &'a str, limit: u32) -> Answer<'a, Vec<Account>> {
        let state = self.state();
        let found = state.accounts.values().map(|registered| &registered.account);
        let found = found.filter(|account| account.name.as_str().starts_with(prefix) && account.name.as_str() > after);
        done(Ok(found.take(limit as usize).cloned().collect()))
    }
}

impl Devices for MemoryStore {
    fn list(&self, account: AccountId) -> Answer<'_, Option<StoredList>> {
        let state = self.state();
        let list = |registered: &Registered| StoredList {
            account,
            name: registered.account.name.clone(),
            list: registered.list.clone(),
        };
        done(Ok(state.by_id(account).map(list)))
    }

    fn change_list(&self, list: DeviceList, _now: u64) -> Answer<'_, Vec<FamilyId>> {
        done(self.state().change_list(&list))
    }

    fn audience(&self, account: AccountId) -> Answer<'_, Vec<DeviceId>> {
        let state = self.state();
        let chats = state.chats.values().filter(|chat| chat.members.contains(&account));
        let members: BTreeSet<_> = chats.flat_map(|chat| chat.members).chain([account]).collect();
        let devices =
            members.iter().filter_map(|id| state.by_id(*id)).flat_map(|registered| registered.devices.clone());
        done(Ok(devices.collect()))
    }

    fn device(&self, device: DeviceId) -> Answer<'_, Option<Device>> {
        done(Ok(self.state().devices.get(&device).cloned()))
    }
}

impl Chats for MemoryStore {
    fn open_direct(&self, chat: ChatId, members: [AccountId; 2], now: u64) -> Answer<'_, (ChatRecord, bool)> {
        let mut state = self.state();
        let made = !state.chats.contains_key(&chat);
        let new = KeptChat { members, created: now, config: ChatConfig::INITIAL, left: BTreeSet::new() };
        state.chats.entry(chat).or_insert(new).left.clear();
        let record = state.record(chat).ok_or_else(|| Error::Internal("a chat without members".to_owned()));
        done(record.map(|record| (record, made)))
    }

    fn chat(&self, chat: ChatId) -> Answer<'_, Option<ChatRecord>> {
        done(Ok(self.state().record(chat)))
    }

    fn configure(&self, chat: ChatId, from: u64, config: ChatConfig) -> Answer<'_, bool> {
        let mut state = self.state();
        let kept = state.chats.get_mut(&chat).filter(|kept| kept.config.version == from);
        done(Ok(kept.map(|kept| kept.config = config).is_some()))
    }

    fn leave(&self, chat: ChatId, account: AccountId, _now: u64) -> Answer<'_, ()> {
        if let Some(kept) = self.state().chats.get_mut(&chat) {
            kept.left.insert(account);
        }
        done(Ok(()))
    }

    fn of_account(&self, account: AccountId, after: Option<ChatId>, limit: u32) -> Answer<'_, Vec<ChatRecord>> {
        let state = self.state();
        let mine = state.chats.iter().filter(|(chat, kept)| {
            kept.members.contains(&account) && !kept.left.contains(&account) && Some(**chat) > after
        });
        done(Ok(mine.take(limit as usize).filter_map(|(chat, _)| state.record(*chat)).collect()))
    }

    fn roster(&self, chat: ChatId) -> Answer<'_, Option<Arc<Roster>>> {
        let state = self.state();
        let member = |id: &AccountId| {
            let registered = state.by_id(*id)?;
            Some(Member { account: *id, list_version: registered.list_version, devices: registered.devices.clone() })
        };
        let roster = state.chats.get(&chat).filter(|kept| kept.left.is_empty()).map(|kept| {
            let members = kept.members.iter().filter_map(member).collect();
            Arc::new(Roster { members, disappear_after: kept.config.disappear_after })
        });
        done(Ok(roster))
    }
}

impl Prekeys for MemoryStore {
    fn publish(&self, device: DeviceId, items: Vec<Item>) -> Answer<'_, KeyCount> {
        let mut state = self.state();
        if !state.devices.contains_key(&device) {
            return done(Err(ErrorCode::UnknownDevice.into()));
        }
        let keys = state.prekeys.entry(device).or_default();
        let known = |(id, (hash, content)): (&(u8, PrekeyId), &Key)| Known {
            kind: id.0,
            id: id.1,
            hash: *hash,
            held: content.is_some(),
        };
        let plan = match prekey::plan(&keys.iter().map(known).collect::<Vec<_>>(), items) {
            Ok(plan) => plan,
            Err(refused) => return done(Err(refused)),
        };
        for gone in plan.retire {
            keys.entry(gone).and_modify(|(_, content)| *content = None);
        }
        for item in plan.add {
            keys.insert((item.kind, item.id), (item.hash(), Some(item.content)));
        }
        done(Ok(state.held(device)))
    }

    fn count(&self, device: DeviceId) -> Answer<'_, KeyCount> {
        done(Ok(self.state().held(device)))
    }

    fn claim(&self, devices: Vec<DeviceId>) -> Answer<'_, Vec<Claimed>> {
        let mut state = self.state();
        let mut claimed = Vec::new();
        for device in devices {
            let keys = state.prekeys.entry(device).or_default();
            let oldest = |kind: u8| {
                let mut held = keys.iter().filter(|((k, _), (_, content))| *k == kind && content.is_some());
                held.next().map(|((_, id), (_, content))| Item {
                    kind,
                    id: *id,
                    content: content.clone().unwrap_or_default(),
                })
            };
            let oldest: Vec<Item> = (0..=3).filter_map(oldest).collect();
            let Some((bundle, spent)) = prekey::bundle(device, &oldest) else { continue };
            for gone in spent {
                keys.entry(gone).and_modify(|(_, content)| *content = None);
            }
            claimed.push(Claimed { bundle, left: state.held(device) });
        }
        done(Ok(claimed))
    }
}

impl Sessions for MemoryStore {
    fn begin(&self, new: NewFamily) -> Answer<'_, ()> {
        let mut state = self.state();
        match state.by_id(new.account) {
            None => return done(Err(ErrorCode::Unauthenticated.into())),
            Some(known) if new.proven.is_some_and(|proven| proven != known.credentials.verifier.salt) => {
                return done(Err(ErrorCode::InvalidCredentials.into()));
            }
            Some(known) if known.account.disabled.is_some() => return done(Err(ErrorCode::AccountDisabled.into())),
            Some(_) if !state.devices.contains_key(&new.device) => return done(Err(ErrorCode::UnknownDevice.into())),
            Some(_) => {}
        }
        let NewFamily { family, account, device, refresh, expires, proven: _ } = new;
        state.families.insert(family, Family { account, device, expires, revoked: false, previous: None });
        state.refresh_tokens.insert(refresh, (family, false, expires));
        done(Ok(()))
    }

    fn rotate(&self, shown: RefreshHash, new: RefreshHash, now: u64, expires: u64) -> Answer<'_, Rotation> {
        let mut state = self.state();
        let known = state.refresh_tokens.get(&shown).and_then(|(family, used, expires)| {
            let known = state.families.get(family)?;
            Some(ShownToken {
                account: known.account,
                device: known.device,
                family: *family,
                revoked: known.revoked,
                expires: *expires,
                standing: match known.previous {
                    _ if !*used => Standing::Present,
                    Some((previous, exchanged)) if previous == shown => Standing::Previous { exchanged },
                    _ => Standing::Older,
                },
            })
        });
        let rotation = rotate(known.as_ref(), now);
        match rotation {
            Rotation::Rotated { family, .. } | Rotation::Repeated { family, .. } => {
                let of_family = state.refresh_tokens.values_mut().filter(|(of, _, _)| *of == family);
                of_family.for_each(|(_, used, _)| *used = true);
                state.refresh_tokens.insert(new, (family, false, expires));
                if let Some(known) = state.families.get_mut(&family) {
                    known.expires = expires;
                    if matches!(rotation, Rotation::Rotated { .. }) {
                        known.previous = Some((shown, now));
                    }
                }
            }
            Rotation::Reused(family) => {
                state.families.entry(family).and_modify(|known| known.revoked = true);
            }
            Rotation::Unknown | Rotation::Expired | Rotation::Revoked => {}
        }
        done(Ok(rotation))
    }

    fn revoke(&self, family: FamilyId, _now: u64) -> Answer<'_, ()> {
        self.state().families.entry(family).and_modify(|known| known.revoked = true);
        done(Ok(()))
    }

    fn is_revoked(&self, family: FamilyId) -> Answer<'_, bool> {
        done(Ok(self.state().families.get(&family).is_some_and(|known| known.revoked)))
    }

    fn expire(&self, now: u64, batch: u32) -> Answer<'_, u64> {
        let mut state = self.state();
        let over = state.families.iter().filter(|(_, family)| family.expires <= now).map(|(id, _)| *id);
        let over: Vec<FamilyId> = over.take(batch as usize).collect();
        state.families.retain(|id, _| !over.contains(id));
        state.refresh_tokens.retain(|_, (family, _, _)| !over.contains(family));
        done(Ok(over.len() as u64))
    }
}
