//! The journal's file: length, checksum and JSON of each record.

use std::io;
use std::path::Path;

use super::record::Record;
use super::state::State;
use crate::disk::{DataFile, sync_directory};
use crate::error::BrokerError;

const FRAME_BYTES: usize = 8;

/// Why some bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Cut short, or not what its checksum says: as a crash leaves the end of a file.
    Torn,
    /// As it was written, but not understood.
    Unknown,
}

/// Appends a record's frame to `bytes`.
pub(crate) fn encode(record: &Record, bytes: &mut Vec<u8>) {
    let begin = bytes.len();
    bytes.extend_from_slice(&[0; FRAME_BYTES]);
    serde_json::to_writer(&mut *bytes, record).expect("records have string keys, and a Vec takes all bytes");
    let body = &bytes[begin + FRAME_BYTES..];
    let (length, crc) = (body.len() as u32, crc32c::crc32c(body));
    bytes[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    bytes[begin + 4..begin + FRAME_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// The record at the start of `bytes`, and how many bytes it takes.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Record, usize), Broken> {
    let body = whole_body(bytes).ok_or(Broken::Torn)?;
    let record = serde_json::from_slice(body).map_err(|_| Broken::Unknown)?;
    Ok((record, FRAME_BYTES + body.len()))
}

/// What a whole frame holds. Zeros, as a crash may leave them, are none.
fn whole_body(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
    (!body.is_empty() && crc32c::crc32c(body) == u32::from_le_bytes(*crc)).then_some(body)
}

/// What a journal amounts to. What was not synced may be torn, and is then kept beside it; anything
/// else that cannot be read is damage, and not for us to guess about.
pub(crate) fn load(path: &Path) -> Result<State, BrokerError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        Err(error) => return Err(BrokerError::storage("read", path)(error)),
    };
    let mut state = State::default();
    let (mut at, mut synced_bytes) = (0, 0);
    while at < bytes.len() {
        match decode(&bytes[at..]) {
            Ok((record, length)) => {
                if let Record::Synced { bytes } = record {
                    synced_bytes = bytes;
                }
                state.apply(&record);
                at += length;
            }
            Err(Broken::Torn) if at as u64 >= synced_bytes && !is_synced_beyond(at, &bytes) => {
                set_aside(path, at, &bytes[at..]);
                break;
            }
            Err(broken) => return Err(damaged(path, at, broken)),
        }
    }
    Ok(state)
}

/// Whether something behind says that what is at `at` was synced. A journal gets its name once its
/// first record is synced, so before that nothing can be torn.
fn is_synced_beyond(at: usize, bytes: &[u8]) -> bool {
    let says_so = |from: usize| {
        let begins = bytes.get(from + FRAME_BYTES) == Some(&b'{');
        begins && matches!(decode(&bytes[from..]), Ok((Record::Synced { bytes }, _)) if bytes > at as u64)
    };
    at == 0 || (at + 1..bytes.len()).any(says_so)
}

fn set_aside(path: &Path, position: usize, torn: &[u8]) {
    let (cut, lost_bytes) = (path.with_extension("cut"), torn.len());
    tracing::warn!(path = %path.display(), position, lost_bytes, cut = %cut.display(),
        "journal was torn; cut after its last whole record");
    if let Err(error) = std::fs::write(&cut, torn) {
        tracing::warn!(%error, cut = %cut.display(), "cannot keep what was cut off the journal");
    }
}

fn damaged(path: &Path, at: usize, broken: Broken) -> BrokerError {
    let path = path.display();
    let what = match broken {
        Broken::Torn => "its checksum does not hold, though it was synced",
        Broken::Unknown => "it is not a record that this version knows; a newer version may have written it",
    };
    BrokerError::Damaged(format!(
        "record at byte {at} of {path} cannot be read: {what}. Put a copy of the journal in its place, or \
         start the version that wrote it. If there is none, `truncate --size {at} {path}` keeps what comes \
         before it; topics that are then not known are moved to `removed`, not deleted"
    ))
}

/// The records' frames, one after another.
pub(crate) fn encode_all(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        encode(record, &mut bytes);
    }
    bytes
}

/// A whole journal: what the state amounts to, and first that all of it is synced.
pub(crate) fn encode_state(state: &State) -> Vec<u8> {
    let records = encode_all(&state.to_records());
    let (mut head, mut bytes) = (Vec::new(), 0);
    // How long the number is adds to what it counts.
    while bytes != (head.len() + records.len()) as u64 {
        bytes = (head.len() + records.len()) as u64;
        head.clear();
        encode(&Record::Synced { bytes }, &mut head);
    }
    [head, records].concat()
}

/// A journal that may take the old one's place, durable and open for appending.
pub(crate) fn prepare(path: &Path, content: &[u8]) -> io::Result<DataFile> {
    let file = DataFile::create(&path.with_extension("next"))?;
    file.append(content, &[])?;
    file.sync()?;
    Ok(file)
}

/// Puts the prepared journal in the old one's place. It is in use from here on, so an error is final.
pub(crate) fn replace(path: &Path, with: &mut DataFile) -> io::Result<()> {
    with.rename(path)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}
