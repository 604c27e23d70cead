//! Which value counts: flags, then variables, then `.env`, then the configuration file, then defaults.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::setting::{Kind, Preset, Setting, has_password};
use super::source::{self, Found, Origin, Written};
use super::table::{self, NAMES, Named};
use super::{Config, SettingsError};

/// Read from the working directory when it is there and nobody names another.
const ENV_FILE: &str = ".env";

/// Variables that name files instead of settings.
const CONFIG_VARIABLE: &str = "SUSURRO_CONFIG";

/// Variables of the clients, of the test suite and of other commands, which may share a file or an
/// environment with a relay.
const OTHERS: &[&str] = &[
    CONFIG_VARIABLE,
    "SUSURRO_ADMIN_TOKEN",
    "SUSURRO_HEALTHCHECK_URL",
    "SUSURRO_INSECURE_HTTP",
    "SUSURRO_LANG",
    "SUSURRO_LOG_FILE",
    "SUSURRO_PASSPHRASE",
    "SUSURRO_PASSWORD",
    "SUSURRO_PROFILE",
];

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Keys and values; those of a list once for each time.
    pub flags: Vec<(&'static Named, String)>,
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The file with variables, in place of `.env`.
    pub env_file: Option<PathBuf>,
}

/// What counts, and where each value came from.
#[derive(Debug)]
pub struct Resolved {
    /// The configuration.
    pub config: Config,
    /// Every setting of the table in its order: value, if it has one, and origin.
    pub values: Vec<Chosen>,
    /// Variables of the environment that look like settings and are none.
    pub unknown: Vec<String>,
}

/// A setting with the value that counts.
#[derive(Debug)]
pub struct Chosen {
    /// The setting.
    pub setting: &'static Setting,
    /// The value as it may be shown; `None` when it is unset.
    pub shown: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// Gathers everything from everywhere. `environment` are the variables of the process.
///
/// # Errors
///
/// [`SettingsError`] names the place and the key, and says what to do. Whether the values fit
/// together is for [`Config::check`].
pub fn resolve(
    given: &Given,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Resolved, SettingsError> {
    let environment: Vec<_> = environment.into_iter().filter(|(name, _)| name.starts_with("SUSURRO_")).collect();
    let mut places = Places::default();
    places.flags(given)?;
    let unknown = places.environment(&environment)?;
    places.env_file(given.env_file.as_deref())?;
    let named = environment.iter().find(|(name, value)| name == CONFIG_VARIABLE && !value.is_empty());
    let config_file = given.config.clone().or_else(|| named.map(|(_, value)| PathBuf::from(value)));
    if let Some(path) = config_file {
        places.config_file(&path)?;
    }
    let mut config = Config::new("");
    let mut values = Vec::new();
    for setting in table::all() {
        values.push(places.choose(setting, &mut config)?);
    }
    Ok(Resolved { config, values, unknown })
}

/// What was found for each setting; the first place counts.
#[derive(Default)]
struct Places {
    found: HashMap<&'static str, (&'static Named, Found)>,
}

impl Places {
    /// Takes what one place has. Two names for the same thing in one place contradict each other.
    fn take(&mut self, place: Vec<(&'static Named, Found)>) -> Result<(), SettingsError> {
        let mut here: HashMap<&'static str, (&'static Named, Found)> = HashMap::new();
        for (named, found) in place {
            if let Some((_, before)) = here.get(named.setting.name) {
                let (one, other) = (before.origin.clone(), found.origin);
                return Err(SettingsError::Twice { key: named.setting.name, one, other });
            }
            here.insert(named.setting.name, (named, found));
        }
        for (name, found) in here {
            self.found.entry(name).or_insert(found);
        }
        Ok(())
    }

