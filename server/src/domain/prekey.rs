//! Which prekeys a relay takes and in which order it gives them out.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec;
use susurro_protocol::keys::{CertificateBody, OneTimePrekey, Prekey, PrekeyKind};
use susurro_protocol::limits::{ONE_TIME_PREKEYS_LOW, ONE_TIME_PREKEYS_MAX};
use susurro_protocol::rest::{BundleText, KeyCount, PublishKeys, SignedText, prekey_digest};
use susurro_protocol::{DeviceId, ErrorCode, PrekeyId};

use super::error::Error;

/// Number of a one-time X25519 prekey where the others have [`PrekeyKind::number`].
pub const ONE_TIME: u8 = 0;

/// A prekey as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// [`ONE_TIME`] or [`PrekeyKind::number`].
    pub kind: u8,
    /// Its identifier.
    pub id: PrekeyId,
    /// The public key, or the msgpack of the signed prekey.
    pub content: Vec<u8>,
}

impl Item {
    /// SHA-256 of its content: what stays when it was given out.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.content).into()
    }
}

/// What the store remembers of a prekey, given out or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its kind.
    pub kind: u8,
    /// Its identifier.
    pub id: PrekeyId,
    /// [`Item::hash`].
    pub hash: [u8; 32],
    /// Whether it is still here to be given out.
    pub held: bool,
}

/// What an accepted upload changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be added.
    pub add: Vec<Item>,
    /// To be marked as gone: the signed and last-resort prekeys that are replaced.
    pub retire: Vec<(u8, PrekeyId)>,
}

/// Verifies an upload against the certificate of its device.
///
/// # Errors
///
/// [`ErrorCode::InvalidPrekeys`] for a signature that does not hold, an identifier out of range, or
/// more keys than a relay keeps.
pub fn verify(upload: &PublishKeys, owner: &CertificateBody) -> Result<Vec<Item>, Error> {
    if upload.one_time.len() > ONE_TIME_PREKEYS_MAX || upload.pq_one_time.len() > ONE_TIME_PREKEYS_MAX {
        return Err(too_many());
    }
    let mut items = vec![
        signed(&upload.signed_prekey, owner, PrekeyKind::Signed)?,
        signed(&upload.pq_last_resort, owner, PrekeyKind::PqLastResort)?,
    ];
    for text in &upload.pq_one_time {
        items.push(signed(text, owner, PrekeyKind::PqOneTime)?);
    }
    for key in &upload.one_time {
        items.push(Item { kind: ONE_TIME, id: checked_id(key.id)?, content: key.key.0.to_vec() });
    }
    Ok(items)
}

/// Decides what of a verified upload is new. The same keys again change nothing, keys that were
/// given out stay gone, and an identifier never stands for two keys.
///
/// # Errors
///
/// [`ErrorCode::InvalidPrekeys`].
pub fn plan(known: &[Known], items: Vec<Item>) -> Result<Plan, Error> {
    let mut hashes: HashMap<(u8, PrekeyId), [u8; 32]> = known.iter().map(|k| ((k.kind, k.id), k.hash)).collect();
    let mut held: BTreeMap<u8, usize> = BTreeMap::new();
    for key in known.iter().filter(|k| k.held) {
        *held.entry(key.kind).or_default() += 1;
    }
    let mut plan = Plan::default();
    for item in items {
        match hashes.get(&(item.kind, item.id)) {
            Some(hash) if *hash == item.hash() => continue,
            Some(_) => return Err(invalid("a prekey's id was used for another key")),
            None => {}
        }
        if is_one_time(item.kind) {
            *held.entry(item.kind).or_default() += 1;
        } else {
            let same_kind = || known.iter().filter(|k| k.kind == item.kind);
            if same_kind().any(|k| k.id > item.id) {
                return Err(invalid("a signed prekey may only be replaced by one with a higher id"));
            }
            plan.retire.extend(same_kind().filter(|k| k.held).map(|k| (k.kind, k.id)));
        }
        hashes.insert((item.kind, item.id), item.hash());
        plan.add.push(item);
    }
    if held.iter().any(|(kind, count)| is_one_time(*kind) && *count > ONE_TIME_PREKEYS_MAX) {
        return Err(too_many());
    }
    Ok(plan)
}

/// Counts and names what is held for a device.
#[must_use]
pub fn count(held: &[(u8, PrekeyId)]) -> KeyCount {
    let of = |kind: u8| u32::try_from(held.iter().filter(|(k, _)| *k == kind).count()).unwrap_or(u32::MAX);
    KeyCount {
        one_time: of(ONE_TIME),
        pq_one_time: of(PrekeyKind::PqOneTime.number()),
        digest: Fixed(prekey_digest(held.iter().copied())),
    }
}

/// Whether the device should bring more.
#[must_use]
pub fn is_low(count: &KeyCount) -> bool {
    let low = u32::try_from(ONE_TIME_PREKEYS_LOW).unwrap_or(u32::MAX);
    count.one_time < low || count.pq_one_time < low
}

