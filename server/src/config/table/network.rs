//! Where the relay listens, and whom it believes.

use crate::config::setting::{Group, Kind, Preset, Setting, list, read, switch};
use crate::domain::proxies::Proxies;

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
            help: "A proxy on this machine or in a private network ends TLS; its X-Forwarded-For says who asks. The same as trusted-proxy private.",
            set: |config, text| {
                config.behind_proxy = switch(text)?;
                Ok(())
            },
        },
        Setting {
            name: "trusted-proxy",
            kind: Kind::List("CIDR"),
            default: Preset::Unset { meaning: "nobody is believed", example: "10.0.0.0/8,2001:db8::7" },
            help: "Proxies in front that end TLS and whose X-Forwarded-For says who asks: addresses, networks, or the word private for all private networks and this machine. The header is read from its end, past these.",
            set: |config, text| {
                config.trusted_proxies = Proxies::read(text).map_err(|error| error.to_string())?;
                Ok(())
            },
        },
        Setting {
            name: "cors-origins",
            kind: Kind::List("ORIGIN"),
            default: Preset::Unset { meaning: "no site", example: "https://app.example" },
            help: "Sites whose pages may ask this relay from inside a browser: SCHEME://HOST or SCHEME://HOST:PORT.",
            set: |config, text| {
                config.cors_origins = list(text, "SCHEME://HOST or SCHEME://HOST:PORT, such as https://app.example")?;
                Ok(())
            },
        },
    ],
};
