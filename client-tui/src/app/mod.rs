//! What the interface knows, and how it changes: pure.
