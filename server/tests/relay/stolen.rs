//! What somebody can do who has the database and nothing else; and with words that are meant to be
//! taken for statements, patterns or headers.

use std::collections::BTreeSet;

use ed25519_dalek::{Signer as _, SigningKey};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Row as _};
use susurro_protocol::ErrorCode;
use susurro_protocol::bytes::to_base64;
use susurro_protocol::rest::{Me, RefreshRequest, TokenResponse};

use crate::support::{Person, Relay, answer, code, pair, relay};

/// Every value of bytes or text in the relay's database.
async fn values(relay: &Relay) -> BTreeSet<Vec<u8>> {
    let mut values = BTreeSet::new();
    if let Some((_, url)) = relay.settings() {
        let mut database = sqlx::PgConnection::connect(&url).await.unwrap();
        let tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        for table in sqlx::query(tables).fetch_all(&mut database).await.unwrap() {
            let select = AssertSqlSafe(format!("SELECT * FROM {}", table.get::<String, usize>(0)));
            for row in sqlx::query(select).fetch_all(&mut database).await.unwrap() {
                for column in row.columns() {
                    let text = row.try_get::<String, usize>(column.ordinal()).map(String::into_bytes);
                    values.extend(row.try_get(column.ordinal()).or(text));
                }
            }
        }
    } else {
        let url = format!("sqlite:{}?mode=ro", relay.dir.path().join("relay.db").display());
        let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        for table in sqlx::query(tables).fetch_all(&mut database).await.unwrap() {
            let select = AssertSqlSafe(format!("SELECT * FROM {}", table.get::<String, usize>(0)));
            for row in sqlx::query(select).fetch_all(&mut database).await.unwrap() {
                for column in row.columns() {
                    values.extend(row.try_get::<Vec<u8>, usize>(column.ordinal()));
                }
            }
        }
    }
    values
}

/// The person's access token, signed with another key.
fn resigned(person: &Person, key: &SigningKey) -> String {
    let (signed, _) = person.tokens.access_token.rsplit_once('.').unwrap();
    format!("{signed}.{}", to_base64(&key.sign(signed.as_bytes()).to_bytes()))
}

async fn refresh(person: &Person, token: String) -> Option<ErrorCode> {
    let url = format!("{}/auth/refresh", person.url);
    code(answer::<TokenResponse>(person.http.post(url).json(&RefreshRequest { refresh_token: token })).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_database_alone_opens_nothing() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    alice.put::<Value>("/keys", &alice.keys(1..=3)).await.unwrap();
    alice.connect(0).await.deposit(&alice.message(chat, &bob, b"a ciphertext")).await.unwrap();
    let values = values(&relay).await;
    for known in [&b"alice"[..], b"a ciphertext", alice.device.as_bytes()] {
        assert!(values.contains(known), "the database was really read");
    }

    let public = [alice.signing_key.verifying_key().to_bytes(), relay.running.relay_key()];
    let secrets = ["relay.key", "pepper.key", "token-0001.key"];
    let secrets = secrets.map(|name| std::fs::read(relay.dir.path().join(name)).unwrap());
    let mut keys = BTreeSet::new();
    for value in &values {
        for part in value.windows(32).take(512) {
            assert!(
                !secrets.iter().any(|secret| secret.windows(32).any(|window| window == part)),
                "a secret of the relay"
            );
            assert!(part != alice.auth, "what a password is stretched to");
            keys.insert(<[u8; 32]>::try_from(part).unwrap());
        }
    }
    for key in &keys {
        let key = SigningKey::from_bytes(key);
        assert!(!public.contains(&key.verifying_key().to_bytes()), "a signing key");
    }

    // Whole columns are what an attacker would try: as password, as token, as the key of tokens.
    let whole: Vec<[u8; 32]> = values.iter().filter_map(|value| value.as_slice().try_into().ok()).collect();
    assert!(whole.len() >= 4, "verifiers and hashes of tokens are among them: {}", whole.len());
    for value in whole {
        let login = alice.login_as("alice", value, alice.device).await;
        assert_eq!(code(login), Some(ErrorCode::InvalidCredentials));
        for text in [to_base64(&value), value.iter().map(|byte| format!("{byte:02x}")).collect()] {
            assert_ne!(refresh(&alice, text).await, None);
        }
        let forged = resigned(&alice, &SigningKey::from_bytes(&value));
        let asked = alice.http.get(format!("{}/users/me", alice.url)).bearer_auth(forged).send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);
    }
    // What is tried here works with the right secrets.
    alice.login_as("alice", alice.auth, alice.device).await.unwrap();
    assert_eq!(refresh(&alice, alice.tokens.refresh_token.to_string()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_a_request_become_no_statement_no_pattern_and_no_header() {
    let relay = relay().await;
    let (alice, _bob, _) = pair(&relay).await;
    let hostile = [
        "'; DROP TABLE accounts; --",
        "alice' OR '1'='1",
        "\" OR 1=1 --",
        "a\\' UNION SELECT verifier FROM accounts --",
        "$1",
        "?1",
        "%",
        "_lice",
        "a%",
        "alice\0",
        "alice\r\nset-cookie: a=b",
    ];
    for words in hostile {
        let encoded: String = words.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for (path, is_search) in [
            (format!("/users/search?q={encoded}"), true),
            (format!("/users/search?q=a&after={encoded}"), false),
            (format!("/users/{encoded}/devices"), false),
            (format!("/auth/params?username={encoded}"), false),
            (format!("/chats?after={encoded}"), false),
        ] {
            let response = alice.request(Method::GET, &path).send().await.unwrap();
            let status = response.status();
            assert!(!status.is_server_error(), "{path}: {status}");
            assert!(!response.headers().contains_key("set-cookie"), "{path}");
            let found: Value = response.json().await.unwrap();
            let found = found["items"].as_array().map_or(0, Vec::len);
            assert!(!is_search || found == 0, "{path} found somebody");
        }
        let changed = alice.request(Method::PATCH, "/users/me").json(&json!({ "display_name": words })).send().await;
        let changed = changed.unwrap().status();
        let printable = !words.contains(|c: char| c.is_control());
        assert_eq!(changed.is_success(), printable, "{words:?}: {changed}");
        if printable {
            let me = alice.get::<Me>("/users/me").await.unwrap();
            assert_eq!(me.display_name.as_deref(), Some(words), "it is kept letter by letter");
        }
    }
    assert_eq!(alice.get::<Value>("/users/search?q=bob").await.unwrap()["items"].as_array().unwrap().len(), 1);
}
