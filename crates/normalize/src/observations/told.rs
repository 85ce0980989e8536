//! What of an event detectors are told, and under which keys.

use std::borrow::Cow;

use event::observation::key_use;
use event::{EventRow, ObservationKind, Signal};

use crate::address;
use crate::client::EDGE_ADDRESS;
use crate::enrich::{OUTSIDE_EGRESS, VEILED_ADDRESS};
use crate::observe::Seen;
use crate::probe::Probe;
use crate::signals::signal;
use crate::transport::transport;

/// A longer id of an object is none.
const OBJECT_BYTES_MAX: usize = 128;

/// What is told.
pub(super) struct Told<'r> {
    /// A request, to be counted.
    pub(super) request: bool,
    /// Whose call it was, and as what that is told.
    pub(super) caller: Option<(ObservationKind, &'r str)>,
    /// Whether the caller is an API key that its holder used.
    pub(super) is_key_use: bool,
    /// The API key in whose place the caller has come.
    pub(super) replaced: Option<&'r str>,
    /// The object that the call was for.
    pub(super) object: Option<&'r str>,
    /// The user who was let in from a place that is known.
    pub(super) user: Option<&'r str>,
    /// Whether it is a check of a credential that counts for its address.
    pub(super) by_address: bool,
    pub(super) token: Option<&'r str>,
    pub(super) signal: Option<(Signal, Cow<'r, str>)>,
    /// That it went over a wire that anybody can read.
    pub(super) transport: Option<(Signal, Cow<'r, str>)>,
    pub(super) probe: Option<Probe>,
    /// The client's address, where it is one.
    pub(super) src_ip: Option<&'r str>,
    is_exposed: bool,
}

impl<'r> Told<'r> {
    pub(super) fn of(row: &'r EventRow<'_>, seen: &Seen) -> Self {
        let yields = |kind| seen.observe.yields(kind);
        let has = |flag: &str| row.flags.iter().any(|raised| raised == flag);
        let account = account_of(row);
        // Most lines of an access log name nobody.
        let object = account.and_then(|_| object(row));
        let is_key_use = yields(ObservationKind::KeyUse) && key_of(row).is_some();
        let is_refused = object.is_some() && matches!(row.status, Some(403 | 404));
        let kind = match () {
            () if yields(ObservationKind::AuthByAccount) => Some(ObservationKind::AuthByAccount),
            () if is_key_use => Some(ObservationKind::KeyUse),
            () => is_refused.then_some(ObservationKind::Access),
        };
        // A proxy's address is nobody's: all that come through it would be one.
        let src_ip = row.src_ip.as_deref().filter(|_| !has(EDGE_ADDRESS));
        let is_request = yields(ObservationKind::Requests);
        // What is no token identifies none: a scanner's `?token=1` is not one token used often.
        let is_token = yields(ObservationKind::Token) && !has("malformed_token");
        Self {
            request: is_request && row.route.is_some(),
            caller: kind.zip(account),
            is_key_use,
            replaced: row
                .object_id
                .as_deref()
                .filter(|_| is_key_use && row.action.as_deref() == Some("api_key.rotated")),
            object,
            user: row.user_ref.as_deref().filter(|_| {
                let is_check = yields(ObservationKind::AuthByAccount) || yields(ObservationKind::Token);
                is_check && src_ip.is_some() && !has(VEILED_ADDRESS) && is_let_in(row)
            }),
            by_address: yields(ObservationKind::AuthByAddress) && row.src_ip.is_some(),
            token: row.token_fp.as_deref().filter(|_| is_token),
            signal: signal(row, || net(src_ip)),
            transport: transport(row),
            probe: if is_request && row.src_ip.is_some() { Probe::of(row) } else { None },
            src_ip,
            is_exposed: !seen.exposed.is_empty(),
        }
    }

    /// Whether more is told than that there was a request.
    pub(super) fn is_more(&self) -> bool {
        self.caller.is_some()
            || self.user.is_some()
            || self.by_address
            || self.token.is_some()
            || self.signal.is_some()
            || self.transport.is_some()
            || self.probe.is_some()
            || self.is_exposed
    }

    /// The network that the client's address lies in.
    pub(super) fn net(&self) -> Option<String> {
        net(self.src_ip)
    }
}

fn net(address: Option<&str>) -> Option<String> {
    address.and_then(address::parse).map(address::network)
}

fn key_of<'r>(row: &'r EventRow<'_>) -> Option<&'r str> {
    row.api_key_id.as_deref().or(row.api_key_fp.as_deref())
}

/// Whether a user, and no server with an API key, was let in from a place that is known: by a login, or with a
/// session token. A place without degrees is written as zeros by some.
fn is_let_in(row: &EventRow<'_>) -> bool {
    let is_entry = match row.action.as_deref() {
        Some(action) if action.starts_with("session_token.") => action == "session_token.redeemed",
        _ => true,
    };
    let is_somewhere = row.src_lat.zip(row.src_lon).is_some_and(|place| place != (0.0, 0.0));
    is_entry && is_somewhere && key_of(row).is_none() && row.outcome.as_deref() == Some("success")
}

/// Whose call it was: the API key's, or else the user's.
fn account_of<'r>(row: &'r EventRow<'_>) -> Option<&'r str> {
    key_of(row).or(row.user_ref.as_deref())
}

/// The object that a call was for, where it was for one and was answered.
fn object<'r>(row: &'r EventRow<'_>) -> Option<&'r str> {
    if !matches!(row.status, Some(200..300 | 403 | 404)) {
        return None;
    }
    let in_path = || row.path.as_deref().and_then(crate::route::object);
    row.object_id.as_deref().or_else(in_path).filter(|object| object.len() <= OBJECT_BYTES_MAX)
}

/// Where a key was used from, as the column `key_use` says it.
pub(super) fn origin(row: &EventRow<'_>, seen: &Seen) -> i32 {
    match seen.declared {
        true => key_use::DECLARED,
        false if row.flags.iter().any(|flag| flag == OUTSIDE_EGRESS) => key_use::OUTSIDE,
        false => key_use::USED,
    }
}
