//! Key agreement: PQXDH, revision 3 (Signal, "The PQXDH Key Agreement Protocol").

use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use susurro_protocol::keys::{DeviceCertificate, KeyError, PQ_PUBLIC_KEY_BYTES, Prekey, PrekeyBundle, PrekeyKind};
use susurro_protocol::{AccountId, DeviceId, PrekeyId};
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

/// Bytes of [`InitialHeader`] on the wire.
pub(crate) const INITIAL_HEADER_BYTES: usize = 32 + 32 + 32 + 8 + 8 + 1 + 8 + KEM_CIPHERTEXT_BYTES;

/// What the responder needs to reach the same keys; sent with every message until it answers.
pub(crate) struct InitialHeader {
    /// Hash of the initiator's certificate.
    pub(crate) certificate: [u8; 32],
    /// Transcript hash of the session that the initiator replaces; zeros for none.
    pub(crate) replaces: [u8; 32],
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
            &self.replaces,
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
        let (replaces, rest) = rest.split_first_chunk()?;
        let (ephemeral, rest) = rest.split_first_chunk()?;
        let (signed_prekey, rest) = rest.split_first_chunk()?;
        let (one_time_prekey, rest) = rest.split_first_chunk()?;
        let ([pq_kind], rest) = rest.split_first_chunk()?;
        let (pq_prekey, rest) = rest.split_first_chunk()?;
        Some(Self {
            certificate: *certificate,
            replaces: *replaces,
            ephemeral: *ephemeral,
            signed_prekey: u64::from_be_bytes(*signed_prekey),
            one_time_prekey: u64::from_be_bytes(*one_time_prekey),
            pq_kind: *pq_kind,
            pq_prekey: u64::from_be_bytes(*pq_prekey),
            kem_ciphertext: *rest.first_chunk()?,
        })
    }
}

/// Names an initial header, to find the session that it has started.
pub(crate) fn initial_hash(initial: &[u8; INITIAL_HEADER_BYTES]) -> [u8; 32] {
    Sha256::digest(initial).into()
}

/// Starts a session with the device that `remote` certifies, from a bundle of which every part
/// is verified here.
pub(crate) fn initiate(
    local: &LocalDevice,
    remote: &DeviceCertificate,
    bundle: &PrekeyBundle,
    replaces: [u8; 32],
    rng: &mut dyn CryptoRng,
) -> Result<(Session, [u8; INITIAL_HEADER_BYTES]), CryptoError> {
    let owner = remote.body();
    if owner.device == local.device() {
        return Err(CryptoError::SameDevice);
    }
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
    let signed_key: &[u8; 32] = key_of(&signed_prekey)?;
    let pq_key: &[u8; PQ_PUBLIC_KEY_BYTES] = key_of(&pq_prekey)?;

    let ephemeral = DhSecret::generate(rng);
    let (kem_ciphertext, kem_secret) = MlKem768::encapsulate(pq_key, &Secret::random(rng))?;
    let mut secrets = Agreement::new();
    secrets.add(&agree(local.identity(), signed_key)?);
    secrets.add(&agree(&ephemeral, &owner.identity_key.0)?);
    secrets.add(&agree(&ephemeral, signed_key)?);
    if let Some(prekey) = bundle.one_time_prekey {
        secrets.add(&agree(&ephemeral, &prekey.key.0)?);
    }
    secrets.add(&kem_secret);

    let initial = InitialHeader {
        certificate: local.certificate().hash(),
        replaces,
        ephemeral: *ephemeral.public(),
        signed_prekey: signed_prekey.body().id,
        one_time_prekey: bundle.one_time_prekey.map_or(0, |prekey| prekey.id),
        pq_kind: pq_kind.number(),
        pq_prekey: pq_prekey.body().id,
        kem_ciphertext,
    };
    let transcript = Transcript {
        initiator: Party::of(local.certificate()),
        responder: Party::of(remote),
        replaces: &initial.replaces,
        ephemeral: &initial.ephemeral,
        signed_prekey: (initial.signed_prekey, signed_key),
        one_time_prekey: bundle.one_time_prekey,
        pq_kind: initial.pq_kind,
        pq_prekey: (initial.pq_prekey, pq_key),
        kem_ciphertext: &initial.kem_ciphertext,
    }
    .hash();
    let bytes = initial.to_bytes();
    let binding = Binding {
        transcript,
        local: (local.account(), local.device()),
        remote: (owner.account, owner.device),
        remote_certificate: remote.hash(),
        initial: initial_hash(&bytes),
        replaces,
        started_here: true,
    };
    let session = Session::initiate(binding, secrets.first_keys(&transcript), *signed_key, rng)?;
    Ok((session, bytes))
}

