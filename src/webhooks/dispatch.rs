//! The background work of an instance: making deliveries of changes, and sending them.

use std::time::{Duration, Instant};

use actix_web::http::header;
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::{
    destination::Clients,
    entity::DisabledReason,
    fan_out,
    payload::{self, Payload},
};
use crate::{
    config::Config,
    http::security_log::SecurityLog,
    problem::Problem,
    store::{
        Database, connection, now,
        outbox::{
            self, Lanes, Outcome,
            attempt::{self, Fault},
        },
        security_event::{self, Kind, Origin},
    },
};

/// Polling interval of idle workers.
const PAUSE: Duration = Duration::from_millis(500);

/// Polling interval while the database is unavailable.
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// Time by which the claim of a worker exceeds the timeout of an attempt: for the work before and after.
const MARGIN: TimeDelta = TimeDelta::seconds(5);

/// Database connections: for the changes, for claiming, and for recording results.
const CONNECTIONS: u32 = 3;

/// Maximum number of bytes read of a response,
const READ: usize = 65_536;
/// maximum time for reading it, so that a slow receiver does not occupy a worker,
const READ_FOR: Duration = Duration::from_secs(1);
/// and maximum number of bytes stored of it.
const KEPT: usize = 1_024;

/// A receiver is slow if it takes longer than this part of the timeout.
const PROMPT: u32 = 3;

/// Maximum accepted `Retry-After`.
const LONGEST: TimeDelta = TimeDelta::days(1);

/// The webhook workers of this instance.
pub struct Dispatch {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    db: Option<Database>,
}

impl Dispatch {
    /// Starts the workers; does nothing on an instance without workers.
    pub async fn start(config: &Config, log: SecurityLog) -> Result<Self, Problem> {
        let (stop, stopped) = watch::channel(false);
        if config.webhook_workers == 0 {
            return Ok(Self { stop, tasks: Vec::new(), db: None });
        }
        let db = connection::connect(&config.database_url, CONNECTIONS).await?;
        let workers = Workers {
            db: db.clone(),
            log,
            clients: Clients::new(config)?,
            most: config.webhook_workers,
            retries: config.webhook_retry_seconds.clone(),
            prompt: Duration::from_secs(config.webhook_timeout_seconds) / PROMPT,
            lease: MARGIN + TimeDelta::seconds(config.webhook_timeout_seconds as i64),
            patience: TimeDelta::days(config.webhook_failing_days),
        };
        let tasks =
            vec![tokio::spawn(fan_out(db.clone(), stopped.clone())), tokio::spawn(workers.work(stopped))];
        Ok(Self { stop, tasks, db: Some(db) })
    }

    /// Its database connections.
    pub fn database(&self) -> Option<Database> {
        self.db.clone()
    }

    /// Stops starting deliveries, and waits up to a limit for those in progress. Those cut off are sent again
    /// once their claim lapses.
    pub async fn stop(self, longest: Duration) {
        let _ = self.stop.send(true);
        let end = tokio::time::Instant::now() + longest;
        for mut task in self.tasks {
            if tokio::time::timeout_at(end, &mut task).await.is_err() {
                task.abort();
                let _ = task.await;
            }
        }
    }
}

/// Creates deliveries from changes until stopped.
async fn fan_out(db: Database, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let pause = match connection::in_time(fan_out::step(&db)).await {
            Ok(true) => continue,
            Ok(false) => PAUSE,
            Err(problem) => {
                tracing::warn!(%problem, "webhooks do not follow the changes");
                LONG_PAUSE
            }
        };
        let _ = tokio::time::timeout(pause, stopped.changed()).await;
    }
}

/// The sending workers.
#[derive(Clone)]
struct Workers {
    db: Database,
    log: SecurityLog,
    clients: Clients,
    most: usize,
    retries: Vec<u64>,
    prompt: Duration,
    lease: TimeDelta,
    patience: TimeDelta,
}

