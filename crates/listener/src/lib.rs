//! What the listeners for SQL clients share: taking connections, a certificate that may be renewed while
//! they listen, and how many connections each token has.
//!
//! It speaks no protocol. Start at [`accept_all`]; [`Tls`] and [`ByToken`] are for what serves a connection.

mod accept;
mod by_token;
mod tls;

pub use accept::accept_all;
pub use by_token::{ByToken, OfToken};
pub use tls::{Tls, TlsError, TlsFiles};
