//! Properties of every structure on the wire: what is written is read again, what a later version
//! adds is skipped, and no input of a stranger does harm or gets an error that is not documented.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Debug;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::Serialize;
use serde::de::DeserializeOwned;
use support::decoders::{DECODERS, decoder};
use support::samples::samples;
use susurro_protocol::bytes::{Bin, Fixed};
use susurro_protocol::codec::{Malformed, Structure, decode, encode};
use susurro_protocol::command::{Ack, Deposit, ListVersion, Ping, Send};
use susurro_protocol::content::{Attachment, Content, Receipt, Repair, Resent, Text};
use susurro_protocol::event::{Deliver, DevicesChanged, ErrorNotice, GoingAway, Pong, PrekeysLow, Rejected, Stored};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::{Hello, Welcome};
use susurro_protocol::keys::{CertificateBody, DeviceListBody, OneTimePrekey, PrekeyBody, PrekeyBundle};
use susurro_protocol::limits::FRAME_MAX;
use susurro_protocol::signed::SignedBytes;
use susurro_protocol::{AccountId, BlobId, ChatId, DeviceId, ErrorCode, MessageId, rest};

fn id16() -> impl Strategy<Value = [u8; 16]> {
    any::<[u8; 16]>()
}
fn message() -> impl Strategy<Value = MessageId> {
    id16().prop_map(MessageId::from_bytes)
}
fn account() -> impl Strategy<Value = AccountId> {
    id16().prop_map(AccountId::from_bytes)
}
fn device() -> impl Strategy<Value = DeviceId> {
    id16().prop_map(DeviceId::from_bytes)
}
fn chat() -> impl Strategy<Value = ChatId> {
    id16().prop_map(ChatId::from_bytes)
}
fn key() -> impl Strategy<Value = Fixed<32>> {
    any::<[u8; 32]>().prop_map(Fixed)
}
/// Lengths on both sides of each msgpack width.
fn bin() -> impl Strategy<Value = Bin> {
    prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 250..260), vec(any::<u8>(), 65_530..65_540)]
        .prop_map(Bin::from)
}
/// Numbers on both sides of each msgpack width.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..200_u64, 250..260_u64, 65_530..65_540_u64, 4_294_967_290..4_294_967_300_u64, any::<u64>()]
}
fn code() -> impl Strategy<Value = ErrorCode> {
    prop_oneof![any::<Index>().prop_map(|i| *i.get(ErrorCode::ALL)), any::<u16>().prop_map(ErrorCode::of_number)]
}

