//! Where the relay keeps things.

use crate::config::secret::Secret;
use crate::config::setting::{Group, Kind, Preset, Setting, at_least};

pub(super) static GROUP: Group = Group {
    title: "Storage",
    offline: true,
    settings: &[
        Setting {
            name: "data-dir",
            kind: Kind::Text("DIR"),
            default: Preset::Unset { meaning: "none: it has to be given", example: "/var/lib/susurro" },
            help: "Directory of the secrets, made at the first start, and of the embedded database.",
            set: |config, text| {
                config.data_dir = text.into();
                Ok(())
            },
        },
        Setting {
            name: "secrets-dir",
            kind: Kind::Text("DIR"),
            default: Preset::Unset { meaning: "the data directory", example: "/etc/susurro/secrets" },
            help: "Directory of the secrets alone, when several nodes share them; it may be read-only once they are there.",
            set: |config, text| {
                config.secrets_dir = Some(text.into());
                Ok(())
            },
        },
        Setting {
            name: "database",
            kind: Kind::Url("URL"),
            default: Preset::Unset { meaning: "sqlite:DATA-DIR/relay.db", example: "sqlite:/var/lib/susurro/relay.db" },
            help: "The database: sqlite:PATH, or postgres://USER@HOST:PORT/DATABASE, with ?sslmode=verify-full for a server elsewhere.",
            set: |config, text| {
                config.database = Some(text.to_owned());
                Ok(())
            },
        },
        Setting {
            name: "database-password",
            kind: Kind::Secret,
            default: Preset::Unset {
                meaning: "what the address of the database holds, if any",
                example: "from a file",
            },
            help: "Password for the database, in place of one in its address.",
            set: |config, text| {
                config.database_password = Some(Secret::new(text));
                Ok(())
            },
        },
        Setting {
            name: "database-connections",
            kind: Kind::Number("N"),
            default: Preset::Is("16"),
            help: "Connections of this node to PostgreSQL, beside the one that writes messages.",
            set: |config, text| {
                config.database_connections = at_least::<u32>(text, 2)?;
                Ok(())
            },
        },
        Setting {
            name: "database-max-mib",
            kind: Kind::Number("MIB"),
            default: Preset::Unset { meaning: "as large as the disk", example: "10240" },
            help: "Mebibytes that the embedded database may grow to; beyond, messages are refused until some were fetched.",
            set: |config, text| {
                config.database_max = Some(at_least::<u64>(text, 1)?.saturating_mul(1024 * 1024));
                Ok(())
            },
        },
        Setting {
            name: "mailbox-quota-mib",
            kind: Kind::Number("MIB"),
            default: Preset::Is("256"),
            help: "Mebibytes that may wait for one device; beyond, or beyond 100000 messages, senders are told that its mailbox is full and try again later.",
            set: |config, text| {
                config.mailbox.bytes = at_least::<u64>(text, 1)?.saturating_mul(1024 * 1024);
                Ok(())
            },
        },
        Setting {
            name: "redis",
            kind: Kind::Url("URL"),
            default: Preset::Unset { meaning: "none: this node is the only one", example: "redis://127.0.0.1:6379" },
            help: "Redis or Valkey, one server or a cluster, over which several nodes on one database reach each other: redis://HOST:PORT, or rediss:// for TLS.",
            set: |config, text| {
                config.redis = Some(text.to_owned());
                Ok(())
            },
        },
        Setting {
            name: "redis-password",
            kind: Kind::Secret,
            default: Preset::Unset { meaning: "what the address of Redis holds, if any", example: "from a file" },
            help: "Password for Redis, in place of one in its address.",
            set: |config, text| {
                config.redis_password = Some(Secret::new(text));
                Ok(())
            },
        },
        Setting {
            name: "blobs",
            kind: Kind::Text("PLACE"),
            default: Preset::Unset { meaning: "DATA-DIR/blobs", example: "s3://susurro/blobs" },
            help: "Where encrypted attachments are kept: a directory, or s3://BUCKET/PREFIX.",
            set: |config, text| {
                config.blobs.place = Some(text.to_owned());
                Ok(())
            },
        },
        Setting {
            name: "blobs-endpoint",
            kind: Kind::Text("URL"),
            default: Preset::Unset { meaning: "Amazon S3", example: "https://objects.example" },
            help: "Address of the service that holds the bucket.",
            set: |config, text| {
                config.blobs.endpoint = Some(text.to_owned());
                Ok(())
            },
        },
        Setting {
            name: "blobs-region",
            kind: Kind::Text("REGION"),
            default: Preset::Is("us-east-1"),
            help: "Region of the bucket.",
            set: |config, text| {
                text.clone_into(&mut config.blobs.region);
                Ok(())
            },
        },
        Setting {
            name: "blobs-access-key",
            kind: Kind::Text("NAME"),
            default: Preset::Unset { meaning: "none: a bucket needs one", example: "susurro" },
            help: "Name of the key to the bucket.",
            set: |config, text| {
                config.blobs.access_key = Some(text.to_owned());
                Ok(())
            },
        },
        Setting {
            name: "blobs-secret-key",
            kind: Kind::Secret,
            default: Preset::Unset { meaning: "none: a bucket needs one", example: "from a file" },
            help: "The key to the bucket.",
            set: |config, text| {
                config.blobs.secret_key = Some(Secret::new(text));
                Ok(())
            },
        },
        Setting {
            name: "blob-quota-mib",
            kind: Kind::Number("MIB"),
            default: Preset::Is("1024"),
            help: "Mebibytes that the attachments of one account may take at once; 0 for none.",
            set: |config, text| {
                config.blobs.quota = at_least::<u64>(text, 0)?.saturating_mul(1024 * 1024);
                Ok(())
            },
        },
    ],
};
