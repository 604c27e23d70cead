//! Words that begin with a slash: commands, never messages by mistake.

use super::Command;

/// What a text in the composer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A message with this text.
    Message(String),
    /// A command with what follows it.
    Command(Command, String),
    /// Looks like a command and is none: not sent.
    Unknown(String),
}

/// Reads what is in the composer. A first word of a slash and letters is a command; `//` at the
/// beginning sends the rest with one slash; anything else (such as `/etc/hosts`) is a message.
#[must_use]
pub fn read(text: &str) -> Input {
    let Some(rest) = text.strip_prefix('/') else { return Input::Message(text.to_owned()) };
    if rest.starts_with('/') {
        return Input::Message(rest.to_owned());
    }
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (word, arguments) = rest.split_at(end);
    if word.is_empty() || !word.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_') {
        return Input::Message(text.to_owned());
    }
    match Command::ALL.iter().find(|command| command.is_offered() && command.name() == word) {
        Some(command) => Input::Command(*command, arguments.trim().to_owned()),
        None => Input::Unknown(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_never_a_message() {
        assert_eq!(read("/hlep"), Input::Unknown("hlep".to_owned()));
        assert_eq!(read("/msg bob secret\nmore"), Input::Unknown("msg".to_owned()));
        assert_eq!(read("/ñandú"), Input::Unknown("ñandú".to_owned()));
    }

    #[test]
    fn known_words_are_commands_with_arguments() {
        assert_eq!(read("/verify"), Input::Command(Command::Verify, String::new()));
        assert_eq!(read("/new  bob "), Input::Command(Command::NewChat, "bob".to_owned()));
    }

    #[test]
    fn other_texts_with_a_slash_are_messages() {
        for text in ["a /verify", "/etc/hosts is wrong", "/ alone", " /verify", "/", "/:-)"] {
            assert_eq!(read(text), Input::Message(text.to_owned()));
        }
        assert_eq!(read("//shrug"), Input::Message("/shrug".to_owned()));
    }
}
