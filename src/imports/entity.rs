//! Tables of imports: the imports, their files in parts, and the results of their rows.

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

/// JSON column with the columns of the cells of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Headings(pub Vec<Option<String>>);

/// An import.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import")]
pub struct Model {
    /// Its id (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The account that the rows are written for; the nil id for the command line.
    pub account_id: Uuid,
    /// The province of the account.
    pub province: Option<String>,
    /// Permissions of the account when it sent the file; the import never exceeds them.
    pub permissions: Scopes,
    /// The request that sent the file; the history of each record names it.
    pub request_id: String,
    /// Resource of the records.
    pub resource: Resource,
    /// File format.
    pub format: Format,
    /// Mode: validate or apply.
    pub mode: Mode,
    /// Whether one failed row prevents all others from being applied.
    pub is_atomic: bool,
    /// The other system, to which the keys of the rows belong.
    pub system: String,
    /// The calendar of its dates.
    pub calendar: Calendar,
    /// The column of each cell.
    pub headings: Headings,
    /// Cell delimiter.
    pub delimiter: i32,
    /// State.
    pub state: State,
    /// The code of the problem that ended it.
    pub problem: Option<String>,
    /// Size of the file in bytes.
    pub bytes_total: i64,
    /// Number of bytes processed.
    pub bytes_done: i64,
    /// Number of lines processed.
    pub lines_done: i64,
    /// Number of rows processed.
    pub rows_done: i64,
    /// Number of records created, or to be created.
    pub created: i64,
    /// Number of records changed, or to be changed.
    pub updated: i64,
    /// Number of rows whose record already had their values.
    pub unchanged: i64,
    /// Number of failed rows.
    pub failed: i64,
    /// Time at which the upload was complete.
    pub created_at: DateTimeUtc,
    /// Time of the last turn; waiting imports take turns.
    pub touched_at: DateTimeUtc,
    /// Start of processing.
    pub started_at: Option<DateTimeUtc>,
    /// End of processing.
    pub finished_at: Option<DateTimeUtc>,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey::new("id", "import.id", SqlKind::Uuid, |row| row.id.into())];
}

impl Model {
    /// Condition for the imports visible to a caller: all for the nation, its own for a province, of
    /// resources that the caller may import.
    pub fn visible(caller: &Caller) -> Select<Entity> {
        let open =
            Resource::all().filter(|resource| resource.is_open_to(|permission| caller.may(permission)));
        Entity::find()
            .filter(caller.scope.holds((Entity, Column::Province)))
            .filter(Column::Resource.is_in(open))
    }

    /// Layout of its file.
    pub fn layout(&self) -> Layout {
        Layout {
            format: self.format,
            delimiter: self.delimiter.try_into().unwrap_or(b','),
            headings: self.headings.0.clone(),
        }
    }

    /// Position of the next row.
    pub fn place(&self) -> Place {
        Place { bytes: self.bytes_done as usize, lines: self.lines_done as usize }
    }

    /// Whether it runs in one transaction: because it only validates, or because it is atomic.
    pub fn is_whole(&self) -> bool {
        self.is_atomic || self.mode == Mode::Validate
    }
}

/// Condition for unfinished imports.
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

    /// A part of a waiting file.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "import_part")]
    pub struct Model {
        /// The import.
        #[sea_orm(primary_key, auto_increment = false)]
        pub import_id: Uuid,
        /// Number of the part, from 0.
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        /// Encrypted bytes; all parts but the last have [`SIZE`].
        pub content: Vec<u8>,
    }

    /// Size of a part in bytes.
    pub const SIZE: usize = 256 * 1024;

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    /// Prefix of an encrypted part; text never starts with it.
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

        /// The decrypted bytes, also of a part from before parts were encrypted.
        async fn opened(self, db: &impl ConnectionTrait) -> Result<Vec<u8>, DbErr> {
            let sealed =
                self.content.strip_prefix(SEALED).and_then(|sealed| std::str::from_utf8(sealed).ok());
            match sealed {
                Some(sealed) => keys::open(db, &name(self.import_id, self.number), sealed).await,
                None => Ok(self.content),
            }
        }
    }

    /// The bytes of a file from a place on: at least `most`, unless it ends before.
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

/// Results of rows.
pub mod row {
    use std::collections::BTreeSet;

    use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*};

    use super::{Fault, Outcome};
    use crate::values::List;
    use crate::{
        http::{SortKey, page::Listed},
        store::sql::{Composer, SqlKind, look_up},
    };

    /// Result of a row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "import_row")]
    pub struct Model {
        /// The import.
        #[sea_orm(primary_key, auto_increment = false)]
        pub import_id: Uuid,
        /// Number of the row, from 1.
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        /// First line of the row.
        pub line: i64,
        /// Key of the record in the other system.
        pub reference: Option<String>,
        /// Outcome.
        pub outcome: Outcome,
        /// The record.
        pub record_id: Option<Uuid>,
        /// Errors.
        pub errors: List<Fault>,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    /// The first failed rows of an import.
    pub async fn failed(db: &impl ConnectionTrait, import: Uuid, most: u64) -> Result<Vec<Model>, DbErr> {
        let failed =
            Entity::find().filter(Column::ImportId.eq(import)).filter(Column::Outcome.eq(Outcome::Failed));
        failed.order_by_asc(Column::Number).limit(most).all(db).await
    }

    /// Those of some keys that earlier rows have had.
    pub async fn seen(
        db: &impl ConnectionTrait,
        import: Uuid,
        keys: &BTreeSet<String>,
    ) -> Result<impl Iterator<Item = String>, DbErr> {
        let mut sql = Composer::new(db);
        let import = sql.bind(import);
        // Of the rows with a key, not the first: ordered by another index, PostgreSQL might scan all rows for
        // it.
        let line = |key: &str| {
            format!("SELECT max(line) FROM import_row WHERE import_id = {import} AND reference = {key}")
        };
        let lines: Vec<(String, i64)> = look_up(db, sql, keys, line).await?;
        Ok(lines.into_iter().map(|(key, _)| key))
    }

    impl Listed for Model {
        const SORT_KEYS: &'static [SortKey<Self>] =
            &[SortKey::new("number", "import_row.number", SqlKind::Integer, |row| row.number.into())];
    }
}

/// Deletes imports created before a moment that are not running, with the results of their rows.
pub async fn forget_old(db: &impl ConnectionTrait, before: DateTimeUtc) -> Result<u64, DbErr> {
    let is_old = Condition::all().add(Column::CreatedAt.lt(before)).add(is_open().not());
    let old = Query::select().column(Column::Id).from(Entity).cond_where(is_old.clone()).to_owned();
    row::Entity::delete_many().filter(row::Column::ImportId.in_subquery(old)).exec(db).await?;
    Ok(Entity::delete_many().filter(is_old).exec(db).await?.rows_affected)
}
