//! Bytes that nobody meant well, over a real connection: each is answered, and the server goes on.

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, CommandPreparedStatementQuery,
    CommandStatementQuery, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, Ticket};
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::AsyncWriteExt;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::support::{ACME, Lab, ask};

const ROUNDS: usize = 150;

/// What is sent well-meant, and then with some of its bytes changed.
fn meant() -> Vec<Vec<u8>> {
    let (sql, handle) = ("SELECT 1 AS x".to_owned(), "0123456789abcdef");
    vec![
        CommandStatementQuery { query: sql.clone(), transaction_id: None }.as_any().encode_to_vec(),
        TicketStatementQuery { statement_handle: sql.clone().into() }.as_any().encode_to_vec(),
        CommandPreparedStatementQuery { prepared_statement_handle: handle.into() }.as_any().encode_to_vec(),
        ActionCreatePreparedStatementRequest { query: sql, transaction_id: None }.as_any().encode_to_vec(),
        ActionClosePreparedStatementRequest { prepared_statement_handle: handle.into() }
            .as_any()
            .encode_to_vec(),
    ]
}

fn bent(random: &mut StdRng) -> Vec<u8> {
    let meant = meant();
    let mut bytes = meant[random.random_range(0..meant.len())].clone();
    for _ in 0..random.random_range(0..4) {
        let place = random.random_range(0..bytes.len());
        bytes[place] = random.random();
    }
    bytes.truncate(random.random_range(0..=bytes.len()));
    bytes
}

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let bearer = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
    request.metadata_mut().insert("authorization", bearer);
    request
}

/// What is wrong with what was sent is the client's to mend; nothing of it is the server's fault.
fn check(told: Option<Status>) {
    if let Some(status) = told {
        // What was not bent too much is run, and may find no place.
        let expected =
            [Code::InvalidArgument, Code::PermissionDenied, Code::Unimplemented, Code::ResourceExhausted];
        assert!(expected.contains(&status.code()), "{status}");
    }
}

async fn put(client: &mut FlightServiceClient<Channel>, token: &str, random: &mut StdRng) -> Option<Status> {
    let mut noise = vec![0; random.random_range(0..64)];
    random.fill(&mut noise[..]);
    let data = FlightData::new()
        .with_descriptor(FlightDescriptor::new_cmd(bent(random)))
        .with_data_header(noise.clone())
        .with_data_body(noise);
    client.do_put(with_token(futures::stream::iter([data]), token)).await.err()
}

#[tokio::test]
async fn hostile_messages_are_answered_and_harm_nobody() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let mut client = FlightServiceClient::new(lab.channel().await);
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..ROUNDS {
        let descriptor = FlightDescriptor::new_cmd(bent(&mut random));
        check(client.get_flight_info(with_token(descriptor.clone(), &token)).await.err());
        check(client.get_schema(with_token(descriptor, &token)).await.err());
        check(client.do_get(with_token(Ticket::new(bent(&mut random)), &token)).await.err());
        for kind in ["CreatePreparedStatement", "ClosePreparedStatement", "CancelQuery", "x\u{7f}ü"] {
            let action = Action::new(kind, bent(&mut random));
            check(client.do_action(with_token(action, &token)).await.err());
        }
        check(put(&mut client, &token, &mut random).await);
    }
    let mut client = lab.client(&token).await;
    assert_eq!(ask(&mut client, "SELECT 1 AS x").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn what_is_no_http_at_all_ends_its_own_connection_only() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let mut random = StdRng::seed_from_u64(11);
    for with_preface in [false, true] {
        let mut stream = tokio::net::TcpStream::connect(lab.address).await.unwrap();
        let mut noise = vec![0; 4_096];
        random.fill(&mut noise[..]);
        let preface: &[u8] = if with_preface { b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" } else { b"" };
        stream.write_all(&[preface, &noise].concat()).await.unwrap();
        let mut told = Vec::new();
        // It may be cut off in the middle of what it said.
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut told).await.ok();
        assert_eq!(ask(&mut client, "SELECT 1 AS x").await.unwrap(), ["1"]);
    }
}
