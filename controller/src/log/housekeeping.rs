//! Older log files: what they are called, which of them go, and compressing those that stay.

use std::{
    cmp::Reverse,
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use k8s_openapi::jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use tracing::warn;

use crate::config::LogFile;

const TIME_FORMAT: &str = "%Y-%m-%dT%H-%M-%S%.3f";
const COMPRESSED: &str = ".gz";

/// The names of older files: `slime-2026-01-02T03-04-05.678.log`, compressed with `.gz` at the end. In UTC.
#[derive(Clone, Debug)]
pub(super) struct Backups {
    pub directory: PathBuf,
    prefix: String,
    suffix: String,
}

/// An older file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backup {
    name: String,
    at: Timestamp,
}

impl Backups {
    /// Of the log file `path`.
    ///
    /// # Errors
    /// If `path` is not that of a file with a name in UTF-8.
    pub fn of(path: &Path) -> io::Result<Self> {
        let stem = path.file_stem().and_then(OsStr::to_str);
        let (Some(directory), Some(stem)) = (path.parent(), stem) else {
            return Err(io::Error::from(io::ErrorKind::InvalidFilename));
        };
        Ok(Self {
            directory: directory.to_owned(),
            prefix: format!("{stem}-"),
            suffix: path
                .extension()
                .and_then(OsStr::to_str)
                .map_or_else(String::new, |end| format!(".{end}")),
        })
    }

    /// A path that is not taken, of the present or the moment after it.
    pub fn free_path(&self) -> PathBuf {
        let mut at = Timestamp::now();
        loop {
            let name = self.name(at);
            let path = self.directory.join(&name);
            if !path.exists() && !self.directory.join(name + COMPRESSED).exists() {
                return path;
            }
            at += SignedDuration::from_millis(1);
        }
    }

    fn name(&self, at: Timestamp) -> String {
        let at = at.strftime(TIME_FORMAT);
        format!("{}{at}{}", self.prefix, self.suffix)
    }

    fn read(&self, name: String) -> Option<Backup> {
        let plain = name.strip_suffix(COMPRESSED).unwrap_or(&name);
        let time = plain
            .strip_prefix(&self.prefix)?
            .strip_suffix(&self.suffix)?;
        let at = DateTime::strptime(TIME_FORMAT, time).ok()?;
        let at = at.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(Backup { name, at })
    }

    /// What there is, the newest first.
    fn list(&self) -> io::Result<Vec<Backup>> {
        let mut backups = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name().into_string();
            backups.extend(name.ok().and_then(|name| self.read(name)));
        }
        backups.sort_by_key(|backup| Reverse(backup.at));
        Ok(backups)
    }
}

/// Deletes older files that are too many or too old, and compresses the rest if so wished. What fails is logged and left for the
/// next time.
pub(super) fn tidy(settings: &LogFile, backups: &Backups) {
    let kept = match backups.list() {
        Ok(list) => {
            let (kept, gone) = split(list, settings, Timestamp::now());
            for backup in gone {
                let path = backups.directory.join(backup.name);
                tell(&path, "deleted", fs::remove_file(&path));
            }
            kept
        }
        Err(error) => {
            warn!(path = %backups.directory.display(), %error, "older log files cannot be listed");
            return;
        }
    };
    for backup in kept {
        if settings.compress && !backup.name.ends_with(COMPRESSED) {
            let path = backups.directory.join(backup.name);
            tell(&path, "compressed", compress(&path));
        }
    }
}

/// Which of the files, the newest first, stay, and which go.
fn split(list: Vec<Backup>, settings: &LogFile, now: Timestamp) -> (Vec<Backup>, Vec<Backup>) {
    let count = settings.max_backups.unwrap_or(usize::MAX);
    let oldest = settings
        .max_age
        .and_then(|age| now.checked_sub(age).ok())
        .unwrap_or(Timestamp::MIN);
    let stay = list
        .iter()
        .take(count)
        .take_while(|backup| backup.at >= oldest)
        .count();
    let mut kept = list;
    let gone = kept.split_off(stay);
    (kept, gone)
}

/// Under its final name it is complete, however the process ends.
fn compress(path: &Path) -> io::Result<()> {
    let with = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let unfinished = with(".gz.tmp");
    let mut encoder = GzEncoder::new(File::create(&unfinished)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(unfinished, with(COMPRESSED))?;
    fs::remove_file(path)
}

fn tell(path: &Path, what: &str, done: io::Result<()>) {
    if let Err(error) = done {
        warn!(path = %path.display(), %error, "an older log file cannot be {what}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn mk_backups() -> Backups {
        Backups::of(Path::new("/tmp/log/slime.log")).unwrap()
    }

    fn mk_list(days: &[i8]) -> Vec<Backup> {
        let name = |day| format!("slime-2026-01-{day:02}T00-00-00.000.log");
        days.iter()
            .map(|day| mk_backups().read(name(day)).unwrap())
            .collect()
    }

    #[test]
    fn names_are_those_of_slimes_older_files() {
        let at: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let name = "slime-2026-01-02T03-04-05.678.log";
        assert_eq!(mk_backups().name(at), name);
        for name in [name.to_owned(), format!("{name}.gz")] {
            let expected = Some(Backup {
                name: name.clone(),
                at,
            });
            assert_eq!(mk_backups().read(name), expected);
        }
        for name in [
            "slime.log",
            "slime-old.log",
            "slime-2026-01-02T03-04-05.678.log.gz.tmp",
            "other-2026-01-02T03-04-05.678.log",
        ] {
            assert_eq!(mk_backups().read(name.to_owned()), None, "{name}");
        }
    }

    #[test]
    fn what_is_too_many_or_too_old_goes() {
        let now: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
        let day = Duration::from_secs(24 * 3_600);
        for (max_backups, max_age, expected) in [
            (None, None, 4),
            (Some(3), None, 3),
            (None, Some(day * 2), 2),
            (Some(1), Some(day * 2), 1),
            (Some(9), Some(day * 99_999_999), 4),
        ] {
            let settings = LogFile {
                max_backups,
                max_age,
                ..LogFile::default()
            };
            let (kept, gone) = split(mk_list(&[4, 3, 2, 1]), &settings, now);
            assert_eq!(kept, mk_list(&[4, 3, 2, 1][..expected]));
            assert_eq!(gone, mk_list(&[4, 3, 2, 1][expected..]));
        }
    }
}
