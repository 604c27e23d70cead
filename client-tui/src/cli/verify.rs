//! `verify`: digits on stdout, the same on both sides; everything else on stderr.

use std::time::Duration;

use susurro_client_core::Error;
use susurro_client_core::client::Client;
use susurro_client_core::model::{Contact, Trust};
use susurro_client_core::profile::fingerprint;
use susurro_protocol::AccountName;
use susurro_tui::key;

use super::args::Verify;
use super::context::Context;
use super::failure::Failure;
use super::output::Data;
use super::talk;

/// How long looking up a new person may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Groups of five digits on one line.
const GROUPS: usize = 4;

pub(crate) fn run(context: &Context, options: &Verify) -> Result<(), Failure> {
    let peer: AccountName = options.peer.parse().map_err(Error::BadName)?;
    context.with_client(|client| async move {
        let contact = contact(&client, &peer).await?;
        if let Some(wanted) = &options.accept_new_key {
            return accept(context, &client, &contact, wanted).await;
        }
        let info = client.safety_number(peer.as_str()).await?;
        let lines: Vec<String> = info.groups.chunks(GROUPS).map(|line| line.join(" ")).collect();
        Data::stdout().line(&lines.join("\n"))?;
        let names = [("ours", info.ours.as_str().into()), ("theirs", info.theirs.as_str().into())];
        if options.confirm {
            if contact.trust == Trust::ChangedAfterVerification {
                // The digits are those of the new key: comparing them is the decision about it.
                client.accept_key(peer.as_str()).await?;
            }
            client.set_verified(peer.as_str()).await?;
            talk(&context.texts.with(key!("cli-verified"), &names));
            return Ok(());
        }
        let state = match info.trust {
            Trust::Unverified => key!("cli-verify-unverified"),
            Trust::Verified => key!("cli-verify-verified"),
            Trust::Changed => key!("cli-verify-changed"),
            Trust::ChangedAfterVerification => key!("cli-verify-blocked"),
        };
        talk(&context.texts.with(state, &names));
        if let Some(offered) = new_key(&contact) {
            talk(&context.texts.with(
                key!("cli-verify-offered"),
                &[("theirs", peer.as_str().into()), ("offered", fingerprint(offered).into())],
            ));
        }
        Ok(())
    })
}

/// The person, looked up on the relay when they are new.
async fn contact(client: &Client, peer: &AccountName) -> Result<Contact, Failure> {
    if let Some(contact) = client.contact(peer.as_str()).await? {
        return Ok(contact);
    }
    client.connected(PATIENCE).await?;
    Ok(client.start_chat(peer.as_str()).await?)
}

/// The key that came instead of the one that was pinned: waiting for a decision, or taken already
/// since nobody had verified the old one.
const fn new_key(contact: &Contact) -> Option<&[u8; 32]> {
    match contact.trust {
        Trust::ChangedAfterVerification => contact.offered_key.as_ref(),
        Trust::Changed => Some(&contact.account_key),
        Trust::Unverified | Trust::Verified => None,
    }
}

async fn accept(context: &Context, client: &Client, contact: &Contact, wanted: &str) -> Result<(), Failure> {
    let Some(offered) = new_key(contact).map(fingerprint) else {
        return Err(Failure::NoNewKey(contact.name.to_string()));
    };
    if !same(&offered, wanted) {
        return Err(Failure::OtherFingerprint { peer: contact.name.to_string(), offered });
    }
    client.accept_key(contact.name.as_str()).await?;
    talk(&context.texts.with(key!("cli-key-accepted"), &[("theirs", contact.name.as_str().into())]));
    Ok(())
}

/// Whether two fingerprints are the same, however they are grouped. All of it has to be there.
fn same(one: &str, other: &str) -> bool {
    let digits = |text: &str| -> String {
        text.chars().filter(|c| !c.is_whitespace() && *c != ':' && *c != '-').map(|c| c.to_ascii_lowercase()).collect()
    };
    digits(one) == digits(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_compared_whole_and_without_regard_to_its_groups() {
        let offered = fingerprint(&[7; 32]);
        assert!(same(&offered, &offered.replace(' ', "")));
        assert!(same(&offered, &offered.to_uppercase().replace(' ', ":")));
        assert!(!same(&offered, &offered[..offered.len() - 1]));
        assert!(!same(&offered, ""));
        assert!(!same(&offered, &fingerprint(&[8; 32])));
    }
}
