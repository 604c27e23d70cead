//! Registration, login, tokens and who may ask what.

use ed25519_dalek::SigningKey;
use reqwest::{Method, StatusCode};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::rest::{
    LoginRequest, Me, Page, Problem, RefreshRequest, RegisterRequest, RelayInfo, SignedText, TokenResponse, UpdateMe,
    UserDevices, UserEntry, login_proof,
};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::{DeviceId, ErrorCode, keys::DeviceList};
use susurro_server::config::Config;
use susurro_server::domain::rate::PerMinute;

use crate::support::{Relay, code, first_list, random, register, relay, relay_with, stretch};

async fn try_register(relay: &Relay, request: &RegisterRequest) -> Result<TokenResponse, Problem> {
    let url = format!("{}/auth/register", relay.running.url());
    crate::support::answer(reqwest::Client::new().post(url).json(request)).await
}

fn registration(name: &str, account_key: &SigningKey) -> RegisterRequest {
    let list = first_list(account_key, &SigningKey::from_bytes(&random()), DeviceId::from_bytes(random()));
    RegisterRequest {
        username: name.to_owned(),
        stretch: stretch(),
        auth: Fixed(random()),
        device_list: SignedText::of(list.signed()),
        invite: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_introduces_itself() {
    let relay = relay().await;
    let url = format!("{}/.well-known/susurro", relay.running.url());
    let info: RelayInfo = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!((info.service.as_str(), info.relay_key.0), ("susurro", relay.running.relay_key()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_refused_for_what_is_wrong_with_it() {
    let relay = relay().await;
    let key = SigningKey::from_bytes(&random());
    let refused = async |request: RegisterRequest| try_register(&relay, &request).await.unwrap_err();
    for bad in ["al", "Alice", "a b c", &"x".repeat(51), "alice@host", ""] {
        let problem = refused(registration(bad, &key)).await;
        assert_eq!((problem.code, problem.status), (ErrorCode::InvalidName, 400));
    }
    let mut weak = registration("alice", &key);
    weak.stretch.memory_kib = 1024;
    assert_eq!(refused(weak).await.code, ErrorCode::InvalidRequest);

    let mut forged = registration("alice", &key);
    let mut bytes = forged.device_list.0.as_slice().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    forged.device_list = SignedText(bytes.into());
    assert_eq!(refused(forged).await.code, ErrorCode::InvalidDeviceList);
    let mut garbage = registration("alice", &key);
    garbage.device_list = SignedText([1, 2, 3].into());
    assert_eq!(refused(garbage).await.code, ErrorCode::InvalidDeviceList);

    let first = first_list(&key, &key, DeviceId::from_bytes([1; 16]));
    let second = DeviceList::issue(&key, Some(&first), 2, first.certificates().to_vec());
    let later = RegisterRequest { device_list: SignedText::of(second.signed()), ..registration("alice", &key) };
    assert_eq!(refused(later).await.code, ErrorCode::InvalidDeviceList, "only version 1 begins an account");

    let good = registration("alice", &key);
    try_register(&relay, &good).await.unwrap();
    let taken = refused(registration("alice", &SigningKey::from_bytes(&random()))).await;
    assert_eq!((taken.code, taken.status), (ErrorCode::NameTaken, 409));
    assert_eq!(refused(RegisterRequest { username: "alice2".into(), ..good }).await.code, ErrorCode::AccountExists);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_a_name_at_once_one_gets_it() {
    let relay = relay().await;
    let url = format!("{}/auth/register", relay.running.url());
    let tries = (0..8).map(|_| {
        let request = registration("wanted", &SigningKey::from_bytes(&random()));
        let sent = reqwest::Client::new().post(&url).json(&request).send();
        tokio::spawn(async move { sent.await.unwrap().status() })
    });
    let mut outcomes = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        outcomes.push(one.await.unwrap());
    }
    assert_eq!(outcomes.iter().filter(|status| **status == StatusCode::CREATED).count(), 1);
    assert_eq!(outcomes.iter().filter(|status| **status == StatusCode::CONFLICT).count(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_user_and_a_wrong_password_are_answered_alike() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let answer = async |name: &str| {
        let nonce = alice.params(name).await.nonce;
        let proof = login_proof(&alice.relay_key, &alice.account, &alice.device, nonce.as_slice());
        let proof = Fixed(signed::sign(&alice.signing_key, Label::Login, &proof));
        let (auth, device) = (Fixed([0; 32]), alice.device);
        let request = LoginRequest { username: name.to_owned(), auth, device, nonce, proof };
        let response = alice.request(Method::POST, "/auth/login").json(&request).send().await.unwrap();
        let mut headers: Vec<String> = response.headers().keys().map(ToString::to_string).collect();
        headers.sort();
        (response.status(), headers, response.text().await.unwrap())
    };
    let (wrong, unknown, impossible) = (answer("alice").await, answer("nobody").await, answer("NO_SUCH").await);
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    assert!(wrong.2.contains("2004"));
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, impossible);

    // The parameters do not tell either: of the same shape, and the same at each question.
    let (known, invented) = (alice.params("alice").await.stretch, alice.params("nobody").await.stretch);
    assert_eq!(alice.params("nobody").await.stretch, invented);
    assert_ne!(known.salt, invented.salt);
    assert_eq!((known.memory_kib, known.passes, known.lanes), (invented.memory_kib, invented.passes, invented.lanes));
    let restarted = relay.restart().await;
    let again = crate::support::Person { url: restarted.running.url(), ..alice };
    assert_eq!(again.params("nobody").await.stretch, invented, "also after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_needs_the_password_first_then_the_device_and_its_key() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let tokens = alice.login_as("alice", alice.auth, alice.device).await.unwrap();
    assert_eq!((tokens.account, tokens.device), (alice.account, alice.device));

    let stranger = DeviceId::from_bytes([7; 16]);
    assert_eq!(code(alice.login_as("alice", [0; 32], stranger).await), Some(ErrorCode::InvalidCredentials));
    assert_eq!(code(alice.login_as("alice", alice.auth, stranger).await), Some(ErrorCode::UnknownDevice));
    let bob = register(&relay, "bob").await;
    assert_eq!(code(alice.login_as("alice", alice.auth, bob.device).await), Some(ErrorCode::UnknownDevice));

    let nonce = alice.params("alice").await.nonce;
    let request = |nonce, proof| LoginRequest {
        username: "alice".into(),
        auth: Fixed(alice.auth),
        device: alice.device,
        nonce,
        proof: Fixed(proof),
    };
    let unsigned = request(nonce.clone(), [0; 64]);
    assert_eq!(code(alice.post::<TokenResponse>("/auth/login", &unsigned).await), Some(ErrorCode::BadSignature));
    let stale = request(vec![0; nonce.len()].into(), [0; 64]);
    assert_eq!(code(alice.post::<TokenResponse>("/auth/login", &stale).await), Some(ErrorCode::StaleNonce));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_login() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let refresh = async |token: &str| {
        alice.post::<TokenResponse>("/auth/refresh", &RefreshRequest { refresh_token: token.to_owned() }).await
    };
    let first = &alice.tokens.refresh_token;
    let second = refresh(first).await.unwrap();
    let third = refresh(&second.refresh_token).await.unwrap();
    let talk = alice.connect(0).await;
    assert_eq!(code(refresh(first).await), Some(ErrorCode::TokenRevoked));
    assert_eq!(code(refresh(&third.refresh_token).await), Some(ErrorCode::TokenRevoked), "the thief's or the owner's");
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked), "and every access token");
    assert_eq!(talk.ended().await.0, ErrorCode::TokenRevoked);
    assert_eq!(code(refresh("nonsense").await), Some(ErrorCode::Unauthenticated));

    // Another login of the same device is another family.
    let fresh = alice.login_as("alice", alice.auth, alice.device).await.unwrap();
    refresh(&fresh.refresh_token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_whose_answer_was_lost_is_repeated_also_after_a_restart() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let shown = RefreshRequest { refresh_token: alice.tokens.refresh_token.clone() };
    let lost = alice.post::<TokenResponse>("/auth/refresh", &shown).await.unwrap();
    let relay = relay.restart().await;
    let alice = crate::support::Person { url: relay.running.url(), ..alice };
    let refresh = async |token: &str| {
        alice.post::<TokenResponse>("/auth/refresh", &RefreshRequest { refresh_token: token.to_owned() }).await
    };
    let second = refresh(&shown.refresh_token).await.unwrap();
    assert_ne!(second.refresh_token, lost.refresh_token);
    let third = refresh(&second.refresh_token).await.unwrap();
    // Whoever has the lost answer after all is one too many.
    assert_eq!(code(refresh(&lost.refresh_token).await), Some(ErrorCode::TokenRevoked));
    assert_eq!(code(refresh(&third.refresh_token).await), Some(ErrorCode::TokenRevoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_refresh_token_shown_by_many_at_once_one_answer_is_good() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let body = RefreshRequest { refresh_token: alice.tokens.refresh_token.clone() };
    let tries: Vec<_> =
        (0..8).map(|_| tokio::spawn(alice.request(Method::POST, "/auth/refresh").json(&body).send())).collect();
    // All of them are answered before one answer is shown: that ends the login of those that come later.
    let mut answers: Vec<TokenResponse> = Vec::new();
    for one in tries {
        answers.push(one.await.unwrap().unwrap().json().await.unwrap());
    }
    let mut good = 0;
    for tokens in answers {
        let shown = RefreshRequest { refresh_token: tokens.refresh_token };
        good += u32::from(alice.post::<TokenResponse>("/auth/refresh", &shown).await.is_ok());
    }
    assert!(good <= 1, "{good} answers were good");
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_every_token_of_the_login_also_after_a_restart() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    alice.logout().await;
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked));
    let relay = relay.restart().await;
    let alice = crate::support::Person { url: relay.running.url(), ..alice };
    assert_eq!(code(alice.get::<Me>("/users/me").await), Some(ErrorCode::TokenRevoked));
    let shown = RefreshRequest { refresh_token: alice.tokens.refresh_token.clone() };
    assert_eq!(code(alice.post::<TokenResponse>("/auth/refresh", &shown).await), Some(ErrorCode::TokenRevoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_an_account_needs_its_token() {
    let relay = relay().await;
    let (alice, bob, chat) = crate::support::pair(&relay).await;
    let foreign = crate::support::relay().await;
    let stranger = register(&foreign, "alice").await;
    let paths = [
        (Method::GET, "/users/me".to_owned()),
        (Method::PATCH, "/users/me".to_owned()),
        (Method::GET, "/users/search?q=a".to_owned()),
        (Method::GET, "/users/bob/devices".to_owned()),
        (Method::PUT, "/keys".to_owned()),
        (Method::GET, "/keys/count".to_owned()),
        (Method::POST, "/keys/claim".to_owned()),
        (Method::GET, "/chats".to_owned()),
        (Method::POST, "/chats".to_owned()),
        (Method::GET, format!("/chats/{chat}")),
        (Method::GET, format!("/chats/{chat}/messages")),
        (Method::POST, format!("/chats/{chat}/messages")),
        (Method::POST, "/auth/logout".to_owned()),
        (Method::GET, "/ws".to_owned()),
    ];
    let http = reqwest::Client::new();
    for (method, path) in paths {
        let url = format!("{}{path}", alice.url);
        for request in [
            http.request(method.clone(), &url),
            http.request(method.clone(), &url).bearer_auth("nonsense"),
            http.request(method.clone(), &url).bearer_auth(&stranger.tokens.access_token),
            http.request(method.clone(), &url).bearer_auth(&bob.tokens.refresh_token),
            http.request(method.clone(), &url).header("authorization", "Basic YTpi"),
        ] {
            let problem = crate::support::answer::<()>(request).await.unwrap_err();
            assert_eq!((problem.code, problem.status), (ErrorCode::Unauthenticated, 401), "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_and_what_is_malformed_are_problems_like_all_others() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    assert_eq!(code(alice.get::<()>("/users/nothing/here").await), Some(ErrorCode::NotFound));
    assert_eq!(code(alice.get::<()>("/chats/nonsense").await), Some(ErrorCode::NotFound));
    assert_eq!(code(alice.get::<()>("/users/NO/devices").await), Some(ErrorCode::InvalidName));
    assert_eq!(code(alice.get::<()>("/users/nobody/devices").await), Some(ErrorCode::NotFound));
    assert_eq!(code(alice.put::<()>("/chats", &()).await), Some(ErrorCode::MethodNotAllowed));
    assert_eq!(code(alice.get::<()>("/users/search?limit=x").await), Some(ErrorCode::InvalidRequest));
    for limit in ["-5", "0", "18446744073709551616"] {
        let page = alice.get::<Page<UserEntry>>(&format!("/users/search?limit={limit}")).await.unwrap();
        assert_eq!(page.items.len(), 1, "{limit} is taken to the nearer end");
    }
    assert_eq!(code(alice.get::<()>("/auth/params").await), Some(ErrorCode::InvalidRequest));
    assert_eq!(code(alice.post::<()>("/chats", &"x").await), Some(ErrorCode::InvalidRequest));
    assert_eq!(code(alice.post::<()>("/chats", &["bob"]).await), Some(ErrorCode::InvalidRequest), "no object");
    let post =
        |body: Vec<u8>| alice.request(Method::POST, "/chats").header("content-type", "application/json").body(body);
    assert_eq!(code(crate::support::answer::<()>(post(b"{".to_vec())).await), Some(ErrorCode::InvalidRequest));
    let problem = crate::support::answer::<()>(post(vec![b' '; 1_100_000])).await.unwrap_err();
    assert_eq!((problem.code, problem.status), (ErrorCode::TooLarge, 413));
    let untyped = alice.request(Method::POST, "/chats").body("{}");
    assert_eq!(code(crate::support::answer::<()>(untyped).await), Some(ErrorCode::InvalidRequest));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_can_be_changed_and_taken_away() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let set = async |name: Option<&str>| {
        let update = UpdateMe { display_name: name.map(str::to_owned) };
        crate::support::answer::<Me>(alice.request(Method::PATCH, "/users/me").json(&update)).await
    };
    assert_eq!(set(Some("Alice 🌻")).await.unwrap().display_name.as_deref(), Some("Alice 🌻"));
    let me: Me = alice.get("/users/me").await.unwrap();
    assert_eq!((me.account, me.name.as_str()), (alice.account, "alice"));
    assert_eq!(me.display_name.as_deref(), Some("Alice 🌻"));
    assert_eq!(code(set(Some("\u{1b}[2J")).await), Some(ErrorCode::InvalidRequest));
    let nothing = alice.request(Method::PATCH, "/users/me").json(&serde_json::json!({})).send().await.unwrap();
    assert_eq!(nothing.status(), 400, "who names nothing changes nothing");
    assert!(alice.get::<Me>("/users/me").await.unwrap().display_name.is_some());
    assert_eq!(set(None).await.unwrap().display_name, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_found_by_the_beginning_of_their_name_page_by_page() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    for name in ["ann", "ann_a", "ann-b", "anna", "annb", "bob", "a_n"] {
        register(&relay, name).await;
    }
    let search = async |query: &str| -> (Vec<String>, Option<String>) {
        let page: Page<UserEntry> = alice.get(&format!("/users/search?{query}")).await.unwrap();
        (page.items.into_iter().map(|entry| entry.name.to_string()).collect(), page.next)
    };
    assert_eq!(search("q=ann").await.0, ["ann", "ann-b", "ann_a", "anna", "annb"]);
    assert_eq!(search("q=a_").await.0, ["a_n"], "an underscore is no wildcard");
    assert_eq!(search("q=%25").await.0, [""; 0]);
    let (first, next) = search("q=ann&limit=2").await;
    assert_eq!((first, next.as_deref()), (vec!["ann".to_owned(), "ann-b".to_owned()], Some("ann-b")));
    let (second, next) = search("q=ann&limit=3&after=ann-b").await;
    assert_eq!((second.len(), next), (3, None));

    let devices: UserDevices = alice.get("/users/bob/devices").await.unwrap();
    let list = DeviceList::verify(devices.device_list.read().unwrap()).unwrap();
    assert_eq!(list.body().account, devices.account);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_too_often_is_told_when_to_come_back() {
    let few = |config| Config { auth_rate: PerMinute(3), rest_rate: PerMinute(4), ..config };
    let relay = relay_with(few).await;
    let alice = register(&relay, "alice").await;
    let number = |response: &reqwest::Response, name: &str| -> Option<u64> {
        response.headers().get(name)?.to_str().ok()?.parse().ok()
    };
    for left in (0..4).rev() {
        let response = alice.request(Method::GET, "/users/me").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        for prefix in ["ratelimit", "x-ratelimit"] {
            assert_eq!(number(&response, &format!("{prefix}-limit")), Some(4));
            assert_eq!(number(&response, &format!("{prefix}-remaining")), Some(left));
            assert!(number(&response, &format!("{prefix}-reset")).is_some());
        }
    }
    let refused = alice.request(Method::GET, "/users/me").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(number(&refused, "retry-after").is_some_and(|seconds| (1..=15).contains(&seconds)));
    assert_eq!(refused.json::<Problem>().await.unwrap().code, ErrorCode::RateLimited);

    // One registration was made: two more attempts from this address, whatever they are.
    for expected in [ErrorCode::InvalidName, ErrorCode::InvalidName, ErrorCode::RateLimited] {
        let request = registration("X", &SigningKey::from_bytes(&[1; 32]));
        assert_eq!(code(try_register(&relay, &request).await), Some(expected));
    }
}