impl Workers {
    /// Claims and sends deliveries until stopped, then waits for those in progress.
    async fn work(self, mut stopped: watch::Receiver<bool>) {
        let (mut prompt, mut lagging) = (JoinSet::new(), JoinSet::new());
        while !*stopped.borrow() {
            while prompt.try_join_next().is_some() || lagging.try_join_next().is_some() {}
            let pause = match connection::in_time(self.send_some(&mut prompt, &mut lagging)).await {
                Ok(true) => continue,
                Ok(false) => PAUSE,
                Err(problem) => {
                    tracing::warn!(%problem, "webhooks are not sent");
                    LONG_PAUSE
                }
            };
            tokio::select! {
                _ = stopped.changed() => {}
                Some(_) = prompt.join_next() => {}
                Some(_) = lagging.join_next() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while prompt.join_next().await.is_some() || lagging.join_next().await.is_some() {}
    }

    /// Starts as many deliveries as there are free workers, slow receivers with at most half of them. Returns
    /// whether there were any.
    async fn send_some(&self, prompt: &mut JoinSet<()>, lagging: &mut JoinSet<()>) -> Result<bool, Problem> {
        let before = prompt.len() + lagging.len();
        let free = self.most - before;
        // Slow ones first: the prompt ones get the rest, which is half of all or more.
        let room = free.min((self.most / 2).saturating_sub(lagging.len()));
        self.begin(Lanes::Lagging, room, lagging).await?;
        self.begin(Lanes::Prompt, self.most - prompt.len() - lagging.len(), prompt).await?;
        Ok(prompt.len() + lagging.len() > before)
    }

    async fn begin(&self, lanes: Lanes, most: usize, under_way: &mut JoinSet<()>) -> Result<(), Problem> {
        let claimed = outbox::claim(&self.db, lanes, most, self.lease).await?;
        for payload in payload::payloads(&self.db, claimed).await? {
            under_way.spawn(self.clone().deliver(payload));
        }
        Ok(())
    }

    /// Makes an attempt and records the result. If recording fails, the claim lapses and the attempt is
    /// repeated.
    async fn deliver(self, payload: Payload) {
        let (attempted_at, begin) = (now(), Instant::now());
        let answered = self.send(&payload, attempted_at).await;
        let (fault, took) = (answered.fault, begin.elapsed());
        if payload.shown > 0 && answered.is_sent {
            self.log.record(disclosure(&payload));
        }
        let outcome = self.outcome(&payload, &answered, took);
        let attempt = attempt::Model {
            delivery_id: payload.delivery.id,
            number: payload.delivery.attempts,
            attempted_at,
            duration_ms: took.as_millis() as i64,
            status: answered.status.map(i64::from),
            fault,
            answer: answered.text,
        };
        tracing::debug!(delivery = %payload.delivery.id, ?outcome, ?fault, "a webhook was called");
        metrics::counter!("webhook_attempts_total", "failed" => fault.is_some().to_string()).increment(1);
        let failing_since = outbox::record_outcome(&self.db, &payload.delivery, attempt, outcome)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "the outcome of a webhook's delivery is not kept");
                None
            });
        let reason = match failing_since {
            _ if payload.is_shut_out => Some(DisabledReason::NotPermitted),
            _ if fault == Some(Fault::Gone) => Some(DisabledReason::Gone),
            Some(since) if now() - since > self.patience => Some(DisabledReason::Failing),
            _ => None,
        };
        if let Some(reason) = reason
            && let Err(problem) = payload.webhook.switch_off(&self.db, reason).await
        {
            tracing::warn!(%problem, ?reason, "a webhook is not switched off");
        }
    }

    async fn send(&self, payload: &Payload, now: DateTime<Utc>) -> Answered {
        let Some(body) = &payload.body else { return Answered::failed(Fault::NotPermitted) };
        let Ok((client, url)) = self.clients.of(&payload.webhook.url) else {
            return Answered::failed(Fault::AddressRefused);
        };
        let id = payload.delivery.id.to_string();
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-timestamp", now.timestamp().to_string())
            .header("webhook-signature", payload.webhook.secrets.sign(&id, now, body))
            .header("webhook-id", id)
            .body(body.clone());
        match request.send().await {
            Ok(response) => Answered::read(response).await,
            Err(error) if error.is_timeout() => {
                Answered { is_sent: !error.is_connect(), ..Answered::failed(Fault::TimedOut) }
            }
            // Same error for a name with a refused address and for an unknown name: otherwise it would reveal
            // the names of a private network.
            Err(error) => Answered { is_sent: !error.is_connect(), ..Answered::failed(Fault::Unreachable) },
        }
    }

    /// Result of an attempt. The pause before the next one grows, with 10% jitter, so that receivers that
    /// were down are not all called at once.
    fn outcome(&self, payload: &Payload, answered: &Answered, took: Duration) -> Outcome {
        match answered.fault {
            None => Outcome::Delivered { slowly: took > self.prompt },
            // It waits until the webhook is switched on again.
            Some(Fault::NotPermitted) if payload.is_shut_out => Outcome::Again(MARGIN),
            Some(Fault::NotPermitted) => Outcome::Dead,
            Some(_) => {
                let pause = usize::try_from(payload.delivery.tries - 1)
                    .ok()
                    .and_then(|number| self.retries.get(number));
                pause.map_or(Outcome::Dead, |seconds| {
                    let milliseconds = *seconds as f64 * 1_000.0 * rand::rng().random_range(0.9..=1.1);
                    let pause = TimeDelta::milliseconds(milliseconds as i64);
                    Outcome::Again(answered.retry_after.map_or(pause, |asked| pause.max(asked.min(LONGEST))))
                })
            }
        }
    }
}

