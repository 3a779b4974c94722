//! What a program of the mesh has used of the machine.

use super::Mesh;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of one process, since it started.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Time on processors, in user and kernel mode; the kernel counts it in steps of 10 ms.
    pub cpu: Duration,
    /// Memory that is resident now, in bytes.
    pub resident: u64,
    /// The most that was ever resident, in bytes.
    pub peak: u64,
}

impl Mesh {
    /// What the mesh's only process of this program, such as `pilot-discovery` or `lazyload`, has used.
    pub fn usage(&self, program: &str) -> Result<Usage> {
        let process = self.process_of(program)?;
        usage(&process).with_context(|| format!("{program} has gone"))
    }

    /// Its folder in /proc.
    fn process_of(&self, program: &str) -> Result<PathBuf> {
        let ours = std::fs::read_link(self.namespace("pid"))?;
        let is_it = |process: &Path| {
            let runs = std::fs::read_link(process.join("exe"));
            let runs = runs.is_ok_and(|path| path.file_name().is_some_and(|name| name == program));
            runs && std::fs::read_link(process.join("ns/pid")).is_ok_and(|its| its == ours)
        };
        let processes = std::fs::read_dir("/proc")?.filter_map(|entry| Some(entry.ok()?.path()));
        processes
            .into_iter()
            .find(|process| is_it(process))
            .with_context(|| format!("the mesh runs no {program}"))
    }
}

fn usage(process: &Path) -> Result<Usage> {
    let stat = std::fs::read_to_string(process.join("stat"))?;
    let status = std::fs::read_to_string(process.join("status"))?;
    let ticks = cpu_ticks(&stat).context("no times in /proc/PID/stat")?;
    Ok(Usage {
        // USER_HZ is 100 on every architecture that Linux has.
        cpu: Duration::from_millis(10 * ticks),
        resident: kilobytes(&status, "VmRSS:").context("no VmRSS")? * 1024,
        peak: kilobytes(&status, "VmHWM:").context("no VmHWM")? * 1024,
    })
}

/// Fields 14 and 15: user and kernel mode. The name before them may hold spaces and parentheses.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn kilobytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 8 0 12345";
        assert_eq!(cpu_ticks(stat), Some(300));
    }

    #[test]
    fn memory_is_the_number_of_its_line() {
        let status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(1024));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
    }
}
