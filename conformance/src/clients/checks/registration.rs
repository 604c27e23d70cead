//! Registration, login, passwords, and things that are no relay.

use ed25519_dalek::SigningKey;
use susurro_client_core::crypto::stretch_password;
use susurro_client_core::profile::fingerprint;
use susurro_protocol::rest::{AUTH_SCHEME, AuthParams, LoginRequest, PublishKeys, RegisterRequest, StretchParams};

use super::rules;
use crate::clients::fault;
use crate::clients::relay::{Point, Reply, Turn, rest};
use crate::clients::run::Lanes;
use crate::clients::stage::Lane;
use crate::search::Marker;
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome, Stop};

pub(super) fn checks() -> Vec<Check<Lanes>> {
    vec![
        client!(
            "PWD-1/nothing-but-the-stretched",
            ["PWD-1", "PWD-3"],
            "what leaves the client at registration and login",
            nothing_raw
        ),
        client!(
            "PWD-2/weak-or-costly-stretching",
            ["PWD-2"],
            "costs below and above the limits, and another scheme, at login",
            bad_costs
        ),
        client!("PWD-3/salt-and-costs", ["PWD-3", "AUTH-8"], "two registrations with the same password", salts),
        client!("REST-1/plain-http-elsewhere", ["REST-1"], "an http:// address of another machine", plain_http),
        client!(
            "REST-6/something-else-answers",
            ["REST-6", "ENC-8"],
            "web pages, other services, redirects and floods for /.well-known/susurro",
            no_relay
        ),
        client!("HS-3/other-key-at-login", ["HS-3"], "a login at a relay with another key", other_key_at_login),
        client!("AUTH-7/name-taken", ["AUTH-7", "ACT-7"], "a registration under a name that somebody has", name_taken),
        client!(
            "KEY-6/killed-while-publishing",
            ["KEY-6", "PUB-5"],
            "kill -9 when the prekeys have just left",
            killed_while_publishing
        ),
    ]
}

/// `auth` and `backup` as section 15.2 computes them, beside the runtime.
async fn stretched(password: &str, params: StretchParams) -> Result<([u8; 32], [u8; 32]), Stop> {
    let password = password.to_owned();
    let work = tokio::task::spawn_blocking(move || stretch_password(&password, &params));
    let stretched = work.await.map_err(fault)?.map_err(fault)?;
    Ok((*stretched.auth, *stretched.backup))
}

async fn nothing_raw(lane: &Lane) -> Outcome {
    let stage = lane.empty().await?;
    stage.register().await?.done()?;
    stage.alice.run(&["logout"]).await?.done()?;
    stage.alice.run(&["login", "--relay", &stage.url, "--name", "alice"]).await?.done()?;
    let (register, login): (RegisterRequest, LoginRequest) = {
        let record = stage.relay.record();
        let body =
            |route: &'static str| record.requests(route).last().map(|asked| asked.body.clone()).unwrap_or_default();
        (
            serde_json::from_slice(&body("POST /auth/register")).map_err(fault)?,
            serde_json::from_slice(&body("POST /auth/login")).map_err(fault)?,
        )
    };
    let (auth, backup) = stretched(&stage.alice.password, register.stretch).await?;
    that(register.auth.0 == auth && login.auth.0 == auth, "auth is the stretched password", "another value")?;
    let secrets = [
        Marker::new("the password", stage.alice.password.as_bytes()),
        Marker::new("the passphrase", stage.alice.passphrase.as_bytes()),
        Marker::new("backup", &backup),
    ];
    let leaked = crate::search::leaks("what the client sent", &stage.relay.record().bytes, &secrets);
    that(leaked.is_empty(), "no secret leaves the client", leaked)?;
    stage.finish()
}

