//! The tables of imports: what is to be done, the file in parts, and what became of each row.

use sea_orm::{
    FromJsonQueryResult,
    entity::prelude::*,
    sea_query::{Condition, ExprTrait, Query, SimpleExpr},
};
use serde::{Deserialize, Serialize};

use super::{
    columns::Resource,
    dto::{Mode, Outcome, State},
    fault::Fault,
    file::{Format, Layout, Place},
};
use crate::{
    accounts::account::Scopes,
    http::{SortKey, page::Listed},
    persian::Calendar,
    policy::Caller,
    store::SqlKind,
};

/// The columns of the cells of a table, in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Headings(pub Vec<Option<String>>);

/// What is wrong with a row, in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Faults(pub Vec<Fault>);

/// An import.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import")]
pub struct Model {
    /// Its id (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// In whose name rows are written; the nil id for the command line.
    pub account_id: Uuid,
    /// The province of the account.
    pub province: Option<String>,
    /// What the account was allowed when it sent the file: no more is done.
    pub permissions: Scopes,
    /// The request that sent the file; the history of each record names it.
    pub request_id: String,
    /// What the file holds.
    pub resource: Resource,
    /// How it is written.
    pub format: Format,
    /// Whether it is to be applied.
    pub mode: Mode,
    /// Whether a row that fails keeps all others from being applied.
    pub is_atomic: bool,
    /// The other system, whose keys the rows have.
    pub system: String,
    /// The calendar of its dates.
    pub calendar: Calendar,
    /// The column of each cell.
    pub headings: Headings,
    /// What parts the cells.
    pub delimiter: i32,
    /// How far it is.
    pub state: State,
    /// The code of the problem that ended it.
    pub problem: Option<String>,
    /// How many bytes the file has.
    pub bytes_total: i64,
    /// How many of them are done with.
    pub bytes_done: i64,
    /// How many lines are done with.
    pub lines_done: i64,
    /// How many rows are done with.
    pub rows_done: i64,
    /// How many of them made a new record, or would.
    pub created: i64,
    /// How many changed one, or would.
    pub updated: i64,
    /// How many found everything as they say.
    pub unchanged: i64,
    /// How many failed.
    pub failed: i64,
    /// When the file had come.
    pub created_at: DateTimeUtc,
    /// When somebody last worked on it: all that wait take their turns.
    pub touched_at: DateTimeUtc,
    /// When work began.
    pub started_at: Option<DateTimeUtc>,
    /// When work ended.
    pub finished_at: Option<DateTimeUtc>,
}

/// It stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey { name: "id", sql: "import.id", kind: SqlKind::Uuid, value: |row| row.id.into() }];
}

impl Model {
    /// Those that exist for a caller: for the nation all, for a province its own, of what the caller may
    /// import.
    pub fn visible(caller: &Caller) -> Select<Entity> {
        let open =
            Resource::all().filter(|resource| resource.is_open_to(|permission| caller.may(permission)));
        Entity::find()
            .filter(caller.scope.holds((Entity, Column::Province)))
            .filter(Column::Resource.is_in(open))
    }

    /// How its file is to be read.
    pub fn layout(&self) -> Layout {
        Layout {
            format: self.format,
            delimiter: self.delimiter.try_into().unwrap_or(b','),
            headings: self.headings.0.clone(),
        }
    }

    /// Where work goes on.
    pub fn place(&self) -> Place {
        Place { bytes: self.bytes_done as usize, lines: self.lines_done as usize }
    }

    /// Whether all of it is done in one transaction: to see what would become of it, or because one row holds
    /// up all.
    pub fn is_whole(&self) -> bool {
        self.is_atomic || self.mode == Mode::Validate
    }
}

/// The condition that work on an import is not over.
pub fn is_open() -> SimpleExpr {
    Column::State.is_in([State::Waiting, State::Running])
}

/// Parts of files.
pub mod part {
    use sea_orm::{QueryOrder, entity::prelude::*};

    use crate::{
        problem::Problem,
        store::personal::keys::{self, Keyring},
    };

    /// A part of a file that waits.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "import_part")]
    pub struct Model {
        /// Whose file.
        #[sea_orm(primary_key, auto_increment = false)]
        pub import_id: Uuid,
        /// Which part of it, from 0.
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        /// Its bytes, encrypted, of which all parts but the last have [`SIZE`].
        pub content: Vec<u8>,
    }

    /// How many bytes a part has.
    pub const SIZE: usize = 256 * 1024;

    /// It stands alone.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    /// What an encrypted part begins with; no text does.
    const SEALED: &[u8] = b"\0sealed\0";

