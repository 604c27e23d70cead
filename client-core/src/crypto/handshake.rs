//! Key agreement: PQXDH, revision 3 (Signal, "The PQXDH Key Agreement Protocol").

use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use susurro_protocol::PrekeyId;
use susurro_protocol::keys::{
    DeviceCertificate, KeyError, OneTimePrekey, PQ_PUBLIC_KEY_BYTES, Prekey, PrekeyBundle, PrekeyKind,
};
use zeroize::Zeroizing;

use super::dh::{DhSecret, agree};
use super::error::{CryptoError, DecryptError};
use super::identity::LocalDevice;
use super::kdf::three_keys;
use super::kem::{KEM_CIPHERTEXT_BYTES, Kem as _, MlKem768};
use super::prekey::{Named, Prekeys};
use super::ratchet::{Binding, FirstKeys, HeaderKey, Opened, Parts, RootKey, Session};
use super::secret::{Secret, Secret32};
use super::transcript::{Party, Transcript};

const INFO: &[u8] = b"susurro/v1/pqxdh\0";

/// Bytes of an initial header on the wire.
pub const INITIAL_HEADER_BYTES: usize = 32 + 8 + 32 + 8 + 8 + 1 + 8 + KEM_CIPHERTEXT_BYTES;

/// What the responder needs to reach the same keys; sent with every message until it answers.
pub(crate) struct InitialHeader {
    /// Hash of the initiator's certificate.
    pub(crate) certificate: [u8; 32],
    /// One more than the highest that the initiator knew with this device.
    pub(crate) generation: u64,
    pub(crate) ephemeral: [u8; 32],
    pub(crate) signed_prekey: PrekeyId,
    /// 0 for none.
    pub(crate) one_time_prekey: PrekeyId,
    pub(crate) pq_kind: u8,
    pub(crate) pq_prekey: PrekeyId,
    pub(crate) kem_ciphertext: [u8; KEM_CIPHERTEXT_BYTES],
}

impl InitialHeader {
    pub(crate) fn to_bytes(&self) -> [u8; INITIAL_HEADER_BYTES] {
        let mut bytes = [0; INITIAL_HEADER_BYTES];
        let mut rest = bytes.as_mut_slice();
        let fields: [&[u8]; 8] = [
            &self.certificate,
            &self.generation.to_be_bytes(),
            &self.ephemeral,
            &self.signed_prekey.to_be_bytes(),
            &self.one_time_prekey.to_be_bytes(),
            &[self.pq_kind],
            &self.pq_prekey.to_be_bytes(),
            &self.kem_ciphertext,
        ];
        for field in fields {
            let (place, behind) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = behind;
        }
        bytes
    }

    pub(crate) fn of_bytes(bytes: &[u8; INITIAL_HEADER_BYTES]) -> Option<Self> {
        let (certificate, rest) = bytes.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (ephemeral, rest) = rest.split_first_chunk()?;
        let (signed_prekey, rest) = rest.split_first_chunk()?;
        let (one_time_prekey, rest) = rest.split_first_chunk()?;
        let ([pq_kind], rest) = rest.split_first_chunk()?;
        let (pq_prekey, rest) = rest.split_first_chunk()?;
        Some(Self {
            certificate: *certificate,
            generation: u64::from_be_bytes(*generation),
            ephemeral: *ephemeral,
            signed_prekey: u64::from_be_bytes(*signed_prekey),
            one_time_prekey: u64::from_be_bytes(*one_time_prekey),
            pq_kind: *pq_kind,
            pq_prekey: u64::from_be_bytes(*pq_prekey),
            kem_ciphertext: *rest.first_chunk()?,
        })
    }
}

impl InitialHeader {
    /// The prekeys that it names; of a kind that starts no session it names none.
    fn named(&self) -> Result<Named, DecryptError> {
        let pq_kind = PrekeyKind::of_number(self.pq_kind).filter(|kind| *kind != PrekeyKind::Signed);
        Ok(Named {
            signed: self.signed_prekey,
            one_time: self.one_time_prekey,
            pq_kind: pq_kind.ok_or(DecryptError::Malformed)?,
            pq: self.pq_prekey,
            ephemeral: self.ephemeral,
        })
    }
}

