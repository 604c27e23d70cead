//! Prekeys: what is taken, and to whom it is given.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::event::PrekeysLow;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::keys::{OneTimePrekey, PQ_PUBLIC_KEY_BYTES, PrekeyKind};
use susurro_protocol::rest::{BundleText, ClaimResponse, KeyCount, PublishKeys, SignedText, UserDevices};
use susurro_protocol::signed::{Label, SignedBytes};
use susurro_protocol::{AccountId, DeviceId, ErrorCode, PrekeyId, codec};

use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Ground, Person, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("PUB-6/count", ["PUB-6", "REST-7"], "keys are counted, and their digest is as computed here", counted),
        check!("PUB-1/again", ["PUB-1", "REST-7"], "the same keys again change nothing", published_again),
        check!("PUB-1/other-contents", ["PUB-1"], "an id with other contents", other_contents),
        check!(
            "PUB-1/given-out",
            ["PUB-1", "REST-7"],
            "a key that was given out stays gone, and its id is not used again",
            given_out
        ),
        check!(
            "PUB-1/all-or-nothing",
            ["PUB-1", "REST-7"],
            "an upload with one bad key among good ones",
            all_or_nothing
        ),
        check!("PUB-2/ids", ["PUB-2"], "ids of 0, of 2^63, and the same id for each kind", ids),
        check!("PUB-3/lower", ["PUB-3"], "a signed or last-resort prekey with a lower id", lower),
        check!("PUB-3/higher", ["PUB-3"], "one with a higher id replaces it", higher),
        check!("PUB-4/too-many", ["PUB-4", "LIM-1"], "201 one-time keys at once, and one above 200 held", too_many),
        check!("KEY-5/signature", ["KEY-5", "REST-7"], "a prekey whose signature does not hold", signature),
        check!("KEY-5/other-key", ["KEY-5"], "a prekey that another device has signed", other_key),
        check!(
            "KEY-5/other-kind",
            ["KEY-5", "SIG-2"],
            "a one-time prekey in the place of a last-resort one",
            other_kind
        ),
        check!(
            "KEY-5/other-body",
            ["KEY-5", "VER-4"],
            "a prekey of another account, device, suite, kind or size",
            other_body
        ),
        check!("CLAIM-1/order", ["CLAIM-1", "KEY-7"], "keys are given out from the lowest id, each once", in_order),
        check!(
            "CLAIM-1/last-resort",
            ["CLAIM-1", "KEY-7"],
            "when none is left, the last-resort key comes, again and again",
            last_resort
        ),
        check!("CLAIM-1/bundle", ["CLAIM-1", "KEY-5"], "a bundle is what was published, and verifies", bundle),
        check!("CLAIM-2/unpublished", ["CLAIM-2"], "a device that has published nothing is left out", unpublished),
        check!("CLAIM-2/chosen-devices", ["CLAIM-2"], "only the devices that are named, and none of others", chosen),
        check!("CLAIM-3/race", ["CLAIM-3", "KEY-7"], "two claims at once for the last key, several times", race),
        check!("CLAIM-4/nobody", ["CLAIM-4"], "a claim for an account that does not exist", nobody),
        check!(
            "DLV-7/after-handshake",
            ["DLV-7", "CONN-16"],
            "PrekeysLow is the first frame of a session with few keys",
            low_at_once
        ),
        check!("DLV-7/after-claim", ["DLV-7"], "PrekeysLow comes after a claim that leaves few", low_after_claim),
        check!("DLV-7/enough", ["DLV-7"], "nothing of the kind with enough keys", enough),
        check!("HTTP-9/devices", ["HTTP-9"], "a name's device list, and names that nobody has", devices),
    ]
}

/// A prekey as its device signs it.
fn prekey(person: &Person, kind: PrekeyKind, id: PrekeyId, key: &[u8]) -> SignedText {
    let owner = (person.account, person.device);
    let made = susurro_protocol::keys::Prekey::issue(&person.signing_key, owner, kind, id, 1_790_000_000, key);
    SignedText::of(made.signed())
}

fn bytes<const N: usize>(id: PrekeyId) -> [u8; N] {
    [id.to_be_bytes()[7]; N]
}

