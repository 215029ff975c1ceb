//! Client connections: a limit per address, and a minimum pace of reading.
//!
//! Each connection occupies a place of its address until it ends. Time counts while the system accepts no
//! more bytes of an answer, because its client reads too slowly: a client that reads nothing, or less than
//! the minimum pace, is disconnected. A connection with nothing to send, such as a quiet event stream, may
//! stay open.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::rt::net::TcpStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::tally::{Held, Tally};
use crate::client::network;

/// Send buffer of the system, in bytes. More of an answer waits in the process, where it is counted.
const SEND_BUFFER: usize = 128 * 1024;

/// The listener that accepted a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The listener of the API.
    Public,
    /// The listener of health and metrics, if it is separate.
    Operation,
}

/// Minimum pace of a reading client.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bytes a second.
    pub bytes_per_second: u64,
    /// Time for which a client may be slower while bytes wait unsent.
    pub patience: Duration,
}

/// The connections that are open, by the networks of their clients.
#[derive(Debug)]
pub struct Connections {
    /// Maximum per network.
    most: u64,
    pace: Pace,
    open: Arc<Tally<IpAddr>>,
}

impl Connections {
    /// Limits of the number of connections per address, 0 for unlimited, and of their pace.
    pub fn new(most: usize, pace: Pace) -> Self {
        Self { most: most as u64, pace, open: Arc::default() }
    }

    /// Accepts a connection, with its client address.
    ///
    /// # Errors
    /// Its address has reached the limit, or the client is gone: it is closed without an answer.
    pub fn admit(
        &self,
        stream: TcpStream,
        listener: Listener,
    ) -> io::Result<(Connection, Option<SocketAddr>)> {
        let peer = stream.peer_addr()?;
        let place = self.place(network(peer.ip())).ok_or_else(|| {
            metrics::counter!("http_connections_refused_total").increment(1);
            io::Error::from(io::ErrorKind::ConnectionRefused)
        })?;
        rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER)?;
        // Detects a client that reads nothing from the system's buffer, even after the process has written
        // its last byte.
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_tcp_user_timeout(
            &stream,
            self.pace.patience.as_millis().try_into().unwrap_or(u32::MAX),
        )?;
        Ok((
            Connection { stream, listener, meter: Meter::new(self.pace), is_closed: false, _place: place },
            Some(peer),
        ))
    }

    fn place(&self, address: IpAddr) -> Option<Held<IpAddr>> {
        self.open.take(address, 1, |others| self.most == 0 || others < self.most)
    }
}

/// The connection of a client.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    listener: Listener,
    meter: Meter,
    /// Whether the client has closed its side.
    is_closed: bool,
    _place: Held<IpAddr>,
}

impl Connection {
    /// Handles the result of a write: after the client has closed its side, a blocked write fails, so that
    /// the work under way for it is dropped.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.is_closed && written.is_pending() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        self.meter.hold(context, written)
    }

    /// The listener that accepted it.
    pub fn listener(&self) -> Listener {
        self.listener
    }
}

/// Enforces the minimum pace on a connection. Time counts only while bytes wait that the system does not
/// accept.
#[derive(Debug)]
struct Meter {
    pace: Pace,
    /// Time that bytes have waited in this window, before the present wait.
    waited: Duration,
    /// Number of bytes taken in this window.
    taken: u64,
    /// Start of the present wait.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Meter {
    fn new(pace: Pace) -> Self {
        Self { pace, waited: Duration::ZERO, taken: 0, since: None, timer: None }
    }

    /// Records the result of a write; fails if the client has been too slow for a whole window.
    fn hold(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(written) => {
                self.waited += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
                self.taken += written.as_ref().map_or(0, |bytes| *bytes as u64);
                Poll::Ready(written)
            }
            Poll::Pending => self.wait(context),
        }
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            let since = *self.since.get_or_insert_with(Instant::now);
            if self.waited + since.elapsed() >= self.pace.patience {
                if self.taken < self.pace.bytes_per_second.saturating_mul(self.pace.patience.as_secs()) {
                    metrics::counter!("http_slow_readers_total").increment(1);
                    tracing::info!(bytes = self.taken, "a client that reads too slowly is disconnected");
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                *self = Self { timer: self.timer.take(), ..Self::new(self.pace) };
                continue;
            }
            let end = since + self.pace.patience.saturating_sub(self.waited);
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
            if timer.deadline() != end {
                timer.as_mut().reset(end);
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.is_closed |= has_room && matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before;
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[actix_web::test]
    async fn a_connection_counts_from_its_admission_to_its_end() {
        use tokio::io::AsyncReadExt;
        let connections = Connections::new(1, Pace { bytes_per_second: 1, patience: Duration::from_secs(1) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        for _ in 0..3 {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut admitted, peer) =
                connections.admit(listener.accept().await.unwrap().0, Listener::Public).unwrap();
            assert_eq!(peer, Some(client.local_addr().unwrap()));
            let refused = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            assert!(
                connections.admit(listener.accept().await.unwrap().0, Listener::Public).is_err(),
                "one more"
            );
            drop((refused, client));
            assert_eq!(admitted.read(&mut [0; 8]).await.unwrap(), 0);
            assert!(!connections.open.is_empty(), "it is counted until it is closed here too");
            drop(admitted);
            assert!(connections.open.is_empty());
        }
    }

    #[test]
    fn connections_are_counted_by_network_and_given_back() {
        let pace = Pace { bytes_per_second: 1, patience: Duration::from_secs(1) };
        let connections = Connections::new(2, pace);
        let place = |address: &str| connections.place(network(address.parse().unwrap()));
        let (one, _two) = (place("2001:db8::1").unwrap(), place("2001:db8::2:1").unwrap());
        assert!(place("2001:db8::3").is_none(), "one network of IPv6 is one client");
        let (_v4, _mapped) = (place("192.0.2.1").unwrap(), place("::ffff:192.0.2.1").unwrap());
        assert!(place("192.0.2.1").is_none());
        drop(one);
        assert!(place("2001:db8::3").is_some());
        assert!(Connections::new(0, pace).most == 0);
    }
}
