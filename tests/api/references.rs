//! What refers to a record keeps it from being deleted: each foreign key between the tables of records is named by the record that it leads to.

use std::collections::BTreeSet;

use khoosheh::{
    api, attachments::subjects::SubjectKind, changes::kinds::KINDS, imports::columns::Resource,
    store::connection,
};
use sea_orm::{ActiveEnum, ConnectionTrait, FromQueryResult, Iterable, Statement};
use serde_json::json;

use crate::{
    on_both,
    support::{Backend, PASSWORD, Scratch, Service},
};

/// Foreign keys that keep nothing from being deleted, with the reason: child, column, parent.
const FREE: &[(&str, &str, &str)] = &[
    // A claim says that its cluster exists, and goes with it.
    ("cluster_claim", "cluster_id", "cluster"),
    // Where the subject belongs: what a document is attached to guards its deletion.
    ("attachment", "cluster_id", "cluster"),
    // A webhook whose account is gone is switched off, and tells why.
    ("webhook", "account_id", "account"),
];

#[derive(FromQueryResult)]
struct ForeignKey {
    child: String,
    column: String,
    parent: String,
}

/// The foreign keys of all tables, but for the province that goes along in some.
async fn foreign_keys() -> Vec<ForeignKey> {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let db = connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap();
    let sql = "SELECT t.name AS child, k.\"from\" AS \"column\", k.\"table\" AS parent FROM sqlite_schema t, pragma_foreign_key_list(t.name) k \
               WHERE t.type = 'table' AND k.\"from\" <> 'province'";
    ForeignKey::find_by_statement(Statement::from_string(db.get_database_backend(), sql))
        .all(&db)
        .await
        .unwrap()
}

#[actix_web::test]
async fn each_reference_between_records_guards_the_deletion_of_its_parent() {
    let kinds = api::kinds();
    let mut unguarded = Vec::new();
    let mut seen = 0;
    for key in foreign_keys().await {
        let is_record = |table: &str| kinds.iter().any(|kind| kind.table == table);
        if !is_record(&key.child) || !is_record(&key.parent) {
            continue;
        }
        seen += 1;
        let is_same = |&(child, column): &(&str, &str)| child == key.child && column == key.column;
        // Two kinds of record may share a table, as accounts of people and of other systems do.
        let is_guarded = kinds
            .iter()
            .filter(|kind| kind.table == key.parent)
            .any(|kind| kind.referred_by.iter().any(is_same));
        let is_free =
            FREE.iter().any(|&(child, column, parent)| is_same(&(child, column)) && parent == key.parent);
        if !is_guarded && !is_free {
            unguarded.push(format!("{}.{} -> {}", key.child, key.column, key.parent));
        }
    }
    assert!(seen > 30, "{seen} foreign keys");
    assert!(unguarded.is_empty(), "name them in `REFERRED_BY` of the parent: {unguarded:#?}");
}

/// Kinds of record that nobody follows, attaches a document to or imports, with the reason.
const NOT_FOLLOWED: &[(&str, &str)] = &[
    ("user", "accounts are the service's own"),
    ("api_client", "accounts are the service's own"),
    ("webhook", "it follows others"),
];
const NOT_ATTACHED_TO: &[(&str, &str)] = &[
    ("user", "accounts are the service's own"),
    ("api_client", "accounts are the service's own"),
    ("webhook", "accounts are the service's own"),
    ("attachment", "a document has no documents"),
    ("indicator", "the catalogue is described by its formulas"),
    ("organisation", "its documents are those of its projects"),
    ("cda", "certificates are fields"),
    ("enterprise", "its documents are those of its cluster"),
    ("lineage_entry", "its documents are those of its cluster"),
    ("value_chain_stage", "its documents are those of its cluster"),
    ("assignment", "its documents are those of its project"),
    ("supervision", "its documents are those of its project"),
    ("partner", "its documents are those of its project"),
    ("phase", "its documents are those of its project"),
    ("baseline", "its decision has them"),
];
const NOT_IMPORTED: &[(&str, &str)] = &[
    ("user", "accounts are the service's own"),
    ("api_client", "accounts are the service's own"),
    ("webhook", "accounts are the service's own"),
    ("attachment", "a row brings no file"),
    ("indicator", "the catalogue is kept by hand"),
    ("organisation", "provinces put them by reference"),
    ("decision", "they are entered with their text"),
    ("progress_report", "it is written in the service"),
    ("cluster_claim", "below a cluster"),
    ("lineage_entry", "below a cluster"),
    ("feasibility_study", "below a cluster"),
    ("value_chain_stage", "below a cluster"),
    ("network", "below a cluster"),
    ("assignment", "below a project"),
    ("supervision", "below a project"),
    ("partner", "below a project"),
    ("phase", "below a project"),
    ("joint_action", "below a project"),
    ("baseline", "below a project"),
];

/// A new kind of record is followed, attached to and imported, or it is said here why not.
#[test]
fn no_kind_of_record_is_forgotten() {
    let followed = KINDS.iter().map(|entry| entry.resource.to_owned()).collect();
    let attached_to = SubjectKind::iter().map(|kind| kind.to_value()).collect();
    let imported =
        Resource::iter().map(|resource| resource.to_value().trim_end_matches('s').to_owned()).collect();
    for (what, are, are_not) in [
        ("followed", followed, NOT_FOLLOWED),
        ("attached to", attached_to, NOT_ATTACHED_TO),
        ("imported", imported, NOT_IMPORTED),
    ] {
        let are: BTreeSet<String> = are;
        let not: BTreeSet<String> = are_not.iter().map(|(name, _)| (*name).to_owned()).collect();
        let all: BTreeSet<String> = api::kinds().iter().map(|kind| kind.resource().to_owned()).collect();
        assert_eq!(&are | &not, all, "{what}");
        assert!(are.is_disjoint(&not), "{what}");
    }
}

on_both!(an_account_that_supervises_stays);

async fn an_account_that_supervises_stays(service: &Service) {
    service.own_passwords().await;
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    let body = json!({"username": "watcher", "display_name": "ناظر پروژه", "password": PASSWORD, "role": "supervisor", "province": "IR-15"});
    let user = admin.post("/api/v1/users", body).await;
    assert_eq!(user.status, 201, "{}", user.text);
    let projects = lorestan.get("/api/v1/projects?sort=code").await;
    let path = format!("/api/v1/projects/{}/supervisions", projects.items("id")[0]);
    let supervision = lorestan
        .post(&path, json!({"kind": "technical", "account_id": user.id(), "valid_from": "2016-01-01"}))
        .await;
    assert_eq!(supervision.status, 201, "{}", supervision.text);

    let account = format!("/api/v1/users/{}", user.id());
    let refused = admin.delete(&account, user.etag()).await;
    assert_eq!((refused.status, refused.code()), (409, "still_referred_to"), "{}", refused.text);
    assert_eq!(refused.body["referred_by"], json!(["supervision"]));
    let ended = lorestan.delete(&format!("{path}/{}", supervision.id()), supervision.etag()).await;
    assert_eq!(ended.status, 204, "{}", ended.text);
    assert_eq!(admin.delete(&account, user.etag()).await.status, 204);
}
