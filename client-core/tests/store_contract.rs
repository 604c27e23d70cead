//! The store against a reference in memory: whatever is committed is read back.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use support::{create, incoming, name, open, outgoing};
use susurro_client_core::model::{
    Announcement, Cause, Contact, Delivery, Direction, MessageContent, MessageView, Trust,
};
use susurro_client_core::store::Store;
use susurro_client_core::store::port::{
    ChatState, Gap, Mutation, OutboxEntry, SendLogEntry, Snapshot, Tokens, Transaction, Undecryptable,
};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::content::Attachment;
use susurro_protocol::{AccountId, AnnouncementId, BlobId, ChatId, DeviceId, ErrorCode, MessageId};
use zeroize::Zeroizing;

const NAMES: [&str; 3] = ["bob", "carol", "dave"];

/// What a store holds, in the simplest form there is.
#[derive(Default, Debug, PartialEq)]
struct Reference {
    typing_switched_off: bool,
    presence: bool,
    announcements: BTreeMap<AnnouncementId, u64>,
    tokens: Option<(String, u64, String)>,
    cursor: u64,
    prekeys: Vec<u8>,
    contacts: BTreeMap<String, Contact>,
    device_lists: BTreeMap<AccountId, Vec<u8>>,
    sessions: BTreeMap<DeviceId, Vec<u8>>,
    chats: BTreeMap<ChatId, ChatState>,
    outbox: BTreeMap<u64, OutboxEntry>,
    seen: BTreeMap<(DeviceId, MessageId), u64>,
    undecryptable: BTreeMap<MessageId, Undecryptable>,
    send_log: BTreeMap<MessageId, (String, Vec<u8>, u64)>,
    messages: BTreeMap<(ChatId, MessageId), MessageView>,
    sent: BTreeMap<String, Vec<(MessageId, Delivery)>>,
}

impl Reference {
    fn apply(&mut self, change: &Mutation) {
        match change.clone() {
            Mutation::Tokens(new) => {
                self.tokens = new.map(|t| (t.access.to_string(), t.access_expires, t.refresh.to_string()));
            }
            Mutation::Cursor(cursor) => self.cursor = cursor,
            Mutation::TypingNotices(enabled) => self.typing_switched_off = !enabled,
            Mutation::Presence(enabled) => self.presence = enabled,
            Mutation::Announcement(said) => drop(self.announcements.entry(said.id).or_insert(said.expires)),
            Mutation::ForgetAnnouncements(time) => self.announcements.retain(|_, expires| *expires >= time),
            Mutation::Prekeys(bytes) => self.prekeys = bytes.to_vec(),
            Mutation::Sessions(device, Some(state)) => drop(self.sessions.insert(device, state.to_vec())),
            Mutation::Sessions(device, None) => drop(self.sessions.remove(&device)),
            Mutation::DeviceList(account, list) => drop(self.device_lists.insert(account, list)),
            Mutation::Contact(contact) => drop(self.contacts.insert(contact.name.to_string(), contact)),
            Mutation::Trust(name, trust) => {
                if let Some(contact) = self.contacts.get_mut(name.as_str()) {
                    contact.trust = trust;
                }
            }
            Mutation::Chat(state) => drop(self.chats.insert(state.chat, state)),
            Mutation::Message(view) => {
                let key = (view.chat, view.id);
                match self.messages.get_mut(&key) {
                    None => drop(self.messages.insert(key, view)),
                    Some(known) if matches!(known.content, MessageContent::Undecryptable(_)) => {
                        *known = MessageView { position: known.position, ..view };
                    }
                    Some(_) => {}
                }
            }
            Mutation::PlaceholderGone(chat, id) => {
                self.messages.retain(|key, view| {
                    *key != (chat, id) || !matches!(view.content, MessageContent::Undecryptable(_))
                });
            }
            Mutation::ChatKnown(provisional, known) if provisional == known => {}
            Mutation::ChatKnown(provisional, known) => {
                let moved: Vec<_> = self.messages.keys().filter(|key| key.0 == provisional).copied().collect();
                for key in
                    moved.into_iter().filter(|key| !self.messages.contains_key(&(known, key.1))).collect::<Vec<_>>()
                {
                    if let Some(view) = self.messages.remove(&key) {
                        self.messages.insert((known, key.1), MessageView { chat: known, ..view });
                    }
                }
                if let Some(state) = self.chats.remove(&provisional) {
                    self.chats.entry(known).or_insert(ChatState { chat: known, ..state });
                }
            }
            Mutation::Delivery(id, reached, at) => {
                for view in self.messages.values_mut().filter(|view| view.id == id) {
                    deliver(view, reached, at);
                }
            }
            Mutation::Seen(device, message, at) => drop(self.seen.entry((device, message)).or_insert(at)),
            Mutation::Outbox(entry) => drop(self.outbox.insert(entry.order, entry)),
            Mutation::OutboxDone(order) => drop(self.outbox.remove(&order)),
            Mutation::Undecryptable(kept) => drop(self.undecryptable.insert(kept.message, kept)),
            Mutation::UndecryptableDone(id) => drop(self.undecryptable.remove(&id)),
            Mutation::SendLog(entry) => {
                drop(
                    self.send_log
                        .insert(entry.message, (entry.peer.to_string(), entry.content.to_vec(), entry.sent_at)),
                );
            }
            Mutation::SendLogDone(id) => drop(self.send_log.remove(&id)),
            Mutation::ForgetBefore(time) => {
                self.seen.retain(|_, at| *at >= time);
                self.send_log.retain(|_, entry| entry.2 >= time);
            }
        }
    }

