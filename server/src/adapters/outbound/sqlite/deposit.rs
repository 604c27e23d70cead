//! Writing messages and forgetting them, many in one transaction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use susurro_protocol::{ChatId, DeviceId, MailboxSeq, MessageId};

use super::known::{self, Added, Known, Used};
use super::rows::signed;
use super::writer::Range;
use crate::domain::mailbox::MailboxBounds;
use crate::domain::message::{Deposited, MESSAGE_ID_MEMORY_MS, NewMessage, Waiting};

/// Mailboxes whose numbers are kept in memory. A relay with more active devices reads some again.
const MAILBOXES_KEPT: usize = 100_000;

/// What the writer knows of each mailbox. It is the only one who changes them, so what it keeps
/// is right until a transaction fails.
pub(super) struct Ledger {
    bounds: MailboxBounds,
    kept: HashMap<DeviceId, Mailbox>,
    /// `None` after a failure: what is in the database counts.
    known: Option<Known>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Mailbox {
    number: i64,
    head: MailboxSeq,
    waiting: u64,
    /// At least the bytes of what waits.
    bytes: u64,
    /// Whether they are exactly as many.
    is_counted: bool,
    changed: bool,
}

/// What one transaction did with its messages.
#[derive(Default)]
pub(super) struct Deposits {
    /// For each message, in their order.
    pub(super) outcomes: Vec<Deposited>,
    /// What the mailboxes hold by now, in the order of their positions.
    pub(super) committed: Vec<Waiting>,
    /// The mailboxes as they are after the commit.
    pub(super) touched: HashMap<DeviceId, Mailbox>,
    added: Added,
}

/// The statements of one transaction, prepared once in the life of the connection.
struct Statements<'c> {
    mailbox: CachedStatement<'c>,
    insert: CachedStatement<'c>,
    bytes: CachedStatement<'c>,
    known: known::Statements<'c>,
}

impl Ledger {
    pub(super) fn new(bounds: MailboxBounds) -> Self {
        Self { bounds, kept: HashMap::new(), known: None }
    }

    /// Writes acknowledgements and messages. Nothing of this may be believed before the commit.
    pub(super) fn write(
        &mut self,
        connection: &Connection,
        acknowledged: &HashMap<Range, MailboxSeq>,
        messages: &[NewMessage],
    ) -> Result<Deposits, rusqlite::Error> {
        let mut done = Deposits {
            outcomes: Vec::with_capacity(messages.len()),
            committed: Vec::with_capacity(messages.len()),
            ..Deposits::default()
        };
        let known = match self.known.take() {
            Some(known) => known,
            None => Known::load(connection)?,
        };
        // It stays away when anything fails.
        self.write_with(&known, connection, acknowledged, messages, &mut done)?;
        self.known = Some(known);
        Ok(done)
    }

    fn write_with(
        &self,
        known: &Known,
        connection: &Connection,
        acknowledged: &HashMap<Range, MailboxSeq>,
        messages: &[NewMessage],
        done: &mut Deposits,
    ) -> Result<(), rusqlite::Error> {
        let mut statements = Statements::prepare(connection)?;
        let mut delete = connection.prepare_cached("DELETE FROM messages WHERE mailbox = ? AND seq <= ?")?;
        for ((device, chat), cursor) in acknowledged {
            let Some(mailbox) = self.mailbox(&mut statements, &mut done.touched, *device)? else { continue };
            if mailbox.waiting > 0 {
                let is_all = chat.is_none() && *cursor >= mailbox.head;
                // Adding up what goes costs a look at each row, which mailboxes that are far from full are spared.
                let freed = if mailbox.bytes > self.bounds.bytes / 2 && !is_all {
                    Some(statements.bytes(mailbox.number, *cursor, chat.as_ref())?)
                } else {
                    None
                };
                let gone = match chat {
                    None => delete.execute(params![mailbox.number, signed(*cursor)])?,
                    Some(chat) => connection
                        .prepare_cached("DELETE FROM messages WHERE mailbox = ? AND seq <= ? AND chat = ?")?
                        .execute(params![mailbox.number, signed(*cursor), chat.as_bytes()])?,
                };
                mailbox.less(gone as u64, freed);
            }
        }
        for message in messages {
            let outcome = self.deposit(known, &mut statements, done, message)?;
            done.outcomes.push(outcome);
        }
        update_mailboxes(connection, &done.touched)?;
        known.index(connection, &mut done.added)
    }

