//! Verifies the stored answers of repeated requests against their checksums.

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    entity::prelude::*, sea_query::ExprTrait,
};

use super::{Area, Fault, Intact};
use crate::store::idempotent_answer::{Column, Entity, Model};

/// Answers per page; some are long lists.
const PAGE: u64 = 50;

/// Checks every answer against its checksum, if it has one.
pub(super) async fn check(moment: &DatabaseTransaction, intact: &mut Intact) -> Result<(), Fault> {
    let mut after = (Uuid::nil(), String::new());
    loop {
        let (account, key) = &after;
        let later = Column::AccountId
            .gt(*account)
            .or(Column::AccountId.eq(*account).and(Column::IdempotencyKey.gt(key)));
        let query = Entity::find()
            .filter(later)
            .order_by_asc(Column::AccountId)
            .order_by_asc(Column::IdempotencyKey)
            .limit(PAGE);
        let page = moment.query_all(&query.into_query()).await.map_err(Fault::unread(Area::Answers))?;
        for result in &page {
            after = (column(result, "account_id")?, column(result, "idempotency_key")?);
            let damaged = |what: String| {
                Fault::at(Area::Answers, format!("account {}, key {}", after.0, after.1), what)
            };
            let answer = Model::from_query_result(result, "")
                .map_err(|error| damaged(format!("the answer cannot be read: {error}")))?;
            if !answer.is_whole() {
                return Err(damaged("the checksum is not that of what is kept".to_owned()));
            }
            *(if answer.checksum.is_some() { &mut intact.answers } else { &mut intact.bare_answers }) += 1;
        }
        if (page.len() as u64) < PAGE {
            return Ok(());
        }
    }
}

fn column<T: sea_orm::TryGetable>(result: &sea_orm::QueryResult, name: &str) -> Result<T, Fault> {
    result.try_get("", name).map_err(Fault::unread(Area::Answers))
}
