//! Relays that lie in the handshake.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};
use susurro_client_core::profile::fingerprint;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::event::ErrorNotice;
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::{Welcome, refuse};
use susurro_protocol::signed::{Label, sign};
use susurro_protocol::version::VERSION;
use susurro_protocol::{ErrorCode, codec};

use super::rules;
use crate::clients::fault;
use crate::clients::relay::{Greeting, Reply, Say, Seen};
use crate::clients::run::Lanes;
use crate::clients::stage::{Lane, Stage};
use crate::suite::check::that;
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!("VER-1/no-subprotocol", ["VER-1"], "an upgrade is answered without the subprotocol", no_subprotocol),
        client!(
            "VER-3/welcome-of-another-version",
            ["VER-3"],
            "a well signed Welcome chooses version 2",
            other_version
        ),
        client!("HS-3/other-relay-key", ["HS-3", "ACT-6"], "the relay has another key than the pinned one", other_key),
        client!("HS-3/doctor-tells", ["HS-3"], "doctor looks at a relay with another key", doctor),
        client!("HS-4/welcome-badly-signed", ["HS-4"], "one bit of Welcome's signature is flipped", badly_signed),
        client!(
            "HS-4/welcome-of-another-signer",
            ["HS-4", "SIG-2"],
            "Welcome names the pinned key, another key signs",
            other_signer
        ),
        client!(
            "HS-4/welcome-of-an-earlier-connection",
            ["HS-4"],
            "the Welcome of an earlier connection is replayed",
            earlier
        ),
        client!("HS-4/nonsense-for-welcome", ["HS-4", "FRAME-1"], "bytes that are no Welcome", nonsense),
        client!(
            "HS-5/ephemeral-of-zeros",
            ["HS-5"],
            "a well signed Welcome whose X25519 key contributes nothing",
            zeros
        ),
        client!("HS-6/error-before-welcome", ["HS-6"], "refusals that nobody signed, of every consequence", refusals),
        client!(
            "HS-9/restored-relay",
            ["HS-9", "DLV-4"],
            "the mailbox begins anew, with old and new messages",
            restored
        ),
        client!("HS-11/fresh-keys", ["HS-11", "ACK-1", "VER-2", "HS-10"], "three connections in a row", fresh_keys),
    ]
}

/// `Welcome` as a frame, signed by any key over any `Hello`.
fn welcome(hello: &[u8], welcome: &Welcome, key: &SigningKey) -> Vec<u8> {
    let body = codec::encode(welcome);
    let mut transcript = Sha256::new_with_prefix(b"susurro/v1/handshake\0");
    for part in [hello, &body] {
        transcript.update((part.len() as u64).to_be_bytes());
        transcript.update(part);
    }
    let tag = sign(key, Label::Welcome, &transcript.finalize());
    let frame = RawFrame {
        version: VERSION,
        kind: FrameKind::Welcome,
        seq: 0,
        body: body.into(),
        tag: Bytes::copy_from_slice(&tag),
    };
    frame.encode()
}

fn honest(greeting: &Greeting<'_>) -> Option<(RawFrame, Welcome)> {
    let frame = RawFrame::decode(&Bytes::copy_from_slice(greeting.honest)).ok()?;
    let welcome = codec::decode(&frame.body).ok()?;
    Some((frame, welcome))
}

