//! What a message has to be before it is stored.

use std::collections::HashSet;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use susurro_protocol::command::{Deposit, ListVersion, Whisper};
use susurro_protocol::limits::{CIPHERTEXT_MAX, DEVICES_MAX, TIME_TO_LIVE_MAX, WHISPER_MAX};
use susurro_protocol::rest::{ChatConfig, ConfigureChat};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, AccountName, ChatId, DeviceId, ErrorCode, MailboxSeq, MessageId};

use super::error::{Error, Mismatch};

/// Milliseconds for which a message id is remembered, so that sending again stores nothing twice:
/// as long as a message can wait, and as long as a client's refresh token lets it come back.
pub const MESSAGE_ID_MEMORY_MS: u64 = 30 * 24 * 3600 * 1000;

/// Who is in a chat, with which devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// The members.
    pub members: Vec<Member>,
    /// Seconds for which the chat lets a message wait; 0 for the longest.
    pub disappear_after: u32,
}

/// A member of a chat with the devices of its present list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// Version of its device list.
    pub list_version: u64,
    /// The devices of that list.
    pub devices: Vec<DeviceId>,
}

/// A chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRecord {
    /// The chat.
    pub chat: ChatId,
    /// Its members and their names.
    pub members: Vec<(AccountId, AccountName)>,
    /// When it was opened, in milliseconds since 1970.
    pub created: u64,
    /// What its members have agreed on.
    pub config: ChatConfig,
    /// Members who have left; nobody can send as long as there are any.
    pub left: Vec<AccountId>,
}

impl ChatRecord {
    /// Whether an account sees this chat.
    #[must_use]
    pub fn is_of(&self, account: &AccountId) -> bool {
        self.members.iter().any(|(member, _)| member == account) && !self.left.contains(account)
    }
}

/// What a chat's configuration is to become.
///
/// # Errors
///
/// `ConfigConflict` when it is not the version that the change is based on; `InvalidRequest` for a suite that this
/// version does not know or a time above `TIME_TO_LIVE_MAX`.
pub fn configure(present: &ChatConfig, change: &ConfigureChat, by: AccountId, now: u64) -> Result<ChatConfig, Error> {
    let suite = change.suite.unwrap_or(present.suite);
    let disappear_after = change.disappear_after.unwrap_or(present.disappear_after);
    if suite != SUITE {
        return Err(Error::invalid("this relay knows no such cipher suite"));
    }
    if disappear_after > TIME_TO_LIVE_MAX {
        return Err(Error::invalid("messages do not wait for that long anyway"));
    }
    if change.version != present.version {
        return Err(ErrorCode::ConfigConflict.into());
    }
    let version = present.version + 1;
    Ok(ChatConfig { version, suite, disappear_after, changed_by: Some(by), changed: Some(now) })
}

/// When a message is dropped, by the sender's wish and the chat's: the earlier of both, `None` for the longest time.
#[must_use]
pub fn expires_at(stored_at: u64, time_to_live: u32, disappear_after: u32) -> Option<u64> {
    let seconds = [time_to_live, disappear_after].into_iter().filter(|seconds| *seconds > 0).min()?;
    Some(stored_at + u64::from(seconds) * 1000)
}

/// A message as it came in, over either door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its identifier.
    pub message: MessageId,
    /// The chat.
    pub chat: ChatId,
    /// The device lists it was encrypted for.
    pub lists: Vec<ListVersion>,
    /// One ciphertext a device.
    pub deposits: Vec<Deposit>,
    /// Seconds; 0 for the longest.
    pub time_to_live: u32,
}

