//! The few system programs that the rig calls.

use crate::progress::step;
use anyhow::{Result, bail};
use std::process::{Command, Stdio};

/// A command that works where the package is there, and the Debian package.
const NEEDED: [(&[&str], &str); 3] = [
    (&["ip", "-Version"], "iproute2"),
    (&["iptables", "--version"], "iptables"),
    (&["python3", "-m", "pip", "--version"], "python3-pip"),
];

/// Installs what is missing with apt where apt is, and else names it.
pub fn install_missing() -> Result<()> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    if !works(&["apt-get", "--version"]) {
        bail!(
            "these packages are missing and there is no apt-get to install them: {names}. Install them and try again"
        );
    }
    step(format!("installing Debian packages: {names}"));
    apt(&["update"])?;
    apt(&[
        &["install", "--yes", "--no-install-recommends"],
        packages.as_slice(),
    ]
    .concat())?;
    match missing().as_slice() {
        [] => Ok(()),
        still => bail!(
            "{} is installed, and its programs are not found: is /usr/sbin on PATH?",
            still.join(" ")
        ),
    }
}

fn missing() -> Vec<&'static str> {
    let missing = NEEDED.iter().filter(|(command, _)| !works(command));
    missing.map(|(_, package)| *package).collect()
}

fn apt(arguments: &[&str]) -> Result<()> {
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()?;
    if !output.status.success() {
        bail!(
            "apt-get {} failed:\n{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn works(command: &[&str]) -> bool {
    let [program, arguments @ ..] = command else {
        return false;
    };
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