/// The generation in an initial header, as its sender or anybody else has written it.
pub(crate) fn claimed_generation(initial: &[u8; INITIAL_HEADER_BYTES]) -> Option<u64> {
    InitialHeader::of_bytes(initial).map(|header| header.generation)
}

/// Names an initial header, to find the session that it has started.
pub(crate) fn initial_hash(initial: &[u8; INITIAL_HEADER_BYTES]) -> [u8; 32] {
    Sha256::digest(initial).into()
}

/// A bundle of which every part was verified against the certificate of its device.
#[derive(Debug)]
pub struct VerifiedBundle {
    /// Identifier and key of the signed prekey.
    pub signed_prekey: (PrekeyId, [u8; 32]),
    /// Which kind of ML-KEM prekey it holds.
    pub pq_kind: PrekeyKind,
    /// Identifier and key of the ML-KEM prekey.
    pub pq_prekey: (PrekeyId, Box<[u8; PQ_PUBLIC_KEY_BYTES]>),
    /// The one-time X25519 prekey, which nobody signs.
    pub one_time_prekey: Option<OneTimePrekey>,
}

impl VerifiedBundle {
    /// Verifies a bundle as one of the device that `remote` certifies (PQXDH, section 3.3).
    ///
    /// # Errors
    ///
    /// [`CryptoError::WrongRecipient`] for another device, [`CryptoError::Bundle`] for a part that
    /// does not hold.
    pub fn verify(bundle: &PrekeyBundle, remote: &DeviceCertificate) -> Result<Self, CryptoError> {
        let owner = remote.body();
        if bundle.device != owner.device {
            return Err(CryptoError::WrongRecipient);
        }
        let signed_prekey = Prekey::verify(bundle.signed_prekey.clone(), owner, PrekeyKind::Signed)?;
        let pq_kind = PrekeyKind::of_number(bundle.pq_kind)
            .filter(|kind| matches!(kind, PrekeyKind::PqOneTime | PrekeyKind::PqLastResort))
            .ok_or(KeyError::Mismatch)?;
        let pq_prekey = Prekey::verify(bundle.pq_prekey.clone(), owner, pq_kind)?;
        if bundle.one_time_prekey.is_some_and(|prekey| prekey.id == 0) {
            return Err(KeyError::Malformed.into());
        }
        Ok(Self {
            signed_prekey: (signed_prekey.body().id, *key_of(&signed_prekey)?),
            pq_kind,
            pq_prekey: (pq_prekey.body().id, Box::new(*key_of(&pq_prekey)?)),
            one_time_prekey: bundle.one_time_prekey,
        })
    }
}

/// What key agreement ends with on either side. A session is made of it; checks of other
/// implementations look at it.
pub struct Agreed {
    /// Hash of everything that was agreed in the open.
    pub transcript: [u8; 32],
    /// The initial header.
    pub initial_header: [u8; INITIAL_HEADER_BYTES],
    /// DH1 to DH4 (the last with a one-time prekey only), then the secret of ML-KEM.
    pub shared: Vec<Secret32>,
    /// The first root key.
    pub root: Secret32,
    /// The header key of the initiator's first chain.
    pub initiator_header: Secret32,
    /// The header key of the responder's first chain.
    pub responder_header: Secret32,
}

impl Agreed {
    fn of(initial: &InitialHeader, transcript: [u8; 32], secrets: Agreement) -> Self {
        let [root, initiator_header, responder_header] =
            three_keys(Some(&[0; 32]), &secrets.input, &[INFO, &transcript]);
        let initial_header = initial.to_bytes();
        Self { transcript, initial_header, shared: secrets.shared, root, initiator_header, responder_header }
    }

    fn into_first_keys(self) -> FirstKeys {
        FirstKeys {
            root: RootKey(self.root),
            initiator_header: HeaderKey(self.initiator_header),
            responder_header: HeaderKey(self.responder_header),
        }
    }
}

