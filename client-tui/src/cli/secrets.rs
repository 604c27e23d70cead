//! Passwords and passphrases: from a file, a variable or a prompt, never from an argument.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use susurro_client_core::Secret;
use susurro_tui::i18n::Texts;
use susurro_tui::{key, sanitize};
use zeroize::Zeroizing;

use super::failure::{Failure, SecretFile};
use super::output::talk;

/// Bytes of the longest secret that is read from a file: no person's password is longer, and a
/// wrong path does not fill the memory.
const SECRET_MAX: u64 = 64 * 1024;

/// Which secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of the account, for the relay.
    Password,
    /// Of the profile, for the local store.
    Passphrase,
    /// Another one of the account.
    NewPassword,
    /// The words of a recovery key.
    Recovery,
    /// Of whoever runs the relay, for registration.
    Invite,
}

impl Kind {
    const fn variable(self) -> &'static str {
        match self {
            Self::Password => "SUSURRO_PASSWORD",
            Self::Passphrase => "SUSURRO_PASSPHRASE",
            Self::NewPassword => "SUSURRO_NEW_PASSWORD",
            Self::Recovery => "SUSURRO_RECOVERY",
            Self::Invite => "SUSURRO_INVITE",
        }
    }
}

/// The secret from the file, else from its variable, else typed. `new` asks for it twice.
pub(crate) fn read(texts: &Texts, kind: Kind, file: Option<&Path>, new: bool) -> Result<Secret, Failure> {
    match without_asking(texts, kind, file)? {
        Some(secret) => Ok(secret),
        None => ask(texts, kind, new),
    }
}

/// The secret from the file, else from its variable.
pub(crate) fn without_asking(texts: &Texts, kind: Kind, file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    if let Some(path) = file {
        return from_file(texts, path).map(Some);
    }
    match std::env::var(kind.variable()) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::VariableNotText(kind.variable())),
    }
}

fn from_file(texts: &Texts, path: &Path) -> Result<Secret, Failure> {
    let problem = |problem| Failure::SecretFile(path.to_owned(), problem);
    let file = File::open(path).map_err(|error| problem(SecretFile::Unreadable(error)))?;
    if readable_by_others(&file) {
        let path = sanitize::line(&path.display().to_string());
        talk(&texts.with(key!("cli-secret-file-open"), &[("path", path.into())]));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(SECRET_MAX + 1).read_to_end(&mut bytes).map_err(|error| problem(SecretFile::Unreadable(error)))?;
    if bytes.len() as u64 > SECRET_MAX {
        return Err(problem(SecretFile::NotText));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| problem(SecretFile::NotText))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(problem(SecretFile::Empty));
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(unix)]
fn readable_by_others(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    // A pipe from a shell's <(…) has no other readers; only a file on disk does.
    file.metadata().is_ok_and(|data| data.is_file() && data.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &File) -> bool {
    false
}

/// Whether somebody sees a question.
pub(crate) fn can_ask() -> bool {
    io::stderr().is_terminal()
}

/// Asks on the terminal itself, so that stdin can be a message. Whether there is a person is told
/// by stderr, where the prompt would have to be seen.
fn ask(texts: &Texts, kind: Kind, new: bool) -> Result<Secret, Failure> {
    if !can_ask() {
        return Err(Failure::NoSecret(kind));
    }
    let (prompt, again) = match (kind, new) {
        (Kind::Invite, _) => (key!("cli-ask-invite"), None),
        (Kind::Recovery, _) => (key!("cli-ask-recovery"), None),
        (Kind::Password, false) => (key!("cli-ask-password"), None),
        (Kind::Passphrase, false) => (key!("cli-ask-passphrase"), None),
        (Kind::Password | Kind::NewPassword, true) | (Kind::NewPassword, false) => {
            (key!("cli-ask-new-password"), Some(key!("cli-ask-password-again")))
        }
        (Kind::Passphrase, true) => (key!("cli-ask-new-passphrase"), Some(key!("cli-ask-passphrase-again"))),
    };
    let typed = |prompt| {
        rpassword::prompt_password(format!("{} ", texts.get(prompt)))
            .map_err(|_| Failure::NoSecret(kind))
            .map(Zeroizing::new)
    };
    let first = typed(prompt)?;
    if let Some(again) = again
        && *typed(again)? != *first
    {
        return Err(Failure::SecretsDiffer);
    }
    Ok(Secret::new((*first).clone()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]
    use std::io::Write;

    use susurro_tui::i18n::Language;

    use super::*;

    fn file_with(bytes: &[u8]) -> Result<Secret, Failure> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        from_file(&Texts::new(Language::English), file.path())
    }

    #[test]
    fn a_secret_file_loses_one_line_break_and_nothing_else() {
        for (bytes, secret) in [
            (&b"hush"[..], "hush"),
            (b"hush\n", "hush"),
            (b"hush\r\n", "hush"),
            (b" hush \n\n", " hush \n"),
            ("contraseña\n".as_bytes(), "contraseña"),
        ] {
            assert_eq!(file_with(bytes).unwrap().expose(), secret);
        }
    }

    #[test]
    fn a_file_without_a_secret_is_refused() {
        assert!(matches!(file_with(b"\n"), Err(Failure::SecretFile(_, SecretFile::Empty))));
        assert!(matches!(file_with(b"\xff\xfe"), Err(Failure::SecretFile(_, SecretFile::NotText))));
        let long = vec![b'x'; usize::try_from(SECRET_MAX).unwrap() + 1];
        assert!(matches!(file_with(&long), Err(Failure::SecretFile(_, SecretFile::NotText))));
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_file_that_others_can_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!readable_by_others(file.as_file()));
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(readable_by_others(file.as_file()));
    }
}
