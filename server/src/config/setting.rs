//! What a setting is: one entry of the table that flags, variables, keys and the reference come from.

use std::fmt::Display;
use std::str::FromStr;

use super::Config;

/// One thing that an operator can choose. Its name is the flag `--NAME`, the variable
/// `SUSURRO_NAME` (in capitals, with underscores) and the key `NAME` of a configuration file.
#[derive(Debug)]
pub struct Setting {
    /// In lower case, words joined by hyphens.
    pub name: &'static str,
    /// How it is written down.
    pub kind: Kind,
    /// What holds when nobody says anything.
    pub default: Preset,
    /// One or two sentences for the help text and the reference.
    pub help: &'static str,
    /// Puts a value into the configuration. The error says what to give instead; it must not repeat
    /// the value, since some are secrets.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
}

/// How a setting is written down. The word is what stands for the value in the help text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On or off: a flag without a value, a boolean in TOML.
    Switch,
    /// A whole number.
    Number(&'static str),
    /// Words.
    Text(&'static str),
    /// Any number of values: a flag that may be repeated, an array in TOML, separated by commas in a
    /// variable.
    List(&'static str),
    /// An address that may hold a password: also from a file, never with its password as an
    /// argument, shown without it.
    Url(&'static str),
    /// Nobody else's business: from a variable or a file, never an argument, never shown.
    Secret,
}

/// What holds when nobody says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// This value.
    Is(&'static str),
    /// Nothing, or what follows from others.
    Unset {
        /// What that means, for the reference.
        meaning: &'static str,
        /// A value that it could have, for the examples.
        example: &'static str,
    },
}

/// Settings that belong together; one heading of the help text and of the reference.
#[derive(Debug)]
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// Whether commands that work on the stored data without serving need these as well.
    pub offline: bool,
    /// The settings, in the order in which they are shown.
    pub settings: &'static [Setting],
}

impl Setting {
    /// The flag.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("--{}", self.name)
    }

    /// The variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("SUSURRO_{}", self.name.to_uppercase().replace('-', "_"))
    }

    /// Whether it may come from a file of its own: `--NAME-file`, `SUSURRO_NAME_FILE`, `NAME-file`.
    #[must_use]
    pub fn has_file(&self) -> bool {
        matches!(self.kind, Kind::Url(_) | Kind::Secret)
    }

    /// A value that it could have.
    #[must_use]
    pub fn example(&self) -> &'static str {
        match self.default {
            Preset::Is(value) | Preset::Unset { example: value, .. } => value,
        }
    }

    /// The value as it may be shown.
    #[must_use]
    pub fn shown(&self, value: &str) -> String {
        match self.kind {
            Kind::Secret => "(hidden)".to_owned(),
            Kind::Url(_) => without_password(value),
            _ => value.to_owned(),
        }
    }
}

/// A URL whose password, if it has one, is replaced. What cannot be read as a URL is hidden whole as
/// soon as it looks as if it held one.
#[must_use]
pub fn without_password(url: &str) -> String {
    match split_password(url) {
        Some((before, _, after)) => format!("{before}(hidden){after}"),
        None => url.to_owned(),
    }
}

/// Whether a URL holds a password.
#[must_use]
pub fn has_password(url: &str) -> bool {
    split_password(url).is_some()
}

/// What stands before the password, the password, and what stands after it.
fn split_password(url: &str) -> Option<(&str, &str, &str)> {
    let start = url.find("://")? + 3;
    // The last @ counts: a password that nobody escaped may hold one, or a slash.
    let at = start + url.get(start..)?.rfind('@')?;
    let colon = start + url.get(start..at)?.find(':')?;
    Some((&url[..=colon], &url[colon + 1..at], &url[at..]))
}

/// Reads a value by its type.
///
/// # Errors
///
/// `what` it should be.
pub fn read<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("give {what}"))
}

/// Reads a whole number that is at least `least`.
///
/// # Errors
///
/// What it should be.
pub fn at_least<T: FromStr + PartialOrd + Display>(text: &str, least: T) -> Result<T, String> {
    match text.trim().parse() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(format!("give a whole number of at least {least}")),
    }
}

/// Reads a switch.
///
/// # Errors
///
/// What it should be.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("give true or false".to_owned()),
    }
}

/// Reads the values of a list.
///
/// # Errors
///
/// `what` each of them should be.
pub fn list<T: FromStr>(text: &str, what: &str) -> Result<Vec<T>, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| item.parse().map_err(|_| format!("give {what}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_never_shown() {
        for (url, shown) in [
            ("postgres://susurro:s3cret@db/x", "postgres://susurro:(hidden)@db/x"),
            ("postgres://susurro:s@3/c:ret@db/x", "postgres://susurro:(hidden)@db/x"),
            ("rediss://:s3cret@cache:6379", "rediss://:(hidden)@cache:6379"),
            ("postgres://susurro@db:5432/x", "postgres://susurro@db:5432/x"),
            ("sqlite:/srv/a@b:c.db", "sqlite:/srv/a@b:c.db"),
        ] {
            assert_eq!(without_password(url), shown);
            assert_eq!(has_password(url), url != shown);
        }
    }
}