/// An upload with these one-time ids of each kind, and signed and last-resort prekeys of id 1.
fn upload(person: &Person, ids: std::ops::Range<PrekeyId>) -> PublishKeys {
    PublishKeys {
        signed_prekey: prekey(person, PrekeyKind::Signed, 1, &[1; 32]),
        pq_last_resort: prekey(person, PrekeyKind::PqLastResort, 1, &[1; PQ_PUBLIC_KEY_BYTES]),
        one_time: ids.clone().map(|id| OneTimePrekey { id, key: Fixed(bytes(id)) }).collect(),
        pq_one_time: ids
            .map(|id| prekey(person, PrekeyKind::PqOneTime, id, &bytes::<PQ_PUBLIC_KEY_BYTES>(id)))
            .collect(),
    }
}

async fn put(person: &Person, keys: &PublishKeys) -> Result<Answer, Stop> {
    person.put("/keys", keys).await
}

async fn publish(person: &Person, keys: &PublishKeys) -> Result<KeyCount, Stop> {
    put(person, keys).await?.read(200)
}

async fn refused(person: &Person, keys: &PublishKeys) -> Outcome {
    put(person, keys).await?.refused(ErrorCode::InvalidPrekeys)
}

async fn count(person: &Person) -> Result<KeyCount, Stop> {
    person.get("/keys/count").await?.read(200)
}

/// The digest of section 15.4, computed from the document.
fn digest(prekeys: &[(u8, PrekeyId)]) -> Fixed<32> {
    let mut sorted = prekeys.to_vec();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(b"susurro/v1/prekey-digest\0");
    for (kind, id) in sorted {
        hash.update([kind]);
        hash.update(id.to_be_bytes());
    }
    Fixed(hash.finalize().into())
}

async fn claim(who: &Person, account: AccountId, devices: &[DeviceId]) -> Result<Vec<BundleText>, Stop> {
    let answer = who.post("/keys/claim", &json!({"account": account, "devices": devices})).await?;
    answer.read::<ClaimResponse>(200).map(|response| response.bundles)
}

/// The only bundle of a claim.
async fn claimed(who: &Person, whose: &Person) -> Result<BundleText, Stop> {
    let mut bundles = claim(who, whose.account, &[]).await?;
    match (bundles.pop(), bundles.len()) {
        (Some(bundle), 0) if bundle.device == whose.device => Ok(bundle),
        (bundle, more) => Err(Stop::failed("one bundle, of the device", format!("{bundle:?} and {more} more"))),
    }
}

fn pq_id(bundle: &BundleText) -> Option<PrekeyId> {
    let signed = bundle.pq_prekey.read().ok()?;
    codec::decode::<susurro_protocol::keys::PrekeyBody>(signed.body.as_slice()).ok().map(|body| body.id)
}

async fn counted(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    same("count of nothing", &KeyCount { one_time: 0, pq_one_time: 0, digest: digest(&[]) }, &count(&person).await?)?;
    let put = publish(&person, &upload(&person, 5..8)).await?;
    let all = [(0, 5), (0, 6), (0, 7), (1, 1), (2, 5), (2, 6), (2, 7), (3, 1)];
    same("count", &KeyCount { one_time: 3, pq_one_time: 3, digest: digest(&all) }, &put)?;
    same("count", &put, &count(&person).await?)
}

async fn published_again(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let keys = upload(&person, 1..4);
    let first = publish(&person, &keys).await?;
    same("count", &first, &publish(&person, &keys).await?)?;
    let more = publish(&person, &upload(&person, 2..6)).await?;
    same("counts of the union", &(5, 5), &(more.one_time, more.pq_one_time))
}

async fn other_contents(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let first = publish(&person, &upload(&person, 1..4)).await?;
    let mut one_time = upload(&person, 1..4);
    one_time.one_time[1].key = Fixed([99; 32]);
    refused(&person, &one_time).await?;
    let mut pq = upload(&person, 1..4);
    pq.pq_one_time[1] = prekey(&person, PrekeyKind::PqOneTime, 2, &[99; PQ_PUBLIC_KEY_BYTES]);
    refused(&person, &pq).await?;
    let mut signed = upload(&person, 1..4);
    signed.signed_prekey = prekey(&person, PrekeyKind::Signed, 1, &[99; 32]);
    refused(&person, &signed).await?;
    let mut twice = upload(&person, 4..5);
    twice.one_time.push(OneTimePrekey { id: 4, key: Fixed([99; 32]) });
    refused(&person, &twice).await?;
    same("count", &first, &count(&person).await?)
}