impl std::fmt::Debug for Agreed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Agreed(redacted)")
    }
}

/// The initiator's half of key agreement with the device that `remote` certifies, from a bundle
/// of which every part is verified here. Draws the ephemeral key and the randomness of ML-KEM, in
/// this order.
///
/// # Errors
///
/// [`CryptoError`] says which part is not to be trusted.
pub fn agree_as_initiator(
    local: &LocalDevice,
    remote: &DeviceCertificate,
    bundle: &VerifiedBundle,
    generation: u64,
    rng: &mut dyn CryptoRng,
) -> Result<Agreed, CryptoError> {
    let owner = remote.body();
    if owner.device == local.device() {
        return Err(CryptoError::SameDevice);
    }
    let (signed_id, signed_key) = &bundle.signed_prekey;
    let (pq_id, pq_key) = &bundle.pq_prekey;
    let ephemeral = DhSecret::generate(rng);
    let (kem_ciphertext, kem_secret) = MlKem768::encapsulate(pq_key, &Secret::random(rng))?;
    let mut secrets = Agreement::new();
    secrets.add(agree(local.identity(), signed_key)?);
    secrets.add(agree(&ephemeral, &owner.identity_key.0)?);
    secrets.add(agree(&ephemeral, signed_key)?);
    if let Some(prekey) = bundle.one_time_prekey {
        secrets.add(agree(&ephemeral, &prekey.key.0)?);
    }
    secrets.add(kem_secret);

    let initial = InitialHeader {
        certificate: local.certificate().hash(),
        generation,
        ephemeral: *ephemeral.public(),
        signed_prekey: *signed_id,
        one_time_prekey: bundle.one_time_prekey.map_or(0, |prekey| prekey.id),
        pq_kind: bundle.pq_kind.number(),
        pq_prekey: *pq_id,
        kem_ciphertext,
    };
    let transcript = Transcript {
        initiator: Party::of(local.certificate()),
        responder: Party::of(remote),
        generation: initial.generation,
        ephemeral: &initial.ephemeral,
        signed_prekey: (initial.signed_prekey, signed_key),
        one_time_prekey: bundle.one_time_prekey,
        pq_kind: initial.pq_kind,
        pq_prekey: (initial.pq_prekey, pq_key),
        kem_ciphertext: &initial.kem_ciphertext,
    }
    .hash();
    Ok(Agreed::of(&initial, transcript, secrets))
}

/// Starts a session with the device that `remote` certifies, from a bundle of which every part
/// is verified here.
pub(crate) fn initiate(
    local: &LocalDevice,
    remote: &DeviceCertificate,
    bundle: &PrekeyBundle,
    generation: u64,
    rng: &mut dyn CryptoRng,
) -> Result<(Session, [u8; INITIAL_HEADER_BYTES]), CryptoError> {
    let owner = remote.body();
    if owner.device == local.device() {
        return Err(CryptoError::SameDevice);
    }
    let bundle = VerifiedBundle::verify(bundle, remote)?;
    let agreed = agree_as_initiator(local, remote, &bundle, generation, rng)?;
    let initial_header = agreed.initial_header;
    let binding = Binding {
        transcript: agreed.transcript,
        local: (local.account(), local.device()),
        remote: (owner.account, owner.device),
        remote_certificate: remote.hash(),
        initial: initial_hash(&initial_header),
        generation,
        started_here: true,
    };
    let session = Session::initiate(binding, agreed.into_first_keys(), bundle.signed_prekey.1, rng)?;
    Ok((session, initial_header))
}

/// A session that the other side has started, after its first message.
pub(crate) struct Responded {
    pub(crate) opened: Opened,
    pub(crate) prekeys: Prekeys,
}

