//! What a relay knows: accounts, prekeys, chats, tokens and mailboxes, in memory.
//!
//! It keeps the rules of `docs/protocol.md`. A check that wants them broken changes what is here, or
//! what goes over the wire.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};
use susurro_protocol::announcement::Notice;
use susurro_protocol::command::Send;
use susurro_protocol::event::{Deliver, Rejected};
use susurro_protocol::keys::{DeviceList, OneTimePrekey, PrekeyBody};
use susurro_protocol::limits::ACCESS_SECONDS;
use susurro_protocol::rest::{
    BundleText, Chat, ChatConfig, ChatMember, ClaimResponse, KeyCount, PublishKeys, SignedText, StretchParams,
    TokenResponse, prekey_digest,
};
use susurro_protocol::{
    AccountId, AccountName, AnnouncementId, ChatId, DeviceId, ErrorCode, MailboxSeq, MessageId, codec,
};

use crate::clients::random;

/// Everything that a relay has stored.
#[derive(Clone)]
pub struct World {
    /// The relay's key.
    pub key: SigningKey,
    /// By name.
    pub accounts: BTreeMap<String, Account>,
    /// By device.
    pub devices: BTreeMap<DeviceId, Device>,
    /// Members of each chat.
    pub chats: BTreeMap<ChatId, [AccountId; 2]>,
    /// Access tokens, and whether they are still good.
    pub access: HashMap<String, (DeviceId, Result<(), ErrorCode>)>,
    /// Refresh tokens, and whether they are still good.
    pub refresh: HashMap<String, (DeviceId, Result<(), ErrorCode>)>,
    /// What it answers when it is asked for announcements.
    pub announced: Vec<(AnnouncementId, Notice)>,
    stored: HashMap<MessageId, ([u8; 32], u64)>,
    serial: u64,
}

/// An account.
#[derive(Clone)]
pub struct Account {
    /// Its identifier.
    pub account: AccountId,
    /// The present device list, as it was registered.
    pub list: DeviceList,
    /// What the relay shows instead of the list, where it lies.
    pub shown: Option<SignedText>,
    /// How the password is stretched.
    pub stretch: StretchParams,
    /// The stretched password.
    pub auth: [u8; 32],
}

/// A device.
#[derive(Clone)]
pub struct Device {
    /// Its account.
    pub account: AccountId,
    /// Its signing key.
    pub signing_key: [u8; 32],
    /// What waits, in the order of delivery.
    pub mailbox: Vec<Deliver>,
    /// The last position given out.
    pub head: MailboxSeq,
    /// Its prekeys.
    pub keys: Option<Keys>,
}

/// The prekeys of a device.
#[derive(Clone)]
pub struct Keys {
    /// The signed prekey.
    pub signed: SignedText,
    /// The last-resort prekey.
    pub last_resort: SignedText,
    /// One-time X25519 prekeys.
    pub one_time: BTreeMap<u64, OneTimePrekey>,
    /// One-time ML-KEM prekeys.
    pub pq: BTreeMap<u64, SignedText>,
    seen: BTreeSet<(u8, u64)>,
}

impl Account {
    /// The list as the relay shows it.
    #[must_use]
    pub fn shown(&self) -> SignedText {
        self.shown.clone().unwrap_or_else(|| SignedText::of(self.list.signed()))
    }
}

impl Device {
    /// `mailbox_head` for a client with this cursor: where it lies beyond everything that was given out, the relay was
    /// restored from a backup, and the client goes on before the oldest message that waits (CONN-7).
    #[must_use]
    pub fn head_for(&self, cursor: MailboxSeq) -> MailboxSeq {
        let oldest = self.mailbox.iter().map(|delivery| delivery.seq).min();
        if cursor > self.head { oldest.map_or(self.head, |oldest| oldest.saturating_sub(1)) } else { self.head }
    }
}

