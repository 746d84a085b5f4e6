//! A database with nothing in it, which forgets what it is told.

use crate::store::sql::{Row, Sql, SqlError, Usage, Value};

/// Answers no rows to anything.
#[derive(Debug, Clone, Copy)]
pub struct Nowhere;

impl Sql for Nowhere {
    fn query(&self, _statement: &str, _parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        Ok(Vec::new())
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }
}
