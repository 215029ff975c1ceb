//! Whether the history is whole, after somebody was at the database past the service.

use std::collections::BTreeSet;

use khoosheh::store::change_log::{ActiveModel, Column, Entity};
use sea_orm::{
    ActiveValue::NotSet, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Statement,
    sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    on_both,
    process::{Outcome, run},
    projects::made,
    support::{Answer, Client, Service},
};

on_both!(
    a_history_that_nobody_touched_is_whole,
    what_was_tampered_with_is_named,
    entries_are_signed_with_names
);

async fn verify(service: &Service) -> Outcome {
    run(&["verify"], &[("DATABASE_URL", service.database_url())], "").await
}

/// A cluster in its third version.
async fn cluster(client: &Client) -> Answer {
    // Numbers that a careless database or parser gives back otherwise.
    let location = json!({"latitude": -0.0, "longitude": 0.300_000_000_000_000_04});
    let input =
        json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}], "location": location});
    let created = made(client, "/api/v1/clusters", input).await;
    for name_en in ["German silver", "Nickel silver"] {
        assert_eq!(
            client.patch(created.header("location"), "*", json!({"name_en": name_en})).await.status,
            200
        );
    }
    created
}

async fn a_history_that_nobody_touched_is_whole(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = cluster(&lorestan).await;
    let path = created.header("location");
    assert_eq!(lorestan.get(&format!("{path}/history")).await.body["is_intact"], true);
    assert_eq!(lorestan.delete(path, "*").await.status, 204);
    let history = lorestan.get(&format!("{path}/history?calendar=persian&fields=version")).await;
    assert_eq!(history.body["is_intact"], true, "also of what is deleted: {}", history.text);

    let entries = Entity::find().all(&service.database().await).await.unwrap();
    let chains: BTreeSet<_> = entries.iter().map(|entry| (&entry.resource, entry.record_id)).collect();
    let whole = verify(service).await;
    let expected = format!("the history is whole: {} entries in {} chains\n", entries.len(), chains.len());
    assert!(
        whole.code == 0 && whole.stdout.starts_with(&expected),
        "{expected}{}{}",
        whole.stdout,
        whole.stderr
    );
    // More versions than are read at once.
    let long = cluster(&lorestan).await;
    for number in 4..=450 {
        lorestan.patch(long.header("location"), "*", json!({"name_en": format!("Name {number}")})).await;
    }
    let whole = verify(service).await;
    let expected =
        format!("the history is whole: {} entries in {} chains\n", entries.len() + 450, chains.len() + 1);
    assert!(
        whole.code == 0 && whole.stdout.starts_with(&expected),
        "{expected}{}{}",
        whole.stdout,
        whole.stderr
    );
}

async fn what_was_tampered_with_is_named(service: &Service) {
    let (lorestan, db) = (service.login("lorestan").await, service.database().await);
    let created = cluster(&lorestan).await;
    let id: Uuid = created.id().parse().unwrap();
    for (tampering, at, what) in [
        (
            "UPDATE change_log SET data = $2 WHERE record_id = $1 AND version = 2",
            2,
            "the hash is not that of what the entry says",
        ),
        (
            "UPDATE change_log SET changed_by = record_id WHERE record_id = $1 AND version = 1",
            1,
            "the hash is not that of what the entry says",
        ),
        (
            "UPDATE change_log SET kind = 'forged' WHERE record_id = $1 AND version = 3",
            3,
            "the entry cannot be read",
        ),
        ("DELETE FROM change_log WHERE record_id = $1 AND version = 2", 2, "the entry is missing"),
        ("DELETE FROM change_log WHERE record_id = $1 AND version = 1", 1, "the entry is missing"),
        ("DELETE FROM change_log WHERE record_id = $1 AND version >= 2", 2, "the entry is missing"),
        ("DELETE FROM change_log WHERE record_id = $1", 1, "the entry is missing"),
        (
            "UPDATE change_log SET version = 0 WHERE record_id = $1 AND version = 1",
            0,
            "versions begin with 1",
        ),
        (
            "UPDATE change_log SET previous_hash = '' WHERE record_id = $1 AND version = 3",
            3,
            "the entry does not carry the hash of the one before",
        ),
        (
            "UPDATE change_log SET resource = 'ghost' WHERE record_id = $1 AND version = 3",
            3,
            "the entry is missing",
        ),
        (
            "UPDATE cluster SET history_hash = 'f00' WHERE id = $1",
            3,
            "the record itself carries another hash",
        ),
        ("UPDATE cluster SET version = 2 WHERE id = $1", 3, "the record itself is in version 2"),
        ("UPDATE cluster SET name_fa = 'طلا' WHERE id = $1", 3, "the record itself has another name_fa"),
        ("DELETE FROM cluster WHERE id = $1", 3, "the record itself is missing"),
    ] {
        let before = Rows::keep(&db, id).await;
        if tampering.contains("$2") {
            let mut data = before.entries[1].data.clone();
            data["name_en"] = json!("Gold");
            Entity::update_many()
                .col_expr(Column::Data, Expr::value(data))
                .filter(Column::RecordId.eq(id))
                .filter(Column::Version.eq(2))
                .exec(&db)
                .await
                .unwrap();
        } else {
            execute(&db, tampering, id).await;
        }
        let broken = verify(service).await;
        let named = format!("khoosheh: the history is broken at cluster {id}, version {at}: {what}");
        assert!(
            broken.code == 1 && broken.stdout.is_empty() && broken.stderr.starts_with(&named),
            "{tampering}: {}",
            broken.stderr
        );
        if tampering.contains("change_log") && !tampering.contains("forged") && at > 0
            || tampering.contains("history_hash")
        {
            let history = lorestan.get(&format!("{}/history", created.header("location"))).await;
            assert_eq!(history.body["is_intact"], false, "{tampering}: {}", history.text);
        }
        before.restore(&db).await;
    }
    assert_eq!(verify(service).await.code, 0);
    assert_eq!(
        lorestan.get(&format!("{}/history", created.header("location"))).await.body["is_intact"],
        true
    );

    // The first of several in the order of kinds, of a table that two kinds share.
    execute(&db, "UPDATE cluster SET history_hash = '' WHERE id = $1", id).await;
    let cda: Uuid = service.login("cda").await.get("/api/v1/auth/me").await.id().parse().unwrap();
    execute(&db, "UPDATE account SET role = 'national_admin' WHERE id = $1", cda).await;
    assert!(verify(service).await.stderr.contains(&format!("cluster {id}")));
    execute(
        &db,
        "UPDATE change_log SET data = (SELECT data FROM change_log WHERE record_id = $1 AND version = 1)",
        id,
    )
    .await;
    assert!(verify(service).await.stderr.contains("broken at api_client"));
}

