//! Where values come from, and how each place is read.

use std::fmt;
use std::path::{Path, PathBuf};

use super::SettingsError;

/// Where a value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A flag.
    Flag(String),
    /// A variable of the environment.
    Variable(String),
    /// A line of a file with variables.
    EnvFile(PathBuf, usize),
    /// A line of a configuration file.
    ConfigFile(PathBuf, usize),
    /// A file that another place names.
    File(PathBuf, Box<Self>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::EnvFile(path, line) | Self::ConfigFile(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::File(path, by) => write!(f, "{} ({by})", path.display()),
        }
    }
}

/// A key and its value as some place has them.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) value: Written,
    pub(super) origin: Origin,
}

/// A value as some place writes it down.
#[derive(Clone)]
pub(super) enum Written {
    /// Text, of which the setting makes what it wants.
    Loose(String),
    /// A TOML string.
    String(String),
    /// A TOML integer, as text.
    Integer(String),
    /// A TOML boolean, as text.
    Boolean(String),
    /// A TOML array of strings.
    Array(Vec<String>),
    /// Something else in TOML: its type.
    Other(&'static str),
}

/// Values may be secrets.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written")
    }
}

/// Reads a file of lines `NAME=VALUE`. A value may stand in quotes, `export` before the name, and `#`
/// begins a comment at the start of a line or behind a blank. Nothing is replaced inside a value.
///
/// The errors name the line and not what stands in it, which may be a secret: what libraries for
/// this report shows the text.
pub(super) fn env_file(path: &Path) -> Result<Vec<Found>, SettingsError> {
    let text = read(path)?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let wrong = |what| SettingsError::Syntax { path: path.to_owned(), line: number, what };
        let (key, value) = line.split_once('=').ok_or_else(|| wrong("give NAME=VALUE".to_owned()))?;
        let value = unquoted(value.trim()).ok_or_else(|| wrong("a quote is not closed".to_owned()))?;
        let origin = Origin::EnvFile(path.to_owned(), number);
        found.push(Found { key: key.trim().to_owned(), value: Written::Loose(value.to_owned()), origin });
    }
    Ok(found)
}

fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inside, behind) = rest.split_once(quote)?;
            let behind = behind.trim_start();
            return (behind.is_empty() || behind.starts_with('#')).then_some(inside);
        }
    }
    Some(value.split_once(" #").map_or(value, |(value, _)| value.trim_end()))
}

/// Reads a TOML file of top-level keys.
pub(super) fn config_file(path: &Path) -> Result<Vec<Found>, SettingsError> {
    let text = read(path)?;
    let line_at = |offset: usize| text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1);
    let table = toml::de::DeTable::parse(&text).map_err(|error| SettingsError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_at(span.start)),
        // The whole error shows the line, in which a secret may stand.
        what: error.message().to_owned(),
    })?;
    let entries = table.into_inner().into_iter().map(|(key, value)| Found {
        origin: Origin::ConfigFile(path.to_owned(), line_at(key.span().start)),
        key: key.into_inner().into_owned(),
        value: written(value.into_inner()),
    });
    Ok(entries.collect())
}

fn written(value: toml::de::DeValue<'_>) -> Written {
    use toml::de::DeValue as V;
    match value {
        V::String(text) => Written::String(text.into_owned()),
        V::Integer(number) if number.radix() == 10 => Written::Integer(number.as_str().replace('_', "")),
        V::Integer(_) => Written::Other("a number that is not decimal"),
        V::Boolean(on) => Written::Boolean(on.to_string()),
        V::Array(items) => {
            let texts = items.into_iter().map(|item| match item.into_inner() {
                V::String(text) => Some(text.into_owned()),
                _ => None,
            });
            texts.collect::<Option<_>>().map_or(Written::Other("an array of other things than text"), Written::Array)
        }
        V::Float(_) => Written::Other("a fraction"),
        V::Datetime(_) => Written::Other("a date"),
        V::Table(_) => Written::Other("a table"),
    }
}

/// Reads a file that is there.
pub(super) fn read(path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|why| SettingsError::Unreadable { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_comments_of_a_variable_file() {
        for (text, value) in [
            ("a b", Some("a b")),
            ("a#b # c", Some("a#b")),
            ("\"a # b\" # c", Some("a # b")),
            ("'$x \"y\"'", Some("$x \"y\"")),
            ("\"a", None),
            ("\"a\" b", None),
            ("", Some("")),
        ] {
            assert_eq!(unquoted(text), value, "{text}");
        }
    }
}
