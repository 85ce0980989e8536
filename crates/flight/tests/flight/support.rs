//! A listener over tables with two partners' rows in them.

use std::net::SocketAddr;
use std::sync::Arc;

use alerting::{Control, NewToken, Role};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use arrow_flight::FlightInfo;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use event::{
    EventBatchBuilder, EventRow, EventTime, Positions, RejectBatchBuilder, RejectRow, Scope, Tenant,
};
use flight::{FlightConfig, FlightMetrics, FlightState, serve};
use futures::StreamExt;
use prometheus_client::registry::Registry;
use query::{QueryEngine, QueryLimits};
use secrecy::ExposeSecret;
use store::{StoreOptions, Table, Tables};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use url::Url;

/// 2026-03-14T09:26:53.589Z.
pub(crate) const MARCH_14: i64 = 1_773_480_413_589;

/// The two partners. Whatever is the second one's has this word in it.
pub(crate) const ACME: &str = "prt_acme";
pub(crate) const RIVAL: &str = "prt_rival";
pub(crate) const SECRET: &str = "rival";

/// Events that each partner has.
pub(crate) const EVENTS: i64 = 100;

/// A client of the protocol.
pub(crate) type Client = FlightSqlServiceClient<Channel>;

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
        Self::with(QueryLimits::default(), FlightConfig::default()).await
    }

    pub(crate) async fn with(limits: QueryLimits, config: FlightConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Url::from_directory_path(folder.path()).unwrap();
        let tables = Tables::open(&root, StoreOptions::default()).await.unwrap();
        fill(&tables).await;
        let control = Control::open(&folder.path().join("control.sqlite")).await.unwrap();
        let query = QueryEngine::new(tables, limits, Some(folder.path().join("spill"))).unwrap();
        let mut registry = Registry::default();
        let metrics = FlightMetrics::register(&mut registry);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = FlightState { control: control.clone(), query, metrics, config };
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

    /// A client that brings a token with every call.
    pub(crate) async fn client(&self, token: &str) -> Client {
        let mut client = FlightSqlServiceClient::new(self.channel().await);
        client.set_token(token.to_owned());
        client
    }

    /// A connection.
    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// What is counted.
    pub(crate) fn counted(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

/// What a client is told, one line a row and values apart by a space.
pub(crate) async fn ask(client: &mut Client, sql: &str) -> Result<Vec<String>, Status> {
    let info = client.execute(sql.to_owned(), None).await.map_err(status)?;
    fetch(client, info).await
}

/// What stands behind a ticket.
pub(crate) async fn fetch(client: &mut Client, info: FlightInfo) -> Result<Vec<String>, Status> {
    let told = info.clone().try_decode_schema().unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut batches = client.do_get(ticket).await.map_err(status)?;
    let mut lines = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(status)?;
        assert_eq!(*batch.schema(), told, "what comes is what was told");
        lines.extend((0..batch.num_rows()).map(|row| line(&batch, row)));
    }
    Ok(lines)
}

fn line(batch: &RecordBatch, row: usize) -> String {
    let values = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
    values.collect::<Vec<_>>().join(" ")
}

/// The status that the client library made an error of its own of.
pub(crate) fn status(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => panic!("{other}"),
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
