//! How much one may ask for.

use crate::config::setting::{Group, Kind, Preset, Setting, at_least};
use crate::domain::rate::PerMinute;

pub(super) static GROUP: Group = Group {
    title: "Limits",
    offline: false,
    settings: &[
        Setting {
            name: "auth-rate",
            kind: Kind::Number("N"),
            default: Preset::Is("20"),
            help: "Registrations, logins and refreshes a minute from one address.",
            set: |config, text| {
                config.auth_rate = PerMinute(at_least(text, 1)?);
                Ok(())
            },
        },
        Setting {
            name: "rest-rate",
            kind: Kind::Number("N"),
            default: Preset::Is("100"),
            help: "Other requests a minute from one account.",
            set: |config, text| {
                config.rest_rate = PerMinute(at_least(text, 1)?);
                Ok(())
            },
        },
    ],
};
