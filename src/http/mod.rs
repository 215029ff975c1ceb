//! HTTP layer: everything that all operations have in common.
//!
//! A request passes [`request_middleware`] (request id, language, timeouts, panics, problems, logging) and
//! [`authorization`] (token, permission, query string, all against the OpenAPI document). A handler then
//! gets its input from extractors ([`body`], [`upload`], [`record_extractor`], [`page`], [`read`],
//! [`write`]), and answers in the form requested by the caller ([`render`]).

pub mod as_of_query;
pub mod authorization;
pub mod body;
pub mod compress;
pub mod connection;
pub mod contract;
pub mod csv;
pub mod document;
pub mod geojson;
pub mod glossary;
pub mod json;
pub mod negotiation;
pub mod page;
pub mod precondition;
pub mod rate_limit;
pub mod read;
pub mod record_extractor;
pub mod render;
pub mod request_middleware;
pub mod resource;
pub mod routes;
pub mod security_log;
pub mod serve;
pub mod sheet;
pub mod shutdown;
pub mod spool;
pub mod static_document;
pub mod tally;
pub mod temporary;
pub mod unread;
pub mod upload;
pub mod upload_quota;
pub mod validation_messages;
pub mod write;

pub use as_of_query::AsOfQuery;
pub use authorization::{Call, CurrentCaller};
pub use body::{Body, Patch, Query};
pub use page::{Page, Paging, SortKey};
pub use precondition::Precondition;
pub use read::{Including, Read, Search};
pub use record_extractor::{Referred, Visible, VisibleEver};
pub use render::{Answer, Shape};
pub use routes::Routes;
pub use sheet::Sheet;
pub use shutdown::Shutdown;
pub use upload::Upload;
pub use write::Write;

/// The pool of the worker that handles the request.
pub type Database = actix_web::web::Data<crate::store::Database>;

/// Data of the application; 500 where there is none of this type.
pub(crate) fn data<T: 'static>(
    request: &actix_web::HttpRequest,
) -> Result<actix_web::web::Data<T>, crate::problem::Problem> {
    let missing = || crate::problem::Problem::internal(format!("no {}", std::any::type_name::<T>()));
    request.app_data::<actix_web::web::Data<T>>().cloned().ok_or_else(missing)
}

/// Result type of extractors that complete immediately.
pub(crate) type Ready<T> = std::future::Ready<Result<T, crate::problem::Problem>>;