fn send() -> impl Strategy<Value = Send> {
    (message(), chat(), vec(list(), 0..5), vec(deposit(), 0..3), any::<u32>()).prop_map(
        |(message, chat, lists, deposits, time_to_live)| Send { message, chat, lists, deposits, time_to_live },
    )
}
fn list() -> impl Strategy<Value = ListVersion> {
    (account(), number()).prop_map(|(account, version)| ListVersion { account, version })
}
fn deposit() -> impl Strategy<Value = Deposit> {
    (device(), bin()).prop_map(|(device, ciphertext)| Deposit { device, ciphertext })
}
fn rejected() -> impl Strategy<Value = Rejected> {
    (message(), code(), vec(account(), 0..3), vec(device(), 0..20), vec(device(), 0..3), any::<u32>()).prop_map(
        |(message, code, stale, missing, extra, retry_after)| Rejected {
            message,
            code,
            stale,
            missing,
            extra,
            retry_after,
        },
    )
}
fn deliver() -> impl Strategy<Value = Deliver> {
    (number(), message(), chat(), account(), device(), number(), bin()).prop_map(
        |(seq, message, chat, sender, sender_device, stored_at, ciphertext)| Deliver {
            seq,
            message,
            chat,
            sender,
            sender_device,
            stored_at,
            ciphertext,
        },
    )
}
fn attachment() -> impl Strategy<Value = Attachment> {
    (any::<[String; 2]>(), number(), id16(), key(), key()).prop_map(|([name, media_type], size, blob, key, hash)| {
        Attachment { name, media_type, size, blob: BlobId::from_bytes(blob), key, hash }
    })
}
fn notice() -> impl Strategy<Value = ErrorNotice> {
    (code(), any::<u16>(), any::<String>()).prop_map(|(code, about, text)| ErrorNotice { code, about, text })
}
fn hello() -> impl Strategy<Value = Hello> {
    (any::<[u8; 2]>(), account(), device(), key(), key(), key(), number()).prop_map(
        |([min_version, max_version], account, device, relay_key, ephemeral, token_hash, cursor)| Hello {
            min_version,
            max_version,
            account,
            device,
            relay_key,
            ephemeral,
            token_hash,
            cursor,
        },
    )
}
fn welcome() -> impl Strategy<Value = Welcome> {
    (any::<u8>(), key(), key(), number(), number(), any::<[u32; 3]>()).prop_map(
        |(version, relay_key, ephemeral, time, mailbox_head, [frame_max, ciphertext_max, window])| Welcome {
            version,
            relay_key,
            ephemeral,
            time,
            mailbox_head,
            frame_max,
            ciphertext_max,
            window,
        },
    )
}
fn signed_bytes() -> impl Strategy<Value = SignedBytes> {
    (bin(), any::<[u8; 64]>()).prop_map(|(body, signature)| SignedBytes { body, signature: Fixed(signature) })
}
fn certificate() -> impl Strategy<Value = CertificateBody> {
    (any::<u16>(), account(), key(), device(), key(), key(), number()).prop_map(
        |(suite, account, account_key, device, signing_key, identity_key, created)| CertificateBody {
            suite,
            account,
            account_key,
            device,
            signing_key,
            identity_key,
            created,
        },
    )
}
fn device_list() -> impl Strategy<Value = DeviceListBody> {
    (any::<u16>(), account(), key(), number(), key(), number(), vec(signed_bytes(), 0..3)).prop_map(
        |(suite, account, account_key, version, previous, created, certificates)| DeviceListBody {
            suite,
            account,
            account_key,
            version,
            previous,
            created,
            certificates,
        },
    )
}
fn prekey() -> impl Strategy<Value = PrekeyBody> {
    (any::<u16>(), account(), device(), any::<u8>(), number(), number(), bin()).prop_map(
        |(suite, account, device, kind, id, created, key)| PrekeyBody {
            suite,
            account,
            device,
            kind,
            id,
            created,
            key,
        },
    )
}
fn one_time() -> impl Strategy<Value = OneTimePrekey> {
    (number(), key()).prop_map(|(id, key)| OneTimePrekey { id, key })
}
fn bundle() -> impl Strategy<Value = PrekeyBundle> {
    (device(), signed_bytes(), signed_bytes(), any::<u8>(), proptest::option::of(one_time())).prop_map(
        |(device, signed_prekey, pq_prekey, pq_kind, one_time_prekey)| PrekeyBundle {
            device,
            signed_prekey,
            pq_prekey,
            pq_kind,
            one_time_prekey,
        },
    )
}
fn content() -> impl Strategy<Value = Content> {
    let order = (number(), vec(message(), 0..4), number());
    (message(), chat(), order, key(), key(), any::<u16>(), bin()).prop_map(
        |(message, chat, (counter, parents, sent_at), sender_list, recipient_list, kind, body)| Content {
            message,
            chat,
            counter,
            parents,
            sent_at,
            sender_list,
            recipient_list,
            kind,
            body,
        },
    )
}
fn receipt() -> impl Strategy<Value = Receipt> {
    (any::<u8>(), vec(message(), 0..20), number()).prop_map(|(state, messages, at)| Receipt { state, messages, at })
}

/// `bytes` is an array; the same array with `more` elements at its end.
fn with_later_elements(bytes: &[u8], more: &[Vec<u8>]) -> Vec<u8> {
    assert_eq!(bytes[0] & 0xf0, 0x90, "structures have fewer than 16 fields");
    let count = u16::from(bytes[0] & 0x0f) + u16::try_from(more.len()).unwrap();
    // The wide form of the length is as good as the short one.
    let mut longer = vec![0xdc];
    longer.extend(count.to_be_bytes());
    longer.extend(&bytes[1..]);
    longer.extend(more.concat());
    longer
}

/// One msgpack value that this version knows nothing of.
fn later_element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![0xc0]),
        Just(vec![0xc3]),
        Just(vec![0xcb, 1, 2, 3, 4, 5, 6, 7, 8]),
        Just(vec![0x82, 0x01, 0x02, 0xa1, b'k', 0x90]),
        Just(vec![0xd6, 0x05, 1, 2, 3, 4]),
        number().prop_map(|n| [vec![0xcf], n.to_be_bytes().to_vec()].concat()),
        vec(any::<u8>(), 0..200).prop_map(|b| [vec![0xc4, u8::try_from(b.len()).unwrap()], b].concat()),
    ]
}

