//! The native count of rows written is the platform's: the numbers here are what `scripts/support/rows.mjs` prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::sqlite::Sqlite;
use throughline::store::sql::{Sql, Usage};

const THOUSAND: &str = "INSERT INTO a (id, at, body) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c \
                        WHERE n < 1000) SELECT n, n % 10, zeroblob(200) FROM c";

#[test]
fn rows_written_are_counted_as_the_runtime_counts_them() {
    let sql = Sqlite::new();
    for (statement, written) in [
        ("CREATE TABLE a (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL)", 2),
        ("CREATE TABLE IF NOT EXISTS a (id INTEGER PRIMARY KEY)", 0),
        ("INSERT INTO a VALUES (0, 0, zeroblob(200))", 1),
        ("INSERT INTO a VALUES (-1, 0, zeroblob(500000))", 1),
        ("INSERT OR REPLACE INTO a VALUES (-1, 0, zeroblob(300))", 1),
        ("INSERT INTO a VALUES (-1, 0, x'00') ON CONFLICT (id) DO UPDATE SET body = excluded.body", 1),
        ("INSERT INTO a VALUES (-1, 0, x'00') ON CONFLICT DO NOTHING", 0),
        ("UPDATE a SET at = 7 WHERE id = 0", 1),
        ("UPDATE a SET at = 7 WHERE id = 4711", 0),
        ("DELETE FROM a WHERE id = -1", 1),
        (THOUSAND, 1_000),
        ("SELECT id, body FROM a", 0),
        ("DELETE FROM a WHERE id <= 1000 AND id > 0", 1_000),
        ("DELETE FROM a", 1),
        (THOUSAND, 1_000),
        ("DELETE FROM a", 1_000),
        (THOUSAND, 1_000),
        ("DROP TABLE a", 0),
        ("CREATE TABLE d (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID", 2),
        ("INSERT INTO d VALUES ('k', zeroblob(200))", 1),
        ("INSERT INTO d VALUES ('k', x'00') ON CONFLICT (name) DO UPDATE SET body = excluded.body", 1),
    ] {
        let before = sql.usage().rows_written;
        sql.query(statement, &[]).unwrap();
        assert_eq!(sql.usage().rows_written - before, written, "{statement}");
    }
}

#[test]
fn rows_read_are_at_least_what_was_answered_or_scanned() {
    let sql = Sqlite::new();
    sql.query("CREATE TABLE a (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL)", &[]).unwrap();
    sql.query(THOUSAND, &[]).unwrap();
    for (statement, read) in [
        ("SELECT body FROM a WHERE id = 500", 1),
        ("SELECT body FROM a WHERE id = 4711", 1),
        ("SELECT id, body FROM a WHERE id > 0", 1_000),
        ("SELECT COUNT(*) FROM a WHERE at = 3", 1_000),
    ] {
        let before = sql.usage();
        sql.query(statement, &[]).unwrap();
        let Usage { rows_read, rows_written } = sql.usage();
        assert_eq!((rows_read - before.rows_read, rows_written), (read, before.rows_written), "{statement}");
    }
}
