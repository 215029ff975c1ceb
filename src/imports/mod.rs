//! Imports (ورود گروهی) of files with records from other systems. A file waits in the database, and a worker
//! processes its rows in turns.

mod apply;
pub mod cells;
pub mod columns;
pub mod dto;
pub mod entity;
pub mod fault;
pub mod file;
pub mod intake;
mod references;
mod source;
mod titles;
pub mod worker;

use std::{io::Write as _, time::Duration};

use actix_web::{HttpRequest, HttpResponse, get, http::header, post, web};
use futures_util::stream;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio::time::Instant;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use self::{
    columns::Column as FileColumn,
    dto::{
        ColumnsOf, Headings, Import, ImportColumns, ImportFile, ImportFilter, ImportRow, Order, RowFilter,
        TemplateOf,
    },
    entity::{Column, Entity, Model, row},
    file::Format,
    intake::Intake,
};
use crate::{
    accounts::Authenticator,
    config::Config,
    http::{
        Answer, Call, CurrentCaller, Database, Page, Paging, Query, Routes, Shape, Shutdown, Upload, Write,
        authorization, contract::Contract, csv, document, record_extractor, temporary,
    },
    problem::{Problem, problem_types},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config
        .service(list_imports)
        .service(create_import)
        .service(list_import_columns)
        .service(get_import_template)
        .service(get_import)
        .service(list_import_rows)
        .service(follow_import);
}

const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";

impl PartialSchema for ImportFile {
    fn schema() -> RefOr<Schema> {
        // A generated client that sends one type only sends the last.
        document::file(
            "A file of records in UTF-8: a table with headings, or one JSON object a line.",
            &[NDJSON, CSV],
        )
    }
}

impl ToSchema for ImportFile {}

/// List imports
///
/// Imports sent by accounts of your province, of resources that you may import, newest last; national
/// accounts see all. Imports are deleted after 30 days.
#[utoipa::path(params(ImportFilter, Paging<Model>), responses((status = 200, body = Page<Import>)), security(("oauth2" = ["imports:write"])))]
#[get("/imports")]
pub async fn list_imports(
    filter: Query<ImportFilter>,
    paging: Paging<Model>,
    caller: CurrentCaller,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let mut rows = Model::visible(&caller);
    if let Some(resource) = filter.resource {
        rows = rows.filter(Column::Resource.eq(resource));
    }
    if let Some(states) = &filter.state {
        rows = rows.filter(Column::State.is_in(states.iter().copied()));
    }
    let page = paging.fetch(db.get_ref(), rows).await?;
    let views = page.items.iter().map(Import::from).collect();
    shape.page(&page.with(views))
}

/// Import a file
///
/// Send the file itself as the body: `text/csv` (a table with headings, cells separated by `,`, `;` or tabs),
/// or `application/x-ndjson` (one JSON object per line), in UTF-8. You also need the permission to write the
/// resource, and for CDAs `personal-data:read`. The answer comes at once; follow the progress at `GET
/// /imports/{id}` or `GET /imports/{id}/events`, and read the result of each row at `GET /imports/{id}/rows`.
///
/// **Headings** are the names of the columns or their titles in Persian or English: see `GET
/// /imports/columns`, or begin with `GET /imports/template`. ي and ی, ك and ک, spaces and half-spaces do not
/// matter. A column whose heading begins with `#` is ignored. **Cells**: an empty cell counts as missing, `-`
/// clears the field, and `;` or `،` separates several values. Digits may be Persian, days may be written
/// 1393/1/5 (with `calendar=persian`), and numbers may have thousands separators.
///
/// **The key** identifies the record in your system (`system`, `key`). A new record is created; an existing
/// one is changed in the fields that the row has, as by a merge patch; nothing is written if they have these
/// values already. So a file may be sent again. Records that a row refers to are identified by their code,
/// national id, key or id.
///
/// **`mode=validate`** writes nothing and reports the result that each row would have; **`atomic=true`**
/// writes all rows or none. Both process the whole file in one transaction, up to 10,000 rows; one that would
/// block others for too long is aborted (`too_much_at_once`). Otherwise each row is independent, and a file
/// of any length is processed in turns; after a restart of the service it continues with the next row; after
/// 10,000 failed rows the rest is not processed (`too_many_failed_rows`). The file is at most 64 MiB, unless
/// the service is configured otherwise.
#[utoipa::path(
    params(Order),
    request_body(content = ImportFile, content_type = "application/octet-stream"),
    responses((status = 201, body = Import)),
    security(("oauth2" = ["imports:write"])),
)]
#[post("/imports")]
pub async fn create_import(
    order: Query<Order>,
    mut upload: Upload,
    request: HttpRequest,
    contract: web::Data<Contract>,
    config: web::Data<Config>,
    shape: Shape,
    write: Write,
) -> Result<Answer, Problem> {
    if !order.resource.is_open_to(|permission| write.caller.may(permission)) {
        return Err(Problem::new(&problem_types::FORBIDDEN));
    }
    let format = if upload.media_type()? == NDJSON { Format::Ndjson } else { Format::Csv };
    let calendar = Call::of(&request)?.calendar();
    let mut intake = Intake::begin()?;
    while let Some(bytes) = upload.next(config.import_limit).await? {
        intake.write_all(&bytes).map_err(temporary::refused)?;
    }
    upload.recognise(intake.hash());
    write
        .run(async |transaction| {
            let import = intake.keep(&order, format, calendar, &contract, transaction).await?;
            Ok(shape.value(&Import::from(&import))?.created_at(&format!("imports/{}", import.id)))
        })
        .await
}

