//! A bit that the disk has flipped anywhere, in a closed or open segment, an index or a checkpoint.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;

/// What a reader gets, by offset, and what it is told if it meets damage. Fillers are no records.
fn served(log: &Log) -> (BTreeMap<i64, Bytes>, Option<String>) {
    let (mut served, mut from) = (BTreeMap::new(), log.start_offset());
    while let Some(slice) = log.slice(from, log.end_offset()).unwrap() {
        let batch = match slice.read(1, true) {
            Ok(batch) => batch,
            Err(damage) => return (served, Some(damage.to_string())),
        };
        let header = BatchHeader::read_whole(&batch).unwrap();
        from = header.next_offset();
        if header.record_count > 0 {
            served.insert(header.base_offset, batch);
        }
    }
    (served, None)
}

/// Everything that is on the disk of a partition with several segments.
fn write(dir: &Path, batches: &[(i32, usize)]) -> BTreeMap<i64, Bytes> {
    let mut log = Log::open(dir, 0).unwrap();
    for &(records, body_bytes) in batches {
        append(&mut log, &batch(records, body_bytes));
    }
    checkpoint(&mut log);
    served(&log).0
}

fn flip(file: &Path, at: prop::sample::Index, bit: u8) {
    let mut bytes = std::fs::read(file).unwrap();
    if !bytes.is_empty() {
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
    }
    std::fs::write(file, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_bit_is_never_served_and_costs_one_batch_at_most(
        batches in prop::collection::vec((1..5_i32, 0..300_usize), 1..30),
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let dir = TempDir::new().unwrap();
        let before = write(dir.path(), &batches);
        let end_offset = batches.iter().map(|&(records, _)| i64::from(records)).sum::<i64>();
        let mut all = files(dir.path(), "log");
        all.extend(files(dir.path(), "index"));
        all.push(dir.path().join("checkpoint"));
        flip(&all[file.index(all.len())], at, bit);

        // The first start may not see it, but then the first reader does, and the second start mends it.
        let mut after = None;
        for _ in 0..2 {
            let log = Log::open(dir.path(), 0).unwrap();
            let (found, damage) = served(&log);
            prop_assert!(found.iter().all(|(offset, batch)| before.get(offset) == Some(batch)));
            match damage {
                Some(told) => prop_assert!(told.contains(".log is damaged at byte"), "{}", told),
                None => after = Some((found, log)),
            }
        }
        let (found, mut log) = after.expect("the second start has mended it");
        prop_assert!(found.len() + 1 >= before.len(), "{} of {}", found.len(), before.len());
        prop_assert_eq!(append(&mut log, &batch(1, 10)).base_offset, end_offset);
        drop(log);
        let (again, damage) = served(&Log::open(dir.path(), 0).unwrap());
        prop_assert_eq!(damage, None);
        prop_assert_eq!(again.len(), found.len() + 1);
    }

    #[test]
    fn a_search_for_a_time_does_not_skip_what_is_damaged(
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let dir = TempDir::new().unwrap();
        let mut log = Log::open(dir.path(), 0).unwrap();
        for time in 1..10 {
            append(&mut log, &batch_at(time * 1000));
        }
        let before = log.search_since(5000).run(9).unwrap().unwrap();
        flip(&newest_segment(dir.path()), at, bit);
        // The leader's epoch of a batch says nothing.
        match log.search_since(5000).run(9) {
            Ok(found) => prop_assert_eq!(found, Some(before)),
            Err(told) => prop_assert!(told.to_string().contains("is damaged"), "{}", told),
        }
    }
}