    fn flags(&mut self, given: &Given) -> Result<(), SettingsError> {
        let mut place: Vec<(&'static Named, Found)> = Vec::new();
        for (named, value) in &given.flags {
            let flag = format!("--{}", named.key);
            if !named.is_file && has_password(value) && matches!(named.setting.kind, Kind::Url(_)) {
                return Err(SettingsError::OpenSecret { flag, variable: format!("{}_FILE", named.setting.variable()) });
            }
            let before = place.iter_mut().find(|(other, _)| other.key == named.key);
            if let (Some((_, Found { value: Written::Loose(all), .. })), Kind::List(_)) = (before, named.setting.kind) {
                all.push(',');
                all.push_str(value);
                continue;
            }
            let found =
                Found { key: named.key.clone(), value: Written::Loose(value.clone()), origin: Origin::Flag(flag) };
            place.push((*named, found));
        }
        self.take(place)
    }

    /// An empty variable is one that is not set. Those that are no settings are left to the caller:
    /// whoever runs containers puts variables of its own into the environment.
    fn environment(&mut self, environment: &[(String, String)]) -> Result<Vec<String>, SettingsError> {
        let (mut place, mut unknown) = (Vec::new(), Vec::new());
        for (name, value) in environment {
            match NAMES.iter().find(|named| named.variable == *name) {
                Some(_) if value.is_empty() => {}
                Some(named) => {
                    let origin = Origin::Variable(name.clone());
                    place.push((named, Found { key: name.clone(), value: Written::Loose(value.clone()), origin }));
                }
                None if OTHERS.contains(&name.as_str()) => {}
                None => unknown.push(name.clone()),
            }
        }
        self.take(place)?;
        unknown.sort();
        Ok(unknown)
    }

    fn env_file(&mut self, named: Option<&Path>) -> Result<(), SettingsError> {
        let path = named.unwrap_or(Path::new(ENV_FILE));
        if named.is_none() && !path.is_file() {
            return Ok(());
        }
        let mut place = Vec::new();
        for found in source::env_file(path)? {
            // Other programs have variables in the same file.
            if !found.key.starts_with("SUSURRO_") || OTHERS.contains(&found.key.as_str()) {
                continue;
            }
            let known = NAMES.iter().find(|name| name.variable == found.key);
            let named = known.ok_or_else(|| unknown(&found, NAMES.iter().map(|name| name.variable.as_str())))?;
            if !matches!(&found.value, Written::Loose(text) if text.is_empty()) {
                place.push((named, found));
            }
        }
        self.take(place)
    }

    fn config_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let mut place = Vec::new();
        for found in source::config_file(path)? {
            let known = NAMES.iter().find(|name| name.key == found.key);
            let named = known.ok_or_else(|| unknown(&found, NAMES.iter().map(|name| name.key.as_str())))?;
            place.push((named, found));
        }
        self.take(place)
    }

    fn choose(&mut self, setting: &'static Setting, config: &mut Config) -> Result<Chosen, SettingsError> {
        let (text, key, origin) = match self.found.remove(setting.name) {
            None => match setting.default {
                Preset::Unset { .. } => return Ok(Chosen { setting, shown: None, origin: Origin::Default }),
                Preset::Is(value) => (value.to_owned(), setting.name.to_owned(), Origin::Default),
            },
            Some((named, found)) => {
                let wrong = |what| SettingsError::Wrong { origin: found.origin.clone(), key: found.key.clone(), what };
                let text = text(found.value.clone(), setting, named.is_file).map_err(wrong)?;
                if named.is_file {
                    let path = PathBuf::from(text);
                    let content = source::read(&path)?;
                    let content = content.trim_end_matches(['\r', '\n']).to_owned();
                    if content.is_empty() {
                        return Err(wrong(format!("the file {} is empty", path.display())));
                    }
                    (content, found.key, Origin::File(path, Box::new(found.origin)))
                } else {
                    (text, found.key, found.origin)
                }
            }
        };
        let set = (setting.set)(config, &text);
        set.map_err(|what| SettingsError::Wrong { origin: origin.clone(), key, what })?;
        Ok(Chosen { setting, shown: Some(setting.shown(&text)), origin })
    }
}

fn unknown<'a>(found: &Found, known: impl Iterator<Item = &'a str>) -> SettingsError {
    let nearest = table::nearest(&found.key, known).map(str::to_owned);
    SettingsError::Unknown { origin: found.origin.clone(), key: found.key.clone(), nearest }
}

/// The text of a value, when TOML has it as the type that the setting is of.
fn text(value: Written, setting: &Setting, is_file: bool) -> Result<String, String> {
    let kind = if is_file { Kind::Text("FILE") } else { setting.kind };
    match (value, kind) {
        (Written::Loose(text), _)
        | (Written::Boolean(text), Kind::Switch)
        | (Written::Integer(text), Kind::Number(_))
        | (Written::String(text), Kind::Text(_) | Kind::Url(_) | Kind::List(_)) => Ok(text),
        (Written::Array(items), Kind::List(_)) => Ok(items.join(",")),
        (Written::String(text), Kind::Secret) => Ok(text),
        (value, kind) => {
            let wanted = match kind {
                Kind::Switch => "true or false, without quotes",
                Kind::Number(_) => "a whole number, without quotes",
                Kind::Text(_) | Kind::Url(_) | Kind::Secret => "text in quotes",
                Kind::List(_) => "an array of texts in quotes",
            };
            let found = match value {
                Written::Loose(_) | Written::String(_) => "text",
                Written::Integer(_) => "a number",
                Written::Boolean(_) => "a boolean",
                Written::Array(_) => "an array",
                Written::Other(what) => what,
            };
            Err(format!("give {wanted}; this is {found}"))
        }
    }
}
