//! Exit codes: the one table from whose fault something was to the number a script sees.

use std::io::Write as _;

use susurro_client_core::Fault;

/// What each exit code means, as the command reference prints it.
pub(crate) const MEANINGS: &[(u8, &str)] = &[
    (0, "done"),
    (code(Fault::Failed), "failed: a taken name, an unknown peer, no profile, the time ran out, a finding of `doctor`"),
    (code(Fault::Usage), "usage: a bad name, an empty message, a message over the limit, a missing argument or secret"),
    (
        code(Fault::Authentication),
        "authentication: wrong name or password, logged out, a device the account does not have",
    ),
    (code(Fault::Network), "network: no relay at the address, something that is no relay, a lost connection"),
    (
        code(Fault::Trust),
        "trust: the relay's key or the key of a verified contact changed, a file is not what was sent",
    ),
    (code(Fault::Store), "store: in use by another process, wrong passphrase, damaged, not readable or writable"),
];

/// Exit code of a program that a signal ended: 128 and the number of the signal, as shells have it.
const SIGNALLED: u8 = 128;

/// The exit code for a fault.
pub(crate) const fn code(fault: Fault) -> u8 {
    match fault {
        Fault::Failed => 1,
        Fault::Usage => 2,
        Fault::Authentication => 3,
        Fault::Network => 4,
        Fault::Trust => 5,
        Fault::Store => 6,
    }
}

/// The exit code after a signal with this number.
pub(crate) const fn signalled(signal: u8) -> u8 {
    SIGNALLED.saturating_add(signal)
}

/// Ends the process with this code, without what libraries do at its end.
///
/// SQLCipher, built without the flags of this repository, would take its memory away under a
/// connection that is still at work, and the process would die of that instead (docs/adr/0010).
pub(crate) fn leave(code: u8) -> ! {
    // Nobody is left to tell of an error.
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    signal_hook::low_level::exit(code.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_ones_and_tell_all_faults_apart() {
        use Fault::{Authentication, Failed, Network, Store, Trust, Usage};
        let codes = [Failed, Usage, Authentication, Network, Trust, Store].map(code);
        assert_eq!(codes, [1, 2, 3, 4, 5, 6]);
        let documented: Vec<u8> = MEANINGS.iter().map(|(number, _)| *number).collect();
        assert_eq!(documented, [0, 1, 2, 3, 4, 5, 6]);
    }
}
