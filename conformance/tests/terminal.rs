//! Two real programs in two terminals: register, chat, verify, lose the relay, recover.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::num::NonZeroU16;

use susurro_conformance::command::Person;
use susurro_conformance::relay::Relay;
use susurro_conformance::terminal::{Terminal, TerminalError};

const ENTER: &str = "\r";
const CTRL_N: &str = "\u{e}";
const CTRL_Q: &str = "\u{11}";
const ESC: &str = "\u{1b}";
const F4: &str = "\u{1b}OS";
const F5: &str = "\u{1b}[15~";

#[test]
fn two_screens_register_chat_verify_lose_the_relay_and_recover() -> Result<(), TerminalError> {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let relay = Relay::start(&data, "127.0.0.1:0", &[]).unwrap();
    let (url, address) = (relay.url().to_owned(), relay.address().to_owned());
    let (anna, otto) = (Person::new(folder.path(), "anna"), Person::new(folder.path(), "otto"));

    // The first start: the wizard.
    let mut of_otto = register(&otto, &url, "otto")?;
    let mut of_anna = register(&anna, &url, "anna")?;

    // A first conversation.
    of_anna.press(CTRL_N)?;
    of_anna.wait_for("Name of the person")?;
    of_anna.press(&format!("otto{ENTER}"))?;
    of_anna.wait_for("to otto")?;
    of_anna.press(&format!("good morning{ENTER}"))?;
    of_otto.wait_for("good morning")?;
    of_anna.wait_for("stored")?;

    // Paste is text: two lines stay in the composer until Enter.
    of_otto.press(ENTER)?;
    of_otto.wait_for("to anna")?;
    of_otto.paste("first pasted line\nsecond pasted line")?;
    of_otto.wait_for("second pasted line")?;
    assert!(!of_anna.text().contains("pasted"), "a paste is never sent");
    of_otto.press(ENTER)?;
    of_anna.wait_for("second pasted line")?;

    // Both read the same safety number.
    let number = safety_number(&mut of_anna)?;
    assert_eq!(number, safety_number(&mut of_otto)?);
    of_anna.press("c")?;
    of_anna.wait_until("the state of trust", |screen| screen.contains("verified") && !screen.contains("unverified"))?;
    of_anna.press(ESC)?;
    of_anna.wait_for("to otto")?;
    of_otto.press(ESC)?;
    of_otto.wait_for("to anna")?;

    // The relay dies: the screens say so, and what is written now waits.
    relay.kill().unwrap();
    of_anna.wait_for("reconnecting")?;
    of_otto.wait_for("reconnecting")?;
    of_anna.press(&format!("written in the dark{ENTER}"))?;
    of_anna.wait_for("1 queued")?;

    // It comes back on the same files.
    let relay = Relay::start(&data, &address, &[]).unwrap();
    of_anna.press(F5)?;
    of_otto.press(F5)?;
    of_otto.wait_for("written in the dark")?;
    of_anna.wait_until("an empty queue", |screen| screen.contains("connected") && !screen.contains("queued"))?;

    // A burst of sizes that ends where it began, which the program may see as one or as none of them: the terminal
    // has cut its screen, and everything is drawn anew.
    for (rows, columns) in [(15, 40), (60, 200), (10, 20), (24, 80)] {
        of_anna.resize(size(rows), size(columns))?;
    }
    of_anna.wait_for("written in the dark")?;

    // Another size; then quit, and the screen is left clean.
    of_anna.resize(size(40), size(120))?;
    of_anna.wait_until("the wider screen", |screen| screen.lines().any(|line| line.trim_end().chars().count() > 80))?;
    of_anna.wait_for("written in the dark")?;
    of_anna.press(CTRL_Q)?;
    of_otto.press(CTRL_Q)?;
    assert!(of_anna.wait_for_end()?);
    assert!(of_otto.wait_for_end()?);
    drop(relay);

    // Started again, it asks for the passphrase and shows the conversation.
    let mut again = Terminal::open(&anna.profile, size(24), size(80))?;
    again.wait_for("locked")?;
    again.press(&format!("not this one{ENTER}"))?;
    again.wait_for("Wrong passphrase")?;
    again.press(&"\u{7f}".repeat("not this one".len()))?;
    again.press(&format!("{}{ENTER}", anna.passphrase))?;
    again.wait_for("otto")?;
    again.press(CTRL_Q)?;
    assert!(again.wait_for_end()?);
    Ok(())
}

fn register(person: &Person, url: &str, name: &str) -> Result<Terminal, TerminalError> {
    let mut terminal = Terminal::open(&person.profile, size(24), size(80))?;
    terminal.wait_for("step 1")?;
    terminal.press(&format!("{url}{ENTER}"))?;
    terminal.wait_for("step 2")?;
    terminal.press(&format!("{name}{ENTER}"))?;
    terminal.wait_for("step 3")?;
    terminal.press(&format!("{}{ENTER}{}{ENTER}", person.password, person.password))?;
    terminal.wait_for("step 4")?;
    terminal.press(&format!("{}{ENTER}{}{ENTER}", person.passphrase, person.passphrase))?;
    terminal.wait_until("the full screen, connected", |screen| {
        screen.contains("connected") && screen.contains("No conversations yet")
    })?;
    assert!(!String::from_utf8_lossy(&terminal.raw()).contains(&person.password), "a password is never shown");
    Ok(terminal)
}

fn safety_number(terminal: &mut Terminal) -> Result<Vec<String>, TerminalError> {
    terminal.press(F4)?;
    let groups = |screen: &str| -> Vec<String> {
        let words = screen.split_whitespace().filter(|w| w.len() == 5 && w.bytes().all(|b| b.is_ascii_digit()));
        words.map(str::to_owned).collect()
    };
    terminal.wait_until("60 digits", |screen| groups(screen).len() == 12)?;
    Ok(groups(&terminal.text()))
}

fn size(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).unwrap()
}
