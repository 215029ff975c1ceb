//! HTTP server: serves an application at its addresses, with limited connections.

use std::{fmt::Debug, net::TcpListener, sync::Arc, time::Duration};

use actix_http::{HttpService, Request, error::DispatchError};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{
    body::{BoxBody, MessageBody},
    dev::{AppConfig, Response, Server, ServiceFactory},
    rt::net::TcpStream,
};

use super::connection::{Connection, Connections, Listener, Pace};
use crate::{config::Config, problem::Problem};

/// Timeout for closing a connection on both sides.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves an application over HTTP/1.1 at some addresses; each worker creates its own instance.
///
/// Like `actix_web::HttpServer`, except for the connections.
pub fn serve<F, I, S, B>(
    app: F,
    listeners: Vec<(Listener, TcpListener)>,
    config: &Config,
) -> Result<Server, Problem>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Service: 'static,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let mut server = Server::build()
        .workers(config.workers)
        .shutdown_timeout(config.shutdown_timeout_seconds)
        .disable_signals();
    let connections = Arc::new(connections(config));
    for (kind, listener) in listeners {
        let (app, connections, ending) =
            (app.clone(), connections.clone(), server.graceful_shutdown_signal());
        let head_timeout = config.body_timeout();
        let service = move || {
            let (connections, ending) = (connections.clone(), ending.clone());
            let http = HttpService::build()
                .client_request_timeout(head_timeout)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                // A client that has closed its side is gone: its requests are cancelled.
                .h1_allow_half_closed(false)
                .graceful_shutdown_signal(move || {
                    let ending = ending.clone();
                    async move { ending.notified().await }
                })
                .on_connect_ext(|connection: &Connection, data| {
                    data.insert(connection.listener());
                })
                .h1(map_config(app(), |()| AppConfig::default()));
            let admit = move |stream: TcpStream| {
                std::future::ready(connections.admit(stream, kind).map_err(DispatchError::Io))
            };
            fn_service(admit).and_then(http)
        };
        server = server.listen(format!("{kind:?}"), listener, service).map_err(Problem::internal)?;
    }
    Ok(server.run())
}

/// Connection limits. A proxy has the connections of all clients, and limits them itself.
fn connections(config: &Config) -> Connections {
    let most = if config.behind_proxy { 0 } else { config.connections_per_address };
    let patience = Duration::from_secs(config.reader_timeout_seconds);
    Connections::new(most, Pace { bytes_per_second: config.reader_bytes_per_second, patience })
}