/// A message that was checked, on its way to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its identifier.
    pub message: MessageId,
    /// The chat.
    pub chat: ChatId,
    /// Who sends.
    pub sender: AccountId,
    /// From which device.
    pub sender_device: DeviceId,
    /// [`content_hash`].
    pub content: [u8; 32],
    /// When it came, in milliseconds since 1970.
    pub stored_at: u64,
    /// When it is dropped, in milliseconds since 1970; `None` for the longest time.
    pub expires_at: Option<u64>,
    /// A ciphertext for each mailbox.
    pub deposits: Vec<(DeviceId, Bytes)>,
}

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Whose mailbox.
    pub mailbox: DeviceId,
    /// Its position.
    pub seq: MailboxSeq,
    /// The message.
    pub message: MessageId,
    /// The chat.
    pub chat: ChatId,
    /// Who sent it.
    pub sender: AccountId,
    /// From which device.
    pub sender_device: DeviceId,
    /// When it was stored, in milliseconds since 1970.
    pub stored_at: u64,
    /// What only the recipient can read.
    pub ciphertext: Bytes,
}

/// What the store did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deposited {
    /// It is durable now.
    Stored {
        /// When it was stored.
        stored_at: u64,
    },
    /// It was durable before, with the same contents.
    Repeated {
        /// When it was stored the first time.
        stored_at: u64,
    },
    /// Its id was used for other contents.
    IdReused,
    /// A mailbox is full; nothing was stored.
    MailboxFull,
    /// A mailbox does not exist; nothing was stored.
    NoMailbox,
}

impl Deposited {
    /// When the message was stored.
    ///
    /// # Errors
    ///
    /// The code of what was refused.
    pub fn accepted(self) -> Result<u64, Error> {
        match self {
            Self::Stored { stored_at } | Self::Repeated { stored_at } => Ok(stored_at),
            Self::IdReused => Err(ErrorCode::MessageIdReused.into()),
            Self::MailboxFull => Err(ErrorCode::MailboxFull.into()),
            Self::NoMailbox => Err(ErrorCode::UnknownDevice.into()),
        }
    }
}

/// A signal on its way to one device; nothing of it is ever stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// For which device.
    pub recipient: DeviceId,
    /// The chat.
    pub chat: ChatId,
    /// Who sends.
    pub sender: AccountId,
    /// From which device.
    pub sender_device: DeviceId,
    /// What only the recipient can read, at most [`WHISPER_MAX`] bytes.
    pub ciphertext: Bytes,
}

/// Checks of a whisper what does not need the store.
///
/// # Errors
///
/// [`ErrorCode::InvalidRequest`] or [`ErrorCode::TooLarge`].
pub fn check_whisper(whisper: &Whisper) -> Result<(), Error> {
    if whisper.deposits.iter().any(|d| d.ciphertext.len() > WHISPER_MAX) {
        return Err(ErrorCode::TooLarge.into());
    }
    if whisper.deposits.iter().any(|d| d.ciphertext.is_empty()) {
        return Err(Error::invalid("a ciphertext is empty"));
    }
    if whisper.deposits.len() > 2 * DEVICES_MAX {
        return Err(Error::invalid("too many ciphertexts"));
    }
    Ok(())
}

/// The signals that a whisper becomes: one for each deposit whose device belongs to a member now,
/// once. None when the sender is no member.
#[must_use]
pub fn signals(whisper: Whisper, roster: &Roster, sender: AccountId, sender_device: DeviceId) -> Vec<Signal> {
    if !roster.members.iter().any(|m| m.account == sender) {
        return Vec::new();
    }
    let devices = roster.members.iter().flat_map(|m| &m.devices).filter(|d| **d != sender_device);
    let mut reachable: HashSet<DeviceId> = devices.copied().collect();
    let chat = whisper.chat;
    let deposits = whisper.deposits.into_iter().filter(|deposit| reachable.remove(&deposit.device));
    deposits
        .map(|Deposit { device, ciphertext }| Signal {
            recipient: device,
            chat,
            sender,
            sender_device,
            ciphertext: ciphertext.0,
        })
        .collect()
}

