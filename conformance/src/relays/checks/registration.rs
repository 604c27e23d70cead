//! Registration, with everything wrong in turn.

use serde_json::{Value, json};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList, DeviceListBody};
use susurro_protocol::rest::{SignedText, TokenResponse, UserDevices};
use susurro_protocol::signed::{Label, SignedBytes};
use susurro_protocol::{AccountId, DeviceId, ErrorCode, codec};

use crate::check;
use crate::relays::ground::{Candidate, Ground, fresh_name, random};
use crate::suite::check::{same, that};
use crate::suite::{Check, Outcome};

pub(super) fn checks() -> Vec<Check<Ground>> {
    vec![
        check!("AUTH-8/registered", ["AUTH-8", "HTTP-9"], "a registration with nothing wrong in it", registered),
        check!("AUTH-7/name-taken", ["AUTH-7"], "a name that is taken", name_taken),
        check!(
            "AUTH-7/account-exists",
            ["AUTH-7"],
            "an account key that is registered under another name",
            account_exists
        ),
        check!("AUTH-7/race", ["AUTH-7"], "two registrations of one name at the same time", race),
        check!("ID-3/names", ["ID-3", "AUTH-9"], "names that are too short, too long, or of other characters", names),
        check!("ID-3/longest", ["ID-3"], "names of 3 and of 50 characters", longest),
        check!("AUTH-9/costs", ["AUTH-9", "LIM-1"], "costs of stretching outside the limits, each in turn", costs),
        check!("AUTH-9/scheme", ["AUTH-9"], "another scheme of stretching", scheme),
        check!("AUTH-9/order", ["AUTH-9"], "several things wrong: the first in the order is named", order),
        check!("AUTH-8/no-list", ["AUTH-8"], "a device list that is none", no_list),
        check!("AUTH-8/version-2", ["AUTH-8", "KEY-3"], "a first device list of version 2", version_two),
        check!("AUTH-8/two-devices", ["AUTH-8"], "a first device list of two devices", two_devices),
        check!("AUTH-8/no-device", ["AUTH-8", "KEY-2"], "a device list without a device", no_device),
        check!("KEY-2/list-signature", ["KEY-2"], "a device list whose signature does not hold", list_signature),
        check!("KEY-2/list-suite", ["KEY-2", "VER-4"], "a device list of another suite", list_suite),
        check!("KEY-2/predecessor", ["KEY-2"], "version 1 that names a predecessor", predecessor),
        check!("KEY-2/version-0", ["KEY-2"], "a device list of version 0", version_zero),
        check!("KEY-2/foreign-certificate", ["KEY-2"], "a certificate of another account key", foreign_certificate),
        check!(
            "KEY-2/certificate-label",
            ["KEY-2", "SIG-2"],
            "a certificate that is signed as a list",
            certificate_label
        ),
        check!(
            "KEY-1/certificate-signature",
            ["KEY-1", "KEY-2"],
            "a certificate whose signature does not hold",
            certificate_signature
        ),
        check!("KEY-1/certificate-suite", ["KEY-1", "VER-4"], "a certificate of another suite", certificate_suite),
        check!(
            "KEY-1/certificate-account",
            ["KEY-1", "ID-2"],
            "a certificate with another account's id",
            certificate_account
        ),
        check!("ID-2/list-account", ["ID-2", "KEY-2"], "a device list with another account's id", list_account),
        check!("ENC-7/padded", ["ENC-7"], "byte strings with padding, of the other alphabet, or too short", padded),
    ]
}

/// A registration that a check has changed is refused with this code.
async fn refused(relay: &Ground, code: ErrorCode, change: impl FnOnce(&mut Value)) -> Outcome {
    let candidate = Candidate::new();
    let mut request = candidate.request(&SignedText::of(candidate.list().signed()));
    change(&mut request);
    relay.post("/auth/register", &request).await?.refused(code)
}

/// A registration with this device list is refused.
async fn refused_list(relay: &Ground, make: impl FnOnce(&Candidate) -> SignedBytes) -> Outcome {
    let candidate = Candidate::new();
    let request = candidate.request(&SignedText::of(&make(&candidate)));
    relay.post("/auth/register", &request).await?.refused(ErrorCode::InvalidDeviceList)
}

