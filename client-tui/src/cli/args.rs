//! The arguments: what can be asked for. The command reference and the manual are made from here.
#![allow(rustdoc::bare_urls, reason = "the comments of arguments are help texts")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use susurro_protocol::DeviceId;

/// Seconds that `recv` waits when nobody says how long: a scripted poll that ends by itself.
const RECEIVE_SECONDS: u64 = 10;

/// Seconds that `send` and `sync` wait for the relay: longer than any healthy network takes,
/// short enough that a script notices.
const NETWORK_SECONDS: u64 = 30;

/// Seconds that `send` waits for a file: 100 MiB over a slow line.
const FILE_SECONDS: u64 = 3600;

/// Seconds that `presence show` listens: who is there is told at once, by other nodes a little later.
const PRESENCE_SECONDS: u64 = 2;

/// Susurro: end-to-end encrypted messages in a terminal, through a relay that cannot read them.
///
/// Without a command it opens the full screen; the first start asks for a relay, a name, a password and a passphrase.
/// Data goes to stdout, everything else to stderr.
#[derive(Parser, Debug)]
#[command(name = "susurro", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Directory of the profile: one account, its keys and messages [default: susurro/default in the data directory]
    ///
    /// The data directory is $XDG_DATA_HOME, else ~/.local/share. Only one program can use a profile at a time.
    #[arg(long, global = true, help_heading = "Profile", value_name = "DIR", env = "SUSURRO_PROFILE", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub(crate) profile: Option<PathBuf>,

    /// Read the passphrase of the profile from this file
    ///
    /// The passphrase opens the local store. Without this option it comes from SUSURRO_PASSPHRASE, else from a prompt.
    #[arg(long, global = true, help_heading = "Profile", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase_file: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const AFTER_HELP: &str = "\
Passwords and passphrases come from SUSURRO_PASSWORD and SUSURRO_PASSPHRASE, from files, or from a prompt, never from an argument.
Exit codes: 0 done, 1 failed, 2 usage, 3 authentication, 4 network, 5 trust, 6 store.";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Make an account on a relay, and a profile for it here
    Register(Register),
    /// Log in again with the profile of this account, after a logout
    ///
    /// The keys of an account are only in its profile. A lost profile is a new device, which this version cannot add.
    Login(Account),
    /// Log this device out of the relay; the profile stays and can still be read
    Logout,
    /// Set a new password with the recovery key, after the password was forgotten
    ///
    /// Needs the profile of the account: the recovery key does not bring a lost one back. Every login of the account ends, and this
    /// device is logged in.
    Recover(Recover),
    /// Password, recovery key and display name of the account, or its end
    #[command(subcommand)]
    Account(OwnAccount),
    /// List the devices of the account, or remove one
    Devices(Devices),
    /// Send a message, or a file
    ///
    /// Prints the message's identifier on stdout as soon as the message is durable here, and ends with 0 once the relay has it durably.
    ///
    /// When nothing was printed, nothing was kept: the command can be run again. When an identifier was printed, the message is kept
    /// and will be sent exactly once, whatever the exit code: do not send it again, run `susurro sync`.
    Send(Send),
    /// Fetch the file of a message, and write it to a new file
    ///
    /// Prints the path of the file on stdout. Nothing is ever written over: without a name of your own the file gets that of the
    /// sender, made harmless, with a number where it is taken. It is written only when it is whole and exactly what was sent.
    Save(Save),
    /// Send what is queued and fetch what is waiting, then end
    Sync(Sync),
    /// Print messages that came, each one once over all calls
    ///
    /// A message counts as printed once it was written to stdout and flushed. `history` prints it again.
    /// Ends with 0 when N messages came, with 1 when the time ran out before that; without --count it ends with 0 at the timeout.
    /// When no relay was reached in all that time it ends with 4.
    Recv(Recv),
    /// Print a conversation, oldest message first
    History(History),
    /// List the conversations
    Chats(Chats),
    /// Print what the relay has announced
    ///
    /// Each was signed by the relay and says nothing of any person. `recv` and `sync` tell of new ones on stderr, once.
    Announcements(Announcements),
    /// Print the settings of this profile, or change them
    Settings(Settings),
    /// Let contacts see when you are connected, and see them; off until it is switched on
    ///
    /// One setting for both: who does not show is shown nobody. Contacts are those with whom you have a conversation; one whose key has
    /// changed is neither shown nor told. Every susurro that is connected with this profile counts, a script as well. The relay learns
    /// to whom you show yourself, keeps nothing of it, and could lie.
    Presence(Presence),
    /// Print the safety number of a conversation: the same 60 digits on both sides
    ///
    /// Compare them with the other person over another way: in person, in a call. Then confirm with --confirm.
    Verify(Verify),
    /// Check profile, store, relay, clock and keys, and say what to do
    ///
    /// Ends with 0 when all is well, else with 1. Without a passphrase it checks what can be checked without one.
    Doctor(Doctor),
    /// Show two people and what the relay sees, on one screen, with a relay of its own
    Demo(Demo),
    /// Print a completion script for a shell
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Print the manual page
    Man {
        /// Of this command instead of the whole program
        command: Option<String>,
    },
    /// Print the command reference in Markdown
    #[command(hide = true)]
    Docs,
}

