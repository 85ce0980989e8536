//! What we say: messages into bytes.

use bytes::{BufMut, BytesMut};

use crate::error::SqlError;
use crate::oid::Column;

/// Whether a connection is in a transaction. Ours do nothing, but clients begin and end them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transaction {
    None,
    Open,
    Failed,
}

/// Writes replies, one after the other.
pub(crate) trait Replies {
    fn authentication_ok(&mut self);
    fn ask_for_password(&mut self);
    fn negotiate_version(&mut self, unknown: &[&str]);
    fn parameter_status(&mut self, name: &str, value: &str);
    fn backend_key(&mut self, process: i32, secret: i32);
    fn ready(&mut self, transaction: Transaction);
    fn row_description(&mut self, columns: &[Column], formats: &[i16]);
    fn parameter_description(&mut self, oids: &[u32]);
    fn complete(&mut self, tag: &str);
    fn error(&mut self, error: &SqlError);
    fn warning(&mut self, text: &str);
    /// A message that is nothing but its kind.
    fn bare(&mut self, kind: Bare);
    /// A message whose body is written by `body`.
    fn message(&mut self, kind: u8, body: impl FnOnce(&mut BytesMut));
}

/// Messages without a body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bare {
    ParseComplete = b'1' as isize,
    BindComplete = b'2' as isize,
    CloseComplete = b'3' as isize,
    NoData = b'n' as isize,
    EmptyQuery = b'I' as isize,
    PortalSuspended = b's' as isize,
}

impl Replies for BytesMut {
    fn authentication_ok(&mut self) {
        self.message(b'R', |body| body.put_i32(0));
    }

    fn ask_for_password(&mut self) {
        self.message(b'R', |body| body.put_i32(3));
    }

    fn negotiate_version(&mut self, unknown: &[&str]) {
        self.message(b'v', |body| {
            body.put_i32(3 << 16);
            body.put_i32(count(unknown.len()));
            unknown.iter().for_each(|name| put_text(body, name));
        });
    }

    fn parameter_status(&mut self, name: &str, value: &str) {
        self.message(b'S', |body| {
            put_text(body, name);
            put_text(body, value);
        });
    }

    fn backend_key(&mut self, process: i32, secret: i32) {
        self.message(b'K', |body| {
            body.put_i32(process);
            body.put_i32(secret);
        });
    }

    fn ready(&mut self, transaction: Transaction) {
        self.message(b'Z', |body| {
            body.put_u8(match transaction {
                Transaction::None => b'I',
                Transaction::Open => b'T',
                Transaction::Failed => b'E',
            });
        });
    }

    fn row_description(&mut self, columns: &[Column], formats: &[i16]) {
        self.message(b'T', |body| {
            put_count(body, columns.len());
            for (index, column) in columns.iter().enumerate() {
                put_text(body, &column.name);
                body.put_i32(0); // of no table that has an oid
                body.put_i16(0);
                body.put_u32(column.kind.oid());
                body.put_i16(column.kind.size());
                body.put_i32(-1);
                body.put_i16(format_of(formats, index));
            }
        });
    }

    fn parameter_description(&mut self, oids: &[u32]) {
        self.message(b't', |body| {
            put_count(body, oids.len());
            oids.iter().for_each(|oid| body.put_u32(*oid));
        });
    }

    fn complete(&mut self, tag: &str) {
        self.message(b'C', |body| put_text(body, tag));
    }

    fn error(&mut self, error: &SqlError) {
        self.message(b'E', |body| {
            put_field(body, b'S', error.severity());
            put_field(body, b'V', error.severity());
            put_field(body, b'C', error.code);
            put_field(body, b'M', &error.text);
            error.hint.iter().for_each(|hint| put_field(body, b'H', hint));
            error.position.iter().for_each(|position| put_field(body, b'P', &position.to_string()));
            body.put_u8(0);
        });
    }

    fn warning(&mut self, text: &str) {
        self.message(b'N', |body| {
            put_field(body, b'S', "WARNING");
            put_field(body, b'V', "WARNING");
            put_field(body, b'C', "01000");
            put_field(body, b'M', text);
            body.put_u8(0);
        });
    }

    fn bare(&mut self, kind: Bare) {
        self.message(kind as u8, |_| {});
    }

    fn message(&mut self, kind: u8, body: impl FnOnce(&mut BytesMut)) {
        self.put_u8(kind);
        let start = self.len();
        self.put_i32(0);
        body(self);
        let length = count(self.len() - start);
        self[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// The format of a column: each has its own, or all have one, or all are text.
pub(crate) fn format_of(formats: &[i16], index: usize) -> i16 {
    match formats {
        [] => 0,
        [all] => *all,
        each => each.get(index).copied().unwrap_or(0),
    }
}

fn put_field(body: &mut BytesMut, kind: u8, text: &str) {
    body.put_u8(kind);
    put_text(body, text);
}

/// A text ends with a zero, so it can hold none.
fn put_text(body: &mut BytesMut, text: &str) {
    body.extend(text.bytes().filter(|byte| *byte != 0));
    body.put_u8(0);
}

fn put_count(body: &mut BytesMut, length: usize) {
    body.put_u16(u16::try_from(length).expect("columns and parameters are counted before"));
}

fn count(length: usize) -> i32 {
    i32::try_from(length).expect("a reply is far from two gigabytes: values are bounded")
}
