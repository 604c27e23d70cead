//! Fixed keys, so that samples and worked examples are the same bytes on every machine.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::frame::RawFrame;
use susurro_protocol::handshake::{ClientHandshake, ClientIdentity, ReceivedHello, SessionPair};
use susurro_protocol::keys::{CertificateBody, DeviceCertificate};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, DeviceId};

/// The access token of the fixed handshake.
pub const TOKEN: &str = "example-token";

/// The relay's long-term key.
pub fn relay_key() -> SigningKey {
    SigningKey::from_bytes(&[0x11; 32])
}

/// The account key of the client.
pub fn account_key() -> SigningKey {
    SigningKey::from_bytes(&[0x22; 32])
}

/// The device signing key of the client.
pub fn device_key() -> SigningKey {
    SigningKey::from_bytes(&[0x33; 32])
}

/// The account of [`account_key`].
pub fn account() -> AccountId {
    AccountId::of_account_key(&account_key().verifying_key().to_bytes())
}

/// The device.
pub fn device() -> DeviceId {
    DeviceId::from_bytes([0x44; 16])
}

/// The certificate of the device.
pub fn certificate() -> DeviceCertificate {
    DeviceCertificate::issue(
        &account_key(),
        CertificateBody {
            suite: SUITE,
            account: account(),
            account_key: Fixed(account_key().verifying_key().to_bytes()),
            device: device(),
            signing_key: Fixed(device_key().verifying_key().to_bytes()),
            identity_key: Fixed([0x77; 32]),
            created: 1_790_000_000,
        },
    )
}

/// The fixed handshake of section 9.
pub struct Handshake {
    /// The message with `Hello`.
    pub hello: Bytes,
    /// The message with `Welcome`.
    pub welcome: Bytes,
    /// The client's side of the session.
    pub client: SessionPair,
    /// The relay's side of the session.
    pub relay: SessionPair,
}

/// The client before `Welcome`, and its `Hello`.
pub fn client_start() -> (ClientHandshake, Vec<u8>) {
    let key = device_key();
    let who = ClientIdentity { account: account(), device: device(), signing_key: &key };
    ClientHandshake::start(&who, relay_key().verifying_key().to_bytes(), TOKEN, 7, [0x55; 32].into())
}

/// Plays the handshake.
pub fn handshake() -> Handshake {
    let (client, hello) = client_start();
    let hello = Bytes::from(hello);
    let relay_public = relay_key().verifying_key().to_bytes();
    let received = ReceivedHello::read(RawFrame::decode(&hello).unwrap(), &relay_public, TOKEN).unwrap();
    let device_public = device_key().verifying_key().to_bytes();
    let (welcome, relay) =
        received.verify(&device_public, &relay_key(), [0x66; 32].into(), 1_790_000_000_000, 9).unwrap();
    let welcome = Bytes::from(welcome);
    let (_, client) = client.finish(&RawFrame::decode(&welcome).unwrap()).unwrap();
    Handshake { hello, welcome, client, relay }
}
