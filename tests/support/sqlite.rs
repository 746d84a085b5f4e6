//! The SQL port over a real SQLite in memory, with a way to make it fail.

use std::cell::Cell;
use std::rc::Rc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use throughline::store::sql::{Row, Sql, SqlError, Value};

/// A database that outlives the store opened on it, as a Durable Object's does.
#[derive(Clone)]
pub struct Sqlite {
    connection: Rc<Connection>,
    /// Writing statements still let through before all fail; `u64::MAX` for no limit.
    allowed: Rc<Cell<u64>>,
    /// Writing statements that took effect.
    written: Rc<Cell<u64>>,
}

impl Sqlite {
    pub fn new() -> Self {
        let connection = Connection::open_in_memory().expect("SQLite in memory");
        Self { connection: Rc::new(connection), allowed: Rc::new(Cell::new(u64::MAX)), written: Rc::default() }
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

    /// Runs statements as they are, past the port.
    pub fn run(&self, statements: &str) {
        self.connection.execute_batch(statements).expect("valid statements");
    }
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
        Ok(out)
    }
}
