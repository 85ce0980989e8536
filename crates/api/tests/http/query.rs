//! SQL over HTTP.

use query::QueryEngine;

pub(crate) async fn engine() -> QueryEngine {
    QueryEngine
}
