//! The use cases on the stores of tests, with a clock that a test sets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may stop anywhere")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList};
use susurro_protocol::limits::{ACCESS_SECONDS, BLOB_CHUNK, BLOB_UPLOAD_SECONDS, LOGIN_NONCE_SECONDS, REFRESH_SECONDS};
use susurro_protocol::rest::{
    AUTH_SCHEME, LoginRequest, NewBlob, RefreshRequest, RegisterRequest, SignedText, StretchParams, TokenResponse,
    login_proof,
};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, BlobId, DeviceId, ErrorCode};
use susurro_server::adapters::outbound::bus::LocalBus;
use susurro_server::adapters::outbound::jwt::JwtTokens;
use susurro_server::adapters::outbound::memory::MemoryStore;
use susurro_server::adapters::outbound::system::SystemEntropy;
use susurro_server::domain::account::Role;
use susurro_server::domain::login::LoginKeys;
use susurro_server::domain::mailbox::MailboxBounds;
use susurro_server::domain::token::{Claims, FamilyId};
use susurro_server::ports::{Answer, Bus, Clock, Passwords};
use susurro_server::service::{Fanout, Ports, Relay, RelayKeys};
use zeroize::Zeroizing;

/// A time that only a test moves.
struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Hashes nothing, but counts.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Passwords for Counted {
    fn hash(&self, stretched: [u8; 32], _salt: [u8; 16]) -> Answer<'_, [u8; 32]> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(stretched)))
    }
}

struct Bench {
    relay: Relay,
    clock: Arc<Hands>,
    hashes: Arc<Counted>,
    alice: SigningKey,
}

const DEVICE: DeviceId = DeviceId::from_bytes([5; 16]);
const START: u64 = 1_000_000_000;

impl Bench {
    async fn new() -> (Self, TokenResponse) {
        let (clock, hashes) = (Arc::new(Hands(AtomicU64::new(START))), Arc::new(Counted::default()));
        let bus: Arc<dyn Bus> = Arc::new(LocalBus::default());
        let store = Arc::new(MemoryStore::new(MailboxBounds::of_messages(10), Arc::new(Fanout(bus.clone()))));
        let signing = SigningKey::from_bytes(&[1; 32]);
        let keys = [("0001".to_owned(), Zeroizing::new([2; 32]))];
        let ports = Ports {
            accounts: store.clone(),
            administration: store.clone(),
            invites: store.clone(),
            announcements: store.clone(),
            devices: store.clone(),
            prekeys: store.clone(),
            chats: store.clone(),
            blob_records: store.clone(),
            blobs: store.clone(),
            mailboxes: store.clone(),
            sessions: store,
            bus,
            tokens: Arc::new(JwtTokens::new(signing.verifying_key().as_bytes(), &keys).unwrap()),
            passwords: hashes.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
        };
        let relay = Relay::new(ports, RelayKeys { signing, login: LoginKeys::new([3; 32], [4; 32]) });
        let bench = Self { relay, clock, hashes, alice: SigningKey::from_bytes(&[7; 32]) };
        let request = RegisterRequest {
            username: "alice".into(),
            stretch: StretchParams {
                scheme: AUTH_SCHEME.into(),
                salt: Fixed([0; 16]),
                memory_kib: 64 * 1024,
                passes: 3,
                lanes: 1,
            },
            auth: Fixed([9; 32]),
            device_list: SignedText::of(bench.list().signed()),
            invite: None,
        };
        let tokens = bench.relay.register(request).await.unwrap();
        (bench, tokens)
    }

    fn list(&self) -> DeviceList {
        let public = self.alice.verifying_key().to_bytes();
        let body = CertificateBody {
            suite: SUITE,
            account: AccountId::of_account_key(&public),
            account_key: Fixed(public),
            device: DEVICE,
            signing_key: Fixed(public),
            identity_key: Fixed([1; 32]),
            created: 1,
        };
        DeviceList::issue(&self.alice, None, 1, vec![DeviceCertificate::issue(&self.alice, body)])
    }