#[derive(Args, Debug)]
pub(crate) struct Account {
    /// Address of the relay, as https://relay.example or http://127.0.0.1:8080
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) relay: String,
    /// Name of the account: 3 to 50 of a-z, 0-9, _ and -
    #[arg(long)]
    pub(crate) name: String,
    /// Read the password of the account from this file
    ///
    /// Without this option it comes from SUSURRO_PASSWORD, else from a prompt. It never leaves this machine as it is.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum OwnAccount {
    /// Change the password of the account; every other login of it ends
    Password {
        /// Read the present password from this file
        ///
        /// Without this option it comes from SUSURRO_PASSWORD, else from a prompt.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        password_file: Option<PathBuf>,
        /// Read the new password from this file
        ///
        /// Without this option it comes from SUSURRO_NEW_PASSWORD, else from a prompt.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        new_password_file: Option<PathBuf>,
    },
    /// Make a recovery key, and print its words once
    ///
    /// With the words and this profile a forgotten password can be replaced (`susurro recover`). Nobody keeps the words, and a new key
    /// takes the place of an earlier one.
    Recovery {
        /// Take the recovery key away instead
        #[arg(long)]
        remove: bool,
        /// Read the password from this file
        ///
        /// Without this option it comes from SUSURRO_PASSWORD, else from a prompt.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        password_file: Option<PathBuf>,
    },
    /// Set the name that others see beside that of the account
    ///
    /// The relay and everyone on it can read it.
    Name {
        /// The name
        #[arg(required_unless_present = "remove")]
        text: Option<String>,
        /// Take the name away
        #[arg(long, conflicts_with = "text")]
        remove: bool,
    },
    /// Delete the account at the relay, with everything that the relay has of it
    ///
    /// Nothing brings it back. Others can no longer write to you, what you sent and they have not fetched is gone, and the name is free for anybody.
    Delete {
        /// The name of the account once more
        #[arg(long, value_name = "NAME")]
        confirm: String,
        /// Remove this profile as well, with its keys and messages
        #[arg(long)]
        remove_profile: bool,
        /// Read the password from this file
        ///
        /// Without this option it comes from SUSURRO_PASSWORD, else from a prompt.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        password_file: Option<PathBuf>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Recover {
    /// Read the words of the recovery key from this file
    ///
    /// Without this option they come from SUSURRO_RECOVERY, else from a prompt.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) recovery_file: Option<PathBuf>,
    /// Read the new password from this file
    ///
    /// Without this option it comes from SUSURRO_NEW_PASSWORD, else from a prompt.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) new_password_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Devices {
    /// Take the device with this identifier out of the account
    #[arg(long, value_name = "DEVICE")]
    pub(crate) remove: Option<DeviceId>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Register {
    #[command(flatten)]
    pub(crate) account: Account,
    /// The invite that whoever runs the relay gave you
    ///
    /// Other users of this machine can see arguments: better use the file, SUSURRO_INVITE, or the prompt, which comes
    /// when the relay asks for an invite.
    #[arg(long, value_name = "INVITE", conflicts_with = "invite_file")]
    pub(crate) invite: Option<String>,
    /// Read the invite from this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) invite_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Send {
    /// For whom
    pub(crate) peer: String,
    /// The text; - reads it from stdin, without its last line break
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) text: Option<String>,
    /// Send this file as an attachment, up to 100 MiB
    ///
    /// It is encrypted here under a key of its own before anything is sent. An upload that was interrupted goes on where it stopped.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Only keep it in the outbox; `susurro sync` or the next start sends it
    #[arg(long, conflicts_with_all = ["wait", "timeout"])]
    pub(crate) queue: bool,
    /// How far it has to come
    #[arg(long, value_name = "STATE", value_enum, default_value_t = Wait::Accepted)]
    pub(crate) wait: Wait,
    /// Give up waiting after so many seconds [default: 30, with --file an hour]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) timeout: Option<Seconds>,
}

impl Send {
    /// How long to wait.
    pub(crate) fn patience(&self) -> Duration {
        let otherwise = if self.file.is_some() { FILE_SECONDS } else { NETWORK_SECONDS };
        self.timeout.map_or(Duration::from_secs(otherwise), |timeout| timeout.0)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Save {
    /// The message's identifier, as `history` shows it
    pub(crate) message: String,
    /// A new file, or a directory for it [default: the current directory]
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) path: Option<PathBuf>,
    /// Give up when nothing comes for so many seconds; what came is kept for the next time
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value_t = Seconds::of(NETWORK_SECONDS))]
    pub(crate) timeout: Seconds,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The relay has it durably
    Accepted,
    /// A device of the other person has decrypted and stored it
    Stored,
}

