//! `susurro-server admin`: accounts and invites, on the database itself, also while a relay works on it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde_json::json;
use susurro_protocol::ErrorCode;
use susurro_protocol::rest::{AdminUser, ChangeUser, CreateInvite, InviteEntry, NewAnnouncement, Page};

use super::exit::{Exit, Failure};
use super::flags::OfflineFlags;
use super::output::Output;
use crate::compose::{self, OpenOffice, StartError, StoreStats};
use crate::domain::Error;

#[derive(Args)]
pub(super) struct Admin {
    #[command(flatten)]
    flags: OfflineFlags,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Accounts.
    #[command(subcommand)]
    User(User),
    /// Invites, for a relay with --registration invite.
    #[command(subcommand)]
    Invite(Invite),
    /// Announce something to everybody who uses the relay, signed by it: to who is connected at once, to others when
    /// they come.
    Announce {
        /// What to say, up to 1,000 characters.
        text: String,
        /// For how long: a number with s, m, h or d, up to 30d.
        #[arg(long, value_name = "TIME", value_parser = life, default_value = "7d")]
        expires: Life,
    },
    /// Print the store in numbers: accounts, messages that wait, bytes.
    Stats,
    /// Print an access token of an administrator, good for an hour: for the page at /admin and for scripts.
    Token {
        /// Its name.
        name: String,
    },
}

#[derive(Subcommand)]
enum User {
    /// List accounts by name.
    List {
        /// Only names that begin with this.
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Show one account.
    Show {
        /// Its name.
        name: String,
    },
    /// End every login of an account, close its connections and let it log in no more.
    Disable {
        /// Its name.
        name: String,
    },
    /// Let an account log in again.
    Enable {
        /// Its name.
        name: String,
    },
    /// Make an account an administrator of the relay.
    Promote {
        /// Its name.
        name: String,
    },
    /// Erase an account with everything of it; its name is free again.
    Delete {
        /// Its name.
        name: String,
        /// Its name once more: nothing brings it back.
        #[arg(long, value_name = "NAME")]
        confirm: String,
    },
    /// Make an administrator an account like the others.
    Demote {
        /// Its name.
        name: String,
    },
}

#[derive(Subcommand)]
enum Invite {
    /// Make an invite and print it; it is shown this once.
    Create {
        /// How many may register with it.
        #[arg(long, value_name = "N", default_value_t = 1)]
        uses: u32,
        /// When it ends: a number with s, m, h or d, or never.
        #[arg(long, value_name = "TIME", value_parser = life, default_value = "7d")]
        expires: Life,
        /// For your own list; no name of a person has to be in it.
        #[arg(long)]
        note: Option<String>,
    },
    /// List the invites, also those that are used up or over.
    List,
    /// Take an invite back.
    Revoke {
        /// Its identifier, from the list.
        id: String,
    },
}

/// How long an invite is good; `None` for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life(Option<u32>);

fn life(text: &str) -> Result<Life, String> {
    if text == "never" {
        return Ok(Life(None));
    }
    let wrong = || "a number with s, m, h or d, such as 7d, or never".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit)).filter(|n| *n > 0);
    seconds.map(|seconds| Life(Some(seconds))).ok_or_else(wrong)
}

/// Does what was asked, and says what became of it.
pub(super) fn run(admin: Admin, output: Output) -> Result<(), Failure> {
    let Admin { flags, what } = admin;
    let config = flags.start()?;
    super::block_on(async move {
        let open = compose::office(&config).await?;
        let done = perform(&open, what, output).await;
        open.close().await;
        done
    })
}

