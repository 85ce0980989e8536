//! One connection: encrypted or not, HTTP/2, and ended when it has nothing more to say.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};

use crate::access::Line;
use crate::pulse::{Over, Patience, Pulse};
use crate::server::Shared;
use crate::service::Flights;

/// Bytes of a call's headers: a token and what clients say of themselves.
const HEADER_BYTES_MAX: u32 = 16 << 10;
/// What is written at once for one call before the network takes it.
const SEND_BUFFER_BYTES: usize = 256 << 10;

/// Serves one connection from its first byte to its last.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    closing: watch::Receiver<bool>,
) {
    let Some(tls) = &shared.tls else {
        return speak(stream, peer, false, shared, closing).await;
    };
    let accepting = TlsAcceptor::from(tls.config()).accept(stream);
    match tokio::time::timeout(shared.config.startup_timeout, accepting).await {
        Ok(Ok(stream)) => speak(stream, peer, true, shared, closing).await,
        Ok(Err(error)) => {
            shared.metrics.refused("malformed");
            tracing::info!(%peer, %error, "TLS could not be agreed on");
        }
        Err(_) => shared.metrics.refused("slow"),
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    encrypted: bool,
    shared: Arc<Shared>,
    mut closing: watch::Receiver<bool>,
) {
    let config = &shared.config;
    let pulse = Arc::new(Pulse::new(Patience {
        startup: config.startup_timeout,
        idle: config.idle_timeout,
        call: shared.query.limits().time + config.call_grace,
    }));
    let line = Arc::new(Line::new(peer, encrypted, Arc::clone(&pulse), &shared));
    let flights = FlightServiceServer::new(Flights::new(Arc::clone(&shared)))
        .max_decoding_message_size(config.message_bytes_max);
    let answering = service_fn(move |request| answer(flights.clone(), Arc::clone(&line), request));
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(config.calls_per_connection_max)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(config.keepalive)
        .keep_alive_timeout(config.keepalive);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), answering));
    shared.metrics.open.inc();
    let mut is_closing = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                }
                break;
            }
            over = pulse.over() => {
                shared.metrics.refused(reason(over));
                break;
            }
            _ = closing.wait_for(|closing| *closing), if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    shared.metrics.open.dec();
}

fn reason(over: Over) -> &'static str {
    match over {
        Over::Startup => "slow",
        Over::Idle => "idle",
        Over::Call => "stalled",
    }
}

/// One call. It goes on until its answer was taken, or given up.
async fn answer(
    mut flights: FlightServiceServer<Flights>,
    line: Arc<Line>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let call = line.call();
    request.extensions_mut().insert(line);
    let response = flights.call(request).await?;
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _going_on = &call;
            frame
        }))
    }))
}
