//! Prekey bundles that a relay forges, mixes, swaps and strips.

use susurro_protocol::bytes::Fixed;
use susurro_protocol::content::{Repair, TYPE_REPAIR};
use susurro_protocol::keys::OneTimePrekey;
use susurro_protocol::rest::{BundleText, ClaimResponse, KeyCount, SignedText};
use susurro_protocol::{DeviceId, codec};

use super::rules;
use crate::clients::peer::Peer;
use crate::clients::relay::Reply;
use crate::clients::run::Lanes;
use crate::clients::stage::Lane;
use crate::clients::{fault, random};
use crate::suite::check::that;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!("KEY-5/forged-signature", ["KEY-5", "KA-6"], "a signed prekey whose signature does not hold", forged),
        client!(
            "KEY-5/forged-kem-signature",
            ["KEY-5", "KA-6"],
            "an ML-KEM prekey whose signature does not hold",
            forged_kem
        ),
        client!(
            "KEY-5/prekeys-of-another-device",
            ["KEY-5", "KA-6"],
            "all prekeys of somebody else, under the device's id",
            others_keys
        ),
        client!(
            "KEY-5/last-resort-as-one-time",
            ["KEY-5", "SIG-2"],
            "the last-resort ML-KEM prekey, said to be a one-time one",
            wrong_label
        ),
        client!(
            "KEY-5/signed-prekey-as-kem",
            ["KEY-5", "SIG-2"],
            "the signed prekey in the place of the ML-KEM prekey",
            wrong_kind
        ),
        client!("KEY-5/bundle-of-another-device", ["KEY-5"], "a bundle with another device's id", other_device),
        client!("KA-1/one-time-key-of-zeros", ["KA-1"], "a one-time prekey with which nothing can be agreed", zero_key),
        client!(
            "CLAIM-5/list-of-another-account",
            ["CLAIM-5", "KEY-2"],
            "a claim comes with somebody else's device list",
            others_list
        ),
        client!(
            "KA-6/stripped-keys",
            ["KA-6", "KA-9", "CLAIM-1"],
            "no one-time key at all, only the last resort",
            stripped
        ),
        client!(
            "CON-6/swapped-one-time-prekey",
            ["CON-6", "KEY-7"],
            "a swapped one-time prekey makes a message unreadable",
            swapped
        ),
        client!(
            "REST-8/other-digest",
            ["REST-8", "REST-7"],
            "the relay holds other prekeys than it was given",
            other_digest
        ),
    ]
}

/// The client refuses a claim that `change` has changed: nothing is sent, nothing lost.
async fn refuses(lane: &Lane, change: impl Fn(&mut ClaimResponse, &Peer) + Send + 'static) -> Outcome {
    let mut stage = lane.registered().await?;
    let mut carol = Peer::new("carol");
    carol.join(&mut stage.relay.world());
    stage.relay.rules(rules(|rules| {
        rules.after = Some(Box::new(move |asked, reply: Reply| {
            if asked.is("POST /keys/claim") { reply.edit(|claim| change(claim, &carol)) } else { reply }
        }));
    }));
    let said = stage.alice.run(&["send", "bob", "kept", "--timeout", "4"]).await?;
    said.refused()?;
    let (claims, sent) = {
        let record = stage.relay.record();
        (record.requests("POST /keys/claim").count(), record.sends().count())
    };
    that(claims > 0, "a bundle is claimed", claims)?;
    that(sent == 0, "nothing is encrypted for a bundle that does not hold", sent)?;
    let kept = !said.stdout.trim().is_empty();
    stage.all_is_well_again().await?;
    if !kept {
        stage.sends("kept").await?.done()?;
        stage.bob.fetch(&stage.relay)?;
    }
    stage.bob_has(&["kept"])?;
    stage.finish()
}

fn each(claim: &mut ClaimResponse, change: impl Fn(&mut BundleText)) {
    claim.bundles.iter_mut().for_each(change);
}

fn flip(text: &mut SignedText) {
    if let Ok(mut signed) = text.read() {
        signed.signature.0[0] ^= 1;
        *text = SignedText::of(&signed);
    }
}

async fn forged(lane: &Lane) -> Outcome {
    refuses(lane, |claim, _| each(claim, |bundle| flip(&mut bundle.signed_prekey))).await
}

async fn forged_kem(lane: &Lane) -> Outcome {
    refuses(lane, |claim, _| each(claim, |bundle| flip(&mut bundle.pq_prekey))).await
}

async fn others_keys(lane: &Lane) -> Outcome {
    refuses(lane, |claim, carol| {
        let keys = carol.publication();
        each(claim, |bundle| {
            bundle.signed_prekey = keys.signed_prekey.clone();
            bundle.pq_prekey = keys.pq_last_resort.clone();
            bundle.pq_kind = 3;
            bundle.one_time_prekey = None;
        });
    })
    .await
}

