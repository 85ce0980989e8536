use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::intake::Reservation;
use crate::shares::Shares;

const LIMITS: Limits = Limits { compressed_bytes_max: 64 << 10, bytes_max: 1 << 20 };

fn reservation(bytes: usize) -> Reservation {
    Shares::new(bytes, bytes).open(event::Tenant::parse("acme").unwrap())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

/// Reads a body that comes in pieces of so many bytes.
async fn read_in(piece: usize, body: &[u8], encoding: Encoding) -> Result<Bytes, ApiError> {
    let pieces: Vec<Result<Bytes, ApiError>> =
        body.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let body = Body::from_stream(futures::stream::iter(pieces));
    read(body, encoding, LIMITS, &mut reservation(64 << 20)).await
}

async fn status(body: &[u8], encoding: Encoding) -> &'static str {
    match read_in(1 << 10, body, encoding).await {
        Ok(_) => "ok",
        Err(ApiError::BadRequest(_)) => "bad request",
        Err(ApiError::TooLarge(_)) => "too large",
        Err(ApiError::TooManyRequests { .. }) => "too many",
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_was_compressed_comes_out_however_it_was_cut() {
    let lines = "{\"a\":1}\n".repeat(10_000).into_bytes();
    for piece in [1, 7, 1 << 20] {
        assert_eq!(read_in(piece, &gzip(&lines), Encoding::Gzip).await.unwrap(), lines);
        assert_eq!(read_in(piece, &zstd(&lines), Encoding::Zstd).await.unwrap(), lines);
        assert_eq!(read_in(piece, &lines, Encoding::Identity).await.unwrap(), lines);
    }
}

#[tokio::test]
async fn members_and_frames_may_follow_each_other() {
    let twice = |compressed: Vec<u8>| [compressed.clone(), compressed].concat();
    assert_eq!(read_in(5, &twice(gzip(b"one\n")), Encoding::Gzip).await.unwrap(), "one\none\n");
    assert_eq!(read_in(5, &twice(zstd(b"one\n")), Encoding::Zstd).await.unwrap(), "one\none\n");
}

#[tokio::test]
async fn a_bomb_is_too_large() {
    let zeros = vec![0; 8 << 20];
    assert_eq!(status(&gzip(&zeros), Encoding::Gzip).await, "too large");
    assert_eq!(status(&zstd(&zeros), Encoding::Zstd).await, "too large");
    assert_eq!(status(&zeros, Encoding::Identity).await, "too large");
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused_wherever_it_ends() {
    let lines: Vec<u8> = (0..2_000_u32).flat_map(|n| format!("line {}\n", n * n).into_bytes()).collect();
    for (compressed, encoding) in [(gzip(&lines), Encoding::Gzip), (zstd(&lines), Encoding::Zstd)] {
        for end in (1..compressed.len()).step_by(97).chain([compressed.len() - 1]) {
            assert_eq!(status(&compressed[..end], encoding).await, "bad request", "{encoding:?} at {end}");
        }
    }
}

#[tokio::test]
async fn what_is_not_compressed_as_it_says_is_refused() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        assert_eq!(status(b"{\"plain\": true}\n", encoding).await, "bad request");
        assert_eq!(status(b"", encoding).await, "ok", "nothing is nothing, however compressed");
    }
}

#[tokio::test]
async fn a_window_that_would_take_much_memory_is_refused() {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_parameter(::zstd::zstd_safe::CParameter::WindowLog(26)).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(b"line\n").unwrap();
    let body = encoder.finish().unwrap();
    assert_eq!(status(&body, Encoding::Zstd).await, "bad request");
}

#[tokio::test]
async fn what_is_held_is_bounded_and_given_back() {
    let shares = Shares::new(100 << 10, 100 << 10);
    let acme = event::Tenant::parse("acme").unwrap();
    let mut full = shares.open(acme.clone());
    let body = gzip(&vec![b'x'; 1 << 20]);
    let result = read(Body::from(body), Encoding::Gzip, LIMITS, &mut full).await;
    assert!(matches!(result, Err(ApiError::TooManyRequests { .. })), "{result:?}");
    drop(full);
    assert!(shares.open(acme).grow(100 << 10));
}
