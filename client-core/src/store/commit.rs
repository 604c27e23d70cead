//! A transaction becomes durable: one SQL transaction for all of it.

use sqlx::{SqliteConnection, query};
use susurro_protocol::{AccountName, AnnouncementId, ChatId, MessageId};

use super::columns::{
    bits, cause_number, content_columns, delivery_numbers, direction_number, registration_number, trust_number,
};
use super::connection::{begin, end};
use super::port::{ChatState, Mutation, OutboxEntry, SendLogEntry, Tokens, Transaction, Undecryptable};
use super::{NewProfile, Registration, StoreError};
use crate::model::{Announcement, Contact, Delivery, MessageView};

type Done = Result<(), StoreError>;

/// Commits all of it or nothing.
pub(crate) async fn commit(connection: &mut SqliteConnection, changes: &Transaction) -> Done {
    begin(connection).await?;
    let done = apply_all(connection, changes).await;
    end(connection, done).await
}

async fn apply_all(connection: &mut SqliteConnection, changes: &Transaction) -> Done {
    for change in changes {
        apply(connection, change).await?;
    }
    Ok(())
}

/// The one row of a new profile.
pub(crate) async fn insert_profile(connection: &mut SqliteConnection, new: &NewProfile) -> Done {
    query(
        "INSERT INTO profile (id, name, relay_url, relay_key, account_key, device, prekeys, registration)
         VALUES (1, ?, ?, ?, ?, ?, ?, 0)",
    )
    .bind(new.name.as_str())
    .bind(&new.relay.url)
    .bind(&new.relay.key[..])
    .bind(&new.account_key[..])
    .bind(&new.device[..])
    .bind(&new.prekeys[..])
    .execute(&mut *connection)
    .await?;
    query("INSERT INTO device_lists (account, list) VALUES (?, ?)")
        .bind(&new.device_list.0.as_bytes()[..])
        .bind(&new.device_list.1[..])
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn set_registration(connection: &mut SqliteConnection, registration: Registration) -> Done {
    query("UPDATE profile SET registration = ?").bind(registration_number(registration)).execute(connection).await?;
    Ok(())
}

pub(crate) async fn finish_registration(connection: &mut SqliteConnection, new: &Tokens) -> Done {
    tokens(connection, Some(new)).await?;
    set_registration(connection, Registration::Done).await
}

pub(crate) async fn set_relay_url(connection: &mut SqliteConnection, url: &str) -> Done {
    query("UPDATE profile SET relay_url = ?").bind(url).execute(connection).await?;
    Ok(())
}

pub(crate) async fn mark_printed(connection: &mut SqliteConnection, ids: &[MessageId]) -> Done {
    for id in ids {
        query("UPDATE messages SET printed = 1 WHERE id = ? AND direction = 0")
            .bind(&id.as_bytes()[..])
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(crate) async fn set_draft(connection: &mut SqliteConnection, peer: &AccountName, text: &str) -> Done {
    if text.is_empty() {
        query("DELETE FROM drafts WHERE peer = ?").bind(peer.as_str()).execute(connection).await?;
    } else {
        query("INSERT INTO drafts (peer, text) VALUES (?, ?) ON CONFLICT DO UPDATE SET text = excluded.text")
            .bind(peer.as_str())
            .bind(text)
            .execute(connection)
            .await?;
    }
    Ok(())
}

pub(crate) async fn mark_told(connection: &mut SqliteConnection, ids: &[AnnouncementId]) -> Done {
    for id in ids {
        query("UPDATE announcements SET told = 1 WHERE id = ?")
            .bind(&id.as_bytes()[..])
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn announcement(connection: &mut SqliteConnection, said: &Announcement) -> Done {
    query("INSERT INTO announcements (id, issued, expires, text) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(&said.id.as_bytes()[..])
        .bind(bits(said.issued))
        .bind(bits(said.expires))
        .bind(&said.text)
        .execute(connection)
        .await?;
    Ok(())
}

async fn apply(connection: &mut SqliteConnection, change: &Mutation) -> Done {
    match change {
        Mutation::Tokens(new) => tokens(connection, new.as_ref()).await,
        Mutation::Cursor(cursor) => {
            query("UPDATE profile SET cursor = ?").bind(bits(*cursor)).execute(connection).await?;
            Ok(())
        }
        Mutation::Announcement(said) => announcement(connection, said).await,
        Mutation::ForgetAnnouncements(time) => {
            query("DELETE FROM announcements WHERE expires < ?").bind(bits(*time)).execute(connection).await?;
            Ok(())
        }
        Mutation::TypingNotices(enabled) => {
            query("UPDATE profile SET typing_notices = ?").bind(*enabled).execute(connection).await?;
            Ok(())
        }
        Mutation::Presence(enabled) => {
            query("UPDATE profile SET presence = ?").bind(*enabled).execute(connection).await?;
            Ok(())
        }
        Mutation::Prekeys(bytes) => {
            query("UPDATE profile SET prekeys = ?").bind(&bytes[..]).execute(connection).await?;
            Ok(())
        }
        Mutation::Sessions(device, Some(state)) => {
            query(
                "INSERT INTO sessions (device, state) VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state",
            )
            .bind(&device.as_bytes()[..])
            .bind(&state[..])
            .execute(connection)
            .await?;
            Ok(())
        }
        Mutation::Sessions(device, None) => {
            query("DELETE FROM sessions WHERE device = ?").bind(&device.as_bytes()[..]).execute(connection).await?;
            Ok(())
        }
        Mutation::DeviceList(account, list) => {
            query(
                "INSERT INTO device_lists (account, list) VALUES (?, ?) ON CONFLICT DO UPDATE SET list = excluded.list",
            )
            .bind(&account.as_bytes()[..])
            .bind(&list[..])
            .execute(connection)
            .await?;
            Ok(())
        }
        Mutation::Contact(changed) => contact(connection, changed).await,
        Mutation::Trust(name, trust) => {
            query("UPDATE contacts SET trust = ? WHERE name = ?")
                .bind(trust_number(*trust))
                .bind(name.as_str())
                .execute(connection)
                .await?;
            Ok(())
        }
        Mutation::Chat(state) => chat(connection, state).await,
        Mutation::Message(view) => message(connection, view).await,
        Mutation::PlaceholderGone(chat, id) => {
            query("DELETE FROM messages WHERE chat = ? AND id = ? AND kind = 2")
                .bind(&chat.as_bytes()[..])
                .bind(&id.as_bytes()[..])
                .execute(connection)
                .await?;
            Ok(())
        }
        Mutation::ChatKnown(provisional, known) => chat_known(connection, provisional, known).await,
        Mutation::Delivery(id, reached, at) => delivery(connection, id.as_bytes(), *reached, *at).await,
        Mutation::Seen(device, id, at) => {
            query("INSERT INTO seen (device, message, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(&device.as_bytes()[..])
                .bind(&id.as_bytes()[..])
                .bind(bits(*at))
                .execute(connection)
                .await?;
            Ok(())
        }
        Mutation::Outbox(entry) => outbox(connection, entry).await,
        Mutation::OutboxDone(order) => {
            query("DELETE FROM outbox WHERE place = ?").bind(bits(*order)).execute(connection).await?;
            Ok(())
        }
        Mutation::Undecryptable(kept) => undecryptable(connection, kept).await,
        Mutation::UndecryptableDone(id) => {
            query("DELETE FROM undecryptable WHERE message = ?").bind(&id.as_bytes()[..]).execute(connection).await?;
            Ok(())
        }
        Mutation::SendLog(entry) => send_log(connection, entry).await,
        Mutation::SendLogDone(id) => {
            query("DELETE FROM send_log WHERE message = ?").bind(&id.as_bytes()[..]).execute(connection).await?;
            Ok(())
        }
        Mutation::ForgetBefore(time) => {
            query("DELETE FROM seen WHERE at < ?").bind(bits(*time)).execute(&mut *connection).await?;
            query("DELETE FROM send_log WHERE sent_at < ?").bind(bits(*time)).execute(connection).await?;
            Ok(())
        }
    }
}

async fn tokens(connection: &mut SqliteConnection, new: Option<&Tokens>) -> Done {
    query("UPDATE profile SET access = ?, access_expires = ?, refresh = ?")
        .bind(new.map(|tokens| tokens.access.as_str()))
        .bind(new.map(|tokens| bits(tokens.access_expires)))
        .bind(new.map(|tokens| tokens.refresh.as_str()))
        .execute(connection)
        .await?;
    Ok(())
}

async fn contact(connection: &mut SqliteConnection, contact: &Contact) -> Done {
    query(
        "INSERT OR REPLACE INTO contacts (name, account, account_key, chat, trust, offered_key)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(contact.name.as_str())
    .bind(&contact.account.as_bytes()[..])
    .bind(&contact.account_key[..])
    .bind(&contact.chat.as_bytes()[..])
    .bind(trust_number(contact.trust))
    .bind(contact.offered_key.as_ref().map(|key| &key[..]))
    .execute(connection)
    .await?;
    Ok(())
}

async fn chat(connection: &mut SqliteConnection, state: &ChatState) -> Done {
    let id = &state.chat.as_bytes()[..];
    query(
        "INSERT INTO chats (chat, sent_counter, position) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET sent_counter = excluded.sent_counter, position = excluded.position",
    )
    .bind(id)
    .bind(bits(state.sent_counter))
    .bind(state.position)
    .execute(&mut *connection)
    .await?;
    query("DELETE FROM chat_counters WHERE chat = ?").bind(id).execute(&mut *connection).await?;
    for (device, counter) in &state.seen_counters {
        query("INSERT OR REPLACE INTO chat_counters (chat, device, counter) VALUES (?, ?, ?)")
            .bind(id)
            .bind(&device.as_bytes()[..])
            .bind(bits(*counter))
            .execute(&mut *connection)
            .await?;
    }
    query("DELETE FROM chat_heads WHERE chat = ?").bind(id).execute(&mut *connection).await?;
    for (place, head) in (0_i64..).zip(&state.heads) {
        query("INSERT INTO chat_heads (chat, place, message) VALUES (?, ?, ?)")
            .bind(id)
            .bind(place)
            .bind(&head.as_bytes()[..])
            .execute(&mut *connection)
            .await?;
    }
    query("DELETE FROM chat_gaps WHERE chat = ?").bind(id).execute(&mut *connection).await?;
    for (place, gap) in (0_i64..).zip(&state.gaps) {
        query("INSERT INTO chat_gaps (chat, place, device, first, last, position) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(id)
            .bind(place)
            .bind(&gap.device.as_bytes()[..])
            .bind(bits(gap.first))
            .bind(bits(gap.last))
            .bind(gap.position)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// What both chats have already stays as the known one has it.
async fn chat_known(connection: &mut SqliteConnection, provisional: &ChatId, known: &ChatId) -> Done {
    for sql in [
        "UPDATE OR IGNORE messages SET chat = ?2 WHERE chat = ?1",
        "UPDATE OR IGNORE chats SET chat = ?2 WHERE chat = ?1",
        "DELETE FROM chats WHERE chat = ?1 AND ?1 <> ?2",
    ] {
        query(sql).bind(&provisional.as_bytes()[..]).bind(&known.as_bytes()[..]).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn message(connection: &mut SqliteConnection, view: &MessageView) -> Done {
    let (kind, body, number) = content_columns(&view.content);
    let (state, failure) = delivery_numbers(view.delivery);
    // Only a placeholder (kind 2) gives way, and keeps its place: nobody overwrites a message.
    query(
        "INSERT INTO messages (id, chat, peer, direction, position, kind, body, number, sent_at, accepted_at,
                               stored_at, read_at, delivery, failure)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (chat, id) DO UPDATE SET
            peer = excluded.peer, direction = excluded.direction,
            kind = excluded.kind, body = excluded.body, number = excluded.number, sent_at = excluded.sent_at,
            accepted_at = excluded.accepted_at, stored_at = excluded.stored_at, read_at = excluded.read_at,
            delivery = excluded.delivery, failure = excluded.failure, printed = 0
         WHERE messages.kind = 2",
    )
    .bind(&view.id.as_bytes()[..])
    .bind(&view.chat.as_bytes()[..])
    .bind(view.peer.as_str())
    .bind(direction_number(view.direction))
    .bind(view.position)
    .bind(kind)
    .bind(body)
    .bind(number)
    .bind(bits(view.sent_at))
    .bind(view.accepted_at.map(bits))
    .bind(view.stored_at.map(bits))
    .bind(view.read_at.map(bits))
    .bind(state)
    .bind(failure)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forward only: a late `Accepted` does not undo `Stored`, and what reached the peer's device
/// cannot fail any more. A time that is known already stays.
async fn delivery(connection: &mut SqliteConnection, id: &[u8; 16], reached: Delivery, at: u64) -> Done {
    let (state, failure) = delivery_numbers(reached);
    let at = bits(at);
    let time = |this: Delivery| (reached == this).then_some(at);
    query(
        "UPDATE messages SET
            accepted_at = coalesce(accepted_at, ?1),
            stored_at = coalesce(stored_at, ?2),
            read_at = coalesce(read_at, ?3)
         WHERE id = ?4",
    )
    .bind(time(Delivery::Accepted))
    .bind(time(Delivery::Stored))
    .bind(time(Delivery::Read))
    .bind(&id[..])
    .execute(&mut *connection)
    .await?;
    query(
        "UPDATE messages SET delivery = ?1, failure = ?2
         WHERE id = ?3 AND (delivery = 9 OR (?1 = 9 AND delivery < 2) OR (?1 <> 9 AND delivery < ?1))",
    )
    .bind(state)
    .bind(failure)
    .bind(&id[..])
    .execute(connection)
    .await?;
    Ok(())
}

async fn outbox(connection: &mut SqliteConnection, entry: &OutboxEntry) -> Done {
    query(
        "INSERT OR REPLACE INTO outbox (place, message, peer, chat, content, shown, wire)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(bits(entry.order))
    .bind(&entry.message.as_bytes()[..])
    .bind(entry.peer.as_str())
    .bind(&entry.chat.as_bytes()[..])
    .bind(&entry.content[..])
    .bind(entry.shown)
    .bind(entry.wire.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}

async fn undecryptable(connection: &mut SqliteConnection, kept: &Undecryptable) -> Done {
    query(
        "INSERT OR REPLACE INTO undecryptable (message, chat, sender, sender_device, cause, received_at, ciphertext)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&kept.message.as_bytes()[..])
    .bind(&kept.chat.as_bytes()[..])
    .bind(&kept.sender.as_bytes()[..])
    .bind(&kept.sender_device.as_bytes()[..])
    .bind(cause_number(kept.cause))
    .bind(bits(kept.received_at))
    .bind(&kept.ciphertext[..])
    .execute(connection)
    .await?;
    Ok(())
}

async fn send_log(connection: &mut SqliteConnection, entry: &SendLogEntry) -> Done {
    query("INSERT OR REPLACE INTO send_log (message, peer, content, sent_at) VALUES (?, ?, ?, ?)")
        .bind(&entry.message.as_bytes()[..])
        .bind(entry.peer.as_str())
        .bind(&entry.content[..])
        .bind(bits(entry.sent_at))
        .execute(connection)
        .await?;
    Ok(())
}
