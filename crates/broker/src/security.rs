//! Who a client is, and what it may do.
//!
//! A client says who it is by a certificate or by SASL ([`sasl`], [`scram`]); the file of users
//! ([`users`]) says who there is and what each may do; [`client`] asks it for every request.
//! Certificates and users are read again when their files change ([`reload`]).

pub(crate) mod client;
pub(crate) mod reload;
pub(crate) mod sasl;
pub(crate) mod scram;
pub(crate) mod tls;
pub mod users;
