//! Words as bytes: one for the kind, then its parts. Nodes of different versions talk with each other during an
//! upgrade, so a number is never given another meaning, and what a node does not know it ignores.

use bytes::Bytes;
use susurro_protocol::event::{DevicesChanged, PrekeysLow};
use susurro_protocol::{AccountId, ChatId, DeviceId};

use crate::domain::message::Signal;
use crate::domain::token::FamilyId;
use crate::ports::{AtWork, Attachment, Shown, Turn, Word};

const WAKE: u8 = 1;
const WHISPER: u8 = 2;
const PREKEYS_LOW: u8 = 3;
const ATTACHED: u8 = 4;
const REVOKED: u8 = 5;
const DEVICES_CHANGED: u8 = 6;
const AT_WORK: u8 = 7;
const SHOWN: u8 = 8;
const IS_SHOWN: u8 = 9;

pub(super) fn encode(word: &Word) -> Vec<u8> {
    match word {
        Word::Wake => vec![WAKE],
        Word::Whisper(Signal { recipient, chat, sender, sender_device, ciphertext }) => {
            let ids = [recipient.as_bytes(), chat.as_bytes(), sender.as_bytes(), sender_device.as_bytes()];
            [&[WHISPER][..], &ids.map(|id| *id).concat(), ciphertext].concat()
        }
        Word::PrekeysLow(PrekeysLow { one_time, pq_one_time }) => {
            [&[PREKEYS_LOW][..], &one_time.to_be_bytes(), &pq_one_time.to_be_bytes()].concat()
        }
        Word::Attached(Attachment { node, number, turn }) => {
            let numbers = [*node, *number, turn.welcomed, turn.tie].map(u64::to_be_bytes);
            [&[ATTACHED][..], numbers.as_flattened()].concat()
        }
        Word::DevicesChanged(DevicesChanged { account, version }) => {
            [&[DEVICES_CHANGED][..], account.as_bytes(), &version.to_be_bytes()].concat()
        }
        Word::Revoked(family) => [&[REVOKED][..], &family.0].concat(),
        Word::AtWork(AtWork { node, connections }) => {
            [&[AT_WORK][..], [*node, *connections].map(u64::to_be_bytes).as_flattened()].concat()
        }
        Word::Shown(Shown { account, node, joined }) => {
            [&[SHOWN][..], account.as_bytes(), &node.to_be_bytes(), &[u8::from(*joined)]].concat()
        }
        Word::IsShown { to, node } => [&[IS_SHOWN][..], to.as_bytes(), &node.to_be_bytes()].concat(),
    }
}

pub(super) fn decode(said: &[u8]) -> Option<Word> {
    let (kind, mut rest) = said.split_first()?;
    let word = match *kind {
        WAKE => Word::Wake,
        WHISPER => {
            let signal = Signal {
                recipient: DeviceId::from_bytes(take(&mut rest)?),
                chat: ChatId::from_bytes(take(&mut rest)?),
                sender: AccountId::from_bytes(take(&mut rest)?),
                sender_device: DeviceId::from_bytes(take(&mut rest)?),
                ciphertext: Bytes::copy_from_slice(rest),
            };
            Word::Whisper(signal)
        }
        PREKEYS_LOW => Word::PrekeysLow(PrekeysLow {
            one_time: u32::from_be_bytes(take(&mut rest)?),
            pq_one_time: u32::from_be_bytes(take(&mut rest)?),
        }),
        ATTACHED => Word::Attached(Attachment {
            node: u64::from_be_bytes(take(&mut rest)?),
            number: u64::from_be_bytes(take(&mut rest)?),
            turn: Turn { welcomed: u64::from_be_bytes(take(&mut rest)?), tie: u64::from_be_bytes(take(&mut rest)?) },
        }),
        REVOKED => Word::Revoked(FamilyId(take(&mut rest)?)),
        DEVICES_CHANGED => Word::DevicesChanged(DevicesChanged {
            account: AccountId::from_bytes(take(&mut rest)?),
            version: u64::from_be_bytes(take(&mut rest)?),
        }),
        AT_WORK => Word::AtWork(AtWork {
            node: u64::from_be_bytes(take(&mut rest)?),
            connections: u64::from_be_bytes(take(&mut rest)?),
        }),
        SHOWN => Word::Shown(Shown {
            account: AccountId::from_bytes(take(&mut rest)?),
            node: u64::from_be_bytes(take(&mut rest)?),
            joined: take::<1>(&mut rest)? == [1],
        }),
        IS_SHOWN => {
            Word::IsShown { to: AccountId::from_bytes(take(&mut rest)?), node: u64::from_be_bytes(take(&mut rest)?) }
        }
        _ => return None,
    };
    Some(word)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_and_an_unknown_one_is_ignored() {
        let signal = Signal {
            recipient: DeviceId::from_bytes([1; 16]),
            chat: ChatId::from_bytes([2; 16]),
            sender: AccountId::from_bytes([3; 16]),
            sender_device: DeviceId::from_bytes([4; 16]),
            ciphertext: Bytes::from_static(b"sealed"),
        };
        for word in [
            Word::Wake,
            Word::Whisper(signal),
            Word::PrekeysLow(PrekeysLow { one_time: 3, pq_one_time: 70_000 }),
            Word::Attached(Attachment { node: u64::MAX, number: 7, turn: Turn { welcomed: 8, tie: 9 } }),
            Word::Revoked(FamilyId([9; 16])),
            Word::DevicesChanged(DevicesChanged { account: AccountId::from_bytes([5; 16]), version: 3 }),
            Word::AtWork(AtWork { node: u64::MAX - 1, connections: 10_000 }),
            Word::Shown(Shown { account: AccountId::from_bytes([6; 16]), node: 3, joined: true }),
            Word::Shown(Shown { account: AccountId::from_bytes([6; 16]), node: 3, joined: false }),
            Word::IsShown { to: AccountId::from_bytes([7; 16]), node: u64::MAX },
        ] {
            let said = encode(&word);
            assert_eq!(decode(&said).as_ref(), Some(&word));
            if said.len() > 1 {
                assert_ne!(decode(&said[..said.len() - 1]), Some(word));
            }
        }
        assert_eq!((decode(&[]), decode(&[200, 1])), (None, None));
    }
}
