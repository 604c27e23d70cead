//! The private halves of this device's prekeys (PQXDH, section 3.2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rand_core::CryptoRng;
use susurro_protocol::PrekeyId;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{OneTimePrekey, Prekey, PrekeyKind};
use susurro_protocol::limits::{ONE_TIME_PREKEYS_LOW, ONE_TIME_PREKEYS_TARGET};
use susurro_protocol::rest::{PublishKeys, SignedText};
use zeroize::Zeroizing;

use super::dh::DhSecret;
use super::error::DecryptError;
use super::identity::LocalDevice;
use super::kem::{KEM_SEED_BYTES, Kem as _, MlKem768};
use super::secret::Secret;
use super::state::{BadState, Reader, Writer};

const STATE_VERSION: u8 = 1;

/// Seconds after which the signed prekey and the last-resort key are replaced.
pub const ROTATE_SECONDS: u64 = 7 * 24 * 3600;

/// Seconds that the private half of a replaced key is kept: a message that was encrypted to it
/// waits at the relay for that long.
pub const RETIRED_SECONDS: u64 = 30 * 24 * 3600;

/// A clock that was this far ahead when a key was made is set right by rotating.
const CLOCK_SLACK_SECONDS: u64 = 24 * 3600;

/// One-time private keys of each kind kept for senders that have claimed one and not yet
/// written: ten times what is published.
const ONE_TIME_KEPT_MAX: usize = 1000;

/// Handshakes remembered for last-resort keys. Above it they are refused until a rotation: an
/// entry may not be forgotten while its keys live, and 20,000 first contacts in 37 days with all
/// one-time keys used up are a flood.
const REPLAYS_MAX: usize = 20_000;

/// The kind number of a one-time X25519 prekey in [`susurro_protocol::rest::prekey_digest`].
const KIND_ONE_TIME: u8 = 0;

/// A key that is replaced every seven days.
struct Rotating<T> {
    id: PrekeyId,
    created: u64,
    /// When it was replaced, in seconds since 1970; 0 for the present one.
    retired: u64,
    secret: T,
}

impl<T> Rotating<T> {
    fn new(id: PrekeyId, created: u64, secret: T) -> Arc<Self> {
        Arc::new(Self { id, created, retired: 0, secret })
    }

    fn destroyed(&self, now: u64) -> bool {
        self.retired != 0 && now.saturating_sub(self.retired) > RETIRED_SECONDS
    }
}

/// A key that is used once.
struct OneTime<T> {
    created: u64,
    secret: T,
}

type PqSeed = Secret<KEM_SEED_BYTES>;

/// What is remembered of a handshake with a last-resort key: signed prekey, KEM key, ephemeral.
type Replay = (PrekeyId, PrekeyId, [u8; 32]);

/// All prekeys of this device. Operations give a new value and leave the old one as it is.
pub struct Prekeys {
    /// The present one first.
    signed: Vec<Arc<Rotating<DhSecret>>>,
    last_resort: Vec<Arc<Rotating<PqSeed>>>,
    one_time: BTreeMap<PrekeyId, Arc<OneTime<DhSecret>>>,
    pq_one_time: BTreeMap<PrekeyId, Arc<OneTime<PqSeed>>>,
    next_id: PrekeyId,
    /// One-time keys below this identifier are at the relay, or were.
    unpublished_from: PrekeyId,
    replays: BTreeSet<Replay>,
}

/// Private halves of prekeys with their identifiers, the present ones first.
#[derive(Default)]
pub struct PrekeySecrets {
    /// Signed X25519 prekeys.
    pub signed: Vec<(PrekeyId, Secret<32>)>,
    /// Last-resort ML-KEM prekeys, as seeds.
    pub last_resort: Vec<(PrekeyId, PqSeed)>,
    /// One-time X25519 prekeys.
    pub one_time: Vec<(PrekeyId, Secret<32>)>,
    /// One-time ML-KEM prekeys, as seeds.
    pub pq_one_time: Vec<(PrekeyId, PqSeed)>,
}

