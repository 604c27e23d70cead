//! Who may administer, as far as somebody without that right can see.

use reqwest::Method;
use serde_json::json;
use susurro_protocol::ErrorCode;

use crate::check;
use crate::relays::ground::{Ground, ask};
use crate::suite::check::that;
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!(
            "ADM-1/forbidden",
            ["ADM-1", "HTTP-9"],
            "requests of administration by a user, well and badly formed",
            forbidden
        ),
        check!("ADM-1/nobody", ["ADM-1"], "requests of administration without a token", nobody),
        check!(
            "REG-1/rule",
            ["REG-1"],
            "the rule of registration is one of three, and holds for the suite itself",
            rule
        ),
    ]
}

const ROUTES: [(Method, &str); 9] = [
    (Method::POST, "/announcements"),
    (Method::GET, "/admin/status"),
    (Method::GET, "/users/connected?after=x"),
    (Method::GET, "/admin/users"),
    (Method::GET, "/admin/users/NO"),
    (Method::POST, "/admin/users/nobody"),
    (Method::GET, "/admin/invites?limit=x"),
    (Method::POST, "/admin/invites"),
    (Method::DELETE, "/admin/invites/nonsense"),
];

async fn forbidden(relay: &Ground) -> Outcome {
    let person = relay.person().await?;
    for (method, path) in ROUTES {
        for body in [json!({}), json!([1]), json!({ "uses": 1, "disabled": false })] {
            ask(person.request(method.clone(), path).json(&body)).await?.refused(ErrorCode::Forbidden)?;
        }
    }
    Ok(())
}

async fn nobody(relay: &Ground) -> Outcome {
    for (method, path) in ROUTES {
        ask(relay.request(method, path).json(&json!({}))).await?.refused(ErrorCode::Unauthenticated)?;
    }
    Ok(())
}

async fn rule(relay: &Ground) -> Outcome {
    let rule = relay.info.registration.as_str();
    that(["open", "invite", "closed"].contains(&rule), "open, invite or closed", rule)?;
    // The suite registers without an invite, so wherever it gets this far the relay is open.
    relay.person().await?;
    that(rule == "open", "open, since somebody without an invite could register", rule)
}
