//! Where a client keeps everything: the port, and its SQLCipher adapter.

pub mod port;
