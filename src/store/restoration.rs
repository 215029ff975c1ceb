//! Restores of the database from a backup. After each one, followers of its changes must treat it as another
//! database: some of what they have seen may be missing.

use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{now, root::Root};
use crate::clock::new_id;

/// A restoration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "restoration")]
pub struct Model {
    /// The id (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Time of the restore.
    pub restored_at: DateTimeUtc,
    /// Of which moment the backup was.
    pub backed_up_at: DateTimeUtc,
    /// The root of all record chains, which was compared.
    pub root: String,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Records a restore of the database.
pub async fn keep(db: &impl ConnectionTrait, backed_up_at: DateTimeUtc, root: &Root) -> Result<(), DbErr> {
    let row = ActiveModel {
        id: Set(new_id()),
        restored_at: Set(now()),
        backed_up_at: Set(backed_up_at),
        root: Set(root.sha256.clone()),
    };
    Entity::insert(row).exec_without_returning(db).await.map(|_| ())
}
