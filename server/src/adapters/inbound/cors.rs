//! Which pages of other sites may ask this relay from inside a browser: none until they are named.
//!
//! Tokens travel in a header that only scripts set, so that no credentials of a browser are ever
//! allowed. A WebSocket is not subject to this (nor to any rule of browsers): it needs a token as well.

use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};

/// Methods and headers of every request of this relay.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, range, if-match");

/// What scripts may read of an answer, besides what they always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, x-ratelimit-limit, \
     x-ratelimit-remaining, x-ratelimit-reset, x-request-id, content-range, etag, www-authenticate",
);

/// Seconds for which a browser remembers the answer to its question.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// A site: scheme, name and perhaps port, as browsers send it in `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site(HeaderValue);

/// Text that names no site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give SCHEME://HOST or SCHEME://HOST:PORT without a path, such as https://app.example")]
pub struct NoSite;

impl FromStr for Site {
    type Err = NoSite;

    fn from_str(text: &str) -> Result<Self, NoSite> {
        let (scheme, host) = text.split_once("://").ok_or(NoSite)?;
        let of_scheme = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
        let of_host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._:[]".contains(c);
        let whole =
            !scheme.is_empty() && scheme.chars().all(of_scheme) && !host.is_empty() && host.chars().all(of_host);
        if !whole {
            return Err(NoSite);
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| NoSite)
    }
}

/// Puts the rule around all routes. Without sites there is nothing to add, and browsers refuse by
/// themselves.
pub fn around(router: Router, sites: &[Site]) -> Router {
    if sites.is_empty() {
        return router;
    }
    let sites: Arc<[Site]> = sites.into();
    router.layer(from_fn_with_state(sites, allow))
}

async fn allow(State(sites): State<Arc<[Site]>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN);
    let site = origin.filter(|origin| sites.iter().any(|site| site.0 == *origin)).cloned();
    let asks_first = request.method() == Method::OPTIONS
        && origin.is_some()
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_first { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    // Caches must not give the answer for one site to another.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(site) = site {
        permit(headers, site, asks_first);
    }
    response
}

fn permit(headers: &mut HeaderMap, site: HeaderValue, asks_first: bool) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, site);
    if asks_first {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    } else {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_scheme_and_host() {
        for text in ["https://app.example", "http://localhost:3000", "tauri://localhost", "https://[::1]:8443"] {
            assert!(text.parse::<Site>().is_ok(), "{text}");
        }
        for text in
            ["*", "app.example", "https://", "https://app.example/", "https://a b", "https://App.example", "null"]
        {
            assert_eq!(text.parse::<Site>(), Err(NoSite), "{text}");
        }
    }
}
