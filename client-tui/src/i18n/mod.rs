//! The words of the interface, in English and Spanish (Fluent).
//!
//! No widget holds a text: each names a [`Key`], and a test checks that every key is in both
//! files and that every line of the files is used.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

const ENGLISH: &str = include_str!("../../locales/en/susurro.ftl");
const SPANISH: &str = include_str!("../../locales/es/susurro.ftl");

/// The name of a text; made by [`key!`](crate::key) only, so that a test can find them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(&'static str);

impl Key {
    /// For [`key!`](crate::key).
    #[doc(hidden)]
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// The name, as it is written in the files of texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// The [`Key`] of this name.
#[macro_export]
macro_rules! key {
    ($name:literal) => {
        $crate::i18n::Key::named($name)
    };
}

/// A language of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Spanish.
    Spanish,
}

impl Language {
    /// The language that the environment asks for: the first of `SUSURRO_LANG`, `LC_ALL`,
    /// `LC_MESSAGES` and `LANG` that is set and not empty. Unknown languages are English.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::choose(|name| std::env::var(name).ok())
    }

    fn choose(variable: impl Fn(&str) -> Option<String>) -> Self {
        let wanted = ["SUSURRO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()));
        match wanted.as_deref().and_then(|value| value.split(['_', '-', '.', '@']).next()) {
            Some("es") => Self::Spanish,
            _ => Self::English,
        }
    }
}

/// The texts of one language, with English for what it lacks.
pub struct Texts {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Texts({:?})", self.language)
    }
}

impl Texts {
    /// The texts of this language.
    #[must_use]
    pub fn new(language: Language) -> Self {
        let name: LanguageIdentifier = match language {
            Language::English => unic_langid::LanguageIdentifier::from_bytes(b"en").unwrap_or_default(),
            Language::Spanish => unic_langid::LanguageIdentifier::from_bytes(b"es").unwrap_or_default(),
        };
        let mut bundle = FluentBundle::new_concurrent(vec![name]);
        // Invisible direction marks around each argument would be counted and drawn as cells.
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource(ENGLISH));
        if language == Language::Spanish {
            bundle.add_resource_overriding(resource(SPANISH));
        }
        Self { language, bundle }
    }

    /// Their language.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// A text without arguments.
    #[must_use]
    pub fn get(&self, key: Key) -> String {
        self.with(key, &[])
    }

    /// A text with arguments. An unknown key gives its name, so that something is shown.
    #[must_use]
    pub fn with(&self, key: Key, arguments: &[(&'static str, Argument)]) -> String {
        let Some(pattern) = self.bundle.get_message(key.0).and_then(|message| message.value()) else {
            return key.0.to_owned();
        };
        let mut values = FluentArgs::with_capacity(arguments.len());
        for (name, value) in arguments {
            values.set(*name, value.fluent());
        }
        let mut errors = Vec::new();
        self.bundle.format_pattern(pattern, Some(&values), &mut errors).into_owned()
    }
}

/// What a text can be given. Text from others must have gone through
/// [`sanitize`](crate::sanitize) before.
#[derive(Debug, Clone)]
pub enum Argument {
    /// A word.
    Text(String),
    /// A count, which chooses between singular and plural.
    Number(u64),
}

impl Argument {
    fn fluent(&self) -> FluentValue<'_> {
        match self {
            Self::Text(text) => FluentValue::from(text.as_str()),
            Self::Number(number) => FluentValue::from(*number),
        }
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Argument {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// What is understood of a file counts; the tests see to it that all of it is.
fn resource(text: &str) -> FluentResource {
    FluentResource::try_new(text.to_owned()).unwrap_or_else(|(understood, _)| understood)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    /// The messages of a file, each with the names of its arguments.
    fn messages(text: &str) -> BTreeMap<String, BTreeSet<String>> {
        assert!(
            FluentResource::try_new(text.to_owned()).is_ok(),
            "{:?}",
            FluentResource::try_new(text.to_owned()).err()
        );
        let mut found = BTreeMap::<String, BTreeSet<String>>::new();
        let mut last = String::new();
        for line in text.lines() {
            if let Some((name, _)) = line.split_once(" =")
                && line.starts_with(|c: char| c.is_ascii_lowercase())
            {
                last = name.to_owned();
                assert!(found.insert(last.clone(), BTreeSet::new()).is_none(), "{last} is there twice");
            }
            for part in line.split('$').skip(1) {
                let argument: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                found.get_mut(&last).unwrap().insert(argument);
            }
        }
        found
    }

    fn keys_in_sources(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                keys_in_sources(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                for part in source.split(concat!("key", "!(\"")).skip(1) {
                    found.insert(part.split('"').next().unwrap().to_owned());
                }
            }
        }
    }

    #[test]
    fn both_languages_have_the_same_texts_with_the_same_arguments() {
        assert_eq!(messages(ENGLISH), messages(SPANISH));
    }

    #[test]
    fn every_text_that_is_named_exists_and_every_text_is_named() {
        let mut used = BTreeSet::new();
        keys_in_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
        used.extend(crate::input::Command::ALL.iter().map(|command| command.text().name().to_owned()));
        let written: BTreeSet<String> = messages(ENGLISH).into_keys().collect();
        assert_eq!(used.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "missing in the files");
        assert_eq!(written.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "used nowhere");
    }

    #[test]
    fn the_language_follows_the_first_variable_that_is_set() {
        let environment = |pairs: &'static [(&'static str, &'static str)]| {
            Language::choose(move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(environment(&[]), Language::English);
        assert_eq!(environment(&[("LANG", "es_ES.UTF-8")]), Language::Spanish);
        assert_eq!(environment(&[("LANG", "es_ES.UTF-8"), ("LC_ALL", "C")]), Language::English);
        assert_eq!(environment(&[("LC_ALL", ""), ("LC_MESSAGES", "es")]), Language::Spanish);
        assert_eq!(environment(&[("SUSURRO_LANG", "es"), ("LC_ALL", "de_DE")]), Language::Spanish);
    }

    #[test]
    fn numbers_choose_the_plural_and_arguments_bring_no_invisible_marks() {
        let texts = Texts::new(Language::English);
        assert_eq!(texts.with(crate::key!("status-queued"), &[("count", 1.into())]), "1 queued");
        let spanish = Texts::new(Language::Spanish);
        assert_eq!(spanish.with(crate::key!("status-queued"), &[("count", 2.into())]), "2 en cola");
    }
}
