//! What the listeners for SQL clients share: a certificate that may be renewed while they listen, and
//! how many connections each token has.
//!
//! It speaks no protocol and opens no socket. Start at [`Tls`]; [`ByToken`] is the other half.

mod by_token;
mod tls;

pub use by_token::{ByToken, OfToken};
pub use tls::{Tls, TlsError, TlsFiles};
