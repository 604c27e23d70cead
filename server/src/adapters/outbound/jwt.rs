//! Access tokens as JSON Web Tokens signed with Ed25519 (RFC 7519, RFC 8037).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::{AccountId, DeviceId, ErrorCode};

use crate::domain::Error;
use crate::domain::account::Role;
use crate::domain::token::{Claims, FamilyId};
use crate::ports::Tokens;

/// DER of a PKCS #8 Ed25519 private key up to the key itself (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Makes and reads tokens. One key signs, all of them verify.
pub struct JwtTokens {
    keys: RwLock<Arc<Keys>>,
    validation: Validation,
}

struct Keys {
    signing: (String, EncodingKey),
    verifying: BTreeMap<String, DecodingKey>,
}

/// A key id and the Ed25519 seed behind it.
type TokenKey = (String, zeroize::Zeroizing<[u8; 32]>);

#[derive(Serialize, Deserialize)]
struct Payload {
    /// Issuer: the relay's key, so that two relays with a copied token key stay apart.
    iss: String,
    /// The account.
    sub: AccountId,
    device: DeviceId,
    role: String,
    /// The token family.
    sid: Fixed<16>,
    iat: u64,
    exp: u64,
}

impl JwtTokens {
    /// Tokens of the relay with the public key `relay`, signed with the last of `keys` by id.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when there is no key.
    pub fn new(relay: &[u8; 32], keys: &[TokenKey]) -> Result<Self, Error> {
        let last = keys.iter().map(|(id, _)| id).max().map(String::as_str);
        let keys = read_keys(keys, last.unwrap_or_default())?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The relay's own clock decides, in one place for tokens of every kind.
        validation.validate_exp = false;
        validation.required_spec_claims = ["exp", "sub", "iss"].map(str::to_owned).into();
        validation.set_issuer(&[issuer(relay)]);
        Ok(Self { keys: RwLock::new(Arc::new(keys)), validation })
    }

    /// Signs from now on with the key of the id `signing`, and reads what any of `keys` has signed. Says
    /// whether that changes anything.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when `signing` is none of them; nothing has changed then.
    pub fn replace(&self, keys: &[TokenKey], signing: &str) -> Result<bool, Error> {
        let present = self.keys();
        let same = present.signing.0 == signing
            && present.verifying.len() == keys.len()
            && keys.iter().all(|(id, _)| present.verifying.contains_key(id));
        if !same {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read_keys(keys, signing)?);
        }
        Ok(!same)
    }

    fn keys(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn issuer(&self) -> String {
        self.validation.iss.iter().flatten().next().cloned().unwrap_or_default()
    }
}

fn read_keys(keys: &[TokenKey], signing: &str) -> Result<Keys, Error> {
    let found = keys.iter().find(|(id, _)| id == signing);
    let (id, seed) = found.ok_or_else(|| Error::Internal("no key for access tokens".to_owned()))?;
    let der = zeroize::Zeroizing::new([&PKCS8_PREFIX[..], &seed[..]].concat());
    let verifying = keys.iter().map(|(id, seed)| {
        let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key();
        (id.clone(), DecodingKey::from_ed_der(public.as_bytes()))
    });
    Ok(Keys { signing: (id.clone(), EncodingKey::from_ed_der(&der)), verifying: verifying.collect() })
}

impl Tokens for JwtTokens {
    fn issue(&self, claims: &Claims) -> Result<String, Error> {
        let keys = self.keys();
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(keys.signing.0.clone());
        let payload = Payload {
            iss: self.issuer(),
            sub: claims.account,
            device: claims.device,
            role: claims.role.as_str().to_owned(),
            sid: Fixed(claims.family.0),
            iat: claims.issued,
            exp: claims.expires,
        };
        encode(&header, &payload, &keys.signing.1).map_err(|why| Error::Internal(format!("cannot sign a token: {why}")))
    }

