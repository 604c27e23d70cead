//! The access token of a request.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

/// The token after `Authorization: Bearer`.
pub(super) fn from_headers(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// The token of a WebSocket upgrade: from the header or, where a client can set none, from
/// `?token=`. Query strings never reach a log.
pub(super) fn from_upgrade(parts: &Parts) -> Option<String> {
    let in_query = || {
        let pairs = parts.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
        // Base64url and dots only: there is nothing to unescape in a token of this relay.
        pairs.filter(|(name, _)| *name == "token").map(|(_, token)| token.to_owned()).next()
    };
    from_headers(&parts.headers).or_else(in_query)
}
