//! Tables of the published statistics. Their content never changes.

use sea_orm::{DatabaseTransaction, EntityTrait, FromQueryResult, QueryOrder, entity::prelude::*};

use crate::persian::PersianPeriod;

/// A quarter that was published.
pub mod release {
    use super::*;

    /// A quarter that was published.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "statistics_release")]
    pub struct Model {
        /// The Persian quarter.
        #[sea_orm(primary_key, auto_increment = false)]
        pub quarter: PersianPeriod,
        /// Last day of the quarter, whose states are counted.
        pub as_of: ChronoDate,
        /// Time of publication; figures are from what was known then.
        pub published_at: DateTimeUtc,
        /// SHA-256 of its tables, in hexadecimal digits.
        pub digest: String,
        /// The firms that its cells were made of, as JSON: see [`super::super::Counted`]. They are not
        /// published.
        pub basis: Vec<u8>,
    }

    /// It names nothing but itself.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The clusters and projects of a province.
pub mod programme {
    use super::*;

    /// The clusters and projects of a province.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "statistics_programme")]
    pub struct Model {
        /// The quarter.
        #[sea_orm(primary_key, auto_increment = false)]
        pub quarter: PersianPeriod,
        /// The province.
        #[sea_orm(primary_key, auto_increment = false)]
        pub province: String,
        /// Its identified clusters.
        pub clusters: i64,
        /// Number of them in development.
        pub in_development: i64,
        /// Number of them developed.
        pub developed: i64,
        /// Projects under way.
        pub running_projects: i64,
        /// Projects that were closed.
        pub closed_projects: i64,
    }

    /// It names nothing but itself.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The enterprises of an industry in an area.
pub mod cell {
    use super::{super::cells::Level, *};

    /// The enterprises of an industry in an area.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "statistics_cell")]
    pub struct Model {
        /// The quarter.
        #[sea_orm(primary_key, auto_increment = false)]
        pub quarter: PersianPeriod,
        /// The level of the industry.
        #[sea_orm(primary_key, auto_increment = false)]
        pub level: Level,
        /// The code of a province, or [`super::super::cells::COUNTRY`].
        #[sea_orm(primary_key, auto_increment = false)]
        pub area: String,
        /// A code of ISIC, or [`super::super::cells::ALL_INDUSTRIES`].
        #[sea_orm(primary_key, auto_increment = false)]
        pub industry: String,
        /// Number of enterprises; none if not published.
        pub enterprises: Option<i64>,
        /// Persons employed; none if not published.
        pub employment: Option<i64>,
    }

    /// It names nothing but itself.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A release without its basis.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Head {
    /// The quarter.
    pub quarter: PersianPeriod,
    /// Its last day.
    pub as_of: ChronoDate,
    /// Time of publication.
    pub published_at: DateTimeUtc,
    /// SHA-256 of its tables.
    pub digest: String,
}

/// The quarters that were published, the newest first.
pub async fn heads(db: &impl ConnectionTrait) -> Result<Vec<Head>, DbErr> {
    use release::Column;
    use sea_orm::QuerySelect;
    let select = release::Entity::find().select_only().columns([
        Column::Quarter,
        Column::AsOf,
        Column::PublishedAt,
        Column::Digest,
    ]);
    select.order_by_desc(Column::AsOf).into_model().all(db).await
}

/// The newest published quarter that ends by a day.
pub async fn newest_by(db: &DatabaseTransaction, day: ChronoDate) -> Result<Option<PersianPeriod>, DbErr> {
    Ok(heads(db).await?.into_iter().find(|head| head.as_of <= day).map(|head| head.quarter))
}
