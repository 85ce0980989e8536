//! Record batches made by hand, so that a test can get any field wrong.

/// A v2 record batch.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) base_offset: i64,
    pub(crate) magic: i8,
    /// Of the bytes after this field; `None` takes what is right.
    pub(crate) length: Option<i32>,
    /// `None` takes what is right.
    pub(crate) crc: Option<u32>,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
    pub(crate) records: Vec<u8>,
}

pub(crate) const GZIP: i16 = 1;
pub(crate) const SNAPPY: i16 = 2;
pub(crate) const LZ4: i16 = 3;
pub(crate) const ZSTD: i16 = 4;
pub(crate) const TRANSACTIONAL: i16 = 0x10;
pub(crate) const CONTROL: i16 = 0x20;

impl Batch {
    /// A sound batch of so many small records, without a producer id.
    pub(crate) fn of(count: u8) -> Self {
        // Lengths are zig-zag: eight bytes of record, no key, a value of two bytes, no headers.
        let records = (0..count).flat_map(|delta| [16, 0, 0, delta * 2, 1, 4, b'v', b'0' + delta, 0]);
        Self {
            base_offset: 0,
            magic: 2,
            length: None,
            crc: None,
            attributes: 0,
            last_offset_delta: i32::from(count) - 1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: i32::from(count),
            records: records.collect(),
        }
    }

    /// The same of an idempotent producer.
    pub(crate) fn by(self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        Self { producer_id, producer_epoch, base_sequence, ..self }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut checked = Vec::new();
        checked.extend_from_slice(&self.attributes.to_be_bytes());
        checked.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        checked.extend_from_slice(&[now_ms().to_be_bytes(); 2].concat());
        checked.extend_from_slice(&self.producer_id.to_be_bytes());
        checked.extend_from_slice(&self.producer_epoch.to_be_bytes());
        checked.extend_from_slice(&self.base_sequence.to_be_bytes());
        checked.extend_from_slice(&self.record_count.to_be_bytes());
        checked.extend_from_slice(&self.records);
        let length = self.length.unwrap_or(checked.len() as i32 + 9);
        let crc = self.crc.unwrap_or_else(|| crc32c::crc32c(&checked));
        let mut bytes = self.base_offset.to_be_bytes().to_vec();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&(-1_i32).to_be_bytes()); // leader epoch
        bytes.extend_from_slice(&self.magic.to_be_bytes());
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes.extend_from_slice(&checked);
        bytes
    }
}

/// Real Kafka refuses times that lie far from its own.
fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}
