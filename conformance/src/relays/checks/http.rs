//! What every answer over HTTP has in common, and how requests are wrong.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use susurro_protocol::ErrorCode;

use super::tokens::about;
use crate::check;
use crate::relays::answer::Answer;
use crate::relays::ground::{Candidate, Ground, ask, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("HTTP-9/well-known", ["HTTP-9"], "the relay says what it is", well_known),
        check!("HTTP-9/health", ["HTTP-9"], "it is alive and ready", health),
        check!(
            "HTTP-1/not-json",
            ["HTTP-1", "REST-5"],
            "a body that is not JSON, for each route with a body",
            not_json
        ),
        check!("HTTP-1/no-content-type", ["HTTP-1"], "a body without Content-Type, or with another one", content_type),
        check!(
            "HTTP-1/other-shape",
            ["HTTP-1", "REST-5"],
            "a body of another shape, for each route with a body",
            other_shape
        ),
        check!(
            "HTTP-1/missing-member",
            ["HTTP-1", "ENC-8"],
            "a registration without each of its members in turn",
            missing_member
        ),
        check!(
            "HTTP-1/wrong-type",
            ["HTTP-1", "REST-5"],
            "a registration with each member of another type",
            wrong_type
        ),
        check!("HTTP-1/no-utf8", ["HTTP-1"], "a body that is not UTF-8", no_utf8),
        check!(
            "ENC-8/profile",
            ["ENC-8", "HTTP-1"],
            "an update of the profile that names nothing changes nothing",
            empty_update
        ),
        check!("ENC-8/unknown-members", ["ENC-8"], "members that nobody knows are ignored", unknown_members),
        check!("HTTP-2/headers", ["HTTP-2"], "no-store and nosniff on every kind of answer", headers),
        check!("HTTP-3/unknown-path", ["HTTP-3"], "paths that do not exist", unknown_path),
        check!("HTTP-3/unknown-method", ["HTTP-3"], "methods that a path does not have, with Allow", unknown_method),
        check!("REST-5/too-large", ["REST-5", "LIM-1"], "a body of more than 1 MiB", too_large),
        check!(
            "REST-5/too-large-chunked",
            ["REST-5", "LIM-1"],
            "a body of more than 1 MiB that does not say its length",
            too_large_chunked
        ),
        check!(
            "HTTP-6/chat-id",
            ["HTTP-6", "ID-1"],
            "a chat id that is none: short, long, upper case, other letters",
            chat_ids
        ),
        check!("HTTP-6/user-name", ["HTTP-6", "ID-3"], "a user name that cannot be", user_names),
        check!("HTTP-6/query", ["HTTP-6"], "query strings that cannot be read", queries),
        check!("HTTP-8/no-echo", ["HTTP-8"], "a refusal does not repeat what was sent", no_echo),
        check!("ERR-4/numbers", ["ERR-4"], "a problem has the number, name and status of section 14", numbers),
        check!("REST-2/no-admin-token", ["REST-2"], "nothing that the document lists needs an administrator", no_admin),
    ]
}

/// Every request with a body, with a token where it needs one.
fn bodied(relay: &Ground, token: &str, chat: &str) -> Vec<(String, RequestBuilder)> {
    let messages = format!("/chats/{chat}/messages");
    let acknowledged = format!("{messages}/ack");
    let config = format!("/chats/{chat}/config");
    let routes = [
        (Method::POST, "/auth/register"),
        (Method::POST, "/auth/login"),
        (Method::POST, "/auth/refresh"),
        (Method::PATCH, "/users/me"),
        (Method::PUT, "/keys"),
        (Method::POST, "/keys/claim"),
        (Method::POST, "/chats"),
        (Method::POST, &messages),
        (Method::POST, &acknowledged),
        (Method::PATCH, &config),
        (Method::POST, "/blobs"),
    ];
    let request = |(method, path): (Method, &str)| (path.to_owned(), relay.request(method, path).bearer_auth(token));
    routes.into_iter().map(request).collect()
}

