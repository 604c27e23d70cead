//! The state of a session as bytes, for the store.

use std::sync::Arc;

use susurro_protocol::{AccountId, DeviceId};

use super::{Binding, FormerChain, ReceivingChain, SendingChain, Session};
use crate::crypto::dh::DhSecret;
use crate::crypto::ratchet::skipped::SkippedKeys;
use crate::crypto::ratchet::{ChainKey, HeaderKey, RootKey, WhisperKey};
use crate::crypto::secret::Secret32;
use crate::crypto::state::{BadState, Reader, Writer};

impl Session {
    /// Appends the state.
    pub(crate) fn write(&self, out: &mut Writer) {
        let binding = &self.binding;
        out.raw(&binding.transcript);
        for (account, device) in [binding.local, binding.remote] {
            out.raw(account.as_bytes()).raw(device.as_bytes());
        }
        out.raw(&binding.remote_certificate).raw(&binding.initial).u64(binding.generation);
        out.u8(binding.started_here.into()).raw(self.root.0.expose());
        out.u8(self.remote_ratchet.is_some().into()).raw(&self.remote_ratchet.unwrap_or_default());
        out.u8(self.sending.is_some().into());
        if let Some(chain) = &self.sending {
            out.raw(chain.ratchet.expose()).raw(chain.ratchet.public());
            out.raw(chain.header_key.0.expose()).raw(chain.chain_key.0.expose()).u32(chain.n);
        }
        out.raw(self.next_sending_header.0.expose()).u32(self.previous_length);
        out.u8(self.receiving.is_some().into());
        if let Some(chain) = &self.receiving {
            out.raw(chain.header_key.0.expose()).raw(chain.chain_key.0.expose()).u32(chain.n);
            chain.skipped.write(out);
            write_key(out, chain.whisper.as_ref());
            out.u64(chain.heard);
        }
        out.raw(self.next_receiving_header.0.expose()).count(self.former.len());
        for chain in &self.former {
            out.raw(chain.header_key.0.expose()).u32(chain.length);
            chain.skipped.write(out);
        }
        write_key(out, self.whisper.as_ref());
    }

    /// Reads what [`write`](Self::write) has written, or wrote before there were whispers.
    pub(crate) fn read(reader: &mut Reader<'_>, with_whispers: bool) -> Result<Self, BadState> {
        let secret = |reader: &mut Reader<'_>| reader.array().map(Secret32::copy_of);
        let party = |reader: &mut Reader<'_>| -> Result<_, BadState> {
            Ok((AccountId::from_bytes(*reader.array()?), DeviceId::from_bytes(*reader.array()?)))
        };
        let binding = Arc::new(Binding {
            transcript: *reader.array()?,
            local: party(reader)?,
            remote: party(reader)?,
            remote_certificate: *reader.array()?,
            initial: *reader.array()?,
            generation: reader.u64()?,
            started_here: reader.flag()?,
        });
        let root = RootKey(secret(reader)?);
        let (known, ratchet) = (reader.flag()?, *reader.array()?);
        let sending = if reader.flag()? {
            let (own, public) = (reader.array()?, *reader.array()?);
            Some(SendingChain {
                ratchet: DhSecret::from_stored(own, public),
                header_key: HeaderKey(secret(reader)?),
                chain_key: ChainKey(secret(reader)?),
                n: reader.u32()?,
            })
        } else {
            None
        };
        let next_sending_header = HeaderKey(secret(reader)?);
        let previous_length = reader.u32()?;
        let receiving = if reader.flag()? {
            Some(ReceivingChain {
                header_key: HeaderKey(secret(reader)?),
                chain_key: ChainKey(secret(reader)?),
                n: reader.u32()?,
                skipped: SkippedKeys::read(reader)?,
                whisper: if with_whispers { read_key(reader)? } else { None },
                heard: if with_whispers { reader.u64()? } else { 0 },
            })
        } else {
            None
        };
        let next_receiving_header = HeaderKey(secret(reader)?);
        let mut former = Vec::new();
        for _ in 0..reader.count(32)? {
            let (header_key, length) = (HeaderKey(secret(reader)?), reader.u32()?);
            former.push(Arc::new(FormerChain { header_key, length, skipped: SkippedKeys::read(reader)? }));
        }
        let whisper = if with_whispers { read_key(reader)? } else { None };
        Ok(Self {
            binding,
            root,
            remote_ratchet: known.then_some(ratchet),
            sending,
            next_sending_header,
            previous_length,
            receiving,
            next_receiving_header,
            former,
            whisper,
        })
    }
}

fn write_key(out: &mut Writer, key: Option<&WhisperKey>) {
    out.u8(key.is_some().into());
    if let Some(WhisperKey(key)) = key {
        out.raw(key.expose());
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<Option<WhisperKey>, BadState> {
    Ok(if reader.flag()? { Some(WhisperKey(Secret32::copy_of(reader.array()?))) } else { None })
}