async fn given_out(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    let keys = upload(&person, 1..3);
    publish(&person, &keys).await?;
    same("id", &Some(1), &claimed(&pair.alice, &person).await?.one_time_prekey.map(|key| key.id))?;
    let again = publish(&person, &keys).await?;
    same("counts", &(1, 1), &(again.one_time, again.pq_one_time))?;
    let mut other = keys;
    other.one_time[0].key = Fixed([99; 32]);
    refused(&person, &other).await?;
    same("id", &Some(2), &claimed(&pair.alice, &person).await?.one_time_prekey.map(|key| key.id))
}

async fn all_or_nothing(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let before = publish(&person, &upload(&person, 1..3)).await?;
    let mut mixed = upload(&person, 3..9);
    mixed.signed_prekey = prekey(&person, PrekeyKind::Signed, 2, &[2; 32]);
    mixed.one_time[3].id = 0;
    refused(&person, &mixed).await?;
    same("count", &before, &count(&person).await?)
}

async fn ids(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    publish(&person, &upload(&person, 1..2)).await?;
    for id in [0, 1 << 63, u64::MAX] {
        let mut keys = upload(&person, 1..2);
        keys.one_time.push(OneTimePrekey { id, key: Fixed([7; 32]) });
        refused(&person, &keys).await?;
        let mut keys = upload(&person, 1..2);
        keys.pq_one_time.push(prekey(&person, PrekeyKind::PqOneTime, id, &[7; PQ_PUBLIC_KEY_BYTES]));
        refused(&person, &keys).await?;
    }
    let mut keys = upload(&person, 1..2);
    keys.one_time.push(OneTimePrekey { id: (1 << 63) - 1, key: Fixed([7; 32]) });
    same("count", &2, &publish(&person, &keys).await?.one_time)
}

/// An upload without one-time keys, and with these ids of the signed and the last-resort prekey.
fn long_lived(person: &Person, signed: PrekeyId, last_resort: PrekeyId) -> PublishKeys {
    PublishKeys {
        signed_prekey: prekey(person, PrekeyKind::Signed, signed, &bytes::<32>(signed)),
        pq_last_resort: prekey(
            person,
            PrekeyKind::PqLastResort,
            last_resort,
            &bytes::<PQ_PUBLIC_KEY_BYTES>(last_resort),
        ),
        one_time: Vec::new(),
        pq_one_time: Vec::new(),
    }
}

async fn lower(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let before = publish(&person, &long_lived(&person, 5, 5)).await?;
    refused(&person, &long_lived(&person, 4, 5)).await?;
    refused(&person, &long_lived(&person, 5, 4)).await?;
    same("count", &before, &count(&person).await?)
}

async fn higher(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    publish(&person, &long_lived(&person, 5, 5)).await?;
    let now = publish(&person, &long_lived(&person, 9, 8)).await?;
    same("digest", &digest(&[(1, 9), (3, 8)]), &now.digest)?;
    let bundle = claimed(&pair.alice, &person).await?;
    same("signed prekey", &long_lived(&person, 9, 8).signed_prekey, &bundle.signed_prekey)?;
    same("last-resort prekey", &Some(8), &pq_id(&bundle))?;
    // Back to one that was replaced: neither taken back nor an error to be told of twice.
    let back = put(&person, &long_lived(&person, 5, 8)).await?;
    that(back.status == 200 || back.status == 422, "200 or 422", back.status)?;
    same("digest", &digest(&[(1, 9), (3, 8)]), &count(&person).await?.digest)
}

async fn too_many(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    let mut keys = upload(&person, 1..1);
    keys.one_time = (1..=201).map(|id| OneTimePrekey { id, key: Fixed(random()) }).collect();
    refused(&person, &keys).await?;
    keys.one_time.pop();
    same("count", &200, &publish(&person, &keys).await?.one_time)?;
    let mut more = upload(&person, 1..1);
    more.one_time.push(OneTimePrekey { id: 201, key: Fixed(random()) });
    refused(&person, &more).await?;
    same("count", &200, &count(&person).await?.one_time)
}

