//! Flags that come from the table of settings.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::exit::Failure;
use crate::config::setting::{Kind, Preset};
use crate::config::table::{GROUPS, NAMES, Named};
use crate::config::{Config, Given, Resolved, resolve};

const CONFIG: &str = "config";
const ENV_FILE: &str = "env-file";

/// The flags of all settings: for what serves, or shows what serving would do.
pub(super) type AllFlags = Flags<true>;

/// The flags of the settings that concern stored data and logs: for what works on them without serving.
/// The other settings still come from variables and files.
pub(super) type OfflineFlags = Flags<false>;

/// What was given on the command line.
#[derive(Debug, Clone)]
pub(super) struct Flags<const ALL: bool>(Given);

impl<const ALL: bool> Flags<ALL> {
    /// Everything that counts, from all places, before it is checked whether it fits together.
    pub(super) fn resolve(&self) -> Result<Resolved, Failure> {
        Ok(resolve(&self.0, std::env::vars())?)
    }

    /// The configuration that counts, checked, with logs started as it says.
    pub(super) fn start(&self) -> Result<Config, Failure> {
        let Resolved { config, unknown, .. } = self.resolve()?;
        config.check()?;
        crate::telemetry::start(&config.logs).map_err(|error| Failure::new(super::Exit::Usage, error))?;
        for variable in unknown {
            tracing::warn!(variable, "a variable of the environment looks like a setting and is none");
        }
        Ok(config)
    }
}

/// The names in this command, each with the heading that it stands under.
fn names(all: bool) -> impl Iterator<Item = (&'static str, &'static Named)> {
    let groups = GROUPS.iter().filter(move |group| all || group.offline);
    groups.flat_map(|group| {
        let of_group = |named: &&Named| group.settings.iter().any(|setting| setting.name == named.setting.name);
        NAMES.iter().filter(of_group).map(|named| (group.title, named))
    })
}

/// A secret has no flag but that of its file.
fn is_flag(named: &Named) -> bool {
    named.is_file || named.setting.kind != Kind::Secret
}

fn argument(heading: &'static str, named: &'static Named) -> Arg {
    let argument = Arg::new(named.key.as_str()).long(named.key.as_str()).help_heading(heading);
    let variable = &named.variable;
    if named.is_file {
        let help = format!("File that holds the value of {} [env: {variable}]", named.setting.name);
        return argument.value_name("FILE").help(help);
    }
    let help = named.setting.help;
    let default = match named.setting.default {
        Preset::Is(_) if named.setting.kind == Kind::Switch => String::new(),
        Preset::Is(value) => format!(" [default: {value}]"),
        Preset::Unset { meaning, .. } => format!(" [default: {meaning}]"),
    };
    let argument = argument.help(format!("{help} [env: {variable}]{default}"));
    match named.setting.kind {
        // A value is taken as well, to switch off what a file switches on.
        Kind::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
        Kind::List(word) => argument.value_name(word).action(ArgAction::Append),
        Kind::Number(word) | Kind::Text(word) | Kind::Url(word) => argument.value_name(word),
        Kind::Secret => argument,
    }
}

impl<const ALL: bool> clap::Args for Flags<ALL> {
    fn augment_args(command: Command) -> Command {
        let file =
            |name, help| Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help);
        let command = command
            .arg(file(CONFIG, "TOML file with settings [env: SUSURRO_CONFIG]"))
            .arg(file(ENV_FILE, "File with variables [default: .env, if it is there]"));
        let flags = names(ALL).filter(|(_, named)| is_flag(named));
        flags.fold(command, |command, (heading, named)| command.arg(argument(heading, named)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const ALL: bool> clap::FromArgMatches for Flags<ALL> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Given {
            flags: Vec::new(),
            config: matches.get_one::<PathBuf>(CONFIG).cloned(),
            env_file: matches.get_one::<PathBuf>(ENV_FILE).cloned(),
        };
        for (_, named) in names(ALL).filter(|(_, named)| is_flag(named)) {
            let values = matches.get_many::<String>(&named.key).into_iter().flatten();
            given.flags.extend(values.map(|value| (named, value.clone())));
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
