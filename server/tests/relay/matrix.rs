//! Who may ask what: every route of the description, as everybody. A route without a row fails.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use susurro_protocol::{ChatId, ErrorCode};
use tokio_tungstenite::tungstenite;

use crate::devices::{another_device, next, on, put};
use crate::support::{Person, Relay, pair, register, relay};

/// Whom a route lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Everybody, with a token or without one.
    Everybody,
    /// Whoever has a token that is good.
    Accounts,
    /// As those, but for what belongs to others: that is not there.
    Members,
    /// Whoever administers the relay at this moment.
    Admins,
}

use For::{Accounts, Admins, Everybody, Members};

/// Every route. A body that is refused for its contents is let in all the same, and changes nothing.
const ROUTES: [(&str, &str, For); 49] = [
    ("GET", "/.well-known/susurro", Everybody),
    ("GET", "/healthz", Everybody),
    ("GET", "/readyz", Everybody),
    ("GET", "/openapi.json", Everybody),
    ("GET", "/docs", Everybody),
    ("GET", "/auth/params", Everybody),
    ("POST", "/auth/register", Everybody),
    ("POST", "/auth/login", Everybody),
    ("POST", "/auth/refresh", Everybody),
    ("POST", "/auth/recover", Everybody),
    ("GET", "/users/me/recovery", Accounts),
    ("PUT", "/users/me/recovery", Accounts),
    ("GET", "/users/me", Accounts),
    ("PATCH", "/users/me", Accounts),
    ("DELETE", "/users/me", Accounts),
    ("POST", "/users/me/password", Accounts),
    ("PUT", "/users/me/devices", Accounts),
    ("GET", "/users/search", Accounts),
    ("GET", "/users/{name}/devices", Accounts),
    ("PUT", "/keys", Accounts),
    ("GET", "/keys/count", Accounts),
    ("POST", "/keys/claim", Accounts),
    ("GET", "/chats", Accounts),
    ("POST", "/chats", Accounts),
    ("GET", "/chats/{chat}", Members),
    ("GET", "/chats/{chat}/messages", Members),
    ("POST", "/chats/{chat}/messages", Members),
    ("POST", "/chats/{chat}/messages/ack", Members),
    ("PATCH", "/chats/{chat}/config", Members),
    ("DELETE", "/chats/{chat}", Members),
    ("GET", "/ws", Accounts),
    ("GET", "/admin", Everybody),
    ("GET", "/announcements", Accounts),
    ("POST", "/announcements", Admins),
    ("GET", "/admin/status", Admins),
    ("GET", "/users/connected", Admins),
    ("GET", "/admin/users", Admins),
    ("GET", "/admin/users/{name}", Admins),
    ("POST", "/admin/users/{name}", Admins),
    ("DELETE", "/admin/users/{name}", Admins),
    ("GET", "/admin/invites", Admins),
    ("POST", "/admin/invites", Admins),
    ("DELETE", "/admin/invites/{invite}", Admins),
    ("POST", "/blobs", Accounts),
    ("PUT", "/blobs/{blob}", Accounts),
    ("HEAD", "/blobs/{blob}", Accounts),
    ("GET", "/blobs/{blob}", Accounts),
    ("DELETE", "/blobs/{blob}", Accounts),
    ("POST", "/auth/logout", Accounts),
];

/// What a request came to.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// As far as what it asks for.
    In,
    /// No further than this.
    Refused(ErrorCode),
}

/// Refusals that say who asks, not what for.
const OF_PEOPLE: [ErrorCode; 5] = [
    ErrorCode::Unauthenticated,
    ErrorCode::TokenExpired,
    ErrorCode::TokenRevoked,
    ErrorCode::Forbidden,
    ErrorCode::AccountDisabled,
];

struct World {
    relay: Relay,
    alice: Person,
    chat: ChatId,
    /// Somebody who is not in the chat.
    mallory: Person,
    admin: Person,
    disabled: Person,
    logged_out: Person,
    /// On a device that is no longer in its account's list.
    removed: Person,
}

impl World {
    async fn new() -> Self {
        let relay = relay().await;
        let (alice, _bob, chat) = pair(&relay).await;
        let mut others = Vec::new();
        for name in ["mallory", "root", "disabled", "gone"] {
            others.push(register(&relay, name).await);
        }
        let [mallory, admin, disabled, logged_out]: [Person; 4] = others.try_into().ok().unwrap();
        crate::administration::done(&relay, &["user", "promote", "root"]);
        let change = admin.post::<Value>("/admin/users/disabled", &json!({ "disabled": true })).await;
        assert!(change.is_ok());
        logged_out.logout().await;
        let removed = register(&relay, "removed").await;
        let (certificate, key) = another_device(&removed);
        let two = next(&removed, &removed.list, &[&removed.list.certificates()[0], &certificate]);
        put(&removed, &two).await.unwrap();
        let left = on(&removed, certificate.body().device, key).await;
        put(&left, &next(&removed, &two, &[&certificate])).await.unwrap();
        Self { relay, alice, chat, mallory, admin, disabled, logged_out, removed }
    }

