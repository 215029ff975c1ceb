//! Answers in progress: sent piece by piece, with a limit of unread bytes per address.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};

use super::tally::{Held, Tally};

/// Bytes of an answer copied for a connection at once.
const PIECE: usize = 16 * 1024;

/// The answers that addresses have not read yet, as far as they are in memory.
#[derive(Debug)]
pub struct Unread {
    most: u64,
    addresses: Arc<Tally<String>>,
}

/// The unread part of one answer.
pub type Share = Held<String>;

impl Unread {
    /// A limit of bytes per address.
    pub fn new(most: u64) -> Self {
        Self { most, addresses: Arc::default() }
    }

    /// Counts the bytes of one more answer to an address; none if they exceed the limit together with others.
    /// A single answer may have any size, and so may one that `must` be sent.
    pub fn hold(&self, address: &str, bytes: u64, must: bool) -> Option<Share> {
        self.addresses.take(address.to_owned(), bytes, |others| {
            must || others == 0 || others.saturating_add(bytes) <= self.most
        })
    }
}

/// A body in memory, sent piece by piece: unread parts are not copied for the connection.
#[derive(Debug)]
pub struct Pieces {
    bytes: Bytes,
    share: Option<Share>,
}

impl Pieces {
    /// Minimum size of an answer to be counted, in bytes.
    pub const LONG: u64 = PIECE as u64;

    /// A body with its share of its address's unread bytes; a shared body has none.
    pub fn new(bytes: Bytes, share: Option<Share>) -> Self {
        Self { bytes, share }
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.bytes.len().min(PIECE);
        let piece = self.bytes.split_to(length);
        if let Some(share) = &mut self.share {
            share.release(length as u64);
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

/// Marks an answer whose bytes are shared by all readers.
#[derive(Clone, Copy, Debug)]
pub struct IsShared;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[actix_web::test]
    async fn what_is_read_or_dropped_is_given_back() {
        let unread = Unread::new(40_000);
        let share = unread.hold("a", 50_000, false).unwrap();
        assert!(unread.hold("a", 1, false).is_none());
        assert!(unread.hold("a", 1, true).is_some() && unread.hold("b", 40_000, false).is_some());
        let mut body = Box::pin(Pieces::new(vec![7; 50_000].into(), Some(share)));
        assert_eq!(body.size(), BodySize::Sized(50_000));
        let first = std::future::poll_fn(|context| body.as_mut().poll_next(context)).await.unwrap().unwrap();
        assert_eq!(first.len(), PIECE);
        assert!(unread.hold("a", 1, false).is_some(), "a piece less waits");
        drop(body);
        assert!(unread.addresses.is_empty());
    }
}