    fn read(&self, token: &str) -> Result<Claims, Error> {
        let refused = || Error::from(ErrorCode::Unauthenticated);
        let key_id = decode_header(token).map_err(|_| refused())?.kid.ok_or_else(refused)?;
        let keys = self.keys();
        let key = keys.verifying.get(&key_id).ok_or_else(refused)?;
        let payload = decode::<Payload>(token, key, &self.validation).map_err(|_| refused())?.claims;
        Ok(Claims {
            account: payload.sub,
            device: payload.device,
            role: Role::of_name(&payload.role),
            family: FamilyId(payload.sid.0),
            issued: payload.iat,
            expires: payload.exp,
        })
    }
}

fn issuer(relay: &[u8; 32]) -> String {
    susurro_protocol::bytes::to_base64(relay)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may stop anywhere")]

    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use zeroize::Zeroizing;

    use super::*;

    fn key(id: &str, seed: u8) -> (String, Zeroizing<[u8; 32]>) {
        (id.to_owned(), Zeroizing::new([seed; 32]))
    }

    fn claims() -> Claims {
        Claims {
            account: AccountId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([2; 16]),
            role: Role::User,
            family: FamilyId([3; 16]),
            issued: 10,
            expires: 20,
        }
    }

    #[test]
    fn a_token_reads_back_also_after_the_keys_were_rotated() {
        let before = JwtTokens::new(&[7; 32], &[key("0001", 1)]).unwrap();
        let after = JwtTokens::new(&[7; 32], &[key("0002", 2), key("0001", 1)]).unwrap();
        let token = before.issue(&claims()).unwrap();
        assert_eq!(after.read(&token), Ok(claims()));
        let newer = after.issue(&claims()).unwrap();
        assert_eq!(before.read(&newer), Err(ErrorCode::Unauthenticated.into()));
    }

    #[test]
    fn keys_are_exchanged_while_tokens_are_made_and_read() {
        let tokens = JwtTokens::new(&[7; 32], &[key("0001", 1)]).unwrap();
        let first = tokens.issue(&claims()).unwrap();
        assert_eq!(tokens.replace(&[key("0001", 1), key("0002", 2)], "0001"), Ok(true));
        assert_eq!(decode_header(tokens.issue(&claims()).unwrap()).unwrap().kid.as_deref(), Some("0001"));
        assert_eq!(tokens.replace(&[key("0001", 1), key("0002", 2)], "0002"), Ok(true));
        let second = tokens.issue(&claims()).unwrap();
        assert_eq!(decode_header(&second).unwrap().kid.as_deref(), Some("0002"));
        assert_eq!(tokens.read(&first), Ok(claims()));
        assert_eq!(tokens.replace(&[key("0002", 2), key("0001", 1)], "0002"), Ok(false));
        assert_eq!(tokens.replace(&[key("0002", 2)], "0002"), Ok(true));
        assert_eq!(tokens.read(&first), Err(ErrorCode::Unauthenticated.into()));
        assert_eq!(tokens.read(&second), Ok(claims()));
        assert!(tokens.replace(&[], "0002").is_err());
        assert_eq!(tokens.read(&second), Ok(claims()), "what was there stays");
    }

    #[test]
    fn tokens_of_other_relays_keys_and_algorithms_are_refused() {
        let ours = JwtTokens::new(&[7; 32], &[key("0001", 1)]).unwrap();
        let refused = Err(ErrorCode::Unauthenticated.into());
        let other_relay = JwtTokens::new(&[8; 32], &[key("0001", 1)]).unwrap();
        assert_eq!(ours.read(&other_relay.issue(&claims()).unwrap()), refused);
        let other_key = JwtTokens::new(&[7; 32], &[key("0001", 2)]).unwrap();
        assert_eq!(ours.read(&other_key.issue(&claims()).unwrap()), refused);
        assert_eq!(ours.read(""), refused);

        // The public key as an HMAC secret is the classic confusion.
        let public = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("0001".to_owned());
        let token = ours.issue(&claims()).unwrap();
        let payload: Payload =
            serde_json::from_slice(&susurro_protocol::bytes::from_base64(token.split('.').nth(1).unwrap()).unwrap())
                .unwrap();
        let confused = encode(&header, &payload, &EncodingKey::from_secret(public.as_bytes())).unwrap();
        assert_eq!(ours.read(&confused), refused);

        let mut changed = token.into_bytes();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        assert_eq!(ours.read(&String::from_utf8_lossy(&changed)), refused);
    }
}
