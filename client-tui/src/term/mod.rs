//! The terminal: set up, restored, and driven.
