//! What processes say, from some moment on.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Logs whose names begin alike, and how long each was at that moment.
pub(super) struct Logs(Vec<(PathBuf, u64)>);

impl Logs {
    pub(super) fn from_now_on(dir: &Path, beginning: &str) -> anyhow::Result<Self> {
        let mut logs = Vec::new();
        for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(beginning) && name.ends_with(".log") {
                logs.push((entry.path(), entry.metadata()?.len()));
            }
        }
        Ok(Self(logs))
    }

    /// What was said since.
    pub(super) fn lines(&self) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        for (path, length) in &self.0 {
            let mut bytes = Vec::new();
            let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
            file.seek(SeekFrom::Start(*length))?;
            file.read_to_end(&mut bytes)?;
            lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        }
        Ok(lines)
    }
}