/// A session that the other side has started, after its first message.
pub(crate) struct Responded {
    pub(crate) opened: Opened,
    pub(crate) prekeys: Prekeys,
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
    let initial = InitialHeader::of_bytes(bytes).ok_or(DecryptError::Malformed)?;
    if initial.certificate != remote.hash() {
        return Err(DecryptError::WrongSender);
    }
    let owner = remote.body();
    let pq_kind = PrekeyKind::of_number(initial.pq_kind).ok_or(DecryptError::Malformed)?;
    let named = Named {
        signed: initial.signed_prekey,
        one_time: initial.one_time_prekey,
        pq_kind,
        pq: initial.pq_prekey,
        ephemeral: initial.ephemeral,
    };
    let chosen = prekeys.choose(&named, now)?;

    let mut secrets = Agreement::new();
    secrets.add(&agree(chosen.signed, &owner.identity_key.0)?);
    secrets.add(&agree(local.identity(), &initial.ephemeral)?);
    secrets.add(&agree(chosen.signed, &initial.ephemeral)?);
    if let Some(one_time) = chosen.one_time {
        secrets.add(&agree(one_time, &initial.ephemeral)?);
    }
    let (kem_secret, pq_key) = MlKem768::decapsulate(chosen.pq_seed, &initial.kem_ciphertext);
    secrets.add(&kem_secret);

    let transcript = Transcript {
        initiator: Party::of(remote),
        responder: Party::of(local.certificate()),
        replaces: &initial.replaces,
        ephemeral: &initial.ephemeral,
        signed_prekey: (named.signed, chosen.signed.public()),
        one_time_prekey: chosen.one_time_prekey(named.one_time),
        pq_kind: initial.pq_kind,
        pq_prekey: (named.pq, &pq_key),
        kem_ciphertext: &initial.kem_ciphertext,
    }
    .hash();
    let remote_party: (AccountId, DeviceId) = (owner.account, owner.device);
    let binding = Binding {
        transcript,
        local: (local.account(), local.device()),
        remote: remote_party,
        remote_certificate: remote.hash(),
        initial: initial_hash(bytes),
        replaces: initial.replaces,
        started_here: false,
    };
    let opened = Session::respond(binding, secrets.first_keys(&transcript), chosen.signed, message, now)?;
    Ok(Responded { opened, prekeys: prekeys.consume(&named) })
}

/// The input of the key derivation (PQXDH, section 2.2): 32 bytes 0xFF, then each shared secret.
struct Agreement(Zeroizing<Vec<u8>>);

impl Agreement {
    fn new() -> Self {
        // Room for all of it: a vector that moves would leave secrets behind.
        let mut bytes = Vec::with_capacity(6 * 32);
        bytes.resize(32, 0xff);
        Self(Zeroizing::new(bytes))
    }

    fn add(&mut self, secret: &Secret32) {
        self.0.extend_from_slice(secret.expose());
    }

    fn first_keys(&self, transcript: &[u8; 32]) -> FirstKeys {
        let [root, initiator, responder] = three_keys(Some(&[0; 32]), &self.0, &[INFO, transcript]);
        FirstKeys {
            root: RootKey(root),
            initiator_header: HeaderKey(initiator),
            responder_header: HeaderKey(responder),
        }
    }
}

fn key_of<const N: usize>(prekey: &Prekey) -> Result<&[u8; N], KeyError> {
    prekey.body().key.as_slice().try_into().map_err(|_| KeyError::Mismatch)
}
