//! Walks a request's fields before it is decoded, without allocating.
//!
//! The codec reserves memory for as many items as an array announces, so four hostile bytes
//! could end the process. Here every announced length is held against the bytes that are there.

use kafka_protocol::messages::ApiKey;

use self::Field::{Blob, Each, EachOf, Fixed, Only, Since, Text};

/// More tagged fields than this in one structure are hostile, or a mistake.
const TAGS_MAX: u32 = 64;

/// librdkafka 2.12 leaves three bytes behind a Metadata request for all topics.
const TRAILING_BYTES_MAX: usize = 16;

/// How many items a request may have: as many as what they cost allows.
fn items_max(key: ApiKey) -> usize {
    match key {
        // Each may create or change something on disk, or ask for a description of many parts.
        ApiKey::CreateTopics
        | ApiKey::DeleteTopics
        | ApiKey::CreatePartitions
        | ApiKey::AlterConfigs
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::DescribeConfigs
        | ApiKey::DescribeGroups
        | ApiKey::DeleteGroups
        | ApiKey::FindCoordinator
        | ApiKey::JoinGroup
        | ApiKey::LeaveGroup
        | ApiKey::ListGroups
        | ApiKey::ListTransactions
        | ApiKey::WriteTxnMarkers
        | ApiKey::DescribeTransactions => 10_000,
        // Each partition may tell of many producers.
        ApiKey::DescribeProducers => 1000,
        // Topics and partitions, of which there are no more.
        _ => 200_000,
    }
}

