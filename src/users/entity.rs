//! The accounts of people as records. The table itself is [`crate::auth::account`], which logging in needs.

use sea_orm::{
    Select,
    entity::prelude::*,
    sea_query::{Condition, SimpleExpr},
};

use super::dto::{User, UserFilter};
use crate::{
    auth::{
        Scope,
        account::{self, Column, Kind, Model},
    },
    http::{Problem, SortKey, Text, Violation, page::Listed},
    persian::text,
    store::{Record, SqlKind, record::Unique, search, visible_rows},
};

impl Record for Model {
    type Active = account::ActiveModel;
    type View = User;

    const RESOURCE: &'static str = "user";
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "account_username",
        columns: "account.username",
        violation: || Violation::body("/username", "duplicate", Text::new("این نام کاربری از پیش هست.", "This user name exists already.")),
    }];

    fn view(&self) -> User {
        User::from(self)
    }

    fn visible_to(scope: &Scope) -> Condition {
        scope.holds((account::Entity, Column::Province)).add(Column::Kind.eq(Kind::Person))
    }

    fn province(&self) -> Option<&str> {
        self.province.as_deref()
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        let words = [&self.username, &self.display_name].into_iter().flat_map(|name| text::words(name));
        words.map(|word| (search::WORD, word)).collect()
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey { name: "username", sql: "account.username", kind: SqlKind::Text, value: |row| row.username.as_str().into() },
        SortKey { name: "created_at", sql: "account.created_at", kind: SqlKind::Timestamp, value: |row| row.created_at.into() },
        SortKey { name: "updated_at", sql: "account.updated_at", kind: SqlKind::Timestamp, value: |row| row.updated_at.into() },
        SortKey { name: "id", sql: "account.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
}

/// The users in a scope that a filter lets through.
pub fn list(scope: &Scope, filter: &UserFilter) -> Result<Select<account::Entity>, Problem> {
    let mut conditions: Vec<SimpleExpr> = Vec::new();
    if let Some(roles) = &filter.role {
        conditions.push(Column::Role.is_in(roles.iter().copied()));
    }
    if let Some(provinces) = &filter.province {
        conditions.push(Column::Province.is_in(provinces.iter().map(|province| province.0.as_str())));
    }
    if let Some(since) = filter.updated_since {
        conditions.push(Column::UpdatedAt.gte(since));
    }
    let mut all = conditions.into_iter().fold(Condition::all(), Condition::add);
    if let Some(query) = &filter.q {
        all = all.add(search::matches::<Model>(query)?);
    }
    Ok(visible_rows::<Model>(scope).filter(all))
}

/// Whether a change takes something from the user that running sessions still grant.
pub fn loses_sessions(before: &Model, after: &Model) -> bool {
    after.disabled || before.password_hash != after.password_hash || before.role != after.role || before.province != after.province
}
