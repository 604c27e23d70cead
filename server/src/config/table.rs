//! The table of settings. To add one: a field in [`Config`](super::Config) and an entry in the group where it
//! belongs; then `cargo xtask configuration`, which writes the reference and the examples anew.

mod accounts;
mod limits;
mod logs;
mod network;
mod storage;
mod tls;
mod watching;

use std::sync::LazyLock;

use super::setting::{Group, Setting};

/// All groups, in the order in which they are shown.
pub static GROUPS: [&Group; 7] =
    [&storage::GROUP, &network::GROUP, &tls::GROUP, &accounts::GROUP, &limits::GROUP, &watching::GROUP, &logs::GROUP];

/// A setting under one of the names that it can be given by.
#[derive(Debug)]
pub struct Named {
    /// The setting.
    pub setting: &'static Setting,
    /// Whether the value is the name of a file that holds the value.
    pub is_file: bool,
    /// Key in a configuration file, and flag without its hyphens.
    pub key: String,
    /// Variable.
    pub variable: String,
}

/// Every name that a setting can be given by.
pub static NAMES: LazyLock<Vec<Named>> = LazyLock::new(|| {
    let own = |setting: &'static Setting| Named {
        setting,
        is_file: false,
        key: setting.name.to_owned(),
        variable: setting.variable(),
    };
    let file = |setting: &'static Setting| Named {
        setting,
        is_file: true,
        key: format!("{}-file", setting.name),
        variable: format!("{}_FILE", setting.variable()),
    };
    all().flat_map(|setting| [Some(own(setting)), setting.has_file().then(|| file(setting))]).flatten().collect()
});

/// Every setting.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|group| group.settings)
}

/// The name by which somebody probably meant one of `known`.
pub fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|name| (distance(given, name), name)).min()?;
    (near.0 <= (given.chars().count() / 3).max(1)).then_some(near.1)
}

/// Letters that have to be put in, taken out or replaced.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::setting::Preset;

    #[test]
    fn a_slip_of_the_finger_finds_the_setting() {
        let names = || NAMES.iter().map(|named| named.key.as_str());
        assert_eq!(nearest("listn", names()), Some("listen"));
        assert_eq!(nearest("database_max_mib", names()), Some("database-max-mib"));
        assert_eq!(nearest("colour", names()), None);
    }

    #[test]
    fn each_name_is_there_once_and_each_example_and_default_can_be_set() {
        let mut keys: Vec<_> = NAMES.iter().map(|named| &named.key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), NAMES.len());
        for setting in all() {
            let mut config = Config::new("/srv");
            assert_eq!((setting.set)(&mut config, setting.example()), Ok(()), "{}", setting.name);
        }
    }

    #[test]
    fn the_defaults_of_the_table_are_those_of_the_code() {
        for setting in all() {
            // Tests listen wherever there is room, the program where it says.
            let Preset::Is(value) = setting.default else { continue };
            if setting.name == "listen" {
                continue;
            }
            let mut config = Config::new("/srv");
            assert_eq!((setting.set)(&mut config, value), Ok(()));
            assert_eq!(format!("{config:?}"), format!("{:?}", Config::new("/srv")), "{}", setting.name);
        }
    }
}
