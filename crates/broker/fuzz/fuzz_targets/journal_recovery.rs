#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::TempDir::new().expect("a temporary directory can be made");
    broker::fuzzing::journal_recovery(dir.path(), bytes);
});