    fn of(snapshot: Snapshot, messages: Vec<MessageView>) -> Self {
        Self {
            tokens: snapshot.tokens.map(|t| (t.access.to_string(), t.access_expires, t.refresh.to_string())),
            cursor: snapshot.cursor,
            typing_switched_off: !snapshot.typing_notices,
            presence: snapshot.presence,
            announcements: snapshot.announcements.into_iter().collect(),
            prekeys: snapshot.prekeys.to_vec(),
            contacts: snapshot.contacts.into_iter().map(|c| (c.name.to_string(), c)).collect(),
            device_lists: snapshot.device_lists.into_iter().collect(),
            sessions: snapshot.sessions.into_iter().map(|(device, state)| (device, state.to_vec())).collect(),
            chats: snapshot.chats.into_iter().map(|c| (c.chat, c)).collect(),
            outbox: snapshot.outbox.into_iter().map(|e| (e.order, e)).collect(),
            // Their times are not in a snapshot: forgetting is seen by what is left.
            seen: snapshot.seen.into_iter().map(|key| (key, 0)).collect(),
            undecryptable: snapshot.undecryptable.into_iter().map(|kept| (kept.message, kept)).collect(),
            send_log: snapshot
                .send_log
                .into_iter()
                .map(|e| (e.message, (e.peer.to_string(), e.content.to_vec(), e.sent_at)))
                .collect(),
            sent: by_peer(snapshot.sent.into_iter().map(|s| (s.peer, s.message, s.delivery))),
            messages: messages.into_iter().map(|view| ((view.chat, view.id), view)).collect(),
        }
    }
}

fn by_peer(
    sent: impl Iterator<Item = (susurro_protocol::AccountName, MessageId, Delivery)>,
) -> BTreeMap<String, Vec<(MessageId, Delivery)>> {
    let mut peers = BTreeMap::<_, Vec<_>>::new();
    for (peer, message, delivery) in sent {
        peers.entry(peer.to_string()).or_default().push((message, delivery));
    }
    // Their order is that of arrival, which the reference does not keep.
    peers.values_mut().for_each(|sent| sent.sort_unstable());
    peers
}