async fn bad_costs(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    stage.alice.run(&["logout"]).await?.done()?;
    let good = stage.relay.world().accounts.get("alice").map(|account| account.stretch.clone());
    let good = good.ok_or_else(|| fault("alice has an account"))?;
    let bad = [
        StretchParams { memory_kib: 8192, ..good.clone() },
        StretchParams { passes: 2, ..good.clone() },
        StretchParams { lanes: 0, ..good.clone() },
        StretchParams { memory_kib: 2 * 1024 * 1024, ..good.clone() },
        StretchParams { passes: u32::MAX, ..good.clone() },
        StretchParams { lanes: 17, ..good.clone() },
        StretchParams { scheme: AUTH_SCHEME.replace("id", "i"), ..good.clone() },
    ];
    let login = ["login", "--relay", &stage.url, "--name", "alice"];
    for params in bad {
        stage.relay.rules(rules(|rules| {
            let params = params.clone();
            rules.after = Some(Box::new(move |asked, reply: Reply| {
                if asked.path != "/auth/params" {
                    return reply;
                }
                reply.edit(|answer: &mut AuthParams| answer.stretch = params.clone())
            }));
        }));
        stage.alice.run(&login).await?.refused()?;
        let sent = stage.relay.record().requests("POST /auth/login").count();
        that(sent == 0, format!("no login with {params:?}"), sent)?;
    }
    stage.relay.honest_again();
    stage.alice.run(&login).await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

async fn salts(lane: &Lane) -> Outcome {
    let stage = lane.empty().await?;
    stage.register().await?.done()?;
    let mut other = stage.alice.clone();
    other.profile = stage.folder.path().join("other");
    other.run(&["register", "--relay", &stage.url, "--name", "other"]).await?.done()?;
    let salts: Vec<_> = {
        let world = stage.relay.world();
        ["alice", "other"].iter().filter_map(|name| Some(world.accounts.get(*name)?.stretch.salt)).collect()
    };
    that(salts.len() == 2 && salts[0] != salts[1], "another salt for each registration", salts)?;
    stage.finish()
}

async fn plain_http(lane: &Lane) -> Outcome {
    let stage = lane.empty().await?;
    for url in ["http://relay.invalid", "http://192.0.2.1:8080", "ftp://127.0.0.1"] {
        let said = stage.alice.run(&["register", "--relay", url, "--name", "alice"]).await?;
        said.ended_with(&[2])?;
    }
    stage.register().await?.done()
}

async fn no_relay(lane: &Lane) -> Outcome {
    let stage = lane.empty().await?;
    let info = serde_json::to_value(rest::info(&stage.relay.world())).map_err(fault)?;
    let with = |name: &str, value: serde_json::Value| {
        let mut info = info.clone();
        info[name] = value;
        Reply::of(200, "application/json", info.to_string())
    };
    let mut without = info.clone();
    without.as_object_mut().and_then(|members| members.remove("relay_key"));
    let answers = [
        Reply::of(200, "text/html", "<!doctype html><title>It works</title>"),
        Reply::of(200, "application/json", "{}"),
        Reply::of(200, "application/json", "[]"),
        Reply::of(200, "application/json", vec![b' '; 4 * 1024 * 1024]),
        Reply::of(200, "application/json", "[".repeat(100_000)),
        Reply::of(404, "text/plain", "nothing here"),
        Reply::of(302, "text/plain", "elsewhere").with("location", format!("{}/.well-known/susurro?again", stage.url)),
        Reply::of(500, "text/plain", ""),
        Reply::of(200, "application/json", without.to_string()),
        with("service", "another".into()),
        with("min_version", 9.into()),
        with("relay_key", "AAAA".into()),
    ];
    for answer in answers {
        let shown =
            format!("{} {:?}", answer.status, String::from_utf8_lossy(&answer.body[..answer.body.len().min(60)]));
        stage.relay.rules(rules(|rules| {
            let answer = answer.clone();
            rules.before = Some(Box::new(move |_, asked| {
                (asked.path == "/.well-known/susurro" && asked.query.is_empty()).then(|| answer.clone())
            }));
        }));
        stage.register().await?.ended_with(&[4])?;
        let registered = stage.relay.record().requests("POST /auth/register").count();
        that(registered == 0, "nothing is registered there", shown)?;
    }
    stage.relay.rules(rules(|rules| {
        rules.after = Some(Box::new(|asked, reply: Reply| {
            // A member of a later version is no reason to refuse.
            if asked.path != "/.well-known/susurro" {
                return reply;
            }
            reply.edit(|info: &mut serde_json::Value| info["later"] = "member".into())
        }));
    }));
    stage.register().await?.done()?;
    stage.finish()
}

async fn other_key_at_login(lane: &Lane) -> Outcome {
    let mut stage = lane.acquainted().await?;
    stage.queues("kept").await?;
    stage.alice.run(&["logout"]).await?.done()?;
    let pinned = stage.relay.world().key.clone();
    let other = SigningKey::from_bytes(&[8; 32]);
    stage.relay.world().key = other.clone();
    let login = ["login", "--relay", &stage.url, "--name", "alice"];
    let said = stage.alice.run(&login).await?;
    said.ended_with(&[5])?;
    let digits: String = said.stderr.chars().filter(char::is_ascii_hexdigit).collect();
    for key in [&pinned, &other] {
        let shown = fingerprint(&key.verifying_key().to_bytes());
        that(digits.contains(&shown.replace(' ', "")), format!("stderr shows {shown}"), &said.stderr)?;
    }
    let sent = stage.relay.record().requests("POST /auth/login").count();
    that(sent == 0, "no password is shown to another relay", sent)?;
    stage.relay.world().key = pinned;
    stage.alice.run(&login).await?.done()?;
    stage.all_is_well_again().await?;
    stage.bob_has(&["kept"])?;
    stage.finish()
}

async fn name_taken(lane: &Lane) -> Outcome {
    let stage = lane.empty().await?;
    stage.alice.run(&["register", "--relay", &stage.url, "--name", "bob"]).await?.ended_with(&[1])?;
    stage.register().await?.done()?;
    stage.finish()
}

async fn killed_while_publishing(lane: &Lane) -> Outcome {
    let mut stage = lane.empty().await?;
    stage.relay.rules(rules(|rules| {
        rules.turn = Some(Box::new(|point| match point {
            Point::Asked(asked) if asked.is("PUT /keys") => Turn::Freeze,
            _ => Turn::Go,
        }));
    }));
    let running = stage.alice.start(&["register", "--relay", &stage.url, "--name", "alice"], b"").await?;
    let seen =
        stage.relay.until("PUT /keys after a registration", |record| record.requests("PUT /keys").next().is_some());
    let seen = seen.await;
    running.kill().await?;
    seen?;
    let body = stage.relay.record().requests("PUT /keys").next().map(|asked| asked.body.clone()).unwrap_or_default();
    let keys: PublishKeys = serde_json::from_slice(&body).map_err(fault)?;
    {
        let mut world = stage.relay.world();
        let device = world.device_of("alice").ok_or_else(|| fault("alice is registered"))?;
        world.publish(device, &keys);
    }
    stage.relay.honest_again();
    stage.bob.write(&stage.relay, "alice", "for a published key")?;
    let said = stage.register().await?;
    // Done already, or done now.
    said.ended_with(&[0, 1])?;
    stage.alice_gets(&["for a published key"]).await?;
    same("published keys", &true, &(keys.one_time.len() <= 200))?;
    stage.finish()
}
