//! Key agreement.

use serde_json::{Value, json};
use susurro_client_core::crypto::{
    Agreed, LocalDevice, PrekeySecrets, Prekeys, Secret, VerifiedBundle, agree_as_initiator, agree_as_responder,
};
use susurro_protocol::PrekeyId;
use susurro_protocol::codec;
use susurro_protocol::keys::PrekeyBundle;

use super::input::invalid_prekeys;
use super::{Answer, Input, Refusal};
use crate::vectors::random::Tape;

/// When the prekeys of a case were published: long before, and less than the time that they live.
const PUBLISHED_BEFORE: u64 = 1000;

/// The device of a case.
pub(crate) fn local(input: &Input<'_>) -> Result<LocalDevice, Refusal> {
    let signed = input.signed("certificate")?.map_err(|_| Refusal::Input("certificate is no signed object".into()))?;
    Ok(LocalDevice::from_keys(&input.array("signing_key")?, &input.array("identity_key")?, signed)?)
}

/// The prekeys of a case.
pub(super) fn prekeys(input: &Input<'_>, now: u64) -> Result<Prekeys, Refusal> {
    fn keys<const N: usize>(input: &Input<'_>, name: &str, of: &str) -> Result<Vec<(PrekeyId, Secret<N>)>, Refusal> {
        let key = |key: Input<'_>| Ok((key.number("id")?, Secret::copy_of(&key.array(of)?)));
        input.parts(name)?.map(key).collect()
    }
    let secrets = PrekeySecrets {
        signed: keys(input, "signed", "private")?,
        last_resort: keys(input, "last_resort", "seed")?,
        one_time: keys(input, "one_time", "private")?,
        pq_one_time: keys(input, "pq_one_time", "seed")?,
    };
    Ok(Prekeys::from_keys(secrets, now.saturating_sub(PUBLISHED_BEFORE))?)
}

pub(super) fn bundle(input: &Input<'_>, name: &str) -> Result<PrekeyBundle, Refusal> {
    codec::decode(&input.bytes(name)?).map_err(invalid_prekeys)
}

pub(super) fn verify_bundle(input: &Input<'_>) -> Answer {
    let certificate = input.certificate("certificate")?;
    let verified = VerifiedBundle::verify(&bundle(input, "bundle")?, &certificate)?;
    Ok(json!({
        "signed_prekey": verified.signed_prekey.0,
        "pq_prekey": verified.pq_prekey.0,
        "pq_kind": verified.pq_kind.number(),
        "one_time_prekey": verified.one_time_prekey.map(|prekey| prekey.id),
    }))
}

fn told(agreed: &Agreed) -> Value {
    let mut shared: Vec<_> = agreed.shared.iter().map(|secret| hex::encode(secret.expose())).collect();
    let kem_shared = shared.pop();
    json!({
        "transcript": hex::encode(agreed.transcript),
        "dh": shared,
        "kem_shared": kem_shared,
        "root_key": hex::encode(agreed.root.expose()),
        "initiator_header_key": hex::encode(agreed.initiator_header.expose()),
        "responder_header_key": hex::encode(agreed.responder_header.expose()),
    })
}

pub(super) fn initiate(input: &Input<'_>) -> Answer {
    let local = local(&input.part("local")?)?;
    let remote = input.certificate("remote")?;
    let bundle = VerifiedBundle::verify(&bundle(input, "bundle")?, &remote)?;
    let mut tape = Tape::of(&[&input.bytes("ephemeral")?, &input.bytes("kem_randomness")?]);
    let agreed = agree_as_initiator(&local, &remote, &bundle, input.number("generation")?, &mut tape)?;
    let mut told = told(&agreed);
    told["initial_header"] = hex::encode(agreed.initial_header).into();
    Ok(told)
}

pub(super) fn respond(input: &Input<'_>) -> Answer {
    let local = local(&input.part("local")?)?;
    let remote = input.certificate("remote")?;
    let now = PUBLISHED_BEFORE;
    let prekeys = prekeys(&input.part("prekeys")?, now)?;
    Ok(told(&agree_as_responder(&local, &prekeys, &remote, &input.array("initial_header")?, now)?))
}
