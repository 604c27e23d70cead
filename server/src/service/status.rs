//! The relay in figures, for those who run it.

use susurro_protocol::DeviceId;
use susurro_protocol::rest::{ConnectedDevice, Page, RelayInfo, RelayNode, RelayStatus};

use super::Relay;
use super::profile::page_limit;
use crate::domain::Error;

/// What the doors have counted since this node was started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passed {
    /// Messages that were called stored.
    pub stored: u64,
    /// Messages that were handed to a connection.
    pub delivered: u64,
}

impl Relay {
    /// The relay in figures.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn status(&self, passed: Passed) -> Result<RelayStatus, Error> {
        let figures = self.ports.administration.figures().await?;
        let storage_bytes = self.ports.mailboxes.bytes().await?;
        let RelayInfo { software, registration, time, .. } = self.info();
        let nodes = self.ports.bus.nodes().into_iter().map(|node| RelayNode {
            node: format!("{:016x}", node.number),
            here: node.here,
            connections: node.connections,
            quiet: u64::try_from(node.quiet.as_millis()).unwrap_or(u64::MAX),
        });
        Ok(RelayStatus {
            software,
            started: self.started,
            time,
            connections: self.connections() as u64,
            stored: passed.stored,
            delivered: passed.delivered,
            waiting: figures.waiting,
            storage_bytes,
            accounts: figures.accounts,
            disabled: figures.disabled,
            registration,
            nodes: nodes.collect(),
        })
    }

    /// The devices that are connected to this node, by identifier.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a cursor that was not given out.
    pub async fn connected(&self, after: Option<&str>, limit: Option<u32>) -> Result<Page<ConnectedDevice>, Error> {
        let unknown = |_| Error::invalid("`after` is what `next` of the page before was");
        let after = after.map(|after| after.parse::<DeviceId>().map_err(unknown)).transpose()?;
        let limit = page_limit(limit);
        let mut devices = self.ports.bus.connected();
        devices.retain(|device| Some(*device) > after);
        devices.sort_unstable();
        devices.truncate(limit as usize + 1);
        let more = devices.len() > limit as usize;
        devices.truncate(limit as usize);
        let next = devices.last().filter(|_| more).map(DeviceId::to_string);
        let mut items = Vec::with_capacity(devices.len());
        for device in devices {
            // A device that is removed at this moment is on no page.
            let Some(known) = self.ports.devices.device(device).await? else { continue };
            let Some(account) = self.ports.accounts.by_id(known.account).await? else { continue };
            items.push(ConnectedDevice { account: account.id, name: account.name, device });
        }
        Ok(Page { items, next })
    }
}
