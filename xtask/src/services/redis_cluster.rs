//! Three Redis servers that share the keys: a cluster without replicas.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::redis::Redis;
use crate::step::{Failure, Outcome};

/// Servers of a cluster: the least that Redis takes for one of several.
const SERVERS: u16 = 3;

/// Slots of a cluster, which the servers divide among themselves.
const SLOTS: u16 = 16_384;

/// How long the servers may take to find each other.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster on this machine, ended when it is dropped.
pub struct RedisCluster {
    servers: Vec<Redis>,
}

impl RedisCluster {
    /// Starts an empty cluster on free ports.
    ///
    /// # Errors
    ///
    /// A line that says what is missing, or what a server said.
    pub fn start() -> Outcome<Self> {
        let servers = (0..SERVERS).map(|_| Redis::start_with(&[("--cluster-enabled", "yes")]));
        let servers = servers.collect::<Outcome<Vec<_>>>()?;
        let share = SLOTS / SERVERS;
        for (number, server) in (0..SERVERS).zip(&servers) {
            let last = if number + 1 == SERVERS { SLOTS - 1 } else { (number + 1) * share - 1 };
            ask(server.port(), &format!("CLUSTER ADDSLOTSRANGE {} {last}", number * share))?;
            ask(server.port(), &format!("CLUSTER MEET 127.0.0.1 {}", servers[0].port()))?;
        }
        let until = Instant::now() + PATIENCE;
        for server in &servers {
            while !ask(server.port(), "CLUSTER INFO")?.contains("cluster_state:ok") {
                if Instant::now() > until {
                    return Err(Failure("the servers of the Redis cluster do not find each other".to_owned()));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(Self { servers })
    }

    /// `redis://127.0.0.1:PORT` of one of them.
    #[must_use]
    pub fn url(&self) -> String {
        self.servers.first().map(Redis::url).unwrap_or_default()
    }
}

/// The answer to one command of words, its first line for most.
fn ask(port: u16, command: &str) -> Outcome<String> {
    let failed = |why: std::io::Error| Failure(format!("{command}: {why}"));
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.write_all(format!("{command}\r\n").as_bytes()).map_err(failed)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).map_err(failed)?;
    if line.starts_with('-') {
        return Err(Failure(format!("{command}: {}", line.trim_end())));
    }
    if let Some(length) = line.strip_prefix('$').and_then(|length| length.trim_end().parse().ok()) {
        let mut body = vec![0; length];
        reader.read_exact(&mut body).map_err(failed)?;
        return Ok(String::from_utf8_lossy(&body).into_owned());
    }
    Ok(line)
}
