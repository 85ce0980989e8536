//! A stage on one machine goes on where another machine's stopped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;

use crate::harness::{Home, Server, partner, runtime, watchfire};

type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// A bucket as S3 has them, as far as whole objects go: put, get, delete, list.
fn bucket() -> (SocketAddr, Objects) {
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
            keys.for_each(|key| drop(objects.remove(key)));
            "<DeleteResult></DeleteResult>".into_response()
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

/// A machine that does nothing but detect, with a data folder of its own.
struct Detector {
    child: Child,
    dir: tempfile::TempDir,
}

impl Detector {
    fn start(home: &Home, server: &Server, bucket: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(dir.path().join("stderr.log")).unwrap();
        let child = watchfire()
            .args(["serve", "--roles", "detect", "--kafka", &server.kafka, "--config"])
            .arg(home.dir.path().join("watchfire.toml"))
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .env("WATCHFIRE_LOG_FILTER", "info")
            .env("AWS_ENDPOINT", format!("http://{bucket}"))
            .envs([("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "eu-central-1")])
            .envs([("AWS_ACCESS_KEY_ID", "tester"), ("AWS_SECRET_ACCESS_KEY", "not a secret")])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr.log")).unwrap()
    }

    /// Where it began to read, by partition.
    fn began_at(&self) -> Vec<i64> {
        let from = |line: &str| line.split("from=").nth(1)?.split_whitespace().next()?.parse().ok();
        self.log().lines().filter(|line| line.contains("detector state loaded")).filter_map(from).collect()
    }
}

impl Drop for Detector {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn guesses(count: i64, from: chrono::DateTime<Utc>) -> Vec<String> {
    let line = |n: i64| {
        let at = from + chrono::Duration::seconds(n);
        format!(
            "<38>{} edge-1 sshd[7]: Failed password for root from 198.51.100.7 port 53502 ssh2",
            at.format("%b %e %H:%M:%S")
        )
    };
    (0..count).map(line).collect()
}

#[test]
fn a_detector_on_another_machine_goes_on_from_the_state_in_the_bucket() {
    let (partner, (address, objects)) = (partner("moved"), bucket());
    let mut home =
        Home::new("[detect]\nsnapshot_interval_seconds = 1\nsnapshots_url = 's3://wf-bucket/wf'\n");
    let mut server = home.start_with(&["--roles", "normalize,store,alerting,api"]);
    let began = Utc::now() - chrono::Duration::seconds(120);

    let first = Detector::start(&home, &server, address);
    server.send(&partner, "auth", &guesses(8, began));
    server.until_stored(&partner, 8);
    // Ticks reach every partition each second, so each has a snapshot behind the guesses.
    server.until("snapshots", |_| {
        let objects = objects.lock().unwrap();
        let offset = |key: &String| {
            key.rsplit('/').next()?.strip_suffix(".snapshot")?.parse::<i64>().ok().filter(|&at| at > 10)
        };
        let partitions: std::collections::BTreeSet<_> = objects
            .keys()
            .filter(|key| offset(key).is_some())
            .map(|key| key.rsplit_once('/').unwrap().0)
            .collect();
        partitions.len() == 4
    });
    drop(first); // killed, and its folder is gone

    let second = Detector::start(&home, &server, address);
    server.send(&partner, "auth", &guesses(8, began + chrono::Duration::seconds(20)));
    server.until("the alert", |server| server.alerts(&partner).iter().any(|alert| alert["count"] == 16));
    let alerts = server.alerts(&partner);
    assert_eq!(alerts.len(), 1, "half of it was told to the one machine, half to the other: {alerts:#?}");
    let began_at = second.began_at();
    assert!(began_at.len() == 4 && began_at.iter().all(|&offset| offset > 10), "{began_at:?}");
    assert!(objects.lock().unwrap().len() <= 4 * 3, "old ones have been removed");
    drop(second);
    server.stop();
}
