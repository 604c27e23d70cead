//! Who this side is: the account key and the keys of this device.

use std::fmt;

use ed25519_dalek::SigningKey;
use rand_core::CryptoRng;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList};
use susurro_protocol::rest::SignedText;
use susurro_protocol::signed::SignedBytes;
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, DeviceId};
use zeroize::Zeroizing;

use super::dh::DhSecret;
use super::secret::Secret;
use super::state::{BadState, Reader, Writer};

const STATE_VERSION: u8 = 1;

/// The Ed25519 key of an account: certifies devices and signs the list of them. People verify
/// this key, so linking a device does not change a safety number.
pub struct AccountKey(SigningKey);

impl AccountKey {
    /// A fresh key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(signing_key(rng))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The account that belongs to this key.
    #[must_use]
    pub fn account(&self) -> AccountId {
        AccountId::of_account_key(&self.public())
    }

    /// Certifies the public keys of a device. `created` is in seconds since 1970.
    #[must_use]
    pub fn certify(
        &self,
        device: DeviceId,
        signing_key: [u8; 32],
        identity_key: [u8; 32],
        created: u64,
    ) -> DeviceCertificate {
        let body = CertificateBody {
            suite: SUITE,
            account: self.account(),
            account_key: Fixed(self.public()),
            device,
            signing_key: Fixed(signing_key),
            identity_key: Fixed(identity_key),
            created,
        };
        DeviceCertificate::issue(&self.0, body)
    }

    /// Signs the list of the account's devices, which continues `previous`.
    #[must_use]
    pub fn issue_list(
        &self,
        previous: Option<&DeviceList>,
        created: u64,
        certificates: Vec<DeviceCertificate>,
    ) -> DeviceList {
        DeviceList::issue(&self.0, previous, created, certificates)
    }

    /// The secret, to be stored encrypted.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", self.account())
    }
}

/// This device: its identifier, signing key, identity key and certificate.
pub struct LocalDevice {
    signing_key: SigningKey,
    identity: DhSecret,
    certificate: DeviceCertificate,
}

impl LocalDevice {
    /// A new device of an account. `now` is in seconds since 1970.
    pub fn generate(account: &AccountKey, now: u64, rng: &mut dyn CryptoRng) -> Self {
        let mut device = [0; 16];
        rng.fill_bytes(&mut device);
        let signing_key = signing_key(rng);
        let identity = DhSecret::generate(rng);
        let certificate = account.certify(
            DeviceId::from_bytes(device),
            signing_key.verifying_key().to_bytes(),
            *identity.public(),
            now,
        );
        Self { signing_key, identity, certificate }
    }

    /// The account it belongs to.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.certificate.body().account
    }

    /// The account key that people verify.
    #[must_use]
    pub fn account_key(&self) -> [u8; 32] {
        self.certificate.body().account_key.0
    }

    /// Its identifier.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.certificate.body().device
    }

    /// What the account says of it.
    #[must_use]
    pub fn certificate(&self) -> &DeviceCertificate {
        &self.certificate
    }

    /// The key with which it signs prekeys, handshakes and logins.
    #[must_use]
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing_key
    }

    /// The key that enters key agreement.
    pub(crate) fn identity(&self) -> &DhSecret {
        &self.identity
    }

    /// The secrets and the certificate, to be stored encrypted.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Writer::new(STATE_VERSION);
        out.raw(self.signing_key.as_bytes()).raw(self.identity.expose());
        out.block(SignedText::of(self.certificate.signed()).0.as_slice());
        out.finish()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    ///
    /// [`BadState`] for anything else, and when the certificate is not of these keys.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadState> {
        let mut reader = Reader::new(bytes, STATE_VERSION)?;
        let (signing_key, identity) = (reader.array()?, reader.array()?);
        let signed = SignedText(reader.block()?.into()).read().map_err(|_| BadState)?;
        reader.end()?;
        Self::from_keys(signing_key, identity, signed)
    }

    /// The device of these private keys, which `signed` certifies.
    ///
    /// # Errors
    ///
    /// [`BadState`] when the certificate does not hold or is not of these keys.
    pub fn from_keys(signing_key: &[u8; 32], identity: &[u8; 32], signed: SignedBytes) -> Result<Self, BadState> {
        let signing_key = SigningKey::from_bytes(signing_key);
        let identity = DhSecret::from_secret(&Secret::copy_of(identity));
        let certificate = DeviceCertificate::verify(signed).map_err(|_| BadState)?;
        let body = certificate.body();
        if body.signing_key.0 != signing_key.verifying_key().to_bytes() || body.identity_key.0 != *identity.public() {
            return Err(BadState);
        }
        Ok(Self { signing_key, identity, certificate })
    }
}

impl fmt::Debug for LocalDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalDevice({} of {})", self.device(), self.account())
    }
}

fn signing_key(rng: &mut dyn CryptoRng) -> SigningKey {
    SigningKey::from_bytes(Secret::random(rng).expose())
}
