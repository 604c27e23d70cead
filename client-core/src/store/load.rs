//! Everything an engine starts from, read in one transaction.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection, query};
use zeroize::Zeroizing;

use super::StoreError;
use super::columns::{array, cause, delivery, id, name, number, trust};
use super::port::{ChatState, Gap, OutboxEntry, Relay, SendLogEntry, SentMessage, Snapshot, Tokens, Undecryptable};
use crate::model::{Announcement, Contact};

/// Messages that a receipt may still be about, the newest 10,000 of each contact, oldest first.
const SENT: &str = "
    SELECT id, peer, delivery FROM (
        SELECT rowid AS place, id, peer, delivery,
               row_number() OVER (PARTITION BY peer ORDER BY rowid DESC) AS age
        FROM messages WHERE direction = 1 AND delivery IN (1, 2)
    ) WHERE age <= 10000 ORDER BY place";

pub(crate) async fn snapshot(connection: &mut SqliteConnection) -> Result<Snapshot, StoreError> {
    let row = query("SELECT * FROM profile").fetch_one(&mut *connection).await?;
    Ok(Snapshot {
        name: name(row.try_get("name")?)?,
        relay: relay(&row)?,
        account_key: Zeroizing::new(array(row.try_get("account_key")?)?),
        device: secret(&row, "device")?,
        prekeys: secret(&row, "prekeys")?,
        tokens: tokens(&row)?,
        cursor: number(row.try_get("cursor")?),
        contacts: all(connection, "SELECT * FROM contacts ORDER BY name", contact).await?,
        device_lists: all(connection, "SELECT * FROM device_lists ORDER BY account", |row| {
            Ok((id(row.try_get("account")?)?, row.try_get("list")?))
        })
        .await?,
        sessions: all(connection, "SELECT * FROM sessions ORDER BY device", |row| {
            Ok((id(row.try_get("device")?)?, secret(row, "state")?))
        })
        .await?,
        outbox: all(connection, "SELECT * FROM outbox ORDER BY place", outbox_entry).await?,
        seen: all(connection, "SELECT device, message FROM seen ORDER BY at, device, message", |row| {
            Ok((id(row.try_get("device")?)?, id(row.try_get("message")?)?))
        })
        .await?,
        chats: chats(connection).await?,
        undecryptable: all(connection, "SELECT * FROM undecryptable ORDER BY rowid", undecryptable).await?,
        send_log: all(connection, "SELECT * FROM send_log ORDER BY rowid", |row| {
            Ok(SendLogEntry {
                message: id(row.try_get("message")?)?,
                peer: name(row.try_get("peer")?)?,
                content: secret(row, "content")?,
                sent_at: number(row.try_get("sent_at")?),
            })
        })
        .await?,
        sent: all(connection, SENT, |row| {
            Ok(SentMessage {
                message: id(row.try_get("id")?)?,
                peer: name(row.try_get("peer")?)?,
                delivery: delivery(row.try_get("delivery")?, None)?,
            })
        })
        .await?,
        typing_notices: row.try_get("typing_notices")?,
        presence: row.try_get("presence")?,
        announcements: all(connection, "SELECT id, expires FROM announcements ORDER BY id", |row| {
            Ok((id(row.try_get("id")?)?, number(row.try_get("expires")?)))
        })
        .await?,
    })
}

/// Announcements with whether each was told, oldest first.
pub(crate) async fn announcements(connection: &mut SqliteConnection) -> Result<Vec<(Announcement, bool)>, StoreError> {
    all(connection, "SELECT * FROM announcements ORDER BY issued, id", |row| {
        let said = Announcement {
            id: id(row.try_get("id")?)?,
            issued: number(row.try_get("issued")?),
            expires: number(row.try_get("expires")?),
            text: row.try_get("text")?,
        };
        Ok((said, row.try_get("told")?))
    })
    .await
}

pub(crate) async fn typing_notices(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    Ok(query("SELECT typing_notices FROM profile").fetch_one(connection).await?.try_get(0)?)
}

