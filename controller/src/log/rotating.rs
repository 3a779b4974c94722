//! A log file that begins anew when it is full.

use std::{
    fs::{self, File},
    io::{self, Write},
    sync::mpsc::{self, Sender},
    thread::{self, JoinHandle},
};

use super::housekeeping::{Backups, tidy};
use crate::config::LogFile;

/// Writes a file up to its size, then renames it and begins a new one. Compressing and deleting older ones is another thread's
/// work, so that nobody who logs waits for it. Names and limits are those of Slime (lumberjack).
#[derive(Debug)]
pub struct RotatingFile {
    settings: LogFile,
    backups: Backups,
    file: File,
    size: u64,
    tidy: Option<Sender<()>>,
    tidying: Option<JoinHandle<()>>,
}

impl RotatingFile {
    /// Opens the file, and makes its directory if there is none.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn open(settings: LogFile) -> io::Result<Self> {
        let backups = Backups::of(&settings.path)?;
        fs::create_dir_all(&backups.directory)?;
        let file = append(&settings)?;
        let size = file.metadata()?.len();
        let (tidy_sender, wishes) = mpsc::channel();
        let tidying = thread::Builder::new().name("log-tidy".to_owned()).spawn({
            let (settings, backups) = (settings.clone(), backups.clone());
            move || {
                while wishes.recv().is_ok() {
                    tidy(&settings, &backups);
                }
            }
        })?;
        // What a former run has left over.
        let _ = tidy_sender.send(());
        Ok(Self {
            settings,
            backups,
            file,
            size,
            tidy: Some(tidy_sender),
            tidying: Some(tidying),
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        match fs::rename(&self.settings.path, self.backups.free_path()) {
            // Somebody has deleted it: that is as good.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.backups.directory)?;
            }
            renamed => renamed?,
        }
        self.file = append(&self.settings)?;
        if let Some(tidy) = &self.tidy {
            let _ = tidy.send(());
        }
        Ok(())
    }
}

impl Write for RotatingFile {
    /// Writes the whole line, so that no line is in two files.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(length) > self.settings.max_bytes {
            // Where it fails, the old file goes on: too long a log is better than none.
            if let Err(error) = self.rotate() {
                eprintln!("lazyload: the log file cannot be rotated: {error}");
            }
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size = self.size.saturating_add(length);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for RotatingFile {
    fn drop(&mut self) {
        self.tidy.take();
        if let Some(tidying) = self.tidying.take() {
            let _ = tidying.join();
        }
    }
}

fn append(settings: &LogFile) -> io::Result<File> {
    File::options()
        .create(true)
        .append(true)
        .open(&settings.path)
}

#[cfg(test)]
mod tests {
    use std::{io::Read, path::Path};

    use flate2::read::GzDecoder;

    use super::*;

    fn mk_settings(directory: &Path, compress: bool) -> LogFile {
        LogFile {
            path: directory.join("slime.log"),
            max_bytes: 10,
            max_backups: Some(2),
            max_age: None,
            compress,
        }
    }

    /// What the older files hold, the oldest first.
    fn backups(directory: &Path) -> Vec<String> {
        let mut paths: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with("slime.log"))
            .collect();
        paths.sort();
        paths
            .iter()
            .map(|path| {
                let mut text = String::new();
                let mut file = File::open(path).unwrap();
                match path.extension().is_some_and(|extension| extension == "gz") {
                    true => GzDecoder::new(file).read_to_string(&mut text).unwrap(),
                    false => file.read_to_string(&mut text).unwrap(),
                };
                text
            })
            .collect()
    }

    #[test]
    fn a_full_file_begins_anew_and_as_many_older_ones_are_kept_as_wished() {
        for compress in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let mut file = RotatingFile::open(mk_settings(directory.path(), compress)).unwrap();
            for line in ["first\n", "second\n", "third\n", "4\n", "fifth\n"] {
                file.write_all(line.as_bytes()).unwrap();
            }
            drop(file);
            let present = fs::read_to_string(directory.path().join("slime.log")).unwrap();
            assert_eq!(present, "fifth\n");
            assert_eq!(backups(directory.path()), ["second\n", "third\n4\n"]);
            let names = fs::read_dir(directory.path()).unwrap();
            let compressed = names
                .filter(|entry| {
                    let name = entry.as_ref().unwrap().file_name();
                    name.to_str().unwrap().ends_with(".log.gz")
                })
                .count();
            assert_eq!(compressed, if compress { 2 } else { 0 });
        }
    }

    #[test]
    fn a_restart_goes_on_with_the_file_and_a_line_too_long_stands_alone() {
        let directory = tempfile::tempdir().unwrap();
        let settings = mk_settings(directory.path(), false);
        for line in ["one\n", "two\n", "a line that is too long\n"] {
            let mut file = RotatingFile::open(settings.clone()).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(backups(directory.path()), ["one\ntwo\n"]);
        let present = fs::read_to_string(&settings.path).unwrap();
        assert_eq!(present, "a line that is too long\n");
    }

    #[test]
    fn a_file_that_somebody_has_deleted_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let settings = mk_settings(&directory.path().join("log"), false);
        let mut file = RotatingFile::open(settings.clone()).unwrap();
        file.write_all(b"first\n").unwrap();
        fs::remove_dir_all(directory.path().join("log")).unwrap();
        file.write_all(b"second\n").unwrap();
        assert_eq!(fs::read_to_string(&settings.path).unwrap(), "second\n");
    }

    #[test]
    fn where_it_cannot_rotate_it_writes_on() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut file = RotatingFile::open(mk_settings(&log, false)).unwrap();
        file.write_all(b"first\n").unwrap();
        fs::remove_dir_all(&log).unwrap();
        fs::write(&log, "in the way").unwrap();
        file.write_all(b"second\n").unwrap();
        assert_eq!(file.file.metadata().unwrap().len(), 13);
    }
}
