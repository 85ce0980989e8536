//! The event's columns by name: which ones a source's description may fill, and of what kind.

use std::borrow::Cow;

use event::{EventRow, EventTime};

type Of<T> = for<'r, 'a> fn(&'r mut EventRow<'a>) -> &'r mut T;
type TextOf = for<'r, 'a> fn(&'r mut EventRow<'a>) -> &'r mut Option<Cow<'a, str>>;

/// One column of an event, reached by name.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) cell: Cell,
}

/// How its value is reached.
#[derive(Clone, Copy)]
pub(crate) enum Cell {
    Text(TextOf),
    Int(Of<Option<i32>>),
    Long(Of<Option<i64>>),
    Float(Of<Option<f64>>),
    Time(Of<Option<EventTime>>),
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! columns {
    ($($kind:ident: $($name:ident)*;)*) => {
        &[$($(Column { name: stringify!($name), cell: Cell::$kind(|row| &mut row.$name) },)*)*]
    };
}

/// Columns that a description may fill. The others are ours: ids, positions, fingerprints of what
/// was redacted, and what follows from other columns.
pub(crate) const FILLABLE: &[Column] = columns! {
    Text: source_event_id original_time env shipper_id boot_id action owasp_event outcome reason
        partner_id user_ref api_key_id api_key_fp token_fp session_id src_ip end_user_ip peer_ip
        user_agent method host path query_redacted object_id scheme tls_version referrer_host
        origin_host bound_origin request_id trace_id message src_as_name src_country src_city ja4
        object_owner;
    Int: class_uid activity_id severity src_port status latency_ms;
    Long: seq bytes_in bytes_out src_asn;
    Float: src_lat src_lon;
    Time: logged_time transmit_time token_issued_at token_expires_at;
};

/// Text that came from the line and may therefore hold a secret: all of it but fingerprints.
pub(crate) const REDACTED: &[Column] = columns! {
    Text: source_event_id original_time env shipper_id boot_id action owasp_event outcome reason
        partner_id user_ref api_key_id src_ip end_user_ip peer_ip user_agent method host path
        query_redacted object_id scheme tls_version referrer_host origin_host bound_origin
        request_id trace_id message src_as_name src_city ja4 object_owner unmapped;
};

/// The column of a name.
pub(crate) fn fillable(name: &str) -> Option<Column> {
    FILLABLE.iter().find(|column| column.name == name).copied()
}

impl Column {
    /// Whether a row has a value here.
    pub(crate) fn is_set(&self, row: &mut EventRow<'_>) -> bool {
        match self.cell {
            Cell::Text(of) => of(row).is_some(),
            Cell::Int(of) => of(row).is_some(),
            Cell::Long(of) => of(row).is_some(),
            Cell::Float(of) => of(row).is_some(),
            Cell::Time(of) => of(row).is_some(),
        }
    }
}
