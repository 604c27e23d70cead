//! The relay's own secrets, in files beside the database: made at the first start, readable by
//! their owner alone. A stolen database without them opens no account.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use susurro_protocol::limits::ACCESS_SECONDS;
use zeroize::Zeroizing;

/// Name of the relay's long-term Ed25519 key.
const RELAY_KEY: &str = "relay.key";

/// Name of the secret that password hashes, nonces and made-up salts are keyed with.
const PEPPER: &str = "pepper.key";

/// Names of keys for access tokens: this, a number, and [`TOKEN_SUFFIX`]. The highest number signs.
const TOKEN_PREFIX: &str = "token-";
const TOKEN_SUFFIX: &str = ".key";

/// Held while secrets are made.
const LOCK: &str = "secrets.lock";
/// For how long after its making a further key only verifies: until every node that shares the directory has
/// read it.
pub const SETTLE: Duration = Duration::from_secs(30);

/// For how long after its successor began to sign a key still verifies: until its last token has expired, and
/// some more for clocks that disagree.
pub const RETIRE: Duration = Duration::from_secs(ACCESS_SECONDS + 300);

/// A key id and the Ed25519 seed behind it.
pub type TokenKey = (String, Zeroizing<[u8; 32]>);

/// Everything that only this relay knows.
pub struct Secrets {
    /// Seed of the relay's long-term key.
    pub relay: Zeroizing<[u8; 32]>,
    /// Key of password hashes.
    pub passwords: Zeroizing<[u8; 32]>,
    /// Key of login nonces.
    pub nonces: Zeroizing<[u8; 32]>,
    /// Key of salts for names that nobody has.
    pub salts: Zeroizing<[u8; 32]>,
    /// Key of what the relay's nodes say to each other.
    pub nodes: Zeroizing<[u8; 32]>,
    /// Key ids and Ed25519 seeds of access tokens.
    pub tokens: Vec<TokenKey>,
    /// Tells these secrets from others without saying anything of them.
    pub fingerprint: [u8; 32],
}

/// A key for access tokens as it lies in the directory.
pub struct StoredKey {
    /// Its id: number and fingerprint.
    pub id: String,
    /// How long ago it was made.
    pub age: Duration,
    seed: Zeroizing<[u8; 32]>,
    path: PathBuf,
}

/// The keys for access tokens of a directory, oldest first.
pub struct TokenKeys(Vec<StoredKey>);

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or made.
    #[error("cannot use the secret {}: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The file does not hold a secret.
    #[error(
        "the secret {} does not hold 64 hexadecimal digits; restore it from a backup (a new one would lock people out)",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// There is another one already.
    #[error("the secret {} is another one than that of the backup; give --replace to lose it", path.display())]
    Other {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner can read it.
    #[error("the secret {} can be read by others; run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
}

impl Secrets {
    /// Reads the secrets in `directory`; makes those that are missing.
    ///
    /// # Errors
    ///
    /// [`SecretError`]; nothing is overwritten.
    pub fn open(directory: &Path) -> Result<Self, SecretError> {
        // Nodes that start at once on one directory make the secrets once. A directory that cannot be
        // written to has them already, or the next lines say so.
        let turn = OpenOptions::new().create(true).truncate(false).write(true).open(directory.join(LOCK));
        let _turn = turn.and_then(|file| file.lock().map(|()| file));
        let relay = secret(&directory.join(RELAY_KEY))?;
        let pepper = secret(&directory.join(PEPPER))?;
        let mut tokens = TokenKeys::read(directory)?;
        if tokens.0.is_empty() {
            secret(&directory.join(format!("{TOKEN_PREFIX}0001{TOKEN_SUFFIX}")))?;
            tokens = TokenKeys::read(directory)?;
        }
        Ok(Self {
            relay,
            passwords: derive(&pepper, b"susurro-server/passwords"),
            nonces: derive(&pepper, b"susurro-server/login-nonces"),
            salts: derive(&pepper, b"susurro-server/invented-salts"),
            nodes: derive(&pepper, b"susurro-server/nodes"),
            tokens: tokens.verifying(),
            fingerprint: *derive(&pepper, b"susurro-server/fingerprint"),
        })
    }
}

