//! Statements: what they would answer, and their answers.
//!
//! A ticket holds the statement's text and nothing that allows to run it: who redeems it sees what their
//! own token allows, so that a ticket that gets into other hands is worth what its text is.

use arrow::datatypes::Schema;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, CommandPreparedStatementQuery,
    CommandStatementQuery, DoPutPreparedStatementResult, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{
    FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, SchemaAsIpc, Ticket,
};
use prost::Message;
use prost::bytes::Bytes;
use query::{Description, Parameter, ParameterType};
use tonic::{Status, Streaming};

use crate::access::Caller;
use crate::bind;
use crate::error::{malformed, name, of_query, ours};
use crate::prepared::Prepared;
use crate::rows::{self, Rows, plain};
use crate::service::Flights;

impl Flights {
    pub(crate) async fn statement_info(
        &self,
        caller: &Caller,
        query: CommandStatementQuery,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        no_transaction(query.transaction_id.as_ref())?;
        let described = self.describe(caller, &query.query, &[]).await?;
        let ticket = TicketStatementQuery { statement_handle: query.query.into() };
        info(&plain(&described.schema), ticket.as_any().encode_to_vec().into(), descriptor)
    }

    async fn describe(
        &self,
        caller: &Caller,
        sql: &str,
        kinds: &[ParameterType],
    ) -> Result<Description, Status> {
        let declared = kinds.iter().copied().map(Some).collect();
        let described = self.shared.query.describe(&caller.principal.scope, sql, declared).await;
        described.map_err(|error| self.refused(of_query(error, sql)))
    }

    pub(crate) async fn run_ticket(
        &self,
        caller: &Caller,
        ticket: &TicketStatementQuery,
    ) -> Result<Rows, Status> {
        let sql = std::str::from_utf8(&ticket.statement_handle);
        let sql = sql.map_err(|_| malformed("this ticket was not made here"))?;
        self.run(caller, sql, Vec::new()).await
    }

    /// Begins to answer a statement, within what its caller may see and the engine allows.
    async fn run(&self, caller: &Caller, sql: &str, parameters: Vec<Parameter>) -> Result<Rows, Status> {
        let answer = self.shared.query.query_with(&caller.principal.scope, sql, parameters).await;
        let answer = answer.map_err(|error| self.refused(of_query(error, sql)))?;
        let limit = self.shared.query.limits().time;
        Ok(rows::of_answer(answer, sql.to_owned(), limit, self.shared.metrics.clone()))
    }

    /// Counts a statement that is not answered.
    fn refused(&self, status: Status) -> Status {
        self.shared.metrics.answered(name(status.code()));
        status
    }

    pub(crate) async fn prepare(
        &self,
        caller: &Caller,
        asked: ActionCreatePreparedStatementRequest,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        no_transaction(asked.transaction_id.as_ref())?;
        let described = self.describe(caller, &asked.query, &[]).await?;
        let dataset_schema = ipc(&plain(&described.schema))?;
        let parameter_schema = ipc(&bind::schema(&described.parameters))?;
        let prepared = Prepared::new(asked.query, described);
        let handle = self.shared.prepared.keep(caller.owner(), prepared)?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.into(),
            dataset_schema,
            parameter_schema,
        })
    }

    pub(crate) async fn bind(
        &self,
        caller: &Caller,
        query: &CommandPreparedStatementQuery,
        first: FlightData,
        rest: Streaming<FlightData>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let (owner, handle) = (caller.owner(), &query.prepared_statement_handle);
        let prepared = self.shared.prepared.get(&owner, handle)?;
        let sent = bind::gather(first, rest, self.shared.config.prepared_bytes_max).await?;
        let row = bind::row(&sent)?;
        let kinds = bind::kinds(row.as_ref(), &prepared.description.parameters)?;
        let description = match kinds == prepared.description.parameters {
            true => prepared.description,
            false => self.describe(caller, &prepared.sql, &kinds).await?,
        };
        let parameters = bind::values(row.as_ref(), &kinds)?;
        self.shared.prepared.bind(&owner, handle, description, parameters)?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle.clone()) })
    }

    pub(crate) fn prepared_info(
        &self,
        caller: &Caller,
        query: &CommandPreparedStatementQuery,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        let prepared = self.shared.prepared.get(&caller.owner(), &query.prepared_statement_handle)?;
        let ticket = query.as_any().encode_to_vec().into();
        info(&plain(&prepared.description.schema), ticket, descriptor)
    }

    pub(crate) async fn run_prepared(
        &self,
        caller: &Caller,
        query: &CommandPreparedStatementQuery,
    ) -> Result<Rows, Status> {
        let prepared = self.shared.prepared.get(&caller.owner(), &query.prepared_statement_handle)?;
        self.run(caller, &prepared.sql, prepared.parameters.clone()).await
    }
}

fn no_transaction(id: Option<&Bytes>) -> Result<(), Status> {
    match id {
        Some(id) if !id.is_empty() => {
            Err(malformed("there are no transactions: everything here is read-only"))
        }
        _ => Ok(()),
    }
}

/// What is told of an answer before it is fetched, which is done here and nowhere else.
pub(crate) fn info(
    schema: &Schema,
    ticket: Bytes,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket });
    let info = FlightInfo::new().try_with_schema(schema).map_err(ours)?;
    Ok(info.with_descriptor(descriptor).with_endpoint(endpoint).with_ordered(true))
}

pub(crate) fn ipc_options() -> IpcWriteOptions {
    IpcWriteOptions::default()
}

fn ipc(schema: &Schema) -> Result<Bytes, Status> {
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &ipc_options()).try_into().map_err(ours)?;
    Ok(bytes)
}