/// An upload in which one prekey was replaced is refused, whichever of the three kinds it is.
async fn each_refused(relay: &Ground, make: impl Fn(&Person, PrekeyKind) -> SignedText) -> Outcome {
    let person = relay.person().await?;
    for kind in [PrekeyKind::Signed, PrekeyKind::PqOneTime, PrekeyKind::PqLastResort] {
        let mut keys = upload(&person, 1..2);
        let place = match kind {
            PrekeyKind::Signed => &mut keys.signed_prekey,
            PrekeyKind::PqOneTime => &mut keys.pq_one_time[0],
            PrekeyKind::PqLastResort => &mut keys.pq_last_resort,
        };
        *place = make(&person, kind);
        refused(&person, &keys).await.map_err(|stop| super::tokens::about(&stop, &format!("{kind:?}")))?;
    }
    same("nothing was taken", &digest(&[]), &count(&person).await?.digest)
}

fn size(kind: PrekeyKind) -> usize {
    if kind == PrekeyKind::Signed { 32 } else { PQ_PUBLIC_KEY_BYTES }
}

async fn signature(relay: &Ground) -> Outcome {
    each_refused(relay, |person, kind| {
        let mut text = prekey(person, kind, 1, &vec![1; size(kind)]);
        if let Ok(mut signed) = text.read() {
            signed.signature.0[5] ^= 1;
            text = SignedText::of(&signed);
        }
        text
    })
    .await
}

async fn other_key(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    each_refused(relay, |person, kind| {
        let mut thief = person.with_tokens(person.tokens.clone());
        thief.signing_key = pair.alice.signing_key.clone();
        prekey(&thief, kind, 1, &vec![1; size(kind)])
    })
    .await
}

async fn other_kind(relay: &Ground) -> Outcome {
    each_refused(relay, |person, kind| {
        let other = if kind == PrekeyKind::PqOneTime { PrekeyKind::PqLastResort } else { PrekeyKind::PqOneTime };
        prekey(person, other, 1, &[1; PQ_PUBLIC_KEY_BYTES])
    })
    .await
}

async fn other_body(relay: &Ground) -> Outcome {
    type Change = fn(&mut susurro_protocol::keys::PrekeyBody);
    let changes: [Change; 5] = [
        |body| body.suite = 2,
        |body| body.account = AccountId::from_bytes([9; 16]),
        |body| body.device = DeviceId::from_bytes([9; 16]),
        |body| body.kind = body.kind % 3 + 1,
        |body| body.key = vec![1; body.key.len() - 1].into(),
    ];
    for change in changes {
        each_refused(relay, |person, kind| {
            let good = prekey(person, kind, 1, &vec![1; size(kind)]).read().ok();
            let body = good.and_then(|signed| codec::decode(signed.body.as_slice()).ok());
            let Some(mut body) = body else { return SignedText(Vec::new().into()) };
            change(&mut body);
            let label = match kind {
                PrekeyKind::Signed => Label::SignedPrekey,
                PrekeyKind::PqOneTime => Label::PqOneTimePrekey,
                PrekeyKind::PqLastResort => Label::PqLastResortPrekey,
            };
            SignedText::of(&SignedBytes::new(&person.signing_key, label, codec::encode(&body)))
        })
        .await?;
    }
    Ok(())
}

async fn in_order(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    publish(&person, &upload(&person, 11..14)).await?;
    // Lower ids that come later are older all the same.
    publish(&person, &upload(&person, 3..5)).await?;
    for id in [3, 4, 11, 12, 13] {
        let bundle = claimed(&pair.alice, &person).await?;
        let seen = (bundle.one_time_prekey.map(|key| key.id), bundle.pq_kind, pq_id(&bundle));
        same("one-time keys", &(Some(id), 2, Some(id)), &seen)?;
    }
    let left = count(&person).await?;
    same("counts", &(0, 0), &(left.one_time, left.pq_one_time))
}

async fn last_resort(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    publish(&person, &upload(&person, 1..2)).await?;
    claimed(&pair.alice, &person).await?;
    for _ in 0..3 {
        let bundle = claimed(&pair.alice, &person).await?;
        let seen = (bundle.one_time_prekey, bundle.pq_kind, pq_id(&bundle));
        same("last-resort key alone", &(None, 3, Some(1)), &seen)?;
    }
    same("digest", &digest(&[(1, 1), (3, 1)]), &count(&person).await?.digest)
}

async fn bundle(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    let keys = upload(&person, 1..2);
    publish(&person, &keys).await?;
    let bundle = claimed(&pair.alice, &person).await?;
    same("signed prekey", &keys.signed_prekey, &bundle.signed_prekey)?;
    same("one-time ML-KEM prekey", &keys.pq_one_time[0], &bundle.pq_prekey)?;
    same("one-time X25519 prekey", &Some(keys.one_time[0]), &bundle.one_time_prekey)
}

