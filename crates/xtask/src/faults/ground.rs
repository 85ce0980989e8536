//! What a fault needs before the processes start, and what it needs of the machine.

use std::path::Path;

use anyhow::ensure;

use super::clock::Clocks;
use super::disk::Disk;
use super::harm::Harm;

/// It is taken away again when it is dropped.
#[derive(Default)]
pub(super) struct Ground {
    pub(super) disks: Vec<Disk>,
    pub(super) clocks: Option<Clocks>,
}

impl Ground {
    /// Fails where this machine lacks something, and says how to get it.
    pub(super) fn prepare(harm: Harm, dir: &Path, is_kafka: bool) -> anyhow::Result<Self> {
        let mut ground = Self::default();
        match harm {
            Harm::DiskFull => {
                ground.disks = Disk::for_each_part(dir)?;
                // Kafka's brokers keep their logs elsewhere; what they do on a full disk is theirs.
                ground.disks.truncate(if is_kafka { 2 } else { 3 });
            }
            Harm::LoseBroker => ensure!(is_kafka, "it takes three brokers: give --kafka"),
            Harm::Clock => ground.clocks = Some(Clocks::find(dir)?),
            _ => {}
        }
        Ok(ground)
    }
}
