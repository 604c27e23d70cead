//! How commands end (`docs/configuration.md`, "Commands").

use std::fmt::Display;
use std::process::ExitCode;

use crate::compose::StartError;
use crate::compose::backup::BackupError;
use crate::config::{ConfigError, SettingsError};

/// Exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done.
    Done = 0,
    /// Failed, or did not end in good order.
    Failed = 1,
    /// Was asked for something that cannot be; the same as for arguments that cannot be read.
    Usage = 2,
    /// What was named is not there.
    Missing = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended otherwise than asked for.
#[derive(Debug)]
pub(super) struct Failure {
    /// Its exit code.
    pub(super) exit: Exit,
    /// What failed and what to do; no secret.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, message: message.to_string() }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Config(error) => error.into(),
            error => Self::new(Exit::Failed, error),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => error.into(),
            error => Self::new(Exit::Failed, error),
        }
    }
}