/// The keys of a handshake that starts with this device.
pub(crate) struct Chosen<'a> {
    pub(crate) signed: &'a DhSecret,
    pub(crate) one_time: Option<&'a DhSecret>,
    pub(crate) pq_seed: &'a PqSeed,
}

impl Chosen<'_> {
    /// The public half of the one-time prekey, if the handshake names one.
    pub(crate) fn one_time_prekey(&self, id: PrekeyId) -> Option<OneTimePrekey> {
        self.one_time.map(|key| OneTimePrekey { id, key: Fixed(*key.public()) })
    }
}

/// Which keys a handshake names.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    pub(crate) signed: PrekeyId,
    /// 0 for none.
    pub(crate) one_time: PrekeyId,
    pub(crate) pq_kind: PrekeyKind,
    pub(crate) pq: PrekeyId,
    pub(crate) ephemeral: [u8; 32],
}

impl Prekeys {
    /// The first prekeys of a device. `now` is in seconds since 1970.
    pub fn generate(_device: &LocalDevice, now: u64, rng: &mut dyn CryptoRng) -> Self {
        let mut prekeys = Self {
            signed: vec![Rotating::new(1, now, DhSecret::generate(rng))],
            last_resort: vec![Rotating::new(2, now, Secret::random(rng))],
            one_time: BTreeMap::new(),
            pq_one_time: BTreeMap::new(),
            next_id: 3,
            unpublished_from: 3,
            replays: BTreeSet::new(),
        };
        prekeys.add_one_time(ONE_TIME_PREKEYS_TARGET, ONE_TIME_PREKEYS_TARGET, now, rng);
        prekeys
    }

    /// Prekeys of which each private half is given, as if they had been published at `created`.
    /// Later ones get identifiers above all of these. For checks against other implementations.
    ///
    /// # Errors
    ///
    /// [`BadState`] without a signed and a last-resort key.
    pub fn from_keys(keys: PrekeySecrets, created: u64) -> Result<Self, BadState> {
        let PrekeySecrets { signed, last_resort, one_time, pq_one_time } = keys;
        let ids = |keys: &[(PrekeyId, Secret<32>)]| keys.iter().map(|(id, _)| *id).max();
        let pq_ids = |keys: &[(PrekeyId, PqSeed)]| keys.iter().map(|(id, _)| *id).max();
        let highest = [ids(&signed), ids(&one_time), pq_ids(&last_resort), pq_ids(&pq_one_time)];
        let next_id = highest.into_iter().flatten().max().unwrap_or(0).saturating_add(1);
        if signed.is_empty() || last_resort.is_empty() {
            return Err(BadState);
        }
        let pair = |secret: Secret<32>| DhSecret::from_secret(&secret);
        Ok(Self {
            signed: signed.into_iter().map(|(id, key)| Rotating::new(id, created, pair(key))).collect(),
            last_resort: last_resort.into_iter().map(|(id, seed)| Rotating::new(id, created, seed)).collect(),
            one_time: (one_time.into_iter())
                .map(|(id, key)| (id, Arc::new(OneTime { created, secret: pair(key) })))
                .collect(),
            pq_one_time: (pq_one_time.into_iter())
                .map(|(id, secret)| (id, Arc::new(OneTime { created, secret })))
                .collect(),
            next_id,
            unpublished_from: next_id,
            replays: BTreeSet::new(),
        })
    }

