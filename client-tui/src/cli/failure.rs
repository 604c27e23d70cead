//! What can go wrong in a command, and what is said about it: what failed, why, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use susurro_client_core::{Error, Fault};
use susurro_tui::app::failure;
use susurro_tui::i18n::{Key, Texts};
use susurro_tui::{key, sanitize};

use super::secrets::Kind;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client says so.
    Client(Error),
    /// Neither a file nor a variable nor a terminal to ask on.
    NoSecret(Kind),
    /// The file of a secret cannot be read, or holds none.
    SecretFile(PathBuf, SecretFile),
    /// What was typed at two prompts differs.
    SecretsDiffer,
    /// The value of an environment variable is no text.
    VariableNotText(&'static str),
    /// No home directory, or an empty path.
    NoProfileDirectory,
    /// The full screen was asked for without one.
    NoTerminal,
    /// The terminal cannot be used.
    Terminal(io::Error),
    /// Stdin is not UTF-8.
    NotUtf8,
    /// Stdin cannot be read.
    Input(io::Error),
    /// Stdout cannot be written.
    Output(io::Error),
    /// Who read stdout went away.
    ReaderGone,
    /// The time ran out before all messages came.
    TooFew {
        /// How many came.
        came: u64,
        /// How many were wanted.
        wanted: u64,
    },
    /// The message is in the outbox, the relay has not confirmed it.
    Kept(Error),
    /// The message is in the outbox and will not be sent: the relay refused it.
    GivenUp(Error),
    /// The relay has the message, the other person's device has not confirmed it in time.
    NotStored(String),
    /// The connection got lost while messages were queued.
    StillQueued(u64, Error),
    /// No conversation with this person.
    NoConversation(String),
    /// The person's key did not change, so that there is none to accept.
    NoNewKey(String),
    /// The key that the relay names now has another fingerprint than the one that was given.
    OtherFingerprint {
        /// Whose.
        peer: String,
        /// Of the key that the relay names.
        offered: String,
    },
    /// The local store failed while the command ran.
    StoreFailed(String),
    /// A command without a manual page.
    NoSuchCommand(String),
    /// The logs cannot be set up.
    Log(String),
    /// Something was found that is not well.
    Unwell,
    /// The demonstration went wrong.
    Demo(String),
    /// The system refused something that the program needs.
    System(io::Error),
    /// A signal with this number.
    Signal(u8),
}

/// What is wrong with the file of a secret.
#[derive(Debug)]
pub(crate) enum SecretFile {
    /// It cannot be read.
    Unreadable(io::Error),
    /// There is nothing in it.
    Empty,
    /// It is no text, or far too long for a secret.
    NotText,
}