async fn wrong_label(lane: &Lane) -> Outcome {
    let stage = lane.registered().await?;
    let last_resort = stage.bob.publication().pq_last_resort;
    drop(stage);
    refuses(lane, move |claim, _| {
        each(claim, |bundle| {
            bundle.pq_prekey = last_resort.clone();
            bundle.pq_kind = 2;
        });
    })
    .await
}

async fn wrong_kind(lane: &Lane) -> Outcome {
    refuses(lane, |claim, _| each(claim, |bundle| bundle.pq_prekey = bundle.signed_prekey.clone())).await
}

async fn other_device(lane: &Lane) -> Outcome {
    refuses(lane, |claim, _| each(claim, |bundle| bundle.device = DeviceId::from_bytes([6; 16]))).await
}

async fn zero_key(lane: &Lane) -> Outcome {
    let zeros = OneTimePrekey { id: 1, key: Fixed([0; 32]) };
    refuses(lane, move |claim, _| each(claim, |bundle| bundle.one_time_prekey = Some(zeros))).await
}

async fn others_list(lane: &Lane) -> Outcome {
    refuses(lane, |claim, carol| claim.device_list = SignedText::of(carol.list.signed())).await
}

async fn stripped(lane: &Lane) -> Outcome {
    let mut stage = lane.registered().await?;
    let last_resort = stage.bob.publication().pq_last_resort;
    stage.relay.rules(rules(|rules| {
        rules.after = Some(Box::new(move |asked, reply: Reply| {
            if !asked.is("POST /keys/claim") {
                return reply;
            }
            reply.edit(|claim: &mut ClaimResponse| {
                each(claim, |bundle| {
                    bundle.one_time_prekey = None;
                    bundle.pq_prekey = last_resort.clone();
                    bundle.pq_kind = 3;
                });
            })
        }));
    }));
    stage.sends("with fewer keys").await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["with fewer keys"])?;
    stage.bob.write(&stage.relay, "alice", "answer")?;
    stage.alice_gets(&["answer"]).await?;
    stage.finish()
}

async fn swapped(lane: &Lane) -> Outcome {
    let mut stage = lane.registered().await?;
    let key = susurro_client_core::crypto::dh::DhSecret::generate(&mut crate::clients::peer::rng());
    let key = *key.public();
    stage.relay.rules(rules(|rules| {
        rules.after = Some(Box::new(move |asked, reply: Reply| {
            if !asked.is("POST /keys/claim") {
                return reply;
            }
            reply.edit(|claim: &mut ClaimResponse| {
                each(claim, |bundle| {
                    if let Some(one_time) = &mut bundle.one_time_prekey {
                        one_time.key = Fixed(key);
                    }
                });
            })
        }));
    }));
    stage.sends("once unreadable").await?.done()?;
    stage.relay.honest_again();
    stage.bob.fetch(&stage.relay)?;
    stage.bob_has(&[])?;
    let messages = stage.bob.unreadable.clone();
    that(messages.len() == 1, "a swapped key makes the message unreadable", messages.len())?;
    // Bob asks for it again, and for one that he never got. Which of the two sessions sends is for their transcripts to
    // decide (SEL-2): what comes in the broken one he cannot read either, and asks for as well.
    for _ in 0..12 {
        stage.bob.start(&stage.relay, "alice")?;
        let mut wanted = stage.bob.unreadable.clone();
        wanted.push(susurro_protocol::MessageId::from_bytes(random()));
        stage.bob.send(&stage.relay, "alice", TYPE_REPAIR, codec::encode(&Repair { messages: wanted }))?;
        stage.all_is_well_again().await?;
        if !stage.bob.texts().is_empty() {
            break;
        }
    }
    stage.bob_has(&["once unreadable"])?;
    stage.finish()
}

async fn other_digest(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.relay.rules(rules(|rules| {
        rules.after = Some(Box::new(|asked, reply: Reply| {
            if !asked.is("GET /keys/count") {
                return reply;
            }
            reply.edit(|count: &mut KeyCount| count.digest = Fixed([1; 32]))
        }));
    }));
    // Long enough to compare and to publish.
    stage.alice.run(&["recv", "--timeout", "4"]).await?.done()?;
    stage.relay.until("the prekeys are published anew", |record| record.requests("PUT /keys").next().is_some()).await?;
    let puts = stage.relay.record().requests("PUT /keys").count();
    that((1..5).contains(&puts), "published anew, not again and again", puts)?;
    stage.relay.honest_again();
    stage.bob.start(&stage.relay, "alice").map_err(|_| fault("a bundle of Alice's"))?;
    stage.bob.write(&stage.relay, "alice", "with a new bundle")?;
    stage.alice_gets(&["with a new bundle"]).await?;
    stage.finish()
}