    /// What has to be put to the relay now: the present signed and last-resort prekeys and every
    /// one-time prekey that [`mark_published`](Self::mark_published) does not know to be there.
    /// The same bytes each time, so that it can be repeated after a crash.
    #[must_use]
    pub fn publication(&self, device: &LocalDevice) -> PublishKeys {
        let issue = |kind, id, created, key: &[u8]| {
            let owner = (device.account(), device.device());
            SignedText::of(Prekey::issue(device.signing_key(), owner, kind, id, created, key).signed())
        };
        // Both lists always hold a present key; an empty text could only be refused by the relay.
        let signed_prekey =
            self.signed.first().map(|key| issue(PrekeyKind::Signed, key.id, key.created, key.secret.public()));
        let pq_last_resort = self
            .last_resort
            .first()
            .map(|key| issue(PrekeyKind::PqLastResort, key.id, key.created, &MlKem768::public_key(&key.secret)));
        let empty = || SignedText(Vec::new().into());
        PublishKeys {
            signed_prekey: signed_prekey.unwrap_or_else(empty),
            pq_last_resort: pq_last_resort.unwrap_or_else(empty),
            one_time: (self.one_time.range(self.unpublished_from..))
                .map(|(id, key)| OneTimePrekey { id: *id, key: Fixed(*key.secret.public()) })
                .collect(),
            pq_one_time: (self.pq_one_time.range(self.unpublished_from..))
                .map(|(id, key)| issue(PrekeyKind::PqOneTime, *id, key.created, &MlKem768::public_key(&key.secret)))
                .collect(),
        }
    }

    /// The prekeys after a publication has arrived: its one-time keys are not put again, since
    /// the relay may have given some out already.
    #[must_use]
    pub fn mark_published(&self) -> Self {
        let mut next = self.duplicate();
        next.unpublished_from = next.next_id;
        next
    }

    /// Whether there are one-time prekeys that have not been put to the relay.
    #[must_use]
    pub fn has_unpublished(&self) -> bool {
        let from = self.unpublished_from;
        self.one_time.range(from..).next().is_some() || self.pq_one_time.range(from..).next().is_some()
    }

    /// Kind and identifier of every public prekey whose private half is here, for
    /// [`susurro_protocol::rest::prekey_digest`]. Equal to what the relay holds only while none
    /// has been given out: see [`published_when_left`](Self::published_when_left).
    pub fn published(&self) -> impl Iterator<Item = (u8, PrekeyId)> {
        self.published_when_left(u32::MAX, u32::MAX)
    }

    /// As [`published`](Self::published), when the relay says that it has so many one-time
    /// prekeys left: it gives out the oldest first, so the newest remain.
    pub fn published_when_left(&self, one_time: u32, pq_one_time: u32) -> impl Iterator<Item = (u8, PrekeyId)> {
        let signed = self.signed.first().map(|key| (PrekeyKind::Signed.number(), key.id));
        let last_resort = self.last_resort.first().map(|key| (PrekeyKind::PqLastResort.number(), key.id));
        let newest = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let one_time = self.one_time.keys().rev().take(newest(one_time)).map(|id| (KIND_ONE_TIME, *id));
        let pq = self.pq_one_time.keys().rev().take(newest(pq_one_time));
        signed.into_iter().chain(last_resort).chain(one_time).chain(pq.map(|id| (PrekeyKind::PqOneTime.number(), *id)))
    }

    /// New one-time prekeys when the relay has fewer than [`ONE_TIME_PREKEYS_LOW`] left of either
    /// kind; to be stored before they are published.
    pub fn refill(
        &self,
        _device: &LocalDevice,
        one_time_left: u32,
        pq_left: u32,
        now: u64,
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        let missing = |left: u32| {
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            if left < ONE_TIME_PREKEYS_LOW { ONE_TIME_PREKEYS_TARGET - left } else { 0 }
        };
        let (one_time, pq) = (missing(one_time_left), missing(pq_left));
        (one_time + pq > 0).then(|| {
            let mut next = self.duplicate();
            next.add_one_time(one_time, pq, now, rng);
            next
        })
    }

