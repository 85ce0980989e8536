//! Disks that are full: what is kept lies on small disks of its own, each filled up and freed again.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::brokers::Brokers;
use super::fleet::Fleet;
use super::harm::{Dice, pause};
use super::logs::Logs;

/// Far more than a run keeps. It takes memory only for what is written.
const SIZE: &str = "size=512m";
/// Longer than snapshots and commits are apart.
const FULL_FOR: Duration = Duration::from_secs(10);
/// How often a full disk is filled up again: its owner may take files away.
const TOP_UP_EVERY: Duration = Duration::from_millis(200);
/// So soon after there is room again everything must be ready.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How a log line may say that there is no room.
const ALARMS: [&str; 3] = ["No space left on device", "disk is full", "has no room"];

/// A file system in memory, at a folder of a run. It is gone when this is dropped.
pub(super) struct Disk {
    at: PathBuf,
    /// Whose logs say something when it is full: the beginning of their names.
    owner: &'static str,
}

impl Disk {
    /// Puts snapshots, the keeper's folder and our own broker's on disks of their own.
    pub(super) fn for_each_part(dir: &Path) -> anyhow::Result<Vec<Self>> {
        let parts =
            [("snapshots", "worker-"), (Fleet::KEEPER, Fleet::KEEPER), (Brokers::DATA, Brokers::DATA)];
        parts.into_iter().map(|(folder, owner)| Self::mount(dir.join(folder), owner)).collect()
    }

    fn mount(at: PathBuf, owner: &'static str) -> anyhow::Result<Self> {
        fs::create_dir_all(&at).with_context(|| format!("make {}", at.display()))?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(&at);
        let output = mount.output().context("start mount")?;
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "a disk of its own cannot be mounted: {}; run as root, or as one within a namespace: \
             unshare --user --map-root-user --mount cargo xtask faults ...",
            why.trim()
        );
        Ok(Self { at, owner })
    }

    /// Takes away what lies below a folder since a run that was killed.
    pub(super) fn unmount_below(dir: &Path) -> anyhow::Result<()> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split_whitespace().nth(1)).map(Path::new);
        points.filter(|at| at.starts_with(dir)).try_for_each(unmount)
    }

    fn fill(&self) -> anyhow::Result<Filler> {
        let path = self.at.join("filler");
        let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        let mut filler = Filler { file, path };
        filler.top_up()?;
        Ok(filler)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.at) {
            eprintln!("{} is left behind: {error:#}", self.at.display());
        }
    }
}

/// Lazily: where a run fails, its processes may end a moment later than its disks.
fn unmount(at: &Path) -> anyhow::Result<()> {
    let status = Command::new("umount").arg("--lazy").arg(at).status().context("start umount")?;
    ensure!(status.success(), "umount {}: {status}", at.display());
    Ok(())
}

/// A file that takes all the room there is, until this is dropped.
struct Filler {
    file: File,
    path: PathBuf,
}

impl Filler {
    fn top_up(&mut self) -> anyhow::Result<()> {
        // The last corner is filled page by page.
        for bytes in [1 << 20, 4_096] {
            loop {
                match self.file.write(&vec![0; bytes]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).with_context(|| format!("fill {}", self.path.display())),
                }
            }
        }
        Ok(())
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            eprintln!("{} is left behind: {error}", self.path.display());
        }
    }
}

/// Fills one disk after the other. Whoever lives on it must say so, and come back by itself.
pub(super) fn fill_each(fleet: &mut Fleet, dice: &mut Dice) -> anyhow::Result<()> {
    for number in 0..fleet.ground.disks.len() {
        pause(dice.millis(3_000));
        let disk = &fleet.ground.disks[number];
        let logs = Logs::from_now_on(fleet.dir(), disk.owner)?;
        let mut filler = disk.fill()?;
        let (began, mut always_ready) = (Instant::now(), true);
        while began.elapsed() < FULL_FOR {
            pause(TOP_UP_EVERY);
            filler.top_up()?;
            always_ready &= fleet.is_ready()?;
        }
        drop(filler);
        alarm(&disk.at, &logs)?;
        // The keeper alone serves how it is.
        ensure!(
            !always_ready || disk.owner != Fleet::KEEPER,
            "the keeper said that it was ready while its disk was full"
        );
        await_ready(fleet)?;
    }
    Ok(())
}

/// Without one nothing happened, or nobody would know.
fn alarm(disk: &Path, logs: &Logs) -> anyhow::Result<()> {
    let said: Vec<_> = logs
        .lines()?
        .into_iter()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .filter(|line| ALARMS.iter().any(|alarm| line.contains(alarm)))
        .collect();
    let Some(first) = said.first() else {
        bail!("nobody said that {} was full; did lines still come in (--lines)?", disk.display());
    };
    eprintln!("disk-full: {}: {} alarms, the first: {first}", disk.display(), said.len());
    Ok(())
}

fn await_ready(fleet: &mut Fleet) -> anyhow::Result<()> {
    let began = Instant::now();
    while !fleet.is_ready()? {
        ensure!(
            began.elapsed() < READY_WITHIN,
            "the keeper is not ready {READY_WITHIN:?} after there was room"
        );
        pause(TOP_UP_EVERY);
    }
    fleet.check_alive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = crate::program::target_dir().unwrap().join("faults-test").join(name);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_full_disk_that_nobody_complains_of_is_a_failure() {
        let dir = folder("alarm");
        let log = dir.join("keeper.log");
        let before = "WARN append failed: No space left on device\n";
        fs::write(&log, before).unwrap();
        let logs = Logs::from_now_on(&dir, "keeper").unwrap();
        fs::write(&log, format!("{before}INFO all is well\n")).unwrap();
        assert!(alarm(&dir, &logs).is_err());
        fs::write(&log, format!("{before}{before}")).unwrap();
        alarm(&dir, &logs).unwrap();
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_disk_that_is_filled_has_no_room_until_it_is_freed_and_is_gone_in_the_end() {
        let dir = folder("disk");
        let at = dir.join("keeper");
        let disk = match Disk::mount(at.clone(), "keeper") {
            Ok(disk) => disk,
            Err(why) => return eprintln!("skipped: {why:#}"),
        };
        let filler = disk.fill().unwrap();
        let full = fs::write(at.join("more"), "more").unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        drop(filler);
        fs::write(at.join("more"), "more").unwrap();
        drop(disk);
        assert_eq!(fs::read_dir(&at).unwrap().count(), 0);
        fs::remove_dir_all(dir).unwrap();
    }
}