fn rank(delivery: Delivery) -> u8 {
    match delivery {
        Delivery::Queued => 0,
        Delivery::Accepted => 1,
        Delivery::Stored => 2,
        Delivery::Read => 3,
        Delivery::Failed(_) => 9,
    }
}

fn deliver(view: &mut MessageView, reached: Delivery, at: u64) {
    match reached {
        Delivery::Accepted => view.accepted_at = view.accepted_at.or(Some(at)),
        Delivery::Stored => view.stored_at = view.stored_at.or(Some(at)),
        Delivery::Read => view.read_at = view.read_at.or(Some(at)),
        Delivery::Queued | Delivery::Failed(_) => {}
    }
    let forward = match (view.delivery, reached) {
        (Delivery::Failed(_), _) => true,
        (now, Delivery::Failed(_)) => rank(now) < 2,
        (now, then) => rank(now) < rank(then),
    };
    if forward {
        view.delivery = reached;
    }
}

fn small() -> impl Strategy<Value = u8> {
    0..4_u8
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..300)
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        Just(Delivery::Queued),
        Just(Delivery::Accepted),
        Just(Delivery::Stored),
        Just(Delivery::Read),
        Just(Delivery::Failed(ErrorCode::MailboxFull)),
        any::<u16>().prop_map(|code| Delivery::Failed(ErrorCode::of_number(code))),
    ]
}

fn trust() -> impl Strategy<Value = Trust> {
    prop::sample::select(vec![Trust::Unverified, Trust::Verified, Trust::Changed, Trust::ChangedAfterVerification])
}

fn cause() -> impl Strategy<Value = Cause> {
    prop::sample::select(vec![
        Cause::NoSession,
        Cause::OldKey,
        Cause::TooFarAhead,
        Cause::Tampered,
        Cause::UnknownVersion,
        Cause::Malformed,
    ])
}

fn content() -> impl Strategy<Value = MessageContent> {
    prop_oneof![
        any::<String>().prop_map(MessageContent::Text),
        any::<u16>().prop_map(MessageContent::Unknown),
        cause().prop_map(MessageContent::Undecryptable),
        (any::<[String; 2]>(), any::<u64>(), any::<[u8; 16]>(), any::<[[u8; 32]; 2]>()).prop_map(
            |([name, media_type], size, blob, [key, hash])| {
                let (blob, key, hash) = (BlobId::from_bytes(blob), Fixed(key), Fixed(hash));
                MessageContent::Attachment(Box::new(Attachment { name, media_type, size, blob, key, hash }))
            }
        ),
        Just(MessageContent::Note("key-changed".to_owned())),
    ]
}

fn view() -> impl Strategy<Value = MessageView> {
    (small(), small(), any::<i64>(), any::<bool>(), content(), any::<[Option<u64>; 3]>(), any::<u64>(), delivery())
        .prop_map(|(id, chat, position, ours, content, [accepted_at, stored_at, read_at], sent_at, delivery)| {
            MessageView {
                chat: ChatId::from_bytes([chat; 16]),
                content,
                sent_at,
                accepted_at,
                stored_at,
                read_at,
                delivery,
                ..if ours { outgoing(id, position, "") } else { incoming(id, position, "") }
            }
        })
}

fn peer() -> impl Strategy<Value = susurro_protocol::AccountName> {
    prop::sample::select(NAMES.to_vec()).prop_map(name)
}

fn contact() -> impl Strategy<Value = Contact> {
    (peer(), small(), any::<[u8; 32]>(), trust(), any::<Option<[u8; 32]>>()).prop_map(
        |(name, account, account_key, trust, offered_key)| Contact {
            name,
            account: AccountId::from_bytes([account; 16]),
            account_key,
            chat: ChatId::from_bytes([account; 16]),
            trust,
            offered_key,
        },
    )
}

fn gap() -> impl Strategy<Value = Gap> {
    (small(), any::<[u64; 2]>(), any::<i64>()).prop_map(|(device, [first, last], position)| Gap {
        device: DeviceId::from_bytes([device; 16]),
        first,
        last,
        position,
    })
}

