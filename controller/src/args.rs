//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Learns what each workload calls and narrows its sidecar to that.
#[derive(Debug, Parser)]
#[command(name = "lazyload", version)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controller until SIGTERM or SIGINT.
    Run(RunArgs),
    /// Print the CustomResourceDefinitions as YAML.
    Crds,
}

/// How to run.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Configuration file (YAML). Without it every key has its default.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to log: a level, or directives such as `info,lazyload_controller=debug`. Comes before the configuration's
    /// `global.log.logLevel`; without either it is `info`.
    #[arg(long, env = "LAZYLOAD_LOG", value_name = "FILTER")]
    pub log_level: Option<String>,
    /// How to log.
    #[arg(long, env = "LAZYLOAD_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For reading by eye.
    Plain,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
