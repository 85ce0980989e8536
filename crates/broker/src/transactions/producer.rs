//! One transactional id: who owns it, and what its transaction has touched. No I/O, no clock.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;

use crate::journal::record::{FormerRecord, PartitionName, ProducerRecord};
use crate::journal::state;
use crate::log::marker::Producer;

/// The owner of a transactional id, and where its transaction stands.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) producer: Producer,
    pub(crate) timeout_ms: i32,
    /// What the same client was before, and may still believe to be: the answer that told it
    /// otherwise was lost, or its transaction took too long.
    pub(crate) former: Option<Former>,
    pub(crate) phase: Phase,
    /// How the last transaction ended, for a producer that asks again.
    pub(crate) last_committed: Option<bool>,
}

/// An owner before its epoch was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Former {
    pub(crate) producer: Producer,
    pub(crate) timed_out: bool,
}

/// What a client that asks for a new epoch is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The owner; it gets the next epoch.
    Present,
    /// The owner, without knowing it: it gets the present epoch, which no one has used.
    Unaware,
}

/// Where a transaction stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// None has begun.
    Idle,
    /// It may grow, or be ended.
    Open(Touched),
    /// Its end is being written.
    Ending(Touched),
}

/// What a transaction has touched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    pub(crate) began_at_ms: i64,
    pub(crate) partitions: BTreeSet<PartitionName>,
    pub(crate) offsets: BTreeMap<String, BTreeSet<PartitionName>>,
}

impl Owner {
    pub(crate) fn new(producer: Producer, timeout_ms: i32) -> Self {
        Self { producer, timeout_ms, former: None, phase: Phase::Idle, last_committed: None }
    }

    /// As the journal knows it.
    pub(crate) fn restored(saved: &state::Producer) -> Self {
        let producer = Producer { id: saved.record.producer_id, epoch: saved.record.epoch };
        Self {
            producer,
            timeout_ms: saved.record.timeout_ms,
            former: saved.record.former.map(|former| Former {
                producer: Producer { id: former.producer_id, epoch: former.epoch },
                timed_out: former.timed_out,
            }),
            phase: saved
                .ongoing
                .as_ref()
                .map_or(Phase::Idle, |ongoing| Phase::Open(Touched::restored(ongoing))),
            last_committed: saved.last_committed,
        }
    }

    pub(crate) fn record(&self, transactional_id: &str) -> ProducerRecord {
        ProducerRecord {
            transactional_id: transactional_id.to_owned(),
            producer_id: self.producer.id,
            epoch: self.producer.epoch,
            timeout_ms: self.timeout_ms,
            former: self.former.map(|former| FormerRecord {
                producer_id: former.producer.id,
                epoch: former.producer.epoch,
                timed_out: former.timed_out,
            }),
        }
    }

    /// Judges a client that asks for a new epoch and says what it believes to be.
    pub(crate) fn claim(&self, believed: Producer) -> Result<Claim, ResponseError> {
        let is_former = self.former.is_some_and(|former| former.producer == believed);
        match self.phase {
            _ if believed == self.producer => Ok(Claim::Present),
            Phase::Idle if is_former => Ok(Claim::Unaware),
            Phase::Ending(_) if is_former => Err(ResponseError::ConcurrentTransactions),
            _ if believed.id != self.producer.id => Err(ResponseError::InvalidProducerIdMapping),
            _ => Err(ResponseError::ProducerFenced),
        }
    }

    /// Refuses anyone but the present owner.
    pub(crate) fn check(&self, producer: Producer) -> Result<(), ResponseError> {
        if self.former == Some(Former { producer, timed_out: true }) {
            // Not fenced by another: it may abort, ask for its new epoch and go on.
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if producer.id != self.producer.id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if producer.epoch != self.producer.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(())
    }

    /// The open transaction, begun now if there is none.
    pub(crate) fn open(&mut self, producer: Producer, now_ms: i64) -> Result<&mut Touched, ResponseError> {
        self.check(producer)?;
        if let Phase::Idle = self.phase {
            self.phase = Phase::Open(Touched { began_at_ms: now_ms, ..Touched::default() });
        }
        self.open_already()
    }

    /// The open transaction, if there is one.
    pub(crate) fn open_already(&mut self) -> Result<&mut Touched, ResponseError> {
        match &mut self.phase {
            Phase::Open(touched) => Ok(touched),
            Phase::Idle => Err(ResponseError::InvalidTxnState),
            Phase::Ending(_) => Err(ResponseError::ConcurrentTransactions),
        }
    }

    /// Refuses records for partitions that the transaction has not announced.
    pub(crate) fn check_produce(&self, producer: Producer, to: &PartitionName) -> Result<(), ResponseError> {
        self.check(producer)?;
        match &self.phase {
            Phase::Open(touched) if touched.partitions.contains(to) => Ok(()),
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    /// When the transaction is aborted unless it ends before.
    pub(crate) fn deadline_ms(&self) -> Option<i64> {
        match &self.phase {
            Phase::Open(touched) => Some(touched.began_at_ms.saturating_add(i64::from(self.timeout_ms))),
            Phase::Idle | Phase::Ending(_) => None,
        }
    }

    /// The name that Kafka's tools know. How a transaction that is ending will end is the
    /// journal's to know; until it is marked, its readers wait either way.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.phase, self.last_committed) {
            (Phase::Open(_), _) => "Ongoing",
            (Phase::Ending(_), Some(true)) => "PrepareCommit",
            (Phase::Ending(_), _) => "PrepareAbort",
            (Phase::Idle, Some(true)) => "CompleteCommit",
            (Phase::Idle, Some(false)) => "CompleteAbort",
            (Phase::Idle, None) => "Empty",
        }
    }

    /// What an open or ending transaction has touched.
    pub(crate) fn touched(&self) -> Option<&Touched> {
        match &self.phase {
            Phase::Open(touched) | Phase::Ending(touched) => Some(touched),
            Phase::Idle => None,
        }
    }
}

impl Touched {
    fn restored(saved: &state::Ongoing) -> Self {
        let names = |(group, offsets): (&String, &Vec<crate::journal::record::OffsetRecord>)| {
            (group.clone(), offsets.iter().map(|offset| offset.of.clone()).collect())
        };
        Self {
            began_at_ms: saved.began_at_ms,
            partitions: saved.partitions.iter().cloned().collect(),
            offsets: saved.offsets.iter().map(names).collect(),
        }
    }
}
