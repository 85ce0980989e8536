//! Which files are worth merging: eight of like size, so that a row is rewritten a few times in its
//! life and not once an hour. Pure.

use std::collections::BTreeMap;

/// So many files of one size become one of the next.
const FANOUT: usize = 8;
/// Files up to this size are of the first size.
const FIRST_TIER_BYTES: u64 = 256 * 1024;

/// A file that may be merged.
pub(crate) struct Candidate {
    pub(crate) day: String,
    pub(crate) bytes: u64,
}

/// Groups of files to merge, by their place in the list.
pub(crate) fn merges(files: Vec<Candidate>, target: u64) -> Vec<Vec<usize>> {
    let mut tiers: BTreeMap<(String, u32), Vec<usize>> = BTreeMap::new();
    let sizes: Vec<u64> = files.iter().map(|file| file.bytes).collect();
    for (i, file) in files.into_iter().enumerate().filter(|(_, file)| file.bytes < target) {
        tiers.entry((file.day, tier(file.bytes))).or_default().push(i);
    }
    let mut groups = Vec::new();
    for files in tiers.into_values() {
        let (mut group, mut bytes) = (Vec::new(), 0);
        for i in files {
            group.push(i);
            bytes += sizes[i];
            if bytes >= target && group.len() > 1 {
                groups.push(std::mem::take(&mut group));
                bytes = 0;
            }
        }
        if group.len() >= FANOUT {
            groups.push(group);
        }
    }
    groups
}

fn tier(bytes: u64) -> u32 {
    (bytes / FIRST_TIER_BYTES).checked_ilog(FANOUT as u64).map_or(0, |tier| tier + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u64 = 64 * 1024 * 1024;

    fn groups(files: &[(&str, u64)]) -> Vec<Vec<usize>> {
        let files =
            files.iter().map(|(day, bytes)| Candidate { day: (*day).to_owned(), bytes: *bytes }).collect();
        merges(files, TARGET)
    }

    #[test]
    fn eight_of_one_day_and_size_are_merged() {
        assert_eq!(groups(&[("a", 1_000); 7]), Vec::<Vec<usize>>::new());
        assert_eq!(groups(&[("a", 1_000); 9]), vec![(0..9).collect::<Vec<_>>()]);
        let mixed: Vec<(&str, u64)> = (0..16).map(|i| (if i % 2 == 0 { "a" } else { "b" }, 1_000)).collect();
        assert_eq!(groups(&mixed).len(), 2);
    }

    #[test]
    fn a_large_file_waits_for_its_like() {
        let mut files = vec![("a", 10_000_000)];
        files.extend([("a", 1_000); 8]);
        assert_eq!(groups(&files), vec![(1..9).collect::<Vec<_>>()]);
        assert!(groups(&[("a", TARGET); 20]).is_empty(), "large enough");
    }

    #[test]
    fn a_merge_makes_a_file_of_about_the_target() {
        let merged = groups(&[("a", TARGET / 3 + 1); 7]);
        assert_eq!(merged, vec![vec![0, 1, 2], vec![3, 4, 5]], "the seventh is left for later");
    }
}