/// A client that gets this for `Welcome` opens no session, says so, and loses nothing.
async fn refuses(
    lane: &Lane,
    codes: &[i32],
    mut forge: impl FnMut(&Greeting<'_>) -> Option<Vec<u8>> + Send + 'static,
) -> Result<Stage, Stop> {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    stage.relay.rules(rules(|rules| {
        rules.greet = Some(Box::new(move |greeting| forge(greeting).map(|message| vec![Say::Message(message)])));
    }));
    stage.syncs(3).await?.ended_with(codes)?;
    let session = stage.relay.record().events.iter().any(|seen| matches!(seen, Seen::Frame(..)));
    that(!session, "no frame of a session after a Welcome that does not hold", "the client opened one")?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()?;
    Ok(stage)
}

const NETWORK: &[i32] = &[1, 4];

async fn no_subprotocol(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    stage.relay.rules(rules(|rules| {
        rules.after = Some(Box::new(|asked, mut reply: Reply| {
            if asked.is("GET /ws") {
                reply.headers.retain(|(name, _)| name != "sec-websocket-protocol");
            }
            reply
        }));
    }));
    stage.syncs(3).await?.ended_with(NETWORK)?;
    that(stage.relay.record().hellos().next().is_none(), "no Hello to what speaks no susurro.v1", "a Hello")?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

async fn other_version(lane: &Lane) -> Outcome {
    let forge = |greeting: &Greeting<'_>| {
        let (_, honest) = honest(greeting)?;
        Some(welcome(greeting.hello_body, &Welcome { version: 2, ..honest }, greeting.key))
    };
    refuses(lane, NETWORK, forge).await.map(drop)
}

async fn badly_signed(lane: &Lane) -> Outcome {
    let forge = |greeting: &Greeting<'_>| {
        let (mut frame, _) = honest(greeting)?;
        let mut tag = frame.tag.to_vec();
        *tag.first_mut()? ^= 1;
        frame.tag = tag.into();
        Some(frame.encode())
    };
    refuses(lane, NETWORK, forge).await.map(drop)
}

async fn other_signer(lane: &Lane) -> Outcome {
    let key = SigningKey::from_bytes(&[9; 32]);
    let forge = move |greeting: &Greeting<'_>| {
        let (_, honest) = honest(greeting)?;
        Some(welcome(greeting.hello_body, &honest, &key))
    };
    refuses(lane, NETWORK, forge).await.map(drop)
}

async fn earlier(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let (keep, kept) = std::sync::mpsc::channel();
    stage.relay.rules(rules(|rules| {
        rules.greet = Some(Box::new(move |greeting| {
            let _ = keep.send(greeting.honest.to_vec());
            None
        }));
    }));
    stage.syncs(20).await?.done()?;
    let earlier = kept.try_recv().map_err(fault)?;
    let sessions = |stage: &Stage| stage.relay.record().frames(FrameKind::Ack).count();
    let before = sessions(&stage);
    stage.queues("kept").await?;
    stage.relay.rules(rules(|rules| {
        rules.greet = Some(Box::new(move |_| Some(vec![Say::Message(earlier.clone())])));
    }));
    stage.syncs(3).await?.ended_with(NETWORK)?;
    that(sessions(&stage) == before, "no session after a replayed Welcome", "the client opened one")?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

async fn nonsense(lane: &Lane) -> Outcome {
    let mut turn = 0_usize;
    let forge = move |_: &Greeting<'_>| {
        turn += 1;
        let messages: [&[u8]; 4] =
            [b"", b"<html>", &[0x95, 1, 2, 0, 0xc4, 0, 0xc4, 0], &[0xdd, 0xff, 0xff, 0xff, 0xff]];
        Some(messages[turn % messages.len()].to_vec())
    };
    refuses(lane, NETWORK, forge).await.map(drop)
}

async fn zeros(lane: &Lane) -> Outcome {
    let forge = |greeting: &Greeting<'_>| {
        let (_, honest) = honest(greeting)?;
        Some(welcome(greeting.hello_body, &Welcome { ephemeral: Fixed([0; 32]), ..honest }, greeting.key))
    };
    refuses(lane, NETWORK, forge).await.map(drop)
}