    /// A new signed prekey and last-resort prekey after [`ROTATE_SECONDS`], and without the old
    /// ones whose [`RETIRED_SECONDS`] are over; `None` when nothing is due.
    pub fn rotate_if_due(&self, _device: &LocalDevice, now: u64, rng: &mut dyn CryptoRng) -> Option<Self> {
        let due = self.signed.first().is_none_or(|key| {
            now.saturating_sub(key.created) >= ROTATE_SECONDS || key.created > now.saturating_add(CLOCK_SLACK_SECONDS)
        });
        let destroy =
            self.signed.iter().any(|key| key.destroyed(now)) || self.last_resort.iter().any(|key| key.destroyed(now));
        if !due && !destroy {
            return None;
        }
        let mut next = self.duplicate();
        if due {
            retire(&mut next.signed, now, DhSecret::duplicate);
            retire(&mut next.last_resort, now, Secret::duplicate);
            let id = next.take_id();
            next.signed.insert(0, Rotating::new(id, now, DhSecret::generate(rng)));
            let id = next.take_id();
            next.last_resort.insert(0, Rotating::new(id, now, Secret::random(rng)));
        }
        next.signed.retain(|key| !key.destroyed(now));
        next.last_resort.retain(|key| !key.destroyed(now));
        let (signed, last_resort) = (&next.signed, &next.last_resort);
        next.replays.retain(|(signed_id, pq_id, _)| {
            signed.iter().any(|key| key.id == *signed_id) && last_resort.iter().any(|key| key.id == *pq_id)
        });
        Some(next)
    }

