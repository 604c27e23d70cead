//! Profiles, search and pages.

use serde_json::{Value, json};
use susurro_protocol::ErrorCode;
use susurro_protocol::rest::{Chat, Me, Page, UserEntry};

use super::tokens::about;
use crate::check;
use crate::relays::ground::{Candidate, Ground, Person, fresh_name, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!(
            "PROF-1/names",
            ["PROF-1", "LIM-1"],
            "display names that are empty, too long, or steer a terminal",
            bad_names
        ),
        check!("PROF-1/longest", ["PROF-1"], "a display name of 100 characters of four bytes", longest_name),
        check!(
            "PROF-2/answer",
            ["PROF-2"],
            "the answer is the profile as it is then; null takes the name away",
            updated
        ),
        check!("PROF-2/seen-by-others", ["PROF-2"], "others find the display name", seen),
        check!("SRCH-1/beginning", ["SRCH-1"], "names are found by their beginning and not by their middle", beginning),
        check!("SRCH-1/underscore", ["SRCH-1"], "an underscore stands for itself", underscore),
        check!("SRCH-1/order", ["SRCH-1", "PAGE-1"], "what is found is in the order of its bytes", in_order),
        check!("SRCH-2/percent", ["SRCH-2"], "a percent sign, an asterisk and a quote find nothing", percent),
        check!("SRCH-2/upper-case", ["SRCH-2"], "upper case finds nothing", upper_case),
        check!("SRCH-2/empty", ["SRCH-2"], "an empty q finds everybody, a page at a time", everybody),
        check!("SRCH-2/after", ["SRCH-2"], "after is the last name of the page before", after),
        check!("PAGE-2/limits", ["PAGE-2", "LIM-1"], "limits of 0, 1, 100, 101, and far out", limits),
        check!("PAGE-2/negative", ["PAGE-2"], "a negative limit is taken for 1", negative),
        check!("PAGE-2/default", ["PAGE-2"], "without a limit it is 100", default_limit),
        check!(
            "PAGE-3/every-item",
            ["PAGE-3", "PAGE-1", "REST-4"],
            "page by page every chat comes once, in order",
            every_chat
        ),
        check!(
            "PAGE-3/filled",
            ["PAGE-3", "PAGE-1"],
            "a page that the last items fill says that nothing comes behind",
            filled
        ),
        check!("PAGE-1/behind-the-end", ["PAGE-1"], "a page behind the end is empty", behind_end),
        check!("PAGE-4/nonsense", ["PAGE-4"], "an after of /chats that is no chat id", nonsense),
    ]
}

async fn display(person: &Person, name: &str) -> Result<crate::relays::answer::Answer, Stop> {
    person.patch("/users/me", &json!({"display_name": name})).await
}

async fn bad_names(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for name in ["", &"x".repeat(101), "bell\u{7}", "line\nline", "\u{1b}[31mred", "\u{85}", "\u{0}"] {
        let refused = display(&pair.alice, name).await?.refused(ErrorCode::InvalidRequest);
        refused.map_err(|stop| about(&stop, &name.escape_debug().to_string()))?;
    }
    for value in [json!(7), json!([]), json!({})] {
        let refused = pair.alice.patch("/users/me", &json!({"display_name": value})).await?;
        refused.refused(ErrorCode::InvalidRequest)?;
    }
    Ok(())
}

async fn longest_name(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let name = "🦉".repeat(100);
    let me: Me = display(&pair.alice, &name).await?.read(200)?;
    same("display_name", &Some(name), &me.display_name)
}

async fn updated(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for name in [json!("Alicia"), json!("Алиса"), json!(null)] {
        let now: Value = pair.alice.patch("/users/me", &json!({"display_name": name})).await?.json(200)?;
        same("display_name", &name, &now["display_name"])?;
        let later = pair.alice.get("/users/me").await?.json(200)?;
        same("profile", &now, &later)?;
    }
    Ok(())
}

async fn seen(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    display(&pair.alice, "Alicia").await?.is(200)?;
    let found = search(&pair.bob, &format!("q={}", pair.alice.name)).await?;
    let expected = vec![(pair.alice.account, Some("Alicia".to_owned()))];
    same("found", &expected, &found.items.into_iter().map(|entry| (entry.account, entry.display_name)).collect())
}

async fn search(person: &Person, query: &str) -> Result<Page<UserEntry>, Stop> {
    person.get(&format!("/users/search?{query}")).await?.read(200)
}

fn names(page: &Page<UserEntry>) -> Vec<String> {
    page.items.iter().map(|entry| entry.name.to_string()).collect()
}

async fn named(relay: &Ground, name: String) -> Result<Person, Stop> {
    relay.register(Candidate { name, ..Candidate::new() }).await
}

async fn beginning(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let name = &pair.alice.name;
    same("names that begin so", &vec![name.clone()], &names(&search(&pair.bob, &format!("q={}", &name[..15])).await?))?;
    same("names that begin so", &vec![name.clone()], &names(&search(&pair.bob, &format!("q={name}")).await?))?;
    let none: Vec<String> = Vec::new();
    same("names that begin so", &none, &names(&search(&pair.bob, &format!("q={}", &name[6..])).await?))?;
    same("names that begin so", &none, &names(&search(&pair.bob, &format!("q={name}-")).await?))
}

async fn underscore(relay: &Ground) -> Outcome {
    let beginning = fresh_name("s");
    let with = named(relay, format!("{beginning}_x")).await?;
    let without = named(relay, format!("{beginning}-x")).await?;
    let found = names(&search(&without, &format!("q={beginning}_")).await?);
    same("found", &vec![with.name], &found)
}