/// A field as it lies in a request.
enum Field {
    Fixed(usize),
    Text,
    Blob,
    /// An array of structures.
    Each(&'static [Field]),
    /// An array of plain values.
    EachOf(&'static Field),
    /// Present from this version on.
    Since(i16, &'static Field),
    /// Present in these versions, both included.
    Only(i16, i16, &'static Field),
}

/// The first version whose lengths are variable-length integers, and the fields.
fn shape_of(key: ApiKey) -> Option<(i16, &'static [Field])> {
    Some(match key {
        ApiKey::Produce => (9, &[Text, Fixed(2), Fixed(4), Each(&[Text, Each(&[Fixed(4), Blob])])]),
        ApiKey::Fetch => (12, FETCH),
        ApiKey::ListOffsets => (
            6,
            &[Fixed(4), Since(2, &Fixed(1)), Each(&[Text, Each(&[Fixed(4), Since(4, &Fixed(4)), Fixed(8)])])],
        ),
        ApiKey::Metadata => (9, &[Each(&[Text]), Since(4, &Fixed(1)), Since(8, &Fixed(2))]),
        ApiKey::OffsetCommit => (8, OFFSET_COMMIT),
        ApiKey::OffsetFetch => (6, OFFSET_FETCH),
        ApiKey::FindCoordinator => (3, &[Only(0, 3, &Text), Since(1, &Fixed(1)), Since(4, &EachOf(&Text))]),
        ApiKey::JoinGroup => (6, JOIN_GROUP),
        ApiKey::Heartbeat => (4, &[Text, Fixed(4), Text, Since(3, &Text)]),
        ApiKey::LeaveGroup => {
            (4, &[Text, Only(0, 2, &Text), Since(3, &Each(&[Text, Text, Since(5, &Text)]))])
        }
        ApiKey::SyncGroup => (
            4,
            &[Text, Fixed(4), Text, Since(3, &Text), Since(5, &Text), Since(5, &Text), Each(&[Text, Blob])],
        ),
        ApiKey::DescribeGroups => (5, &[EachOf(&Text), Since(3, &Fixed(1))]),
        ApiKey::ListGroups => (3, &[Since(4, &EachOf(&Text)), Since(5, &EachOf(&Text))]),
        ApiKey::SaslHandshake => (2, &[Text]),
        ApiKey::SaslAuthenticate => (2, &[Blob]),
        ApiKey::ApiVersions => (3, &[Since(3, &Text), Since(3, &Text)]),
        ApiKey::CreateTopics => (5, CREATE_TOPICS),
        ApiKey::DeleteTopics => (4, &[EachOf(&Text), Fixed(4)]),
        ApiKey::DeleteRecords => (2, &[Each(&[Text, Each(&[Fixed(4), Fixed(8)])]), Fixed(4)]),
        ApiKey::InitProducerId => (2, &[Text, Fixed(4), Since(3, &Fixed(10))]),
        ApiKey::AddPartitionsToTxn => (3, &[Text, Fixed(10), Each(&[Text, EachOf(&Fixed(4))])]),
        ApiKey::AddOffsetsToTxn => (3, &[Text, Fixed(10), Text]),
        ApiKey::EndTxn => (3, &[Text, Fixed(11)]),
        ApiKey::TxnOffsetCommit => (3, TXN_OFFSET_COMMIT),
        ApiKey::DescribeConfigs => {
            (4, &[Each(&[Fixed(1), Text, EachOf(&Text)]), Fixed(1), Since(3, &Fixed(1))])
        }
        ApiKey::AlterConfigs => (2, &[Each(&[Fixed(1), Text, Each(&[Text, Text])]), Fixed(1)]),
        ApiKey::IncrementalAlterConfigs => {
            (1, &[Each(&[Fixed(1), Text, Each(&[Text, Fixed(1), Text])]), Fixed(1)])
        }
        ApiKey::CreatePartitions => (2, &[Each(&[Text, Fixed(4), Each(&[EachOf(&Fixed(4))])]), Fixed(5)]),
        ApiKey::DeleteGroups => (2, &[EachOf(&Text)]),
        ApiKey::OffsetDelete => (i16::MAX, &[Text, Each(&[Text, EachOf(&Fixed(4))])]),
        ApiKey::DescribeLogDirs => (2, &[Each(&[Text, EachOf(&Fixed(4))])]),
        ApiKey::WriteTxnMarkers => (1, &[Each(&[Fixed(11), Each(&[Text, EachOf(&Fixed(4))]), Fixed(4)])]),
        ApiKey::DescribeCluster => (0, &[Fixed(1), Since(1, &Fixed(1))]),
        ApiKey::ConsumerGroupHeartbeat => (0, CONSUMER_GROUP_HEARTBEAT),
        ApiKey::DescribeProducers => (0, &[Each(&[Text, EachOf(&Fixed(4))])]),
        ApiKey::DescribeTransactions => (0, &[EachOf(&Text)]),
        ApiKey::ListTransactions => (0, &[EachOf(&Text), EachOf(&Fixed(8)), Since(1, &Fixed(8))]),
        _ => return None,
    })
}

const FETCH: &[Field] = &[
    Fixed(17),
    Since(7, &Fixed(8)),
    Each(&[
        Text,
        Each(&[Fixed(4), Since(9, &Fixed(4)), Fixed(8), Since(12, &Fixed(4)), Since(5, &Fixed(8)), Fixed(4)]),
    ]),
    Since(7, &Each(&[Text, EachOf(&Fixed(4))])),
    Since(11, &Text),
];

const OFFSET_COMMIT: &[Field] = &[
    Text,
    Fixed(4),
    Text,
    Since(7, &Text),
    Only(2, 4, &Fixed(8)),
    Each(&[Text, Each(&[Fixed(12), Since(6, &Fixed(4)), Text])]),
];

const OFFSET_FETCH: &[Field] = &[
    Only(1, 7, &Text),
    Only(1, 7, &Each(&[Text, EachOf(&Fixed(4))])),
    Since(8, &Each(&[Text, Each(&[Text, EachOf(&Fixed(4))])])),
    Since(7, &Fixed(1)),
];

const JOIN_GROUP: &[Field] =
    &[Text, Fixed(4), Since(1, &Fixed(4)), Text, Since(5, &Text), Text, Each(&[Text, Blob]), Since(8, &Text)];

const CONSUMER_GROUP_HEARTBEAT: &[Field] = &[
    Text,
    Text,
    Fixed(4),
    Text,
    Text,
    Fixed(4),
    EachOf(&Text),
    Since(1, &Text),
    Text,
    Each(&[Fixed(16), EachOf(&Fixed(4))]),
];

const CREATE_TOPICS: &[Field] =
    &[Each(&[Text, Fixed(6), Each(&[Fixed(4), EachOf(&Fixed(4))]), Each(&[Text, Text])]), Fixed(5)];

const TXN_OFFSET_COMMIT: &[Field] = &[
    Text,
    Text,
    Fixed(10),
    Since(3, &Fixed(4)),
    Since(3, &Text),
    Since(3, &Text),
    Each(&[Text, Each(&[Fixed(12), Since(2, &Fixed(4)), Text])]),
];

/// Whether the body of a request holds what its lengths announce, and little else.
pub(crate) fn fits(key: ApiKey, version: i16, body: &[u8]) -> bool {
    let Some((flexible_from, fields)) = shape_of(key) else { return false };
    let mut walk =
        Walk { left: body, items_left: items_max(key), version, is_flexible: version >= flexible_from };
    walk.structure(fields).is_some() && walk.left.len() <= TRAILING_BYTES_MAX
}

/// A walk over a body; `None` from any step means that something is missing.
struct Walk<'a> {
    left: &'a [u8],
    items_left: usize,
    version: i16,
    is_flexible: bool,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Option<()> {
        for field in fields {
            self.field(field)?;
        }
        if self.is_flexible {
            self.tags()?;
        }
        Some(())
    }

    fn field(&mut self, field: &Field) -> Option<()> {
        match field {
            Fixed(bytes) => self.skip(*bytes),
            Text => {
                let length = if self.is_flexible { self.compact_length() } else { self.short_length() }?;
                self.skip(length)
            }
            Blob => {
                let length = self.length()?;
                self.skip(length)
            }
            Each(fields) => (0..self.count()?).try_for_each(|_| self.structure(fields)),
            EachOf(field) => (0..self.count()?).try_for_each(|_| self.field(field)),
            Since(version, field) if self.version >= *version => self.field(field),
            Only(first, last, field) if (*first..=*last).contains(&self.version) => self.field(field),
            Since(..) | Only(..) => Some(()),
        }
    }

    /// Tags are numbers with values, both of which the codec bounds itself.
    fn tags(&mut self) -> Option<()> {
        let count = self.varint().filter(|&count| count <= TAGS_MAX)?;
        for _ in 0..count {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length as usize)?;
        }
        Some(())
    }

    fn count(&mut self) -> Option<usize> {
        let count = self.length()?;
        self.items_left = self.items_left.checked_sub(count)?;
        (count <= self.left.len()).then_some(count)
    }

    /// The length of a blob or an array; an absent one has none.
    fn length(&mut self) -> Option<usize> {
        if self.is_flexible {
            return self.compact_length();
        }
        let (length, left) = self.left.split_first_chunk::<4>()?;
        self.left = left;
        present(i64::from(i32::from_be_bytes(*length)))
    }

    fn short_length(&mut self) -> Option<usize> {
        let (length, left) = self.left.split_first_chunk::<2>()?;
        self.left = left;
        present(i64::from(i16::from_be_bytes(*length)))
    }

    fn compact_length(&mut self) -> Option<usize> {
        present(i64::from(self.varint()?) - 1)
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, left) = self.left.split_first()?;
            self.left = left;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.left = self.left.get(bytes..)?;
        Some(())
    }
}

/// -1 stands for an absent value; other negative lengths for nonsense.
fn present(length: i64) -> Option<usize> {
    if length == -1 { Some(0) } else { usize::try_from(length).ok() }
}

#[cfg(test)]
pub(crate) mod tests;
