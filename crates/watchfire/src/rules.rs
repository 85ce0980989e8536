//! What detectors go by: the configuration's parameters, and on them the files of a folder. They may be
//! loaded again while detectors run.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use detect::{RuleFile, Rules};
use normalize::Schemas;

use crate::config::Config;
use crate::look::{Look, inside};

/// A longer file is not read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads them, and holds the files against their own examples, whose lines these descriptions read.
pub(crate) fn load(config: &Config, schemas: &Arc<Schemas>) -> anyhow::Result<Rules> {
    checked(config, schemas).context("detect.rules_dir")
}

fn checked(config: &Config, schemas: &Arc<Schemas>) -> anyhow::Result<Rules> {
    let rules = Rules::read(&config.detect.detectors, &files(&config.detect.rules_dir)?)?;
    stages::examples::check(&rules, schemas).map_err(anyhow::Error::msg)?;
    Ok(rules)
}

/// How the folder looks from outside.
pub(crate) fn look(config: &Config) -> Look {
    Look::at(inside(&config.detect.rules_dir).collect())
}

/// The files of the folder that are rules; none where no folder is named.
fn files(dir: &str) -> anyhow::Result<Vec<RuleFile>> {
    if dir.is_empty() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("read {dir}"))? {
        let path = entry.with_context(|| format!("read {dir}"))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(read(&path).with_context(|| path.display().to_string())?);
        }
    }
    // In whatever order the folder names them, it is the same one of two wrong ones that is told.
    files.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(files)
}

fn read(path: &Path) -> anyhow::Result<RuleFile> {
    let length = std::fs::metadata(path).context("look at the file")?.len();
    ensure!(length <= FILE_BYTES_MAX, "{length} bytes are too many; keep it below {FILE_BYTES_MAX}");
    let detector = path.file_stem().and_then(|name| name.to_str()).context("the name is not text")?;
    let text = std::fs::read_to_string(path).context("read the file")?;
    Ok(RuleFile { file: path.display().to_string(), detector: detector.to_owned(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> anyhow::Result<Rules> {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("a file");
        }
        let mut config = Config::default();
        config.detect.detectors.probing.paths = 20;
        config.detect.rules_dir = dir.path().display().to_string();
        load(&config, &Arc::new(Schemas::built_in()))
    }

    #[test]
    fn the_folders_files_lie_on_the_configuration() {
        let rules = with(&[("probing.toml", "burst_paths = 8"), ("notes.txt", "x")]).expect("well-formed");
        let parameters = rules.parameters("probing");
        assert_eq!((&parameters["paths"], &parameters["burst_paths"]), (&20.into(), &8.into()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_file() {
        for (name, text, expected) in [
            ("prober.toml", "", "prober.toml: file: no detector is named prober; did you mean probing?"),
            ("probing.toml", "\npaths = 1", "probing.toml:2: paths: 1 is out of range"),
            (
                "probing.toml",
                "[[examples]]\nname = \"x\"\nsource = \"partner\"\nraises = [\"scan.probing\"]\nlines = ['{\"event\":\"login\",\"ts\":\"{+0s}\",\"partner_id\":\"p\"}']",
                "probing.toml:1: example \"x\": must raise scan.probing, raised nothing",
            ),
        ] {
            let error = format!("{:#}", with(&[(name, text)]).expect_err("wrong"));
            assert!(error.starts_with("detect.rules_dir: ") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let mut config = Config::default();
        config.detect.rules_dir = "/nowhere/rules".into();
        let error = load(&config, &Arc::new(Schemas::built_in())).expect_err("nothing to read");
        assert!(format!("{error:#}").starts_with("detect.rules_dir: read /nowhere/rules: "), "{error:#}");
    }
}
