//! A client that says exactly what a test wants it to.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Lab;

/// A connection that has come in.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    input: BytesMut,
    pub(crate) key: (i32, i32),
}

/// What was answered up to `ReadyForQuery`.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Names and oids.
    pub(crate) columns: Vec<(String, u32)>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) raw: Vec<Vec<Option<Bytes>>>,
    pub(crate) tags: Vec<String>,
    pub(crate) parameters: Vec<u32>,
    pub(crate) suspended: bool,
}

/// What was wrong.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) text: String,
}

impl Client {
    pub(crate) async fn connect(lab: &Lab, token: &str) -> Self {
        Self::try_connect(lab, token).await.unwrap()
    }

    pub(crate) async fn try_connect(lab: &Lab, token: &str) -> Result<Self, Refused> {
        let stream = TcpStream::connect(lab.address).await.unwrap();
        let mut client = Self { stream, input: BytesMut::new(), key: (0, 0) };
        client.send(None, b"\0\x03\0\0user\0any\0database\0watchfire\0\0").await;
        client.send(Some(b'p'), &[token.as_bytes(), b"\0"].concat()).await;
        client.answer().await.map(|_| client)
    }

    pub(crate) async fn send(&mut self, kind: Option<u8>, body: &[u8]) {
        let mut message = BytesMut::new();
        message.extend(kind);
        message.put_u32(body.len() as u32 + 4);
        message.extend_from_slice(body);
        // A server that has hung up is found out by what it says last.
        drop(self.stream.write_all(&message).await);
    }

    pub(crate) async fn query(&mut self, sql: &str) -> Result<Answer, Refused> {
        self.send(Some(b'Q'), &[sql.as_bytes(), b"\0"].concat()).await;
        self.answer().await
    }

    /// Prepares the nameless statement.
    pub(crate) async fn parse(&mut self, sql: &str, types: &[u32]) {
        let mut body = BytesMut::from(&b"\0"[..]);
        body.extend_from_slice(sql.as_bytes());
        body.put_u8(0);
        body.put_u16(types.len() as u16);
        types.iter().for_each(|oid| body.put_u32(*oid));
        self.send(Some(b'P'), &body).await;
    }

    /// Gives it values, all in one format, and asks for the answer in one.
    pub(crate) async fn bind(&mut self, format: i16, values: &[Option<&[u8]>], answers: i16) {
        let mut body = BytesMut::from(&b"\0\0\0\x01"[..]);
        body.put_i16(format);
        body.put_u16(values.len() as u16);
        for value in values {
            body.put_i32(value.map_or(-1, |value| value.len() as i32));
            body.extend_from_slice(value.unwrap_or_default());
        }
        body.put_u16(1);
        body.put_i16(answers);
        self.send(Some(b'B'), &body).await;
    }

    pub(crate) async fn execute(&mut self, rows_max: i32) {
        self.send(Some(b'E'), &[&b"\0"[..], &rows_max.to_be_bytes()].concat()).await;
    }

    pub(crate) async fn sync(&mut self) -> Result<Answer, Refused> {
        self.send(Some(b'S'), b"").await;
        self.answer().await
    }

    /// Prepares, gives values as text, runs.
    pub(crate) async fn ask(&mut self, sql: &str, types: &[u32], values: &[&str]) -> Result<Answer, Refused> {
        self.parse(sql, types).await;
        let values: Vec<Option<&[u8]>> = values.iter().map(|value| Some(value.as_bytes())).collect();
        self.bind(0, &values, 0).await;
        self.send(Some(b'D'), b"P\0").await;
        self.execute(0).await;
        self.sync().await
    }

    /// Reads up to `ReadyForQuery`, or up to the end.
    pub(crate) async fn answer(&mut self) -> Result<Answer, Refused> {
        let mut answer = Answer::default();
        let mut refused = None;
        loop {
            let Some((kind, mut body)) = self.message().await else {
                return Err(refused.unwrap_or(Refused { code: String::new(), text: "hung up".into() }));
            };
            match kind {
                b'Z' => return refused.map_or(Ok(answer), Err),
                b'E' => refused = Some(refusal(body)),
                b'K' => self.key = (body.get_i32(), body.get_i32()),
                b'T' => answer.columns = columns(body),
                b'D' => {
                    let row = row(body);
                    let text = |value: &Option<Bytes>| {
                        value
                            .as_ref()
                            .map_or("NULL".into(), |value| String::from_utf8_lossy(value).into_owned())
                    };
                    answer.rows.push(row.iter().map(text).collect());
                    answer.raw.push(row);
                }
                b'C' => answer.tags.push(text(&mut body)),
                b't' => answer.parameters = (0..body.get_u16()).map(|_| body.get_u32()).collect(),
                b's' => answer.suspended = true,
                _ => {}
            }
        }
    }

    async fn message(&mut self) -> Option<(u8, Bytes)> {
        loop {
            if self.input.len() >= 5 {
                let length = (&self.input[1..5]).get_u32() as usize;
                if self.input.len() > length {
                    let mut message = self.input.split_to(length + 1).freeze();
                    let kind = message.get_u8();
                    message.advance(4);
                    return Some((kind, message));
                }
            }
            if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

fn text(body: &mut Bytes) -> String {
    let end = body.iter().position(|byte| *byte == 0).unwrap();
    let text = body.split_to(end);
    body.advance(1);
    String::from_utf8(text.to_vec()).unwrap()
}

fn refusal(mut body: Bytes) -> Refused {
    let mut refused = Refused { code: String::new(), text: String::new() };
    loop {
        match body.get_u8() {
            0 => return refused,
            b'C' => refused.code = text(&mut body),
            b'M' => refused.text = text(&mut body),
            _ => drop(text(&mut body)),
        }
    }
}

fn columns(mut body: Bytes) -> Vec<(String, u32)> {
    let count = body.get_u16();
    let column = |_| {
        let name = text(&mut body);
        body.advance(6);
        let oid = body.get_u32();
        body.advance(8);
        (name, oid)
    };
    (0..count).map(column).collect()
}

fn row(mut body: Bytes) -> Vec<Option<Bytes>> {
    let count = body.get_u16();
    let value = |_| usize::try_from(body.get_i32()).ok().map(|length| body.split_to(length));
    (0..count).map(value).collect()
}
