//! Passwords and passphrases on their way in.

use std::fmt;

use zeroize::Zeroizing;

/// A password or passphrase: wiped from memory when dropped, never displayed.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the caller keeps no copy.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. It must not reach a log, an error or an argument list.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn attack_24_a_secret_does_not_show_in_debug() {
        let shown = format!("{:?}", Secret::new("correct horse".to_owned()));
        assert_eq!(shown, "Secret(redacted)");
    }
}
