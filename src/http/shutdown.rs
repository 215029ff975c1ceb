//! Phases of the shutdown.

use actix_web::web;
use tokio::sync::watch;

/// The phases of a shutdown, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Readiness is off; requests in progress continue.
    Ending,
    /// Remaining work is cancelled, while the runtime still exists.
    CutOff,
}

/// Shutdown phase of the service.
#[derive(Debug)]
pub struct Shutdown(watch::Sender<Phase>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }
}

impl Shutdown {
    /// Turns readiness off.
    pub fn begin(&self) {
        self.0.send_replace(Phase::Ending);
    }

    /// Cancels the remaining work.
    pub fn cut_off(&self) {
        self.0.send_replace(Phase::CutOff);
    }

    /// Whether the service is about to end.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() >= Phase::Ending
    }

    /// Waits for the cancellation of the remaining work.
    pub async fn cuts_off(&self) {
        let mut phase = self.0.subscribe();
        if phase.wait_for(|phase| *phase == Phase::CutOff).await.is_err() {
            std::future::pending().await
        }
    }
}

/// Waits for the cancellation of the remaining work; forever without a shutdown handle.
pub async fn cut_off(shutdown: Option<web::Data<Shutdown>>) {
    match shutdown {
        Some(shutdown) => shutdown.cuts_off().await,
        None => std::future::pending().await,
    }
}