/// Checks everything that does not need the store.
///
/// # Errors
///
/// [`ErrorCode::InvalidRequest`] or [`ErrorCode::TooLarge`].
pub fn check_shape(submission: &Submission) -> Result<(), Error> {
    if submission.deposits.iter().any(|d| d.ciphertext.len() > CIPHERTEXT_MAX) {
        return Err(ErrorCode::TooLarge.into());
    }
    if submission.deposits.iter().any(|d| d.ciphertext.is_empty()) {
        return Err(Error::invalid("a ciphertext is empty"));
    }
    // Two members with all their devices; keeps the comparison below cheap for a hostile sender.
    if submission.deposits.len() > 2 * DEVICES_MAX || submission.lists.len() > 2 * DEVICES_MAX {
        return Err(Error::invalid("too many device lists or ciphertexts"));
    }
    if submission.time_to_live > TIME_TO_LIVE_MAX {
        return Err(Error::invalid(format!("a time to live is at most {TIME_TO_LIVE_MAX} seconds")));
    }
    Ok(())
}

/// Checks a message against the present members and devices of its chat: every list current, and
/// exactly one ciphertext for every device but the sending one.
///
/// # Errors
///
/// [`ErrorCode::UnknownChat`] when the sender is no member, [`Error::StaleDeviceList`] otherwise.
pub fn check_devices(
    submission: &Submission,
    roster: &Roster,
    sender: &AccountId,
    sender_device: &DeviceId,
) -> Result<(), Error> {
    if !roster.members.iter().any(|m| m.account == *sender) {
        return Err(ErrorCode::UnknownChat.into());
    }
    let mut mismatch = Mismatch::default();
    for member in &roster.members {
        let named: Vec<_> = submission.lists.iter().filter(|l| l.account == member.account).collect();
        if !matches!(named[..], [list] if list.version == member.list_version) {
            mismatch.stale.push(member.account);
        }
    }
    let strangers = submission.lists.iter().filter(|l| !roster.members.iter().any(|m| m.account == l.account));
    mismatch.stale.extend(strangers.map(|l| l.account));

    let devices = roster.members.iter().flat_map(|m| &m.devices).filter(|d| *d != sender_device);
    // Sorted rather than hashed: most chats have a few devices, and the largest stay far from quadratic.
    let mut expected: Vec<(DeviceId, bool)> = devices.map(|device| (*device, false)).collect();
    expected.sort_unstable();
    for deposit in &submission.deposits {
        match expected.binary_search_by_key(&deposit.device, |(device, _)| *device) {
            Ok(at) if !expected[at].1 => expected[at].1 = true,
            // A stranger's, or the same one twice.
            _ => mismatch.extra.push(deposit.device),
        }
    }
    mismatch.missing = expected.into_iter().filter(|(_, there)| !there).map(|(device, _)| device).collect();
    if mismatch == Mismatch::default() { Ok(()) } else { Err(Error::StaleDeviceList(Box::new(mismatch))) }
}

/// Names the contents of a message: its chat and its ciphertexts, whatever their order. The lists
/// and the time to live are left out: they say how to store it, not what it is.
#[must_use]
pub fn content_hash(submission: &Submission) -> [u8; 32] {
    let mut deposits: Vec<_> = submission.deposits.iter().collect();
    deposits.sort_unstable_by_key(|d| d.device);
    let mut hash = Sha256::new();
    hash.update(b"susurro-server/message\0");
    hash.update(submission.chat.as_bytes());
    for deposit in deposits {
        hash.update(deposit.device.as_bytes());
        hash.update((deposit.ciphertext.len() as u64).to_be_bytes());
        hash.update(deposit.ciphertext.as_slice());
    }
    hash.finalize().into()
}

/// The first 16 bytes of a ciphertext in hexadecimal: what tells two of them apart in a log that
/// shows what the relay sees.
#[must_use]
pub fn head(ciphertext: &[u8]) -> String {
    hex(&ciphertext[..ciphertext.len().min(16)])
}