/// Everything a structure promises to a reader.
fn holds<T>(value: &T, later: &[Vec<u8>], cut: Index) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + Structure + PartialEq + Debug,
{
    let bytes = encode(value);
    let refused = Err(Malformed { structure: T::NAME });
    let (exact, longer) = (decode::<T>(&bytes), decode::<T>(&with_later_elements(&bytes, later)));
    prop_assert_eq!(exact.as_ref(), Ok(value));
    prop_assert_eq!(longer.as_ref(), Ok(value), "later elements are skipped");
    prop_assert_eq!(&decode::<T>(&bytes[..cut.index(bytes.len())]), &refused, "cut short");
    prop_assert_eq!(&decode::<T>(&[&bytes[..], &[0xc0]].concat()), &refused, "bytes behind the array");
    let mut fewer = bytes;
    fewer[0] -= 1;
    prop_assert_eq!(&decode::<T>(&fewer), &refused, "one element too few");
    Ok(())
}

macro_rules! structures {
    ($($name:ident: $strategy:expr;)+) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(48))]
            $(#[test]
            fn $name(value in $strategy, later in vec(later_element(), 0..20), cut in any::<Index>()) {
                holds(&value, &later, cut)?;
            })+
        }
    };
}

structures! {
    send_reads_back_and_leaves_room_for_later_fields: send();
    ack_reads_back_and_leaves_room_for_later_fields: number().prop_map(|cursor| Ack { cursor });
    ping_reads_back_and_leaves_room_for_later_fields: number().prop_map(|nonce| Ping { nonce });
    list_version_reads_back_and_leaves_room_for_later_fields: list();
    deposit_reads_back_and_leaves_room_for_later_fields: deposit();
    stored_reads_back_and_leaves_room_for_later_fields:
        (message(), number()).prop_map(|(message, stored_at)| Stored { message, stored_at });
    rejected_reads_back_and_leaves_room_for_later_fields: rejected();
    deliver_reads_back_and_leaves_room_for_later_fields: deliver();
    pong_reads_back_and_leaves_room_for_later_fields: number().prop_map(|nonce| Pong { nonce });
    devices_changed_reads_back_and_leaves_room_for_later_fields:
        (account(), number()).prop_map(|(account, version)| DevicesChanged { account, version });
    prekeys_low_reads_back_and_leaves_room_for_later_fields:
        any::<[u32; 2]>().prop_map(|[one_time, pq_one_time]| PrekeysLow { one_time, pq_one_time });
    going_away_reads_back_and_leaves_room_for_later_fields:
        any::<u32>().prop_map(|retry_after| GoingAway { retry_after });
    error_reads_back_and_leaves_room_for_later_fields: notice();
    hello_reads_back_and_leaves_room_for_later_fields: hello();
    welcome_reads_back_and_leaves_room_for_later_fields: welcome();
    signed_bytes_read_back_and_leave_room_for_later_fields: signed_bytes();
    certificate_reads_back_and_leaves_room_for_later_fields: certificate();
    device_list_reads_back_and_leaves_room_for_later_fields: device_list();
    prekey_reads_back_and_leaves_room_for_later_fields: prekey();
    one_time_prekey_reads_back_and_leaves_room_for_later_fields: one_time();
    bundle_reads_back_and_leaves_room_for_later_fields: bundle();
    content_reads_back_and_leaves_room_for_later_fields: content();
    text_reads_back_and_leaves_room_for_later_fields: any::<String>().prop_map(|text| Text { text });
    receipt_reads_back_and_leaves_room_for_later_fields: receipt();
    repair_reads_back_and_leaves_room_for_later_fields:
        vec(message(), 0..20).prop_map(|messages| Repair { messages });
    resent_reads_back_and_leaves_room_for_later_fields: bin().prop_map(|content| Resent { content });
    attachment_reads_back_and_leaves_room_for_later_fields: attachment();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_frame_reads_back_and_leaves_room_for_later_elements(
        version in any::<u8>(), kind in any::<u16>(), seq in number(), body in bin(),
        tag in vec(any::<u8>(), 0..70), later in vec(later_element(), 0..20), cut in any::<Index>(),
    ) {
        let kind = FrameKind::of_number(kind);
        let frame = RawFrame { version, kind, seq, body: body.0, tag: tag.into() };
        let bytes = frame.encode();
        let decoded = |bytes: Vec<u8>| RawFrame::decode(&Bytes::from(bytes));
        prop_assert_eq!(decoded(bytes.clone()), Ok(frame.clone()));
        prop_assert_eq!(decoded(with_later_elements(&bytes, &later)), Ok(frame));
        prop_assert_eq!(decoded(bytes[..cut.index(bytes.len())].to_vec()), Err(ErrorCode::MalformedFrame));
        prop_assert_eq!(decoded([&bytes[..], &[0]].concat()), Err(ErrorCode::MalformedFrame));
    }

    #[test]
    fn attack_25_random_bytes_do_no_harm_to_any_decoder(input in vec(any::<u8>(), 0..600)) {
        for (_, run) in DECODERS {
            run(&input);
        }
    }

    #[test]
    fn attack_25_mutated_messages_do_no_harm_to_any_decoder(
        from in any::<Index>(), edits in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..8), splice in any::<Index>(),
    ) {
        let all = samples();
        let sample = from.get(&all);
        let mut input = sample.input.clone();
        for (at, byte, how) in edits {
            let at = at.index(input.len().max(1));
            match how {
                0 => input.insert(at.min(input.len()), byte),
                1 if !input.is_empty() => input[at] = byte,
                2 if !input.is_empty() => drop(input.remove(at)),
                _ => input.extend(&splice.get(&all).input),
            }
        }
        decoder(sample.target).unwrap()(&input);
    }

    #[test]
    fn integers_of_any_width_are_the_same_number(cursor in any::<u8>()) {
        let small = [0x91, 0xcc, cursor];
        let wide = [0x91, 0xcf, 0, 0, 0, 0, 0, 0, 0, cursor];
        prop_assert_eq!(decode::<Ack>(&small), Ok(Ack { cursor: cursor.into() }));
        prop_assert_eq!(decode::<Ack>(&wide), Ok(Ack { cursor: cursor.into() }));
    }

    #[test]
    fn json_structures_leave_room_for_later_members(name in "[a-z][a-z0-9_]{0,20}x", extra in any::<u64>()) {
        for sample in samples().iter().filter(|sample| sample.target == "rest") {
            let mut value: serde_json::Value = serde_json::from_slice(&sample.input[1..]).unwrap();
            value.as_object_mut().unwrap().insert(name.clone(), extra.into());
            if sample.name == "register" {
                let read: rest::RegisterRequest = serde_json::from_value(value.clone()).unwrap();
                prop_assert_eq!(read.username, "alice");
            }
            let longer = [&sample.input[..1], &serde_json::to_vec(&value).unwrap()].concat();
            decoder("rest").unwrap()(&longer);
        }
    }
}

