//! Conversations and commands in one list, found by a few letters.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use susurro_protocol::AccountName;

use super::Command;
use crate::app::model::Model;

/// A line of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A conversation.
    Chat(AccountName),
    /// A command.
    Command(Command),
}

/// The lines that fit what was typed, best first; all of them when nothing was.
#[must_use]
pub fn entries(model: &Model, query: &str) -> Vec<Entry> {
    let chats = model.home().map(|home| home.list()).unwrap_or_default();
    let all = chats
        .iter()
        .map(|chat| Entry::Chat(chat.contact.name.clone()))
        .chain(Command::ALL.iter().filter(|c| c.is_offered() && **c != Command::Palette).map(|c| Entry::Command(*c)));
    let pattern = Pattern::parse(query, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut found: Vec<_> = all
        .filter_map(|entry| {
            let text = label(model, &entry);
            pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher).map(|score| (score, entry))
        })
        .collect();
    // Stable: equal scores keep the order of the list.
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// What a line says.
#[must_use]
pub fn label(model: &Model, entry: &Entry) -> String {
    match entry {
        Entry::Chat(name) => name.to_string(),
        Entry::Command(command) => format!("/{}  {}", command.name(), model.text(command.text())),
    }
}
