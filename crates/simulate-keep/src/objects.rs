//! The object store under the tables: a put may fail, leave something torn behind, be done although
//! its answer is lost, or be done long after it was given up; and for a while nobody may be answered.
//!
//! A name is given once, and what has a name in the log is whole: the Delta protocol asks no less of a
//! store. Dice are drawn at puts and at reads of a commit that a stage's own thread makes, one after
//! the other; what the table's engine reads in threads of its own is answered as the last of these was.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use simulate::Process;

/// Nobody is answered for so long at most.
const UNREACHABLE_MS: u64 = 4_000;

/// What all processes share.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) objects: Arc<InMemory>,
    /// Puts that were given up, and may yet be done.
    late: Mutex<Vec<Put>>,
}

#[derive(Debug)]
struct Put {
    path: Path,
    payload: PutPayload,
    options: PutOptions,
}

impl Disk {
    /// Some of the puts that were given up are done now; all of them once nothing goes wrong any more.
    async fn land(&self, process: &Process) {
        let waiting = std::mem::take(&mut *self.late());
        for put in waiting {
            if process.happens(|mishaps| if mishaps.late == 0 { 1000 } else { 250 }) {
                // Nobody waits for the answer. The name may be taken by now.
                let done = self.objects.put_opts(&put.path, put.payload, put.options).await;
                process.tell(|| format!("sees {} put late: {}", put.path, done.is_ok()));
            } else {
                self.late().push(put);
            }
        }
    }

    fn late(&self) -> std::sync::MutexGuard<'_, Vec<Put>> {
        self.late.lock().expect("no holder of this lock panics")
    }
}

/// What one process sees of the disk.
pub(crate) struct TableObjects {
    disk: Arc<Disk>,
    process: Process,
    unreachable_until: Mutex<Duration>,
}

impl TableObjects {
    pub(crate) fn new(disk: &Arc<Disk>, process: &Process) -> Self {
        let (disk, process) = (Arc::clone(disk), process.clone());
        Self { disk, process, unreachable_until: Mutex::default() }
    }

    /// Whether anybody answers.
    fn reach(&self, draws: bool) -> Result<()> {
        let now = self.process.clock().uptime();
        let mut until = self.unreachable_until.lock().expect("no holder of this lock panics");
        if draws && self.process.happens(|mishaps| mishaps.unreachable) {
            *until = now + Duration::from_millis(self.process.draw(UNREACHABLE_MS));
        }
        if now < *until { Err(failed("nobody answers")) } else { Ok(()) }
    }

    async fn put(&self, put: Put) -> Result<PutResult> {
        let Put { path, payload, options } = &put;
        if self.process.happens(|mishaps| mishaps.disk_full) {
            if !is_log(path) && self.process.happens(|mishaps| mishaps.torn_object) {
                self.disk.objects.put_opts(path, self.torn(payload), options.clone()).await?;
            }
            return Err(failed("no space is left"));
        }
        if self.process.happens(|mishaps| mishaps.late) {
            self.disk.late().push(put);
            return Err(failed("the request timed out"));
        }
        let done = self.disk.objects.put_opts(path, payload.clone(), options.clone()).await?;
        if self.process.happens(|mishaps| mishaps.commit_answer_lost) {
            return Err(match self.process.draw(2) {
                0 => failed("the answer was lost"),
                // The client has asked a second time.
                _ => Error::AlreadyExists { path: path.to_string(), source: "asked again".into() },
            });
        }
        Ok(done)
    }

    /// The first bytes of it. Only one number is drawn, as no two runs have files of the same length.
    fn torn(&self, payload: &PutPayload) -> PutPayload {
        let bytes: Vec<u8> = payload.iter().flat_map(|part| part.iter().copied()).collect();
        let kept = bytes.len() * self.process.draw(1_000) as usize / 1_000;
        PutPayload::from(bytes[..kept].to_vec())
    }
}

fn failed(why: &str) -> Error {
    Error::Generic { store: "simulated", source: why.into() }
}

fn is_log(path: &Path) -> bool {
    path.parts().any(|part| part.as_ref() == "_delta_log")
}

impl fmt::Display for TableObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated table storage")
    }
}

impl fmt::Debug for TableObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[async_trait]
impl ObjectStore for TableObjects {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let draws = self.process.is_own_thread();
        self.process.exposed_step();
        if draws {
            self.disk.land(&self.process).await;
        }
        self.reach(draws)?;
        if !draws {
            return self.disk.objects.put_opts(path, payload, options).await;
        }
        let done = self.put(Put { path: path.clone(), payload, options }).await;
        self.process.tell(|| match &done {
            Ok(_) if is_log(path) => format!("puts {path}"),
            Ok(_) => "puts a file".to_owned(),
            Err(why) if is_log(path) => format!("fails to put {path}: {why}"),
            Err(_) => "fails to put a file".to_owned(),
        });
        self.process.exposed_step();
        done
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.reach(false)?;
        self.disk.objects.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.reach(self.process.is_own_thread() && is_log(path))?;
        self.disk.objects.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.reach(false) {
            Ok(()) => self.disk.objects.delete_stream(paths),
            Err(why) => stream::once(async { Err(why) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.reach(false) {
            Ok(()) => self.disk.objects.list(prefix),
            Err(why) => stream::once(async { Err(why) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reach(false)?;
        self.disk.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.reach(false)?;
        self.disk.objects.copy_opts(from, to, options).await
    }
}
