//! The `lazyload` program.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use lazyload_controller::{
    api::crds_yaml,
    args::{Args, Command, LogFormat, RunArgs},
    config::Config,
    run::run,
};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Crds => print_crds(),
        Command::Run(args) => controller(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lazyload: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print_crds() -> Result<(), Box<dyn Error>> {
    Ok(io::stdout().write_all(crds_yaml()?.as_bytes())?)
}

#[tokio::main]
async fn controller(args: &RunArgs) -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_new(&args.log_level)
        .map_err(|error| format!("--log-level {:?}: {error}", args.log_level))?;
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
    for warning in config.warnings() {
        warn!("configuration: {warning}");
    }
    Ok(run(config).await?)
}
