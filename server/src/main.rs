//! `susurro-server`: the relay as a program.

mod healthcheck;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use susurro_server::compose::{self, StartError};
use susurro_server::config::{Config, TlsFiles};
use susurro_server::domain::rate::PerMinute;
use susurro_server::telemetry::{self, LogFormat};

/// Did not start, or did not end in good order.
const FAILED: u8 = 1;

/// Was asked for something that cannot be; the same as for arguments that cannot be read.
const USAGE: u8 = 2;

/// The blind relay of Susurro: stores ciphertext, forwards it, and can read none of it.
#[derive(Parser)]
#[command(name = "susurro-server", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the relay until ctrl-c or SIGTERM.
    Serve(Serve),
    /// Ask a relay on this machine whether it is ready; ends with 0 if so. For containers and timers.
    Healthcheck {
        /// The relay, by plain HTTP.
        #[arg(long, env = "SUSURRO_HEALTHCHECK_URL", value_name = "URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
}

#[derive(clap::Args)]
struct Serve {
    /// Directory of the secrets, made at the first start, and of the database.
    #[arg(long, env = "SUSURRO_DATA_DIR", value_name = "DIR")]
    data_dir: PathBuf,
    /// Address and port to listen on; port 0 for any that is free.
    #[arg(long, env = "SUSURRO_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// sqlite:PATH [default: sqlite:DIR/relay.db].
    #[arg(long, env = "SUSURRO_DATABASE", value_name = "URL")]
    database: Option<String>,
    /// Mebibytes that the database may grow to; beyond, messages are refused until some were fetched.
    #[arg(long, env = "SUSURRO_DATABASE_MAX_MIB", value_name = "MIB")]
    database_max_mib: Option<u64>,
    /// Certificate chain for HTTPS, as PEM.
    #[arg(long, env = "SUSURRO_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of that certificate, as PEM.
    #[arg(long, env = "SUSURRO_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A proxy in front ends TLS; its X-Forwarded-For says who asks.
    #[arg(long, env = "SUSURRO_BEHIND_PROXY", value_parser = FalseyValueParser::new())]
    behind_proxy: bool,
    /// Registrations, logins and refreshes a minute from one address.
    #[arg(long, env = "SUSURRO_AUTH_RATE", value_name = "N", default_value_t = 20)]
    auth_rate: u32,
    /// Other requests a minute from one account.
    #[arg(long, env = "SUSURRO_REST_RATE", value_name = "N", default_value_t = 100)]
    rest_rate: u32,
    /// What to log: a level, or directives such as susurro_server=debug.
    #[arg(long, env = "SUSURRO_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
    /// How a log line looks.
    #[arg(long, env = "SUSURRO_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn main() -> ExitCode {
    let serve = match Arguments::parse().command {
        Command::Serve(serve) => serve,
        Command::Healthcheck { url } => {
            return match healthcheck::ask(&url) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => complain(&error, FAILED),
            };
        }
    };
    let format = match serve.log_format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    if let Err(error) = telemetry::start(&serve.log, format) {
        return complain(&error, USAGE);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(config(serve))),
        Err(error) => complain(&error, FAILED),
    }
}

fn config(serve: Serve) -> Config {
    let tls = serve.tls_cert.zip(serve.tls_key).map(|(cert, key)| TlsFiles { cert, key });
    Config {
        database: serve.database,
        listen: serve.listen,
        tls,
        behind_proxy: serve.behind_proxy,
        auth_rate: PerMinute(serve.auth_rate),
        rest_rate: PerMinute(serve.rest_rate),
        database_max: serve.database_max_mib.map(|mib| mib.saturating_mul(1024 * 1024)),
        ..Config::new(serve.data_dir)
    }
}

async fn run(config: Config) -> ExitCode {
    // Listened to before anything is said: whoever reads the line may stop the relay at once.
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => return complain(&error, FAILED),
    };
    let relay = match compose::start(config).await {
        Ok(relay) => relay,
        Err(error @ StartError::Config(_)) => return complain(&error, USAGE),
        Err(error) => return complain(&error, FAILED),
    };
    let said = writeln!(std::io::stdout(), "listening on {}", relay.url()).and_then(|()| std::io::stdout().flush());
    if let Err(error) = said {
        // Nobody reads the line; the relay works all the same.
        tracing::warn!(%error, "cannot write to stdout");
    }
    stop.await;
    if relay.shutdown().await { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

fn complain(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "susurro-server: {error}");
    ExitCode::from(code)
}
