//! Who ends TLS, and with what.

use crate::config::setting::{Group, Kind, Preset, Setting};

pub(super) static GROUP: Group = Group {
    title: "TLS",
    offline: false,
    settings: &[
        Setting {
            name: "tls-cert",
            kind: Kind::Text("FILE"),
            default: Preset::Unset { meaning: "no TLS", example: "/etc/susurro/fullchain.pem" },
            help: "Certificate chain for HTTPS as PEM, the relay's own first. Needs tls-key.",
            set: |config, text| {
                config.tls.get_or_insert_default().cert = text.into();
                Ok(())
            },
        },
        Setting {
            name: "tls-key",
            kind: Kind::Text("FILE"),
            default: Preset::Unset { meaning: "no TLS", example: "/etc/susurro/privkey.pem" },
            help: "Private key of that certificate, as PEM.",
            set: |config, text| {
                config.tls.get_or_insert_default().key = text.into();
                Ok(())
            },
        },
    ],
};