/// The responder's half of key agreement: the same keys as the initiator's, when nothing was
/// changed on the way; only the message behind the header shows that. `now` is in seconds since
/// 1970. No prekey is consumed.
///
/// # Errors
///
/// [`DecryptError::WrongSender`], [`DecryptError::UnknownPrekey`], [`DecryptError::Duplicate`],
/// [`DecryptError::WeakKey`] or [`DecryptError::Malformed`].
pub fn agree_as_responder(
    local: &LocalDevice,
    prekeys: &Prekeys,
    remote: &DeviceCertificate,
    initial_header: &[u8; INITIAL_HEADER_BYTES],
    now: u64,
) -> Result<Agreed, DecryptError> {
    let initial = InitialHeader::of_bytes(initial_header).ok_or(DecryptError::Malformed)?;
    // In the order of KA-2: kind, certificate, prekeys.
    let named = initial.named()?;
    if initial.certificate != remote.hash() {
        return Err(DecryptError::WrongSender);
    }
    let owner = remote.body();
    let chosen = prekeys.choose(&named, now)?;

    let mut secrets = Agreement::new();
    secrets.add(agree(chosen.signed, &owner.identity_key.0)?);
    secrets.add(agree(local.identity(), &initial.ephemeral)?);
    secrets.add(agree(chosen.signed, &initial.ephemeral)?);
    if let Some(one_time) = chosen.one_time {
        secrets.add(agree(one_time, &initial.ephemeral)?);
    }
    let (kem_secret, pq_key) = MlKem768::decapsulate(chosen.pq_seed, &initial.kem_ciphertext);
    secrets.add(kem_secret);

    let transcript = Transcript {
        initiator: Party::of(remote),
        responder: Party::of(local.certificate()),
        generation: initial.generation,
        ephemeral: &initial.ephemeral,
        signed_prekey: (named.signed, chosen.signed.public()),
        one_time_prekey: chosen.one_time_prekey(named.one_time),
        pq_kind: initial.pq_kind,
        pq_prekey: (named.pq, &pq_key),
        kem_ciphertext: &initial.kem_ciphertext,
    }
    .hash();
    Ok(Agreed::of(&initial, transcript, secrets))
}

/// Answers a handshake: reaches the same keys and opens the message that came with it. Only then
/// are its prekeys consumed.
pub(crate) fn respond(
    local: &LocalDevice,
    prekeys: &Prekeys,
    remote: &DeviceCertificate,
    bytes: &[u8; INITIAL_HEADER_BYTES],
    message: &Parts<'_>,
    now: u64,
) -> Result<Responded, DecryptError> {
    let agreed = agree_as_responder(local, prekeys, remote, bytes, now)?;
    let initial = InitialHeader::of_bytes(bytes).ok_or(DecryptError::Malformed)?;
    let named = initial.named()?;
    let owner = remote.body();
    let binding = Binding {
        transcript: agreed.transcript,
        local: (local.account(), local.device()),
        remote: (owner.account, owner.device),
        remote_certificate: remote.hash(),
        initial: initial_hash(bytes),
        generation: initial.generation,
        started_here: false,
    };
    let signed = prekeys.choose(&named, now)?.signed;
    let opened = Session::respond(binding, agreed.into_first_keys(), signed, message, now)?;
    Ok(Responded { opened, prekeys: prekeys.consume(&named) })
}

/// The input of the key derivation (PQXDH, section 2.2): 32 bytes 0xFF, then each shared secret.
struct Agreement {
    input: Zeroizing<Vec<u8>>,
    shared: Vec<Secret32>,
}

impl Agreement {
    fn new() -> Self {
        // Room for all of it: a vector that moves would leave secrets behind.
        let mut input = Vec::with_capacity(6 * 32);
        input.resize(32, 0xff);
        Self { input: Zeroizing::new(input), shared: Vec::with_capacity(5) }
    }

    fn add(&mut self, secret: Secret32) {
        self.input.extend_from_slice(secret.expose());
        self.shared.push(secret);
    }
}

fn key_of<const N: usize>(prekey: &Prekey) -> Result<&[u8; N], KeyError> {
    prekey.body().key.as_slice().try_into().map_err(|_| KeyError::Mismatch)
}
