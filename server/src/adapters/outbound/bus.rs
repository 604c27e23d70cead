//! Wake-ups inside one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use susurro_protocol::announcement::Notice;
use susurro_protocol::event::{DevicesChanged, PrekeysLow};
use susurro_protocol::{DeviceId, ErrorCode};

use crate::domain::message::{Signal, Waiting};
use crate::domain::token::FamilyId;
use crate::ports::{Bus, Connections, Ending, Node, Slot, Turn};

/// The connections of this process.
#[derive(Default)]
pub struct LocalBus {
    connections: Mutex<HashMap<DeviceId, Connection>>,
}

struct Connection {
    family: FamilyId,
    turn: Turn,
    slot: Arc<Slot>,
}

impl LocalBus {
    fn connections(&self) -> MutexGuard<'_, HashMap<DeviceId, Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bus for LocalBus {
    fn attach(&self, device: DeviceId, family: FamilyId, turn: Turn) -> Option<Arc<Slot>> {
        let slot = Arc::new(Slot::default());
        let mut connections = self.connections();
        if connections.get(&device).is_some_and(|newest| newest.turn > turn) {
            return None;
        }
        let before = connections.insert(device, Connection { family, turn, slot: slot.clone() });
        drop(connections);
        if let Some(before) = before {
            before.slot.end(Ending(ErrorCode::Superseded));
        }
        Some(slot)
    }

    fn detach(&self, device: DeviceId, slot: &Arc<Slot>) {
        let mut connections = self.connections();
        if connections.get(&device).is_some_and(|connection| Arc::ptr_eq(&connection.slot, slot)) {
            connections.remove(&device);
        }
    }

    fn deliver(&self, messages: Vec<Waiting>) {
        self.deliver_here(messages);
    }

    fn whisper(&self, signals: Vec<Signal>) {
        self.whisper_here(signals);
    }

    fn prekeys_low(&self, device: DeviceId, low: PrekeysLow) {
        if let Some(connection) = self.connections().get(&device) {
            connection.slot.prekeys_low(low);
        }
    }

    fn devices_changed(&self, to: Vec<DeviceId>, changed: DevicesChanged) {
        let connections = self.connections();
        for connection in to.iter().filter_map(|device| connections.get(device)) {
            connection.slot.devices_changed(changed);
        }
    }

    fn revoke(&self, family: FamilyId) {
        for connection in self.connections().values().filter(|connection| connection.family == family) {
            connection.slot.end(Ending(ErrorCode::TokenRevoked));
        }
    }

    fn connections(&self) -> usize {
        self.connections().len()
    }

    fn announce(&self, notices: &[Arc<Notice>]) {
        for connection in self.connections().values() {
            connection.slot.announce(notices);
        }
    }

    fn connected(&self) -> Vec<DeviceId> {
        self.connections().keys().copied().collect()
    }

    fn nodes(&self) -> Vec<Node> {
        Vec::new()
    }
}

impl Connections for LocalBus {
    fn has(&self, device: DeviceId) -> bool {
        self.connections().contains_key(&device)
    }

    fn list(&self) -> Vec<(DeviceId, FamilyId)> {
        self.connections().iter().map(|(device, connection)| (*device, connection.family)).collect()
    }

    fn deliver_here(&self, messages: Vec<Waiting>) -> Vec<DeviceId> {
        let connections = self.connections();
        let mut elsewhere = Vec::new();
        for message in messages {
            match connections.get(&message.mailbox) {
                Some(connection) => connection.slot.push(message),
                None => elsewhere.push(message.mailbox),
            }
        }
        elsewhere
    }

    fn whisper_here(&self, signals: Vec<Signal>) -> Vec<Signal> {
        let connections = self.connections();
        let mut elsewhere = Vec::new();
        for signal in signals {
            match connections.get(&signal.recipient) {
                Some(connection) => connection.slot.whisper(signal),
                None => elsewhere.push(signal),
            }
        }
        elsewhere
    }

    fn wake(&self, device: DeviceId) {
        if let Some(connection) = self.connections().get(&device) {
            connection.slot.wake();
        }
    }

    fn supersede(&self, device: DeviceId) -> bool {
        let before = self.connections().remove(&device);
        if let Some(before) = &before {
            before.slot.end(Ending(ErrorCode::Superseded));
        }
        before.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_ends_an_older_one_and_never_a_newer_one() {
        let (bus, device, family) = (LocalBus::default(), DeviceId::from_bytes([1; 16]), FamilyId([2; 16]));
        let turn = |welcomed, tie| Turn { welcomed, tie };
        let Some(newer) = bus.attach(device, family, turn(7, 5)) else { unreachable!("nothing is newer") };
        for late in [turn(6, 9), turn(7, 4)] {
            assert!(bus.attach(device, family, late).is_none());
            assert_eq!(newer.take().ending, None);
        }
        for next in [turn(7, 6), turn(8, 0)] {
            assert!(bus.attach(device, family, next).is_some());
        }
        assert_eq!(newer.take().ending, Some(Ending(ErrorCode::Superseded)));
        assert_eq!(bus.connections().len(), 1);
    }
}