fn chat() -> impl Strategy<Value = ChatState> {
    let gaps = || prop::collection::vec(gap(), 0..3);
    let counters = prop::collection::btree_map(small(), any::<u64>(), 0..3);
    (small(), any::<u64>(), counters, any::<i64>(), prop::collection::vec(small(), 0..4), gaps()).prop_map(
        |(chat, sent_counter, counters, position, heads, gaps)| ChatState {
            chat: ChatId::from_bytes([chat; 16]),
            sent_counter,
            seen_counters: counters.into_iter().map(|(d, c)| (DeviceId::from_bytes([d; 16]), c)).collect(),
            position,
            heads: heads.into_iter().map(|id| MessageId::from_bytes([id; 16])).collect(),
            gaps,
        },
    )
}

fn outbox() -> impl Strategy<Value = OutboxEntry> {
    (0..6_u64, small(), peer(), bytes(), any::<bool>(), prop::option::of(bytes())).prop_map(
        |(order, id, peer, content, shown, wire)| OutboxEntry {
            order,
            message: MessageId::from_bytes([id; 16]),
            peer,
            chat: ChatId::from_bytes([1; 16]),
            content: Zeroizing::new(content),
            shown,
            wire,
        },
    )
}

fn kept() -> impl Strategy<Value = Undecryptable> {
    (small(), small(), cause(), any::<u64>(), bytes()).prop_map(|(id, other, cause, received_at, ciphertext)| {
        Undecryptable {
            message: MessageId::from_bytes([id; 16]),
            chat: ChatId::from_bytes([other; 16]),
            sender: AccountId::from_bytes([other; 16]),
            sender_device: DeviceId::from_bytes([other; 16]),
            cause,
            received_at,
            ciphertext,
        }
    })
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let device = || small().prop_map(|n| DeviceId::from_bytes([n; 16]));
    let id = || small().prop_map(|n| MessageId::from_bytes([n; 16]));
    let secret = || bytes().prop_map(Zeroizing::new);
    prop_oneof![
        prop::option::of((any::<String>(), any::<u64>(), any::<String>())).prop_map(|tokens| Mutation::Tokens(
            tokens.map(|(access, access_expires, refresh)| Tokens {
                access: Zeroizing::new(access),
                access_expires,
                refresh: Zeroizing::new(refresh)
            })
        )),
        any::<u64>().prop_map(Mutation::Cursor),
        secret().prop_map(Mutation::Prekeys),
        (device(), prop::option::of(secret())).prop_map(|(device, state)| Mutation::Sessions(device, state)),
        (small(), bytes()).prop_map(|(n, list)| Mutation::DeviceList(AccountId::from_bytes([n; 16]), list)),
        contact().prop_map(Mutation::Contact),
        (peer(), trust()).prop_map(|(name, trust)| Mutation::Trust(name, trust)),
        chat().prop_map(Mutation::Chat),
        view().prop_map(Mutation::Message),
        view().prop_map(Mutation::Message),
        view().prop_map(Mutation::Message),
        (id(), delivery(), any::<u64>()).prop_map(|(id, reached, at)| Mutation::Delivery(id, reached, at)),
        (id(), delivery(), any::<u64>()).prop_map(|(id, reached, at)| Mutation::Delivery(id, reached, at)),
        (small(), id()).prop_map(|(chat, id)| Mutation::PlaceholderGone(ChatId::from_bytes([chat; 16]), id)),
        (small(), small())
            .prop_map(|(old, new)| Mutation::ChatKnown(ChatId::from_bytes([old; 16]), ChatId::from_bytes([new; 16]))),
        (device(), id(), 0..100_u64).prop_map(|(device, id, at)| Mutation::Seen(device, id, at)),
        outbox().prop_map(Mutation::Outbox),
        (0..6_u64).prop_map(Mutation::OutboxDone),
        kept().prop_map(Mutation::Undecryptable),
        id().prop_map(Mutation::UndecryptableDone),
        (id(), peer(), secret(), 0..100_u64).prop_map(|(message, peer, content, sent_at)| Mutation::SendLog(
            SendLogEntry { message, peer, content, sent_at }
        )),
        id().prop_map(Mutation::SendLogDone),
        (0..100_u64).prop_map(Mutation::ForgetBefore),
        any::<bool>().prop_map(Mutation::TypingNotices),
        any::<bool>().prop_map(Mutation::Presence),
        (small(), 0..100_u64, any::<String>()).prop_map(|(id, expires, text)| {
            let id = AnnouncementId::from_bytes([id; 16]);
            Mutation::Announcement(Announcement { id, issued: 1, expires, text })
        }),
        (0..100_u64).prop_map(Mutation::ForgetAnnouncements),
    ]
}

