//! Two partners, and every way to ask for the other's rows that we could think of.

use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, Ticket};
use prost::Message;
use testkit::escapes::Escapes;
use tonic::Code;

use crate::support::{ACME, EVENTS, Lab, RIVAL, SECRET, ask, fetch};

/// What may be asked, and must answer without a word of the other.
const ASKED: &[&str] = &[
    "SELECT * FROM events",
    "SELECT * FROM rejects",
    "SELECT * FROM events WHERE tenant = 'prt_rival'",
    "SELECT * FROM public.events UNION ALL SELECT * FROM watchfire.public.events",
    "WITH events AS (SELECT * FROM events) SELECT * FROM events",
    "SELECT * FROM events WHERE tenant IN (SELECT 'prt_' || 'rival')",
    "SELECT * FROM events e WHERE EXISTS (SELECT 1 FROM events o WHERE o.tenant <> e.tenant)",
    "SELECT array_agg(DISTINCT tenant), max(message) FROM events",
    "SELECT * FROM events WHERE CAST(user_ref AS INT) >= 0",
    "SELECT 1 / (status - status) FROM events WHERE tenant = 'prt_rival'",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information_schema.df_settings",
    "EXPLAIN SELECT * FROM events",
    "SHOW COLUMNS FROM events",
];

/// Statements made up besides.
const MADE_UP: usize = 25;

#[tokio::test]
async fn a_partner_sees_its_own_rows_however_it_asks() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let mut answered = 0;
    let made_up = Escapes::new(3, ACME, RIVAL, &["events", "rejects"]).take(MADE_UP);
    for sql in ASKED.iter().copied().map(str::to_owned).chain(made_up) {
        let told = match ask(&mut client, &sql).await {
            Ok(rows) => {
                answered += 1;
                rows.join("\n")
            }
            Err(refused) => refused.message().to_owned(),
        };
        let told = told.replace("prt_rival", if sql.contains("prt_rival") { "" } else { "prt_rival" });
        assert!(!told.contains(SECRET), "{sql}: {told}");
    }
    assert!(answered > (ASKED.len() + MADE_UP) / 2, "most of it can be asked: {answered}");
}

#[tokio::test]
async fn each_sees_as_much_as_its_token_allows() {
    let lab = Lab::new().await;
    for (partner, count) in [(Some(ACME), EVENTS), (Some(RIVAL), EVENTS), (None, 2 * EVENTS)] {
        let mut client = lab.client(&lab.token(partner).await).await;
        let rows = ask(&mut client, "SELECT count(*), min(tenant) FROM events").await.unwrap();
        assert_eq!(rows, [format!("{count} {}", partner.unwrap_or(ACME))]);
    }
}

#[tokio::test]
async fn a_ticket_is_worth_what_the_token_beside_it_allows() {
    let lab = Lab::new().await;
    let mut rival = lab.client(&lab.token(Some(RIVAL)).await).await;
    let theirs = rival.execute("SELECT DISTINCT tenant FROM events".to_owned(), None).await.unwrap();
    let mut acme = lab.client(&lab.token(Some(ACME)).await).await;
    assert_eq!(fetch(&mut acme, theirs.clone()).await.unwrap(), [ACME]);
    assert_eq!(fetch(&mut rival, theirs).await.unwrap(), [RIVAL]);
}

#[tokio::test]
async fn a_ticket_that_was_made_elsewhere_allows_nothing_more() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let made_up = TicketStatementQuery { statement_handle: "SELECT count(*) FROM events".into() };
    let ticket = Ticket::new(made_up.as_any().encode_to_vec());
    let mut batches = client.do_get(ticket).await.unwrap();
    let batch = futures::StreamExt::next(&mut batches).await.unwrap().unwrap();
    let count = arrow::util::display::array_value_to_string(batch.column(0), 0).unwrap();
    assert_eq!(count, EVENTS.to_string());
}

#[tokio::test]
async fn a_prepared_statement_of_another_token_is_not_there() {
    let lab = Lab::new().await;
    let mut rival = lab.client(&lab.token(Some(RIVAL)).await).await;
    let mut theirs = rival.prepare("SELECT message FROM events".to_owned(), None).await.unwrap();
    let ticket = theirs.execute().await.unwrap().endpoint[0].ticket.clone().unwrap();
    let mut acme = lab.client(&lab.token(Some(ACME)).await).await;
    let refused = acme.do_get(ticket.clone()).await.err().map(crate::support::status).unwrap();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let descriptor = FlightDescriptor::new_cmd(ticket.ticket.clone());
    let refused = acme.inner_mut().get_flight_info(descriptor).await.unwrap_err();
    // Without a token nobody is told even that.
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    assert!(rival.do_get(ticket).await.is_ok());
}