impl Secrets {
    /// Reads the relay's long-term key alone, and makes none.
    ///
    /// # Errors
    ///
    /// [`SecretError`], also when there is no key.
    pub fn relay(directory: &Path) -> Result<Zeroizing<[u8; 32]>, SecretError> {
        let path = directory.join(RELAY_KEY);
        match path.try_exists() {
            Ok(true) => secret(&path),
            Ok(false) => Err(SecretError::Unusable { path, why: io::ErrorKind::NotFound.into() }),
            Err(why) => Err(SecretError::Unusable { path, why }),
        }
    }

    /// Copies every secret to another directory. One that is there already stays if it is the same, and is
    /// an error otherwise, unless `replace`.
    ///
    /// # Errors
    ///
    /// [`SecretError`]; what was copied before stays.
    pub fn copy(from: &Path, to: &Path, replace: bool) -> Result<(), SecretError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |why| SecretError::Unusable { path, why }
        };
        for entry in fs::read_dir(from).map_err(unusable(from))? {
            let name = entry.map_err(unusable(from))?.file_name();
            let is_secret = name.to_str().is_some_and(|name| {
                [RELAY_KEY, PEPPER].contains(&name) || name.starts_with(TOKEN_PREFIX) && name.ends_with(TOKEN_SUFFIX)
            });
            if !is_secret {
                continue;
            }
            let (one, other) = (secret(&from.join(&name))?, to.join(&name));
            if other.exists() && !replace {
                if *secret(&other)? != *one {
                    return Err(SecretError::Other { path: other });
                }
            } else {
                write(&other, &one).map_err(unusable(&other))?;
            }
        }
        Ok(())
    }
}

impl TokenKeys {
    /// Reads the keys in `directory`.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub fn read(directory: &Path) -> Result<Self, SecretError> {
        let unusable = |why| SecretError::Unusable { path: directory.to_owned(), why };
        let mut keys = Vec::new();
        for entry in fs::read_dir(directory).map_err(unusable)? {
            let entry = entry.map_err(unusable)?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(TOKEN_PREFIX)?.strip_suffix(TOKEN_SUFFIX));
            let Some(number) = number else { continue };
            let path = directory.join(&name);
            let seed = secret(&path)?;
            let made = entry.metadata().and_then(|found| found.modified()).map_err(unusable)?;
            // A clock that was set back makes a key new, not unusable.
            let age = made.elapsed().unwrap_or_default();
            keys.push(StoredKey { id: format!("{number}-{}", fingerprint(&seed)), age, seed, path });
        }
        keys.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Self(keys))
    }

    /// Adds a key. It verifies as soon as the relays have read it, and signs [`SETTLE`] later. Keys whose last
    /// token has expired are removed; says which.
    ///
    /// # Errors
    ///
    /// [`SecretError`]; nothing is overwritten.
    pub fn rotate(directory: &Path) -> Result<(Self, Vec<String>), SecretError> {
        let unusable = |why| SecretError::Unusable { path: directory.to_owned(), why };
        let present = Self::read(directory)?;
        let retired = present.retired();
        let mut removed = Vec::new();
        for key in present.0.iter().filter(|key| retired.contains(&key.id.as_str())) {
            fs::remove_file(&key.path).map_err(unusable)?;
            removed.push(key.id.clone());
        }
        let numbers = present.0.iter().filter_map(|key| key.id.split('-').next()?.parse::<u32>().ok());
        let next = numbers.max().unwrap_or(0) + 1;
        secret(&directory.join(format!("{TOKEN_PREFIX}{next:04}{TOKEN_SUFFIX}")))?;
        Ok((Self::read(directory)?, removed))
    }

    /// Ids and ages of all keys, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &StoredKey> {
        self.0.iter()
    }

    /// The id of the key that signs: the newest that every node has had time to read.
    #[must_use]
    pub fn signing(&self) -> Option<&str> {
        let settled = self.0.iter().rev().find(|key| key.age >= SETTLE);
        settled.or(self.0.first()).map(|key| key.id.as_str())
    }

    /// The keys that tokens may still be signed with.
    #[must_use]
    pub fn verifying(&self) -> Vec<TokenKey> {
        let retired = self.retired();
        let kept = self.0.iter().filter(|key| !retired.contains(&key.id.as_str()));
        kept.map(|key| (key.id.clone(), key.seed.clone())).collect()
    }

    /// Keys whose last token has expired.
    fn retired(&self) -> Vec<&str> {
        let old = self.0.windows(2).filter_map(|pair| match pair {
            [key, successor] if successor.age >= SETTLE + RETIRE => Some(key.id.as_str()),
            _ => None,
        });
        old.collect()
    }
}