    /// Asks with the worst that a body can be: nothing of what is asked for is done.
    async fn ask(&self, method: &str, path: &str, token: Option<&str>) -> Came {
        let path = path
            .replace("{name}", if method == "DELETE" { "nobody" } else { "alice" })
            .replace("{chat}", &self.chat.to_string())
            .replace("{blob}", &"0".repeat(32))
            .replace("{invite}", "0000000000000000");
        // The answer to a HEAD says no code: it is that of the GET.
        let method: Method = if method == "HEAD" { Method::GET } else { method.parse().unwrap() };
        let has_body = method != Method::GET;
        let mut request = reqwest::Client::new().request(method, format!("{}{path}", self.relay.running.url()));
        if has_body {
            request = request.header("content-type", "application/json").body("[");
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        if answer.status().is_success() {
            return Came::In;
        }
        let problem: Value = answer.json().await.unwrap();
        let code = ErrorCode::of_number(u16::try_from(problem["code"].as_u64().unwrap()).unwrap());
        let outside = OF_PEOPLE.contains(&code) || (code == ErrorCode::NotFound && path.contains("/chats/"));
        if outside { Came::Refused(code) } else { Came::In }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let world = World::new().await;
    let mut found = Vec::new();
    for (method, path, whom) in ROUTES {
        // This one ends what the others need: it gets logins of its own.
        let spare = path == "/auth/logout";
        let token = async |person: &Person| {
            let name = person.get::<susurro_protocol::rest::Me>("/users/me").await.unwrap().name;
            person.login_as(name.as_str(), person.auth, person.device).await.unwrap().access_token
        };
        let (user, mallory, admin) = if spare {
            (token(&world.alice).await, token(&world.mallory).await, token(&world.admin).await)
        } else {
            let token = |person: &Person| person.tokens.access_token.clone();
            (token(&world.alice), token(&world.mallory), token(&world.admin))
        };
        let (disabled, gone) = (&world.disabled.tokens.access_token, &world.logged_out.tokens.access_token);
        let askers = [
            ("nobody", None, Some(ErrorCode::Unauthenticated)),
            ("somebody with a made-up token", Some("a.b.c"), Some(ErrorCode::Unauthenticated)),
            ("a disabled account", Some(disabled.as_str()), Some(ErrorCode::TokenRevoked)),
            (
                "a device that was removed",
                Some(world.removed.tokens.access_token.as_str()),
                Some(ErrorCode::TokenRevoked),
            ),
            ("a device that was logged out", Some(gone.as_str()), Some(ErrorCode::TokenRevoked)),
            ("a user", Some(user.as_str()), (whom == Admins).then_some(ErrorCode::Forbidden)),
            (
                "another user",
                Some(mallory.as_str()),
                match whom {
                    Admins => Some(ErrorCode::Forbidden),
                    Members => Some(ErrorCode::NotFound),
                    _ => None,
                },
            ),
            ("an admin", Some(admin.as_str()), (whom == Members).then_some(ErrorCode::NotFound)),
        ];
        for (asker, token, expected) in askers {
            let expected = if whom == Everybody { None } else { expected };
            let seen = world.ask(method, path, token).await;
            // A body is read before a chat is looked for.
            let hidden = whom == Members && matches!(method, "POST" | "PATCH") && expected == Some(ErrorCode::NotFound);
            let expected = expected.filter(|_| !hidden).map_or(Came::In, Came::Refused);
            if seen != expected {
                found.push(format!("{method} {path} as {asker}: {seen:?}, not {expected:?}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_description_has_a_row() {
    let relay = relay().await;
    let url = format!("{}/openapi.json", relay.running.url());
    let described: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let mut routes = BTreeSet::new();
    for (path, operations) in described["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            routes.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let rows: BTreeSet<_> = ROUTES.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(routes.difference(&rows).collect::<Vec<_>>(), [""; 0], "routes without a row");
    assert_eq!(rows.difference(&routes).collect::<Vec<_>>(), [""; 0], "rows without a route");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_over_a_socket_is_for_members_with_a_login_that_lives() {
    let world = World::new().await;
    let World { alice, mallory, disabled, logged_out, removed, admin, chat, .. } = &world;
    for outsider in [mallory, admin] {
        let mut talk = outsider.connect(0).await;
        let rejected = talk.deposit(&outsider.message(*chat, alice, b"let me in")).await.unwrap_err();
        assert_eq!(rejected.code, ErrorCode::UnknownChat);
    }
    for gone in [disabled, logged_out, removed] {
        assert_eq!(gone.dial().await.err().map(|status| status.as_u16()), Some(401));
    }
    // Another's token, or another's device, opens no session.
    let stolen = Person { tokens: alice.tokens.clone(), ..register(&world.relay, "thief").await };
    let mut socket = stolen.dial_with(|request: tungstenite::handshake::client::Request| request).await.unwrap();
    let (_, hello) = stolen.hello(0);
    socket.send(hello).await;
    assert_eq!(socket.refused().await.0, ErrorCode::Unauthenticated);
}
