//! On-call receivers that answer what a test tells them to, over real HTTP on loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use crate::harness::runtime;

/// One request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What it was answered.
    pub(crate) status: u16,
}

/// What to answer, in turn; after the last, 202.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Status(u16),
    RetryAfter(u16, u64),
    Hang(Duration),
}

/// A scripted receiver.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    pub(crate) fn start(script: Vec<Answer>) -> Self {
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let script = Arc::new(Mutex::new(script.into_iter()));
        let log = Arc::clone(&received);
        let handler = move |headers: HeaderMap, body: Bytes| {
            let (log, answer) =
                (Arc::clone(&log), script.lock().unwrap().next().unwrap_or(Answer::Status(202)));
            async move { respond(answer, headers, body, &log).await }
        };
        let app = Router::new().fallback(post(handler));
        let listener = runtime().block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime().spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, received }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn respond(answer: Answer, headers: HeaderMap, body: Bytes, log: &Mutex<Vec<Received>>) -> Response {
    let (status, retry_after) = match answer {
        Answer::Status(status) => (status, None),
        Answer::RetryAfter(status, seconds) => (status, Some(seconds)),
        Answer::Hang(time) => {
            log.lock().unwrap().push(Received { headers, body, status: 0 });
            tokio::time::sleep(time).await;
            return StatusCode::GATEWAY_TIMEOUT.into_response();
        }
    };
    log.lock().unwrap().push(Received { headers, body, status });
    let mut response = StatusCode::from_u16(status).unwrap().into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", HeaderValue::from_str(&seconds.to_string()).unwrap());
    }
    response
}
