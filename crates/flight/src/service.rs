//! What can be asked for: every call of the protocol, and where it goes.

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, Any, Command, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, IpcMessage, PollInfo, PutResult, SchemaAsIpc, SchemaResult, Ticket,
};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use prost::Message;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use crate::access::Caller;
use crate::error::{malformed, ours, read_only};
use crate::server::Shared;
use crate::statement::ipc_options;
use crate::{catalog, rows};

/// Letters of what a client sent that are told back to it.
const TOLD_MAX: usize = 100;

const CREATE: &str = "CreatePreparedStatement";
const CLOSE: &str = "ClosePreparedStatement";
/// Actions that the protocol has and this server has not, so that clients can tell them from mistakes.
const NOT_HERE: [&str; 12] = [
    "BeginSavepoint",
    "BeginTransaction",
    "CancelFlightInfo",
    "CancelQuery",
    "CloseSession",
    "CreatePreparedSubstraitPlan",
    "EndSavepoint",
    "EndTransaction",
    "GetSessionOptions",
    "PutSessionOptions",
    "RenewFlightEndpoint",
    "SetSessionOptions",
];

type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// The service, for every connection.
pub(crate) struct Flights {
    pub(crate) shared: Arc<Shared>,
}

impl Flights {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    async fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        Caller::of(request.metadata(), request.extensions(), &self.shared).await
    }

    /// What a command would answer, and the ticket for it.
    async fn info(&self, caller: &Caller, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        match command(&descriptor.cmd)? {
            Command::CommandStatementQuery(query) => self.statement_info(caller, query, descriptor).await,
            Command::CommandPreparedStatementQuery(query) => self.prepared_info(caller, &query, descriptor),
            other => {
                let rows = catalog::answer(other)?;
                let ticket = descriptor.cmd.clone();
                crate::statement::info(&rows.schema(), ticket, descriptor)
            }
        }
    }
}

#[tonic::async_trait]
impl FlightService for Flights {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = Answers<FlightData>;

