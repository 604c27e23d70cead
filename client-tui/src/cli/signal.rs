//! Signals that ask the program to end.

/// Waits for a signal that asks the program to end, and gives its number.
#[cfg(unix)]
pub(crate) async fn received() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    const HANGUP: u8 = 1;
    const INTERRUPT: u8 = 2;
    const TERMINATE: u8 = 15;
    let one = async |kind: SignalKind, number: u8| {
        match signal(kind) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            // Without a handler the signal ends the program by itself.
            Err(_) => std::future::pending().await,
        }
        number
    };
    tokio::select! {
        number = one(SignalKind::hangup(), HANGUP) => number,
        number = one(SignalKind::interrupt(), INTERRUPT) => number,
        number = one(SignalKind::terminate(), TERMINATE) => number,
    }
}

/// Waits for Ctrl-C, and gives the number of the signal that it is elsewhere.
#[cfg(not(unix))]
pub(crate) async fn received() -> u8 {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    2
}
