//! The SQL port over a real SQLite, in memory or in a file, with a way to make it fail, counting rows as the platform does.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, StatementStatus, params_from_iter};
use throughline::store::sql::{Row, Sql, SqlError, Usage, Value};

/// A database that outlives the store opened on it, as a Durable Object's does.
#[derive(Clone)]
pub struct Sqlite {
    connection: Rc<Connection>,
    /// Writing statements still let through before all fail; `u64::MAX` for no limit.
    allowed: Rc<Cell<u64>>,
    /// Writing statements that took effect.
    written: Rc<Cell<u64>>,
    usage: Rc<Cell<Usage>>,
}

impl Sqlite {
    pub fn new() -> Self {
        Self::over(Connection::open_in_memory().expect("SQLite in memory"))
    }

    /// A database in a file, in the journal mode the platform uses; what is written survives this process, not the
    /// machine's end.
    pub fn in_file(path: &Path) -> Self {
        let connection = Connection::open(path).expect("a file SQLite can open");
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").expect("a database");
        Self::over(connection)
    }

    fn over(connection: Connection) -> Self {
        Self {
            connection: Rc::new(connection),
            allowed: Rc::new(Cell::new(u64::MAX)),
            written: Rc::default(),
            usage: Rc::default(),
        }
    }

    /// Bytes the database holds, without pages that are free again; what the write-ahead log has is brought in first.
    pub fn bytes(&self) -> u64 {
        // Answers a row, so it cannot be run as a batch.
        self.number("PRAGMA wal_checkpoint(TRUNCATE)");
        let pages = self.number("PRAGMA page_count") - self.number("PRAGMA freelist_count");
        (pages * self.number("PRAGMA page_size")).unsigned_abs()
    }

    fn before(&self, statement: &str) -> Before {
        // Looked up only where it can change: a benchmark runs on this too.
        let creates = statement.starts_with("CREATE");
        let counted = |kind| {
            let count = "SELECT COUNT(*) FROM sqlite_schema WHERE type = ?";
            if creates { self.connection.query_row(count, [kind], |row| row.get(0)).expect("a number") } else { 0 }
        };
        Before { changes: self.connection.total_changes(), tables: counted("table"), indexes: counted("index") }
    }

    /// Adds what a statement cost, as the runtime counts it (`scripts/support/rows.mjs` prints that), except that SQLite
    /// itself does not say how many rows were visited by key: those read are those answered or scanned, a lower bound.
    fn count(&self, statement: &str, before: &Before, answered: usize, scanned: i32) {
        const OF_A_NEW_TABLE: u64 = 2;
        let after = self.before(statement);
        assert_eq!(after.indexes, 0, "every row of an index is billed as a row, which is not counted here");
        let created = after.tables.saturating_sub(before.tables) * OF_A_NEW_TABLE;
        let written = after.changes - before.changes + created;
        let mut usage = self.usage.get();
        usage.add((answered as u64).max(u64::from(scanned.unsigned_abs()) + 1).max(written), written);
        self.usage.set(usage);
    }

    /// Lets `n` more writing statements through, then fails each: a crash between two statements.
    pub fn fail_after(&self, n: u64) {
        self.allowed.set(n);
    }

    pub fn heal(&self) {
        self.allowed.set(u64::MAX);
    }

    pub fn written(&self) -> u64 {
        self.written.get()
    }

    /// The first column of the first row, as an integer.
    pub fn number(&self, statement: &str) -> i64 {
        self.connection.query_row(statement, [], |row| row.get(0)).expect("a number")
    }

    /// Rows in all tables of the journal.
    pub fn journal_rows(&self) -> i64 {
        self.journals().iter().map(|name| self.number(&format!("SELECT COUNT(*) FROM {name}"))).sum()
    }

    /// The table of the journal that rows are written to.
    pub fn newest_journal(&self) -> String {
        self.journals().pop().expect("a journal")
    }

    fn journals(&self) -> Vec<String> {
        let names =
            "SELECT name FROM sqlite_master WHERE name LIKE 'journal_%' ORDER BY CAST(SUBSTR(name, 9) AS INTEGER)";
        let mut statement = self.connection.prepare(names).expect("a valid statement");
        let names = statement.query_map([], |row| row.get::<_, String>(0)).expect("names");
        names.map(|name| name.expect("a name")).collect()
    }

