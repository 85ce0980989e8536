//! What clients say: messages from bytes. Whatever the bytes are, they are a message or an error.

use bytes::{Buf, Bytes};

use crate::wire::{Frame, WireError};

/// The first thing that is said on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// May we encrypt?
    Tls,
    /// May we encrypt by GSSAPI?
    Gss,
    /// Stop what another connection asked for.
    Cancel { process: i32, secret: i32 },
    /// Let us begin: the version, and who and what, as pairs.
    Startup { minor: u16, parameters: Vec<(String, String)> },
}

/// A message once it is known who speaks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Password(String),
    Query(String),
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe {
        what: What,
        name: String,
    },
    Execute {
        portal: String,
        rows_max: i32,
    },
    Close {
        what: What,
        name: String,
    },
    Flush,
    Sync,
    Terminate,
    /// Of a COPY that there cannot be; said by clients that send before they listen.
    Copy,
}

/// What has a name on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Statement,
    Portal,
}

/// A prepared statement with values for its parameters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) portal: String,
    pub(crate) statement: String,
    pub(crate) formats: Vec<i16>,
    pub(crate) values: Vec<Option<Bytes>>,
    pub(crate) result_formats: Vec<i16>,
}

impl Opening {
    pub(crate) fn read(body: &[u8]) -> Result<Self, WireError> {
        let mut body = body;
        let (major, minor) = (number_u16(&mut body)?, number_u16(&mut body)?);
        match (major, minor) {
            (1234, 5678) => Ok(Self::Cancel { process: number(&mut body)?, secret: number(&mut body)? }),
            (1234, 5679) => Ok(Self::Tls),
            (1234, 5680) => Ok(Self::Gss),
            (3, minor) => Ok(Self::Startup { minor, parameters: pairs(&mut body)? }),
            _ => Err(WireError::Malformed(format!("protocol {major}.{minor} is not spoken here, 3.0 is"))),
        }
    }
}

fn pairs(body: &mut &[u8]) -> Result<Vec<(String, String)>, WireError> {
    let mut pairs = Vec::new();
    loop {
        let name = text(body)?;
        if name.is_empty() {
            return Ok(pairs);
        }
        pairs.push((name, text(body)?));
    }
}

impl Message {
    pub(crate) fn read(frame: Frame) -> Result<Self, WireError> {
        let whole = frame.body.freeze();
        let mut body = &whole[..];
        let message = match frame.kind {
            b'p' => Self::Password(text(&mut body)?),
            b'Q' => Self::Query(text(&mut body)?),
            b'P' => {
                let (name, sql) = (text(&mut body)?, text(&mut body)?);
                let types = list(&mut body, |body| number(body).map(i32::cast_unsigned))?;
                Self::Parse { name, sql, types }
            }
            b'B' => Self::Bind(bind(&whole, &mut body)?),
            b'D' => Self::Describe { what: what(&mut body)?, name: text(&mut body)? },
            b'E' => Self::Execute { portal: text(&mut body)?, rows_max: number(&mut body)? },
            b'C' => Self::Close { what: what(&mut body)?, name: text(&mut body)? },
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            b'd' | b'c' | b'f' => Self::Copy,
            other => return Err(WireError::Malformed(format!("there is no message of kind {other:#04x}"))),
        };
        Ok(message)
    }
}

fn bind(whole: &Bytes, body: &mut &[u8]) -> Result<Bind, WireError> {
    let (portal, statement) = (text(body)?, text(body)?);
    let formats = list(body, format)?;
    let values = list(body, |body| value(whole, body))?;
    let result_formats = list(body, format)?;
    Ok(Bind { portal, statement, formats, values, result_formats })
}

/// A value's bytes, which are those of the message and no copy.
fn value(whole: &Bytes, body: &mut &[u8]) -> Result<Option<Bytes>, WireError> {
    let length = number(body)?;
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    let bytes = body.get(..length).ok_or_else(too_short)?;
    let bytes = whole.slice_ref(bytes);
    body.advance(length);
    Ok(Some(bytes))
}

fn what(body: &mut &[u8]) -> Result<What, WireError> {
    match body.try_get_u8() {
        Ok(b'S') => Ok(What::Statement),
        Ok(b'P') => Ok(What::Portal),
        Ok(other) => Err(WireError::Malformed(format!("{other:#04x} is neither a statement nor a portal"))),
        Err(_) => Err(too_short()),
    }
}

fn list<T>(
    body: &mut &[u8],
    mut item: impl FnMut(&mut &[u8]) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    // Not reserved: there may be fewer than it says.
    (0..number_u16(body)?).map(|_| item(body)).collect()
}

fn text(body: &mut &[u8]) -> Result<String, WireError> {
    let end = body.iter().position(|byte| *byte == 0).ok_or_else(too_short)?;
    let text = std::str::from_utf8(&body[..end]);
    let text = text.map_err(|_| WireError::Malformed("a text is not UTF-8".to_owned()))?.to_owned();
    body.advance(end + 1);
    Ok(text)
}

fn number(body: &mut &[u8]) -> Result<i32, WireError> {
    body.try_get_i32().map_err(|_| too_short())
}

fn number_u16(body: &mut &[u8]) -> Result<u16, WireError> {
    body.try_get_u16().map_err(|_| too_short())
}

fn format(body: &mut &[u8]) -> Result<i16, WireError> {
    body.try_get_i16().map_err(|_| too_short())
}

fn too_short() -> WireError {
    WireError::Malformed("a message ends too early".to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn read(kind: u8, body: &[u8]) -> Result<Message, WireError> {
        Message::read(Frame { kind, body: BytesMut::from(body) })
    }

    #[test]
    fn a_bind_has_its_values_and_formats() {
        let mut body = BytesMut::from(&b"p\0s\0\0\x01\0\x01\0\x02"[..]);
        body.put_i32(2);
        body.put_slice(b"ab");
        body.put_i32(-1);
        body.put_slice(b"\0\x01\0\0");
        let Ok(Message::Bind(bind)) = read(b'B', &body) else { panic!("a bind") };
        assert_eq!((bind.portal.as_str(), bind.statement.as_str()), ("p", "s"));
        assert_eq!(bind.values, [Some(Bytes::from_static(b"ab")), None]);
        assert_eq!((bind.formats, bind.result_formats), (vec![1], vec![0]));
    }

    #[test]
    fn a_message_that_ends_too_early_is_an_error_wherever_it_ends() {
        let whole = b"p\0s\0\0\x01\0\x01\0\x01\0\0\0\x02ab\0\x01\0\0";
        assert!(read(b'B', whole).is_ok());
        for end in 0..whole.len() {
            assert!(matches!(read(b'B', &whole[..end]), Err(WireError::Malformed(_))), "{end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(
            kind in prop_oneof![Just(b'B'), Just(b'P'), Just(b'D'), Just(b'E'), Just(b'C'), Just(b'p'), any::<u8>()],
            body in vec(prop_oneof![Just(0_u8), any::<u8>()], 0..200),
        ) {
            drop(read(kind, &body));
            drop(Opening::read(&body));
        }
    }
}