/// The first four bytes of a device id in hexadecimal.
#[must_use]
pub fn short(device: &DeviceId) -> String {
    hex(&device.as_bytes()[..4])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "a failed test may stop anywhere")]

    use super::*;

    const ALICE: AccountId = AccountId::from_bytes([1; 16]);
    const BOB: AccountId = AccountId::from_bytes([2; 16]);

    fn device(n: u8) -> DeviceId {
        DeviceId::from_bytes([n; 16])
    }

    fn roster() -> Roster {
        let member = |account, list_version, devices: &[u8]| Member {
            account,
            list_version,
            devices: devices.iter().map(|n| device(*n)).collect(),
        };
        Roster { members: vec![member(ALICE, 3, &[1, 2]), member(BOB, 1, &[3])], disappear_after: 0 }
    }

    fn submission(lists: &[(AccountId, u64)], devices: &[u8]) -> Submission {
        Submission {
            message: MessageId::from_bytes([9; 16]),
            chat: ChatId::direct(&ALICE, &BOB),
            lists: lists
                .iter()
                .map(|(account, version)| ListVersion { account: *account, version: *version })
                .collect(),
            deposits: devices.iter().map(|n| Deposit { device: device(*n), ciphertext: [*n; 20].into() }).collect(),
            time_to_live: 0,
        }
    }

    fn check(lists: &[(AccountId, u64)], devices: &[u8]) -> Result<(), Mismatch> {
        match check_devices(&submission(lists, devices), &roster(), &ALICE, &device(1)) {
            Ok(()) => Ok(()),
            Err(Error::StaleDeviceList(mismatch)) => Err(*mismatch),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_message_goes_to_every_device_but_the_sending_one() {
        let current = [(ALICE, 3), (BOB, 1)];
        assert_eq!(check(&current, &[2, 3]), Ok(()));
        assert_eq!(check(&current, &[3]).map_err(|m| m.missing), Err(vec![device(2)]));
        assert_eq!(check(&current, &[1, 2, 3]).map_err(|m| m.extra), Err(vec![device(1)]));
        assert_eq!(check(&current, &[2, 3, 3]).map_err(|m| m.extra), Err(vec![device(3)]));
        assert_eq!(check(&current, &[2, 3, 7]).map_err(|m| m.extra), Err(vec![device(7)]));
    }

    #[test]
    fn a_list_of_another_version_missing_twice_or_of_a_stranger_is_stale() {
        let stale = |lists: &[(AccountId, u64)]| check(lists, &[2, 3]).map_err(|m| m.stale);
        let carol = AccountId::from_bytes([7; 16]);
        assert_eq!(stale(&[(ALICE, 2), (BOB, 1)]), Err(vec![ALICE]));
        assert_eq!(stale(&[(ALICE, 3)]), Err(vec![BOB]));
        assert_eq!(stale(&[(ALICE, 3), (BOB, 1), (BOB, 1)]), Err(vec![BOB]));
        assert_eq!(stale(&[(ALICE, 3), (BOB, 1), (carol, 1)]), Err(vec![carol]));
    }

    #[test]
    fn a_message_waits_for_the_shorter_of_both_times() {
        assert_eq!(expires_at(1_000, 0, 0), None);
        assert_eq!(expires_at(1_000, 5, 0), Some(6_000));
        assert_eq!(expires_at(1_000, 0, 5), Some(6_000));
        assert_eq!(expires_at(1_000, 9, 5), Some(6_000));
        assert_eq!(expires_at(1_000, 5, 9), Some(6_000));
    }

    #[test]
    fn a_configuration_is_changed_from_the_version_that_it_has() {
        let change = ConfigureChat { version: 1, suite: None, disappear_after: Some(60) };
        let changed = configure(&ChatConfig::INITIAL, &change, ALICE, 7);
        let expected =
            ChatConfig { version: 2, suite: SUITE, disappear_after: 60, changed_by: Some(ALICE), changed: Some(7) };
        assert_eq!(changed, Ok(expected));
        let code = |change| configure(&expected, &change, BOB, 8).map_err(|refused| refused.code());
        assert_eq!(code(change), Err(ErrorCode::ConfigConflict));
        let nothing = ConfigureChat { version: 2, suite: None, disappear_after: None };
        assert_eq!(code(nothing).map(|config| (config.version, config.disappear_after)), Ok((3, 60)));
        assert_eq!(code(ConfigureChat { suite: Some(2), ..nothing }), Err(ErrorCode::InvalidRequest));
        let long = ConfigureChat { disappear_after: Some(TIME_TO_LIVE_MAX + 1), ..nothing };
        assert_eq!(code(long), Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn a_stranger_cannot_send_into_a_chat() {
        let message = submission(&[(ALICE, 3), (BOB, 1)], &[2, 3]);
        let outcome = check_devices(&message, &roster(), &AccountId::from_bytes([7; 16]), &device(7));
        assert_eq!(outcome, Err(ErrorCode::UnknownChat.into()));
    }

    #[test]
    fn ciphertexts_have_a_size_and_a_message_a_longest_life() {
        let good = submission(&[], &[2]);
        assert_eq!(check_shape(&good), Ok(()));
        let mut empty = good.clone();
        empty.deposits[0].ciphertext = [].into();
        assert_eq!(check_shape(&empty).map_err(|e| e.code()), Err(ErrorCode::InvalidRequest));
        let mut large = good.clone();
        large.deposits[0].ciphertext = vec![0; CIPHERTEXT_MAX + 1].into();
        assert_eq!(check_shape(&large).map_err(|e| e.code()), Err(ErrorCode::TooLarge));
        let long = Submission { time_to_live: TIME_TO_LIVE_MAX + 1, ..good };
        assert_eq!(check_shape(&long).map_err(|e| e.code()), Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn a_whisper_reaches_each_device_of_a_member_once_and_nobody_else() {
        let whisper = |devices: &[u8]| Whisper {
            chat: ChatId::direct(&ALICE, &BOB),
            deposits: devices.iter().map(|n| Deposit { device: device(*n), ciphertext: [*n; 20].into() }).collect(),
        };
        let reached = |sender, devices: &[u8]| -> Vec<DeviceId> {
            signals(whisper(devices), &roster(), sender, device(1)).into_iter().map(|s| s.recipient).collect()
        };
        assert_eq!(reached(ALICE, &[3]), [device(3)], "a device may be left out");
        assert_eq!(reached(ALICE, &[2, 3, 3, 1, 7]), [device(2), device(3)], "not twice, not here, not to a stranger");
        assert_eq!(reached(AccountId::from_bytes([7; 16]), &[2, 3]), [], "not by a stranger");
        let refused = |size: usize, count: u8| {
            let mut whisper = whisper(&(0..count).collect::<Vec<_>>());
            whisper.deposits[0].ciphertext = vec![1; size].into();
            check_whisper(&whisper).map_err(|e| e.code())
        };
        assert_eq!(refused(WHISPER_MAX, 32), Ok(()));
        assert_eq!(refused(WHISPER_MAX + 1, 1), Err(ErrorCode::TooLarge));
        assert_eq!(refused(0, 1), Err(ErrorCode::InvalidRequest));
        assert_eq!(refused(1, 33), Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn the_content_hash_follows_chat_and_ciphertexts_but_not_their_order() {
        let one = submission(&[], &[2, 3]);
        assert_eq!(content_hash(&one), content_hash(&submission(&[(ALICE, 1)], &[3, 2])));
        let mut other = one.clone();
        other.deposits[0].ciphertext = [7; 20].into();
        assert_ne!(content_hash(&one), content_hash(&other));
        other = one.clone();
        other.chat = ChatId::from_bytes([0; 16]);
        assert_ne!(content_hash(&one), content_hash(&other));
    }
}