impl Keys {
    fn new(keys: &PublishKeys) -> Self {
        Self {
            signed: keys.signed_prekey.clone(),
            last_resort: keys.pq_last_resort.clone(),
            one_time: BTreeMap::new(),
            pq: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    fn put(&mut self, keys: &PublishKeys) {
        self.signed = keys.signed_prekey.clone();
        self.last_resort = keys.pq_last_resort.clone();
        for key in &keys.one_time {
            if self.seen.insert((0, key.id)) {
                self.one_time.insert(key.id, *key);
            }
        }
        for key in &keys.pq_one_time {
            if self.seen.insert((2, id_of(key))) {
                self.pq.insert(id_of(key), key.clone());
            }
        }
    }

    /// What `GET /keys/count` says.
    #[must_use]
    pub fn count(&self) -> KeyCount {
        let fixed = [(1, id_of(&self.signed)), (3, id_of(&self.last_resort))];
        let one_time = self.one_time.keys().map(|id| (0, *id));
        let ids = fixed.into_iter().chain(one_time).chain(self.pq.keys().map(|id| (2, *id)));
        KeyCount {
            one_time: count(self.one_time.len()),
            pq_one_time: count(self.pq.len()),
            digest: susurro_protocol::bytes::Fixed(prekey_digest(ids)),
        }
    }

    /// Gives out a bundle (KEY-7).
    pub fn claim(&mut self, device: DeviceId) -> BundleText {
        let (pq_prekey, pq_kind) = match self.pq.pop_first() {
            Some((_, key)) => (key, 2),
            None => (self.last_resort.clone(), 3),
        };
        let one_time_prekey = self.one_time.pop_first().map(|(_, key)| key);
        BundleText { device, signed_prekey: self.signed.clone(), pq_prekey, pq_kind, one_time_prekey }
    }
}

impl World {
    /// A relay without anybody.
    #[must_use]
    pub fn new() -> Self {
        Self {
            key: SigningKey::from_bytes(&random()),
            accounts: BTreeMap::new(),
            devices: BTreeMap::new(),
            chats: BTreeMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            announced: Vec::new(),
            stored: HashMap::new(),
            serial: 1,
        }
    }

    /// The relay's public key.
    #[must_use]
    pub fn relay_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Takes an account with one device.
    pub fn add(&mut self, name: &str, list: DeviceList, stretch: StretchParams, auth: [u8; 32]) -> TokenResponse {
        let account = list.body().account;
        for certificate in list.certificates() {
            let body = certificate.body();
            let device = Device { account, signing_key: body.signing_key.0, mailbox: Vec::new(), head: 0, keys: None };
            self.devices.insert(body.device, device);
        }
        let first = list.certificates().first().map(|c| c.body().device).unwrap_or(DeviceId::from_bytes([0; 16]));
        self.accounts.insert(name.to_owned(), Account { account, list, shown: None, stretch, auth });
        self.tokens(account, first)
    }

    /// New tokens for a device.
    pub fn tokens(&mut self, account: AccountId, device: DeviceId) -> TokenResponse {
        self.serial += 1;
        let (access_token, refresh_token) = (format!("access-{}", self.serial), format!("refresh-{}", self.serial));
        self.access.insert(access_token.clone(), (device, Ok(())));
        self.refresh.insert(refresh_token.clone(), (device, Ok(())));
        TokenResponse {
            account,
            device,
            access_token,
            access_expires_in: ACCESS_SECONDS,
            refresh_token,
            refresh_expires_in: 30 * 24 * 3600,
        }
    }

    /// Exchanges a refresh token; one that was exchanged before ends its login (AUTH-6): this relay grants none of the
    /// minute of AUTH-13, which is what a client meets that comes back later.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn exchange(&mut self, token: &str) -> Result<TokenResponse, ErrorCode> {
        let (device, state) = self.refresh.get(token).copied().ok_or(ErrorCode::Unauthenticated)?;
        if let Err(code) = state {
            self.revoke(device);
            return Err(code);
        }
        self.refresh.insert(token.to_owned(), (device, Err(ErrorCode::TokenRevoked)));
        let account = self.devices.get(&device).map(|device| device.account).ok_or(ErrorCode::UnknownDevice)?;
        Ok(self.tokens(account, device))
    }

    /// Takes every token of a device back.
    pub fn revoke(&mut self, device: DeviceId) {
        for (owner, state) in self.access.values_mut().chain(self.refresh.values_mut()) {
            if *owner == device {
                *state = Err(ErrorCode::TokenRevoked);
            }
        }
    }

    /// Ends the time of every access token of a device; refresh tokens stay good.
    pub fn expire(&mut self, device: DeviceId) {
        for (owner, state) in self.access.values_mut() {
            if *owner == device && state.is_ok() {
                *state = Err(ErrorCode::TokenExpired);
            }
        }
    }

    /// The device of an access token.
    ///
    /// # Errors
    ///
    /// Why it is not good.
    pub fn check_token(&self, token: Option<&str>) -> Result<DeviceId, ErrorCode> {
        let (device, state) =
            token.and_then(|token| self.access.get(token)).copied().ok_or(ErrorCode::Unauthenticated)?;
        state.map(|()| device)
    }

    /// The account with this identifier, and its name.
    #[must_use]
    pub fn account(&self, account: &AccountId) -> Option<(&String, &Account)> {
        self.accounts.iter().find(|(_, known)| known.account == *account)
    }

    /// The first device of a name.
    #[must_use]
    pub fn device_of(&self, name: &str) -> Option<DeviceId> {
        Some(self.accounts.get(name)?.list.certificates().first()?.body().device)
    }

    /// Takes prekeys.
    pub fn publish(&mut self, device: DeviceId, keys: &PublishKeys) -> Option<KeyCount> {
        let held = &mut self.devices.get_mut(&device)?.keys;
        let held = held.get_or_insert_with(|| Keys::new(keys));
        held.put(keys);
        Some(held.count())
    }

    /// Gives out bundles.
    pub fn claim(&mut self, account: AccountId, devices: &[DeviceId]) -> Option<ClaimResponse> {
        let (_, owner) = self.account(&account)?;
        let device_list = owner.shown();
        let own: Vec<_> = owner.list.certificates().iter().map(|c| c.body().device).collect();
        let wanted = own.into_iter().filter(|device| devices.is_empty() || devices.contains(device));
        let wanted: Vec<_> = wanted.collect();
        let bundle = |id: DeviceId| Some(self.devices.get_mut(&id)?.keys.as_mut()?.claim(id));
        Some(ClaimResponse { device_list, bundles: wanted.into_iter().filter_map(bundle).collect() })
    }

    /// Opens the chat of two accounts.
    pub fn open_chat(&mut self, one: AccountId, other: AccountId) -> Chat {
        let chat = ChatId::direct(&one, &other);
        self.chats.insert(chat, [one, other]);
        self.chat(&chat).unwrap_or(Chat {
            chat,
            kind: "direct".to_owned(),
            members: Vec::new(),
            created: 0,
            config: ChatConfig::INITIAL,
        })
    }

    /// A chat as the relay shows it.
    #[must_use]
    pub fn chat(&self, chat: &ChatId) -> Option<Chat> {
        let members = self.chats.get(chat)?;
        let named = members.iter().filter_map(|member| {
            let (name, _) = self.account(member)?;
            Some(ChatMember { account: *member, name: name.parse::<AccountName>().ok()? })
        });
        Some(Chat {
            chat: *chat,
            kind: "direct".to_owned(),
            members: named.collect(),
            created: 1,
            config: ChatConfig::INITIAL,
        })
    }

    /// Takes a message as section 11.2 says; gives when, and what was put where.
    ///
    /// # Errors
    ///
    /// The rejection.
    pub fn store(
        &mut self,
        from: DeviceId,
        send: &Send,
        now: u64,
    ) -> Result<(u64, Vec<(DeviceId, Deliver)>), Rejected> {
        let rejected = |code| rejection(send.message, code);
        let hash: [u8; 32] = Sha256::digest(codec::encode(send)).into();
        if let Some((known, at)) = self.stored.get(&send.message) {
            let again = *known == hash;
            return if again { Ok((*at, Vec::new())) } else { Err(rejected(ErrorCode::MessageIdReused)) };
        }
        let sender = self.devices.get(&from).ok_or_else(|| rejected(ErrorCode::UnknownDevice))?.account;
        let members = self.chats.get(&send.chat).filter(|members| members.contains(&sender));
        let members = *members.ok_or_else(|| rejected(ErrorCode::UnknownChat))?;
        let lists: Vec<_> = members.iter().filter_map(|member| self.account(member)).map(|(_, known)| known).collect();
        let named = |account: &AccountId| send.lists.iter().find(|list| list.account == *account).map(|l| l.version);
        let stale: Vec<_> = lists
            .iter()
            .filter(|known| named(&known.account) != Some(known.list.body().version))
            .map(|known| known.account)
            .collect();
        let wanted: BTreeSet<_> = lists
            .iter()
            .flat_map(|known| known.list.certificates())
            .map(|certificate| certificate.body().device)
            .filter(|device| *device != from)
            .collect();
        let given: BTreeSet<_> = send.deposits.iter().map(|deposit| deposit.device).collect();
        if !stale.is_empty() || wanted != given || given.len() != send.deposits.len() {
            return Err(Rejected {
                stale,
                missing: wanted.difference(&given).copied().collect(),
                extra: given.difference(&wanted).copied().collect(),
                ..rejected(ErrorCode::StaleDeviceList)
            });
        }
        let mut put = Vec::new();
        for deposit in &send.deposits {
            let delivery = Deliver {
                seq: 0,
                message: send.message,
                chat: send.chat,
                sender,
                sender_device: from,
                stored_at: now,
                ciphertext: deposit.ciphertext.clone(),
            };
            if let Some(delivery) = self.deposit(deposit.device, delivery) {
                put.push((deposit.device, delivery));
            }
        }
        self.stored.insert(send.message, (hash, now));
        Ok((now, put))
    }

    /// Puts a delivery into a mailbox, at the next position.
    pub fn deposit(&mut self, device: DeviceId, delivery: Deliver) -> Option<Deliver> {
        let device = self.devices.get_mut(&device)?;
        device.head += 1;
        let delivery = Deliver { seq: device.head, ..delivery };
        device.mailbox.push(delivery.clone());
        Some(delivery)
    }

    /// Forgets deliveries up to a position.
    pub fn forget(&mut self, device: DeviceId, cursor: MailboxSeq) {
        if let Some(device) = self.devices.get_mut(&device) {
            device.mailbox.retain(|delivery| delivery.seq > cursor);
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// A rejection without anything but its code.
#[must_use]
pub fn rejection(message: MessageId, code: ErrorCode) -> Rejected {
    Rejected { message, code, stale: Vec::new(), missing: Vec::new(), extra: Vec::new(), retry_after: 0 }
}

/// The id of a signed prekey; 0 for bytes that are none.
#[must_use]
pub fn id_of(text: &SignedText) -> u64 {
    let body = text.read().ok().and_then(|signed| codec::decode::<PrekeyBody>(signed.body.as_slice()).ok());
    body.map_or(0, |body| body.id)
}

fn count(keys: usize) -> u32 {
    u32::try_from(keys).unwrap_or(u32::MAX)
}