async fn each_refused(relay: &Ground, body: impl Fn(RequestBuilder) -> RequestBuilder) -> Outcome {
    let pair = relay.pair().await?;
    for (path, request) in bodied(relay, &pair.alice.tokens.access_token, &pair.chat.to_string()) {
        let answer = ask(body(request)).await?;
        answer.refused(ErrorCode::InvalidRequest).map_err(|stop| about(&stop, &path))?;
    }
    Ok(())
}

async fn well_known(relay: &Ground) -> Outcome {
    let info = relay.get("/.well-known/susurro").await?.json(200)?;
    same("service", &json!("susurro"), &info["service"])?;
    same("versions", &(json!(1), json!(1)), &(info["min_version"].clone(), info["max_version"].clone()))?;
    same("ciphertext_max", &json!(65_536), &info["ciphertext_max"])?;
    let registration = info["registration"].as_str().unwrap_or_default();
    that(["open", "invite", "closed"].contains(&registration), "registration: open, invite or closed", registration)?;
    that(info["software"].is_string() && info["time"].is_u64(), "software and time", &info)?;
    same("digits of relay_key", &Some(43), &info["relay_key"].as_str().map(str::len))
}

async fn health(relay: &Ground) -> Outcome {
    same("/healthz", &json!({"status": "ok"}), &relay.get("/healthz").await?.json(200)?)?;
    let ready: serde_json::Value = relay.get("/readyz").await?.json(200)?;
    same("status of /readyz", &json!("ok"), &ready["status"])?;
    let nodes = ready["nodes"].as_str().unwrap_or_default();
    that(["alone", "linked", "polling"].contains(&nodes), "nodes: alone, linked or polling", nodes)
}

async fn not_json(relay: &Ground) -> Outcome {
    each_refused(relay, |request| request.header("content-type", "application/json").body("{\"a\":")).await
}

async fn content_type(relay: &Ground) -> Outcome {
    each_refused(relay, |request| request.header("content-type", "text/plain").body("{}")).await?;
    each_refused(relay, |request| request.body("{}")).await
}

async fn other_shape(relay: &Ground) -> Outcome {
    for body in [json!([]), json!("text"), json!(7), json!(null)] {
        each_refused(relay, |request| request.json(&body)).await?;
    }
    Ok(())
}

fn registration() -> Value {
    let candidate = Candidate::new();
    candidate.request(&susurro_protocol::rest::SignedText::of(candidate.list().signed()))
}

async fn missing_member(relay: &Ground) -> Outcome {
    for member in ["username", "scheme", "salt", "memory_kib", "passes", "lanes", "auth", "device_list"] {
        let mut request = registration();
        if let Some(members) = request.as_object_mut() {
            members.remove(member);
        }
        let answer = relay.post("/auth/register", &request).await?;
        answer.refused(ErrorCode::InvalidRequest).map_err(|stop| about(&stop, &format!("without {member}")))?;
    }
    Ok(())
}

async fn wrong_type(relay: &Ground) -> Outcome {
    let cases = [
        ("username", json!(7)),
        ("scheme", json!(null)),
        ("salt", json!([1, 2])),
        ("memory_kib", json!("65536")),
        ("passes", json!(3.5)),
        ("lanes", json!(-1)),
        ("auth", json!({})),
        ("device_list", json!(true)),
    ];
    for (member, value) in cases {
        let mut request = registration();
        request[member] = value;
        let answer = relay.post("/auth/register", &request).await?;
        answer.refused(ErrorCode::InvalidRequest).map_err(|stop| about(&stop, &format!("another {member}")))?;
    }
    Ok(())
}

async fn no_utf8(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let request = pair.alice.request(Method::POST, "/chats").header("content-type", "application/json");
    ask(request.body(b"{\"peer\":\"\xff\xfe\"}".to_vec())).await?.refused(ErrorCode::InvalidRequest)
}

async fn empty_update(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    pair.alice.patch("/users/me", &json!({"display_name": "Somebody"})).await?.is(200)?;
    pair.alice.patch("/users/me", &json!({})).await?.refused(ErrorCode::InvalidRequest)?;
    let me = pair.alice.get("/users/me").await?.json(200)?;
    same("display_name", &json!("Somebody"), &me["display_name"])?;
    pair.alice.patch("/users/me", &json!({"display_name": null})).await?.is(200)
}

