//! A session made by hand from sections 16 and 17 of the document: its sender can break each rule of them.
//!
//! Mallory starts a session with a device and sends in its first chain, before any answer. Nothing here is shared with
//! a client but X25519 and ML-KEM.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, XChaCha20Poly1305};
use hkdf::Hkdf;
use hmac::Mac as _;
use sha2::{Digest as _, Sha256};
use susurro_client_core::crypto::AccountKey;
use susurro_client_core::crypto::Secret;
use susurro_client_core::crypto::dh::{DhSecret, agree};
use susurro_client_core::crypto::kem::{Kem as _, MlKem768};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::content::{Content, TYPE_TEXT, Text};
use susurro_protocol::event::Deliver;
use susurro_protocol::keys::{DeviceCertificate, PrekeyBody};
use susurro_protocol::rest::{AUTH_SCHEME, StretchParams};
use susurro_protocol::{AccountId, ChatId, DeviceId, MessageId, codec};

use super::peer::{device_of, rng};
use super::relay::seen::padded_length;
use super::relay::{Relay, now};
use super::{fault, random};
use crate::suite::Stop;

/// What stands around a message; the default is what the document asks for.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Version of the envelope.
    pub version: u8,
    /// Kind of the envelope.
    pub kind: u8,
    /// Flags of the header.
    pub flags: u8,
    /// Number in the chain; the next one when left out.
    pub number: Option<u32>,
}

impl Default for Header {
    fn default() -> Self {
        Self { version: 1, kind: 1, flags: 0, number: None }
    }
}

/// Somebody with a session of their own making.
pub struct Mallory {
    account: AccountId,
    device: DeviceId,
    target: DeviceId,
    chat: ChatId,
    list: [u8; 32],
    counter: u64,
    transcript: [u8; 32],
    initial: Vec<u8>,
    header_key: [u8; 32],
    chain: [u8; 32],
    ratchet: [u8; 32],
    next: u32,
    associated: Vec<u8>,
}

/// Of the first session with a device (SEL-1).
const GENERATION: u64 = 1;

impl Mallory {
    /// Registers as `mallory` and starts a session with the device of `to`.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when nothing can be claimed for it.
    pub fn join(relay: &Relay, to: &str) -> Result<Self, Stop> {
        let account_key = AccountKey::generate(&mut rng());
        let identity = DhSecret::generate(&mut rng());
        let device = DeviceId::from_bytes(random());
        let certificate = account_key.certify(device, account_key.public(), *identity.public(), now() / 1000);
        let list = account_key.issue_list(None, now() / 1000, vec![certificate.clone()]);
        let target = device_of(relay, to)?;
        let mut world = relay.world();
        let stretch = StretchParams {
            scheme: AUTH_SCHEME.to_owned(),
            salt: Fixed([2; 16]),
            memory_kib: 65536,
            passes: 3,
            lanes: 1,
        };
        world.add("mallory", list.clone(), stretch, random());
        let owner = world.accounts.get(to).and_then(|account| account.list.certificate(&target).cloned());
        let owner = owner.ok_or_else(|| fault("a certificate of the recipient"))?;
        let account = account_key.account();
        let chat = world.open_chat(account, owner.body().account).chat;
        let bundle = world.claim(owner.body().account, &[target]).and_then(|claim| claim.bundles.into_iter().next());
        drop(world);
        let bundle = bundle.ok_or_else(|| fault("a bundle of the recipient"))?.read().map_err(fault)?;
        let body = |bytes: &[u8]| codec::decode::<PrekeyBody>(bytes).map_err(fault);
        let (signed, kem) = (body(bundle.signed_prekey.body.as_slice())?, body(bundle.pq_prekey.body.as_slice())?);
        let signed_key: [u8; 32] = signed.key.as_slice().try_into().map_err(fault)?;
        let kem_key: [u8; 1184] = kem.key.as_slice().try_into().map_err(fault)?;
        let ephemeral = DhSecret::generate(&mut rng());
        let (kem_ciphertext, kem_secret) =
            MlKem768::encapsulate(&kem_key, &Secret::random(&mut rng())).map_err(fault)?;

        let mut secrets = vec![0xff; 32];
        let dh = |own: &DhSecret, theirs: &[u8; 32]| agree(own, theirs).map(|secret| *secret.expose()).map_err(fault);
        secrets.extend(dh(&identity, &signed_key)?);
        secrets.extend(dh(&ephemeral, &owner.body().identity_key.0)?);
        secrets.extend(dh(&ephemeral, &signed_key)?);
        if let Some(one_time) = bundle.one_time_prekey {
            secrets.extend(dh(&ephemeral, &one_time.key.0)?);
        }
        secrets.extend(kem_secret.expose());

        let one_time = bundle
            .one_time_prekey
            .map_or(vec![0], |prekey| [&[1], &prekey.id.to_be_bytes()[..], &prekey.key.0].concat());
        let party = |certificate: &DeviceCertificate| {
            let body = certificate.body();
            [&body.account.as_bytes()[..], body.device.as_bytes(), &certificate.hash()].concat()
        };
        let transcript: [u8; 32] = Sha256::digest(
            [
                b"susurro/v1/pqxdh-transcript\0".as_slice(),
                &1_u16.to_be_bytes(),
                &party(&certificate),
                &party(&owner),
                &GENERATION.to_be_bytes(),
                ephemeral.public(),
                &signed.id.to_be_bytes(),
                &signed_key,
                &one_time,
                &[bundle.pq_kind],
                &kem.id.to_be_bytes(),
                &kem_key,
                &kem_ciphertext,
            ]
            .concat(),
        )
        .into();
        let keys: [u8; 96] = expand(&[0; 32], &secrets, &[b"susurro/v1/pqxdh\0", &transcript[..]].concat())?;
        let (root, header_key) = (part(&keys, 0)?, part(&keys, 32)?);
        let ratchet = DhSecret::generate(&mut rng());
        let step: [u8; 96] = expand(&root, &dh(&ratchet, &signed_key)?, b"susurro/v1/ratchet-root\0")?;
        let initial = [
            &certificate.hash()[..],
            &GENERATION.to_be_bytes(),
            ephemeral.public(),
            &signed.id.to_be_bytes(),
            &bundle.one_time_prekey.map_or(0, |prekey| prekey.id).to_be_bytes(),
            &[bundle.pq_kind],
            &kem.id.to_be_bytes(),
            &kem_ciphertext,
        ]
        .concat();
        let ids = |account: &AccountId, device: &DeviceId| [&account.as_bytes()[..], device.as_bytes()].concat();
        let associated =
            [&1_u16.to_be_bytes()[..], &transcript, &ids(&account, &device), &ids(&owner.body().account, &target)]
                .concat();
        Ok(Self {
            account,
            device,
            target,
            chat,
            list: list.hash(),
            counter: 0,
            transcript,
            initial,
            header_key,
            chain: part(&step, 32)?,
            ratchet: *ratchet.public(),
            next: 0,
            associated,
        })
    }