    /// The private halves that a handshake names.
    pub(crate) fn choose(&self, named: &Named, now: u64) -> Result<Chosen<'_>, DecryptError> {
        let unknown = DecryptError::UnknownPrekey;
        let signed = self.signed.iter().find(|key| key.id == named.signed && !key.destroyed(now)).ok_or(unknown)?;
        let one_time = match named.one_time {
            0 => None,
            id => Some(&self.one_time.get(&id).ok_or(unknown)?.secret),
        };
        let pq_seed = match named.pq_kind {
            PrekeyKind::Signed => return Err(DecryptError::Malformed),
            PrekeyKind::PqOneTime => &self.pq_one_time.get(&named.pq).ok_or(unknown)?.secret,
            PrekeyKind::PqLastResort => {
                if self.replays.contains(&(named.signed, named.pq, named.ephemeral)) {
                    return Err(DecryptError::Duplicate);
                }
                if self.replays.len() >= REPLAYS_MAX {
                    return Err(unknown);
                }
                let key = self.last_resort.iter().find(|key| key.id == named.pq && !key.destroyed(now));
                &key.ok_or(unknown)?.secret
            }
        };
        Ok(Chosen { signed: &signed.secret, one_time, pq_seed })
    }

    /// The prekeys after a handshake: its one-time keys are gone, one with a last-resort key is
    /// remembered, so that neither can be replayed.
    pub(crate) fn consume(&self, named: &Named) -> Self {
        let mut next = self.duplicate();
        next.one_time.remove(&named.one_time);
        match named.pq_kind {
            PrekeyKind::PqOneTime => drop(next.pq_one_time.remove(&named.pq)),
            PrekeyKind::PqLastResort => drop(next.replays.insert((named.signed, named.pq, named.ephemeral))),
            PrekeyKind::Signed => {}
        }
        next
    }

    /// All of it, to be stored encrypted.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Writer::new(STATE_VERSION);
        out.u64(self.next_id).u64(self.unpublished_from);
        out.count(self.signed.len());
        for key in &self.signed {
            out.u64(key.id).u64(key.created).u64(key.retired).raw(key.secret.expose()).raw(key.secret.public());
        }
        out.count(self.last_resort.len());
        for key in &self.last_resort {
            out.u64(key.id).u64(key.created).u64(key.retired).raw(key.secret.expose());
        }
        out.count(self.one_time.len());
        for (id, key) in &self.one_time {
            out.u64(*id).u64(key.created).raw(key.secret.expose()).raw(key.secret.public());
        }
        out.count(self.pq_one_time.len());
        for (id, key) in &self.pq_one_time {
            out.u64(*id).u64(key.created).raw(key.secret.expose());
        }
        out.count(self.replays.len());
        for (signed, pq, ephemeral) in &self.replays {
            out.u64(*signed).u64(*pq).raw(ephemeral);
        }
        out.finish()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    ///
    /// [`BadState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadState> {
        let mut reader = Reader::new(bytes, STATE_VERSION)?;
        let (next_id, unpublished_from) = (reader.u64()?, reader.u64()?);
        let mut signed = Vec::new();
        for _ in 0..reader.count(88)? {
            let (id, created, retired) = (reader.u64()?, reader.u64()?, reader.u64()?);
            let secret = DhSecret::from_stored(reader.array()?, *reader.array()?);
            signed.push(Arc::new(Rotating { id, created, retired, secret }));
        }
        let mut last_resort = Vec::new();
        for _ in 0..reader.count(88)? {
            let (id, created, retired) = (reader.u64()?, reader.u64()?, reader.u64()?);
            last_resort.push(Arc::new(Rotating { id, created, retired, secret: Secret::copy_of(reader.array()?) }));
        }
        let mut one_time = BTreeMap::new();
        for _ in 0..reader.count(80)? {
            let (id, created) = (reader.u64()?, reader.u64()?);
            let secret = DhSecret::from_stored(reader.array()?, *reader.array()?);
            one_time.insert(id, Arc::new(OneTime { created, secret }));
        }
        let mut pq_one_time = BTreeMap::new();
        for _ in 0..reader.count(80)? {
            let (id, created) = (reader.u64()?, reader.u64()?);
            pq_one_time.insert(id, Arc::new(OneTime { created, secret: Secret::copy_of(reader.array()?) }));
        }
        let mut replays = BTreeSet::new();
        for _ in 0..reader.count(48)? {
            replays.insert((reader.u64()?, reader.u64()?, *reader.array()?));
        }
        reader.end()?;
        if signed.is_empty() || last_resort.is_empty() {
            return Err(BadState);
        }
        Ok(Self { signed, last_resort, one_time, pq_one_time, next_id, unpublished_from, replays })
    }

    fn add_one_time(&mut self, one_time: usize, pq: usize, now: u64, rng: &mut dyn CryptoRng) {
        for _ in 0..one_time {
            let id = self.take_id();
            self.one_time.insert(id, Arc::new(OneTime { created: now, secret: DhSecret::generate(rng) }));
        }
        for _ in 0..pq {
            let id = self.take_id();
            self.pq_one_time.insert(id, Arc::new(OneTime { created: now, secret: Secret::random(rng) }));
        }
        while self.one_time.len() > ONE_TIME_KEPT_MAX {
            self.one_time.pop_first();
        }
        while self.pq_one_time.len() > ONE_TIME_KEPT_MAX {
            self.pq_one_time.pop_first();
        }
    }

    /// The next identifier, never given before: a peer that still holds an old key can then only
    /// name a key that is gone, not meet another one.
    fn take_id(&mut self) -> PrekeyId {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Copies share the secrets; they are wiped with the last copy.
    fn duplicate(&self) -> Self {
        Self {
            signed: self.signed.clone(),
            last_resort: self.last_resort.clone(),
            one_time: self.one_time.clone(),
            pq_one_time: self.pq_one_time.clone(),
            next_id: self.next_id,
            unpublished_from: self.unpublished_from,
            replays: self.replays.clone(),
        }
    }
}

impl fmt::Debug for Prekeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prekeys({} one-time, {} post-quantum one-time)", self.one_time.len(), self.pq_one_time.len())
    }
}

/// Marks the present key of `keys` as replaced.
fn retire<T>(keys: &mut [Arc<Rotating<T>>], now: u64, duplicate: impl Fn(&T) -> T) {
    if let Some(key) = keys.first_mut() {
        let secret = duplicate(&key.secret);
        *key = Arc::new(Rotating { id: key.id, created: key.created, retired: now.max(1), secret });
    }
}