/// A list that a check has changed before it is signed.
fn list(candidate: &Candidate, change: impl FnOnce(&mut DeviceListBody)) -> SignedBytes {
    let mut body = candidate.list().body().clone();
    change(&mut body);
    SignedBytes::new(&candidate.account_key, Label::DeviceList, codec::encode(&body))
}

/// A list with a certificate that a check has changed before it is signed.
fn certified(candidate: &Candidate, change: impl FnOnce(&mut CertificateBody)) -> SignedBytes {
    let mut body = candidate.certificate_body();
    change(&mut body);
    let certificate = SignedBytes::new(&candidate.account_key, Label::DeviceCertificate, codec::encode(&body));
    list(candidate, |list| list.certificates = vec![certificate])
}

async fn registered(relay: &Ground) -> Outcome {
    let candidate = Candidate::new();
    let list = candidate.list();
    let request = candidate.request(&SignedText::of(list.signed()));
    let tokens: TokenResponse = relay.post("/auth/register", &request).await?.read(201)?;
    let expected = (list.body().account, candidate.device, 3600, 2_592_000);
    let seen = (tokens.account, tokens.device, tokens.access_expires_in, tokens.refresh_expires_in);
    same("account, device and lives", &expected, &seen)?;
    let request = relay.request(reqwest::Method::GET, &format!("/users/{}/devices", candidate.name));
    let answer = crate::relays::ground::ask(request.bearer_auth(&tokens.access_token)).await?;
    let shown: UserDevices = answer.read(200)?;
    that(shown.device_list == SignedText::of(list.signed()), "the same device list", shown)
}

async fn name_taken(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    refused(relay, ErrorCode::NameTaken, |request| request["username"] = json!(pair.alice.name)).await
}

async fn account_exists(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    let mut candidate = Candidate::new();
    candidate.account_key = pair.alice.account_key.clone();
    let request = candidate.request(&SignedText::of(candidate.list().signed()));
    relay.post("/auth/register", &request).await?.refused(ErrorCode::AccountExists)
}

async fn race(relay: &Ground) -> Outcome {
    let name = fresh_name("sc-race-");
    let request = || {
        let candidate = Candidate { name: name.clone(), ..Candidate::new() };
        candidate.request(&SignedText::of(candidate.list().signed()))
    };
    let (one, other) = (request(), request());
    let (one, other) = tokio::join!(relay.post("/auth/register", &one), relay.post("/auth/register", &other));
    let (winner, loser) = match (one?, other?) {
        (one, other) if one.status == 201 => (one, other),
        (one, other) => (other, one),
    };
    winner.is(201)?;
    loser.refused(ErrorCode::NameTaken)
}

async fn names(relay: &Ground) -> Outcome {
    let long = "x".repeat(51);
    for name in ["", "bo", &long, "Bob", "b b b", "böb", "bob@host", "bob\n", "bob.", "../bob", "bob\u{0}"] {
        refused(relay, ErrorCode::InvalidName, |request| request["username"] = json!(name)).await?;
    }
    Ok(())
}

async fn longest(relay: &Ground) -> Outcome {
    // Of the 54,872 names of three characters some are taken: the answer of either kind shows that they may be.
    let short = hex::encode(random::<2>())[..3].to_owned();
    let candidate = Candidate { name: short, ..Candidate::new() };
    let request = candidate.request(&SignedText::of(candidate.list().signed()));
    let answer = relay.post("/auth/register", &request).await?;
    if answer.status != 201 {
        answer.refused(ErrorCode::NameTaken)?;
    }
    let long = format!("_-{}", &hex::encode(random::<24>()));
    relay.register(Candidate { name: long, ..Candidate::new() }).await.map(drop)
}

async fn costs(relay: &Ground) -> Outcome {
    let cases = [
        ("memory_kib", 65_535),
        ("memory_kib", 1_048_577),
        ("memory_kib", 0),
        ("passes", 2),
        ("passes", 17),
        ("lanes", 0),
        ("lanes", 17),
    ];
    for (member, value) in cases {
        refused(relay, ErrorCode::InvalidRequest, |request| request[member] = json!(value)).await?;
    }
    Ok(())
}

