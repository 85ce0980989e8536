//! Requests and responses as bytes: size, header, body.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

use crate::{api, shape};

/// Why a connection cannot go on. The client gets no answer: there is none it would understand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("request of {0} bytes is out of bounds")]
    Size(i32),
    #[error("request header is malformed")]
    Header,
    #[error("request {key} version {version} is not supported")]
    Unsupported { key: i16, version: i16 },
    #[error("{0:?} request is malformed")]
    Body(ApiKey),
    #[error("records that want no acknowledgement were refused: {0}")]
    Unacknowledged(ResponseError),
    #[error("{0:?} response cannot be encoded: {1}")]
    Response(ApiKey, String),
}

/// A request whose header is read and whose body has the right shape.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) key: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: String,
    body: Bytes,
}

impl Request {
    /// Reads the header. An `ApiVersions` request of any version is let through: its answer is
    /// how a client learns which versions there are.
    pub(crate) fn read(mut bytes: Bytes) -> Result<Self, FrameError> {
        let (key, version) = peek(&bytes).ok_or(FrameError::Header)?;
        let known = api::find(key, version);
        if known.is_none() && key != ApiKey::ApiVersions as i16 {
            return Err(FrameError::Unsupported { key, version });
        }
        let header_version = known.map_or(1, |key| key.request_header_version(version));
        let header = RequestHeader::decode(&mut bytes, header_version).map_err(|_| FrameError::Header)?;
        let key = known.unwrap_or(ApiKey::ApiVersions);
        if known.is_some() && !shape::fits(key, version, &bytes) {
            return Err(FrameError::Body(key));
        }
        Ok(Self {
            key,
            version: if known.is_some() { version } else { -1 },
            correlation_id: header.correlation_id,
            client_id: header.client_id.map(|id| id.to_string()).unwrap_or_default(),
            body: bytes,
        })
    }

    /// Reads the body.
    pub(crate) fn decode<Q: Decodable>(&mut self) -> Result<Q, FrameError> {
        Q::decode(&mut self.body, self.version).map_err(|_| FrameError::Body(self.key))
    }

    /// Reads the body, whatever it is.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn decode_any(&mut self) -> Result<kafka_protocol::messages::RequestKind, FrameError> {
        let decoded = kafka_protocol::messages::RequestKind::decode(self.key, &mut self.body, self.version);
        decoded.map_err(|_| FrameError::Body(self.key))
    }

    /// The response to this request, ready to send.
    pub(crate) fn encode<R: Encodable + HeaderVersion>(&self, response: &R) -> Result<Bytes, FrameError> {
        encode(self.key, self.version, self.correlation_id, response)
    }
}

/// A response, ready to send.
pub(crate) fn encode<R: Encodable + HeaderVersion>(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &R,
) -> Result<Bytes, FrameError> {
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    let header_version = R::header_version(version);
    let size = header.compute_size(header_version).map_err(failed(key))?
        + response.compute_size(version).map_err(failed(key))?;
    let mut bytes = BytesMut::with_capacity(4 + size);
    bytes.put_u32(u32::try_from(size).map_err(|_| FrameError::Size(i32::MAX))?);
    header.encode(&mut bytes, header_version).map_err(failed(key))?;
    response.encode(&mut bytes, version).map_err(failed(key))?;
    Ok(bytes.freeze())
}

fn failed<E: std::fmt::Display>(key: ApiKey) -> impl FnOnce(E) -> FrameError {
    move |error| FrameError::Response(key, error.to_string())
}

/// The key and version at the start of a request.
fn peek(bytes: &[u8]) -> Option<(i16, i16)> {
    let (key, rest) = bytes.split_first_chunk::<2>()?;
    let version = rest.first_chunk::<2>()?;
    Some((i16::from_be_bytes(*key), i16::from_be_bytes(*version)))
}
