//! From keys to named commands.
