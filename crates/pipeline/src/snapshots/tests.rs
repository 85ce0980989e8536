use std::fmt;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions,
    PutOptions, PutResult, Result,
};

use super::*;

fn store(runtime: &tokio::runtime::Runtime, dir: &std::path::Path) -> SnapshotStore {
    let objects = LocalFileSystem::new_with_prefix(dir).unwrap();
    SnapshotStore::new(Arc::new(objects), runtime.handle().clone(), 2)
}

#[test]
fn a_torn_snapshot_is_passed_over_for_an_older_whole_one() {
    let (runtime, dir) = (tokio::runtime::Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let snapshots = store(&runtime, dir.path());
    snapshots.save("detect", 3, &Snapshot { offset: 10, state: b"old".to_vec() }).unwrap();
    snapshots.save("detect", 3, &Snapshot { offset: 20, state: b"new".to_vec() }).unwrap();
    std::fs::write(dir.path().join("detect/3/00000000000000000020.snapshot"), b"to").unwrap();
    let newest = snapshots.newest("detect", 3, i64::MAX).unwrap();
    assert_eq!(newest, Some(Snapshot { offset: 10, state: b"old".to_vec() }));
}

#[test]
fn a_snapshot_ahead_of_the_committed_offset_is_not_taken() {
    let (runtime, dir) = (tokio::runtime::Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let snapshots = store(&runtime, dir.path());
    snapshots.save("detect", 0, &Snapshot { offset: 10, state: b"a".to_vec() }).unwrap();
    snapshots.save("detect", 0, &Snapshot { offset: 20, state: b"b".to_vec() }).unwrap();
    assert_eq!(snapshots.newest("detect", 0, 15).unwrap().unwrap().offset, 10);
    assert_eq!(snapshots.newest("detect", 0, 5).unwrap(), None);
}

#[test]
fn snapshots_of_a_log_that_began_anew_do_not_outlive_it() {
    let (runtime, dir) = (tokio::runtime::Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let snapshots = store(&runtime, dir.path());
    for offset in [4_000, 5_000, 7] {
        snapshots.save("detect", 0, &Snapshot { offset, state: Vec::new() }).unwrap();
    }
    assert_eq!(snapshots.newest("detect", 0, i64::MAX).unwrap().unwrap().offset, 7);
}

#[test]
fn only_the_newest_snapshots_are_kept() {
    let (runtime, dir) = (tokio::runtime::Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let snapshots = store(&runtime, dir.path());
    for offset in 1..=5 {
        snapshots.save("detect", 0, &Snapshot { offset, state: Vec::new() }).unwrap();
    }
    assert_eq!(std::fs::read_dir(dir.path().join("detect/0")).unwrap().count(), 2);
}

/// Removes what it is told to, and answers that it could not.
#[derive(Debug, Default)]
struct Grumbling(InMemory);

impl fmt::Display for Grumbling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects whose removal is answered wrongly")
    }
}

#[async_trait]
impl ObjectStore for Grumbling {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.0.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let answer = |_| Err(Error::Generic { store: "grumbling", source: "no answer".into() });
        self.0.delete_stream(paths).map(answer).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}

#[test]
fn one_that_seems_not_to_go_does_not_keep_the_others() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let objects = Arc::new(Grumbling::default());
    let store = |kept| {
        SnapshotStore::new(Arc::clone(&objects) as Arc<dyn ObjectStore>, runtime.handle().clone(), kept)
    };
    for offset in 1..=4 {
        store(9).save("detect", 0, &Snapshot { offset, state: Vec::new() }).unwrap();
    }
    store(2).save("detect", 0, &Snapshot { offset: 5, state: Vec::new() }).unwrap();
    let left = runtime.block_on(store(2).list("detect", 0)).unwrap();
    assert_eq!(left.iter().map(|(_, offset)| *offset).collect::<Vec<_>>(), [5, 4]);
}
