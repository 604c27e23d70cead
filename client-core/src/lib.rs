//! Susurro.
