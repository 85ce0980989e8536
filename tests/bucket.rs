//! Object storage over HTTP on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::harness::runtime;

pub(crate) type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// A bucket as S3 has them, as far as whole objects go: put, get, delete, list.
pub(crate) fn bucket() -> (SocketAddr, Objects) {
    let objects = Objects::default();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&objects));
    let listener = runtime().block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime().spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, objects)
}

async fn answer(
    State(objects): State<Objects>,
    method: Method,
    uri: Uri,
    Query(asked): Query<BTreeMap<String, String>>,
    body: Bytes,
) -> Response {
    let key = uri.path().trim_start_matches("/wf-bucket").trim_start_matches('/').to_owned();
    let mut objects = objects.lock().unwrap();
    let etag = [(header::ETAG, "\"1\""), (header::LAST_MODIFIED, "Thu, 26 Nov 2026 21:00:00 GMT")];
    match method {
        Method::PUT => {
            objects.insert(key, body);
            etag.into_response()
        }
        Method::GET if asked.contains_key("list-type") => {
            let prefix = asked.get("prefix").cloned().unwrap_or_default();
            let found = objects.iter().filter(|(key, _)| key.starts_with(&prefix));
            let shown: String = found.map(|(key, bytes)| contents(key, bytes)).collect();
            format!("<ListBucketResult><IsTruncated>false</IsTruncated>{shown}</ListBucketResult>")
                .into_response()
        }
        Method::GET => match objects.get(&key) {
            Some(bytes) => (etag, bytes.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        Method::POST if asked.contains_key("delete") => {
            let body = String::from_utf8(body.to_vec()).unwrap();
            let keys = body.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
            let removed = keys.filter(|key| objects.remove(*key).is_some());
            let shown: String = removed.map(|key| format!("<Deleted><Key>{key}</Key></Deleted>")).collect();
            format!("<DeleteResult>{shown}</DeleteResult>").into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn contents(key: &str, bytes: &Bytes) -> String {
    format!(
        "<Contents><Key>{key}</Key><LastModified>2026-11-26T21:00:00.000Z</LastModified>\
         <ETag>\"1\"</ETag><Size>{}</Size></Contents>",
        bytes.len()
    )
}