async fn read(store: &Store) -> Reference {
    let mut messages = Vec::new();
    for peer in NAMES {
        messages.extend(store.timeline(&name(peer), None, u32::MAX).await.unwrap());
    }
    Reference::of(store.load().await.unwrap(), messages)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_committed_is_read_back_also_after_a_restart(
        transactions in prop::collection::vec(prop::collection::vec(mutation(), 0..12), 1..8)
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let store = create(directory.path()).await;
            let mut reference = read(&store).await;
            for transaction in &transactions {
                let transaction: &Transaction = transaction;
                store.commit(transaction).await.unwrap();
                transaction.iter().for_each(|change| reference.apply(change));
            }
            // A snapshot does not carry these times.
            reference.seen.values_mut().for_each(|at| *at = 0);
            let awaited = |view: &&MessageView| {
                view.direction == Direction::Outgoing && matches!(view.delivery, Delivery::Accepted | Delivery::Stored)
            };
            reference.sent = by_peer(
                reference.messages.values().filter(awaited).map(|view| (view.peer.clone(), view.id, view.delivery)),
            );
            prop_assert_eq!(&read(&store).await, &reference);
            store.close().await.unwrap();
            prop_assert_eq!(&read(&open(directory.path()).await.unwrap()).await, &reference);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn delivery_never_moves_backwards() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    let id = MessageId::from_bytes([1; 16]);
    store.commit(&support::messages([outgoing(1, 1, "hello")])).await.unwrap();
    for (reached, at, expected) in [
        (Delivery::Stored, 20, Delivery::Stored),
        (Delivery::Accepted, 10, Delivery::Stored),
        (Delivery::Failed(ErrorCode::MailboxFull), 30, Delivery::Stored),
        (Delivery::Queued, 30, Delivery::Stored),
        (Delivery::Read, 40, Delivery::Read),
        (Delivery::Stored, 50, Delivery::Read),
    ] {
        store.commit(&vec![Mutation::Delivery(id, reached, at)]).await.unwrap();
        assert_eq!(store.message(id).await.unwrap().unwrap().delivery, expected, "after {reached:?}");
    }
    let view = store.message(id).await.unwrap().unwrap();
    assert_eq!((view.accepted_at, view.stored_at, view.read_at), (Some(10), Some(20), Some(40)));
}

#[tokio::test]
async fn a_failed_message_can_be_queued_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    let id = MessageId::from_bytes([1; 16]);
    store.commit(&support::messages([outgoing(1, 1, "hello")])).await.unwrap();
    store.commit(&vec![Mutation::Delivery(id, Delivery::Failed(ErrorCode::MailboxFull), 5)]).await.unwrap();
    assert_eq!(store.message(id).await.unwrap().unwrap().delivery, Delivery::Failed(ErrorCode::MailboxFull));
    store.commit(&vec![Mutation::Delivery(id, Delivery::Queued, 6)]).await.unwrap();
    assert_eq!(store.message(id).await.unwrap().unwrap().delivery, Delivery::Queued);
}