async fn in_order(relay: &Ground) -> Outcome {
    let beginning = fresh_name("s");
    // In the order of the bytes: `-`, digits, `_`, letters.
    let mut expected = Vec::new();
    let mut last = None;
    for tail in ["a", "_", "0", "-"] {
        let person = named(relay, format!("{beginning}{tail}")).await?;
        expected.insert(0, person.name.clone());
        last = Some(person);
    }
    let Some(person) = last else { return Ok(()) };
    same("found", &expected, &names(&search(&person, &format!("q={beginning}")).await?))
}

async fn percent(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let start = &pair.alice.name[..5];
    for q in ["%25", "*", "%27", "%5C", &format!("{start}%25"), &format!("{start}*"), "%00"] {
        same("found", &Vec::<String>::new(), &names(&search(&pair.bob, &format!("q={q}")).await?))?;
    }
    Ok(())
}

async fn upper_case(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let upper = pair.alice.name[..6].to_uppercase();
    same("found", &Vec::<String>::new(), &names(&search(&pair.bob, &format!("q={upper}")).await?))
}

async fn everybody(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for query in ["q=&limit=2", "limit=2"] {
        let page = search(&pair.alice, query).await?;
        that(page.items.len() == 2, "a page of two", page.items.len())?;
    }
    // Just before Alice's own name, an empty `q` goes on to her.
    let mut before = pair.alice.name.clone();
    before.pop();
    let page = search(&pair.alice, &format!("q=&limit=1&after={before}")).await?;
    same("next name", &vec![pair.alice.name.clone()], &names(&page))
}

async fn after(relay: &Ground) -> Outcome {
    let beginning = fresh_name("s");
    for tail in ["1", "2", "3"] {
        named(relay, format!("{beginning}{tail}")).await?;
    }
    let pair = relay.pair().await?;
    let first = search(&pair.alice, &format!("q={beginning}&limit=2")).await?;
    same("first page", &vec![format!("{beginning}1"), format!("{beginning}2")], &names(&first))?;
    same("next", &Some(format!("{beginning}2")), &first.next)?;
    let second = search(&pair.alice, &format!("q={beginning}&limit=2&after={beginning}2")).await?;
    same("second page", &(vec![format!("{beginning}3")], None), &(names(&second), second.next.clone()))
}

async fn page_of(person: &Person, limit: &str) -> Result<usize, Stop> {
    search(person, &format!("limit={limit}")).await.map(|page| page.items.len())
}

async fn limits(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    for (limit, most) in [("0", 1), ("1", 1), ("2", 2), ("100", 100), ("101", 100), ("4294967295", 100)] {
        let seen = page_of(&pair.alice, limit).await?;
        that(seen <= most && seen >= most.min(2), format!("limit={limit}: at most {most} items"), seen)?;
    }
    let seen = page_of(&pair.alice, "18446744073709551616").await?;
    that((2..=100).contains(&seen), "limit=18446744073709551616: at most 100 items", seen)
}

async fn negative(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    same("items", &1, &page_of(&pair.alice, "-5").await?)
}

async fn default_limit(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    // Other checks register people meanwhile.
    let before = page_of(&pair.alice, "100").await?;
    let seen = search(&pair.alice, "q=").await?.items.len();
    let after = page_of(&pair.alice, "100").await?;
    that((before..=after).contains(&seen), "as many items as with limit=100", (before, seen, after))
}

/// Somebody with five chats.
async fn sociable(relay: &Ground) -> Result<(Person, Vec<String>), Stop> {
    let person = relay.person().await?;
    let mut chats = Vec::new();
    let (one, two) = (relay.pair().await?, relay.pair().await?);
    for peer in [&one.alice, &one.bob, &two.alice, &two.bob] {
        chats.push(person.open_chat(&peer.name).await?.to_string());
    }
    chats.sort_unstable();
    Ok((person, chats))
}

async fn chats(person: &Person, query: &str) -> Result<Page<Chat>, Stop> {
    person.get(&format!("/chats?{query}")).await?.read(200)
}

async fn every_chat(relay: &Ground) -> Outcome {
    let (person, expected) = sociable(relay).await?;
    for limit in [1, 3] {
        let (mut found, mut query) = (Vec::new(), format!("limit={limit}"));
        loop {
            let page = chats(&person, &query).await?;
            that(page.items.len() <= limit, format!("at most {limit} items"), page.items.len())?;
            found.extend(page.items.iter().map(|chat| chat.chat.to_string()));
            let Some(next) = page.next else { break };
            that(found.len() <= expected.len(), "an end", found.len())?;
            query = format!("limit={limit}&after={next}");
        }
        same("chats", &expected, &found)?;
    }
    Ok(())
}

async fn filled(relay: &Ground) -> Outcome {
    let (person, expected) = sociable(relay).await?;
    let page = chats(&person, &format!("limit={}", expected.len())).await?;
    same("items and next", &(expected.len(), None), &(page.items.len(), page.next))
}

async fn behind_end(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let page = chats(&pair.alice, &format!("after={}", "f".repeat(32))).await?;
    same("items and next", &(0, None), &(page.items.len(), page.next))?;
    let page = search(&pair.alice, &format!("q={}&after={}", pair.alice.name, pair.alice.name)).await?;
    same("items and next", &(0, None), &(page.items.len(), page.next))?;
    let messages = format!("/chats/{}/messages?after=9223372036854775807", pair.chat);
    let page: Page<Value> = pair.alice.get(&messages).await?.read(200)?;
    same("items and next", &(0, None), &(page.items.len(), page.next))
}

async fn nonsense(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let upper = format!("{}A", &hex::encode(random::<16>())[..31]);
    for after in ["x", "", "0", &upper] {
        pair.alice.get(&format!("/chats?after={after}")).await?.refused(ErrorCode::InvalidRequest)?;
    }
    Ok(())
}
