//! Where detectors' state is kept: a folder, or a bucket that every machine reaches.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use pipeline::SnapshotStore;
use tokio::runtime::Handle;
use url::Url;

/// How many of each partition are kept: the newest, and others for when it is torn or of another
/// version.
const KEPT: usize = 3;
/// Detection waits while a snapshot is taken, so a bucket that does not answer is left alone soon:
/// the older snapshot and the log still stand.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const TRY_FOR: Duration = Duration::from_secs(10);

/// Opens `detect.snapshots_url`, or else `snapshots` in the data folder.
pub(super) fn open(url: &str, data_dir: &Path) -> anyhow::Result<SnapshotStore> {
    let objects = match url {
        "" => folder(&data_dir.join("snapshots"))?,
        url => at(&Url::parse(url).context("not a URL; give file:///FOLDER or s3://BUCKET/FOLDER")?)
            .with_context(|| format!("detect.snapshots_url: {url}"))?,
    };
    Ok(SnapshotStore::new(objects, Handle::current(), KEPT))
}

fn at(url: &Url) -> anyhow::Result<Arc<dyn ObjectStore>> {
    match url.scheme() {
        "file" => {
            let Ok(dir) = url.to_file_path() else { bail!("not a folder of this machine") };
            folder(&dir)
        }
        "s3" => bucket(url),
        other => bail!("{other} is not known; give file:///FOLDER or s3://BUCKET/FOLDER"),
    }
}

fn folder(dir: &Path) -> anyhow::Result<Arc<dyn ObjectStore>> {
    std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    let objects = LocalFileSystem::new_with_prefix(dir).with_context(|| format!("open {}", dir.display()))?;
    Ok(Arc::new(objects))
}

/// Who may come in, and where the endpoint is if it is not Amazon's, is in `AWS_*` variables.
fn bucket(url: &Url) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig { max_retries: 3, retry_timeout: TRY_FOR, ..RetryConfig::default() };
    let patience = ClientOptions::new().with_timeout(ANSWER_WITHIN).with_connect_timeout(ANSWER_WITHIN);
    let builder = AmazonS3Builder::from_env().with_url(url.as_str()).with_retry(retry);
    // In place of what `from_env` may have found, but for plain HTTP, which a test's endpoint speaks.
    let plain = builder.get_config_value(&object_store::aws::AmazonS3ConfigKey::Client(
        object_store::ClientConfigKey::AllowHttp,
    ));
    let plain = plain.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let objects = builder
        .with_client_options(patience.with_allow_http(plain))
        .build()
        .context("open the bucket; credentials, region and endpoint are AWS_* variables")?;
    Ok(Arc::new(PrefixStore::new(objects, url.path().trim_matches('/'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_not_known_is_refused_with_those_that_are() {
        let refused = |url: &str| format!("{:#}", at(&Url::parse(url).unwrap()).unwrap_err());
        assert!(refused("gs://bucket/x").contains("s3://BUCKET"), "{}", refused("gs://bucket/x"));
        assert!(refused("file://elsewhere/x").contains("not a folder of this machine"));
    }
}
