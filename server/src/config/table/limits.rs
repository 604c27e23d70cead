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
        Setting {
            name: "search-rate",
            kind: Kind::Number("N"),
            default: Preset::Is("30"),
            help: "Searches for people a minute from one account.",
            set: |config, text| {
                config.search_rate = PerMinute(at_least(text, 1)?);
                Ok(())
            },
        },
        Setting {
            name: "message-rate",
            kind: Kind::Number("N"),
            default: Preset::Is("6000"),
            help: "Messages a minute from one device; what comes faster waits in its socket.",
            set: |config, text| {
                config.pace.messages = PerMinute(at_least(text, 1)?);
                Ok(())
            },
        },
        Setting {
            name: "traffic-rate-kib",
            kind: Kind::Number("KIB"),
            default: Preset::Is("65536"),
            help: "Kibibytes a minute from one device; what comes faster waits in its socket.",
            set: |config, text| {
                config.pace.kib = PerMinute(at_least(text, 1)?);
                Ok(())
            },
        },
        Setting {
            name: "connections",
            kind: Kind::Number("N"),
            default: Preset::Is("50000"),
            help: "Connections at once, as far as the system's limit of open files allows; more wait for their turn.",
            set: |config, text| {
                config.bounds.connections = at_least(text, 1)?;
                Ok(())
            },
        },
        Setting {
            name: "address-connections",
            kind: Kind::Number("N"),
            default: Preset::Unset { meaning: "512, and any number from this machine itself", example: "512" },
            help: "Connections at once from one address; more are closed. Not counted behind a proxy.",
            set: |config, text| {
                config.bounds.of_address = Some(at_least(text, 1)?);
                Ok(())
            },
        },
    ],
};
