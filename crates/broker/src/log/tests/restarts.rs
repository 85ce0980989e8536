//! A start knows from checkpoint and indexes what it would know from the records.

use super::*;

/// A record of a producer that numbers what it sends.
fn numbered_batch(id: i64, sequence: i32) -> Vec<u8> {
    let mut batch = batch(1, 60);
    batch[43..51].copy_from_slice(&id.to_be_bytes());
    batch[51..53].fill(0);
    batch[53..57].copy_from_slice(&sequence.to_be_bytes());
    sealed(batch)
}

/// Thirty batches in several segments, all of them before the checkpoint.
fn checkpointed(dir: &Path) {
    let mut log = Log::open(dir, 0).unwrap();
    for sequence in 0..30 {
        append(&mut log, &numbered_batch(5, sequence));
        append(&mut log, &batch(1, 200));
    }
    checkpoint(&mut log);
    assert!(log.segments.len() > 3);
}

#[test]
fn a_start_does_not_read_what_came_before_the_checkpoint() {
    let dir = TempDir::new().unwrap();
    checkpointed(dir.path());
    for path in files(dir.path(), "log") {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100..200].fill(0); // which a look at the records would notice
        std::fs::write(&path, bytes).unwrap();
    }
    let log = Log::open(dir.path(), 0).unwrap();
    assert_eq!(log.end_offset(), 60);
    assert!(files(dir.path(), "cut").is_empty());
}

#[test]
fn an_index_that_is_missing_or_not_right_is_made_again() {
    let damages: [fn(&Path); 5] = [
        |index| std::fs::remove_file(index).unwrap(),
        |index| std::fs::write(index, []).unwrap(),
        |index| std::fs::write(index, [&std::fs::read(index).unwrap()[..], b"more"].concat()).unwrap(),
        |index| {
            let mut bytes = std::fs::read(index).unwrap();
            bytes[12] ^= 1;
            std::fs::write(index, bytes).unwrap();
        },
        |index| {
            let of_another = files(index.parent().unwrap(), "index").pop().unwrap();
            std::fs::copy(of_another, index).unwrap();
        },
    ];
    for damage in damages {
        let dir = TempDir::new().unwrap();
        checkpointed(dir.path());
        let indexes = || files(dir.path(), "index").iter().map(|path| std::fs::read(path).unwrap()).collect();
        let before: Vec<_> = indexes();
        damage(&files(dir.path(), "index")[1]);
        let log = Log::open(dir.path(), 0).unwrap();
        assert_eq!(base_offsets(&log), (0..60).collect::<Vec<_>>());
        let after: Vec<_> = indexes();
        assert!(after == before);
    }
}

#[test]
fn a_repeated_batch_is_known_though_its_records_were_not_read() {
    let dir = TempDir::new().unwrap();
    checkpointed(dir.path());
    let mut log = Log::open(dir.path(), 0).unwrap();
    assert!(append(&mut log, &numbered_batch(5, 29)).repeated);
    assert_eq!(append(&mut log, &numbered_batch(5, 30)).base_offset, 60);
}

#[test]
fn a_checkpoint_from_before_records_that_are_deleted_judges_no_producer() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    append(&mut log, &numbered_batch(5, 0));
    checkpoint(&mut log);
    append(&mut log, &numbered_batch(5, 1));
    append(&mut log, &batch(1, 10));
    log.delete_before(3).unwrap();
    drop(log);
    let mut log = Log::open(dir.path(), 0).unwrap();
    assert_eq!(append(&mut log, &numbered_batch(5, 2)).base_offset, 3);
}

#[test]
fn records_that_are_there_again_after_their_deletion_judge_no_producer() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    for sequence in 0..30 {
        append(&mut log, &numbered_batch(5, sequence));
    }
    let oldest = files(dir.path(), "log")[0].clone();
    let bytes = std::fs::read(&oldest).unwrap();
    log.delete_before(30).unwrap();
    drop(log);
    std::fs::write(oldest, bytes).unwrap(); // a power cut took back its deletion
    let mut log = Log::open(dir.path(), 0).unwrap();
    assert_eq!(append(&mut log, &numbered_batch(5, 30)).base_offset, 30);
}