#[test]
fn nested_structures_are_closed_and_negative_or_fractional_numbers_are_refused() {
    let send = Send {
        message: MessageId::from_bytes([1; 16]),
        chat: ChatId::from_bytes([2; 16]),
        lists: vec![ListVersion { account: AccountId::from_bytes([3; 16]), version: 1 }],
        deposits: vec![],
        time_to_live: 0,
    };
    let bytes = encode(&send);
    // The list version begins with 0x92 behind the outer array, two identifiers and 0x91.
    let at = 1 + 18 + 18 + 1;
    assert_eq!(bytes[at], 0x92);
    let mut longer = bytes.clone();
    longer[at] = 0x93;
    longer.insert(at + 1 + 18 + 1, 0xc0);
    assert!(decode::<Send>(&longer).is_err(), "docs/protocol.md, section 5: only the outermost array may grow");

    assert!(decode::<Ack>(&[0x91, 0xff]).is_err(), "minus one");
    assert!(decode::<Ack>(&[0x91, 0xca, 0x3f, 0x80, 0, 0]).is_err(), "1.0");
    assert!(decode::<Ack>(&[0x91, 0xc0]).is_err(), "nil");
}

#[test]
fn frames_are_limited_to_the_byte() {
    let frame = |body: usize| RawFrame {
        version: 1,
        kind: FrameKind::Send,
        seq: 1,
        body: vec![0; body].into(),
        tag: vec![0; 32].into(),
    };
    // Array 1, version 1, kind 1, number 1, length of the body 5, length of the tag 2, tag 32.
    let fits = FRAME_MAX - 43;
    assert_eq!(frame(fits).encode().len(), FRAME_MAX);
    assert_eq!(RawFrame::decode(&frame(fits).encode().into()), Ok(frame(fits)));
    assert_eq!(RawFrame::decode(&frame(fits + 1).encode().into()), Err(ErrorCode::FrameTooLarge));
}
