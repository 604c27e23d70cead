//! X25519, ML-KEM, passwords, padding, safety numbers.

use serde_json::json;
use susurro_client_core::crypto::dh::{self, DhSecret};
use susurro_client_core::crypto::kem::{Kem as _, MlKem768};
use susurro_client_core::crypto::{RecoveryKey, Secret, padding, safety_number as number_of, stretch_password};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::rest::StretchParams;
use zeroize::Zeroizing;

use super::input::invalid_prekeys;
use super::{Answer, Input, Refusal};

pub(super) fn agree(input: &Input<'_>) -> Answer {
    let own = DhSecret::from_secret(&input.secret("private")?);
    let shared = dh::agree(&own, &input.array("public")?)?;
    Ok(json!({ "shared": hex::encode(shared.expose()) }))
}

pub(super) fn kem_public(input: &Input<'_>) -> Answer {
    let seed = Secret::copy_of(&input.array("seed")?);
    Ok(json!({ "public": hex::encode(MlKem768::public_key(&seed)) }))
}

pub(super) fn encapsulate(input: &Input<'_>) -> Answer {
    let (ciphertext, shared) =
        MlKem768::encapsulate(&input.array("public")?, &input.secret("randomness")?).map_err(invalid_prekeys)?;
    Ok(json!({ "ciphertext": hex::encode(ciphertext), "shared": hex::encode(shared.expose()) }))
}

pub(super) fn decapsulate(input: &Input<'_>) -> Answer {
    let seed = Secret::copy_of(&input.array("seed")?);
    let (shared, _) = MlKem768::decapsulate(&seed, &input.array("ciphertext")?);
    Ok(json!({ "shared": hex::encode(shared.expose()) }))
}

pub(super) fn stretch(input: &Input<'_>) -> Answer {
    let params = StretchParams {
        scheme: input.text("scheme")?.to_owned(),
        salt: Fixed(input.array("salt")?),
        memory_kib: input.number("memory_kib")?,
        passes: input.number("passes")?,
        lanes: input.number("lanes")?,
    };
    let stretched =
        stretch_password(input.text("password")?, &params).map_err(|_| Refusal::named("unacceptable-stretching"))?;
    Ok(json!({ "auth": hex::encode(stretched.auth), "backup": hex::encode(stretched.backup) }))
}

pub(super) fn recovery_auth(input: &Input<'_>) -> Answer {
    let key = RecoveryKey::from_bytes(&input.array("key")?);
    Ok(json!({ "auth": hex::encode(key.auth()) }))
}

pub(super) fn pad(input: &Input<'_>) -> Answer {
    let mut padded = Vec::new();
    padding::pad_into(&input.bytes("content")?, &mut padded);
    Ok(json!({ "padded": hex::encode(padded) }))
}

pub(super) fn unpad(input: &Input<'_>) -> Answer {
    let content = padding::unpad(Zeroizing::new(input.bytes("padded")?))?;
    Ok(json!({ "content": hex::encode(content) }))
}

pub(super) fn padded_length(input: &Input<'_>) -> Answer {
    Ok(json!({ "padded": padding::padded_length(input.number("content")?) }))
}

pub(super) fn safety_number(input: &Input<'_>) -> Answer {
    let person = |name| -> Result<_, Refusal> {
        let person = input.part(name)?;
        Ok((person.account("account")?, person.array("account_key")?))
    };
    let number = number_of(person("one")?, person("other")?);
    Ok(json!({ "digits": number.digits(), "qr": hex::encode(number.qr_payload()) }))
}
