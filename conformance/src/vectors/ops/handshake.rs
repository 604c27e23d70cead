//! The handshake of a connection.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use susurro_protocol::ErrorCode;
use susurro_protocol::codec;
use susurro_protocol::command::Ack;
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::{self, ClientHandshake, ClientIdentity, Hello, ReceivedHello, Welcome};
use zeroize::Zeroizing;

use super::{Answer, Input, Refusal};

fn start(input: &Input<'_>) -> Result<(ClientHandshake, RawFrame), Refusal> {
    let signing_key = SigningKey::from_bytes(&input.array("signing_key")?);
    let who = ClientIdentity {
        account: input.account("account")?,
        device: input.device("device")?,
        signing_key: &signing_key,
    };
    let (client, hello) = ClientHandshake::start(
        &who,
        input.array("relay_key")?,
        input.text("token")?,
        input.number("cursor")?,
        Zeroizing::new(input.array("ephemeral")?),
    );
    Ok((client, RawFrame::decode(&hello.into())?))
}

fn of_frame(frame: &RawFrame) -> Value {
    json!({
        "body": hex::encode(&frame.body),
        "tag": hex::encode(&frame.tag),
        "frame": hex::encode(frame.encode()),
    })
}

fn of_keys(private: [u8; 32], public: &[u8; 32], transcript: &[u8; 32]) -> Answer {
    let [to_relay, to_client] = handshake::derive_keys(&Zeroizing::new(private), public, transcript)?;
    Ok(json!({ "to_relay": hex::encode(to_relay), "to_client": hex::encode(to_client) }))
}

pub(super) fn hello(input: &Input<'_>) -> Answer {
    Ok(of_frame(&start(input)?.1))
}

pub(super) fn transcript(input: &Input<'_>) -> Answer {
    let transcript = handshake::transcript(&input.bytes("hello")?, &input.bytes("welcome")?);
    Ok(json!({ "transcript": hex::encode(transcript) }))
}

pub(super) fn keys(input: &Input<'_>) -> Answer {
    of_keys(input.array("private")?, &input.array("public")?, &input.array("transcript")?)
}

pub(super) fn welcome(input: &Input<'_>) -> Answer {
    let relay_key = SigningKey::from_bytes(&input.array("relay_key")?);
    let ephemeral = input.array("ephemeral")?;
    let frame = RawFrame::decode(&Bytes::from(input.bytes("hello")?))?;
    let hello_body = frame.body.clone();
    let received = ReceivedHello::read(frame, &relay_key.verifying_key().to_bytes(), input.text("token")?)?;
    let (welcome, _) = received.verify(
        &input.array("device_key")?,
        &relay_key,
        Zeroizing::new(ephemeral),
        input.number("time")?,
        input.number("mailbox_head")?,
    )?;
    let welcome = RawFrame::decode(&welcome.into())?;
    let transcript = handshake::transcript(&hello_body, &welcome.body);
    let hello: Hello = codec::decode(&hello_body).map_err(|_| ErrorCode::MalformedBody)?;
    let mut told = of_frame(&welcome);
    told["transcript"] = hex::encode(transcript).into();
    merge(&mut told, of_keys(ephemeral, &hello.ephemeral.0, &transcript)?);
    Ok(told)
}

pub(super) fn finish(input: &Input<'_>) -> Answer {
    let client = input.part("client")?;
    let (started, hello) = start(&client)?;
    let frame = RawFrame::decode(&Bytes::from(input.bytes("welcome")?))?;
    let (welcome, mut pair) = started.finish(&frame)?;
    let Welcome { version, ephemeral, time, mailbox_head, frame_max, ciphertext_max, window, .. } = welcome;
    let transcript = handshake::transcript(&hello.body, &frame.body);
    let ack = pair.sealer.seal(FrameKind::Ack, &Ack { cursor: client.number("cursor")? })?;
    let mut told = json!({
        "version": version,
        "time": time,
        "mailbox_head": mailbox_head,
        "frame_max": frame_max,
        "ciphertext_max": ciphertext_max,
        "window": window,
        "transcript": hex::encode(transcript),
        "ack": hex::encode(ack),
    });
    merge(&mut told, of_keys(client.array("ephemeral")?, &ephemeral.0, &transcript)?);
    Ok(told)
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
