//! Each source's sample reads as its `expected.jsonl` says. `BLESS=1` accepts what is read.

use std::path::Path;

use crate::feed::{json_lines, read};

#[test]
fn every_source_reads_its_sample_as_expected() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let mut names: Vec<_> = std::fs::read_dir(&schemas).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|folder| folder.join("schema.yaml").exists());
    names.sort();
    assert!(!names.is_empty());
    for folder in names {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let sample = std::fs::read(folder.join("sample.log")).unwrap();
        // Whether the source is named or recognised, it is the same one.
        let named = read(&sample, Some(&name));
        assert_eq!(named.rejects.len(), 0, "{name}: {:?}", named.rejects.rows().next());
        let recognised = read(&sample, None);
        assert_eq!(json_lines(recognised.events.arrow()), json_lines(named.events.arrow()), "{name}");
        let found = json_lines(named.events.arrow());
        let file = folder.join("expected.jsonl");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        for (n, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{name}, line {}", n + 1);
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "{name}");
    }
}