async fn entries_are_signed_with_names(service: &Service) {
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    let created = cluster(&lorestan).await;
    let me = lorestan.get("/api/v1/auth/me").await;
    let renamed =
        admin.patch(&format!("/api/v1/users/{}", me.id()), "*", json!({"display_name": "مدیر پیشین"})).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    assert_eq!(admin.patch(created.header("location"), "*", json!({"name_en": "Alpaca"})).await.status, 200);
    let history = admin.get(&format!("{}/history", created.header("location"))).await;
    let me = admin.get("/api/v1/auth/me").await;
    let own = admin.get(&format!("/api/v1/users/{}", me.id())).await;
    let own = own.body["display_name"].as_str().unwrap();
    assert_eq!(
        history.items("changed_by_name"),
        ["مدیر پیشین", "مدیر پیشین", "مدیر پیشین", own],
        "as they are called at present"
    );
    let indicators = admin.get("/api/v1/indicators?page_size=1").await;
    let history = admin.get(&format!("/api/v1/indicators/{}/history", indicators.items("id")[0])).await;
    assert_eq!(
        history.body["items"][0]["changed_by_name"],
        json!(null),
        "the service itself: {}",
        history.text
    );
}

/// Every table with the columns of a record is verified.
#[test]
fn no_kind_is_forgotten() {
    let verified: BTreeSet<_> = khoosheh::api::kinds().iter().map(|kind| kind.table().to_owned()).collect();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migration/src");
    let sources =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let all: String = sources.collect();
    let tables = all.split("CREATE TABLE ").filter_map(|table| table.split_once(" (\n    {record}"));
    let tables: BTreeSet<_> =
        tables.map(|(name, _)| name.to_owned()).filter(|name| !name.contains(char::is_whitespace)).collect();
    assert!(tables.contains("account") && tables.len() > 20, "{tables:?}");
    assert_eq!(verified, tables);
}

async fn execute(db: &khoosheh::store::Database, sql: &str, id: Uuid) {
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [id.into()]))
        .await
        .unwrap();
}

/// A cluster and its entries, to be put back.
struct Rows {
    row: khoosheh::clusters::entity::Model,
    entries: Vec<khoosheh::store::change_log::Model>,
}

impl Rows {
    async fn keep(db: &khoosheh::store::Database, id: Uuid) -> Self {
        let row = khoosheh::clusters::entity::Entity::find_by_id(id).one(db).await.unwrap().unwrap();
        Self {
            row,
            entries: Entity::find()
                .filter(Column::RecordId.eq(id))
                .order_by_asc(Column::Version)
                .all(db)
                .await
                .unwrap(),
        }
    }

    async fn restore(self, db: &khoosheh::store::Database) {
        use khoosheh::clusters::entity;
        execute(db, "DELETE FROM change_log WHERE record_id = $1", self.row.id).await;
        execute(db, "DELETE FROM cluster WHERE id = $1", self.row.id).await;
        entity::Entity::insert(entity::ActiveModel::from(self.row)).exec_without_returning(db).await.unwrap();
        for entry in self.entries {
            let mut entry = ActiveModel::from(entry);
            entry.seq = NotSet;
            Entity::insert(entry).exec_without_returning(db).await.unwrap();
        }
    }
}
