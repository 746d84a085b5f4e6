//! What several native tests need: SQLite as the store's engine, and events to fill it with.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::expect_used, reason = "tests fail by panicking")]

pub mod events;
pub mod exchange;
pub mod shard;
pub mod sqlite;
