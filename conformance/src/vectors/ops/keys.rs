//! Signatures, certificates, lists, prekeys and announcements.

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use susurro_protocol::ErrorCode;
use susurro_protocol::announcement::{Announcement, Notice};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList, Prekey, PrekeyKind};
use susurro_protocol::rest;
use susurro_protocol::signed::{self, Label, SignedBytes};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, AnnouncementId, PrekeyId};

use super::input::{invalid_list, invalid_prekeys};
use super::{Answer, Input, Refusal};

fn label(input: &Input<'_>) -> Result<Label, Refusal> {
    let name = input.text("label")?;
    let label = Label::ALL.into_iter().find(|label| label.as_str() == name);
    label.ok_or_else(|| Refusal::Input(format!("no label {name}")))
}

fn private(input: &Input<'_>, name: &str) -> Result<SigningKey, Refusal> {
    input.array(name).map(|seed| SigningKey::from_bytes(&seed))
}

fn kind(input: &Input<'_>) -> Result<PrekeyKind, Refusal> {
    PrekeyKind::of_number(input.number("kind")?).ok_or_else(|| Refusal::Input("no such kind of prekey".into()))
}

/// A signed object as it travels.
fn packed(signed: &SignedBytes) -> String {
    hex::encode(codec::encode(signed))
}

pub(super) fn sign(input: &Input<'_>) -> Answer {
    let signature = signed::sign(&private(input, "private")?, label(input)?, &input.bytes("body")?);
    Ok(json!({ "signature": hex::encode(signature) }))
}

pub(super) fn verify(input: &Input<'_>) -> Answer {
    let (public, signature) = (input.array("public")?, input.array("signature")?);
    signed::verify(&public, label(input)?, &input.bytes("body")?, &signature).map_err(|_| ErrorCode::BadSignature)?;
    Ok(json!({}))
}

pub(super) fn login_proof(input: &Input<'_>) -> Answer {
    let (account, device) = (input.account("account")?, input.device("device")?);
    let body = rest::login_proof(&input.array("relay_key")?, &account, &device, &input.bytes("nonce")?);
    let signature = signed::sign(&private(input, "signing_key")?, Label::Login, &body);
    Ok(json!({ "body": hex::encode(body), "signature": hex::encode(signature) }))
}

pub(super) fn acknowledgement_proof(input: &Input<'_>) -> Answer {
    let (account, device, chat) = (input.account("account")?, input.device("device")?, input.chat("chat")?);
    let body =
        rest::acknowledgement_proof(&input.array("relay_key")?, &account, &device, &chat, input.number("up_to")?);
    let signature = signed::sign(&private(input, "signing_key")?, Label::Acknowledgement, &body);
    Ok(json!({ "body": hex::encode(body), "signature": hex::encode(signature) }))
}

pub(super) fn issue_certificate(input: &Input<'_>) -> Answer {
    let account_key = private(input, "account_key")?;
    let public = account_key.verifying_key().to_bytes();
    let body = CertificateBody {
        suite: SUITE,
        account: AccountId::of_account_key(&public),
        account_key: Fixed(public),
        device: input.device("device")?,
        signing_key: Fixed(input.array("signing_key")?),
        identity_key: Fixed(input.array("identity_key")?),
        created: input.number("created")?,
    };
    let certificate = DeviceCertificate::issue(&account_key, body);
    Ok(json!({ "signed": packed(certificate.signed()), "hash": hex::encode(certificate.hash()) }))
}

pub(super) fn verify_certificate(input: &Input<'_>) -> Answer {
    let certificate = input.certificate("signed")?;
    let body = certificate.body();
    Ok(json!({
        "account": body.account.to_string(),
        "account_key": hex::encode(body.account_key.0),
        "device": body.device.to_string(),
        "signing_key": hex::encode(body.signing_key.0),
        "identity_key": hex::encode(body.identity_key.0),
        "created": body.created,
        "hash": hex::encode(certificate.hash()),
    }))
}

pub(super) fn issue_announcement(input: &Input<'_>) -> Answer {
    let said = Announcement {
        id: AnnouncementId::from_bytes(input.array("id")?),
        issued: input.number("issued")?,
        expires: input.number("expires")?,
        text: input.text("text")?.to_owned(),
    };
    let notice = Notice::sign(&private(input, "relay_private")?, &said);
    Ok(json!({ "signed": packed(&notice.announcement) }))
}

pub(super) fn verify_announcement(input: &Input<'_>) -> Answer {
    let announcement = input.signed("signed")?.map_err(|_| ErrorCode::MalformedBody)?;
    let said = Notice { announcement }.verify(&input.array("relay_key")?)?;
    Ok(json!({ "id": said.id.to_string(), "issued": said.issued, "expires": said.expires, "text": said.text }))
}

pub(super) fn issue_list(input: &Input<'_>) -> Answer {
    let previous = if input.has("previous") { Some(input.list("previous")?) } else { None };
    let mut certificates = Vec::new();
    for part in input.parts("certificates")? {
        let signed: SignedBytes = codec::decode(&part.own_bytes()?).map_err(|_| ErrorCode::InvalidDeviceList)?;
        certificates.push(DeviceCertificate::verify(signed).map_err(invalid_list)?);
    }
    let key = private(input, "account_key")?;
    let list = DeviceList::issue(&key, previous.as_ref(), input.number("created")?, certificates);
    Ok(json!({ "signed": packed(list.signed()), "hash": hex::encode(list.hash()) }))
}

pub(super) fn verify_list(input: &Input<'_>) -> Answer {
    let list = input.list("signed")?;
    let body = list.body();
    let devices: Vec<_> = list.certificates().iter().map(|c| c.body().device.to_string()).collect();
    Ok(json!({
        "account": body.account.to_string(),
        "version": body.version,
        "previous": hex::encode(body.previous.0),
        "devices": devices,
        "hash": hex::encode(list.hash()),
    }))
}

pub(super) fn list_succeeds(input: &Input<'_>) -> Answer {
    let (known, offered) = (input.list("known")?, input.list("offered")?);
    if known.body().account_key != offered.body().account_key {
        return Err(Refusal::named("changed-key"));
    }
    offered.follows(&known).map_err(invalid_list)?;
    Ok(json!({}))
}

pub(super) fn issue_prekey(input: &Input<'_>) -> Answer {
    let owner = (input.account("account")?, input.device("device")?);
    let (id, created) = (input.number("id")?, input.number("created")?);
    let key = private(input, "signing_key")?;
    let prekey = Prekey::issue(&key, owner, kind(input)?, id, created, &input.bytes("key")?);
    Ok(json!({ "signed": packed(prekey.signed()) }))
}

pub(super) fn verify_prekey(input: &Input<'_>) -> Answer {
    let certificate = input.certificate("certificate")?;
    let signed = input.signed("signed")?.map_err(invalid_prekeys)?;
    let prekey = Prekey::verify(signed, certificate.body(), kind(input)?).map_err(invalid_prekeys)?;
    let body = prekey.body();
    Ok(json!({ "id": body.id, "created": body.created, "key": hex::encode(body.key.as_slice()) }))
}

pub(super) fn prekey_digest(input: &Input<'_>) -> Answer {
    let prekeys: Vec<(u8, PrekeyId)> = (input.parts("prekeys")?)
        .map(|prekey| Ok((prekey.number("kind")?, prekey.number("id")?)))
        .collect::<Result<_, Refusal>>()?;
    Ok(Value::from_iter([("digest".to_owned(), Value::from(hex::encode(rest::prekey_digest(prekeys))))]))
}