#[derive(Args, Debug)]
pub(crate) struct Sync {
    /// Give up after so many seconds
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value_t = Seconds::of(NETWORK_SECONDS))]
    pub(crate) timeout: Seconds,
}

#[derive(Args, Debug)]
pub(crate) struct Recv {
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End after so many seconds; 0 prints what is here already [default: 10, with --follow none]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) timeout: Option<Seconds>,
    /// Go on until a signal (which is then the good end: exit code 0), through lost connections
    #[arg(long)]
    pub(crate) follow: bool,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

impl Recv {
    /// How long to wait; `None` is for ever.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match (self.timeout, self.follow) {
            (Some(timeout), _) => Some(timeout.0),
            (None, true) => None,
            (None, false) => Some(Duration::from_secs(RECEIVE_SECONDS)),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct History {
    /// With whom
    pub(crate) peer: String,
    /// The newest N messages
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Chats {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Announcements {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// Whether others are told that you type, and you that they do, in the full screen [default when nothing was set: on]
    ///
    /// Who does not tell is not shown: one setting for both.
    #[arg(long, value_name = "WHETHER", value_enum)]
    pub(crate) typing: Option<Switch>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Presence {
    /// Switch it on or off, or show the setting and who is there
    #[arg(value_enum, default_value_t = Whether::Show)]
    pub(crate) whether: Whether,
    /// With show: how many seconds to hear who is there; 0 prints the setting alone
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value_t = Seconds::of(PRESENCE_SECONDS))]
    pub(crate) wait: Seconds,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whether {
    /// Contacts see when you are connected
    On,
    /// Nobody does
    Off,
    /// Print the setting, and who is there
    Show,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// With whom
    pub(crate) peer: String,
    /// The digits are the same on both sides: remember this person's key as verified
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Take the changed key with this fingerprint, without comparing the safety number
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "confirm")]
    pub(crate) accept_new_key: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Play a conversation, check everything, and end with 0 only if all was well
    #[arg(long)]
    pub(crate) script: bool,
    /// The relay's program [default: susurro-server beside this program, else on the path]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub(crate) server: Option<PathBuf>,
}

/// A time in seconds; fractions are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seconds(pub(crate) Duration);

impl Seconds {
    const fn of(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}

/// The longest time that can be asked for: a year, far below where clocks overflow.
const SECONDS_MAX: f64 = 366.0 * 24.0 * 3600.0;

fn seconds(text: &str) -> Result<Seconds, String> {
    let number: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    if !(0.0..=SECONDS_MAX).contains(&number) {
        return Err("a number of seconds from 0 to a year".to_owned());
    }
    Duration::try_from_secs_f64(number).map(Seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_profile_can_be_named_before_and_after_the_command() {
        for line in ["susurro --profile p send bob hi", "susurro send --profile p bob hi"] {
            assert_eq!(parse(line).unwrap().profile, Some("p".into()));
        }
    }

    #[test]
    fn a_mistyped_option_is_refused_and_never_sent_as_text() {
        assert!(parse("susurro send bob --qeue").is_err());
        let Some(Command::Send(send)) = parse("susurro send bob -- --qeue").unwrap().command else { panic!() };
        assert_eq!(send.text.as_deref(), Some("--qeue"));
    }

    #[test]
    fn queueing_excludes_waiting() {
        assert!(parse("susurro send bob hi --queue --wait stored").is_err());
        assert!(parse("susurro send bob hi --queue --timeout 3").is_err());
        assert!(parse("susurro send bob hi --queue").is_ok());
    }

    #[test]
    fn a_message_is_a_text_or_a_file() {
        assert!(parse("susurro send bob").is_err());
        assert!(parse("susurro send bob hi --file x").is_err());
        let Some(Command::Send(send)) = parse("susurro send bob --file x").unwrap().command else { panic!() };
        assert_eq!(send.patience(), Duration::from_secs(3600));
        let Some(Command::Send(send)) = parse("susurro send bob hi").unwrap().command else { panic!() };
        assert_eq!(send.patience(), Duration::from_secs(30));
    }

    #[test]
    fn no_option_takes_a_password_or_a_passphrase() {
        for option in ["--password", "--passphrase", "-p"] {
            assert!(parse(&format!("susurro register --relay http://x --name bob {option} secret")).is_err());
        }
    }

    #[test]
    fn times_are_seconds_and_reasonable() {
        assert_eq!(seconds("0.25"), Ok(Seconds(Duration::from_millis(250))));
        for bad in ["-1", "NaN", "inf", "1e99", "ten", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn receiving_waits_ten_seconds_unless_told_otherwise() {
        let patience = |line: &str| match parse(line).unwrap().command {
            Some(Command::Recv(recv)) => recv.patience(),
            _ => panic!(),
        };
        assert_eq!(patience("susurro recv"), Some(Duration::from_secs(10)));
        assert_eq!(patience("susurro recv --follow"), None);
        assert_eq!(patience("susurro recv --follow --timeout 3"), Some(Duration::from_secs(3)));
    }
}