/// Puts a bundle together from the oldest held prekey of each kind, and says which of them are
/// spent by that. `None` while the device has not published.
#[must_use]
pub fn bundle(device: DeviceId, oldest: &[Item]) -> Option<(BundleText, Vec<(u8, PrekeyId)>)> {
    let of = |kind: u8| oldest.iter().find(|item| item.kind == kind);
    let text = |item: &Item| SignedText(item.content.as_slice().into());
    let signed_prekey = of(PrekeyKind::Signed.number())?;
    let pq = of(PrekeyKind::PqOneTime.number()).or_else(|| of(PrekeyKind::PqLastResort.number()))?;
    let one_time = of(ONE_TIME);
    let bundle = BundleText {
        device,
        signed_prekey: text(signed_prekey),
        pq_prekey: text(pq),
        pq_kind: pq.kind,
        one_time_prekey: one_time
            .and_then(|item| Some(OneTimePrekey { id: item.id, key: Fixed(item.content.as_slice().try_into().ok()?) })),
    };
    let spent = [Some(pq), one_time].into_iter().flatten().filter(|item| is_one_time(item.kind));
    Some((bundle, spent.map(|item| (item.kind, item.id)).collect()))
}

/// Whether a kind is given out once.
#[must_use]
pub fn is_one_time(kind: u8) -> bool {
    kind == ONE_TIME || kind == PrekeyKind::PqOneTime.number()
}

fn signed(text: &SignedText, owner: &CertificateBody, kind: PrekeyKind) -> Result<Item, Error> {
    let signed = text.read().map_err(|why| invalid(why.to_string()))?;
    let prekey = Prekey::verify(signed, owner, kind).map_err(|why| invalid(why.to_string()))?;
    // Encoded again: what is stored and compared has no room for unknown trailing elements.
    let content = codec::encode(prekey.signed());
    Ok(Item { kind: kind.number(), id: checked_id(prekey.body().id)?, content })
}

fn checked_id(id: PrekeyId) -> Result<PrekeyId, Error> {
    // The upper end is what a signed 64-bit column holds.
    if id == 0 || i64::try_from(id).is_err() { Err(invalid("prekey ids count upwards from 1")) } else { Ok(id) }
}

fn invalid(why: impl Into<String>) -> Error {
    Error::explained(ErrorCode::InvalidPrekeys, why)
}

fn too_many() -> Error {
    invalid(format!("a relay keeps at most {ONE_TIME_PREKEYS_MAX} one-time prekeys of each kind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: u8, id: u64, byte: u8) -> Item {
        Item { kind, id, content: vec![byte; 32] }
    }

    fn known(item: &Item, held: bool) -> Known {
        Known { kind: item.kind, id: item.id, hash: item.hash(), held }
    }

    #[test]
    fn the_same_keys_again_change_nothing_and_spent_ones_stay_gone() {
        let (held, spent) = (item(0, 1, 1), item(0, 2, 2));
        let before = [known(&held, true), known(&spent, false)];
        assert_eq!(plan(&before, vec![held.clone(), spent.clone()]), Ok(Plan::default()));
        assert_eq!(plan(&before, vec![item(0, 2, 9)]).map_err(|e| e.code()), Err(ErrorCode::InvalidPrekeys));
        assert_eq!(
            plan(&[], vec![item(0, 3, 1), item(0, 3, 2)]).map_err(|e| e.code()),
            Err(ErrorCode::InvalidPrekeys),
            "also inside one upload"
        );
    }

    #[test]
    fn a_signed_prekey_is_replaced_by_a_higher_id_only() {
        let (old, new) = (item(1, 5, 1), item(1, 6, 2));
        let planned = plan(&[known(&old, true)], vec![new.clone()]);
        assert_eq!(planned, Ok(Plan { add: vec![new], retire: vec![(1, 5)] }));
        assert!(plan(&[known(&old, true)], vec![item(1, 4, 3)]).is_err());
    }

    #[test]
    fn no_more_than_the_limit_is_kept_of_each_one_time_kind() {
        let full: Vec<_> = (1..=200).map(|id| item(0, id, 1)).collect();
        assert!(plan(&[], full.clone()).is_ok());
        let known: Vec<_> = full.iter().map(|i| known(i, true)).collect();
        assert!(plan(&known, vec![item(0, 201, 1)]).is_err());
        assert!(plan(&known, vec![item(2, 201, 1)]).is_ok());
    }

    #[test]
    fn a_bundle_takes_the_last_resort_key_only_when_no_other_is_left() {
        let device = DeviceId::from_bytes([1; 16]);
        let all = [item(1, 1, 1), item(3, 2, 1), item(2, 3, 1), item(0, 4, 1)];
        let spent = bundle(device, &all).map(|(b, spent)| (b.pq_kind, spent));
        assert_eq!(spent, Some((2, vec![(2, 3), (0, 4)])));
        let spent = bundle(device, &all[..2]).map(|(b, spent)| (b.pq_kind, b.one_time_prekey, spent));
        assert_eq!(spent, Some((3, None, vec![])));
        assert_eq!(bundle(device, &all[1..]), None);
    }
}
