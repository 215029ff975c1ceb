//! The interactive documentation, served from the binary.

use std::{
    collections::HashMap,
    io::Read,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use actix_web::{HttpRequest, HttpResponse, guard, web};
use utoipa_swagger_ui::Config;

use crate::{
    http::static_document::StaticDocument,
    problem::{Problem, problem_types},
};

/// Requested files, each stored once.
static FILES: LazyLock<Mutex<HashMap<String, Arc<StaticDocument>>>> = LazyLock::new(Mutex::default);

/// Below `/docs/`.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/docs/{file:.*}").guard(guard::Get()).to(file))
        .service(web::redirect("/docs", "/docs/"));
}

async fn file(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    kept(&path)?.answer(&request, "public, max-age=60")
}

fn kept(path: &str) -> Result<Arc<StaticDocument>, Problem> {
    if let Some(file) = FILES.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
        return Ok(file.clone());
    }
    let config = Config::new(["/openapi.json"])
        .persist_authorization(false)
        .display_request_duration(true)
        .doc_expansion("list")
        .filter(true)
        .validator_url("none");
    let found = utoipa_swagger_ui::serve(path, Arc::new(config)).map_err(Problem::internal)?;
    let found = found.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))?;
    let mut bytes = found.bytes.into_owned();
    if found.gzpipped {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).map_err(Problem::internal)?;
        bytes = plain;
    }
    let file = Arc::new(StaticDocument::new(found.content_type, bytes));
    // Unknown paths are not kept: there is an end of known ones.
    FILES.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), file.clone());
    Ok(file)
}
