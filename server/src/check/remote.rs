//! The relay as clients reach it: TLS, an answer, and the upgrade to a WebSocket, through whatever stands in
//! front of it.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{
    CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::tls::TlsInfo;
use reqwest::{Client, Response};
use susurro_protocol::ErrorCode;
use susurro_protocol::rest::{Problem, RelayInfo};
use susurro_protocol::version::SUBPROTOCOL;

use super::Finding;
use super::local::lasting;
use crate::adapters::inbound::listen;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

const TLS: &str = "tls";
const RELAY: &str = "relay";
const WEBSOCKET: &str = "websocket";

/// Looks at the relay at `url`; gives its time, in milliseconds since 1970, when it could be asked.
pub(super) async fn all(url: &str, ca: Option<&Path>, findings: &mut Vec<Finding>) -> Option<u64> {
    let url = url.trim_end_matches('/');
    let client = match client(ca) {
        Ok(client) => client,
        Err(why) => {
            findings.push(Finding::fail(TLS, why, "give certificates as PEM with --ca"));
            return None;
        }
    };
    match client.get(format!("{url}/.well-known/susurro")).send().await {
        Ok(answer) => {
            findings.push(tls(url, &answer));
            let time = relay(answer, findings).await;
            findings.push(websocket(&client, url).await);
            time
        }
        Err(error) => {
            findings.push(broken(url, &error));
            for check in [RELAY, WEBSOCKET] {
                findings.push(Finding::skip(check, "nothing can be asked"));
            }
            None
        }
    }
}

fn client(ca: Option<&Path>) -> Result<Client, String> {
    let mut builder = Client::builder().timeout(PATIENCE).tls_info(true).redirect(reqwest::redirect::Policy::none());
    if let Some(ca) = ca {
        let text = std::fs::read(ca).map_err(|why| format!("cannot read {}: {why}", ca.display()))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&text).map_err(|why| why.to_string())?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|why| why.to_string())
}

/// Why a connection did not come about: everything below the first words.
fn broken(url: &str, error: &reqwest::Error) -> Finding {
    let (mut found, mut source) = (String::new(), error.source());
    while let Some(error) = source {
        if !found.is_empty() {
            found.push_str(": ");
        }
        found.push_str(&error.to_string());
        source = error.source();
    }
    let about_certificate = found.contains("certificate");
    let todo = if error.is_timeout() {
        "nothing answers in time: see the firewall, and whether the address is right"
    } else if about_certificate {
        "the certificate has to be for this name, not over, and its chain complete; for a private authority give --ca"
    } else {
        "see whether the relay and what is in front of it run, and listen where the name leads"
    };
    let check = if about_certificate || !url.starts_with("https://") { TLS } else { RELAY };
    Finding::fail(check, if found.is_empty() { error.to_string() } else { found }, todo)
}

fn tls(url: &str, answer: &Response) -> Finding {
    if !url.starts_with("https://") {
        return Finding::skip(TLS, "plain HTTP, which clients accept on their own machine only");
    }
    let info = answer.extensions().get::<TlsInfo>();
    match info.and_then(TlsInfo::peer_certificate).and_then(listen::ends) {
        Some(ends) => lasting(TLS, ends, ", chain and name are right".to_owned()),
        None => Finding::warn(TLS, "the certificate cannot be read", "look at it with openssl s_client"),
    }
}

async fn relay(answer: Response, findings: &mut Vec<Finding>) -> Option<u64> {
    let status = answer.status();
    match answer.json::<RelayInfo>().await {
        Ok(info) => {
            findings.push(Finding::ok(RELAY, format!("{} {} answers", info.service, info.software)));
            Some(info.time)
        }
        Err(_) => {
            let found = format!("something else answers, with status {}", status.as_u16());
            findings.push(Finding::fail(RELAY, found, "let the proxy pass all paths on to the relay"));
            None
        }
    }
}

/// Begins an upgrade without a token: a relay that sees an upgrade refuses it for that and nothing else.
async fn websocket(client: &Client, url: &str) -> Finding {
    let asked = client
        .get(format!("{url}/ws"))
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, "c3VzdXJyby1jaGVjay0xIQ==")
        .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let answer = match asked.send().await {
        Ok(answer) => answer,
        Err(error) => return Finding { check: WEBSOCKET, ..broken(url, &error) },
    };
    let status = answer.status().as_u16();
    let is_problem =
        answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == b"application/problem+json");
    let problem = if is_problem { answer.json::<Problem>().await.ok() } else { None };
    match problem {
        Some(Problem { code: ErrorCode::Unauthenticated, detail: None, .. }) => {
            Finding::ok(WEBSOCKET, "an upgrade reaches the relay")
        }
        Some(Problem { code: ErrorCode::Unauthenticated, .. }) => Finding::fail(
            WEBSOCKET,
            "the request reaches the relay, but not as an upgrade",
            "let the proxy pass on the headers Connection, Upgrade and Sec-WebSocket-*, by HTTP/1.1",
        ),
        _ => Finding::fail(
            WEBSOCKET,
            format!("something in front of the relay answers, with status {status}"),
            "let the proxy pass /ws on to the relay, upgrades included",
        ),
    }
}