fn fingerprint(seed: &[u8; 32]) -> String {
    let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key();
    Sha256::digest(public.as_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a secret, or makes it.
fn secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    let unusable = |why| SecretError::Unusable { path: path.to_owned(), why };
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) => {
            check_mode(path)?;
            parse(text.trim_end()).ok_or_else(|| SecretError::Damaged { path: path.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut secret = Zeroizing::new([0; 32]);
            getrandom::fill(&mut secret[..]).map_err(|why| unusable(io::Error::other(why.to_string())))?;
            write(path, &secret).map_err(unusable)?;
            Ok(secret)
        }
        Err(error) => Err(unusable(error)),
    }
}

/// Writes under another name first: a file of the right name is always whole.
fn write(path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&unfinished)?;
    let text: Zeroizing<String> = Zeroizing::new(secret.iter().map(|byte| format!("{byte:02x}")).collect());
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(directory) => fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn check_mode(path: &Path) -> Result<(), SecretError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = fs::metadata(path).map_err(|why| SecretError::Unusable { path: path.to_owned(), why })?;
        if found.permissions().mode() & 0o077 != 0 {
            return Err(SecretError::Exposed { path: path.to_owned() });
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn parse(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut secret = Zeroizing::new([0; 32]);
    for (byte, pair) in secret.iter_mut().zip(digits.as_chunks::<2>().0) {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(secret)
}

fn derive(pepper: &[u8; 32], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // 32 bytes are far below HKDF's limit, its only error.
    let _ = Hkdf::<Sha256>::new(None, pepper).expand(label, &mut key[..]);
    key
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may stop anywhere")]

    use super::*;

    /// Makes the key of this number as old as that.
    fn age(directory: &Path, number: u32, age: Duration) {
        let path = directory.join(format!("{TOKEN_PREFIX}{number:04}{TOKEN_SUFFIX}"));
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    }

    fn numbers(keys: &[TokenKey]) -> Vec<&str> {
        keys.iter().map(|(id, _)| &id[..4]).collect()
    }

    #[test]
    fn a_new_key_verifies_at_once_signs_when_all_have_read_it_and_outlives_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        Secrets::open(directory).unwrap();
        assert_eq!(TokenKeys::read(directory).unwrap().signing().map(|id| &id[..4]), Some("0001"), "the only one");
        age(directory, 1, Duration::from_secs(86_400));

        let (keys, removed) = TokenKeys::rotate(directory).unwrap();
        assert!(removed.is_empty());
        assert_eq!(keys.signing().map(|id| &id[..4]), Some("0001"), "not everybody knows the new one");
        assert_eq!(numbers(&keys.verifying()), ["0001", "0002"]);

        age(directory, 2, SETTLE + Duration::from_secs(1));
        let keys = TokenKeys::read(directory).unwrap();
        assert_eq!(keys.signing().map(|id| &id[..4]), Some("0002"));
        assert_eq!(numbers(&keys.verifying()), ["0001", "0002"], "its tokens are still about");

        age(directory, 2, SETTLE + RETIRE + Duration::from_secs(1));
        let keys = TokenKeys::read(directory).unwrap();
        assert_eq!(numbers(&keys.verifying()), ["0002"]);
        let (keys, removed) = TokenKeys::rotate(directory).unwrap();
        assert_eq!(removed.len(), 1);
        assert_eq!(numbers(&keys.verifying()), ["0002", "0003"]);
        assert_eq!(numbers(&Secrets::open(directory).unwrap().tokens), ["0002", "0003"]);
    }
}
