//! Adapters that the relay calls.

pub mod argon2;
pub mod bus;
pub mod directory;
pub mod jwt;
pub mod memory;
pub mod objects;
pub mod postgres;
pub mod rates;
pub mod redis;
pub mod secrets;
pub mod sqlite;
pub mod system;
