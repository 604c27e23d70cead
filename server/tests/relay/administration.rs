//! Who may register, who may log in, and who says so.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use ed25519_dalek::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::rest::{
    AdminUser, ChangePassword, Chat, ConnectedDevice, CreatedInvite, DeleteMe, InviteEntry, Me, Page, Problem,
    RefreshRequest, RegisterRequest, RelayInfo, RelayStatus, SignedText, TokenResponse, UserDevices, UserEntry,
};
use susurro_protocol::{DeviceId, ErrorCode};
use susurro_server::config::Config;
use susurro_server::domain::invite::Registration;

use crate::support::{Person, Relay, answer, code, first_list, pair, random, register, relay, relay_with, stretch};

/// `susurro-server admin` on a relay's files.
pub(crate) fn admin(
    dir: &Path,
    settings: impl IntoIterator<Item = (&'static str, String)>,
    arguments: &[&str],
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_susurro-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SUSURRO_")) {
        command.env_remove(name);
    }
    command.envs(settings).args(["admin", "--data-dir"]).arg(dir).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What it prints when it does what it is asked.
pub(crate) fn done(relay: &Relay, arguments: &[&str]) -> String {
    let output = admin(relay.dir.path(), relay.settings(), arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn request(name: &str, invite: Option<&str>) -> RegisterRequest {
    let list = first_list(
        &SigningKey::from_bytes(&random()),
        &SigningKey::from_bytes(&random()),
        DeviceId::from_bytes(random()),
    );
    RegisterRequest {
        username: name.to_owned(),
        stretch: stretch(),
        auth: Fixed(random()),
        device_list: SignedText::of(list.signed()),
        invite: invite.map(str::to_owned),
    }
}

async fn attempt(relay: &Relay, request: &RegisterRequest) -> Option<ErrorCode> {
    let url = format!("{}/auth/register", relay.running.url());
    code(answer::<TokenResponse>(reqwest::Client::new().post(url).json(request)).await)
}

async fn policy(relay: &Relay) -> String {
    let url = format!("{}/.well-known/susurro", relay.running.url());
    answer::<RelayInfo>(reqwest::Client::new().get(url)).await.unwrap().registration
}

/// Somebody whom the command line has promoted.
pub(crate) async fn administrator(relay: &Relay) -> Person {
    let root = register(relay, "root").await;
    done(relay, &["user", "promote", "root"]);
    root
}

async fn change(who: &Person, name: &str, change: Value) -> Result<AdminUser, Problem> {
    who.post(&format!("/admin/users/{name}"), &change).await
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_is_open_closed_or_by_invite_and_the_relay_says_which() {
    let relay = relay().await;
    assert_eq!(policy(&relay).await, "open");
    assert_eq!(attempt(&relay, &request("alice", Some("nonsense"))).await, None, "nobody looks at it");
    let relay = relay.restart_with(|config| Config { registration: Registration::Closed, ..config }).await;
    assert_eq!(policy(&relay).await, "closed");
    assert_eq!(attempt(&relay, &request("NO", None)).await, Some(ErrorCode::RegistrationClosed), "before all else");
    let relay = relay.restart_with(|config| Config { registration: Registration::Invite, ..config }).await;
    assert_eq!(policy(&relay).await, "invite");
    for invite in [None, Some(""), Some("0000-0000-0000-0000-0000-0000")] {
        let refused = attempt(&relay, &request("alice", invite)).await;
        assert_eq!(refused, Some(ErrorCode::InvalidInvite), "whether the name is taken is not told");
    }
    assert_eq!(attempt(&relay, &request("A", None)).await, Some(ErrorCode::InvalidName));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_is_good_for_its_uses_its_time_and_until_it_is_taken_back() {
    let relay = relay_with(|config| Config { registration: Registration::Invite, ..config }).await;
    let invite = done(&relay, &["invite", "create", "--uses", "2", "--note", "family"]);
    let invite = invite.trim_end();
    assert_eq!(attempt(&relay, &request("NO", Some(invite))).await, Some(ErrorCode::InvalidName), "counts for nothing");
    assert_eq!(attempt(&relay, &request("alice", Some(invite))).await, None);
    assert_eq!(attempt(&relay, &request("alice", Some(invite))).await, Some(ErrorCode::NameTaken), "nor does this");
    assert_eq!(attempt(&relay, &request("bob", Some(&invite.to_uppercase().replace('-', " ")))).await, None);
    assert_eq!(attempt(&relay, &request("carol", Some(invite))).await, Some(ErrorCode::InvalidInvite));
    assert_eq!(attempt(&relay, &request("alice", Some(invite))).await, Some(ErrorCode::InvalidInvite), "of no name");

    let taken_back = done(&relay, &["invite", "create", "--uses", "9", "--expires", "never"]);
    let over = done(&relay, &["invite", "create", "--expires", "1s"]);
    let list: Vec<InviteEntry> =
        done(&relay, &["invite", "list", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(list.len(), 3);
    let used = list.iter().find(|entry| entry.used == 2).unwrap();
    assert_eq!(used.note.as_deref(), Some("family"));
    let many = list.iter().find(|entry| entry.uses == 9).unwrap();
    done(&relay, &["invite", "revoke", &many.id]);
    assert_eq!(attempt(&relay, &request("carol", Some(taken_back.trim()))).await, Some(ErrorCode::InvalidInvite));
    let shown = done(&relay, &["invite", "list"]);
    for word in ["used up", "revoked", "family"] {
        assert!(shown.contains(word), "{shown}");
    }
    assert!(!shown.contains(invite), "an invite is told once");
    let give_up = tokio::time::Instant::now() + crate::support::PATIENCE;
    while !done(&relay, &["invite", "list"]).contains("over") {
        assert!(tokio::time::Instant::now() < give_up, "it ends");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(attempt(&relay, &request("carol", Some(over.trim()))).await, Some(ErrorCode::InvalidInvite));
    let output = admin(relay.dir.path(), relay.settings(), &["invite", "revoke", "0000000000000000"]);
    assert_eq!(output.status.code(), Some(3));

    // What lies in the files is no invite.
    for file in ["relay.db", "relay.db-wal"] {
        let bytes = std::fs::read(relay.dir.path().join(file)).unwrap_or_default();
        for code in [invite, taken_back.trim()] {
            assert!(!bytes.windows(code.len()).any(|part| part == code.as_bytes()), "{file}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_use_one_of_many_registrations_at_once_succeeds() {
    let relay = relay_with(|config| Config { registration: Registration::Invite, ..config }).await;
    let invite = done(&relay, &["invite", "create"]);
    let attempts = (0..6).map(|n| request(&format!("name{n}"), Some(invite.trim())));
    let url = format!("{}/auth/register", relay.running.url());
    let sent: Vec<_> =
        attempts.map(|body| tokio::spawn(reqwest::Client::new().post(&url).json(&body).send())).collect();
    let mut made = 0;
    for one in sent {
        made += u32::from(one.await.unwrap().unwrap().status() == 201);
    }
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_ends_every_login_at_once_and_enabling_lets_log_in_again() {
    let relay = relay().await;
    let root = administrator(&relay).await;
    let (alice, bob, chat) = pair(&relay).await;
    let second = alice.login_as("alice", alice.auth, alice.device).await.unwrap();
    let talk = alice.connect(0).await;

    let shown = change(&root, "alice", json!({ "disabled": true })).await.unwrap();
    assert!(shown.disabled.is_some());
    assert_eq!(talk.ended().await.0, ErrorCode::TokenRevoked);
    for tokens in [&alice.tokens, &second] {
        let shown = RefreshRequest { refresh_token: tokens.refresh_token.clone() };
        assert_eq!(code(alice.post::<TokenResponse>("/auth/refresh", &shown).await), Some(ErrorCode::TokenRevoked));
        let me = alice.http.get(format!("{}/users/me", alice.url)).bearer_auth(&tokens.access_token);
        assert_eq!(code(answer::<Me>(me).await), Some(ErrorCode::TokenRevoked));
    }
    let refused = alice.login_as("alice", alice.auth, alice.device).await;
    assert_eq!(code(refused), Some(ErrorCode::AccountDisabled));
    let wrong = alice.login_as("alice", [0; 32], alice.device).await;
    assert_eq!(code(wrong), Some(ErrorCode::InvalidCredentials), "only who knows the password learns of it");
    // Others write to it as before.
    let mut talk = bob.connect(0).await;
    talk.deposit(&bob.message(chat, &alice, b"waits")).await.unwrap();

    assert_eq!(change(&root, "alice", json!({ "disabled": false })).await.unwrap().disabled, None);
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked), "what ended stays ended");
    let tokens = alice.login_as("alice", alice.auth, alice.device).await.unwrap();
    let mut talk = Person { tokens, ..alice }.connect(0).await;
    assert_eq!(talk.delivery().await.ciphertext.as_slice(), b"waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_works_beside_a_running_relay_and_is_heard_at_once() {
    let relay = relay().await;
    let (alice, bob, _) = pair(&relay).await;
    let talk = alice.connect(0).await;
    let mut other = bob.connect(0).await;
    let line = done(&relay, &["user", "disable", "alice"]);
    assert!(line.starts_with("alice\tuser\tdisabled\t"), "{line}");
    // Twice the half second that the relay looks after would be a sleep: the end itself is waited for.
    assert_eq!(talk.ended().await.0, ErrorCode::TokenRevoked);
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked));
    assert!(other.is_quiet().await, "nobody else is touched");
    let relay = relay.restart().await;
    let alice = Person { url: relay.running.url(), ..alice };
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked), "also after a restart");
    done(&relay, &["user", "enable", "alice"]);
    alice.login_as("alice", alice.auth, alice.device).await.unwrap();

    let json: Vec<AdminUser> =
        done(&relay, &["user", "list", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
    assert_eq!(done(&relay, &["user", "list", "b"]).lines().count(), 1);
    let output = admin(relay.dir.path(), relay.settings(), &["user", "show", "nobody"]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(3), true));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no nobody"));
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(admin(nothing.path(), None, &["user", "list"]).status.code(), Some(1));
    assert!(std::fs::read_dir(nothing.path()).unwrap().next().is_none(), "no database is made by asking");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_administers_is_looked_up_at_each_request() {
    let relay = relay().await;
    let root = register(&relay, "root").await;
    let alice = register(&relay, "alice").await;
    assert_eq!(code(root.get::<Page<AdminUser>>("/admin/users").await), Some(ErrorCode::Forbidden));
    // The same token, made when it was a user's.
    done(&relay, &["user", "promote", "root"]);
    let page: Page<AdminUser> = root.get("/admin/users?q=a").await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(root.get::<AdminUser>("/admin/users/root").await.unwrap().role, "admin");
    let made: CreatedInvite = root.post("/admin/invites", &json!({ "uses": 1, "expires_in": 60 })).await.unwrap();
    let page: Page<InviteEntry> = root.get("/admin/invites").await.unwrap();
    assert_eq!(page.items, std::slice::from_ref(&made.entry));
    let gone = root.request(Method::DELETE, &format!("/admin/invites/{}", made.entry.id)).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    assert!(root.get::<Page<InviteEntry>>("/admin/invites").await.unwrap().items[0].revoked.is_some());

    assert_eq!(change(&root, "alice", json!({ "role": "admin" })).await.unwrap().role, "admin");
    let wrong = [json!({ "role": "owner" }), json!({ "role": 1 }), json!({ "disabled": "yes" })];
    for wrong in wrong {
        assert_eq!(code(change(&root, "alice", wrong).await), Some(ErrorCode::InvalidRequest));
    }
    let own = change(&root, "root", json!({ "role": "user" })).await;
    assert_eq!(code(own), Some(ErrorCode::InvalidRequest), "nobody locks themselves out");
    assert_eq!(code(change(&root, "nobody", json!({})).await), Some(ErrorCode::NotFound));
    assert_eq!(code(root.get::<()>("/admin/users/NO").await), Some(ErrorCode::InvalidName));
    for wrong in [json!({ "uses": 0 }), json!({ "uses": 100_001 }), json!({ "uses": 1, "note": "a\u{1b}b" }), json!({})]
    {
        assert_eq!(code(root.post::<()>("/admin/invites", &wrong).await), Some(ErrorCode::InvalidRequest), "{wrong}");
    }

    // Demoted: at the next request it is over.
    assert_eq!(change(&alice, "root", json!({ "role": "user" })).await.unwrap().role, "user");
    assert_eq!(code(root.get::<Page<AdminUser>>("/admin/users").await), Some(ErrorCode::Forbidden));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_every_other_login_at_once() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let second = alice.login_as("alice", alice.auth, alice.device).await.unwrap();
    let talk = alice.connect(0).await;
    let asking = Person {
        tokens: second.clone(),
        url: alice.url.clone(),
        http: alice.http.clone(),
        signing_key: alice.signing_key.clone(),
        ..alice
    };
    let (new, cost) = (random(), stretch());
    let change = |auth: [u8; 32]| ChangePassword { auth: Fixed(auth), stretch: cost.clone(), new_auth: Fixed(new) };
    let ask = async |change: &ChangePassword| {
        asking.request(Method::POST, "/users/me/password").json(change).send().await.unwrap()
    };
    assert_eq!(ask(&change([0; 32])).await.json::<Problem>().await.unwrap().code, ErrorCode::InvalidCredentials);
    let weak = ChangePassword {
        stretch: susurro_protocol::rest::StretchParams { passes: 1, ..cost.clone() },
        ..change(asking.auth)
    };
    assert_eq!(ask(&weak).await.json::<Problem>().await.unwrap().code, ErrorCode::InvalidRequest);
    asking.login_as("alice", asking.auth, asking.device).await.unwrap();
    assert_eq!(ask(&change(asking.auth)).await.status(), 204);

    assert_eq!(talk.ended().await.0, ErrorCode::TokenRevoked);
    asking.get::<Me>("/users/me").await.unwrap();
    let first = asking.http.get(format!("{}/users/me", asking.url)).bearer_auth(&alice.tokens.access_token);
    assert_eq!(code(answer::<Me>(first).await), Some(ErrorCode::TokenRevoked));
    let old = asking.login_as("alice", asking.auth, asking.device).await;
    assert_eq!(code(old), Some(ErrorCode::InvalidCredentials));
    asking.login_as("alice", new, asking.device).await.unwrap();
    assert_eq!(asking.params("alice").await.stretch, cost, "who logs in is told how the new one is stretched");
}

/// Alice, Bob and what went between them; then Alice is gone.
async fn deleted(relay: &Relay, delete: impl AsyncFnOnce(&Person)) {
    let (alice, bob, chat) = pair(relay).await;
    alice.put::<susurro_protocol::rest::KeyCount>("/keys", &alice.keys(1..=3)).await.unwrap();
    let (mut to, mut from) = (bob.connect(0).await, alice.connect(0).await);
    from.deposit(&alice.message(chat, &bob, b"was on its way")).await.unwrap();
    to.delivery().await;
    to.deposit(&bob.message(chat, &alice, b"never fetched")).await.unwrap();
    delete(&alice).await;

    assert_eq!(from.delivery().await.ciphertext.as_slice(), b"never fetched");
    assert_eq!(from.ended().await.0, ErrorCode::TokenRevoked);
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked));
    let shown = RefreshRequest { refresh_token: alice.tokens.refresh_token.clone() };
    assert_eq!(code(alice.post::<TokenResponse>("/auth/refresh", &shown).await), Some(ErrorCode::Unauthenticated));
    let login = alice.login_as("alice", alice.auth, alice.device).await;
    assert_eq!(code(login), Some(ErrorCode::InvalidCredentials), "like a name that nobody ever had");

    // Others get clear answers, on the connection that they have had all the time.
    let rejected = to.deposit(&bob.message(chat, &alice, b"still there?")).await.unwrap_err();
    assert_eq!(rejected.code, ErrorCode::UnknownChat);
    let open = bob.post::<Chat>("/chats", &json!({ "peer": "alice" })).await;
    assert_eq!(code(open), Some(ErrorCode::NotFound));
    assert_eq!(code(bob.get::<UserDevices>("/users/alice/devices").await), Some(ErrorCode::NotFound));
    assert!(bob.get::<Page<Chat>>("/chats").await.unwrap().items.is_empty());
    let found: Page<UserEntry> = bob.get("/users/search?q=al").await.unwrap();
    assert!(found.items.is_empty());

    // The name is free, for another account.
    let other = register(relay, "alice").await;
    assert_ne!(other.account, alice.account);
    let chat = bob.open_chat("alice").await;
    to.deposit(&bob.message(chat, &other, b"welcome")).await.unwrap();
    assert_eq!(other.connect(0).await.delivery().await.ciphertext.as_slice(), b"welcome");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_leaves_nothing_and_its_name_is_free() {
    let relay = relay().await;
    deleted(&relay, async |alice: &Person| {
        let delete = async |auth: [u8; 32]| {
            let body = DeleteMe { auth: Fixed(auth) };
            alice.request(Method::DELETE, "/users/me").json(&body).send().await.unwrap().status().as_u16()
        };
        assert_eq!(delete([0; 32]).await, 401);
        alice.get::<Me>("/users/me").await.unwrap();
        assert_eq!(delete(alice.auth).await, 204);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_deleted_by_command_line_beside_a_running_relay() {
    let relay = relay().await;
    deleted(&relay, async |_: &Person| {
        let refused = admin(relay.dir.path(), relay.settings(), &["user", "delete", "alice", "--confirm", "bob"]);
        assert_eq!(refused.status.code(), Some(2));
        assert_eq!(done(&relay, &["user", "delete", "alice", "--confirm", "alice"]), "alice\tdeleted\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_deleted_by_command_line_where_no_relay_runs() {
    let relay = relay().await;
    register(&relay, "alice").await;
    let settings = relay.settings();
    let Relay { running, dir, .. } = relay;
    assert!(running.shutdown().await);
    let output = admin(dir.path(), settings.clone(), &["user", "delete", "alice", "--confirm", "alice"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(admin(dir.path(), settings, &["user", "show", "alice"]).status.code(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_deletes_others_but_not_themselves() {
    let relay = relay().await;
    let root = administrator(&relay).await;
    deleted(&relay, async |_: &Person| {
        let status = async |name: &str| {
            root.request(Method::DELETE, &format!("/admin/users/{name}")).send().await.unwrap().status().as_u16()
        };
        assert_eq!((status("root").await, status("nobody").await, status("alice").await), (400, 404, 204));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_in_figures_for_administrators() {
    let relay = relay().await;
    let root = administrator(&relay).await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut talk = alice.connect(0).await;
    for text in [b"one", b"two"] {
        talk.deposit(&alice.message(chat, &bob, text)).await.unwrap();
    }
    change(&root, "bob", json!({ "disabled": true })).await.unwrap();
    let status: RelayStatus = root.get("/admin/status").await.unwrap();
    assert_eq!((status.accounts, status.disabled, status.connections), (3, 1, 1));
    assert_eq!((status.waiting, status.registration.as_str(), status.nodes), (2, "open", vec![]));
    // Counted in the process, where other relays may be.
    assert!(status.stored >= 2 && status.storage_bytes > 4096 && status.started <= status.time);
    assert_eq!(code(alice.get::<RelayStatus>("/admin/status").await), Some(ErrorCode::Forbidden));

    let mut root_talk = root.connect(0).await;
    assert!(root_talk.is_quiet().await);
    let mut expected = [(alice.device, "alice"), (root.device, "root")];
    expected.sort_unstable();
    let (mut path, mut found) = ("/users/connected?limit=1".to_owned(), Vec::new());
    loop {
        let page: Page<ConnectedDevice> = root.get(&path).await.unwrap();
        assert_eq!(page.items.len(), 1);
        found.extend(page.items.into_iter().map(|connected| (connected.device, connected.name.to_string())));
        let Some(next) = page.next else { break };
        path = format!("/users/connected?limit=1&after={next}");
    }
    assert_eq!(found, expected.map(|(device, name)| (device, name.to_owned())));
    assert_eq!(code(alice.get::<Value>("/users/connected").await), Some(ErrorCode::Forbidden));
    assert_eq!(code(root.get::<Value>("/users/connected?after=x").await), Some(ErrorCode::InvalidRequest));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_by_command_is_an_administrators_for_as_long_as_that_is_one() {
    let relay = relay().await;
    let root = administrator(&relay).await;
    let _alice = register(&relay, "alice").await;
    let token = done(&relay, &["token", "root"]);
    let ask = async |token: &str| {
        let url = format!("{}/admin/status", root.url);
        answer::<Value>(root.http.get(url).bearer_auth(token.trim())).await
    };
    assert_eq!(code(ask(&token).await), None);
    let said: Value = serde_json::from_str(&done(&relay, &["token", "root", "--json"])).unwrap();
    assert_eq!(code(ask(said["access_token"].as_str().unwrap()).await), None);
    assert_eq!(admin(relay.dir.path(), relay.settings(), &["token", "alice"]).status.code(), Some(1));
    assert_eq!(admin(relay.dir.path(), relay.settings(), &["token", "nobody"]).status.code(), Some(3));
    done(&relay, &["user", "demote", "root"]);
    assert_eq!(code(ask(&token).await), Some(ErrorCode::Forbidden));
    done(&relay, &["user", "promote", "root"]);
    done(&relay, &["user", "disable", "root"]);
    let end = tokio::time::Instant::now() + crate::support::PATIENCE;
    while code(ask(&token).await) != Some(ErrorCode::TokenRevoked) {
        assert!(tokio::time::Instant::now() < end, "it ends");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let refused = admin(relay.dir.path(), relay.settings(), &["token", "root"]);
    assert_eq!(refused.status.code(), Some(1), "no token for who may not log in");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_counts_what_the_database_holds() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut talk = alice.connect(0).await;
    for _ in 0..3 {
        talk.deposit(&alice.message(chat, &bob, b"waits")).await.unwrap();
    }
    done(&relay, &["user", "disable", "bob"]);
    let said: Value = serde_json::from_str(&done(&relay, &["stats", "--json"])).unwrap();
    assert_eq!([&said["accounts"], &said["disabled"], &said["waiting"]], [&json!(2), &json!(1), &json!(3)], "{said}");
    assert!(said["storage_bytes"].as_u64().unwrap() > 10_000, "{said}");
    let text = done(&relay, &["stats"]);
    assert!(text.starts_with("accounts\t2\ndisabled\t1\nmessages waiting\t3\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_comes_from_this_relay_alone() {
    let relay = relay().await;
    let page = reqwest::get(format!("{}/admin", relay.running.url())).await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    let text = page.text().await.unwrap();
    let parts: Vec<_> = ["src=\"", "href=\""].iter().flat_map(|mark| text.split(mark).skip(1)).collect();
    assert_eq!(parts.len(), 2);
    for part in parts {
        let path = part.split('"').next().unwrap();
        assert!(path.starts_with("/admin/page."), "{path} is from elsewhere");
        assert_eq!(reqwest::get(format!("{}{path}", relay.running.url())).await.unwrap().status(), 200);
    }
    for mark in ["<script>", "<style", "style=", "onclick", "http:", "https:"] {
        assert!(!text.contains(mark), "{mark} needs a weaker policy, or somebody else");
    }
}
