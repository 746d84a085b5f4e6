//! Tables of a shard and the migrations that make them.

use super::sql::{Sql, SqlError, Value, integer};

/// Each entry is one version: statements that bring the schema from the version before. Entries are only ever added.
const MIGRATIONS: [&[&str]; 9] = [
    &[
        // One row per flush, in the order applied.
        "CREATE TABLE journal (seq INTEGER PRIMARY KEY, isolate INTEGER NOT NULL, flush INTEGER NOT NULL, body BLOB NOT NULL)",
        // Immutable: events of many sessions with the sessions' state after them. `journal_to` says which rows it replaces.
        "CREATE TABLE chunks (id INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, \
         journal_to INTEGER NOT NULL, prefixes BLOB NOT NULL, sessions BLOB NOT NULL, events BLOB NOT NULL)",
        // Small whole values by name: what was applied, what is known.
        "CREATE TABLE state (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
        // Blocks the fleet has not confirmed yet.
        "CREATE TABLE outbox (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    ],
    // Before the first release: what was stored by then has no users, links and proofs, and is not converted.
    &["DELETE FROM journal", "DELETE FROM chunks", "DELETE FROM state", "DELETE FROM outbox"],
    // Likewise: the journal has tables of its own (`journal.rs`), and chunks are columns.
    &[
        "DROP TABLE journal",
        "DROP TABLE chunks",
        "DELETE FROM state",
        // Immutable: events of many sessions with the sessions' state after them, in the order questions need them.
        // `journal_to` says which journal rows it replaces.
        "CREATE TABLE chunks (id INTEGER PRIMARY KEY, journal_to INTEGER NOT NULL, head BLOB NOT NULL, \
         summary BLOB NOT NULL, postings BLOB NOT NULL, details BLOB NOT NULL, events BLOB NOT NULL)",
    ],
    // Still before the first release: batches and marks say more.
    &[
        "DELETE FROM chunks",
        "DELETE FROM state",
        // States of subjects, each for its own stretch of the journal.
        "CREATE TABLE subjects (id INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB NOT NULL)",
    ],
    // And so do sessions and events: business parameters.
    &["DELETE FROM chunks", "DELETE FROM state", "DELETE FROM subjects"],
    // Batches say what requests were stopped for, and sessions when that was told. Findings say what weighed, and what
    // would be done.
    &["DELETE FROM chunks", "DELETE FROM state", "DELETE FROM subjects"],
    // Heads of chunks say what they were merged from.
    &["DELETE FROM chunks", "DELETE FROM state", "DELETE FROM subjects"],
    // Sessions say which contracts they broke; subjects are folded by parts of theirs, as sessions are.
    &[
        "DELETE FROM chunks",
        "DELETE FROM state",
        "DROP TABLE subjects",
        // States of subjects, each for its own stretch of the journal; `filter` tells whom a row may hold.
        "CREATE TABLE subjects (id INTEGER PRIMARY KEY, head BLOB NOT NULL, filter BLOB NOT NULL, body BLOB NOT NULL)",
    ],
    // Batches and sums of endpoints say what messages show.
    &["DELETE FROM chunks", "DELETE FROM state", "DELETE FROM subjects"],
];

/// Brings the schema up to date; running it again changes nothing. What a newer release stored is refused: this one would
/// take it for damage, and what is damaged goes at the next fold.
pub fn migrate(sql: &dyn Sql, migrations: &[&[&str]]) -> Result<(), SqlError> {
    sql.query("CREATE TABLE IF NOT EXISTS _migrations (version INTEGER PRIMARY KEY)", &[])?;
    let rows = sql.query("SELECT COALESCE(MAX(version), 0) FROM _migrations", &[])?;
    let done = rows.first().map_or(0, |row| integer(row, 0));
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if done > known {
        return Err(SqlError(format!(
            "stored by a newer release (schema {done}, this build knows {known}); deploy that release again"
        )));
    }
    for (version, statements) in (1i64..).zip(migrations) {
        if version <= done {
            continue;
        }
        for statement in *statements {
            sql.query(statement, &[])?;
        }
        sql.query("INSERT INTO _migrations (version) VALUES (?)", &[Value::Integer(version)])?;
    }
    Ok(())
}

/// The shard's own migrations.
pub fn migrate_shard(sql: &dyn Sql) -> Result<(), SqlError> {
    migrate(sql, &MIGRATIONS)
}
