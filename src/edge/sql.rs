//! The SQL port over a Durable Object's storage.

use core::cell::Cell;

use worker::{SqlStorage, SqlStorageValue};

use crate::store::sql::{Row, Sql, SqlError, Usage, Value};

/// SQLite inside the object.
#[derive(Debug)]
pub struct ObjectSql {
    storage: SqlStorage,
    usage: Cell<Usage>,
}

impl ObjectSql {
    /// The port over an object's storage.
    pub fn new(storage: SqlStorage) -> Self {
        Self { storage, usage: Cell::default() }
    }
}

impl Sql for ObjectSql {
    fn query(&self, statement: &str, parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        let bindings: Vec<SqlStorageValue> = parameters.iter().map(bind).collect();
        let failed = |e: worker::Error| SqlError(e.to_string());
        let cursor = self.storage.exec(statement, bindings).map_err(failed)?;
        let rows = cursor.raw().map(|row| row.map(|values| values.into_iter().map(read).collect()).map_err(failed));
        let rows = rows.collect();
        // After the last row: a cursor counts as it goes.
        let mut usage = self.usage.get();
        usage.add(cursor.rows_read() as u64, cursor.rows_written() as u64);
        self.usage.set(usage);
        rows
    }

    fn usage(&self) -> Usage {
        self.usage.get()
    }
}

fn bind(value: &Value) -> SqlStorageValue {
    match value {
        Value::Null => SqlStorageValue::Null,
        Value::Integer(n) => SqlStorageValue::Integer(*n),
        Value::Text(text) => SqlStorageValue::String(text.clone()),
        Value::Blob(bytes) => SqlStorageValue::Blob(bytes.clone()),
    }
}

fn read(value: SqlStorageValue) -> Value {
    match value {
        SqlStorageValue::Null => Value::Null,
        SqlStorageValue::Boolean(b) => Value::Integer(i64::from(b)),
        SqlStorageValue::Integer(n) => Value::Integer(n),
        // Integers arrive as numbers; a fraction is never stored.
        SqlStorageValue::Float(f) => Value::Integer(f as i64),
        SqlStorageValue::String(text) => Value::Text(text),
        SqlStorageValue::Blob(bytes) => Value::Blob(bytes),
    }
}
