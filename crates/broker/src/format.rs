//! Which format the data directory has, stamped into it, so that an older program does not take a
//! newer one's files for damaged ones.

use std::io;
use std::path::Path;

use crate::disk::{DataFile, sync_directory};
use crate::error::BrokerError;

const NAME: &str = "format";
/// The format that this program writes. It is raised when a program that does not know of a change
/// would lose something by it; then this program also says how it reads the formats before.
pub(crate) const FORMAT: u32 = 1;

/// Refuses a directory of a newer format; stamps one that has no stamp yet. The first format had
/// none at first.
pub(crate) fn check(data_dir: &Path) -> Result<(), BrokerError> {
    let path = data_dir.join(NAME);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return stamp(data_dir).map_err(BrokerError::storage("write", path));
        }
        Err(error) => return Err(BrokerError::storage("read", path)(error)),
    };
    match text.trim().parse() {
        Ok(found @ FORMAT..) if found > FORMAT => {
            Err(BrokerError::NewerFormat { data_dir: data_dir.to_owned(), found, known: FORMAT })
        }
        Ok(1..=FORMAT) => Ok(()),
        _ => Err(BrokerError::Damaged(format!(
            "{} is to say which format the directory has, a number up to {FORMAT}, and says {text:?}. Write \
             {FORMAT} into it if this version has used the directory before",
            path.display()
        ))),
    }
}

fn stamp(data_dir: &Path) -> io::Result<()> {
    let mut file = DataFile::create(&data_dir.join("format.next"))?;
    file.append(format!("{FORMAT}\n").as_bytes(), &[])?;
    file.sync()?;
    file.rename(&data_dir.join(NAME))?;
    sync_directory(data_dir)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_directory_is_stamped_once_and_known_again() {
        let dir = TempDir::new().unwrap();
        check(dir.path()).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join(NAME)).unwrap(), "1\n");
        check(dir.path()).unwrap();
    }

    #[test]
    fn a_newer_format_is_refused_and_it_is_said_what_to_do() {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join(NAME), "2\n").unwrap();
        let refusal = check(dir.path()).unwrap_err().to_string();
        assert!(refusal.contains("format 2") && refusal.contains("newer version"), "{refusal}");
    }

    #[test]
    fn a_stamp_that_is_none_is_damage() {
        for text in ["", "0", "-1", "one", "\0\0"] {
            let dir = TempDir::new().unwrap();
            std::fs::write(dir.path().join(NAME), text).unwrap();
            assert!(matches!(check(dir.path()), Err(BrokerError::Damaged(_))), "{text:?}");
        }
    }
}
