//! Who may have an account.

use crate::config::setting::{Group, Kind, Preset, Setting};
use crate::domain::invite::Registration;

pub(super) static GROUP: Group = Group {
    title: "Accounts",
    offline: false,
    settings: &[Setting {
        name: "registration",
        kind: Kind::Text("RULE"),
        default: Preset::Is("open"),
        help: "Who may register: open for everybody, invite for whoever has one (susurro-server admin invite), closed for nobody.",
        set: |config, text| {
            config.registration = match text {
                "open" => Registration::Open,
                "invite" => Registration::Invite,
                "closed" => Registration::Closed,
                _ => return Err("give open, invite or closed".to_owned()),
            };
            Ok(())
        },
    }],
};
