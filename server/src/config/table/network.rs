//! Where the relay listens, and whom it believes.

use crate::config::setting::{Group, Kind, Preset, Setting, read, switch};

pub(super) static GROUP: Group = Group {
    title: "Network",
    offline: false,
    settings: &[
        Setting {
            name: "listen",
            kind: Kind::Text("ADDRESS"),
            default: Preset::Is("127.0.0.1:8080"),
            help: "Address and port to listen on; port 0 for any that is free. Without TLS, only this machine unless a proxy is declared.",
            set: |config, text| {
                config.listen = read(text, "ADDRESS:PORT, such as 127.0.0.1:8080, 0.0.0.0:443 or [::]:443")?;
                Ok(())
            },
        },
        Setting {
            name: "behind-proxy",
            kind: Kind::Switch,
            default: Preset::Is("false"),
            help: "A proxy in front ends TLS; its X-Forwarded-For says who asks.",
            set: |config, text| {
                config.behind_proxy = switch(text)?;
                Ok(())
            },
        },
    ],
};