    /// A database of its own with the same content.
    pub fn copy(&self) -> Self {
        let schema = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL";
        let mut statement = self.connection.prepare(schema).expect("a valid statement");
        let tables = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let copy = Self::new();
        for (name, create) in tables.expect("tables").map(|table| table.expect("a table")) {
            copy.run(&create);
            let mut rows = self.connection.prepare(&format!("SELECT * FROM {name}")).expect("a valid statement");
            let columns = rows.column_count();
            let places = vec!["?"; columns].join(", ");
            let mut rows = rows.query([]).expect("rows");
            while let Some(row) = rows.next().expect("a row") {
                let values = (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column).expect("a value"));
                let insert = format!("INSERT INTO {name} VALUES ({places})");
                copy.connection.execute(&insert, params_from_iter(values)).expect("the row is taken");
            }
        }
        copy
    }

    /// Every blob there is: table, column and row.
    pub fn blobs(&self) -> Vec<(String, String, i64)> {
        let columns = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c \
                       WHERE m.type = 'table' AND c.type = 'BLOB' ORDER BY 1, 2";
        let mut statement = self.connection.prepare(columns).expect("a valid statement");
        let columns = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let columns: Vec<(String, String)> = columns.expect("columns").map(|c| c.expect("a column")).collect();
        let rows = |(table, column): (String, String)| {
            let count = self.number(&format!("SELECT count(*) FROM {table}"));
            (0..count).map(move |at| (table.clone(), column.clone(), at))
        };
        columns.into_iter().flat_map(rows).collect()
    }

    /// Puts what `change` makes of a blob in its place; `at` counts the rows of the table.
    pub fn change_blob(&self, (table, column, at): &(String, String, i64), change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let first = format!("SELECT * FROM {table} LIMIT 1 OFFSET {at}");
        let mut statement = self.connection.prepare(&first).expect("a valid statement");
        let key = statement.column_name(0).expect("a first column").to_owned();
        let (key_value, bytes): (rusqlite::types::Value, Vec<u8>) =
            statement.query_row([], |row| Ok((row.get(0)?, row.get(column.as_str())?))).expect("the row");
        let update = format!("UPDATE {table} SET {column} = ? WHERE {key} = ?");
        self.connection.execute(&update, rusqlite::params![change(bytes), key_value]).expect("the row is changed");
    }

    /// Runs statements as they are, past the port.
    pub fn run(&self, statements: &str) {
        self.connection.execute_batch(statements).expect("valid statements");
    }
}

/// What a statement's cost is told by.
struct Before {
    changes: u64,
    tables: u64,
    indexes: u64,
}

impl Sql for Sqlite {
    fn query(&self, statement: &str, parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        let failed = |e: rusqlite::Error| SqlError(e.to_string());
        if !statement.starts_with("SELECT") {
            let allowed = self.allowed.get();
            if allowed == 0 {
                return Err(SqlError("the disk is gone".to_owned()));
            }
            self.allowed.set(allowed.saturating_sub(u64::from(allowed != u64::MAX)));
            self.written.set(self.written.get() + 1);
        }
        let before = self.before(statement);
        let mut prepared = self.connection.prepare_cached(statement).map_err(failed)?;
        let columns = prepared.column_count();
        let bound = parameters.iter().map(|value| match value {
            Value::Null => rusqlite::types::Value::Null,
            Value::Integer(n) => rusqlite::types::Value::Integer(*n),
            Value::Text(text) => rusqlite::types::Value::Text(text.clone()),
            Value::Blob(bytes) => rusqlite::types::Value::Blob(bytes.clone()),
        });
        let mut rows = prepared.query(params_from_iter(bound)).map_err(failed)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let read = |i| match row.get_ref(i).map_err(failed)? {
                ValueRef::Null => Ok(Value::Null),
                ValueRef::Integer(n) => Ok(Value::Integer(n)),
                ValueRef::Real(f) => Ok(Value::Integer(f as i64)),
                ValueRef::Text(text) => Ok(Value::Text(String::from_utf8_lossy(text).into_owned())),
                ValueRef::Blob(bytes) => Ok(Value::Blob(bytes.to_vec())),
            };
            out.push((0..columns).map(read).collect::<Result<Row, SqlError>>()?);
        }
        drop(rows);
        self.count(statement, &before, out.len(), prepared.reset_status(StatementStatus::FullscanStep));
        Ok(out)
    }

    fn usage(&self) -> Usage {
        self.usage.get()
    }
}
