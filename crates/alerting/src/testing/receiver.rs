//! A receiver on loopback that answers what a test's script says, and remembers what it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;

/// One answer.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Status(u16, &'static str),
    Header(u16, &'static str, String),
    /// Takes the request and never answers.
    Silence,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

#[derive(Clone, Default)]
struct Shared {
    script: Arc<Mutex<VecDeque<Reply>>>,
    got: Arc<Mutex<Vec<Got>>>,
}

/// A server that goes away when it is dropped.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Shared,
    server: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// Answers by the script, then 202 to everything.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_at("127.0.0.1:0", script).await
    }

    pub(crate) async fn start_at(address: &str, script: impl IntoIterator<Item = Reply>) -> Self {
        let shared = Shared::default();
        shared.script.lock().unwrap().extend(script);
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared, server }
    }

    pub(crate) fn then(&self, script: impl IntoIterator<Item = Reply>) {
        self.shared.script.lock().unwrap().extend(script);
    }

    /// Every request so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    /// Those that were answered 2xx.
    pub(crate) fn accepted(&self) -> Vec<Got> {
        self.got().into_iter().filter(|got| (200..300).contains(&got.status)).collect()
    }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Something that listens and does not speak HTTP.
pub(crate) async fn babbler() -> String {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            socket.write_all(b"SSH-2.0-\x00\xff\x1b[31m garbage\r\n\r\n").await.unwrap();
        }
    });
    address
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let reply = shared.script.lock().unwrap().pop_front();
    let reply = reply.unwrap_or(Reply::Status(202, r#"{"status":"success"}"#));
    let status = match &reply {
        Reply::Status(status, _) | Reply::Header(status, ..) => *status,
        Reply::Silence => 0,
    };
    shared.got.lock().unwrap().push(Got { headers, body, status });
    let response = Response::builder().status(StatusCode::from_u16(status).unwrap_or_default());
    match reply {
        Reply::Status(_, body) => response.body(Body::from(body)).unwrap(),
        Reply::Header(_, header, body) => {
            let (name, value) = header.split_once(": ").unwrap();
            response.header(name, value).body(Body::from(body)).unwrap()
        }
        Reply::Silence => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            response.body(Body::empty()).unwrap()
        }
    }
}
