//! Device lists and account keys that a relay makes up, rolls back, forks and changes.

use ed25519_dalek::SigningKey;
use susurro_client_core::profile::fingerprint;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::command::Send;
use susurro_protocol::event::DevicesChanged;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::keys::{CertificateBody, DeviceList, DeviceListBody};
use susurro_protocol::rest::{Chat, SignedText, UserDevices};
use susurro_protocol::signed::{Label, SignedBytes};
use susurro_protocol::{AccountId, ChatId, DeviceId, ErrorCode, codec};

use super::rules;
use crate::clients::peer::Peer;
use crate::clients::relay::world::rejection;
use crate::clients::relay::{Reply, Say};
use crate::clients::run::Lanes;
use crate::clients::stage::{Lane, Stage};
use crate::clients::{fault, random};
use crate::suite::check::that;
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!(
            "KEY-2/lists-that-do-not-hold",
            ["KEY-1", "KEY-2", "VER-4", "ID-2"],
            "eleven broken device lists of a new person",
            broken_lists
        ),
        client!(
            "ID-2/account-of-another-key",
            ["ID-2"],
            "an answer names another account, or another person, than its list",
            other_account
        ),
        client!(
            "KEY-2/device-added-by-relay",
            ["KEY-2", "SEND-8", "ACT-5"],
            "the relay adds a device of its own to a contact's list",
            added_device
        ),
        client!("KEY-3/rolled-back-list", ["KEY-3"], "a contact's list goes back to an earlier version", rolled_back),
        client!("KEY-3/forked-list", ["KEY-3"], "another list of the known version", forked),
        client!(
            "KEY-3/list-without-its-predecessor",
            ["KEY-3"],
            "a next version that continues another list",
            without_predecessor
        ),
        client!(
            "KEY-4/changed-key-unverified",
            ["KEY-4"],
            "an unverified contact's account key changes",
            changed_unverified
        ),
        client!(
            "KEY-4/changed-key-verified",
            ["KEY-4", "SAFE-1"],
            "a verified contact's account key changes",
            changed_verified
        ),
        client!(
            "KEY-4/verified-key-returns",
            ["KEY-4"],
            "a verified contact's key changes and comes back",
            key_returns
        ),
        client!(
            "SEND-8/devices-of-no-list",
            ["SEND-8", "ACT-5", "SEND-4"],
            "a rejection asks for devices that no list holds",
            unknown_devices
        ),
        client!("REST-9/chat-of-others", ["REST-9"], "a new chat has another id, or other members", other_chat),
        client!(
            "SAFE-2/same-number",
            ["SAFE-1", "SAFE-2"],
            "verify, compared with what the other side computes",
            safety_number
        ),
    ]
}

fn signing(peer: &Peer) -> SigningKey {
    SigningKey::from_bytes(&peer.account_key.to_bytes())
}

/// A list of Bob's with one thing wrong in it, signed by any key.
fn list(bob: &Peer, key: &SigningKey, change: impl FnOnce(&mut DeviceListBody)) -> SignedText {
    let mut body = bob.list.body().clone();
    change(&mut body);
    SignedText::of(&SignedBytes::new(key, Label::DeviceList, codec::encode(&body)))
}

/// A certificate for a device that nobody has, signed by any key.
fn certificate(bob: &Peer, key: &SigningKey, change: impl FnOnce(&mut CertificateBody)) -> SignedBytes {
    let mut body = bob.device.certificate().body().clone();
    body.device = DeviceId::from_bytes(random());
    change(&mut body);
    SignedBytes::new(key, Label::DeviceCertificate, codec::encode(&body))
}

