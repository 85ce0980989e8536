//! A request body, read and decompressed as it arrives, within bounds.
//!
//! The compressed bytes are never kept, and the decompressed ones never exceed the limit: a bomb is
//! noticed at the first byte too many, not after it has gone off.

use std::io::{self, ErrorKind, Write};

use axum::body::Body;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures::StreamExt;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder};
use zstd::stream::zio;

use super::Reservation;
use crate::error::ApiError;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// The encoding that a `Content-Encoding` header names; a list of several is none we take.
    pub(crate) fn parse(header: Option<&str>) -> Option<Self> {
        match header.unwrap_or("identity").trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The most bytes of one body, as it travels and as it is.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) compressed_bytes_max: usize,
    pub(crate) bytes_max: usize,
}

impl Limits {
    /// Refuses a body of which so many bytes came, or are announced. One that is not compressed is as
    /// large as it will be, so only the other limit counts.
    pub(crate) fn check_received(self, bytes: usize, encoding: Encoding) -> Result<(), ApiError> {
        let bytes_max = match encoding {
            Encoding::Identity => self.bytes_max,
            Encoding::Gzip | Encoding::Zstd => self.compressed_bytes_max,
        };
        if bytes > bytes_max {
            return Err(ApiError::TooLarge(format!(
                "the body is larger than {bytes_max} bytes; send it in parts"
            )));
        }
        Ok(())
    }
}

/// Zstandard frames may ask for a window of their own size to look back into; larger ones than this
/// power of two are refused. Level 19 uses 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Bytes decompressed before other tasks of the thread get their turn.
const TURN_BYTES: usize = 256 << 10;

/// Reads a body to its end. What it takes is booked on `reservation`, which outlives the bytes.
pub(crate) async fn read(
    body: Body,
    encoding: Encoding,
    limits: Limits,
    reservation: &mut Reservation,
) -> Result<Bytes, ApiError> {
    let mut decoder = Decoder::new(encoding, Bounded::new(limits.bytes_max, reservation))?;
    let mut chunks = body.into_data_stream();
    let mut received = 0;
    let mut since_turn = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(ApiError::broken_body)?;
        received += chunk.len();
        limits.check_received(received, encoding)?;
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let before = decoder.written();
            let taken = decoder.write(rest).map_err(|error| decode_error(&error, encoding, limits))?;
            rest = &rest[taken..];
            since_turn += decoder.written() - before;
            if since_turn > TURN_BYTES {
                since_turn = 0;
                tokio::task::yield_now().await;
            }
        }
    }
    decoder.finish().map_err(|error| decode_error(&error, encoding, limits)).map(Bytes::from)
}

fn decode_error(error: &io::Error, encoding: Encoding, limits: Limits) -> ApiError {
    match error.kind() {
        ErrorKind::FileTooLarge => ApiError::TooLarge(format!(
            "the body is larger than {} bytes once decompressed; send it in parts",
            limits.bytes_max
        )),
        ErrorKind::QuotaExceeded => ApiError::intake_full(),
        _ => ApiError::BadRequest(match encoding {
            Encoding::Identity => "the body could not be read".to_owned(),
            Encoding::Gzip => "the body is not whole, valid gzip".to_owned(),
            Encoding::Zstd => "the body is not whole, valid zstd with a window of at most 8 MiB".to_owned(),
        }),
    }
}

/// One of the decoders, each writing into a bounded buffer.
enum Decoder<'a> {
    Identity(Bounded<'a>),
    Gzip { decoder: Box<MultiGzDecoder<Bounded<'a>>>, begun: bool },
    Zstd { decoder: Box<zio::Writer<Bounded<'a>, ZstdDecoder<'static>>>, begun: bool },
}

impl<'a> Decoder<'a> {
    fn new(encoding: Encoding, out: Bounded<'a>) -> Result<Self, ApiError> {
        Ok(match encoding {
            Encoding::Identity => Self::Identity(out),
            Encoding::Gzip => Self::Gzip { decoder: Box::new(MultiGzDecoder::new(out)), begun: false },
            Encoding::Zstd => {
                if !out.reservation.grow(1 << ZSTD_WINDOW_LOG_MAX) {
                    return Err(ApiError::intake_full());
                }
                let mut zstd = ZstdDecoder::new().map_err(ApiError::internal)?;
                zstd.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))
                    .map_err(ApiError::internal)?;
                Self::Zstd { decoder: Box::new(zio::Writer::new(out, zstd)), begun: false }
            }
        })
    }

    /// Takes some of the bytes; says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Identity(out) => out.write(bytes),
            Self::Gzip { decoder, begun } => {
                *begun = true;
                decoder.write(bytes)
            }
            Self::Zstd { decoder, begun } => {
                *begun = true;
                decoder.write(bytes)
            }
        }
    }

    /// How many bytes came out so far.
    fn written(&self) -> usize {
        match self {
            Self::Identity(out) => out.bytes.len(),
            Self::Gzip { decoder, .. } => decoder.get_ref().bytes.len(),
            Self::Zstd { decoder, .. } => decoder.writer().bytes.len(),
        }
    }

    /// The bytes, if the compressed stream is whole. No bytes at all are a whole stream of nothing.
    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Identity(out) => Ok(out.bytes),
            Self::Gzip { begun: false, .. } | Self::Zstd { begun: false, .. } => Ok(Vec::new()),
            Self::Gzip { decoder, .. } => Ok(decoder.finish()?.bytes),
            Self::Zstd { mut decoder, .. } => {
                decoder.finish()?;
                Ok(decoder.into_inner().0.bytes)
            }
        }
    }
}

/// A buffer that takes so many bytes and no more, and books its capacity before it grows.
struct Bounded<'a> {
    bytes: Vec<u8>,
    bytes_max: usize,
    reservation: &'a mut Reservation,
}

impl<'a> Bounded<'a> {
    fn new(bytes_max: usize, reservation: &'a mut Reservation) -> Self {
        Self { bytes: Vec::new(), bytes_max, reservation }
    }
}

impl Write for Bounded<'_> {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let needed = self.bytes.len() + more.len();
        if needed > self.bytes_max {
            return Err(ErrorKind::FileTooLarge.into());
        }
        if needed > self.bytes.capacity() {
            let capacity = needed.max(self.bytes.capacity() * 2).max(16 << 10).min(self.bytes_max);
            if !self.reservation.grow(capacity - self.bytes.capacity()) {
                return Err(ErrorKind::QuotaExceeded.into());
            }
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