#[test]
fn an_index_goes_with_its_segment() {
    let dir = TempDir::new().unwrap();
    checkpointed(dir.path());
    let mut log = Log::open(dir.path(), 0).unwrap();
    log.delete_before(60).unwrap();
    assert_eq!(files(dir.path(), "log").len(), 1);
    assert!(files(dir.path(), "index").is_empty());
}

#[test]
fn a_checkpoint_is_written_though_an_index_is_gone() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    append(&mut log, &numbered_batch(5, 0));
    checkpoint(&mut log);
    index::forget(log.segments[0].path()).unwrap();
    append(&mut log, &numbered_batch(5, 1));
    checkpoint(&mut log);
    drop(log);
    assert_eq!(Checkpoint::read(dir.path()).end_offset, 2);
    let log = Log::open(dir.path(), 0).unwrap();
    assert_eq!(base_offsets(&log), [0, 1]);
    assert_eq!(files(dir.path(), "index").len(), 1);
}

#[test]
fn what_a_crash_left_half_done_is_removed() {
    let dir = TempDir::new().unwrap();
    checkpointed(dir.path());
    for name in ["checkpoint.next", "00000000000000000007.next", "00000000000000000007.index"] {
        std::fs::write(dir.path().join(name), "half").unwrap();
    }
    let before = files(dir.path(), "index").len();
    drop(Log::open(dir.path(), 0).unwrap());
    assert!(files(dir.path(), "next").is_empty());
    assert_eq!(files(dir.path(), "index").len(), before - 1);
}

/// What is done to a log.
#[derive(Debug, Clone)]
enum Step {
    Plain(usize),
    Numbered(i64),
    InTransaction(i64),
    End(i64, bool),
    Checkpoint,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        3 => (0..400_usize).prop_map(Step::Plain),
        3 => (1..4_i64).prop_map(Step::Numbered),
        3 => (11..14_i64).prop_map(Step::InTransaction),
        2 => (11..14_i64, any::<bool>()).prop_map(|(id, commits)| Step::End(id, commits)),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(one, 1..60)
}

/// Takes the steps; `sequences` counts what each producer sent.
fn take(dir: &Path, steps: &[Step]) {
    let mut log = Log::open(dir, 0).unwrap();
    let mut sequences = [0; 14];
    for step in steps {
        match *step {
            Step::Plain(body_bytes) => drop(append(&mut log, &batch(1, body_bytes))),
            Step::Numbered(id) => {
                append(&mut log, &numbered_batch(id, sequences[id as usize]));
                sequences[id as usize] += 1;
            }
            Step::InTransaction(id) => {
                let producer = Producer { id, epoch: 0 };
                append(&mut log, &transactional_batch(producer, sequences[id as usize]));
                sequences[id as usize] += 1;
            }
            Step::End(id, commits) => {
                let outcome = if commits { Outcome::Commit } else { Outcome::Abort };
                log.append_marker(Producer { id, epoch: 0 }, outcome, 7, SEGMENT_BYTES).unwrap();
            }
            Step::Checkpoint => checkpoint(&mut log),
            Step::Reopen => {
                drop(log);
                log = Log::open(dir, 0).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_the_same_from_its_checkpoint_and_from_its_records(steps in steps()) {
        let dir = TempDir::new().unwrap();
        take(dir.path(), &steps);
        let quick = Log::open(dir.path(), 0).unwrap();
        for path in [files(dir.path(), "index"), vec![dir.path().join("checkpoint")]].concat() {
            drop(std::fs::remove_file(path)); // a log without records has none
        }
        let thorough = Log::open(dir.path(), 0).unwrap();
        prop_assert_eq!(&quick.producers, &thorough.producers);
        prop_assert_eq!(&quick.transactions, &thorough.transactions);
        prop_assert_eq!(quick.end_offset(), thorough.end_offset());
        prop_assert_eq!(base_offsets(&quick), base_offsets(&thorough));
        for offset in 0..quick.end_offset() {
            let begins = |log: &Log| {
                let slice = log.slice(offset, offset + 1).unwrap().unwrap();
                (slice.stretch.begin, slice.stretch.end, slice.stretch.first_offset)
            };
            prop_assert_eq!(begins(&quick), begins(&thorough));
        }
    }
}
