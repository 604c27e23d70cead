//! What the relay counts about itself, for Prometheus. Labels come from fixed sets only: no name, id or
//! address ever becomes one (`docs/operating.md`, "Watching").
//!
//! One set of counters a process. Whoever has something to count calls [`metrics`]; that costs an atomic
//! addition, with no lock on the way of messages.

mod labels;
mod process;

use std::sync::LazyLock;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use susurro_protocol::ErrorCode;
use susurro_protocol::frame::FrameKind;

use self::labels::{ByKind, Code, Outcome, Request, Route};

/// Media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds of a commit, from 100 µs to 3 s.
const COMMIT_SECONDS: (f64, f64, u16) = (0.000_1, 2.0, 16);

/// Messages of a commit, from 1 to 1024.
const COMMIT_MESSAGES: (f64, f64, u16) = (1.0, 2.0, 11);

/// Seconds of a request, from 1 ms to 16 s.
const REQUEST_SECONDS: (f64, f64, u16) = (0.001, 2.0, 15);

/// The counters of this process.
#[must_use]
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    /// Open WebSocket sessions; set when somebody looks.
    pub connections: Gauge,
    /// Sessions that were opened.
    pub opened: Counter,
    closed: Family<Code, Counter>,
    handshakes_refused: Family<Code, Counter>,
    received: ByKind,
    sent: ByKind,
    /// Messages that were called stored.
    pub stored: Counter,
    /// Messages that were handed to a connection.
    pub delivered: Counter,
    rejected: Family<Code, Counter>,
    /// Messages and logins that were dropped at the end of their time.
    pub expired: Counter,
    rate_limited: Family<Code, Counter>,
    commit_messages: Histogram,
    commit_seconds: Histogram,
    /// Transactions that the store refused.
    pub store_errors: Counter,
    /// 1 while the store takes messages; set when somebody looks.
    pub store_ready: Gauge,
    /// Bytes of the embedded database; set when somebody looks.
    pub store_bytes: Gauge,
    /// 1 while the bus reaches the other nodes, and for a relay alone; set when somebody looks.
    pub bus_up: Gauge,
    requests: Family<Request, Counter>,
    request_seconds: Family<Route, Histogram>,
    /// When the certificate that is shown ends, in seconds since 1970; 0 without TLS.
    pub certificate_expiry: Gauge,
    certificate_loads: Family<Outcome, Counter>,
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        let registry_of_relay = registry.sub_registry_with_prefix("susurro");
        let mut all = Register(registry_of_relay);
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        all.0.register("build", "The version of the relay", Info::new(version));
        let metrics = Self {
            connections: all.gauge("connections", "Open WebSocket sessions"),
            opened: all.counter("sessions_opened", "WebSocket sessions that were opened"),
            closed: all.family("sessions_closed", "WebSocket sessions that ended, by reason"),
            handshakes_refused: all.family("handshakes_refused", "Handshakes that were refused, by error"),
            received: ByKind::new(all.0, "frames_received", "Frames from clients, by kind"),
            sent: ByKind::new(all.0, "frames_sent", "Frames to clients, by kind"),
            stored: all.counter("messages_stored", "Messages that were called stored"),
            delivered: all.counter("messages_delivered", "Messages that were handed to a connection"),
            rejected: all.family("messages_rejected", "Messages that were not taken, by error"),
            expired: all.counter("expired", "Messages and logins that were dropped at the end of their time"),
            rate_limited: all.family("rate_limited", "Refusals because of a limit, by door"),
            commit_messages: all.histogram("commit_messages", "Messages of one commit", COMMIT_MESSAGES),
            commit_seconds: all.seconds("commit", "Duration of one commit of messages", COMMIT_SECONDS),
            store_errors: all.counter("store_errors", "Transactions that the store refused"),
            store_ready: all.gauge("store_ready", "1 while the store takes messages"),
            store_bytes: all.gauge("store_bytes", "Bytes of the database, without its log"),
            bus_up: all.gauge("bus_up", "1 while the bus reaches the other nodes, and for a relay alone"),
            requests: all.family("http_requests", "REST requests, by method, route and status"),
            request_seconds: {
                let family = Family::new_with_constructor(requests as fn() -> Histogram);
                let help = "Duration of REST requests, by route";
                all.0.register_with_unit("http_request", help, Unit::Seconds, family.clone());
                family
            },
            certificate_expiry: all.gauge(
                "certificate_expiry_timestamp_seconds",
                "When the certificate that is shown ends, in seconds since 1970; 0 without TLS",
            ),
            certificate_loads: all.family("certificate_loads", "Certificates that were loaded, by outcome"),
            registry,
        };
        metrics.bus_up.set(1);
        // What alerts look at is there from the start: a series that appears with its first event has no
        // increase that could be seen.
        for code in [ErrorCode::MailboxFull, ErrorCode::StorageUnavailable, ErrorCode::RateLimited] {
            metrics.rejected.get_or_create(&Code { code: code.slug() }).inc_by(0);
        }
        for outcome in ["ok", "failed"] {
            metrics.certificate_loads.get_or_create(&Outcome { outcome }).inc_by(0);
        }
        metrics.rate_limited.get_or_create(&Code { code: "http" }).inc_by(0);
        metrics.closed.get_or_create(&Code { code: ErrorCode::GoingAway.slug() }).inc_by(0);
        metrics.handshakes_refused.get_or_create(&Code { code: ErrorCode::BadSignature.slug() }).inc_by(0);
        metrics
    }

    /// Everything in the text format of OpenMetrics 1.0.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// A session ended; `None` when the other side was just gone.
    pub fn closed(&self, code: Option<ErrorCode>) {
        self.closed.get_or_create(&Code { code: code.map_or("gone", ErrorCode::slug) }).inc();
    }

    /// A handshake was refused; `None` when the other side was just gone.
    pub fn handshake_refused(&self, code: Option<ErrorCode>) {
        self.handshakes_refused.get_or_create(&Code { code: code.map_or("gone", ErrorCode::slug) }).inc();
    }

    /// A frame came.
    pub fn received(&self, kind: FrameKind) {
        self.received.of(kind).inc();
    }

    /// A frame goes out.
    pub fn sent(&self, kind: FrameKind) {
        self.sent.of(kind).inc();
    }

    /// A message was not taken.
    pub fn rejected(&self, code: ErrorCode) {
        self.rejected.get_or_create(&Code { code: code.slug() }).inc();
    }

    /// A limit was reached at this door: a fixed word.
    pub fn rate_limited(&self, door: &'static str) {
        self.rate_limited.get_or_create(&Code { code: door }).inc();
    }

    /// A batch of messages became durable.
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most some thousand messages")]
    pub fn committed(&self, messages: usize, took: Duration) {
        self.commit_messages.observe(messages as f64);
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// A request was answered. `route` is the template of its path, never the path.
    pub fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { method, route: route.to_owned(), status }).inc();
        self.request_seconds.get_or_create(&Route { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// A certificate was loaded, or was not usable.
    pub fn certificate_loaded(&self, well: bool) {
        self.certificate_loads.get_or_create(&Outcome { outcome: if well { "ok" } else { "failed" } }).inc();
    }
}

fn requests() -> Histogram {
    let (start, factor, length) = REQUEST_SECONDS;
    Histogram::new(exponential_buckets(start, factor, length))
}

/// Makes metrics and makes them known, in one step.
struct Register<'r>(&'r mut Registry);

impl Register<'_> {
    fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.0.register(name, help, counter.clone());
        counter
    }

    fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.0.register(name, help, gauge.clone());
        gauge
    }

    fn family<L>(&mut self, name: &str, help: &str) -> Family<L, Counter>
    where
        L: labels::Labels,
    {
        let family = Family::default();
        self.0.register(name, help, family.clone());
        family
    }

    fn histogram(&mut self, name: &str, help: &str, (start, factor, length): (f64, f64, u16)) -> Histogram {
        let histogram = Histogram::new(exponential_buckets(start, factor, length));
        self.0.register(name, help, histogram.clone());
        histogram
    }

    fn seconds(&mut self, name: &str, help: &str, (start, factor, length): (f64, f64, u16)) -> Histogram {
        let histogram = Histogram::new(exponential_buckets(start, factor, length));
        self.0.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        histogram
    }
}