async fn perform(open: &OpenOffice, what: What, output: Output) -> Result<(), Failure> {
    let office = &open.office;
    match what {
        What::Announce { text, expires } => {
            let seconds =
                expires.0.ok_or_else(|| Failure::new(Exit::Usage, "an announcement ends, after 30d at most"))?;
            let new = NewAnnouncement { text, expires_in: Some(seconds) };
            let made = open.announce(&new).await.map_err(|why| match why {
                StartError::Internal(refused_by_rule) => refused(refused_by_rule),
                other => other.into(),
            })?;
            output.say(&made, format_args!("announced as {}", made.id))
        }
        What::Stats => {
            let StoreStats { accounts, disabled, waiting, bytes } = open.stats().await.map_err(refused)?;
            output.say(
                &json!({ "accounts": accounts, "disabled": disabled, "waiting": waiting, "storage_bytes": bytes }),
                format_args!(
                    "accounts\t{accounts}\ndisabled\t{disabled}\nmessages waiting\t{waiting}\nbytes of the database\t{bytes}"
                ),
            )
        }
        What::Token { name } => {
            let token = known(&name, open.tokens()?.token(&name).await)?;
            output.say(&json!({ "access_token": token }), &token)
        }
        What::User(user) => users(open, user, output).await,
        What::Invite(Invite::Create { uses, expires, note }) => {
            let wanted = CreateInvite { uses, expires_in: expires.0, note };
            let made = office.create_invite(wanted).await.map_err(refused)?;
            output.say(&made, &made.invite)
        }
        What::Invite(Invite::List) => {
            let mut after = None;
            loop {
                let Page { items, next } = office.invites(after.as_deref(), None).await.map_err(refused)?;
                for entry in &items {
                    output.say(entry, invite(entry))?;
                }
                after = next;
                if after.is_none() {
                    return Ok(());
                }
            }
        }
        What::Invite(Invite::Revoke { id }) => known(&id, office.revoke_invite(&id).await),
    }
}

async fn users(open: &OpenOffice, user: User, output: Output) -> Result<(), Failure> {
    let office = &open.office;
    let (name, change) = match user {
        User::List { prefix } => {
            let mut after = None;
            loop {
                let Page { items, next } = office.users(&prefix, after.as_deref(), None).await.map_err(refused)?;
                for entry in &items {
                    output.say(entry, account(entry))?;
                }
                after = next;
                if after.is_none() {
                    return Ok(());
                }
            }
        }
        User::Delete { name, confirm } if name != confirm => {
            return Err(Failure::new(Exit::Usage, "--confirm names another account; nothing was done"));
        }
        User::Delete { name, .. } => {
            known(&name, open.erase(&name).await)?;
            return output.say(&json!({ "deleted": name }), format_args!("{name}\tdeleted"));
        }
        User::Show { name } => (name, ChangeUser::default()),
        User::Disable { name } => (name, ChangeUser { disabled: Some(true), role: None }),
        User::Enable { name } => (name, ChangeUser { disabled: Some(false), role: None }),
        User::Promote { name } => (name, ChangeUser { disabled: None, role: Some("admin".to_owned()) }),
        User::Demote { name } => (name, ChangeUser { disabled: None, role: Some("user".to_owned()) }),
    };
    let (entry, _) = known(&name, office.change_user(&name, &change).await)?;
    output.say(&entry, account(&entry))
}

/// Names what there is none of.
fn known<T>(what: &str, outcome: Result<T, Error>) -> Result<T, Failure> {
    outcome.map_err(|error| match error.code() {
        ErrorCode::NotFound => Failure::new(Exit::Missing, format_args!("there is no {}", what.escape_debug())),
        _ => refused(error),
    })
}

fn refused(error: Error) -> Failure {
    let exit = match error.code() {
        ErrorCode::InvalidRequest | ErrorCode::InvalidName => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}

fn account(user: &AdminUser) -> String {
    let state = if user.disabled.is_some() { "disabled" } else { "enabled" };
    format!("{}\t{}\t{state}\t{}", user.name, user.role, ago(user.created))
}

fn invite(entry: &InviteEntry) -> String {
    let now = now();
    let state = match entry {
        InviteEntry { revoked: Some(_), .. } => "revoked".to_owned(),
        InviteEntry { used, uses, .. } if used >= uses => "used up".to_owned(),
        InviteEntry { expires: Some(expires), .. } if *expires <= now => "over".to_owned(),
        InviteEntry { expires: Some(expires), .. } => format!("good for {}", span(expires - now)),
        InviteEntry { expires: None, .. } => "good".to_owned(),
    };
    let note = entry.note.as_deref().unwrap_or_default();
    format!("{}\t{}/{}\t{state}\t{}\t{note}", entry.id, entry.used, entry.uses, ago(entry.created))
}

fn ago(time: u64) -> String {
    format!("{} ago", span(now().saturating_sub(time)))
}

/// A span in milliseconds, in its largest unit.
fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_of_an_invite_has_a_unit() {
        assert_eq!(life("7d"), Ok(Life(Some(604_800))));
        assert_eq!(life("30m"), Ok(Life(Some(1800))));
        assert_eq!(life("never"), Ok(Life(None)));
        for wrong in ["", "7", "d", "0d", "-1d", "7w", "99999999d", "1é"] {
            assert!(life(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        assert_eq!([59_999, 60_000, 7_200_000, 200_000_000].map(span), ["59 s", "1 min", "2 h", "2 d"]);
    }
}
