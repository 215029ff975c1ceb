//! Upload of a file: stored temporarily until complete, then queued in the database.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
};

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};
use sha2::{Digest, Sha256};

use super::{
    columns::Columns,
    dto::{Order, State},
    entity::{self, Column, Entity, Headings, Model, part},
    file::{Format, Layout, MOST_BYTES_OF_ROW},
};
use crate::{
    accounts::account::Scopes,
    clock::new_id,
    http::{contract::Contract, temporary},
    persian::Calendar,
    problem::{Problem, Text, Violation, problem_types},
    store::{Transaction, bulk},
};

/// Maximum number of waiting imports per account.
const MOST_WAITING: u64 = 20;

/// Maximum number of rows in one transaction.
pub const MOST_ROWS_AT_ONCE: usize = 10_000;

/// An uploaded file.
pub struct Intake {
    file: File,
    bytes: u64,
    lines: usize,
    hash: Sha256,
}

/// More bytes of the file.
impl Write for Intake {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Intake {
    /// Nothing yet.
    pub fn begin() -> Result<Self, Problem> {
        Ok(Self { file: temporary::file()?, bytes: 0, lines: 0, hash: Sha256::new() })
    }

    /// SHA-256 of the file.
    pub fn hash(&self) -> impl AsRef<[u8]> + use<> {
        self.hash.clone().finalize()
    }

    /// Stores the file in the database, where it waits for its turn.
    ///
    /// # Errors
    /// 422 if the headings do not match the columns, or the file is too long for one transaction; 429 if too
    /// many imports of the account are waiting.
    pub async fn keep(
        mut self,
        order: &Order,
        format: Format,
        calendar: Calendar,
        contract: &Contract,
        transaction: &Transaction,
    ) -> Result<Model, Problem> {
        let mut head = Vec::new();
        self.file.seek(SeekFrom::Start(0)).map_err(temporary::refused)?;
        (&self.file).take(2 * MOST_BYTES_OF_ROW as u64).read_to_end(&mut head).map_err(temporary::refused)?;
        let (layout, place) = Layout::read(format, &Columns::of(order.resource, contract), &head)?;
        let author = transaction.author();
        let row = Model {
            id: new_id(),
            account_id: author.id,
            province: author.scope.province().map(str::to_owned),
            permissions: Scopes(author.permissions.clone()),
            request_id: transaction.request_id().to_owned(),
            resource: order.resource,
            format,
            mode: order.mode,
            is_atomic: order.atomic,
            system: order.system.clone(),
            calendar,
            headings: Headings(layout.headings),
            delimiter: layout.delimiter.into(),
            state: State::Waiting,
            problem: None,
            bytes_total: self.bytes as i64,
            bytes_done: place.bytes as i64,
            lines_done: place.lines as i64,
            rows_done: 0,
            created: 0,
            updated: 0,
            unchanged: 0,
            failed: 0,
            created_at: transaction.now(),
            touched_at: transaction.now(),
            started_at: None,
            finished_at: None,
        };
        if row.is_whole() && self.lines > MOST_ROWS_AT_ONCE + 1 {
            let detail = Text::new(
                format!(
                    "با «validate» یا «atomic» پرونده بیش از {MOST_ROWS_AT_ONCE} سطر ندارد؛ آن را تقسیم کنید."
                ),
                format!(
                    "With 'validate' or 'atomic' a file has {MOST_ROWS_AT_ONCE} rows at the most: divide it."
                ),
            );
            return Err(Problem::invalid(vec![Violation::body("", "too_many_rows", detail)]));
        }
        transaction.lock_named("imports", author.id).await?;
        let waiting = Entity::find().filter(Column::AccountId.eq(author.id)).filter(entity::is_open());
        if waiting.count(&**transaction).await? >= MOST_WAITING {
            let detail = Text::new(
                format!("{MOST_WAITING} ورود گروهی این حساب هنوز در نوبت است؛ تا پایان آن‌ها صبر کنید."),
                format!("{MOST_WAITING} imports of this account wait for their turns: let them end first."),
            );
            return Err(Problem::new(&problem_types::TOO_MANY_REQUESTS).detail(detail).retry_after(30));
        }
        bulk::insert_all(&**transaction, vec![row.clone().into_active_model().reset_all()]).await?;
        self.file.seek(SeekFrom::Start(0)).map_err(temporary::refused)?;
        for number in 0.. {
            let mut content = Vec::new();
            (&self.file).take(part::SIZE as u64).read_to_end(&mut content).map_err(temporary::refused)?;
            if content.is_empty() {
                break;
            }
            let part = part::Model::sealed(row.id, number, content, transaction.keyring().await?)?;
            part::Entity::insert(part.into_active_model().reset_all())
                .exec_without_returning(&**transaction)
                .await?;
        }
        Ok(row)
    }
}