    /// A token that came as a password is given back as what further calls bring.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let caller = self.caller(&request).await?;
        let mut response: Response<Self::HandshakeStream> = Response::new(stream::empty().boxed());
        let bearer = MetadataValue::try_from(caller.bearer()).map_err(ours)?;
        response.metadata_mut().insert("authorization", bearer);
        Ok(response)
    }

    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.caller(&request).await?;
        Err(Status::unimplemented("there are no flights but those that SQL asks for"))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let caller = self.caller(&request).await?;
        Ok(Response::new(self.info(&caller, request.into_inner()).await?))
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        self.caller(&request).await?;
        Err(Status::unimplemented("an answer is there as soon as its ticket is; nothing is polled for"))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let caller = self.caller(&request).await?;
        let info = self.info(&caller, request.into_inner()).await?;
        let schema = info.try_decode_schema().map_err(ours)?;
        let IpcMessage(schema) = SchemaAsIpc::new(&schema, &ipc_options()).try_into().map_err(ours)?;
        Ok(Response::new(SchemaResult { schema }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let caller = self.caller(&request).await?;
        let answer = match command(&request.get_ref().ticket)? {
            Command::TicketStatementQuery(ticket) => self.run_ticket(&caller, &ticket).await?,
            Command::CommandPreparedStatementQuery(query) => self.run_prepared(&caller, &query).await?,
            other => rows::of_batch(catalog::answer(other)?),
        };
        Ok(Response::new(answer))
    }

    /// Values for a prepared statement; whatever else is put would write.
    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let caller = self.caller(&request).await?;
        let mut sent = request.into_inner();
        let first = sent.message().await?.ok_or_else(|| malformed("nothing was put"))?;
        let descriptor =
            first.flight_descriptor.as_ref().ok_or_else(|| malformed("what was put has no descriptor"))?;
        match command(&descriptor.cmd)? {
            Command::CommandPreparedStatementQuery(query) => {
                let result = self.bind(&caller, &query, first, sent).await?;
                let result = PutResult { app_metadata: result.encode_to_vec().into() };
                Ok(Response::new(stream::iter([Ok(result)]).boxed()))
            }
            _ => Err(read_only()),
        }
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.caller(&request).await?;
        Err(Status::unimplemented("nothing is exchanged here; ask with SQL"))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let caller = self.caller(&request).await?;
        let Action { r#type: kind, body } = request.into_inner();
        match kind.as_str() {
            CREATE => {
                let asked: ActionCreatePreparedStatementRequest = action(&body)?;
                let created = self.prepare(&caller, asked).await?;
                let body = created.as_any().encode_to_vec().into();
                Ok(Response::new(stream::iter([Ok(arrow_flight::Result { body })]).boxed()))
            }
            CLOSE => {
                let asked: ActionClosePreparedStatementRequest = action(&body)?;
                self.shared.prepared.close(&caller.owner(), &asked.prepared_statement_handle);
                Ok(Response::new(stream::empty().boxed()))
            }
            known if NOT_HERE.contains(&known) => {
                Err(Status::unimplemented(format!("{known} is not available: everything here is read-only")))
            }
            unknown => Err(malformed(format!("{} is no action that is known", told(unknown)))),
        }
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        self.caller(&request).await?;
        let action = |kind: &str, description: &str| {
            Ok(ActionType { r#type: kind.to_owned(), description: description.to_owned() })
        };
        let actions = [
            action(CREATE, "keeps a statement, so that it can be given values and run"),
            action(CLOSE, "forgets a statement that was kept"),
        ];
        Ok(Response::new(stream::iter(actions).boxed()))
    }
}

/// What a descriptor or a ticket asks for.
fn command(bytes: &[u8]) -> Result<Command, Status> {
    let any = Any::decode(bytes).map_err(|error| malformed(format!("this is no command: {error}")))?;
    match Command::try_from(any) {
        Ok(Command::Unknown(any)) => {
            Err(malformed(format!("'{}' is no command that is known", told(&any.type_url))))
        }
        Ok(command) => Ok(command),
        Err(error) => Err(malformed(format!("this is no command: {error}"))),
    }
}

fn action<T: ProstMessageExt>(body: &[u8]) -> Result<T, Status> {
    let any = Any::decode(body).map_err(|error| malformed(format!("this is no action: {error}")))?;
    let action = any.unpack().map_err(|error| malformed(format!("this is no action: {error}")))?;
    action.ok_or_else(|| malformed(format!("'{}' is not what this action takes", told(&any.type_url))))
}

/// The beginning of a text.
fn told(text: &str) -> String {
    text.chars().take(TOLD_MAX).collect()
}

#[cfg(test)]
mod tests {
    use arrow_flight::sql::{CommandStatementQuery, TicketStatementQuery};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use tonic::Code;

    use super::*;

    /// Bytes that nobody meant well: none at all, or a command with some of its bytes changed.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let query = CommandStatementQuery { query: "SELECT 1".to_owned(), transaction_id: None };
        let ticket = TicketStatementQuery { statement_handle: "SELECT 1".into() };
        let meant = [query.as_any().encode_to_vec(), ticket.as_any().encode_to_vec()];
        let bent = (0..2_usize, vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)).prop_map(
            move |(which, changes)| {
                let mut bytes = meant[which].clone();
                for (place, byte) in changes {
                    let place = place.index(bytes.len());
                    bytes[place] = byte;
                }
                bytes
            },
        );
        prop_oneof![vec(any::<u8>(), 0..200), bent]
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_command_or_an_invalid_argument(bytes in hostile()) {
            if let Err(status) = command(&bytes) {
                prop_assert_eq!(status.code(), Code::InvalidArgument);
            }
            if let Err(status) = action::<ActionCreatePreparedStatementRequest>(&bytes) {
                prop_assert_eq!(status.code(), Code::InvalidArgument);
            }
        }
    }
}
