//! The honest answers of the REST interface (section 15), and what a client must not send there.

use std::sync::PoisonError;

use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{DeviceList, Prekey, PrekeyKind};
use susurro_protocol::limits::{CIPHERTEXT_MAX, ONE_TIME_PREKEYS_MAX, PASSWORD_MEMORY_KIB_MIN, PASSWORD_PASSES_MIN};
use susurro_protocol::rest::{
    AUTH_SCHEME, AuthParams, ClaimRequest, LoginRequest, Me, OpenChat, Page, PublishKeys, RefreshRequest,
    RegisterRequest, RelayInfo, SignedAnnouncement, SignedText, StretchParams, UserDevices, UserEntry, login_proof,
};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::version::{MIN_VERSION, VERSION};
use susurro_protocol::{AccountName, DeviceId, ErrorCode};

use super::http::{Asked, Reply};
use super::world::World;
use super::{Relay, now};

/// Of each login.
const NONCE: [u8; 40] = [0x6e; 40];

impl Relay {
    /// What a relay answers that keeps the rules.
    pub(super) fn honest(&self, asked: &Asked) -> Reply {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/.well-known/susurro") => Ok(Reply::json(200, &info(&world))),
            ("GET", "/healthz" | "/readyz") => Ok(Reply::of(200, "application/json", r#"{"status":"ok"}"#)),
            ("GET", "/auth/params") => Ok(Reply::json(200, &params(&world, asked))),
            ("POST", "/auth/register") => self.register(&mut world, asked),
            ("POST", "/auth/login") => self.login(&mut world, asked),
            ("POST", "/auth/refresh") => refresh(&mut world, asked),
            _ => match world.check_token(asked.token()) {
                Err(code) => Err(Reply::problem(401, code)),
                Ok(device) => self.with_token(&mut world, asked, device),
            },
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    fn register(&self, world: &mut World, asked: &Asked) -> Result<Reply, Reply> {
        let request: RegisterRequest = asked.json()?;
        if request.username.parse::<AccountName>().is_err() {
            return Err(Reply::problem(400, ErrorCode::InvalidName));
        }
        let list = request.device_list.read().map_err(|_| Reply::problem(422, ErrorCode::InvalidDeviceList))?;
        let list = DeviceList::verify(list).map_err(|_| Reply::problem(422, ErrorCode::InvalidDeviceList))?;
        let stretch = &request.stretch;
        if stretch.scheme != AUTH_SCHEME
            || (stretch.memory_kib, stretch.passes, stretch.lanes) != (PASSWORD_MEMORY_KIB_MIN, PASSWORD_PASSES_MIN, 1)
        {
            self.object("PWD-3: it registers with other costs of stretching than 65,536 KiB, 3 passes and 1 lane");
        }
        if list.body().version != 1 || list.certificates().len() != 1 {
            self.object("AUTH-8: it registers with a device list that is not version 1 with one certificate");
            return Err(Reply::problem(422, ErrorCode::InvalidDeviceList));
        }
        if world.accounts.contains_key(&request.username) {
            return Err(Reply::problem(409, ErrorCode::NameTaken));
        }
        if world.account(&list.body().account).is_some() {
            return Err(Reply::problem(409, ErrorCode::AccountExists));
        }
        Ok(Reply::json(201, &world.add(&request.username, list, request.stretch.clone(), request.auth.0)))
    }

    fn login(&self, world: &mut World, asked: &Asked) -> Result<Reply, Reply> {
        let request: LoginRequest = asked.json()?;
        let wrong = || Reply::problem(401, ErrorCode::InvalidCredentials);
        let account = world.accounts.get(&request.username).filter(|account| account.auth == request.auth.0);
        let account = account.ok_or_else(wrong)?;
        let certificate = account.list.certificate(&request.device);
        let body = certificate.ok_or_else(|| Reply::problem(403, ErrorCode::UnknownDevice))?.body();
        let proof = login_proof(&world.relay_key(), &body.account, &request.device, request.nonce.as_slice());
        if signed::verify(&body.signing_key.0, Label::Login, &proof, &request.proof.0).is_err() {
            self.object("AUTH-10: the proof of a login does not hold under the device's signing key");
            return Err(Reply::problem(401, ErrorCode::BadSignature));
        }
        let (account, device) = (body.account, request.device);
        Ok(Reply::json(200, &world.tokens(account, device)))
    }

    fn with_token(&self, world: &mut World, asked: &Asked, device: DeviceId) -> Result<Reply, Reply> {
        let not_found = || Reply::problem(404, ErrorCode::NotFound);
        let me = world.devices.get(&device).map(|device| device.account).ok_or_else(not_found)?;
        let parts: Vec<_> = asked.path.trim_start_matches('/').split('/').collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("POST", ["auth", "logout"]) => {
                world.revoke(device);
                Ok(Reply { status: 204, headers: Vec::new(), body: Vec::new() })
            }
            ("GET", ["users", "me"]) => {
                let (name, account) = world.account(&me).ok_or_else(not_found)?;
                let name = name.parse().map_err(|_| not_found())?;
                Ok(Reply::json(200, &Me { account: account.account, name, display_name: None, created: 1 }))
            }
            ("GET", ["users", "search"]) => {
                let entry = |(name, known): (&String, &super::world::Account)| {
                    Some(UserEntry { account: known.account, name: name.parse().ok()?, display_name: None })
                };
                let prefix = asked.query.strip_prefix("q=").unwrap_or_default();
                let found = world.accounts.iter().filter(|(name, _)| name.starts_with(prefix));
                Ok(Reply::json(200, &Page { items: found.filter_map(entry).collect(), next: None }))
            }
            ("GET", ["users", name, "devices"]) => {
                let account = world.accounts.get(*name).ok_or_else(not_found)?;
                let name = name.parse().map_err(|_| Reply::problem(400, ErrorCode::InvalidName))?;
                let (account, device_list) = (account.account, account.shown());
                Ok(Reply::json(200, &UserDevices { account, name, device_list }))
            }
            ("GET", ["announcements"]) => {
                let items = world.announced.iter().map(|(id, notice)| SignedAnnouncement {
                    id: *id,
                    announcement: SignedText::of(&notice.announcement),
                });
                Ok(Reply::json(200, &Page { items: items.collect(), next: None }))
            }
            ("PUT", ["keys"]) => {
                let keys: PublishKeys = asked.json()?;
                self.check_prekeys(world, device, &keys)?;
                Ok(Reply::json(200, &world.publish(device, &keys).ok_or_else(not_found)?))
            }
            ("GET", ["keys", "count"]) => {
                let keys = world.devices.get(&device).and_then(|device| device.keys.as_ref());
                let nothing = || susurro_protocol::rest::KeyCount {
                    one_time: 0,
                    pq_one_time: 0,
                    digest: Fixed(susurro_protocol::rest::prekey_digest([])),
                };
                Ok(Reply::json(200, &keys.map_or_else(nothing, super::world::Keys::count)))
            }
            ("POST", ["keys", "claim"]) => {
                let claim: ClaimRequest = asked.json()?;
                Ok(Reply::json(200, &world.claim(claim.account, &claim.devices).ok_or_else(not_found)?))
            }
            ("POST", ["chats"]) => {
                let open: OpenChat = asked.json()?;
                let peer = world.accounts.get(&open.peer).ok_or_else(not_found)?.account;
                Ok(Reply::json(200, &world.open_chat(me, peer)))
            }
            ("GET", ["chats"]) => {
                let own = world.chats.iter().filter(|(_, members)| members.contains(&me));
                let items: Vec<_> = own.filter_map(|(chat, _)| world.chat(chat)).collect();
                Ok(Reply::json(200, &Page { items, next: None }))
            }
            ("GET", ["chats", id]) => {
                let id = id.parse().map_err(|_| not_found())?;
                let own = world.chats.get(&id).is_some_and(|members| members.contains(&me));
                let chat = world.chat(&id).filter(|_| own).ok_or_else(not_found)?;
                Ok(Reply::json(200, &chat))
            }
            _ => Err(not_found()),
        }
    }

    /// KEY-5 and REST-7, from the relay's side.
    fn check_prekeys(&self, world: &World, device: DeviceId, keys: &PublishKeys) -> Result<(), Reply> {
        let refuse = || Reply::problem(422, ErrorCode::InvalidPrekeys);
        let owner = world.accounts.values().find_map(|account| account.list.certificate(&device));
        let owner = owner.ok_or_else(refuse)?.body();
        let signed = [(&keys.signed_prekey, PrekeyKind::Signed), (&keys.pq_last_resort, PrekeyKind::PqLastResort)];
        let pq = keys.pq_one_time.iter().map(|key| (key, PrekeyKind::PqOneTime));
        for (text, kind) in signed.into_iter().chain(pq) {
            let good = text.read().is_ok_and(|signed| Prekey::verify(signed, owner, kind).is_ok());
            if !good {
                self.object("KEY-5: it publishes a prekey whose signature, device, kind or size is wrong");
                return Err(refuse());
            }
        }
        let held = world.devices.get(&device).and_then(|device| device.keys.as_ref());
        let held = held.map_or((0, 0), |held| (held.one_time.len(), held.pq.len()));
        if held.0.max(held.1) + keys.one_time.len().max(keys.pq_one_time.len()) > ONE_TIME_PREKEYS_MAX {
            return Err(refuse());
        }
        Ok(())
    }
}

/// `RelayInfo` of a relay with this key.
#[must_use]
pub fn info(world: &World) -> RelayInfo {
    RelayInfo {
        service: "susurro".to_owned(),
        software: "conformance".to_owned(),
        min_version: MIN_VERSION,
        max_version: VERSION,
        relay_key: Fixed(world.relay_key()),
        registration: "open".to_owned(),
        time: now(),
        ciphertext_max: u32::try_from(CIPHERTEXT_MAX).unwrap_or(u32::MAX),
    }
}

fn params(world: &World, asked: &Asked) -> AuthParams {
    let name = asked.query.strip_prefix("username=").unwrap_or_default();
    let known = world.accounts.get(name).map(|account| account.stretch.clone());
    let invented = || StretchParams {
        scheme: AUTH_SCHEME.to_owned(),
        salt: Fixed([1; 16]),
        memory_kib: PASSWORD_MEMORY_KIB_MIN,
        passes: PASSWORD_PASSES_MIN,
        lanes: 1,
    };
    AuthParams { stretch: known.unwrap_or_else(invented), nonce: NONCE.into() }
}

fn refresh(world: &mut World, asked: &Asked) -> Result<Reply, Reply> {
    let request: RefreshRequest = asked.json()?;
    world
        .exchange(&request.refresh_token)
        .map(|tokens| Reply::json(200, &tokens))
        .map_err(|code| Reply::problem(401, code))
}
