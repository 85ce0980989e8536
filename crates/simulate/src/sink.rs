//! Where a stage writes: outputs and positions in one transaction, each part of it a step.

use std::sync::Arc;

use event::Positions;
use pipeline::{OutRecord, Sink, SinkError};

use crate::log::{Member, ProducerId, Refused};
use crate::world::World;

pub(crate) struct SimSink {
    world: Arc<World>,
    worker: usize,
    producer: ProducerId,
    member: Member,
}

impl SimSink {
    /// Takes over the transactional id, as a process that starts does.
    pub(crate) fn new(world: &Arc<World>, worker: usize, transactional_id: &str, member: Member) -> Self {
        world.step(worker);
        let producer = world.shared().log.take_over(transactional_id);
        Self { world: Arc::clone(world), worker, producer, member }
    }

    fn transact(&self, records: &[OutRecord], positions: &Positions) -> Result<(), SinkError> {
        for record in records {
            if self.world.shared().happens(250) {
                self.world.step(self.worker);
            }
            let (now, time) = (self.world.now(), self.world.clock.now());
            self.world.shared().log.produce(&self.producer, record, time, now).map_err(named)?;
        }
        self.world.step(self.worker);
        let now = self.world.now();
        if !positions.is_empty() {
            let mut shared = self.world.shared();
            shared.log.pend_offsets(&self.producer, &self.member, positions, now).map_err(named)?;
        }
        self.world.step(self.worker);
        self.commit()
    }

    fn commit(&self) -> Result<(), SinkError> {
        let now = self.world.now();
        let mut shared = self.world.shared();
        let mishaps = shared.mishaps;
        if shared.happens(mishaps.aborted) {
            return Err(SinkError::Interrupted("the broker wants it aborted".into()));
        }
        shared.log.commit(&self.producer, now).map_err(named)?;
        let lost = shared.happens(mishaps.commit_answer_lost);
        drop(shared);
        self.world.step(self.worker);
        if lost { Err(SinkError::Interrupted("commit was done, its answer lost".into())) } else { Ok(()) }
    }
}

impl Sink<Vec<OutRecord>> for SimSink {
    fn deliver(&mut self, records: Vec<OutRecord>, positions: &Positions) -> Result<bool, SinkError> {
        if records.is_empty() && positions.is_empty() {
            return Ok(false);
        }
        match self.transact(&records, positions) {
            Ok(()) => Ok(true),
            Err(error) => {
                if matches!(error, SinkError::Interrupted(_)) {
                    self.world.step(self.worker);
                    let now = self.world.now();
                    // Too late to abort is as good as aborted.
                    self.world.shared().log.abort(&self.producer, now).ok();
                }
                Err(error)
            }
        }
    }
}

fn named(refused: Refused) -> SinkError {
    match refused {
        Refused::Fenced => SinkError::Fenced("another has taken over".into()),
        Refused::StaleMember => SinkError::Interrupted("its generation is over".into()),
    }
}