impl Failure {
    /// Whose fault it is; the exit code follows from this.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Client(error) | Self::Kept(error) | Self::GivenUp(error) | Self::StillQueued(_, error) => {
                error.fault()
            }
            Self::NoSecret(_)
            | Self::SecretFile(..)
            | Self::SecretsDiffer
            | Self::VariableNotText(_)
            | Self::NoProfileDirectory
            | Self::NoTerminal
            | Self::NotUtf8
            | Self::NoSuchCommand(_)
            | Self::Log(_) => Fault::Usage,
            Self::Input(_)
            | Self::Output(_)
            | Self::ReaderGone
            | Self::TooFew { .. }
            | Self::NotStored(_)
            | Self::NoConversation(_)
            | Self::NoNewKey(_)
            | Self::Unwell
            | Self::Demo(_)
            | Self::System(_)
            | Self::Terminal(_)
            | Self::Signal(_) => Fault::Failed,
            Self::OtherFingerprint { .. } => Fault::Trust,
            Self::StoreFailed(_) => Fault::Store,
        }
    }

    /// What did not happen, where that is not simply the command.
    pub(crate) const fn headline(&self) -> Option<Key> {
        match self {
            Self::Kept(_) => Some(key!("cli-failed-kept")),
            Self::GivenUp(_) => Some(key!("cli-failed-failed")),
            Self::NotStored(_) => Some(key!("cli-failed-confirmed")),
            _ => None,
        }
    }

    /// Why, and what to do next. `None` when there is nothing to say.
    pub(crate) fn explain(&self, texts: &Texts, profile: &Path) -> Option<String> {
        let client = |error: &Error| explain(texts, error, profile);
        let system = |error: &io::Error| sanitize::line(&error.to_string());
        Some(match self {
            Self::Client(error) | Self::GivenUp(error) => client(error),
            Self::NoSecret(Kind::Password | Kind::NewPassword) => texts.get(key!("cli-no-password")),
            Self::NoSecret(Kind::Recovery) => texts.get(key!("cli-no-recovery")),
            Self::NoSecret(Kind::Invite) => texts.get(key!("error-invalid-invite")),
            Self::NoSecret(Kind::Passphrase) => texts.get(key!("cli-no-passphrase")),
            Self::SecretFile(path, problem) => {
                let path = sanitize::line(&path.display().to_string());
                match problem {
                    SecretFile::Unreadable(error) => texts.with(
                        key!("cli-secret-file-unreadable"),
                        &[("path", path.into()), ("cause", system(error).into())],
                    ),
                    SecretFile::Empty => texts.with(key!("cli-secret-file-empty"), &[("path", path.into())]),
                    SecretFile::NotText => texts.with(key!("cli-secret-file-not-text"), &[("path", path.into())]),
                }
            }
            Self::SecretsDiffer => texts.get(key!("cli-secrets-differ")),
            Self::VariableNotText(name) => texts.with(key!("cli-variable-not-text"), &[("name", (*name).into())]),
            Self::NoProfileDirectory => texts.get(key!("cli-no-profile-directory")),
            Self::NoTerminal => texts.get(key!("cli-no-terminal")),
            Self::Terminal(error) => texts.with(key!("cli-terminal"), &[("cause", system(error).into())]),
            Self::NotUtf8 => texts.get(key!("cli-not-utf8")),
            Self::Input(error) => texts.with(key!("cli-input"), &[("cause", system(error).into())]),
            Self::Output(error) => texts.with(key!("cli-output"), &[("cause", system(error).into())]),
            Self::TooFew { came, wanted } => {
                texts.with(key!("cli-too-few"), &[("came", (*came).into()), ("wanted", (*wanted).into())])
            }
            Self::Kept(error) => format!("{}\n{}", client(error), texts.get(key!("cli-kept"))),
            Self::NotStored(peer) => texts.with(key!("cli-not-stored"), &[("name", sanitize::line(peer).into())]),
            Self::StillQueued(count, error) => {
                format!("{}\n{}", client(error), texts.with(key!("cli-still-queued"), &[("count", (*count).into())]))
            }
            Self::NoConversation(peer) => {
                texts.with(key!("cli-no-conversation"), &[("name", sanitize::line(peer).into())])
            }
            Self::NoNewKey(peer) => texts.with(key!("cli-no-new-key"), &[("name", sanitize::line(peer).into())]),
            Self::OtherFingerprint { peer, offered } => texts.with(
                key!("cli-other-fingerprint"),
                &[("name", sanitize::line(peer).into()), ("offered", offered.as_str().into())],
            ),
            Self::StoreFailed(text) => sanitize::line(text),
            Self::NoSuchCommand(name) => {
                texts.with(key!("cli-no-such-command"), &[("name", sanitize::line(name).into())])
            }
            Self::Log(cause) => texts.with(key!("cli-log"), &[("cause", sanitize::line(cause).into())]),
            Self::Demo(text) => sanitize::lines(text),
            Self::System(error) => texts.with(key!("cli-system"), &[("cause", system(error).into())]),
            Self::Unwell | Self::ReaderGone | Self::Signal(_) => return None,
        })
    }
}

/// As the full screen says it, except where the next step is another one in a shell.
fn explain(texts: &Texts, error: &Error, profile: &Path) -> String {
    let profile = || sanitize::line(&profile.display().to_string()).into();
    match error {
        Error::TooLong { bytes, max } => {
            texts.with(key!("cli-error-too-long"), &[("bytes", (*bytes as u64).into()), ("max", (*max as u64).into())])
        }
        Error::NoProfile => texts.with(key!("cli-error-no-profile"), &[("profile", profile())]),
        Error::ProfileExists => texts.with(key!("cli-error-profile-exists"), &[("profile", profile())]),
        Error::Closed => texts.get(key!("cli-error-closed")),
        Error::LoggedOut => texts.get(key!("cli-error-logged-out")),
        Error::Unreachable { url, cause } => texts.with(
            key!("cli-error-unreachable"),
            &[("relay", sanitize::line(url).into()), ("cause", sanitize::line(cause).into())],
        ),
        Error::Timeout => texts.get(key!("cli-error-timeout")),
        Error::ContactKeyChanged(name) => {
            texts.with(key!("cli-error-contact-key"), &[("name", sanitize::line(name).into())])
        }
        Error::WrongPassphrase => texts.get(key!("cli-error-wrong-passphrase")),
        other => failure::Failure::explain(texts, other).text,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

#[cfg(test)]
mod tests {
    use susurro_protocol::ids::IdError;
    use susurro_tui::i18n::Language;

    use super::*;

    #[test]
    fn the_fault_of_a_client_error_stays_its_fault() {
        for error in [Error::WrongPassphrase, Error::NameTaken, Error::Timeout, Error::BadName(IdError::NameLength)] {
            let fault = error.fault();
            assert_eq!(Failure::Client(error.clone()).fault(), fault);
            assert_eq!(Failure::Kept(error).fault(), fault);
        }
    }

    #[test]
    fn an_explanation_brings_no_control_characters_to_the_terminal() {
        let evil = "\x1b]0;title\x07".to_owned();
        let texts = Texts::new(Language::English);
        for failure in [
            Failure::NoConversation(evil.clone()),
            Failure::StoreFailed(evil.clone()),
            Failure::Demo(evil.clone()),
            Failure::Client(Error::UnknownPeer(evil.clone())),
            Failure::Client(Error::NoProfile),
        ] {
            let text = failure.explain(&texts, Path::new(&evil)).unwrap_or_default();
            assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
        }
    }
}