    fn name(import: Uuid, number: i32) -> String {
        format!("part {number} of import {import}")
    }

    impl Model {
        /// A part of a file, encrypted: files hold personal values.
        ///
        /// # Errors
        /// The library refuses to encrypt it.
        pub fn sealed(
            import_id: Uuid,
            number: i32,
            content: Vec<u8>,
            keyring: &Keyring,
        ) -> Result<Self, Problem> {
            let sealed = keyring.current().seal(&name(import_id, number), content)?;
            Ok(Self { import_id, number, content: [SEALED, sealed.as_bytes()].concat() })
        }

        /// Its bytes, also where it was kept before parts were encrypted.
        async fn opened(self, db: &impl ConnectionTrait) -> Result<Vec<u8>, DbErr> {
            let sealed =
                self.content.strip_prefix(SEALED).and_then(|sealed| std::str::from_utf8(sealed).ok());
            match sealed {
                Some(sealed) => keys::open(db, &name(self.import_id, self.number), sealed).await,
                None => Ok(self.content),
            }
        }
    }

    /// The bytes of a file from a place on: at least `most` of them, where it has as many.
    pub async fn read(
        db: &impl ConnectionTrait,
        import: Uuid,
        from: usize,
        most: usize,
    ) -> Result<Vec<u8>, DbErr> {
        let numbers = [from / SIZE, (from + most).div_ceil(SIZE)].map(|number| number as i32);
        let parts = Entity::find()
            .filter(Column::ImportId.eq(import))
            .filter(Column::Number.between(numbers[0], numbers[1]))
            .order_by_asc(Column::Number)
            .all(db)
            .await?;
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend(part.opened(db).await?);
        }
        bytes.drain(..(from % SIZE).min(bytes.len()));
        Ok(bytes)
    }
}

/// What became of rows.
pub mod row {
    use std::collections::BTreeSet;

    use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*};

    use super::{Faults, Outcome};
    use crate::{
        http::{SortKey, page::Listed},
        store::sql::{Composer, SqlKind, look_up},
    };

    /// What became of a row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "import_row")]
    pub struct Model {
        /// Of which import.
        #[sea_orm(primary_key, auto_increment = false)]
        pub import_id: Uuid,
        /// Which row, from 1.
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        /// The line in which it begins.
        pub line: i64,
        /// What the other system calls the record.
        pub reference: Option<String>,
        /// What became of it.
        pub outcome: Outcome,
        /// The record.
        pub record_id: Option<Uuid>,
        /// What is wrong with it.
        pub errors: Faults,
    }

    /// It stands alone.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    /// The first rows of an import that failed.
    pub async fn failed(db: &impl ConnectionTrait, import: Uuid, most: u64) -> Result<Vec<Model>, DbErr> {
        let failed =
            Entity::find().filter(Column::ImportId.eq(import)).filter(Column::Outcome.eq(Outcome::Failed));
        failed.order_by_asc(Column::Number).limit(most).all(db).await
    }

    /// Which of some keys rows before have had.
    pub async fn seen(
        db: &impl ConnectionTrait,
        import: Uuid,
        keys: &BTreeSet<String>,
    ) -> Result<impl Iterator<Item = String>, DbErr> {
        let mut sql = Composer::new(db);
        let import = sql.bind(import);
        // Of the rows with a key, not the first: by the order of another index PostgreSQL might look through
        // all rows for it.
        let line = |key: &str| {
            format!("SELECT max(line) FROM import_row WHERE import_id = {import} AND reference = {key}")
        };
        let lines: Vec<(String, i64)> = look_up(db, sql, keys, line).await?;
        Ok(lines.into_iter().map(|(key, _)| key))
    }

    impl Listed for Model {
        const SORT_KEYS: &'static [SortKey<Self>] = &[SortKey {
            name: "number",
            sql: "import_row.number",
            kind: SqlKind::Integer,
            value: |row| row.number.into(),
        }];
    }
}

/// Forgets the imports that began before a moment and do not run, with what became of their rows.
pub async fn forget_old(db: &impl ConnectionTrait, before: DateTimeUtc) -> Result<u64, DbErr> {
    let is_old = Condition::all().add(Column::CreatedAt.lt(before)).add(is_open().not());
    let old = Query::select().column(Column::Id).from(Entity).cond_where(is_old.clone()).to_owned();
    row::Entity::delete_many().filter(row::Column::ImportId.in_subquery(old)).exec(db).await?;
    Ok(Entity::delete_many().filter(is_old).exec(db).await?.rows_affected)
}
