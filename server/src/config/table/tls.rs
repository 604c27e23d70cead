//! Who ends TLS, and with what.

use crate::config::setting::{Group, Kind, Preset, Setting, list};

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
        Setting {
            name: "acme-domain",
            kind: Kind::List("NAME"),
            default: Preset::Unset { meaning: "no certificate by itself", example: "relay.example" },
            help: "Names that a certificate is obtained for and renewed, by ACME with tls-alpn-01, in place of tls-cert. The authority connects to port 443 of each. Whoever sets this accepts the authority's terms.",
            set: |config, text| {
                let domains: Vec<String> = list(text, "names")?;
                let of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
                if domains.iter().any(|domain| domain.starts_with('.') || !domain.chars().all(of_name)) {
                    return Err("give names in lower case without wildcards, such as relay.example".to_owned());
                }
                config.acme.domains = domains;
                Ok(())
            },
        },
        Setting {
            name: "acme-contact",
            kind: Kind::Text("MAIL"),
            default: Preset::Unset { meaning: "nobody is written to", example: "admin@relay.example" },
            help: "Mail address that the certificate authority may write to.",
            set: |config, text| {
                if !text.contains('@') || text.contains(char::is_whitespace) {
                    return Err("give a mail address, such as admin@relay.example".to_owned());
                }
                config.acme.contact = Some(text.trim_start_matches("mailto:").to_owned());
                Ok(())
            },
        },
        Setting {
            name: "acme-directory",
            kind: Kind::Text("URL"),
            default: Preset::Is("https://acme-v02.api.letsencrypt.org/directory"),
            help: "Directory of the certificate authority; https://acme-staging-v02.api.letsencrypt.org/directory for trials.",
            set: |config, text| {
                if !text.starts_with("https://") {
                    return Err("give the https:// address of an ACME directory".to_owned());
                }
                config.acme.directory = text.to_owned();
                Ok(())
            },
        },
        Setting {
            name: "acme-ca",
            kind: Kind::Text("FILE"),
            default: Preset::Unset { meaning: "what this machine trusts", example: "/etc/susurro/authority.pem" },
            help: "Certificates as PEM by which the authority's own server is known, besides those that this machine trusts: for a private authority.",
            set: |config, text| {
                config.acme.ca = Some(text.into());
                Ok(())
            },
        },
    ],
};