async fn broken_lists(lane: &Lane) -> Outcome {
    let mut stage = lane.registered().await?;
    let (bob, own, other) = (&stage.bob, signing(&stage.bob), SigningKey::from_bytes(&[7; 32]));
    let mut flipped = bob.list.signed().clone();
    flipped.signature.0[0] ^= 1;
    let lists = [
        SignedText::of(&flipped),
        list(bob, &other, |_| {}),
        list(bob, &own, |body| body.suite = 2),
        list(bob, &own, |body| body.version = 0),
        list(bob, &own, |body| body.previous = Fixed([1; 32])),
        list(bob, &own, |body| body.version = 2),
        list(bob, &own, |body| body.certificates.clear()),
        list(bob, &own, |body| body.certificates.extend(bob.list.body().certificates.clone())),
        list(bob, &own, |body| body.certificates = (0..17).map(|_| certificate(bob, &own, |_| {})).collect()),
        list(bob, &own, |body| body.account = AccountId::from_bytes([5; 16])),
        list(bob, &own, |body| body.certificates.push(certificate(bob, &other, |_| {}))),
    ];
    for (number, shown) in lists.into_iter().enumerate() {
        if let Some(account) = stage.relay.world().accounts.get_mut("bob") {
            account.shown = Some(shown);
        }
        let said = stage.alice.run(&["send", "bob", "not for these", "--timeout", "5"]).await?;
        said.refused()?;
        let kept = !said.stdout.trim().is_empty();
        that(!kept, format!("nothing is kept for somebody whose list {number} does not hold"), &said.stdout)?;
    }
    let sent = stage.relay.record().sends().count();
    that(sent == 0, "nothing is encrypted for a list that does not hold", sent)?;
    if let Some(account) = stage.relay.world().accounts.get_mut("bob") {
        account.shown = None;
    }
    stage.sends("for the true one").await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["for the true one"])?;
    stage.finish()
}

async fn other_account(lane: &Lane) -> Outcome {
    let mut stage = lane.registered().await?;
    let changes: [fn(&mut UserDevices); 2] = [
        |devices| devices.account = AccountId::from_bytes([5; 16]),
        |devices| {
            if let Ok(name) = "carol".parse() {
                devices.name = name;
            }
        },
    ];
    for change in changes {
        stage.relay.rules(rules(|rules| {
            rules.after = Some(Box::new(
                move |asked, reply: Reply| {
                    if asked.path == "/users/bob/devices" { reply.edit(change) } else { reply }
                },
            ));
        }));
        stage.alice.run(&["send", "bob", "not for these", "--timeout", "5"]).await?.refused()?;
    }
    let sent = stage.relay.record().sends().count();
    that(sent == 0, "nothing is encrypted for another account", sent)?;
    stage.relay.honest_again();
    stage.sends("for the true one").await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["for the true one"])?;
    stage.finish()
}

/// The contact's list changes, says the relay at the beginning of each session.
fn says_devices_changed(stage: &Stage, version: u64) {
    let changed = DevicesChanged { account: stage.bob.account(), version };
    stage.relay.rules(rules(|rules| {
        rules.opening = Some(Box::new(move || vec![Say::Frame(FrameKind::DevicesChanged, codec::encode(&changed))]));
    }));
}

fn show(stage: &Stage, shown: Option<SignedText>) {
    if let Some(account) = stage.relay.world().accounts.get_mut("bob") {
        account.shown = shown;
    }
}

async fn added_device(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let relay_key = stage.relay.world().key.clone();
    let spy = certificate(&stage.bob, &relay_key, |_| {});
    let spy_device = codec::decode::<CertificateBody>(spy.body.as_slice()).map_err(fault)?.device;
    let previous = stage.bob.list.hash();
    let shown = list(&stage.bob, &relay_key, |body| {
        body.version = 2;
        body.previous = Fixed(previous);
        body.certificates.push(spy);
    });
    show(&stage, Some(shown));
    refuses_device(&mut stage, spy_device).await
}

async fn unknown_devices(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    refuses_device(&mut stage, DeviceId::from_bytes(random())).await
}

