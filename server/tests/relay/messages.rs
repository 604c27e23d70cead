//! From one device to the other.

use susurro_protocol::bytes::Fixed;
use susurro_protocol::command::{Deposit, ListVersion};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::limits::{CIPHERTEXT_MAX, DELIVERY_WINDOW, TIME_TO_LIVE_MAX};
use susurro_protocol::rest::{
    AcknowledgeMessages, Chat, OpenChat, Page, PostMessage, PostedMessage, WaitingMessage, acknowledgement_proof,
};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::{ChatId, DeviceId, ErrorCode, MessageId};
use susurro_server::config::Config;
use susurro_server::domain::mailbox::MailboxBounds;

use crate::support::{Person, code, pair, random, register, relay, relay_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_stored_delivered_and_forgotten_after_the_acknowledgement() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let (mut from, mut to) = (alice.connect(0).await, bob.connect(0).await);
    let sent = alice.message(chat, &bob, b"not for the relay");
    let stored = from.deposit(&sent).await.unwrap();
    assert_eq!(stored.message, sent.message);

    let got = to.delivery().await;
    assert_eq!((got.seq, got.message, got.chat), (1, sent.message, chat));
    assert_eq!((got.sender, got.sender_device, got.stored_at), (alice.account, alice.device, stored.stored_at));
    assert_eq!(got.ciphertext.as_slice(), b"not for the relay");
    to.ack(1).await;
    assert!(to.is_quiet().await);
    drop(to);

    let relay = relay.restart().await;
    let bob = Person { url: relay.running.url(), ..bob };
    let (welcome, mut to) = bob.greet(1).await;
    assert_eq!(welcome.mailbox_head, 1);
    to.ack(1).await;
    assert!(to.is_quiet().await, "nothing comes twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_over_rest_stays_away_also_after_a_restart() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut from = alice.connect(0).await;
    for n in 0..3_u8 {
        from.deposit(&alice.message(chat, &bob, &[n; 10])).await.unwrap();
    }
    drop(from);
    let path = format!("/chats/{chat}/messages");
    let proof = acknowledgement_proof(&relay.running.relay_key(), &bob.account, &bob.device, &chat, 2);
    let acknowledge = |key| {
        let proof = Fixed(signed::sign(key, Label::Acknowledgement, &proof));
        AcknowledgeMessages { up_to: 2, proof }
    };
    let stolen = bob.post::<()>(&format!("{path}/ack"), &acknowledge(&alice.signing_key)).await;
    assert_eq!(code(stolen), Some(ErrorCode::BadSignature));
    let waiting = async |bob: &Person| -> Vec<u64> {
        let page: Page<WaitingMessage> = bob.get(&path).await.unwrap();
        page.items.iter().map(|item| item.delivery.seq).collect()
    };
    assert_eq!(waiting(&bob).await, [1, 2, 3]);
    bob.post::<()>(&format!("{path}/ack"), &acknowledge(&bob.signing_key)).await.unwrap();

    // Durable when it was answered.
    let relay = relay.restart().await;
    let bob = Person { url: relay.running.url(), ..bob };
    assert_eq!(waiting(&bob).await, [3]);
    let mut to = bob.connect(0).await;
    assert_eq!(to.delivery().await.seq, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_delivered_in_order_at_the_next_connection_and_again_until_acknowledged() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut from = alice.connect(0).await;
    for n in 0..10_u8 {
        from.deposit(&alice.message(chat, &bob, &[n; 100])).await.unwrap();
    }
    for _ in 0..2 {
        let mut to = bob.connect(0).await;
        for n in 0..10_u8 {
            let got = to.delivery().await;
            assert_eq!((got.seq, got.ciphertext.as_slice()), (u64::from(n) + 1, &[n; 100][..]));
        }
    }
    let mut to = bob.connect(4).await;
    assert_eq!(to.delivery().await.seq, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_again_stores_nothing_twice_and_an_id_stands_for_one_message() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let (mut from, mut to) = (alice.connect(0).await, bob.connect(0).await);
    let sent = alice.message(chat, &bob, b"once");
    let stored = from.deposit(&sent).await.unwrap();
    assert_eq!(from.deposit(&sent).await, Ok(stored));
    let mut other = sent.clone();
    other.deposits[0].ciphertext = (*b"twice").into();
    assert_eq!(from.deposit(&other).await.unwrap_err().code, ErrorCode::MessageIdReused);
    assert_eq!(to.delivery().await.message, sent.message);
    assert!(to.is_quiet().await);

    // The id is the device's own: Bob may use the same.
    let mut back = bob.message(chat, &alice, b"mine");
    back.message = sent.message;
    to.deposit(&back).await.unwrap();
    to.ack(1).await;

    let relay = relay.restart().await;
    let alice = crate::support::Person { url: relay.running.url(), ..alice };
    let mut from = alice.connect(0).await;
    from.delivery().await;
    assert_eq!(from.deposit(&sent).await, Ok(stored), "also after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_in_flight_are_answered_and_delivered_in_order() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let (from, mut to) = (alice.connect(0).await, bob.connect(0).await);
    let sent: Vec<_> = (0..1_000_u32).map(|n| alice.message(chat, &bob, &n.to_be_bytes())).collect();
    let ids: Vec<MessageId> = sent.iter().map(|send| send.message).collect();
    let sending = tokio::spawn(async move {
        let (mut sealer, mut opener) = (from.pair.sealer, from.pair.opener);
        let (mut write, mut read) = futures_util::StreamExt::split(from.socket.stream);
        let writing = tokio::spawn(async move {
            for send in &sent {
                let frame = sealer.seal(FrameKind::Send, send).unwrap();
                let message = tokio_tungstenite::tungstenite::Message::Binary(frame.into());
                futures_util::SinkExt::send(&mut write, message).await.unwrap();
            }
        });
        let mut answered = Vec::new();
        while answered.len() < 1_000 {
            let message = futures_util::StreamExt::next(&mut read).await.unwrap().unwrap();
            let frame = opener.open_message(&message.into_data()).unwrap();
            if frame.kind() == FrameKind::PrekeysLow {
                continue;
            }
            assert_eq!(frame.kind(), FrameKind::Stored);
            let stored: susurro_protocol::event::Stored = susurro_protocol::codec::decode(frame.body()).unwrap();
            answered.push(stored.message);
        }
        writing.await.unwrap();
        answered
    });
    for (n, id) in ids.iter().enumerate() {
        let got = to.delivery().await;
        assert_eq!((got.seq, got.message), (n as u64 + 1, *id));
        to.ack(got.seq).await;
    }
    assert_eq!(sending.await.unwrap(), ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_a_window_and_no_more_until_it_acknowledges() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let (mut from, mut to) = (alice.connect(0).await, bob.connect(0).await);
    let window = u64::from(DELIVERY_WINDOW);
    for n in 0..window + 50 {
        from.deposit(&alice.message(chat, &bob, &n.to_be_bytes())).await.unwrap();
    }
    for seq in 1..=window {
        assert_eq!(to.delivery().await.seq, seq);
    }
    assert!(to.is_quiet().await, "the window is full");
    to.ack(20).await;
    for seq in window + 1..=window + 20 {
        assert_eq!(to.delivery().await.seq, seq);
    }
    assert!(to.is_quiet().await, "and full again");
    to.ack(window + 20).await;
    for seq in window + 21..=window + 50 {
        assert_eq!(to.delivery().await.seq, seq);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_counts_bytes_as_well() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let (mut from, mut to) = (alice.connect(0).await, bob.connect(0).await);
    for _ in 0..20 {
        from.deposit(&alice.message(chat, &bob, &vec![1; CIPHERTEXT_MAX])).await.unwrap();
    }
    for seq in 1..=16 {
        assert_eq!(to.delivery().await.seq, seq);
    }
    assert!(to.is_quiet().await, "sixteen of the largest are one mebibyte");
    to.ack(1).await;
    assert_eq!(to.delivery().await.seq, 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_other_devices_than_the_present_ones_is_refused_with_the_difference() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut from = alice.connect(0).await;
    let good = alice.message(chat, &bob, b"x");

    let mut stale = good.clone();
    stale.lists =
        vec![ListVersion { account: alice.account, version: 1 }, ListVersion { account: bob.account, version: 2 }];
    let rejected = from.deposit(&stale).await.unwrap_err();
    assert_eq!(
        (rejected.code, rejected.stale, rejected.retry_after),
        (ErrorCode::StaleDeviceList, vec![bob.account], 0)
    );

    let mut missing = good.clone();
    missing.deposits.clear();
    assert_eq!(from.deposit(&missing).await.unwrap_err().missing, vec![bob.device]);

    let mut extra = good.clone();
    let stranger = DeviceId::from_bytes([9; 16]);
    extra.deposits.push(Deposit { device: stranger, ciphertext: (*b"y").into() });
    assert_eq!(from.deposit(&extra).await.unwrap_err().extra, vec![stranger]);

    // The same over REST.
    let post = PostMessage { message: stale.message, lists: stale.lists, deposits: stale.deposits, time_to_live: 0 };
    let problem = alice.post::<PostedMessage>(&format!("/chats/{chat}/messages"), &post).await.unwrap_err();
    assert_eq!((problem.code, problem.status, problem.stale), (ErrorCode::StaleDeviceList, 409, vec![bob.account]));
    from.deposit(&good).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sends_into_a_chat_of_others_or_too_much_or_nothing() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let mallory = register(&relay, "mallory").await;
    let mut from = mallory.connect(0).await;
    let intrusion = mallory.message(chat, &bob, b"let me in");
    assert_eq!(from.deposit(&intrusion).await.unwrap_err().code, ErrorCode::UnknownChat);
    let nowhere = mallory.message(ChatId::from_bytes(random()), &bob, b"x");
    assert_eq!(from.deposit(&nowhere).await.unwrap_err().code, ErrorCode::UnknownChat);

    let mut from = alice.connect(0).await;
    let refused = async |from: &mut crate::support::Talk, text: &[u8]| {
        from.deposit(&alice.message(chat, &bob, text)).await.unwrap_err().code
    };
    assert_eq!(refused(&mut from, &vec![0; CIPHERTEXT_MAX + 1]).await, ErrorCode::TooLarge);
    assert_eq!(refused(&mut from, b"").await, ErrorCode::InvalidRequest);
    let mut eternal = alice.message(chat, &bob, b"x");
    eternal.time_to_live = TIME_TO_LIVE_MAX + 1;
    assert_eq!(from.deposit(&eternal).await.unwrap_err().code, ErrorCode::InvalidRequest);
    from.deposit(&alice.message(chat, &bob, &vec![0; CIPHERTEXT_MAX])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_takes_nothing_until_something_was_fetched() {
    let relay = relay_with(|config| Config { mailbox: MailboxBounds::of_messages(3), ..config }).await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut from = alice.connect(0).await;
    for _ in 0..3 {
        from.deposit(&alice.message(chat, &bob, b"x")).await.unwrap();
    }
    let fourth = alice.message(chat, &bob, b"x");
    let rejected = from.deposit(&fourth).await.unwrap_err();
    assert_eq!(rejected.code, ErrorCode::MailboxFull);
    assert!(rejected.retry_after > 0);
    let mut to = bob.connect(0).await;
    assert_eq!(to.delivery().await.seq, 1);
    assert_eq!((to.delivery().await.seq, to.delivery().await.seq), (2, 3));
    to.ack(1).await;
    assert!(to.is_quiet().await);
    from.deposit(&fourth).await.unwrap();
    assert_eq!(to.delivery().await.seq, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_full_by_bytes_as_well() {
    let mailbox = MailboxBounds { bytes: 3 * CIPHERTEXT_MAX as u64, ..MailboxBounds::default() };
    let relay = relay_with(|config| Config { mailbox, ..config }).await;
    let (alice, bob, chat) = pair(&relay).await;
    let mut from = alice.connect(0).await;
    let large = || alice.message(chat, &bob, &vec![7; CIPHERTEXT_MAX]);
    for _ in 0..3 {
        from.deposit(&large()).await.unwrap();
    }
    let small = alice.message(chat, &bob, b"x");
    let rejected = from.deposit(&small).await.unwrap_err();
    assert_eq!(rejected.code, ErrorCode::MailboxFull);
    assert!(rejected.retry_after > 0);
    let mut to = bob.connect(0).await;
    assert_eq!(to.delivery().await.seq, 1);
    to.ack(1).await;
    to.delivery().await;
    to.delivery().await;
    assert!(to.is_quiet().await);
    from.deposit(&small).await.unwrap();
    assert_eq!(from.deposit(&large()).await.unwrap_err().code, ErrorCode::MailboxFull);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_can_be_sent_and_read_without_a_socket() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    let carol = register(&relay, "carol").await;
    let other = carol.open_chat("bob").await;
    let path = format!("/chats/{chat}/messages");
    for n in 0..5_u8 {
        for (person, chat) in [(&alice, chat), (&carol, other)] {
            let send = person.message(chat, &bob, &[n + 1; 10]);
            let post =
                PostMessage { message: send.message, lists: send.lists, deposits: send.deposits, time_to_live: 0 };
            let posted: PostedMessage = person.post(&format!("/chats/{chat}/messages"), &post).await.unwrap();
            assert_eq!(posted.message, send.message);
        }
    }
    let mut found: Vec<u8> = Vec::new();
    let mut after = "0".to_owned();
    loop {
        let page: Page<WaitingMessage> = bob.get(&format!("{path}?after={after}&limit=2")).await.unwrap();
        assert!(page.items.len() <= 2);
        found.extend(page.items.iter().map(|item| item.delivery.ciphertext.as_slice()[0]));
        let Some(next) = page.next else { break };
        after = next;
    }
    assert_eq!(found, [1, 2, 3, 4, 5], "of this chat only, each once, in order");
    let page: Page<WaitingMessage> = alice.get(&path).await.unwrap();
    assert!(page.items.is_empty(), "others' mailboxes are not shown");
    assert_eq!(code(carol.get::<Page<WaitingMessage>>(&path).await), Some(ErrorCode::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_chat_is_one_whoever_opens_it_and_needs_two() {
    let relay = relay().await;
    let (alice, bob, chat) = pair(&relay).await;
    assert_eq!(chat, ChatId::direct(&alice.account, &bob.account));
    assert_eq!(bob.open_chat("alice").await, chat);
    let mine: Page<Chat> = bob.get("/chats").await.unwrap();
    assert_eq!(mine.items.iter().map(|c| c.chat).collect::<Vec<_>>(), [chat]);
    assert_eq!(mine.items[0].members.len(), 2);
    let one: Chat = bob.get(&format!("/chats/{chat}")).await.unwrap();
    assert_eq!(one, mine.items[0]);

    let open = async |peer: &str| code(alice.post::<Chat>("/chats", &OpenChat { peer: peer.to_owned() }).await);
    assert_eq!(open("alice").await, Some(ErrorCode::InvalidRequest));
    assert_eq!(open("nobody").await, Some(ErrorCode::NotFound));
    assert_eq!(open("Not A Name").await, Some(ErrorCode::InvalidName));
    let mallory = register(&relay, "mallory").await;
    assert_eq!(code(mallory.get::<Chat>(&format!("/chats/{chat}")).await), Some(ErrorCode::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_paged() {
    let relay = relay().await;
    let alice = register(&relay, "alice").await;
    let mut expected = Vec::new();
    for n in 0..5 {
        register(&relay, &format!("peer{n}")).await;
        expected.push(alice.open_chat(&format!("peer{n}")).await);
    }
    expected.sort_unstable();
    let (mut found, mut path) = (Vec::new(), "/chats?limit=2".to_owned());
    loop {
        let page: Page<Chat> = alice.get(&path).await.unwrap();
        found.extend(page.items.iter().map(|chat| chat.chat));
        let Some(next) = page.next else { break };
        path = format!("/chats?limit=2&after={next}");
    }
    assert_eq!(found, expected);
    assert_eq!(code(alice.get::<Page<Chat>>("/chats?after=x").await), Some(ErrorCode::InvalidRequest));
}
