//! A server on a port of its own, over a control database of its own, tables that all tests read, and an
//! intake that remembers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alerting::{Control, NewToken, Role};
use api::{
    Accepted, ApiConfig, ApiMetrics, ApiState, Health, Intake, IntakeError, KnownPartner, PartHealth,
    Partners,
};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::Utc;
use event::{Alert, AlertChange, Change, EventTime, LogTopic, Positions, Scope, Severity, Tenant};
use prometheus_client::registry::Registry;
use query::{QueryEngine, QueryLimits};
use reqwest::{Client, Method, RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::tables;

/// A server that runs until this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) control: Control,
    pub(crate) intake: Arc<Remembers>,
    pub(crate) parts: Arc<Parts>,
    pub(crate) tokens: Tokens,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<std::io::Result<()>>,
    _directory: TempDir,
}

/// One token for each kind of caller.
pub(crate) struct Tokens {
    pub(crate) admin: String,
    pub(crate) analyst: String,
    pub(crate) acme: String,
    pub(crate) globex: String,
    pub(crate) acme_shipper: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(configure: impl FnOnce(&mut ApiConfig)) -> Self {
        Self::start_limited(configure, QueryLimits::default()).await
    }

    pub(crate) async fn start_limited(configure: impl FnOnce(&mut ApiConfig), limits: QueryLimits) -> Self {
        let mut config = ApiConfig { heartbeat: Duration::from_millis(200), ..ApiConfig::default() };
        configure(&mut config);
        // Not in memory: that database is lost when a client goes away in the middle of a query.
        let directory = tempfile::tempdir().unwrap();
        let control = Control::open(&directory.path().join("control.db")).await.unwrap();
        let tokens = Tokens::create(&control).await;
        let intake = Arc::new(Remembers::default());
        let parts = Arc::new(Parts::default());
        let mut registry = Registry::default();
        let metrics = ApiMetrics::register(&mut registry);
        let state = ApiState {
            control: control.clone(),
            query: QueryEngine::new(tables::shared().await, limits, None).unwrap(),
            intake: Arc::clone(&intake) as Arc<dyn Intake>,
            partners: Arc::clone(&parts) as Arc<dyn Partners>,
            health: Arc::clone(&parts) as Arc<dyn Health>,
            registry: Arc::new(registry),
            metrics,
            detectors: Arc::new(|| json!([{"name": "token_reuse"}])),
            config: Arc::new(config),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(api::serve(listener, state, async { drop(stopped.await) }));
        let client = Client::builder().no_proxy().build().unwrap();
        Self {
            address,
            control,
            intake,
            parts,
            tokens,
            client,
            stop: Some(stop),
            running,
            _directory: directory,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> RequestBuilder {
        self.request(Method::GET, path, token)
    }

    pub(crate) fn post(&self, path: &str, token: &str) -> RequestBuilder {
        self.request(Method::POST, path, token)
    }

    pub(crate) async fn json(&self, path: &str, token: &str) -> Value {
        let response = self.get(path, token).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Sends bytes as they are and returns all that comes back.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Lets the detectors say something.
    pub(crate) async fn raise(&self, alerts: &[Alert]) {
        let changes: Vec<_> = alerts
            .iter()
            .map(|alert| AlertChange { change: Change::Create, revision: 0, alert: alert.clone() })
            .collect();
        self.control.apply(&changes, &Positions::default(), Utc::now()).await.unwrap();
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.take().map(|stop| stop.send(()));
        self.running.await.unwrap().unwrap();
    }
}

impl Tokens {
    async fn create(control: &Control) -> Self {
        let only = |name: &str| Scope::Tenants(BTreeSet::from([Tenant::parse(name).unwrap()]));
        let create = async |name: &str, role, scope| {
            let new = NewToken { name: Some(name.to_owned()), role, scope, expires_at: None };
            control.create_token(new).await.unwrap().0.expose_secret().to_owned()
        };
        Self {
            admin: create("admin", Role::Admin, Scope::All).await,
            analyst: create("analyst", Role::Analyst, Scope::All).await,
            acme: create("acme", Role::Analyst, only("acme")).await,
            globex: create("globex", Role::Analyst, only("globex")).await,
            acme_shipper: create("acme-shipper", Role::Shipper, only("acme")).await,
        }
    }
}

/// An alert of this partner, triggered so many seconds after the epoch.
pub(crate) fn alert(id: &str, tenant: &str, severity: Severity, seconds: i64) -> Alert {
    let time = EventTime::from_millis(seconds * 1_000);
    let fields = json!({
        "alert_id": id, "dedup_key": format!("{tenant}/token.reuse/{id}"), "detector": "token_reuse",
        "class": "token.reuse.other_origin", "rule_version": "1", "title": "Token reuse",
        "description": "A token was used twice", "tenant": tenant, "entity_type": "token", "entity": "t",
        "severity": severity, "page": true, "confidence": 92, "triggered_at": time, "ingested_at": time,
        "first_seen": time, "last_seen": time, "count": 2, "observed": 2.0, "threshold": 1.0,
        "parameters": {}, "techniques": [], "evidence": [], "query_sql": "SELECT 1", "episode_open": true,
    });
    serde_json::from_value(fields).unwrap()
}

/// What a problem must look like; returns its type's last word.
pub(crate) async fn problem(response: Response, status: u16) -> String {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["instance"], format!("urn:watchfire:request:{request_id}"));
    assert!(!problem["title"].as_str().unwrap().is_empty());
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    problem["type"].as_str().unwrap().strip_prefix("urn:watchfire:problem:").unwrap().to_owned()
}

/// What was appended in one call: topic, lines, format, shipper.
pub(crate) type Appended = (String, Vec<Bytes>, Option<String>, String);

/// An intake in memory, which can be told to fail.
#[derive(Default)]
pub(crate) struct Remembers {
    pub(crate) appended: Mutex<Vec<Appended>>,
    pub(crate) fails: Mutex<Option<IntakeError>>,
    /// When set, appends never end.
    pub(crate) hangs: Mutex<bool>,
}

#[async_trait]
impl Intake for Remembers {
    async fn append(
        &self,
        topic: &LogTopic,
        lines: Vec<Bytes>,
        format: Option<String>,
        shipper: &str,
    ) -> Result<Accepted, IntakeError> {
        assert!(lines.first().is_none_or(|line| line != "panic"), "asked to panic");
        if *self.hangs.lock().unwrap() {
            std::future::pending().await
        }
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        let mut appended = self.appended.lock().unwrap();
        let before: usize = appended.iter().map(|(_, lines, ..)| lines.len()).sum();
        let (first, count) = (before as i64, lines.len());
        appended.push((topic.name(), lines, format, shipper.to_owned()));
        Ok(Accepted { lines: count, first: Some((0, first)), last: Some((0, first + count as i64 - 1)) })
    }
}

/// Parts whose health a test decides.
pub(crate) struct Parts(pub(crate) Mutex<Vec<PartHealth>>);

impl Default for Parts {
    fn default() -> Self {
        let part = PartHealth {
            name: "normalize".into(),
            ready: true,
            detail: "logs.acme.edge is caught up".into(),
        };
        Self(Mutex::new(vec![part]))
    }
}

/// Two partners that have sent logs, and one that has only agreed to.
#[async_trait]
impl Partners for Parts {
    async fn known(&self) -> Result<Vec<KnownPartner>, Box<dyn std::error::Error + Send + Sync>> {
        let known = |name: &str, events: u64| KnownPartner {
            tenant: Tenant::parse(name).unwrap(),
            has_contract: events == 0,
            contacts: (events == 0).then(|| "security@quiet.example".to_owned()).into_iter().collect(),
            events,
            last_event_at: (events > 0).then_some(chrono::DateTime::UNIX_EPOCH),
        };
        Ok(vec![known("quiet", 0), known("acme", 7), known("calm", 9)])
    }
}

impl Health for Parts {
    fn parts(&self) -> Vec<PartHealth> {
        self.0.lock().unwrap().clone()
    }
}
