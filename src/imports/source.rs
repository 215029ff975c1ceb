//! Reader of the rows of an import, in batches.

use super::{
    columns::Columns,
    entity::{Model, part},
    file::{Layout, Place, Row},
};
use crate::{http::contract::Contract, problem::Problem, store::Transaction};

/// The most rows at a time.
const ROWS: usize = 250;
/// Bytes read for them: more than they can have.
const WINDOW: usize = 256 * 1024;

/// The remaining rows of an import.
pub struct Source<'a> {
    import: &'a Model,
    layout: Layout,
    columns: Columns,
    transaction: &'a Transaction,
    place: Place,
}

impl<'a> Source<'a> {
    /// Requires a transaction with exclusive access to the import.
    pub fn new(import: &'a Model, contract: &Contract, transaction: &'a Transaction) -> Self {
        Self {
            import,
            layout: import.layout(),
            columns: Columns::of(import.resource, contract),
            transaction,
            place: import.place(),
        }
    }

    /// The next rows, and where the ones after them begin; nothing at the end of the file.
    pub async fn next(&mut self) -> Result<Option<(Vec<Row>, Place)>, Problem> {
        let length = self.import.bytes_total as usize;
        if self.place.bytes >= length {
            return Ok(None);
        }
        let window = part::read(&**self.transaction, self.import.id, self.place.bytes, WINDOW).await?;
        let is_last = self.place.bytes + window.len() >= length;
        let (rows, end) = self.layout.rows(&window, self.place, is_last, ROWS, &self.columns);
        if end == self.place {
            return Err(Problem::internal("an import does not go on"));
        }
        self.place = end;
        Ok(Some((rows, end)))
    }
}
