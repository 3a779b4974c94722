//! Files that change as a kubelet changes them: all at once, so that nobody ever reads half a change.

use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::Path;

/// Path below a volume → text.
pub type Files = BTreeMap<String, String>;

/// The link that leads to the folder of the files as they are now; what containers open are links through it.
const DATA: &str = "..data";
/// The same, until it takes the place of the old one.
const NEXT: &str = "..data_tmp";

/// Shows `files`, and nothing else, in `place`. Does nothing where that is so already.
pub fn show(place: &Path, files: &Files) -> Result<()> {
    if is_shown(place, files) {
        return Ok(());
    }
    let old = std::fs::read_link(place.join(DATA)).ok();
    let folder = (0_u32..)
        .map(|number| format!("..{number}"))
        .find(|name| !place.join(name).exists())
        .unwrap_or_default();
    std::fs::create_dir_all(place.join(&folder))?;
    for (path, text) in files {
        put(&place.join(&folder), path, text)?;
    }
    let _ = std::fs::remove_file(place.join(NEXT));
    symlink(&folder, place.join(NEXT))?;
    std::fs::rename(place.join(NEXT), place.join(DATA))?;
    let wanted = tops(files);
    for top in &wanted {
        if place.join(top).symlink_metadata().is_err() {
            symlink(Path::new(DATA).join(top), place.join(top))?;
        }
    }
    for entry in std::fs::read_dir(place)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !wanted.contains(name.as_str()) {
            std::fs::remove_file(place.join(name))?;
        }
    }
    if let Some(old) = old {
        std::fs::remove_dir_all(place.join(old))?;
    }
    Ok(())
}

/// Writes one file below `place`.
pub fn put(place: &Path, path: &str, text: &str) -> Result<()> {
    let file = place.join(path);
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    Ok(std::fs::write(file, text)?)
}

/// The first part of each path: what stands in the volume itself.
fn tops(files: &Files) -> BTreeSet<&str> {
    files
        .keys()
        .filter_map(|path| path.split('/').next())
        .collect()
}

fn is_shown(place: &Path, files: &Files) -> bool {
    let Ok(entries) = std::fs::read_dir(place.join(DATA)) else {
        return false;
    };
    let shown: BTreeSet<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    let same = |(path, text): (&String, &String)| {
        std::fs::read_to_string(place.join(path)).is_ok_and(|read| read == *text)
    };
    shown.iter().map(String::as_str).eq(tops(files)) && files.iter().all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_files(files: &[(&str, &str)]) -> Files {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        files.iter().map(owned).collect()
    }

    #[test]
    fn a_change_replaces_the_folder_behind_all_files_at_once() {
        let place = tempfile::tempdir().unwrap();
        show(place.path(), &mk_files(&[("a", "1"), ("b/c", "2")])).unwrap();
        let before = std::fs::read_link(place.path().join(DATA)).unwrap();
        show(place.path(), &mk_files(&[("a", "3"), ("d", "4")])).unwrap();
        let after = std::fs::read_link(place.path().join(DATA)).unwrap();
        assert_ne!(before, after);
        assert!(!place.path().join(before).exists());
        let read = |path: &str| std::fs::read_to_string(place.path().join(path)).ok();
        assert_eq!(read("a").as_deref(), Some("3"));
        assert_eq!(read("d").as_deref(), Some("4"));
        assert_eq!(read("b/c"), None);
        assert!(place.path().join("b").symlink_metadata().is_err());
    }

    #[test]
    fn what_is_shown_already_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let files = mk_files(&[("a", "1"), ("b/c", "2")]);
        show(place.path(), &files).unwrap();
        let before = std::fs::read_link(place.path().join(DATA)).unwrap();
        show(place.path(), &files).unwrap();
        assert_eq!(std::fs::read_link(place.path().join(DATA)).unwrap(), before);
    }
}