    /// Writes one message and remembers its id, unless that is known or a mailbox is full.
    fn deposit(
        &self,
        known: &Known,
        statements: &mut Statements<'_>,
        done: &mut Deposits,
        message: &NewMessage,
    ) -> Result<Deposited, rusqlite::Error> {
        let Some(sender) = self.mailbox(statements, &mut done.touched, message.sender_device)? else {
            return Ok(Deposited::NoMailbox);
        };
        let key = (sender.number, message.message);
        if let Some((content, stored_at)) = known.find(&mut statements.known, &done.added, &key)? {
            let same = content == message.content;
            return Ok(if same { Deposited::Repeated { stored_at } } else { Deposited::IdReused });
        }
        if let Some(refused) = self.no_room(statements, done, message)? {
            return Ok(refused);
        }
        let (sender, stored_at) = (key.0, signed(message.stored_at));
        known.append(&mut statements.known, &mut done.added, key, &message.content, stored_at)?;
        for (device, ciphertext) in &message.deposits {
            let Some(mailbox) = done.touched.get_mut(device) else { continue };
            mailbox.head += 1;
            mailbox.waiting += 1;
            mailbox.bytes = mailbox.bytes.saturating_add(ciphertext.len() as u64);
            mailbox.changed = true;
            statements.insert.execute(params![
                mailbox.number,
                signed(mailbox.head),
                message.message.as_bytes(),
                message.chat.as_bytes(),
                sender,
                stored_at,
                message.expires_at.map(signed),
                &ciphertext[..],
            ])?;
            done.committed.push(Waiting {
                mailbox: *device,
                seq: mailbox.head,
                message: message.message,
                chat: message.chat,
                sender: message.sender,
                sender_device: message.sender_device,
                stored_at: message.stored_at,
                ciphertext: ciphertext.clone(),
            });
        }
        Ok(Deposited::Stored { stored_at: message.stored_at })
    }

    /// Why a new message has no place in every mailbox, if so.
    fn no_room(
        &self,
        statements: &mut Statements<'_>,
        done: &mut Deposits,
        message: &NewMessage,
    ) -> Result<Option<Deposited>, rusqlite::Error> {
        for (device, ciphertext) in &message.deposits {
            let Some(mailbox) = self.mailbox(statements, &mut done.touched, *device)? else {
                return Ok(Some(Deposited::NoMailbox));
            };
            if self.bounds.admit(mailbox.waiting, mailbox.bytes, ciphertext.len()) {
                continue;
            }
            if !mailbox.is_counted && mailbox.waiting < self.bounds.messages {
                mailbox.bytes = statements.bytes(mailbox.number, MailboxSeq::MAX, None)?;
                (mailbox.is_counted, mailbox.changed) = (true, true);
            }
            if !self.bounds.admit(mailbox.waiting, mailbox.bytes, ciphertext.len()) {
                return Ok(Some(Deposited::MailboxFull));
            }
        }
        Ok(None)
    }

    /// The mailbox of a device as this transaction sees it.
    fn mailbox<'t>(
        &self,
        statements: &mut Statements<'_>,
        touched: &'t mut HashMap<DeviceId, Mailbox>,
        device: DeviceId,
    ) -> Result<Option<&'t mut Mailbox>, rusqlite::Error> {
        match touched.entry(device) {
            Entry::Occupied(known) => Ok(Some(known.into_mut())),
            Entry::Vacant(vacant) => {
                let found = match self.kept.get(&device) {
                    Some(kept) => Some(*kept),
                    None => statements.load(&device)?,
                };
                Ok(found.map(|mailbox| vacant.insert(mailbox)))
            }
        }
    }

    /// Keeps what a commit has made true. `expired` says that rows went that nobody counted here.
    pub(super) fn settle(&mut self, deposits: &mut Deposits, expired: bool) {
        let touched = std::mem::take(&mut deposits.touched);
        if expired {
            return self.forget();
        }
        if self.kept.len() + touched.len() > MAILBOXES_KEPT {
            self.kept.clear();
        }
        self.kept.extend(touched.into_iter().map(|(device, mailbox)| (device, Mailbox { changed: false, ..mailbox })));
        if let Some(known) = &mut self.known {
            known.settle(std::mem::take(&mut deposits.added));
        }
    }

    /// Believes nothing any longer.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
        self.known = None;
    }

    /// Believes nothing of the mailboxes any longer, which somebody else has changed.
    pub(super) fn forget_mailboxes(&mut self) {
        self.kept.clear();
    }

    /// What is remembered under a message id of a device.
    pub(super) fn recall(
        &mut self,
        connection: &Connection,
        device: &DeviceId,
        message: MessageId,
    ) -> Result<Option<Used>, rusqlite::Error> {
        let mut statements = Statements::prepare(connection)?;
        let Some(mailbox) = statements.load(device)? else { return Ok(None) };
        let known = match self.known.take() {
            Some(known) => known,
            None => Known::load(connection)?,
        };
        let found = known.find(&mut statements.known, &Added::default(), &(mailbox.number, message));
        self.known = Some(known);
        found
    }
}

