//! The security log: events of requests, how they are stored, and how they are read.
//!
//! Events of a write are stored in its transaction ([`crate::store::Transaction::note`]). All others go
//! through a bounded queue, from which one task writes many events at once: no request waits for the log. If
//! the queue is full or the database takes no writes, an event is only a line in the log of the process, and
//! is counted (`security_events_unwritten`).

use std::{sync::Arc, time::Duration};

use actix_web::{HttpMessage, HttpRequest, http::StatusCode, web};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    client,
    http::{
        Call, authorization::Format, contract::Operation, record_extractor, request_middleware::RequestId,
    },
    personal,
    policy::Caller,
    problem::Problem,
    store::{
        Database, Transaction, fault,
        security_event::{self, Kind, Model, Origin},
    },
    values::hex,
};

/// Maximum number of queued events,
const MOST_WAITING: usize = 10_000;

/// and maximum number written at once.
const AT_ONCE: usize = 500;

/// Time for which events are collected before they are written.
const GATHERED: Duration = Duration::from_millis(200);

/// Between two attempts at a database that is away.
const AWAY: Duration = Duration::from_secs(1);

/// Queue to the log, for events outside of writes.
#[derive(Clone, Default)]
pub struct SecurityLog(Option<mpsc::Sender<Model>>);

/// The task that writes.
pub struct Writer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl SecurityLog {
    /// Starts the task that writes.
    pub fn start(db: Database) -> (Self, Writer) {
        let (sender, events) = mpsc::channel(MOST_WAITING);
        let (stop, stopped) = watch::channel(false);
        (Self(Some(sender)), Writer { stop, task: tokio::spawn(write(db, events, stopped)) })
    }

    /// Records an event without waiting.
    pub fn record(&self, event: Model) {
        event.tell();
        if self.0.as_ref().is_none_or(|sender| sender.try_send(event).is_err()) {
            unwritten(1);
        }
    }
}

impl Writer {
    /// Writes the queued events within a time limit, and ends.
    pub async fn stop(self, patience: Duration) {
        let _ = self.stop.send(true);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(patience, self.task).await.is_err() {
            abort.abort();
        }
    }
}

async fn write(db: Database, mut events: mpsc::Receiver<Model>, mut stopped: watch::Receiver<bool>) {
    let mut batch: Vec<Model> = Vec::new();
    loop {
        if batch.is_empty() {
            tokio::select! {
                biased;
                count = events.recv_many(&mut batch, AT_ONCE) => if count == 0 { return },
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            let _ = tokio::time::timeout(GATHERED, stopped.wait_for(|stopped| *stopped)).await;
        }
        while batch.len() < AT_ONCE
            && let Ok(event) = events.try_recv()
        {
            batch.push(event);
        }
        match security_event::insert(&db.writes(), batch.clone()).await {
            Ok(()) => batch.clear(),
            Err(error) if fault::takes_no_writes(&error) || !fault::is_temporary(&error) => {
                unwritten(batch.len());
                tracing::warn!(%error, count = batch.len(), "events of the security log are in this log only");
                batch.clear();
            }
            Err(error) => {
                tracing::debug!(%error, "the security log waits for the database");
                if tokio::time::timeout(AWAY, stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                    return unwritten(batch.len());
                }
            }
        }
    }
}

fn unwritten(count: usize) {
    metrics::counter!("security_events_unwritten").increment(count as u64);
}

/// The log of the application that handles a request.
pub fn log(request: &HttpRequest) -> SecurityLog {
    request.app_data::<web::Data<SecurityLog>>().map(|log| log.get_ref().clone()).unwrap_or_default()
}

/// The caller of a request, even of a refused one.
#[derive(Clone)]
pub struct Known(pub Arc<Caller>);

/// The operation of a request, even of a refused one.
#[derive(Clone)]
pub struct Asked(pub Arc<Operation>);

/// Origin of a request.
pub fn origin(request: &HttpRequest) -> Origin {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let user_agent =
        request.headers().get("user-agent").map(|value| hex(&Sha256::digest(value.as_bytes())[..8]));
    Origin {
        address: Some(client::address(request)).filter(|address| !address.is_empty()),
        user_agent,
        acting_for: header("acting-for").and_then(acting_for),
        request_id: RequestId::of(request),
        operation: request.extensions().get::<Asked>().map(|asked| asked.0.id.clone()),
    }
}

/// The key in `Acting-For`, a string or token of RFC 9651 (the name is a parameter of it, and no matter of
/// the log). A key that is personal data is masked.
fn acting_for(header: &str) -> Option<String> {
    let header = header.trim();
    let key = match header.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => header.split(';').next()?.trim(),
    };
    let key = Some(key).filter(|key| (1..=100).contains(&key.len()))?;
    Some(if personal::is_one(key) { personal::mask(key) } else { key.to_owned() })
}

/// Records security events of an answer: a refusal with its account, personal data in clear, an exported
/// file.
pub fn notice(request: &HttpRequest, status: StatusCode, problem: Option<&Problem>) {
    let Some(Known(caller)) = request.extensions().get::<Known>().cloned() else { return };
    let event = |kind| {
        let origin = origin(request);
        let event = Model::new(kind, &origin).by(&caller, &origin);
        let resource = origin.operation.as_deref().map(resource_of);
        // The record that the path names, if it does.
        match (resource, record_extractor::id_in(request, "id")) {
            (Some(resource), Ok(id)) => event.about(&resource, id),
            (resource, _) => Model { resource, ..event },
        }
    };
    if status == StatusCode::FORBIDDEN {
        return log(request)
            .record(event(Kind::Forbidden).because(problem.map_or("forbidden", Problem::code)));
    }
    let Ok(call) = Call::of(request) else { return };
    if !status.is_success() {
        return;
    }
    let shown = call.shown();
    if shown > 0 {
        log(request).record(event(Kind::PersonalDataRead).counting(shown));
    }
    if request.method() == actix_web::http::Method::GET && call.format() != Format::Json {
        log(request).record(event(Kind::Exported).because(call.format().name()));
    }
}

/// Resource of an operation: `cda` for `get_cda`.
fn resource_of(operation: &str) -> String {
    operation.split_once('_').map_or(operation, |(_, resource)| resource).to_owned()
}

/// Records an erasure of personal data, within the erasing transaction. `reason` is a code, such as
/// `request_of_the_person`, and contains nothing personal.
pub fn note_erasure(transaction: &Transaction, resource: &str, record_id: uuid::Uuid, reason: &str) {
    transaction.note(transaction.event(Kind::PersonalDataErased).because(reason).about(resource, record_id));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_acted_for_is_named_by_a_key_that_is_not_personal() {
        assert_eq!(acting_for("\"u-17\";name=\"x\""), Some("u-17".to_owned()));
        assert_eq!(acting_for("u-17; name=\"x\""), Some("u-17".to_owned()));
        assert_eq!(acting_for("\"0000000019\""), Some("******0019".to_owned()));
        assert_eq!(acting_for("\"\""), None);
        assert_eq!(acting_for(&"x".repeat(200)), None);
    }
}
