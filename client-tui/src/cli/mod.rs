//! The command line: one file a command. Stdout is data, stderr is talk, exit codes are in
//! [`crate::exit`].

mod account;
mod announcements;
mod args;
mod chats;
mod context;
mod devices;
mod doctor;
mod failure;
mod generate;
mod history;
mod json;
mod log;
mod login;
mod logout;
mod output;
mod plain;
mod presence;
mod profile;
mod recover;
mod recv;
mod register;
mod save;
mod screen;
mod secrets;
mod send;
mod settings;
pub(crate) mod signal;
mod sync;
mod verify;

use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use susurro_client_core::Fault;
use susurro_tui::i18n::{Key, Language, Texts};
use susurro_tui::key;

pub(crate) use context::block_on;
pub(crate) use failure::Failure;
pub(crate) use output::{Data, talk};

use crate::{demo, exit};
use args::{Arguments, Command};
use context::Context;

/// The exit code of a program that did what it was asked.
const DONE: u8 = 0;

/// Runs the program, and gives its exit code.
pub(crate) fn run() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that nobody reads to its end is no failure.
            let _ = error.print();
            return if error.use_stderr() { exit::code(Fault::Usage) } else { DONE };
        }
    };
    let texts = Arc::new(Texts::new(Language::from_environment()));
    let headline = headline(arguments.command.as_ref());
    let profile = profile::directory(arguments.profile.clone());
    match execute(&arguments, profile.as_deref(), &texts) {
        Ok(()) => DONE,
        // Who read has enough; what was not written stays unprinted.
        Err(Failure::ReaderGone) => DONE,
        Err(Failure::Signal(number)) => exit::signalled(number),
        Err(failure) => {
            if let Some(explanation) = failure.explain(&texts, profile.as_deref().unwrap_or(Path::new(""))) {
                talk(&format!("susurro: {}\n{explanation}", texts.get(failure.headline().unwrap_or(headline))));
            }
            exit::code(failure.fault())
        }
    }
}

fn execute(arguments: &Arguments, profile: Option<&Path>, texts: &Arc<Texts>) -> Result<(), Failure> {
    let context = |full_screen| {
        log::start(full_screen)?;
        Ok::<_, Failure>(Context {
            texts: Arc::clone(texts),
            profile: profile.ok_or(Failure::NoProfileDirectory)?.to_owned(),
            passphrase_file: arguments.passphrase_file.clone(),
        })
    };
    match &arguments.command {
        None => screen::run(&context(true)?),
        Some(Command::Register(account)) => register::run(&context(false)?, account),
        Some(Command::Login(account)) => login::run(&context(false)?, account),
        Some(Command::Logout) => logout::run(&context(false)?),
        Some(Command::Recover(options)) => recover::run(&context(false)?, options),
        Some(Command::Devices(options)) => devices::run(&context(false)?, options),
        Some(Command::Account(what)) => account::run(&context(false)?, what),
        Some(Command::Send(message)) => send::run(&context(false)?, message),
        Some(Command::Save(options)) => save::run(&context(false)?, options),
        Some(Command::Sync(options)) => sync::run(&context(false)?, options),
        Some(Command::Recv(options)) => recv::run(&context(false)?, options),
        Some(Command::History(options)) => history::run(&context(false)?, options),
        Some(Command::Chats(options)) => chats::run(&context(false)?, options),
        Some(Command::Announcements(options)) => announcements::run(&context(false)?, options),
        Some(Command::Settings(options)) => settings::run(&context(false)?, options),
        Some(Command::Presence(options)) => presence::run(&context(false)?, options),
        Some(Command::Verify(options)) => verify::run(&context(false)?, options),
        Some(Command::Doctor(options)) => doctor::run(&context(false)?, options),
        Some(Command::Demo(options)) => demo::run(texts, options.script, options.server.as_deref()),
        Some(Command::Completions { shell }) => generate::completions(*shell),
        Some(Command::Man { command }) => generate::manual(command.as_deref()),
        Some(Command::Docs) => generate::reference(),
    }
}

/// What did not happen, when a command fails.
fn headline(command: Option<&Command>) -> Key {
    match command {
        None => key!("cli-failed-screen"),
        Some(Command::Register(_)) => key!("cli-failed-register"),
        Some(Command::Login(_)) => key!("cli-failed-login"),
        Some(Command::Logout) => key!("cli-failed-logout"),
        Some(Command::Account(args::OwnAccount::Password { .. })) => key!("cli-failed-password"),
        Some(Command::Account(args::OwnAccount::Recovery { .. })) => key!("cli-failed-recovery"),
        Some(Command::Account(args::OwnAccount::Name { .. })) => key!("cli-failed-name"),
        Some(Command::Recover(_)) => key!("cli-failed-recover"),
        Some(Command::Devices(options)) if options.remove.is_some() => key!("cli-failed-remove-device"),
        Some(Command::Devices(_)) => key!("cli-failed-devices"),
        Some(Command::Account(args::OwnAccount::Delete { .. })) => key!("cli-failed-delete"),
        Some(Command::Send(_)) => key!("cli-failed-send"),
        Some(Command::Save(_)) => key!("cli-failed-save"),
        Some(Command::Sync(_)) => key!("cli-failed-sync"),
        Some(Command::Recv(_)) => key!("cli-failed-recv"),
        Some(Command::History(_)) => key!("cli-failed-history"),
        Some(Command::Chats(_)) => key!("cli-failed-chats"),
        Some(Command::Announcements(_)) => key!("cli-failed-announcements"),
        Some(Command::Settings(_)) => key!("cli-failed-settings"),
        Some(Command::Presence(_)) => key!("cli-failed-presence"),
        Some(Command::Verify(_)) => key!("cli-failed-verify"),
        Some(Command::Doctor(_)) => key!("cli-failed-doctor"),
        Some(Command::Demo(_)) => key!("cli-failed-demo"),
        Some(Command::Completions { .. } | Command::Man { .. } | Command::Docs) => key!("cli-failed-generate"),
    }
}
