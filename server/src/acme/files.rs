//! What is kept between starts: the account at the authority, and the certificate.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use sha2::{Digest as _, Sha256};

use super::AcmeError;
use crate::config::Acme;

/// The files of one authority, so that a change from a trial authority to the real one begins anew.
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn of(data_dir: &Path, settings: &Acme) -> Self {
        let hash = Sha256::digest(settings.directory.as_bytes());
        let name: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        Self(data_dir.join("acme").join(name))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self, name: &str) -> Result<Option<String>, AcmeError> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(AcmeError::File { path, why }),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), AcmeError> {
        let path = self.path(name);
        write(&path, text).map_err(|why| AcmeError::File { path, why })
    }

    /// The account, if there is one.
    pub(super) fn account(&self) -> Result<Option<AccountCredentials>, AcmeError> {
        let Some(text) = self.read("account.json")? else { return Ok(None) };
        let read = serde_json::from_str(&text);
        // The text holds a key, which the error of the parser would not show; its place says enough.
        read.map(Some).map_err(|_| AcmeError::File {
            path: self.path("account.json"),
            why: io::Error::other("it is damaged; remove it, and a new account is made"),
        })
    }

    pub(super) fn keep_account(&self, credentials: &AccountCredentials) -> Result<(), AcmeError> {
        let text = serde_json::to_string(credentials).map_err(|why| AcmeError::Certificate(why.to_string()))?;
        self.write("account.json", &text)
    }

    /// Chain and key as PEM, if there are both.
    pub(super) fn certificate(&self) -> Result<Option<(String, String)>, AcmeError> {
        Ok(self.read("fullchain.pem")?.zip(self.read("privkey.pem")?))
    }

    pub(super) fn keep_certificate(&self, chain: &str, key: &str) -> Result<(), AcmeError> {
        self.write("privkey.pem", key)?;
        self.write("fullchain.pem", chain)
    }
}

/// Writes a file that only its owner can read, under another name first.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}