/// Which columns a file may have
///
/// As JSON, or with `format=csv` as a table to download.
#[utoipa::path(params(ColumnsOf), responses((status = 200, body = ImportColumns)), security(("oauth2" = ["imports:write"])))]
#[get("/imports/columns")]
pub async fn list_import_columns(
    of: Query<ColumnsOf>,
    contract: web::Data<Contract>,
    shape: Shape,
) -> Result<Answer, Problem> {
    shape.items(&ImportColumns { items: of.resource.columns(&contract) })
}

/// A file to fill in
///
/// CSV with the headings of all columns and no rows, which opens directly in Excel.
#[utoipa::path(
    params(TemplateOf),
    responses((status = 200, body = String, content_type = "text/csv", description = "The file")),
    security(("oauth2" = ["imports:write"])),
)]
#[get("/imports/template")]
pub async fn get_import_template(
    of: Query<TemplateOf>,
    contract: web::Data<Contract>,
    shape: Shape,
) -> Result<Answer, Problem> {
    let heading = |column: &FileColumn| match of.headings {
        Headings::Persian => column.title_fa,
        Headings::English => column.title_en,
        Headings::Names => column.name,
    };
    let headings: Vec<_> = of.resource.columns(&contract).iter().map(heading).collect();
    Ok(shape.table(csv::header(&headings, true)?, &of.resource.path()))
}

/// Read an import
///
/// With its state and progress.
#[utoipa::path(responses((status = 200, body = Import)), security(("oauth2" = ["imports:write"])))]
#[get("/imports/{id}")]
pub async fn get_import(
    request: HttpRequest,
    caller: CurrentCaller,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    shape.value(&Import::from(&find(&request, &caller, &db).await?))
}

/// List what became of the rows
///
/// In the order of the file, each with its line, and its errors by column. `outcome=failed` lists the rows to
/// correct; with `format=csv` as a table to download. If the import only validates, or was refused, the
/// outcomes are those that the rows would have had.
#[utoipa::path(params(RowFilter, Paging<row::Model>), responses((status = 200, body = Page<ImportRow>)), security(("oauth2" = ["imports:write"])))]
#[get("/imports/{id}/rows")]
pub async fn list_import_rows(
    request: HttpRequest,
    filter: Query<RowFilter>,
    paging: Paging<row::Model>,
    caller: CurrentCaller,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let import = find(&request, &caller, &db).await?;
    let mut rows = row::Entity::find().filter(row::Column::ImportId.eq(import.id));
    if let Some(outcomes) = &filter.outcome {
        rows = rows.filter(row::Column::Outcome.is_in(outcomes.iter().copied()));
    }
    let mut page = paging.fetch(db.get_ref(), rows).await?;
    let views = std::mem::take(&mut page.items).into_iter().map(ImportRow::from).collect();
    shape.page(&page.with(views))
}

/// Polling interval of the events.
const PAUSE: Duration = Duration::from_millis(300);
/// Interval of messages without news, so that no proxy considers the connection dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Follow an import
///
/// Server-sent events: `progress` with the import at first, and again after each change, until it has ended;
/// then the stream ends. It also ends with the session or the access token of the request: connect again with
/// another token. A browser's `EventSource` reconnects by itself, and misses nothing.
#[utoipa::path(
    responses((status = 200, body = String, content_type = "text/event-stream", description = "Events")),
    security(("oauth2" = ["imports:write"])),
)]
#[get("/imports/{id}/events")]
pub async fn follow_import(
    request: HttpRequest,
    caller: CurrentCaller,
    db: Database,
    shutdown: web::Data<Shutdown>,
    authenticator: web::Data<Authenticator>,
) -> Result<HttpResponse, Problem> {
    struct Told {
        import: Option<Model>,
        at: Instant,
        is_over: bool,
    }
    let id = find(&request, &caller, &db).await?.id;
    let token = authorization::bearer(request.headers()).unwrap_or_default().to_owned();
    let events =
        stream::unfold(Told { import: None, at: Instant::now(), is_over: false }, move |mut told| {
            let (db, shutdown, authenticator, token) =
                (db.clone(), shutdown.clone(), authenticator.clone(), token.clone());
            async move {
                while !told.is_over && !shutdown.has_begun() {
                    let import = Entity::find_by_id(id).one(db.get_ref()).await.ok()??;
                    let is_news = told.import.as_ref() != Some(&import);
                    if is_news || told.at.elapsed() > HEARTBEAT {
                        // The stream ends after a logout, when the account is disabled, or without the
                        // permission.
                        authenticator
                            .caller_now(&db, &token)
                            .await
                            .ok()?
                            .filter(|caller| caller.may("imports:write"))?;
                        let view = serde_json::to_string(&Import::from(&import)).ok()?;
                        let event = if is_news {
                            format!("event: progress\ndata: {view}\n\n")
                        } else {
                            ":\n\n".to_owned()
                        };
                        told = Told {
                            at: Instant::now(),
                            is_over: import.state.is_final(),
                            import: Some(import),
                        };
                        return Some((Ok::<_, Problem>(web::Bytes::from(event)), told));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                None
            }
        });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(events))
}

/// The import that exists for the caller; 404 otherwise.
async fn find(request: &HttpRequest, caller: &CurrentCaller, db: &Database) -> Result<Model, Problem> {
    let named = Model::visible(caller).filter(Column::Id.eq(record_extractor::id_in(request, "id")?));
    named.one(db.get_ref()).await?.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))
}