async fn scheme(relay: &Ground) -> Outcome {
    for scheme in ["", "argon2i-v1", "argon2id-v2", "plain"] {
        refused(relay, ErrorCode::InvalidRequest, |request| request["scheme"] = json!(scheme)).await?;
    }
    Ok(())
}

async fn order(relay: &Ground) -> Outcome {
    let pair = relay.pair().await?;
    refused(relay, ErrorCode::InvalidName, |request| {
        request["username"] = json!("No");
        request["passes"] = json!(1);
        request["device_list"] = json!("AAAA");
    })
    .await?;
    refused(relay, ErrorCode::InvalidRequest, |request| {
        request["username"] = json!(pair.alice.name);
        request["passes"] = json!(1);
        request["device_list"] = json!("AAAA");
    })
    .await?;
    refused(relay, ErrorCode::InvalidDeviceList, |request| {
        request["username"] = json!(pair.alice.name);
        request["device_list"] = json!("AAAA");
    })
    .await?;
    let mut candidate = Candidate::new();
    candidate.account_key = pair.bob.account_key.clone();
    candidate.name.clone_from(&pair.alice.name);
    let request = candidate.request(&SignedText::of(candidate.list().signed()));
    relay.post("/auth/register", &request).await?.refused(ErrorCode::NameTaken)
}

async fn no_list(relay: &Ground) -> Outcome {
    for text in ["", "AAAA", "kgA"] {
        refused(relay, ErrorCode::InvalidDeviceList, |request| request["device_list"] = json!(text)).await?;
    }
    Ok(())
}

async fn version_two(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| {
        let first = candidate.list();
        DeviceList::issue(&candidate.account_key, Some(&first), 2, first.certificates().to_vec()).signed().clone()
    })
    .await
}

async fn two_devices(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| {
        let second = CertificateBody { device: DeviceId::from_bytes(random()), ..candidate.certificate_body() };
        let certificates =
            [candidate.certificate_body(), second].map(|body| DeviceCertificate::issue(&candidate.account_key, body));
        DeviceList::issue(&candidate.account_key, None, 1, certificates.to_vec()).signed().clone()
    })
    .await
}

async fn no_device(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| list(candidate, |body| body.certificates.clear())).await
}

async fn list_signature(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| {
        let mut signed = candidate.list().signed().clone();
        signed.signature.0[9] ^= 1;
        signed
    })
    .await
}

async fn list_suite(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| list(candidate, |body| body.suite = 2)).await
}

async fn predecessor(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| list(candidate, |body| body.previous = Fixed([7; 32]))).await
}

async fn version_zero(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| list(candidate, |body| body.version = 0)).await
}

async fn foreign_certificate(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| {
        let stranger = Candidate::new().list().body().certificates.clone();
        list(candidate, |body| body.certificates = stranger)
    })
    .await
}

async fn certificate_label(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| {
        let body = codec::encode(&candidate.certificate_body());
        let certificate = SignedBytes::new(&candidate.account_key, Label::DeviceList, body);
        list(candidate, |body| body.certificates = vec![certificate])
    })
    .await
}

async fn certificate_signature(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| list(candidate, |body| body.certificates[0].signature.0[60] ^= 4)).await
}

async fn certificate_suite(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| certified(candidate, |body| body.suite = 9)).await
}

async fn certificate_account(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| certified(candidate, |body| body.account = AccountId::from_bytes(random()))).await
}

async fn list_account(relay: &Ground) -> Outcome {
    refused_list(relay, |candidate| list(candidate, |body| body.account = AccountId::from_bytes(random()))).await
}

async fn padded(relay: &Ground) -> Outcome {
    let good = susurro_protocol::bytes::to_base64(&random::<32>());
    let cases =
        [format!("{good}="), format!("+/{}", &good[2..]), good[..42].to_owned(), format!("{good}AA"), String::new()];
    for text in cases {
        refused(relay, ErrorCode::InvalidRequest, |request| request["auth"] = json!(text)).await?;
    }
    Ok(())
}
