//! Who may come in, and how often.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use susurro_protocol::ErrorCode;

use super::Api;
use crate::adapters::inbound::listen::Peer;
use crate::adapters::inbound::problem::Failure;
use crate::adapters::inbound::{address, bearer};
use crate::domain::Error;
use crate::domain::proxies::Proxies;
use crate::domain::rate::{Allowance, PerMinute};
use crate::domain::token::Claims;
use crate::ports::{Asker, Counted, Rates};

/// How often one may ask.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `POST /auth/…` from one address.
    pub auth: PerMinute,
    /// Everything else from one account.
    pub rest: PerMinute,
    /// `GET /users/search` from one account: each answer names up to a hundred people.
    pub search: PerMinute,
    /// Whose `X-Forwarded-For` counts.
    pub proxies: Proxies,
}

/// Counts, and lets through what is allowed.
pub struct Gate {
    limits: Limits,
    rates: Arc<dyn Rates>,
}

impl Gate {
    /// With these counters.
    #[must_use]
    pub fn new(limits: Limits, rates: Arc<dyn Rates>) -> Self {
        Self { limits, rates }
    }

    /// The address that counts: what the proxy says when there is one, and of IPv6 the network,
    /// of which every customer has at least one.
    fn address(&self, request: &Request) -> IpAddr {
        let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.0.ip());
        let forwarded = request.headers().get_all("x-forwarded-for");
        // What is not text ends the reading there, like everything else that is no address.
        let forwarded: Vec<&str> = forwarded.iter().map(|value| value.to_str().unwrap_or_default()).collect();
        let asker = peer.map(|peer| self.limits.proxies.asker(peer, forwarded.into_iter()));
        asker.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), address::asker)
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
    let rate = api.gate.limits.rest;
    of_account(&api, Counted::Account, rate, request, next).await
}

/// Counts what an account looks for, beside everything else that it asks.
pub(super) async fn search(State(api): State<Api>, request: Request, next: Next) -> Response {
    let rate = api.gate.limits.search;
    of_account(&api, Counted::Search, rate, request, next).await
}

async fn of_account(api: &Api, counted: Counted, rate: PerMinute, request: Request, next: Next) -> Response {
    let Some(account) = request.extensions().get::<Claims>().map(|claims| claims.account) else {
        return Failure::from(ErrorCode::Unauthenticated).into_response();
    };
    limited(api, Asker { counted, who: *account.as_bytes() }, rate, request, next).await
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
    let rate = api.gate.limits.auth;
    of_address(&api, Counted::Auth, rate, request, next).await
}

/// Counts what an address asks without a token.
pub(super) async fn by_address(State(api): State<Api>, request: Request, next: Next) -> Response {
    let rate = api.gate.limits.rest;
    of_address(&api, Counted::Address, rate, request, next).await
}

async fn of_address(api: &Api, counted: Counted, rate: PerMinute, request: Request, next: Next) -> Response {
    let who = match api.gate.address(&request) {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    limited(api, Asker { counted, who }, rate, request, next).await
}

async fn limited(api: &Api, asker: Asker, rate: PerMinute, request: Request, next: Next) -> Response {
    let allowance = match api.gate.rates.take(asker, rate, api.relay.now()).await {
        Ok(allowance) => allowance,
        Err(error) => return Failure(error).into_response(),
    };
    let mut response = match allowance.retry_after {
        None => next.run(request).await,
        Some(seconds) => Failure(Error::RateLimited(seconds)).into_response(),
    };
    let Allowance { limit, remaining, reset, .. } = allowance;
    let numbers = [u64::from(limit), u64::from(remaining), reset];
    for (names, number) in HEADERS.iter().zip(numbers) {
        for name in names {
            // A narrower limit inside has spoken already.
            response.headers_mut().entry(HeaderName::from_static(name)).or_insert(HeaderValue::from(number));
        }
    }
    response
}

const HEADERS: [[&str; 2]; 3] = [
    ["ratelimit-limit", "x-ratelimit-limit"],
    ["ratelimit-remaining", "x-ratelimit-remaining"],
    ["ratelimit-reset", "x-ratelimit-reset"],
];

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Body;

    use super::*;
    use crate::ports::Answer;

    struct Uncounted;

    impl Rates for Uncounted {
        fn take(&self, _: Asker, _: PerMinute, _: u64) -> Answer<'_, Allowance> {
            Box::pin(std::future::pending())
        }
    }

    fn request(peer: &str, forwarded: Option<&str>) -> Request {
        let mut request = Request::new(Body::empty());
        let peer: SocketAddr = peer.parse().unwrap_or_else(|_| ([0, 0, 0, 0], 0).into());
        request.extensions_mut().insert(ConnectInfo(Peer(peer)));
        if let Some(value) = forwarded.and_then(|value| HeaderValue::from_str(value).ok()) {
            request.headers_mut().insert("x-forwarded-for", value);
        }
        request
    }

    fn address(proxies: &str, request: &Request) -> String {
        let one = PerMinute(1);
        let proxies = Proxies::read(proxies).unwrap_or_default();
        let limits = Limits { auth: one, rest: one, search: one, proxies };
        Gate::new(limits, Arc::new(Uncounted)).address(request).to_string()
    }

    #[test]
    fn a_client_cannot_choose_its_address_by_a_header() {
        let claimed = request("192.0.2.1:5", Some("203.0.113.9"));
        assert_eq!(address("", &claimed), "192.0.2.1");
        assert_eq!(address("192.0.2.0/24", &claimed), "203.0.113.9");
        assert_eq!(address("192.0.2.0/24", &request("192.0.2.1:5", Some("1.1.1.1, 203.0.113.9"))), "203.0.113.9");
        assert_eq!(address("192.0.2.0/24", &request("192.0.2.1:5", Some("nonsense"))), "192.0.2.1");
    }
}
