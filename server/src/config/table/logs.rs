//! What the relay says about its work.

use crate::config::setting::{Group, Kind, Preset, Setting};
use crate::telemetry::{LogFormat, check_filter, check_level};

pub(super) static GROUP: Group = Group {
    title: "Logs",
    offline: true,
    settings: &[
        Setting {
            name: "log-level",
            kind: Kind::Text("LEVEL"),
            default: Preset::Is("info"),
            help: "How much to log of the relay's own work: off, error, warn, info, debug or trace. Libraries log warnings.",
            set: |config, text| {
                config.logs.level = check_level(text)?;
                Ok(())
            },
        },
        Setting {
            name: "log",
            kind: Kind::Text("FILTER"),
            default: Preset::Unset { meaning: "as log-level says", example: "susurro_server=debug,warn" },
            help: "What to log in place of log-level: a level, or directives such as susurro_server=debug,warn.",
            set: |config, text| {
                config.logs.filter = Some(check_filter(text)?);
                Ok(())
            },
        },
        Setting {
            name: "log-format",
            kind: Kind::Text("FORMAT"),
            default: Preset::Is("text"),
            help: "How a log line looks: text for people, or json, one object a line.",
            set: |config, text| {
                config.logs.format = match text {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => return Err("give text or json".to_owned()),
                };
                Ok(())
            },
        },
    ],
};