/// The relay rejects what is not for `spy`, too; the client sends nothing for it, and loses nothing.
async fn refuses_device(stage: &mut Stage, spy: DeviceId) -> Outcome {
    let bob = stage.bob.account();
    stage.relay.rules(rules(|rules| {
        rules.heard = Some(Box::new(move |_, kind, body| {
            let send: Send = (kind == FrameKind::Send).then(|| codec::decode(body).ok()).flatten()?;
            let mut rejected = rejection(send.message, ErrorCode::StaleDeviceList);
            rejected.stale = vec![bob];
            rejected.missing = vec![spy];
            Some(vec![Say::Frame(FrameKind::Rejected, codec::encode(&rejected))])
        }));
    }));
    let said = stage.alice.run(&["send", "bob", "kept", "--timeout", "4"]).await?;
    said.refused()?;
    let (sends, for_spy) = {
        let record = stage.relay.record();
        let sends: Vec<_> = record.sends().collect();
        let for_spy = sends.iter().flat_map(|send| &send.deposits).filter(|deposit| deposit.device == spy).count();
        (sends.len(), for_spy)
    };
    that(for_spy == 0, "no ciphertext for a device that only the relay names", for_spy)?;
    that((1..20).contains(&sends), "a few tries, with waits between them", sends)?;
    show(stage, None);
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

/// Bob's list goes to version 2, and Alice knows it by a message that she sent for it.
async fn second_version(lane: &Lane) -> Result<Stage, Stop> {
    let mut stage = lane.acquainted().await?;
    let second = stage.bob.account_key.issue_list(
        Some(&stage.bob.list),
        stage.bob.list.body().created + 1,
        vec![stage.bob.device.certificate().clone()],
    );
    stage.bob.list = second.clone();
    if let Some(account) = stage.relay.world().accounts.get_mut("bob") {
        account.list = second;
    }
    stage.sends("for version 2").await?.done()?;
    stage.bob.fetch(&stage.relay)?;
    stage.bob_has(&["for version 2"])?;
    Ok(stage)
}

/// The relay shows a list that does not continue the known one: it is not believed, it is told, and messages go on.
async fn not_believed(mut stage: Stage, shown: SignedText) -> Outcome {
    show(&stage, Some(shown));
    says_devices_changed(&stage, 9);
    let known = stage.bob.list.clone();
    // Long enough to hear of it and to ask.
    stage.alice.run(&["recv", "--timeout", "3"]).await?.done()?;
    stage.sends("for the known list").await?.done()?;
    stage.bob.fetch(&stage.relay)?;
    stage.bob_has(&["for version 2", "for the known list"])?;
    let asked = stage.relay.record().requests("GET /users/bob/devices").count();
    that(asked > 0, "the list is asked for", asked)?;
    let last = stage.relay.record().sends().last();
    let named =
        last.and_then(|send| send.lists.iter().find(|list| list.account == known.body().account).map(|l| l.version));
    that(named == Some(known.body().version), "messages name the known version", named)?;
    let hash = stage.bob.read.iter().rev().find(|content| content.kind == 1).map(|content| content.recipient_list);
    that(hash == Some(Fixed(known.hash())), "messages are bound to the known list", hash)?;
    let history = stage.history("bob").await?;
    let noted = history.iter().any(|line| line.get("type").and_then(|kind| kind.as_str()) == Some("note"));
    that(noted, "a note in the conversation says that a list was refused", &history)?;
    show(&stage, None);
    stage.all_is_well_again().await?;
    stage.finish()
}

async fn rolled_back(lane: &Lane) -> Outcome {
    let stage = second_version(lane).await?;
    let first = stage.bob.account_key.issue_list(
        None,
        stage.bob.list.body().created - 1,
        vec![stage.bob.device.certificate().clone()],
    );
    not_believed(stage, SignedText::of(first.signed())).await
}

/// Another second version, as Bob's key could have signed it: for a person whose key is copied.
fn fork(stage: &Stage) -> DeviceList {
    let first = stage.bob.account_key.issue_list(None, 1, vec![stage.bob.device.certificate().clone()]);
    stage.bob.account_key.issue_list(Some(&first), 7, vec![stage.bob.device.certificate().clone()])
}

async fn forked(lane: &Lane) -> Outcome {
    let stage = second_version(lane).await?;
    let fork = fork(&stage);
    not_believed(stage, SignedText::of(fork.signed())).await
}

async fn without_predecessor(lane: &Lane) -> Outcome {
    let stage = second_version(lane).await?;
    let next = stage.bob.account_key.issue_list(Some(&fork(&stage)), 8, vec![stage.bob.device.certificate().clone()]);
    not_believed(stage, SignedText::of(next.signed())).await
}

/// Somebody else takes Bob's name.
fn impostor(stage: &Stage) -> Peer {
    let mut impostor = Peer::new("bob");
    impostor.join(&mut stage.relay.world());
    says_devices_changed(stage, 9);
    impostor
}

async fn changed_unverified(lane: &Lane) -> Outcome {
    let stage = lane.acquainted().await?;
    let _impostor = impostor(&stage);
    stage.sends("to whom it may concern").await?.done()?;
    let trust = stage.trust_in("bob").await?;
    that(trust == "changed", "chats --json shows the trust \"changed\"", trust)?;
    let history = stage.history("bob").await?;
    let noted = history.iter().any(|line| line.get("type").and_then(|kind| kind.as_str()) == Some("note"));
    that(noted, "a note in the conversation", &history)?;
    stage.finish()
}

async fn changed_verified(lane: &Lane) -> Outcome {
    let stage = lane.acquainted().await?;
    stage.alice.run(&["verify", "bob", "--confirm"]).await?.done()?;
    let trust = stage.trust_in("bob").await?;
    that(trust == "verified", "a confirmed contact is verified", trust)?;
    stage.queues("only for bob").await?;
    let mut impostor = impostor(&stage);
    stage.syncs(10).await?.ended_with(&[0, 5])?;
    stage.alice.run(&["send", "bob", "this neither", "--timeout", "5"]).await?.ended_with(&[5])?;
    impostor.fetch(&stage.relay)?;
    that(impostor.texts().is_empty(), "nothing for the new key", impostor.texts())?;
    let trust = stage.trust_in("bob").await?;
    that(trust == "changed-after-verification", "the change is shown", trust)?;
    let wrong = fingerprint(&[1; 32]);
    stage.alice.run(&["verify", "bob", "--accept-new-key", &wrong]).await?.ended_with(&[5])?;
    // A person decides.
    let right = fingerprint(&impostor.account_key.public());
    stage.alice.run(&["verify", "bob", "--accept-new-key", &right]).await?.done()?;
    stage.syncs(20).await?.done()?;
    impostor.fetch(&stage.relay)?;
    that(impostor.texts() == ["only for bob"], "what waited goes to the accepted key", impostor.texts())?;
    let trust = stage.trust_in("bob").await?;
    that(trust != "verified", "an accepted key is not a verified one", trust)?;
    stage.finish()
}

async fn key_returns(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.alice.run(&["verify", "bob", "--confirm"]).await?.done()?;
    stage.queues("only for bob").await?;
    let account = stage.relay.world().accounts.get("bob").cloned();
    let mut impostor = impostor(&stage);
    stage.syncs(10).await?.ended_with(&[0, 5])?;
    if let Some(account) = account {
        stage.relay.world().accounts.insert("bob".to_owned(), account);
    }
    says_devices_changed(&stage, 10);
    // Long enough to hear of it and to ask.
    stage.alice.run(&["recv", "--timeout", "4"]).await?.done()?;
    stage.all_is_well_again().await?;
    impostor.fetch(&stage.relay)?;
    that(impostor.texts().is_empty(), "nothing for the other key", impostor.texts())?;
    stage.bob_has(&["only for bob"])?;
    let trust = stage.trust_in("bob").await?;
    that(trust == "verified", "the verified key is back", trust)?;
    stage.finish()
}

async fn other_chat(lane: &Lane) -> Outcome {
    let mut stage = lane.registered().await?;
    let changes: [fn(&mut Chat); 2] = [
        |chat| chat.chat = ChatId::from_bytes([9; 16]),
        |chat| {
            for member in &mut chat.members {
                member.account = AccountId::from_bytes([9; 16]);
            }
        },
    ];
    for change in changes {
        stage.relay.rules(rules(|rules| {
            rules.after = Some(Box::new(
                move |asked, reply: Reply| {
                    if asked.is("POST /chats") { reply.edit(change) } else { reply }
                },
            ));
        }));
        stage.alice.run(&["send", "bob", "not for these", "--timeout", "5"]).await?.refused()?;
    }
    let sent = stage.relay.record().sends().count();
    that(sent == 0, "nothing is sent into such a chat", sent)?;
    stage.relay.honest_again();
    stage.sends("for the true one").await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["for the true one"])?;
    stage.finish()
}

async fn safety_number(lane: &Lane) -> Outcome {
    let stage = lane.acquainted().await?;
    let said = stage.alice.run(&["verify", "bob"]).await?;
    said.done()?;
    let alice = stage.relay.world().accounts.get("alice").map(|account| account.list.body().clone());
    let alice = alice.ok_or_else(|| fault("alice has an account"))?;
    let number = susurro_client_core::crypto::safety_number(
        (stage.bob.account(), stage.bob.account_key.public()),
        (alice.account, alice.account_key.0),
    );
    let ours: Vec<_> = number.groups().map(str::to_owned).collect();
    let shown: Vec<_> = said.stdout.split_whitespace().map(str::to_owned).collect();
    that(shown == ours, format!("the digits {}", ours.join(" ")), said.stdout)?;
    let both = ["alice", "bob"].iter().all(|name| said.stderr.contains(name));
    that(both, "both names beside the digits", said.stderr)
}
