//! Addresses of relays.

use std::net::IpAddr;

use reqwest::Url;

/// The environment variable that, set to `1`, allows `http://` to hosts other than this machine:
/// for relays inside a network that is protected by itself (a VPN, a container network). Messages
/// stay encrypted end to end either way, but tokens and names would be readable on the way.
pub const INSECURE_HTTP: &str = "SUSURRO_INSECURE_HTTP";

/// Why a text is no address of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Not `http://` or `https://` with a host, or with a user, a query or a fragment.
    #[error("not the address of a relay")]
    Malformed,
    /// `http://` to another machine.
    #[error("plain HTTP to another machine")]
    PlainHttp,
}

/// The address of a relay: `http://` or `https://`, host, perhaps port and path, no slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayUrl(String);

impl RelayUrl {
    /// Reads an address. `http://` is for this machine only, unless [`INSECURE_HTTP`] is `1`.
    ///
    /// # Errors
    ///
    /// [`BadUrl`].
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let insecure = std::env::var_os(INSECURE_HTTP).is_some_and(|value| value == "1");
        Self::parse_with(text, insecure)
    }

    fn parse_with(text: &str, insecure_http: bool) -> Result<Self, BadUrl> {
        let url = Url::parse(text.trim()).map_err(|_| BadUrl::Malformed)?;
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if url.host_str().is_none_or(str::is_empty) || !bare || url.fragment().is_some() {
            return Err(BadUrl::Malformed);
        }
        match url.scheme() {
            "https" => {}
            "http" if insecure_http || is_loopback(&url) => {}
            "http" => return Err(BadUrl::PlainHttp),
            _ => return Err(BadUrl::Malformed),
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of a path that begins with a slash.
    pub(crate) fn with_path(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The address of the WebSocket.
    pub(crate) fn websocket(&self) -> String {
        // `http` becomes `ws`, `https` becomes `wss`.
        format!("ws{}/ws", self.0.trim_start_matches("http"))
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, BadUrl> {
        RelayUrl::parse_with(text, false).map(|url| url.0)
    }

    #[test]
    fn an_address_is_kept_without_a_slash_at_its_end() {
        assert_eq!(read("https://relay.example/"), Ok("https://relay.example".to_owned()));
        assert_eq!(read(" https://relay.example:8443/chat/ "), Ok("https://relay.example:8443/chat".to_owned()));
        assert_eq!(read("http://127.0.0.1:8080"), Ok("http://127.0.0.1:8080".to_owned()));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "relay.example",
            "ftp://relay.example",
            "https://",
            "https://u:p@relay.example",
            "https://r.example/?q",
            "https://r.example/#f",
        ] {
            assert_eq!(read(bad), Err(BadUrl::Malformed), "{bad}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_it_is_asked_for() {
        for near in ["http://localhost:1", "http://127.8.9.1:1", "http://[::1]:1"] {
            assert!(read(near).is_ok(), "{near}");
        }
        for far in ["http://relay.example", "http://10.0.0.1", "http://localhost.example", "http://[::2]:1"] {
            assert_eq!(read(far), Err(BadUrl::PlainHttp), "{far}");
            assert!(RelayUrl::parse_with(far, true).is_ok(), "{far}");
        }
    }

    #[test]
    fn the_websocket_is_beside_the_rest_interface() {
        let of = |text| RelayUrl::parse_with(text, false).map(|url| url.websocket());
        assert_eq!(of("https://relay.example/x/"), Ok("wss://relay.example/x/ws".to_owned()));
        assert_eq!(of("http://localhost:80/"), Ok("ws://localhost/ws".to_owned()));
    }
}