#[tokio::test]
async fn a_timeline_is_read_in_windows_from_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    store.commit(&support::messages((0..100).map(|n| incoming(n, i64::from(n), "text")))).await.unwrap();
    let positions = |views: Vec<MessageView>| views.iter().map(|view| view.position).collect::<Vec<_>>();
    let bob = name("bob");
    assert_eq!(positions(store.timeline(&bob, None, 3).await.unwrap()), [97, 98, 99]);
    assert_eq!(positions(store.timeline(&bob, Some(97), 3).await.unwrap()), [94, 95, 96]);
    assert_eq!(positions(store.timeline(&bob, Some(1), 3).await.unwrap()), [0]);
    assert!(store.timeline(&bob, Some(0), 3).await.unwrap().is_empty());
    assert!(store.timeline(&name("carol"), None, 3).await.unwrap().is_empty());
}

#[tokio::test]
async fn unread_counts_leave_out_what_was_read_what_is_ours_and_notes() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    let bob = Contact {
        name: name("bob"),
        account: AccountId::from_bytes([2; 16]),
        account_key: [2; 32],
        chat: ChatId::from_bytes([3; 16]),
        trust: Trust::Unverified,
        offered_key: None,
    };
    let note = MessageView { content: MessageContent::Note("key-changed".to_owned()), ..incoming(9, 5, "") };
    let mut changes = vec![Mutation::Contact(bob)];
    changes.extend(support::messages([
        incoming(1, 1, "one"),
        incoming(2, 2, "two"),
        outgoing(3, 3, "ours"),
        incoming(4, 4, "newest"),
        note,
    ]));
    store.commit(&changes).await.unwrap();
    let chats = store.chats().await.unwrap();
    assert_eq!((chats.len(), chats[0].unread), (1, 3));
    let unread = store.unread(&name("bob"), 2).await.unwrap();
    assert_eq!(unread, [MessageId::from_bytes([1; 16]), MessageId::from_bytes([2; 16])]);
    store.commit(&unread.iter().map(|id| Mutation::Delivery(*id, Delivery::Read, 9)).collect()).await.unwrap();
    assert_eq!(store.chats().await.unwrap()[0].unread, 1);
    assert!(store.unread(&name("bob"), 2).await.unwrap().is_empty());
}

#[tokio::test]
async fn each_incoming_text_is_printed_once_and_a_placeholder_only_when_it_can_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    let placeholder = MessageView { content: MessageContent::Undecryptable(Cause::NoSession), ..incoming(2, 2, "") };
    store.commit(&support::messages([incoming(1, 1, "one"), placeholder, outgoing(3, 3, "ours")])).await.unwrap();
    let ids = |views: Vec<MessageView>| views.iter().map(|view| view.id.as_bytes()[0]).collect::<Vec<_>>();
    assert_eq!(ids(store.unprinted(10).await.unwrap()), [1]);
    store.mark_printed(&[MessageId::from_bytes([1; 16]), MessageId::from_bytes([2; 16])]).await.unwrap();
    assert!(store.unprinted(10).await.unwrap().is_empty());
    // The placeholder is read after all; the text that was printed is written once more.
    store.commit(&support::messages([incoming(2, 2, "two"), incoming(1, 1, "one")])).await.unwrap();
    assert_eq!(ids(store.unprinted(10).await.unwrap()), [2]);
}

#[tokio::test]
async fn drafts_are_kept_a_conversation_and_go_when_empty() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    let (bob, carol) = (name("bob"), name("carol"));
    store.set_draft(&bob, "not yet").await.unwrap();
    store.set_draft(&bob, "not yet sent").await.unwrap();
    assert_eq!(store.draft(&bob).await.unwrap(), "not yet sent");
    assert_eq!(store.draft(&carol).await.unwrap(), "");
    store.set_draft(&bob, "").await.unwrap();
    assert_eq!(store.draft(&bob).await.unwrap(), "");
}