async fn unknown_members(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let answer = pair.alice.post("/chats", &json!({"peer": pair.bob.name, "colour": "blue", "later": [1, {}]})).await?;
    answer.is(200)?;
    let update = json!({"display_name": null, "role": "admin", "name": "root"});
    let me = pair.alice.patch("/users/me", &update).await?.json(200)?;
    same("name", &json!(pair.alice.name), &me["name"])
}

async fn headers(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let answers = [
        relay.get("/.well-known/susurro").await?,
        relay.get("/healthz").await?,
        relay.get("/no/such/path").await?,
        relay.get("/users/me").await?,
        relay.get("/ws").await?,
        relay.get(&format!("/auth/params?username={}", pair.alice.name)).await?,
        relay.post("/auth/login", &json!({})).await?,
        pair.alice.get("/users/me").await?,
        pair.alice.get("/chats/nonsense").await?,
        ask(pair.alice.request(Method::DELETE, "/keys")).await?,
    ];
    for answer in answers {
        let seen = (answer.header("cache-control"), answer.header("x-content-type-options"));
        same("Cache-Control and X-Content-Type-Options", &(Some("no-store"), Some("nosniff")), &seen)?;
    }
    Ok(())
}

async fn unknown_path(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for path in ["/", "/nothing", "/users", "/auth", "/auth/nothing", "/users/me/more", "/keys/", "/ws/x"] {
        for answer in [relay.get(path).await?, pair.alice.get(path).await?] {
            answer.refused(ErrorCode::NotFound).map_err(|stop| about(&stop, path))?;
        }
    }
    Ok(())
}

async fn unknown_method(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let cases = [
        (Method::PUT, "/users/me", "GET"),
        (Method::POST, "/users/me", "PATCH"),
        (Method::GET, "/auth/register", "POST"),
        (Method::PUT, "/auth/login", "POST"),
        (Method::DELETE, "/auth/logout", "POST"),
        (Method::POST, "/keys", "PUT"),
        (Method::PUT, "/keys/count", "GET"),
        (Method::GET, "/keys/claim", "POST"),
        (Method::PATCH, "/chats", "POST"),
        (Method::POST, "/healthz", "GET"),
        (Method::POST, "/.well-known/susurro", "GET"),
    ];
    for (method, path, allowed) in cases {
        let answer = ask(pair.alice.request(method.clone(), path)).await?;
        let place = format!("{method} {path}");
        answer.refused(ErrorCode::MethodNotAllowed).map_err(|stop| about(&stop, &place))?;
        let allow = answer.header("allow").unwrap_or_default();
        that(allow.split(',').any(|method| method.trim() == allowed), format!("{place}: Allow with {allowed}"), allow)?;
    }
    Ok(())
}

/// Sends a large body. A relay that answers before it has read all of it may be found hung up.
async fn sent_too_large(request: RequestBuilder) -> Result<Answer, Stop> {
    ask(request.header("content-type", "application/json")).await
}

async fn too_large(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let body = format!("{{\"peer\":\"{}\"}}", "x".repeat(1_048_576));
    let refused = sent_too_large(pair.alice.request(Method::POST, "/chats").body(body)).await?;
    refused.refused(ErrorCode::TooLarge)?;
    // Exactly the limit is read, and is wrong for another reason.
    let body = format!("{{\"peer\":\"{}\"}}", "x".repeat(1_048_576 - 11));
    let read = sent_too_large(pair.alice.request(Method::POST, "/chats").body(body)).await?;
    read.refused(ErrorCode::InvalidName)
}

