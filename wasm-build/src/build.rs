use crate::{TARGET, error::BuildError, exports::keep_exports};
use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{self, Command},
};

const PACKAGE: &str = "lazyload-filter";
const PROFILE: &str = "wasm";
/// What the linker makes.
const LINKED: &str = "lazyload_filter.wasm";
/// What ships, in the target directory itself.
const SHIPPED: &str = "lazyload-filter.wasm";

/// Where to build.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// Root of the workspace that holds the filter.
    pub workspace: PathBuf,
    /// Cargo target directory of this build alone.
    pub target_dir: PathBuf,
}

impl Options {
    /// The workspace that this crate was built from, with the given target directory.
    pub fn new(target_dir: impl Into<PathBuf>) -> Self {
        Self {
            workspace: workspace(),
            target_dir: target_dir.into(),
        }
    }
}

impl Default for Options {
    /// Builds in `filter-wasm` under `CARGO_TARGET_DIR`, or under the workspace's `target`.
    fn default() -> Self {
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| workspace().join("target"), PathBuf::from);
        Self::new(target.join("filter-wasm"))
    }
}

/// Builds the filter, or finds it built already, and returns the path of the module.
///
/// # Errors
/// [`BuildError`], in words for whoever runs the build.
pub fn build_filter(options: &Options) -> Result<PathBuf, BuildError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(&cargo)
        .current_dir(&options.workspace)
        .args([
            "build",
            "--locked",
            "--package",
            PACKAGE,
            "--profile",
            PROFILE,
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(&options.target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", without_paths(&options.workspace))
        .output()
        .map_err(|source| BuildError::Cargo {
            cargo: cargo.into(),
            source,
        })?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(if output.contains("target may not be installed") {
            BuildError::Target
        } else {
            BuildError::Compile { output }
        });
    }
    let linked = options.target_dir.join(TARGET).join(PROFILE).join(LINKED);
    let module = fs::read(&linked).map_err(|source| BuildError::File {
        path: linked.clone(),
        source,
    })?;
    let module = keep_exports(&module).map_err(|reason| BuildError::Module {
        path: linked,
        reason,
    })?;
    let path = options.target_dir.join(SHIPPED);
    match write_if_changed(&path, &module) {
        Ok(()) => Ok(path),
        Err(source) => Err(BuildError::File { path, source }),
    }
}

/// Flags that keep this machine's paths out of the module, where panic messages would carry them: it is then the same wherever
/// it is built.
fn without_paths(workspace: &Path) -> OsString {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let mut flags = remap(workspace, "/workspace");
    if let Some(home) = home {
        // The separator of CARGO_ENCODED_RUSTFLAGS.
        flags.push("\u{1f}");
        flags.push(remap(&home, "/cargo"));
    }
    flags
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

/// Replaces the file as a whole: another process may be reading it, or writing the same.
fn write_if_changed(path: &Path, content: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|held| held == content) {
        return Ok(());
    }
    let unfinished = path.with_extension(format!("{}.unfinished", process::id()));
    fs::write(&unfinished, content)?;
    fs::rename(unfinished, path)
}

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
