//! Password hashes.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zeroize::{Zeroize as _, Zeroizing};

use crate::domain::Error;
use crate::ports::{Answer, Passwords};

/// Kibibytes of memory of one hash. The client has stretched the password with more than three
/// times of that before; this only has to make a stolen table useless together with the pepper.
const MEMORY_KIB: u32 = 19 * 1024;

/// Passes over it.
const PASSES: u32 = 2;

/// Hashes at once: a flood of logins must take neither all memory nor all cores.
const AT_ONCE: usize = 2;

/// Argon2id keyed with a pepper.
pub struct PepperedArgon2 {
    pepper: Arc<Zeroizing<[u8; 32]>>,
    turns: Arc<Semaphore>,
}

impl PepperedArgon2 {
    /// Keyed with this pepper.
    #[must_use]
    pub fn new(pepper: Zeroizing<[u8; 32]>) -> Self {
        Self { pepper: Arc::new(pepper), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords for PepperedArgon2 {
    fn hash(&self, mut stretched: [u8; 32], salt: [u8; 16]) -> Answer<'_, [u8; 32]> {
        let secret = Zeroizing::new(stretched);
        stretched.zeroize();
        let (pepper, turns) = (self.pepper.clone(), self.turns.clone());
        Box::pin(async move {
            let failed = |why: String| Error::Internal(format!("cannot hash a password: {why}"));
            let turn = turns.acquire_owned().await.map_err(|why| failed(why.to_string()))?;
            let hashed = tokio::task::spawn_blocking(move || {
                // Moved in here, so that a request that is given up keeps its turn until it is done.
                let _turn = turn;
                let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32))?;
                let argon2 = Argon2::new_with_secret(&pepper[..], Algorithm::Argon2id, Version::V0x13, params)?;
                let mut hash = [0; 32];
                argon2.hash_password_into(&secret[..], &salt, &mut hash).map(|()| hash)
            });
            hashed.await.map_err(|why| failed(why.to_string()))?.map_err(|why| failed(why.to_string()))
        })
    }
}
