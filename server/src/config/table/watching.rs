//! What those who watch the relay may see.

use crate::config::setting::{Group, Kind, Preset, Setting, read};

pub(super) static GROUP: Group = Group {
    title: "Watching",
    offline: false,
    settings: &[Setting {
        name: "metrics-listen",
        kind: Kind::Text("ADDRESS"),
        default: Preset::Unset { meaning: "no metrics", example: "127.0.0.1:9464" },
        help: "Address and port for Prometheus, at /metrics by plain HTTP without a password: loopback, or a network of its own.",
        set: |config, text| {
            config.metrics_listen = Some(read(text, "ADDRESS:PORT, such as 127.0.0.1:9464")?);
            Ok(())
        },
    }],
};