impl Mailbox {
    /// Without as many messages, which had so many bytes in all if somebody has added them up.
    fn less(&mut self, messages: u64, bytes: Option<u64>) {
        if messages == 0 {
            return;
        }
        (self.waiting, self.changed) = (self.waiting.saturating_sub(messages), true);
        match bytes {
            _ if self.waiting == 0 => (self.bytes, self.is_counted) = (0, true),
            Some(bytes) => self.bytes = self.bytes.saturating_sub(bytes),
            None => self.is_counted = false,
        }
    }
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            mailbox: connection.prepare_cached(
                "SELECT d.number, m.head, m.waiting, m.bytes FROM devices d JOIN mailboxes m ON m.device = d.number \
                 WHERE d.device = ?",
            )?,
            insert: connection.prepare_cached(
                "INSERT INTO messages (mailbox, seq, message, chat, sender, stored_at, expires_at, body) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            bytes: connection.prepare_cached(
                "SELECT coalesce(sum(length(body)), 0) FROM messages WHERE mailbox = ?1 AND seq <= ?2 \
                 AND (?3 IS NULL OR chat = ?3)",
            )?,
            known: known::Statements::prepare(connection)?,
        })
    }

    fn load(&mut self, device: &DeviceId) -> Result<Option<Mailbox>, rusqlite::Error> {
        let found = self.mailbox.query_row([&device.as_bytes()[..]], |row| {
            let count = |column| row.get::<usize, i64>(column).map(i64::unsigned_abs);
            let (head, waiting, bytes) = (count(1)?, count(2)?, count(3)?);
            Ok(Mailbox { number: row.get(0)?, head, waiting, bytes, is_counted: false, changed: false })
        });
        found.optional()
    }

    /// The bytes of what waits up to a position, in all chats or in one.
    fn bytes(&mut self, mailbox: i64, up_to: MailboxSeq, chat: Option<&ChatId>) -> Result<u64, rusqlite::Error> {
        let chat = chat.map(|chat| chat.as_bytes().to_vec());
        self.bytes.query_row(params![mailbox, signed(up_to), chat], |row| row.get(0).map(i64::unsigned_abs))
    }
}

fn update_mailboxes(connection: &Connection, touched: &HashMap<DeviceId, Mailbox>) -> Result<(), rusqlite::Error> {
    let mut update =
        connection.prepare_cached("UPDATE mailboxes SET head = ?, waiting = ?, bytes = ? WHERE device = ?")?;
    for mailbox in touched.values().filter(|mailbox| mailbox.changed) {
        update.execute(params![
            signed(mailbox.head),
            signed(mailbox.waiting),
            signed(mailbox.bytes),
            mailbox.number
        ])?;
    }
    Ok(())
}

/// Drops what is past its time, a bounded number of rows of each kind.
pub(super) fn expire(connection: &Connection, now: u64, batch: u32) -> Result<u64, rusqlite::Error> {
    let oldest = signed(now.saturating_sub(MESSAGE_ID_MEMORY_MS));
    let mut gone = 0;
    // Rows lie in the order of arrival: the first one that is young enough ends the search.
    let by_age = "SELECT id, mailbox, size FROM \
                  (SELECT id, mailbox, stored_at, length(body) AS size FROM messages ORDER BY id LIMIT ?2) \
                  WHERE stored_at <= ?1";
    let by_wish = "SELECT id, mailbox, length(body) FROM messages WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
    let mut delete = connection.prepare_cached("DELETE FROM messages WHERE id = ?")?;
    let mut uncount = connection.prepare_cached(
        "UPDATE mailboxes SET waiting = max(waiting - 1, 0), \
         bytes = iif(waiting <= 1, 0, max(bytes - ?2, 0)) WHERE device = ?1",
    )?;
    for (select, limit) in [(by_age, oldest), (by_wish, signed(now))] {
        let mut select = connection.prepare_cached(select)?;
        let rows = select.query_map(params![limit, batch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let over: Vec<(i64, i64, i64)> = rows.collect::<Result<_, _>>()?;
        for (id, mailbox, bytes) in over {
            delete.execute([id])?;
            uncount.execute([mailbox, bytes])?;
            gone += 1;
        }
    }
    Ok(gone + known::expire(connection, oldest, batch)?)
}