async fn too_large_chunked(relay: &Ground) -> Outcome {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    if !relay.url.starts_with("http://") {
        return Err(Stop::skipped("bytes are written by hand, which this check does over plain HTTP only"));
    }
    let pair = relay.pair().await?;
    let address = relay.url.trim_start_matches("http://");
    let broken = |error: std::io::Error| Stop::failed("a connection", error.to_string());
    let mut stream = tokio::net::TcpStream::connect(address).await.map_err(broken)?;
    let head = format!(
        "POST /chats HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        pair.alice.tokens.access_token
    );
    stream.write_all(head.as_bytes()).await.map_err(broken)?;
    let piece = format!("10000\r\n{}\r\n", "1".repeat(0x10000));
    for _ in 0..17 {
        // The relay may answer and hang up in between.
        if stream.write_all(piece.as_bytes()).await.is_err() {
            break;
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(crate::relays::ground::PATIENCE, stream.read_exact(&mut answer)).await;
    let seen = String::from_utf8_lossy(&answer).into_owned();
    that(matches!(read, Ok(Ok(_))) && seen == "HTTP/1.1 413", "HTTP/1.1 413", seen)
}

async fn chat_ids(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let good = pair.chat.to_string();
    let upper = if good.to_uppercase() == good { format!("{}A", &good[..31]) } else { good.to_uppercase() };
    for id in [&good[..31], &format!("{good}0"), &upper, "x", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "%20"] {
        for path in [format!("/chats/{id}"), format!("/chats/{id}/messages")] {
            pair.alice.get(&path).await?.refused(ErrorCode::NotFound).map_err(|stop| about(&stop, &path))?;
        }
    }
    Ok(())
}

async fn user_names(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let long = "x".repeat(51);
    for name in ["xx", "Bob", "b%20b", "b%C3%B6b", &long] {
        let path = format!("/users/{name}/devices");
        pair.alice.get(&path).await?.refused(ErrorCode::InvalidName).map_err(|stop| about(&stop, &path))?;
    }
    Ok(())
}

async fn queries(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let messages = format!("/chats/{}/messages", pair.chat);
    for path in [
        "/users/search?limit=many".to_owned(),
        "/users/search?limit=1&limit=2".to_owned(),
        "/chats?limit=%ff".to_owned(),
        format!("{messages}?after=x"),
        format!("{messages}?after=-1"),
    ] {
        pair.alice.get(&path).await?.refused(ErrorCode::InvalidRequest).map_err(|stop| about(&stop, &path))?;
    }
    Ok(())
}

async fn no_echo(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let marker = "a-value-that-nobody-should-repeat";
    let answers = [
        pair.alice.post("/chats", &json!({"peer": format!("{marker}!")})).await?,
        pair.alice.patch("/users/me", &json!({"display_name": format!("{marker}\u{7}")})).await?,
        pair.alice.get(&format!("/users/search?limit={marker}")).await?,
        pair.alice.get(&format!("/chats?after={marker}")).await?,
        relay.post("/auth/login", &json!({"username": marker, "auth": marker})).await?,
        relay.post("/auth/refresh", &json!({"refresh_token": marker})).await?,
        relay.get(&format!("/{marker}")).await?,
    ];
    for answer in answers {
        that(answer.status >= 400, "a refusal", answer.status)?;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        that(!body.contains(marker), "a refusal without the value", body)?;
    }
    Ok(())
}

async fn numbers(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    // `refused` compares type, title, status and code with the document.
    relay.get("/users/me").await?.refused(ErrorCode::Unauthenticated)?;
    relay.get("/nothing").await?.refused(ErrorCode::NotFound)?;
    pair.alice.post("/chats", &json!({"peer": "No"})).await?.refused(ErrorCode::InvalidName)?;
    pair.alice.post("/chats", &json!({})).await?.refused(ErrorCode::InvalidRequest)?;
    ask(pair.alice.request(Method::DELETE, "/chats")).await?.refused(ErrorCode::MethodNotAllowed)
}

async fn no_admin(relay: &Ground) -> Outcome {
    // An ordinary account, no administrator's token: everything that section 15 marks with `token` lets it in.
    let pair = relay.pair().await?;
    let nobody = hex::encode(random::<16>());
    pair.alice.get("/users/me").await?.is(200)?;
    pair.alice.get("/users/search?q=zz&limit=1").await?.is(200)?;
    pair.alice.get(&format!("/users/{}/devices", pair.bob.name)).await?.is(200)?;
    pair.alice.get("/keys/count").await?.is(200)?;
    pair.alice.get("/chats").await?.is(200)?;
    pair.alice.post("/keys/claim", &json!({"account": nobody})).await?.refused(ErrorCode::NotFound)
}
