//! Susurro.
fn main() {}
