use crate::node;
use anyhow::{Context, Result, bail, ensure};
use std::{
    env,
    ffi::OsString,
    process::{Command, Output},
};

/// Set for the nested run: this program is then the runner of a test module.
pub const RUNNER_ROLE: &str = "LAZYLOAD_WASM_TEST_RUNNER";

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGES: [&str; 2] = ["lazyload-protocol", "lazyload-filter"];

/// Runs the unit tests of [`PACKAGES`] inside wasm and returns how many passed.
pub fn run() -> Result<usize> {
    let path = node::search_path()?;
    let mut passed = 0;
    for package in PACKAGES {
        let output = test(package, &path)?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        ensure!(output.status.success(), "{package} in wasm:\n{text}");
        let count = passed_in(&text)
            .with_context(|| format!("{package} in wasm: no summary of tests in:\n{text}"))?;
        if count == 0 {
            bail!("{package} in wasm: no test ran:\n{text}");
        }
        passed += count;
    }
    Ok(passed)
}

fn test(package: &str, path: &OsString) -> Result<Output> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target_dir = wasm_build::Options::default()
        .target_dir
        .with_file_name("tests-in-wasm");
    Command::new(cargo)
        .current_dir(wasm_build::Options::default().workspace)
        .args([
            "test",
            "--locked",
            "--lib",
            "--package",
            package,
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target_dir)
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
            env::current_exe()?,
        )
        .env(RUNNER_ROLE, "1")
        // Many property tests in one module take longer than the runner's default of 20 s on a busy machine.
        .env("WASM_BINDGEN_TEST_TIMEOUT", "300")
        .env("PATH", path)
        .output()
        .context("cannot start cargo")
}

/// The number before `passed` in the runner's summary.
fn passed_in(text: &str) -> Option<usize> {
    let summary = text
        .lines()
        .rfind(|line| line.starts_with("test result: "))?;
    let before = summary.split(" passed").next()?;
    before.rsplit(' ').next()?.parse().ok()
}
