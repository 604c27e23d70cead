//! The first start, and unlocking.

use crossterm::event::KeyEvent;
use susurro_client_core::Error;
use susurro_protocol::{AccountName, limits};

use super::overlay::edit;
use crate::app::effect::Effect;
use crate::app::failure::Failure;
use crate::app::model::{Model, Screen, Step, Wizard};
use crate::i18n::Texts;
use crate::input::Command;
use crate::key;

/// A key on one of the two screens.
pub(super) fn press(model: &mut Model, key: KeyEvent, command: Option<Command>) -> Vec<Effect> {
    if command == Some(Command::Help) {
        return super::overlay::help(model);
    }
    let texts = model.texts.clone();
    match &mut model.screen {
        Screen::Wizard(wizard) if !wizard.busy => press_wizard(wizard, &texts, key, command),
        Screen::Unlock(unlock) if !unlock.busy => {
            if command == Some(Command::Open) {
                if unlock.passphrase.is_empty() {
                    unlock.failure = Some(Failure::explain(&texts, &Error::EmptyPassphrase));
                    return Vec::new();
                }
                unlock.busy = true;
                unlock.failure = None;
                return vec![Effect::Unlock { passphrase: unlock.passphrase.hidden() }];
            }
            if edit(&mut unlock.passphrase, key) {
                unlock.failure = None;
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Pasted text goes into the field; a line break in it ends nothing.
pub(super) fn paste(model: &mut Model, text: &str) {
    match &mut model.screen {
        Screen::Wizard(wizard) if !wizard.busy => wizard.field_mut().insert(text),
        Screen::Unlock(unlock) if !unlock.busy => unlock.passphrase.insert(text),
        _ => {}
    }
}

/// Registering or unlocking did not work: back to the page that can mend it, nothing typed is lost.
pub(super) fn failed(model: &mut Model, error: &Error) -> Vec<Effect> {
    let failure = Failure::explain(&model.texts, error);
    match &mut model.screen {
        Screen::Wizard(wizard) => {
            wizard.busy = false;
            wizard.step = failure.step.unwrap_or(wizard.step);
            wizard.second = false;
            wizard.failure = Some(failure);
        }
        Screen::Unlock(unlock) => {
            unlock.busy = false;
            if *error == Error::WrongPassphrase {
                unlock.passphrase.clear();
            }
            unlock.failure = Some(failure);
        }
        Screen::Home(_) => {}
    }
    Vec::new()
}

fn press_wizard(wizard: &mut Wizard, texts: &Texts, key: KeyEvent, command: Option<Command>) -> Vec<Effect> {
    let two = wizard.fields().len() == 2;
    match command {
        Some(Command::Open) if two && !wizard.second => wizard.second = true,
        Some(Command::Open) => return next(wizard, texts),
        Some(Command::Down) => wizard.second = two,
        Some(Command::Up) => wizard.second = false,
        Some(Command::Back) if wizard.second => wizard.second = false,
        Some(Command::Back) => {
            wizard.failure = None;
            wizard.step = Step::ALL[(wizard.step as usize).saturating_sub(1)];
        }
        _ => {
            if edit(wizard.field_mut(), key) {
                wizard.failure = None;
            }
        }
    }
    Vec::new()
}

/// Checks the page; goes on, or begins registration after the last one.
fn next(wizard: &mut Wizard, texts: &Texts) -> Vec<Effect> {
    if let Err(failure) = check(wizard, texts) {
        wizard.failure = Some(failure);
        // A repetition that was wrong is typed again; else the first field is the one to mend.
        let fields = wizard.fields();
        wizard.second = fields.len() == 2 && !fields[0].is_empty() && fields[1].is_empty();
        return Vec::new();
    }
    wizard.failure = None;
    wizard.second = false;
    if wizard.step < Step::Passphrase {
        wizard.step = Step::ALL[wizard.step as usize + 1];
        return Vec::new();
    }
    wizard.busy = true;
    vec![Effect::Register {
        relay: wizard.relay.text().to_owned(),
        name: wizard.name.text().to_owned(),
        invite: wizard.invite.hidden(),
        password: wizard.password[0].hidden(),
        passphrase: wizard.passphrase[0].hidden(),
    }]
}

fn check(wizard: &mut Wizard, texts: &Texts) -> Result<(), Failure> {
    let wrong = |error: Error| Failure::explain(texts, &error);
    match wizard.step {
        Step::Relay => {
            let url = relay_url(wizard.relay.text()).ok_or_else(|| wrong(Error::BadRelayUrl))?;
            wizard.relay.set(&url);
        }
        Step::Name => {
            let name = wizard.name.text().trim().to_owned();
            name.parse::<AccountName>().map_err(|error| wrong(Error::BadName(error)))?;
            wizard.name.set(&name);
        }
        Step::Password => {
            if wizard.password[0].text().chars().count() < limits::PASSWORD_MIN {
                return Err(wrong(Error::WeakPassword));
            }
            same(&mut wizard.password, texts)?;
        }
        Step::Passphrase => {
            if wizard.passphrase[0].is_empty() {
                return Err(wrong(Error::EmptyPassphrase));
            }
            same(&mut wizard.passphrase, texts)?;
        }
        Step::Invite => {
            if wizard.invite.text().trim().is_empty() {
                return Err(wrong(Error::InvalidInvite));
            }
        }
    }
    Ok(())
}

/// What was typed twice without being seen must be the same; the repetition is typed again.
fn same(fields: &mut [crate::app::field::Field; 2], texts: &Texts) -> Result<(), Failure> {
    if fields[0].text() == fields[1].text() {
        return Ok(());
    }
    fields[1].clear();
    Err(Failure::of(texts, key!("error-not-the-same")))
}

/// The address with its scheme: encrypted, but for a relay on this computer.
fn relay_url(typed: &str) -> Option<String> {
    let typed = typed.trim().trim_end_matches('/');
    if typed.is_empty() || typed.contains(char::is_whitespace) {
        return None;
    }
    if typed.contains("://") {
        let known = typed.starts_with("https://") || typed.starts_with("http://");
        return (known && !typed.ends_with("://")).then(|| typed.to_owned());
    }
    let host = typed.rsplit_once(':').map_or(typed, |(host, _)| host);
    let local = typed == "[::1]" || matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    Some(format!("{}://{typed}", if local { "http" } else { "https" }))
}
