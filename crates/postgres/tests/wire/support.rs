//! A listener over tables with two partners' rows in them.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::Arc;

use alerting::{Control, NewToken, Role};
use event::{
    EventBatchBuilder, EventRow, EventTime, Positions, RejectBatchBuilder, RejectRow, Scope, Tenant,
};
use postgres::{PostgresConfig, PostgresMetrics, PostgresState, serve};
use prometheus_client::registry::Registry;
use query::{QueryEngine, QueryLimits};
use secrecy::ExposeSecret;
use store::{StoreOptions, Table, Tables};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::Url;

/// 2026-03-14T09:26:53.589Z.
pub(crate) const MARCH_14: i64 = 1_773_480_413_589;

/// The two partners. Whatever is the second one's has this word in it.
pub(crate) const ACME: &str = "prt_acme";
pub(crate) const RIVAL: &str = "prt_rival";
pub(crate) const SECRET: &str = "rival";

/// Events that each partner has.
pub(crate) const EVENTS: i64 = 100;

/// A server, and what it keeps.
pub(crate) struct Lab {
    pub(crate) address: SocketAddr,
    pub(crate) control: Control,
    pub(crate) registry: Registry,
    _folder: tempfile::TempDir,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: tokio::task::JoinHandle<()>,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with(QueryLimits::default(), PostgresConfig::default()).await
    }

    pub(crate) async fn with(limits: QueryLimits, config: PostgresConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Url::from_directory_path(folder.path()).unwrap();
        let tables = Tables::open(&root, StoreOptions::default()).await.unwrap();
        fill(&tables).await;
        let control = Control::open(&folder.path().join("control.sqlite")).await.unwrap();
        let query = QueryEngine::new(tables, limits, Some(folder.path().join("spill"))).unwrap();
        let mut registry = Registry::default();
        let metrics = PostgresMetrics::register(&mut registry);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = PostgresState { control: control.clone(), query, metrics, config };
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, state, async { drop(stopped.await) }).unwrap();
        Self { address, control, registry, _folder: folder, stop: Some(stop), served: tokio::spawn(serving) }
    }

    /// A token that sees one partner, or all.
    pub(crate) async fn token(&self, partner: Option<&str>) -> String {
        self.token_of(Role::Analyst, partner).await
    }

    pub(crate) async fn token_of(&self, role: Role, partner: Option<&str>) -> String {
        let scope =
            partner.map_or(Scope::All, |tenant| Scope::Tenants([Tenant::parse(tenant).unwrap()].into()));
        let new = NewToken { name: None, role, scope, expires_at: None };
        self.control.create_token(new).await.unwrap().0.expose_secret().to_owned()
    }

    /// Runs psql with one command.
    pub(crate) async fn psql(&self, token: &str, command: &str) -> Output {
        self.psql_with(token, &["-X", "-A", "-t", "-c", command]).await
    }

    pub(crate) async fn psql_with(&self, token: &str, arguments: &[&str]) -> Output {
        let mut run = Command::new("psql");
        run.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.address.port().to_string(),
            "-U",
            "anybody",
            "-d",
            "watchfire",
        ])
        .args(arguments)
        .env("PGPASSWORD", token)
        .env("PGCONNECT_TIMEOUT", "30")
        .env_remove("PGSSLMODE");
        let ran = tokio::task::spawn_blocking(move || run.output()).await.unwrap();
        ran.expect("psql runs: install postgresql-client")
    }

    /// What psql prints for a command that is to succeed.
    pub(crate) async fn answer(&self, token: &str, command: &str) -> String {
        let output = self.psql(token, command).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !errors.contains("ERROR"), "{command}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// What psql says of a command that is to fail, with its SQLSTATE.
    pub(crate) async fn refusal(&self, token: &str, command: &str) -> String {
        let output = self.psql_with(token, &["-X", "-v", "VERBOSITY=verbose", "-c", command]).await;
        assert!(!output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

/// The same for both partners, but that every text of the second one says whose it is.
async fn fill(tables: &Tables) {
    let (mut events, mut rejects) = (EventBatchBuilder::default(), RejectBatchBuilder::default());
    for tenant in [ACME, RIVAL] {
        let word = tenant.trim_start_matches("prt_");
        for n in 0..EVENTS {
            let time = Some(EventTime(MARCH_14 + n * 1_000));
            events.append(&EventRow {
                event_id: Some(format!("evt_{word}_{n}").into()),
                tenant: Some(tenant.into()),
                time,
                ingest_time: time,
                user_ref: Some(if tenant == ACME { n.to_string() } else { format!("usr_{word}_{n}") }.into()),
                action: Some(if n % 10 == 0 { "login" } else { "http.request" }.into()),
                outcome: Some(if n % 4 == 0 { "failure" } else { "success" }.into()),
                status: Some(if n % 4 == 0 { 401 } else { 200 }),
                src_ip: Some(format!("203.0.113.{}", n % 20).into()),
                message: Some(format!("secret of {word}").into()),
                ..EventRow::default()
            });
        }
        rejects.append(&RejectRow {
            reject_id: Some(format!("rej_{word}").into()),
            tenant: Some(tenant.into()),
            time: Some(EventTime(MARCH_14)),
            reason: Some("invalid_json".into()),
            excerpt: Some(format!("excerpt of {word}").into()),
            ..RejectRow::default()
        });
    }
    let append = async |table: Table, batch| {
        let mut positions = Positions::default();
        positions.read(&Arc::from(table.topic()), 0, 1);
        tables.append(table, vec![batch], &positions).await.unwrap();
    };
    append(Table::Events, events.finish().into_arrow()).await;
    append(Table::Rejects, rejects.finish().into_arrow()).await;
}
