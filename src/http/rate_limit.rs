//! Rate limits per account, or per address without an account.
//!
//! Counts are per instance, to avoid round trips: with N instances a caller may get N times as much. The
//! limit of failed logins, which must not grow in this way, is in the database.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web,
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use moka::sync::Cache;

use crate::{
    client,
    problem::{Problem, problem_types},
};

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// Rate limiters of recent callers.
pub struct RateLimit {
    quota: Option<Quota>,
    callers: Cache<String, Arc<Limiter>>,
}

/// Middleware outside of CORS, which answers preflights by itself: they count as requests of their address.
pub async fn limit_preflights(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody, BoxBody>>, Error> {
    let limit = request.app_data::<web::Data<RateLimit>>().filter(|_| request.method() == Method::OPTIONS);
    match limit.map_or(Ok(()), |limit| limit.take(request.request(), &client::key(request.request()))) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(problem) => Ok(request.error_response(problem).map_into_right_body()),
    }
}

/// Remaining quota of a caller, as sent in the `RateLimit` headers.
#[derive(Clone, Copy)]
pub struct Remaining {
    /// Requests allowed in a minute.
    pub quota: u32,
    /// Requests remaining.
    pub left: u32,
}

/// Rate limits of public operations, per address.
pub struct PublicRateLimit(pub RateLimit);

impl RateLimit {
    /// A limit of requests per minute; 0 for unlimited. A minute's worth may come at once.
    pub fn new(per_minute: u32) -> Self {
        let callers = Cache::builder().max_capacity(100_000).time_to_idle(Duration::from_secs(120)).build();
        Self { quota: NonZeroU32::new(per_minute).map(Quota::per_minute), callers }
    }

    /// Counts one request. 429 with `Retry-After` when there are too many.
    pub fn take(&self, request: &HttpRequest, caller: &str) -> Result<(), Problem> {
        let Some(quota) = self.quota else { return Ok(()) };
        let limiter =
            self.callers.get_with_by_ref(caller, || Arc::new(RateLimiter::direct(quota).with_middleware()));
        match limiter.check() {
            Ok(snapshot) => {
                let remaining =
                    Remaining { quota: quota.burst_size().get(), left: snapshot.remaining_burst_capacity() };
                request.extensions_mut().insert(remaining);
                Ok(())
            }
            Err(not_until) => {
                request.extensions_mut().insert(Remaining { quota: quota.burst_size().get(), left: 0 });
                let wait = not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
                Err(Problem::new(&problem_types::TOO_MANY_REQUESTS).retry_after(wait))
            }
        }
    }
}