async fn unpublished(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    let bundles = claim(&pair.alice, person.account, &[]).await?;
    that(bundles.is_empty(), "no bundle", bundles.len())
}

async fn chosen(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    publish(&person, &upload(&person, 1..3)).await?;
    let others = [DeviceId::from_bytes(random()), pair.bob.device];
    let bundles = claim(&pair.alice, person.account, &others).await?;
    that(bundles.is_empty(), "no bundle of others' devices", bundles.len())?;
    same("counts", &(2, 2), &count(&person).await.map(|left| (left.one_time, left.pq_one_time))?)?;
    let bundles = claim(&pair.alice, person.account, &[others[0], person.device]).await?;
    same("devices", &vec![person.device], &bundles.iter().map(|bundle| bundle.device).collect())
}

async fn race(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    let mut given = HashSet::new();
    for round in 1..=8 {
        publish(&person, &upload(&person, round..round + 1)).await?;
        let (one, other) = tokio::join!(claimed(&pair.alice, &person), claimed(&pair.bob, &person));
        let (one, other) = (one?, other?);
        let keys: Vec<_> = [&one, &other].iter().filter_map(|bundle| bundle.one_time_prekey).collect();
        let [key] = keys[..] else {
            return Err(Stop::failed("the last one-time key for one of two", format!("{keys:?}")));
        };
        that(key.id == round && given.insert(key.id), format!("key {round}"), key.id)?;
        let mut kinds = [one.pq_kind, other.pq_kind];
        kinds.sort_unstable();
        same("kinds of ML-KEM keys", &[2, 3], &kinds)?;
    }
    Ok(())
}

async fn nobody(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let account = AccountId::from_bytes(random());
    pair.alice.post("/keys/claim", &json!({"account": account, "devices": []})).await?.refused(ErrorCode::NotFound)
}

async fn low_at_once(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    publish(&person, &upload(&person, 1..3)).await?;
    let mut session = person.connect(0).await?;
    match session.any().await? {
        Ok(frame) if frame.kind == FrameKind::PrekeysLow => {
            let low = codec::decode::<PrekeysLow>(&frame.body)
                .map_err(|error| Stop::failed("PrekeysLow", error.to_string()))?;
            same("one_time and pq_one_time", &(2, 2), &(low.one_time, low.pq_one_time))
        }
        other => Err(Stop::failed("PrekeysLow", format!("{other:?}"))),
    }
}

async fn low_after_claim(relay: &Ground) -> Outcome {
    let (person, pair) = (relay.person().await?, relay.pair().await?);
    publish(&person, &upload(&person, 1..31)).await?;
    let mut session = person.connect(0).await?;
    session.quiet().await?;
    claimed(&pair.alice, &person).await?;
    match session.any().await? {
        Ok(frame) if frame.kind == FrameKind::PrekeysLow => {
            let low = codec::decode::<PrekeysLow>(&frame.body)
                .map_err(|error| Stop::failed("PrekeysLow", error.to_string()))?;
            same("one_time and pq_one_time", &(29, 29), &(low.one_time, low.pq_one_time))
        }
        other => Err(Stop::failed("PrekeysLow", format!("{other:?}"))),
    }
}

async fn enough(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    publish(&person, &upload(&person, 1..31)).await?;
    let mut session = person.connect(0).await?;
    session.say(FrameKind::Ping, &susurro_protocol::command::Ping { nonce: 1 }).await;
    match session.any().await? {
        Ok(frame) if frame.kind == FrameKind::Pong => Ok(()),
        other => Err(Stop::failed("Pong and no PrekeysLow", format!("{other:?}"))),
    }
}

async fn devices(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let shown: UserDevices = pair.alice.get(&format!("/users/{}/devices", pair.bob.name)).await?.read(200)?;
    same("account", &pair.bob.account, &shown.account)?;
    same("list", &SignedText::of(pair.bob.list.signed()), &shown.device_list)?;
    let nobody = format!("/users/{}/devices", crate::relays::ground::fresh_name("nobody-"));
    crate::relays::ground::ask(pair.alice.request(Method::GET, &nobody)).await?.refused(ErrorCode::NotFound)
}
