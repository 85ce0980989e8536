//! Work that a client begins and that must not end with its connection.

use kafka_protocol::error::ResponseError;

/// Runs to its end even if the connection that asked goes away.
pub(crate) async fn detached<T: Send + 'static, E: From<ResponseError> + Send + 'static>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(ResponseError::UnknownServerError.into()))
}