    /// A text as a content, and that padded as it ought to be.
    ///
    /// # Errors
    ///
    /// Never so far.
    pub fn padded(&mut self, text: &str) -> Result<(Content, Vec<u8>), Stop> {
        self.counter += 1;
        let content = Content {
            message: MessageId::from_bytes(random()),
            chat: self.chat,
            counter: self.counter,
            parents: Vec::new(),
            sent_at: now(),
            sender_list: Fixed(self.list),
            recipient_list: Fixed(self.transcript),
            kind: TYPE_TEXT,
            body: codec::encode(&Text { text: text.to_owned() }).into(),
        };
        let mut padded = codec::encode(&content);
        padded.push(0x80);
        padded.resize(padded_length(padded.len()), 0);
        Ok((content, padded))
    }

    /// Encrypts padded bytes as the next message of the chain, or as that of another number, and delivers it.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when it cannot be encrypted.
    pub fn deliver(&mut self, relay: &Relay, content: &Content, header: Header, padded: &[u8]) -> Result<(), Stop> {
        let number = header.number.unwrap_or(self.next);
        if header.number.is_none() {
            self.next += 1;
        }
        let mut chain = self.chain;
        for _ in 0..number {
            chain = hmac(&chain, 2)?;
        }
        let key = hmac(&chain, 1)?;
        let nonce: [u8; 24] = random();
        let body_key: [u8; 32] = expand(&nonce, &key, b"susurro/v1/body-key\0")?;
        let associated = [&self.associated[..], &[header.version, header.kind]].concat();
        let plain = [&self.ratchet[..], &number.to_be_bytes(), &0_u32.to_be_bytes(), &[header.flags]].concat();
        let sealed_header = XChaCha20Poly1305::new((&self.header_key).into())
            .encrypt((&nonce).into(), Payload { msg: &plain, aad: &associated })
            .map_err(fault)?;
        let around = [&associated[..], &nonce, &sealed_header].concat();
        let sealed_body = ChaCha20Poly1305::new((&body_key).into())
            .encrypt((&[0; 12]).into(), Payload { msg: padded, aad: &around })
            .map_err(fault)?;
        let envelope =
            [&[header.version, header.kind][..], &self.initial, &nonce, &sealed_header, &sealed_body].concat();
        let delivery = Deliver {
            seq: 0,
            message: content.message,
            chat: self.chat,
            sender: self.account,
            sender_device: self.device,
            stored_at: now(),
            ciphertext: envelope.into(),
        };
        relay.deliver(self.target, delivery);
        Ok(())
    }
}

fn part(keys: &[u8; 96], from: usize) -> Result<[u8; 32], Stop> {
    keys[from..from + 32].try_into().map_err(fault)
}

fn expand<const N: usize>(salt: &[u8], material: &[u8], info: &[u8]) -> Result<[u8; N], Stop> {
    let mut out = [0; N];
    Hkdf::<Sha256>::new(Some(salt), material).expand(info, &mut out).map_err(fault)?;
    Ok(out)
}

fn hmac(key: &[u8; 32], byte: u8) -> Result<[u8; 32], Stop> {
    let mut mac = <hmac::Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).map_err(fault)?;
    mac.update(&[byte]);
    Ok(mac.finalize().into_bytes().into())
}
