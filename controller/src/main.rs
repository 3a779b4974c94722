//! The `lazyload` program.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use lazyload_controller::{
    api::crds_yaml,
    args::{Args, Command, RunArgs},
    config::Config,
    log,
    reload::Source,
    run::run,
};
use tracing::{info, warn};

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
    let config = match &args.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    let level = log::start(args.log_level.as_deref(), args.log_format, &config.log)?;
    info!(version = env!("CARGO_PKG_VERSION"), ?config, "starting");
    for warning in config.warnings() {
        warn!("configuration: {warning}");
    }
    let source = args.config.clone().map(|path| Source { path, level });
    Ok(run(config, source).await?)
}
