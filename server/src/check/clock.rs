//! Whether this machine's clock is right: tokens and expiry go by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::Finding;

const CHECK: &str = "clock";

const TODO: &str = "let the system keep its clock by a time server (systemd-timesyncd, chrony)";

/// Milliseconds that do not matter, and those that begin to lock people out.
const FINE: u64 = 2_000;
const WRONG: u64 = 60_000;

/// How long a time server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Seconds from 1900, where time servers begin to count, to 1970.
const FROM_1900: u64 = 2_208_988_800;

/// Compares with a time server when there is one, else with the relay that was reached, which may be on
/// another machine.
pub(super) async fn clock(server: Option<&str>, relay: Option<u64>) -> Finding {
    match (server, relay) {
        (Some(server), _) => match timeout(PATIENCE, ask(server)).await {
            Ok(Ok(theirs)) => compared(theirs, server),
            Ok(Err(why)) => Finding::fail(CHECK, format!("{server}: {why}"), "name a time server that answers"),
            Err(_) => Finding::fail(CHECK, format!("{server} does not answer"), "name a time server that answers"),
        },
        (None, Some(theirs)) => compared(theirs, "the relay that was reached"),
        (None, None) => Finding::skip(CHECK, "nothing to compare with; give --time-server or --url"),
    }
}

fn compared(theirs: u64, whose: &str) -> Finding {
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let apart = u64::try_from(ours).unwrap_or(u64::MAX).abs_diff(theirs);
    let found = format!("{apart} ms from that of {whose}");
    if apart <= FINE {
        Finding::ok(CHECK, found)
    } else if apart <= WRONG {
        Finding::warn(CHECK, found, TODO)
    } else {
        Finding::fail(CHECK, found, TODO)
    }
}

/// Milliseconds since 1970, by SNTP (RFC 4330).
async fn ask(server: &str) -> std::io::Result<u64> {
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:123") };
    let target = tokio::net::lookup_host(&server).await?.next();
    let target = target.ok_or_else(|| std::io::Error::other("the name leads nowhere"))?;
    let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(target).await?;
    let mut packet = [0; 48];
    // Version 4, as a client.
    packet[0] = 0x23;
    socket.send(&packet).await?;
    let length = socket.recv(&mut packet).await?;
    let (seconds, fraction) = (&packet[40..44], &packet[44..48]);
    let read = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let seconds = read(seconds).checked_sub(FROM_1900);
    // A server that has no time itself says 16 or 0 where its distance from a clock stands.
    let known = length == packet.len() && (1..16).contains(&packet[1]);
    let seconds = seconds.filter(|_| known).ok_or_else(|| std::io::Error::other("gives no time"))?;
    Ok(seconds * 1000 + ((read(fraction) * 1000) >> 32))
}
