//! A local folder as an object store whose writes survive a power cut.
//!
//! `object_store`'s own local store renames files into place without `fsync`: after a power cut a
//! commit may be there with no bytes in it, and the table cannot be read any more. Here bytes are on
//! disk before the name is, and the name before the write returns.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// The local file system, from its root, with durable writes.
#[derive(Debug)]
pub(crate) struct Durable {
    files: LocalFileSystem,
}

impl Durable {
    pub(crate) fn new() -> Self {
        Self { files: LocalFileSystem::new() }
    }
}

/// 32 hexadecimal digits that nobody else has.
pub(crate) fn unique() -> String {
    format!("{:032x}", StdRng::from_os_rng().random::<u128>())
}

#[async_trait]
impl ObjectStore for Durable {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let replace = match opts.mode {
            PutMode::Create => false,
            PutMode::Overwrite => true,
            PutMode::Update(_) => return self.files.put_opts(location, payload, opts).await,
        };
        let path = self.files.path_to_filesystem(location)?;
        blocking(move || put(&path, &payload, replace)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.files.put_multipart_opts(location, opts).await?;
        let path = self.files.path_to_filesystem(location)?;
        Ok(Box::new(DurableUpload { upload, path }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await
    }
}

impl fmt::Display for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("durable local files")
    }
}

/// A file that comes in parts, such as a checkpoint.
#[derive(Debug)]
struct DurableUpload {
    upload: Box<dyn MultipartUpload>,
    path: PathBuf,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.upload.complete().await?;
        let path = self.path.clone();
        blocking(move || {
            File::open(&path)?.sync_all()?;
            sync_parent(&path)
        })
        .await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<()> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Generic { store: "local", source };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::AlreadyExists { path: String::new(), source: error.into() })
        }
        Ok(Err(error)) => Err(failed(error.into())),
        Err(panicked) => Err(failed(panicked.into())),
    }
}

/// Writes a file under another name, syncs it, then gives it its name and syncs the folder.
fn put(path: &FilePath, payload: &PutPayload, replace: bool) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    create_folder(folder)?;
    // A name that ends in `#` and digits is one that listings pass over.
    let mut staged = path.as_os_str().to_owned();
    staged.push(format!("#{}", StdRng::from_os_rng().random::<u64>()));
    let staged = PathBuf::from(staged);

    let named = write_synced(&staged, payload)
        .and_then(|()| if replace { fs::rename(&staged, path) } else { fs::hard_link(&staged, path) });
    if named.is_err() || !replace {
        // Already gone is as good; a leftover costs space and is never read.
        fs::remove_file(&staged).ok();
    }
    named?;
    sync_parent(path)
}

fn write_synced(path: &FilePath, payload: &PutPayload) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    for part in payload.iter() {
        file.write_all(part)?;
    }
    file.sync_all()
}

/// Creates a folder and those above it, each of them durably.
fn create_folder(folder: &FilePath) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        create_folder(above)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_parent(folder),
    }
}

fn sync_parent(path: &FilePath) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn a_name_is_given_once_and_what_was_staged_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Path::from_absolute_path(folder.path()).expect("a path");
        let (store, path) = (Durable::new(), root.clone().join("log").join("0.json"));

        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        store.put_opts(&path, "first".into(), create.clone()).await.expect("put");
        let again = store.put_opts(&path, "second".into(), create).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
        assert_eq!(store.get(&path).await.expect("there").bytes().await.expect("bytes"), "first");

        store.put(&path, "third".into()).await.expect("replaced");
        assert_eq!(store.get(&path).await.expect("there").bytes().await.expect("bytes"), "third");
        let listed: Vec<ObjectMeta> = store.list(Some(&root)).try_collect().await.expect("a list");
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(fs::read_dir(folder.path().join("log")).expect("a folder").count(), 1);
    }
}
