//! Names that nobody can guess, and what is said so that only nodes can read it.

use std::fmt::Write as _;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a nonce: long enough to be drawn for each message of a relay's life.
const NONCE: usize = 24;

/// Bytes of a name: nobody meets another one's by chance.
const NAME: usize = 16;

/// The keys of all nodes of one relay.
pub(super) struct Seal {
    names: Zeroizing<[u8; 32]>,
    words: XChaCha20Poly1305,
}

impl Seal {
    pub(super) fn new(key: &[u8; 32]) -> Option<Self> {
        let keys = Hkdf::<Sha256>::new(None, key);
        let (mut names, mut words) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        keys.expand(b"susurro-server/redis/names", &mut *names).ok()?;
        keys.expand(b"susurro-server/redis/words", &mut *words).ok()?;
        Some(Self { names, words: XChaCha20Poly1305::new(&Key::from(*words)) })
    }

    /// The name of something of a kind. In the braces is what decides in a cluster which server keeps it: one of 256
    /// shares, so that the names of one share can be asked for together.
    pub(super) fn name(&self, kind: &str, who: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.names).ok()?;
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(who);
        let code = mac.finalize().into_bytes();
        let mut name = format!("susurro:{kind}:{{{:02x}}}:", code[0]);
        for byte in &code[1..=NAME] {
            write!(name, "{byte:02x}").ok()?;
        }
        Some(name)
    }

    /// Encrypts what is said in a channel.
    pub(super) fn seal(&self, channel: &str, said: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload { msg: said, aad: channel.as_bytes() };
        let sealed = self.words.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// What was said in a channel; `None` for what no node of this relay has said there.
    pub(super) fn open(&self, channel: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        self.words.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: channel.as_bytes() }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_node_reads_what_was_said_and_only_where_it_was_said() {
        let (Some(seal), Some(other)) = (Seal::new(&[1; 32]), Seal::new(&[2; 32])) else { return };
        let sealed = seal.seal("here", b"word").unwrap_or_default();
        assert_eq!(seal.open("here", &sealed).as_deref(), Some(&b"word"[..]));
        assert_eq!((seal.open("there", &sealed), other.open("here", &sealed)), (None, None));
        assert_eq!(seal.open("here", &sealed[..20]), None);
        assert!(!sealed.windows(4).any(|window| window == b"word"));
        assert_ne!(seal.seal("here", b"word"), Some(sealed));
    }

    #[test]
    fn a_name_says_nothing_and_is_the_same_in_every_node() {
        let (Some(seal), Some(same), Some(other)) = (Seal::new(&[1; 32]), Seal::new(&[1; 32]), Seal::new(&[2; 32]))
        else {
            return;
        };
        let name = seal.name("d", b"somebody").unwrap_or_default();
        assert_eq!(same.name("d", b"somebody").as_deref(), Some(&*name));
        assert_ne!(seal.name("r", b"somebody").as_deref(), Some(&*name));
        assert_ne!(other.name("d", b"somebody").as_deref(), Some(&*name));
        assert!(!name.contains("somebody") && name.starts_with("susurro:d:{") && name.len() == 47, "{name}");
    }
}