async fn other_key(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    let pinned = stage.relay.world().key.clone();
    let other = SigningKey::from_bytes(&[8; 32]);
    stage.relay.world().key = other.clone();
    for args in [&["sync", "--timeout", "5"][..], &["send", "bob", "not kept", "--timeout", "5"]] {
        let said = stage.alice.run(args).await?;
        said.ended_with(&[5])?;
        for key in [&pinned, &other] {
            let shown = fingerprint(&key.verifying_key().to_bytes());
            let digits: String = said.stderr.chars().filter(char::is_ascii_hexdigit).collect();
            that(
                digits.contains(&shown.replace(' ', "")),
                format!("stderr shows the fingerprint {shown}"),
                &said.stderr,
            )?;
        }
    }
    let session = stage.relay.record().events.iter().any(|seen| matches!(seen, Seen::Frame(..)));
    that(!session, "no session with a relay of another key", "the client opened one")?;
    stage.relay.world().key = pinned;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

async fn doctor(lane: &Lane) -> Outcome {
    let stage = lane.registered().await?;
    let well = stage.alice.run(&["doctor", "--json"]).await?;
    well.done()?;
    stage.relay.world().key = SigningKey::from_bytes(&[8; 32]);
    let said = stage.alice.run(&["doctor", "--json"]).await?;
    let findings = said.json();
    let bad = findings.iter().any(|line| line.get("ok") == Some(&serde_json::Value::Bool(false)));
    that(said.code == Some(1) && bad, "exit code 1 and a finding", (&said.code, &said.stdout))
}

async fn refusals(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    let codes = [
        ErrorCode::Unauthenticated,
        ErrorCode::TokenRevoked,
        ErrorCode::InvalidCredentials,
        ErrorCode::UnknownDevice,
        ErrorCode::Superseded,
        ErrorCode::RelayKeyMismatch,
        ErrorCode::UnsupportedVersion,
        ErrorCode::Other(9999),
    ];
    for code in codes {
        stage.relay.rules(rules(|rules| {
            rules.greet = Some(Box::new(move |_| {
                Some(vec![Say::Message(refuse(&ErrorNotice::of(code))), Say::Close(code.close_code())])
            }));
        }));
        stage.syncs(2).await?.refused()?;
    }
    // Nobody logged out, nothing believed: the same profile goes on without its password.
    stage.all_is_well_again().await?;
    that(stage.relay.record().requests("POST /auth/login").next().is_none(), "no login", "one")?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

async fn restored(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    let old = stage.bob.content(
        &stage.relay,
        "alice",
        1,
        codec::encode(&susurro_protocol::content::Text { text: "old".into() }),
    )?;
    let old = stage.bob.seal(&stage.relay, "alice", &old)?;
    for _ in 0..3 {
        stage.bob.write(&stage.relay, "alice", "before")?;
    }
    let device = super::super::peer::device_of(&stage.relay, "alice")?;
    stage.relay.deliver(device, old.clone());
    stage.alice_gets(&["before", "before", "before", "old"]).await?;
    if let Some(device) = stage.relay.world().devices.get_mut(&device) {
        device.head = 0;
        device.mailbox.clear();
    }
    stage.relay.deliver(device, old);
    stage.bob.write(&stage.relay, "alice", "new")?;
    stage.alice_gets(&["new"]).await?;
    stage.finish()
}

async fn fresh_keys(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    for _ in 0..3 {
        stage.bob.write(&stage.relay, "alice", "text")?;
        stage.syncs(20).await?.done()?;
    }
    let record = stage.relay.record();
    let hellos: Vec<_> = record.hellos().cloned().collect();
    drop(record);
    that(hellos.len() >= 3, "a Hello for each connection", hellos.len())?;
    that(
        hellos.iter().all(|hello| (hello.min_version..=hello.max_version).contains(&1)),
        "version 1 is offered",
        "not",
    )?;
    let cursors: Vec<_> = hellos.iter().map(|hello| hello.cursor).collect();
    that(cursors.windows(2).all(|pair| pair[0] < pair[1]), "a cursor that rises with what is durable", cursors)?;
    stage.finish()
}