/// Security event: personal data was sent in clear.
fn disclosure(Payload { delivery, account, shown, .. }: &Payload) -> security_event::Model {
    let origin = Origin { request_id: format!("webhook {}", delivery.id), ..Origin::default() };
    let event = security_event::Model::new(Kind::PersonalDataRead, &origin).of(account.id, &account.username);
    let event = event.because("webhook").counting(*shown);
    security_event::Model { resource: delivery.resource.clone(), record_id: delivery.record_id, ..event }
}

/// Response to an attempt.
struct Answered {
    /// Whether the body may have reached a receiver.
    is_sent: bool,
    status: Option<u16>,
    fault: Option<Fault>,
    text: Option<String>,
    retry_after: Option<TimeDelta>,
}

impl Answered {
    fn failed(fault: Fault) -> Self {
        Self { is_sent: false, status: None, fault: Some(fault), text: None, retry_after: None }
    }

    /// Reads a response. Its status decides; only the beginning of the body is read, as far as it arrives in
    /// time.
    async fn read(mut response: reqwest::Response) -> Self {
        let status = response.status();
        let fault = match status.as_u16() {
            200..=299 => None,
            300..=399 => Some(Fault::Redirected),
            410 => Some(Fault::Gone),
            _ => Some(Fault::Refused),
        };
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER.as_str())
            .and_then(|value| pause(value.to_str().ok()?));
        let (mut kept, mut read) = (Vec::new(), 0);
        let end = tokio::time::Instant::now() + READ_FOR;
        while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(end, response.chunk()).await {
            read += chunk.len();
            kept.extend(chunk.iter().take(KEPT - kept.len()));
            if read >= READ {
                break;
            }
        }
        // Databases do not accept NUL.
        let text = String::from_utf8_lossy(&kept).replace('\0', "\u{fffd}");
        Self { is_sent: true, status: Some(status.as_u16()), fault, text: Some(text), retry_after }
    }
}

/// The pause requested by `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn pause(value: &str) -> Option<TimeDelta> {
    match value.trim().parse::<u32>() {
        Ok(seconds) => Some(TimeDelta::seconds(seconds.into())),
        Err(_) => DateTime::parse_from_rfc2822(value)
            .ok()
            .map(|moment| moment.to_utc() - now())
            .filter(|pause| *pause > TimeDelta::zero()),
    }
}