    fn wait(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    async fn nonce(&self, name: &str) -> Vec<u8> {
        self.relay.auth_params(name).await.unwrap().nonce.as_slice().to_vec()
    }

    async fn login(&self, name: &str, auth: [u8; 32], nonce: Vec<u8>) -> Result<TokenResponse, ErrorCode> {
        let relay_key = self.relay.info().relay_key.0;
        let account = self.list().body().account;
        let proof = signed::sign(&self.alice, Label::Login, &login_proof(&relay_key, &account, &DEVICE, &nonce));
        let request = LoginRequest {
            username: name.into(),
            auth: Fixed(auth),
            device: DEVICE,
            nonce: nonce.into(),
            proof: Fixed(proof),
        };
        self.relay.login(request).await.map_err(|error| error.code())
    }

    async fn refresh(&self, token: &str) -> Result<TokenResponse, ErrorCode> {
        self.relay.refresh(RefreshRequest { refresh_token: token.to_owned() }).await.map_err(|error| error.code())
    }
}

#[tokio::test]
async fn an_unknown_name_costs_the_same_work_as_a_wrong_password() {
    let (bench, _) = Bench::new().await;
    for name in ["alice", "nobody", "NOT A NAME", ""] {
        let before = bench.hashes.0.load(Ordering::Relaxed);
        let nonce = bench.nonce(name).await;
        assert_eq!(bench.login(name, [0; 32], nonce).await.err(), Some(ErrorCode::InvalidCredentials));
        assert_eq!(bench.hashes.0.load(Ordering::Relaxed) - before, 1, "{name:?}");
    }
}

#[tokio::test]
async fn nobody_logs_in_to_an_account_that_does_not_exist_by_guessing_the_empty_hash() {
    let (bench, _) = Bench::new().await;
    // The counting hash gives back what it gets, so this is what an unknown name is compared with.
    let nonce = bench.nonce("nobody").await;
    assert_eq!(bench.login("nobody", [0; 32], nonce).await.err(), Some(ErrorCode::InvalidCredentials));
}

#[tokio::test]
async fn a_nonce_is_good_for_its_minutes_and_its_name() {
    let (bench, _) = Bench::new().await;
    let (nonce, of_bob) = (bench.nonce("alice").await, bench.nonce("bob").await);
    assert_eq!(bench.login("alice", [9; 32], of_bob).await.err(), Some(ErrorCode::StaleNonce));
    bench.wait(LOGIN_NONCE_SECONDS);
    bench.login("alice", [9; 32], nonce.clone()).await.unwrap();
    bench.wait(1);
    assert_eq!(bench.login("alice", [9; 32], nonce).await.err(), Some(ErrorCode::StaleNonce));
}

#[tokio::test]
async fn an_access_token_ends_after_its_hour_and_a_refresh_token_after_its_days() {
    let (bench, tokens) = Bench::new().await;
    let check = async |token: &str| bench.relay.authenticate(token).await.map(|_| ()).map_err(|error| error.code());
    bench.wait(ACCESS_SECONDS - 1);
    assert_eq!(check(&tokens.access_token).await, Ok(()));
    bench.wait(1);
    assert_eq!(check(&tokens.access_token).await, Err(ErrorCode::TokenExpired));
    let fresh = bench.refresh(&tokens.refresh_token).await.unwrap();
    assert_eq!(check(&fresh.access_token).await, Ok(()));
    // The one before is good for a minute, and no more.
    let again = bench.refresh(&tokens.refresh_token).await.unwrap();
    let fresh = bench.refresh(&again.refresh_token).await.unwrap();
    bench.wait(REFRESH_SECONDS);
    assert_eq!(bench.refresh(&fresh.refresh_token).await.err(), Some(ErrorCode::TokenExpired));
    // Tidying forgets the login; its tokens then are nobody's.
    assert_eq!(bench.relay.tidy().await, 1);
    assert_eq!(bench.refresh(&fresh.refresh_token).await.err(), Some(ErrorCode::Unauthenticated));
}

fn claims(bench: &Bench) -> Claims {
    let account = bench.list().body().account;
    Claims { account, device: DEVICE, role: Role::User, family: FamilyId([1; 16]), issued: 0, expires: u64::MAX }
}

fn new_blob(n: u8, size: u64) -> NewBlob {
    NewBlob { blob: BlobId::from_bytes([n; 16]), size, expires_after: 3600 }
}

#[tokio::test]
async fn a_blob_goes_at_its_time_and_its_bytes_a_minute_later() {
    let (bench, _) = Bench::new().await;
    let (me, new) = (claims(&bench), new_blob(1, 5));
    bench.relay.begin_blob(&me, &new).await.unwrap();
    bench.relay.put_blob(&me, new.blob, 0, 5, Bytes::from_static(b"hello")).await.unwrap();
    bench.wait(3599);
    assert_eq!(bench.relay.blob_bytes(new.blob, 1, 5).await.unwrap(), "ello");
    assert!(bench.relay.blob_state(&me, new.blob).await.is_ok());
    bench.wait(1);
    let gone = bench.relay.blob_state(&me, new.blob).await.map_err(|error| error.code());
    assert_eq!(gone, Err(ErrorCode::NotFound));
    assert_eq!(bench.relay.tidy().await, 0, "an upload may still be under way");
    bench.wait(60);
    assert_eq!(bench.relay.tidy().await, 1);
    assert!(bench.relay.blob_bytes(new.blob, 0, 5).await.is_err());
}

#[tokio::test]
async fn an_upload_that_is_not_whole_goes_after_a_day() {
    let (bench, _) = Bench::new().await;
    let (me, new) = (claims(&bench), NewBlob { expires_after: 0, ..new_blob(1, BLOB_CHUNK as u64 + 1) });
    bench.relay.begin_blob(&me, &new).await.unwrap();
    let chunk = Bytes::from(vec![1; BLOB_CHUNK]);
    bench.relay.put_blob(&me, new.blob, 0, new.size, chunk).await.unwrap();
    bench.wait(u64::from(BLOB_UPLOAD_SECONDS) - 1);
    assert_eq!(bench.relay.blob_state(&me, new.blob).await.unwrap().offset, BLOB_CHUNK as u64);
    bench.wait(1);
    let late = bench.relay.put_blob(&me, new.blob, BLOB_CHUNK as u64, new.size, Bytes::from_static(b"x")).await;
    assert_eq!(late.map_err(|error| error.code()), Err(ErrorCode::NotFound));
    bench.wait(60);
    assert_eq!(bench.relay.tidy().await, 1);
}

#[tokio::test]
async fn attachments_take_no_more_room_than_an_account_has() {
    let (mut bench, _) = Bench::new().await;
    bench.relay = bench.relay.with_blob_quota(100);
    let me = claims(&bench);
    let begin = async |n, size| bench.relay.begin_blob(&me, &new_blob(n, size)).await.map_err(|error| error.code());
    assert_eq!(begin(1, 101).await, Err(ErrorCode::BlobQuota));
    assert!(begin(1, 60).await.is_ok());
    assert!(begin(2, 40).await.is_ok());
    assert_eq!(begin(3, 1).await, Err(ErrorCode::BlobQuota));
    assert!(begin(2, 40).await.is_ok_and(|(_, made)| !made), "one that is there counts once");
    bench.relay.delete_blob(&me, new_blob(1, 60).blob).await.unwrap();
    assert!(begin(3, 60).await.is_ok(), "what was deleted counts no longer");
    assert_eq!(begin(1, 60).await, Err(ErrorCode::BlobConflict), "its identifier stays taken until it is forgotten");
    bench.wait(3600);
    assert!(begin(4, 100).await.is_ok(), "nor does what is past its time");
}
