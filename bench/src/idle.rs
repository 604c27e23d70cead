//! What connections cost that say nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::failed::Outcome;
use crate::target::{Ground, Kind, Target};

/// For what the last handshakes have left behind to be given back.
const SETTLE: Duration = Duration::from_secs(1);

/// Memory of a server that idle connections have made larger.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Idle {
    /// Connections.
    pub connections: usize,
    /// Bytes a connection: the difference to the same server before the first.
    pub each: f64,
    /// Bytes of the whole server.
    pub resident: u64,
}

/// Opens connections, authenticated where the server knows of such, in steps of `counts`, which
/// rise and are even.
///
/// # Errors
///
/// When one cannot be opened.
pub async fn measure(ground: &Ground, kind: Kind, counts: &[usize]) -> Outcome<Vec<Idle>> {
    let most = counts.iter().copied().max().unwrap_or_default();
    let target = Target::start(ground, kind, most / 2).await?;
    let before = target.server.resident()?;
    let (mut ends, mut found) = (Vec::new(), Vec::new());
    for connections in counts {
        let (from, to) = (ends.len() / 2, connections / 2);
        for side in [0, 1] {
            ends.extend(target.connect(side, from..to).await?);
        }
        sleep(SETTLE).await;
        let resident = target.server.resident()?;
        let each = resident.saturating_sub(before) as f64 / *connections as f64;
        found.push(Idle { connections: *connections, each, resident });
    }
    Ok(found)
}
