//! An object store in memory, whose disk may be full and whose writes may be torn.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use rand::Rng;

use crate::world::World;

/// What one worker sees of the objects that all share.
pub(crate) struct SimObjects {
    objects: Arc<InMemory>,
    world: Arc<World>,
    worker: usize,
}

impl SimObjects {
    pub(crate) fn new(objects: &Arc<InMemory>, world: &Arc<World>, worker: usize) -> Self {
        Self { objects: Arc::clone(objects), world: Arc::clone(world), worker }
    }

    /// What of a payload reaches the disk, or why nothing does.
    fn written(&self, payload: PutPayload) -> Result<PutPayload> {
        let mut shared = self.world.shared();
        let mishaps = shared.mishaps;
        if shared.happens(mishaps.disk_full) {
            return Err(Error::Generic { store: "simulated", source: "no space is left".into() });
        }
        if !shared.happens(mishaps.torn_object) {
            return Ok(payload);
        }
        let bytes: Vec<u8> = payload.iter().flat_map(|part| part.iter().copied()).collect();
        let kept = shared.dice.random_range(0..=bytes.len());
        Ok(PutPayload::from(bytes[..kept].to_vec()))
    }
}

impl fmt::Display for SimObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated objects")
    }
}

impl fmt::Debug for SimObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[async_trait]
impl ObjectStore for SimObjects {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.world.step(self.worker);
        let payload = self.written(payload)?;
        let put = self.objects.put_opts(path, payload, options).await;
        self.world.step(self.worker);
        put
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.world.step(self.worker);
        self.objects.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.world.step(self.worker);
        self.objects.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.world.step(self.worker);
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
