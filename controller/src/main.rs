//! The `lazyload` program.

use std::io::{self, Write};

use anyhow::Context;
use clap::Parser;
use lazyload_controller::{
    api::crds_yaml,
    args::{Args, Command, LogFormat, RunArgs},
    config::Config,
    run::run,
};
use tracing::info;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Crds => Ok(io::stdout().write_all(crds_yaml()?.as_bytes())?),
        Command::Run(args) => controller(&args),
    }
}

#[tokio::main]
async fn controller(args: &RunArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_level)
        .with_context(|| format!("--log-level {:?} cannot be understood", args.log_level))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match args.log_format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Plain => log.init(),
    }
    let config = match &args.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    info!(version = env!("CARGO_PKG_VERSION"), ?config, "starting");
    Ok(run(config).await?)
}