pub(crate) async fn presence(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    Ok(query("SELECT presence FROM profile").fetch_one(connection).await?.try_get(0)?)
}

pub(crate) fn tokens(row: &SqliteRow) -> Result<Option<Tokens>, StoreError> {
    Ok(match (row.try_get("access")?, row.try_get("access_expires")?, row.try_get("refresh")?) {
        (Some(access), Some(expires), Some(refresh)) => Some(Tokens {
            access: Zeroizing::new(access),
            access_expires: number(expires),
            refresh: Zeroizing::new(refresh),
        }),
        _ => None,
    })
}

fn relay(row: &SqliteRow) -> Result<Relay, StoreError> {
    Ok(Relay { url: row.try_get("relay_url")?, key: array(row.try_get("relay_key")?)? })
}

pub(crate) fn contact(row: &SqliteRow) -> Result<Contact, StoreError> {
    let offered: Option<Vec<u8>> = row.try_get("offered_key")?;
    Ok(Contact {
        name: name(row.try_get("name")?)?,
        account: id(row.try_get("account")?)?,
        account_key: array(row.try_get("account_key")?)?,
        chat: id(row.try_get("chat")?)?,
        trust: trust(row.try_get("trust")?)?,
        offered_key: offered.as_deref().map(array).transpose()?,
    })
}

async fn chats(connection: &mut SqliteConnection) -> Result<Vec<ChatState>, StoreError> {
    let mut chats = all(connection, "SELECT * FROM chats ORDER BY chat", |row| {
        Ok(ChatState {
            chat: id(row.try_get("chat")?)?,
            sent_counter: number(row.try_get("sent_counter")?),
            seen_counters: Vec::new(),
            position: row.try_get("position")?,
            heads: Vec::new(),
            gaps: Vec::new(),
        })
    })
    .await?;
    for chat in &mut chats {
        let this = &chat.chat.as_bytes()[..];
        let counters = query("SELECT device, counter FROM chat_counters WHERE chat = ? ORDER BY device")
            .bind(this)
            .fetch_all(&mut *connection)
            .await?;
        for row in &counters {
            chat.seen_counters.push((id(row.try_get("device")?)?, number(row.try_get("counter")?)));
        }
        let heads = query("SELECT message FROM chat_heads WHERE chat = ? ORDER BY place")
            .bind(this)
            .fetch_all(&mut *connection)
            .await?;
        for row in &heads {
            chat.heads.push(id(row.try_get("message")?)?);
        }
        let gaps = query("SELECT * FROM chat_gaps WHERE chat = ? ORDER BY place")
            .bind(this)
            .fetch_all(&mut *connection)
            .await?;
        for row in &gaps {
            chat.gaps.push(Gap {
                device: id(row.try_get("device")?)?,
                first: number(row.try_get("first")?),
                last: number(row.try_get("last")?),
                position: row.try_get("position")?,
            });
        }
    }
    Ok(chats)
}

fn outbox_entry(row: &SqliteRow) -> Result<OutboxEntry, StoreError> {
    Ok(OutboxEntry {
        order: number(row.try_get("place")?),
        message: id(row.try_get("message")?)?,
        peer: name(row.try_get("peer")?)?,
        chat: id(row.try_get("chat")?)?,
        content: secret(row, "content")?,
        shown: row.try_get("shown")?,
        wire: row.try_get("wire")?,
    })
}

fn undecryptable(row: &SqliteRow) -> Result<Undecryptable, StoreError> {
    Ok(Undecryptable {
        message: id(row.try_get("message")?)?,
        chat: id(row.try_get("chat")?)?,
        sender: id(row.try_get("sender")?)?,
        sender_device: id(row.try_get("sender_device")?)?,
        cause: cause(row.try_get("cause")?)?,
        received_at: number(row.try_get("received_at")?),
        ciphertext: row.try_get("ciphertext")?,
    })
}

async fn all<T>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    read: impl Fn(&SqliteRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

fn secret(row: &SqliteRow, column: &str) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    Ok(Zeroizing::new(row.try_get(column)?))
}
