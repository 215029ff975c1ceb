//! Permanent erasure of the personal data of natural persons, with a reason. `docs/personal-data.md`
//! describes what is erased and what stays.

pub mod list;

use crate::http::security_log;
use actix_web::{get, post, web};
use sea_orm::{EntityTrait, QueryFilter, prelude::ColumnTrait, prelude::Uuid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::list::Entry;
use crate::{
    accounts::{Authenticator, account},
    attachments, cdas, checks,
    config::Config,
    http::{Answer, Body, Database, Routes, Shape, Write},
    organisations,
    problem::Problem,
    projects,
    store::{
        self, Files, Record, Transaction,
        personal::{
            self,
            erase::{self, Model},
        },
    },
};

/// The permission to erase personal data.
pub const PERMISSION: &str = "personal-data:erase";

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(list_erasures).service(create_erasure);
}

/// The kinds of records that hold personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A CDA: national code, names, mobile number, email address, education and external references, and the
    /// names of the CDA's account.
    Cda,
    /// An organisation: national id, phone number and email address.
    Organisation,
    /// A supervision: the name of the person.
    Supervision,
    /// Account of a person: user name and display name. It can no longer log in.
    User,
}

/// Input of an erasure: the record and the reason.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureInput {
    /// Kind of record.
    pub resource: Subject,
    /// The record, be it deleted.
    pub record_id: Uuid,
    /// Reason, without personal data: it is stored.
    #[schema(min_length = 1, max_length = 1000, pattern = "\\S", example = "درخواست صاحب داده")]
    pub reason: String,
    /// The attachments that are about the person: each is deleted, and its file removed for good.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub attachments: Vec<Uuid>,
}

/// An erasure.
#[derive(Debug, Serialize, ToSchema)]
pub struct Erasure {
    /// The id.
    id: Uuid,
    /// Kind of record.
    #[schema(value_type = Subject)]
    resource: String,
    /// The record.
    record_id: Uuid,
    /// Time of the erasure.
    erased_at: chrono::DateTime<chrono::Utc>,
    /// Account of the author.
    erased_by: Uuid,
    /// Reason.
    #[schema(example = "درخواست صاحب داده")]
    reason: String,
}

impl From<Model> for Erasure {
    fn from(row: Model) -> Self {
        let Model { id, resource, record_id, erased_at, erased_by, reason, .. } = row;
        Self { id, resource, record_id, erased_at, erased_by, reason }
    }
}

/// Erasures, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Erasures {
    /// One for each record that was erased.
    items: Vec<Erasure>,
}

/// List erasures
///
/// All of them, oldest first: of which records the personal data was erased, when, by whom and why.
#[utoipa::path(responses((status = 200, body = Erasures)), security(("oauth2" = ["personal-data:erase"])))]
#[get("/erasures")]
pub async fn list_erasures(db: Database, shape: Shape) -> Result<Answer, Problem> {
    let items = erase::all(db.get_ref()).await?.into_iter().map(Erasure::from).collect();
    shape.value(&Erasures { items })
}

/// Erase personal data
///
/// Removes the personal values of a record permanently, from all its versions: they no longer appear in any
/// answer, history, search, export or restored backup. The record itself stays, with the records that refer
/// to it and the hashes of its history. It can be repeated.
#[utoipa::path(request_body = ErasureInput, responses((status = 200, body = Erasure)), security(("oauth2" = ["personal-data:erase"])))]
#[post("/erasures")]
pub async fn create_erasure(
    input: Body<ErasureInput>,
    write: Write,
    db: Database,
    files: web::Data<Files>,
    config: web::Data<Config>,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    let answer = write
        .perform(async |transaction| Ok(Erasure::from(erase(transaction, &input.0, &config).await?)))
        .await?;
    authenticator.forget();
    // Also at a repetition, where it was not done the first time; and to its end, whether or not the client
    // waits.
    let finished =
        actix_web::rt::spawn(async move { finish(db.get_ref(), &files, &input.0.attachments).await });
    finished.await.map_err(Problem::internal)??;
    Ok(answer)
}

/// Erases in a transaction, and adds the erasure to the list outside of backups. After the commit,
/// [finish](finish) has to be called.
///
/// # Errors
/// 422 if there is no such record or attachment; the list cannot be written.
pub async fn erase(
    transaction: &Transaction,
    input: &ErasureInput,
    config: &Config,
) -> Result<Model, Problem> {
    let ErasureInput { resource, record_id, reason, attachments } = input;
    let erasure = match resource {
        Subject::Cda => {
            let accounts = account::Entity::find()
                .filter(account::Column::CdaId.eq(*record_id))
                .all(&**transaction)
                .await?;
            for account in accounts {
                erase_one::<account::Model>(transaction, account.id, reason).await?;
            }
            erase_one::<cdas::entity::Model>(transaction, *record_id, reason).await?
        }
        Subject::Organisation => {
            erase_one::<organisations::entity::Model>(transaction, *record_id, reason).await?
        }
        Subject::Supervision => {
            erase_one::<projects::supervisions::Model>(transaction, *record_id, reason).await?
        }
        Subject::User => erase_one::<account::Model>(transaction, *record_id, reason).await?,
    };
    for (number, id) in attachments.iter().enumerate() {
        let found = attachments::entity::Entity::find_by_id(*id).one(&**transaction).await?;
        let pointer = format!("/attachments/{number}");
        let before = found.ok_or_else(|| Problem::invalid(vec![checks::unknown_record(&pointer)]))?;
        transaction.erase(&before).await?;
    }
    if let Some(path) = &config.erasure_list {
        Entry {
            resource: *resource,
            record_id: *record_id,
            attachments: attachments.clone(),
            erased_at: transaction.now(),
        }
        .add_to(path)?;
    }
    Ok(erasure)
}

async fn erase_one<R: Record>(transaction: &Transaction, id: Uuid, reason: &str) -> Result<Model, Problem> {
    let found = R::Entity::find()
        .filter(R::visible_to(&transaction.author().scope))
        .filter(R::is(id))
        .one(&**transaction)
        .await?;
    let mut before = found.ok_or_else(|| Problem::invalid(vec![checks::unknown_record("/record_id")]))?;
    personal::reveal(&**transaction, std::slice::from_mut(&mut before)).await?;
    security_log::note_erasure(transaction, R::RESOURCE, id, "requested");
    Ok(erase::erase(transaction, &before, reason).await?.0)
}

/// Removes the files of erased attachments that no other one refers to, and makes the database release the
/// erased bytes. Repeatable.
///
/// # Errors
/// The store or the database does not answer, or the erased values are still in its files: then it has to be
/// repeated.
pub async fn finish(db: &store::Database, files: &Files, attachments: &[Uuid]) -> Result<(), Problem> {
    attachments::content::remove_unreferred(db, files, attachments).await?;
    erase::finish_erasures(db).await
}
