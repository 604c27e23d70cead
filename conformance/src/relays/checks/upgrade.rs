//! From HTTP to the WebSocket: versions, tokens and their places.

use reqwest::{Method, RequestBuilder};
use susurro_protocol::ErrorCode;

use crate::check;
use crate::relays::ground::{Ground, Person, ask};
use crate::relays::line::dial;
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("VER-1/answered", ["VER-1"], "the subprotocol that was offered is answered", answered),
        check!("VER-1/among-others", ["VER-1"], "susurro.v1 is found among other subprotocols", among_others),
        check!("CONN-1/query", ["CONN-1"], "a token in the query is as good as one in the header", in_query),
        check!("CONN-1/header-first", ["CONN-1"], "a bad token in the header, a good one in the query", header_first),
        check!("CONN-2/no-token", ["CONN-2", "TOK-1", "HTTP-4"], "an upgrade without a token", no_token),
        check!("CONN-2/foreign-token", ["CONN-2", "TOK-1", "TOK-5"], "an upgrade with a made-up token", foreign_token),
        check!(
            "CONN-2/revoked-token",
            ["CONN-2", "TOK-3"],
            "an upgrade with the token of an ended login",
            revoked_token
        ),
        check!("CONN-2/no-subprotocol", ["CONN-2"], "an upgrade without a subprotocol", no_subprotocol),
        check!("CONN-2/other-subprotocol", ["CONN-2"], "an upgrade with another subprotocol only", other_subprotocol),
        check!("CONN-2/no-upgrade", ["CONN-2"], "a plain GET of /ws", no_upgrade),
        check!("CONN-2/old-websocket", ["CONN-2"], "an upgrade to a WebSocket of version 8", old_websocket),
        check!("CONN-3/compression", ["CONN-3"], "compression is offered and not agreed on", compression),
    ]
}

/// An upgrade as an ordinary request, for which a refusal can be read.
fn asked(person: &Person) -> RequestBuilder {
    person
        .request(Method::GET, "/ws")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

async fn answered(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let line = pair.alice.dial().await?;
    same("Sec-WebSocket-Protocol", &Some("susurro.v1"), &header(&line.upgraded, "sec-websocket-protocol"))
}

async fn among_others(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut request = pair.alice.upgrade()?;
    request.headers_mut().insert("sec-websocket-protocol", "chat, susurro.v9, susurro.v1".parse().map_err(unsent)?);
    let line = dial(request).await?.map_err(|status| Stop::failed("101", format!("{status}")))?;
    same("Sec-WebSocket-Protocol", &Some("susurro.v1"), &header(&line.upgraded, "sec-websocket-protocol"))
}

async fn in_query(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut request = pair.alice.upgrade()?;
    request.headers_mut().remove("authorization");
    *request.uri_mut() =
        format!("{}?token={}", request.uri(), pair.alice.tokens.access_token).parse().map_err(unsent)?;
    that(dial(request).await?.is_ok(), "101", "a refusal")
}

async fn header_first(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut request = pair.alice.upgrade()?;
    *request.uri_mut() =
        format!("{}?token={}", request.uri(), pair.alice.tokens.access_token).parse().map_err(unsent)?;
    request.headers_mut().insert("authorization", "Bearer nonsense".parse().map_err(unsent)?);
    same("status", &Some(401), &dial(request).await?.err())
}

async fn no_token(relay: &Ground) -> Outcome {
    let answer = relay.get("/ws").await?;
    answer.refused(ErrorCode::Unauthenticated)?;
    same("WWW-Authenticate", &Some("Bearer"), &answer.header("www-authenticate"))
}

async fn foreign_token(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    ask(asked(&pair.alice.with_token("made.up.token"))).await?.refused(ErrorCode::Unauthenticated)
}

async fn revoked_token(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    person.logout().await?;
    ask(asked(&person).header("sec-websocket-protocol", "susurro.v1")).await?.refused(ErrorCode::TokenRevoked)
}

async fn no_subprotocol(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    ask(asked(&pair.alice)).await?.refused(ErrorCode::UnsupportedVersion)
}

async fn other_subprotocol(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let request = asked(&pair.alice).header("sec-websocket-protocol", "susurro.v2");
    ask(request).await?.refused(ErrorCode::UnsupportedVersion)
}

async fn no_upgrade(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    pair.alice.get("/ws").await?.refused(ErrorCode::InvalidRequest)
}

async fn old_websocket(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let request = pair
        .alice
        .request(Method::GET, "/ws")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "8")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "susurro.v1");
    ask(request).await?.refused(ErrorCode::InvalidRequest)
}

async fn compression(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut request = pair.alice.upgrade()?;
    let offer = "permessage-deflate; client_max_window_bits".parse().map_err(unsent)?;
    request.headers_mut().insert("sec-websocket-extensions", offer);
    match dial(request).await? {
        Ok(line) => same("Sec-WebSocket-Extensions", &None, &header(&line.upgraded, "sec-websocket-extensions")),
        Err(status) => Err(Stop::failed("101 without an extension", format!("status {status}"))),
    }
}

fn header<'a>(
    response: &'a tokio_tungstenite::tungstenite::handshake::client::Response,
    name: &str,
) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

fn unsent(error: impl std::fmt::Display) -> Stop {
    Stop::failed("a request that can be sent", error.to_string())
}
