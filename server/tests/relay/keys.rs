//! Prekeys.

use std::collections::HashSet;

use susurro_protocol::command::{Ack, Ping};
use susurro_protocol::event::PrekeysLow;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::keys::{DeviceList, OneTimePrekey, Prekey, PrekeyKind};
use susurro_protocol::rest::{ClaimRequest, ClaimResponse, KeyCount, prekey_digest};
use susurro_protocol::{AccountId, ErrorCode, codec};

use crate::support::{Person, code, register, relay};

async fn claim(who: &Person, account: AccountId) -> ClaimResponse {
    who.post("/keys/claim", &ClaimRequest { account, devices: Vec::new() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn published_keys_are_counted_named_and_given_out_oldest_first() {
    let relay = relay().await;
    let (alice, bob) = (register(&relay, "alice").await, register(&relay, "bob").await);
    let count: KeyCount = bob.get("/keys/count").await.unwrap();
    assert_eq!((count.one_time, count.pq_one_time, count.digest.0), (0, 0, prekey_digest([])));
    assert!(claim(&alice, bob.account).await.bundles.is_empty(), "a device without prekeys is left out");

    let put: KeyCount = bob.put("/keys", &bob.keys(1..=3)).await.unwrap();
    let ids = |range: std::ops::RangeInclusive<u64>| range.flat_map(|id| [(0, id), (2, id)]).chain([(1, 1), (3, 1)]);
    assert_eq!((put.one_time, put.pq_one_time, put.digest.0), (3, 3, prekey_digest(ids(1..=3))));
    assert_eq!(bob.get::<KeyCount>("/keys/count").await.unwrap(), put);

    for id in 1..=3 {
        let claimed = claim(&alice, bob.account).await;
        let list = DeviceList::verify(claimed.device_list.read().unwrap()).unwrap();
        let owner = list.certificate(&bob.device).unwrap().body();
        let bundle = claimed.bundles[0].read().unwrap();
        Prekey::verify(bundle.signed_prekey, owner, PrekeyKind::Signed).unwrap();
        let pq = Prekey::verify(bundle.pq_prekey, owner, PrekeyKind::PqOneTime).unwrap();
        assert_eq!((bundle.pq_kind, pq.body().id), (2, id));
        assert_eq!(bundle.one_time_prekey.map(|key| key.id), Some(id));
    }
    let last = claim(&alice, bob.account).await.bundles.remove(0);
    assert_eq!((last.pq_kind, last.one_time_prekey), (3, None), "the last resort when nothing else is left");
    let count: KeyCount = bob.get("/keys/count").await.unwrap();
    assert_eq!((count.one_time, count.pq_one_time, count.digest.0), (0, 0, prekey_digest([(1, 1), (3, 1)])));

    // The upload that got no answer comes again: what was given out does not come back.
    assert_eq!(bob.put::<KeyCount>("/keys", &bob.keys(1..=3)).await.unwrap(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_do_not_hold_are_refused_whole() {
    let relay = relay().await;
    let (alice, bob) = (register(&relay, "alice").await, register(&relay, "bob").await);
    bob.put::<KeyCount>("/keys", &bob.keys(1..=2)).await.unwrap();
    let refused = async |keys| code(bob.put::<KeyCount>("/keys", &keys).await);

    assert_eq!(refused(alice.keys(3..=4)).await, Some(ErrorCode::InvalidPrekeys), "of another device");
    let mut changed = bob.keys(3..=4);
    changed.one_time.push(OneTimePrekey { id: 1, key: susurro_protocol::bytes::Fixed([99; 32]) });
    assert_eq!(refused(changed).await, Some(ErrorCode::InvalidPrekeys), "an id used for another key");
    let mut confused = bob.keys(3..=4);
    confused.pq_one_time[0] = confused.pq_last_resort.clone();
    assert_eq!(refused(confused).await, Some(ErrorCode::InvalidPrekeys), "a kind for another");
    let mut zero = bob.keys(3..=4);
    zero.one_time[0].id = 0;
    assert_eq!(refused(zero).await, Some(ErrorCode::InvalidPrekeys));
    assert_eq!(refused(bob.keys(3..=203)).await, Some(ErrorCode::InvalidPrekeys), "more than are kept");
    assert_eq!(refused(bob.keys(3..=201)).await, Some(ErrorCode::InvalidPrekeys), "together with those held");

    let count: KeyCount = bob.get("/keys/count").await.unwrap();
    assert_eq!((count.one_time, count.pq_one_time), (2, 2), "nothing of all that was taken");
    let missing = ClaimRequest { account: AccountId::from_bytes([1; 16]), devices: Vec::new() };
    assert_eq!(code(alice.post::<ClaimResponse>("/keys/claim", &missing).await), Some(ErrorCode::NotFound));
    let nobody = ClaimRequest { account: bob.account, devices: vec![alice.device] };
    assert!(alice.post::<ClaimResponse>("/keys/claim", &nobody).await.unwrap().bundles.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_21_no_one_time_key_is_given_out_twice_however_many_ask_at_once() {
    let relay = relay().await;
    let (alice, bob) = (register(&relay, "alice").await, register(&relay, "bob").await);
    bob.put::<KeyCount>("/keys", &bob.keys(1..=40)).await.unwrap();
    let request = ClaimRequest { account: bob.account, devices: Vec::new() };
    let asking: Vec<_> = (0..50)
        .map(|_| tokio::spawn(alice.request(reqwest::Method::POST, "/keys/claim").json(&request).send()))
        .collect();
    let (mut x25519, mut pq, mut last_resort) = (HashSet::new(), HashSet::new(), 0);
    for one in asking {
        let mut claimed: ClaimResponse = one.await.unwrap().unwrap().json().await.unwrap();
        let bundle = claimed.bundles.remove(0);
        if let Some(key) = bundle.one_time_prekey {
            assert!(x25519.insert(key.id), "{} twice", key.id);
        }
        match bundle.pq_kind {
            2 => assert!(pq.insert(bundle.pq_prekey.0.as_slice().to_vec())),
            _ => last_resort += 1,
        }
    }
    assert_eq!((x25519.len(), pq.len(), last_resort), (40, 40, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_hears_that_its_keys_run_out() {
    let relay = relay().await;
    let (alice, bob) = (register(&relay, "alice").await, register(&relay, "bob").await);
    bob.put::<KeyCount>("/keys", &bob.keys(1..=30)).await.unwrap();
    let mut talk = bob.connect(0).await;
    // Thirty are enough: the answer to a ping comes first.
    talk.say(FrameKind::Ping, &Ping { nonce: 1 }).await;
    let first = talk.socket.receive().await.unwrap();
    assert_eq!(talk.pair.opener.open_message(&first).unwrap().kind(), FrameKind::Pong);
    claim(&alice, bob.account).await;
    let told = async |talk: &mut crate::support::Talk| {
        let bytes = talk.socket.receive().await.unwrap();
        let frame = talk.pair.opener.open_message(&bytes).unwrap();
        assert_eq!(frame.kind(), FrameKind::PrekeysLow);
        codec::decode::<PrekeysLow>(frame.body()).unwrap()
    };
    assert_eq!(told(&mut talk).await, PrekeysLow { one_time: 29, pq_one_time: 29 });
    drop(talk);
    claim(&alice, bob.account).await;
    let (_, mut talk) = bob.greet(0).await;
    talk.say(FrameKind::Ack, &Ack { cursor: 0 }).await;
    assert_eq!(told(&mut talk).await, PrekeysLow { one_time: 28, pq_one_time: 28 }, "also what happened while away");
}
