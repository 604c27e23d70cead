//! Who may come in, and how often.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use susurro_protocol::{AccountId, ErrorCode};

use super::Api;
use crate::adapters::inbound::listen::Peer;
use crate::adapters::inbound::problem::Failure;
use crate::adapters::inbound::{address, bearer};
use crate::domain::Error;
use crate::domain::rate::{Allowance, Buckets, PerMinute};
use crate::domain::token::Claims;

/// Askers that are counted at once; each takes less than a hundred bytes.
const ASKERS_MAX: usize = 65_536;

/// How often one may ask.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `POST /auth/…` from one address.
    pub auth: PerMinute,
    /// Everything else from one account.
    pub rest: PerMinute,
    /// Whether the last address of `X-Forwarded-For` is the client's, because a proxy puts it there.
    pub behind_proxy: bool,
}

/// The counters.
pub struct Gate {
    auth: Mutex<Buckets<IpAddr>>,
    addresses: Mutex<Buckets<IpAddr>>,
    accounts: Mutex<Buckets<AccountId>>,
    behind_proxy: bool,
}

impl Gate {
    /// With everybody at zero.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            auth: Mutex::new(Buckets::new(limits.auth, ASKERS_MAX)),
            addresses: Mutex::new(Buckets::new(limits.rest, ASKERS_MAX)),
            accounts: Mutex::new(Buckets::new(limits.rest, ASKERS_MAX)),
            behind_proxy: limits.behind_proxy,
        }
    }

    /// The address that counts: what the proxy says when there is one, and of IPv6 the network,
    /// of which every customer has at least one.
    fn address(&self, request: &Request) -> IpAddr {
        let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.0.ip());
        let forwarded = if self.behind_proxy { forwarded(request.headers()) } else { None };
        forwarded.or(peer).map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), address::asker)
    }
}

/// Lets requests with a good token through, and says whose they are.
pub(super) async fn authenticated(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let claims = match bearer::from_headers(request.headers()) {
        Some(token) => api.relay.authenticate(&token).await,
        None => Err(ErrorCode::Unauthenticated.into()),
    };
    match claims {
        Ok(claims) => {
            request.extensions_mut().insert(claims);
            next.run(request).await
        }
        Err(refused) => Failure(refused).into_response(),
    }
}

/// Counts what an account asks.
pub(super) async fn account(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Some(account) = request.extensions().get::<Claims>().map(|claims| claims.account) else {
        return Failure::from(ErrorCode::Unauthenticated).into_response();
    };
    let allowance = take(&api.gate.accounts, account, api.relay.now());
    limited(allowance, request, next).await
}

/// Lets those through who administer the relay now.
pub(super) async fn admin(State(api): State<Api>, request: Request, next: Next) -> Response {
    let checked = match request.extensions().get::<Claims>() {
        Some(claims) => api.relay.check_admin(claims).await,
        None => Err(ErrorCode::Unauthenticated.into()),
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(refused) => Failure(refused).into_response(),
    }
}

/// Counts attempts to come in from an address.
pub(super) async fn auth(State(api): State<Api>, request: Request, next: Next) -> Response {
    let address = api.gate.address(&request);
    let allowance = take(&api.gate.auth, address, api.relay.now());
    limited(allowance, request, next).await
}

/// Counts what an address asks without a token.
pub(super) async fn by_address(State(api): State<Api>, request: Request, next: Next) -> Response {
    let address = api.gate.address(&request);
    let allowance = take(&api.gate.addresses, address, api.relay.now());
    limited(allowance, request, next).await
}

fn take<K: std::hash::Hash + Eq + Copy>(buckets: &Mutex<Buckets<K>>, asker: K, now: u64) -> Allowance {
    buckets.lock().unwrap_or_else(PoisonError::into_inner).take(asker, now)
}

async fn limited(allowance: Allowance, request: Request, next: Next) -> Response {
    let mut response = match allowance.retry_after {
        None => next.run(request).await,
        Some(seconds) => Failure(Error::RateLimited(seconds)).into_response(),
    };
    let numbers = [u64::from(allowance.limit), u64::from(allowance.remaining), allowance.reset];
    for (names, number) in HEADERS.iter().zip(numbers) {
        for name in names {
            response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(number));
        }
    }
    response
}

const HEADERS: [[&str; 2]; 3] = [
    ["ratelimit-limit", "x-ratelimit-limit"],
    ["ratelimit-remaining", "x-ratelimit-remaining"],
    ["ratelimit-reset", "x-ratelimit-reset"],
];

/// The address that the nearest proxy has seen; those before it are only claimed.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Body;

    use super::*;

    fn request(peer: &str, forwarded: Option<&str>) -> Request {
        let mut request = Request::new(Body::empty());
        let peer: SocketAddr = peer.parse().unwrap_or_else(|_| ([0, 0, 0, 0], 0).into());
        request.extensions_mut().insert(ConnectInfo(Peer(peer)));
        if let Some(value) = forwarded.and_then(|value| HeaderValue::from_str(value).ok()) {
            request.headers_mut().insert("x-forwarded-for", value);
        }
        request
    }

    fn address(behind_proxy: bool, request: &Request) -> String {
        let limits = Limits { auth: PerMinute(1), rest: PerMinute(1), behind_proxy };
        Gate::new(limits).address(request).to_string()
    }

    #[test]
    fn a_client_cannot_choose_its_address_by_a_header() {
        let claimed = request("192.0.2.1:5", Some("203.0.113.9"));
        assert_eq!(address(false, &claimed), "192.0.2.1");
        assert_eq!(address(true, &claimed), "203.0.113.9");
        assert_eq!(address(true, &request("192.0.2.1:5", Some("1.1.1.1, 203.0.113.9"))), "203.0.113.9");
        assert_eq!(address(true, &request("192.0.2.1:5", Some("nonsense"))), "192.0.2.1");
    }
}
