//! What an edit costs istiod under both forms of a Sidecar's hosts.

use anyhow::{Context, Result};
use clap::Parser;
use integration::arguments::arguments;
use integration::mesh::Mesh;
use integration::scopes::{Size, run::run, tell::tell};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    about = "Measures istiod's CPU per edit with Sidecars of compatible and of exact hosts, in turn"
)]
struct Cli {
    /// Sidecars, each with one connected proxy.
    #[arg(long, default_value_t = 1000)]
    sidecars: usize,
    /// Services.
    #[arg(long, default_value_t = 2000)]
    services: usize,
    /// Namespaces.
    #[arg(long, default_value_t = 20)]
    namespaces: usize,
    /// Hosts that each Sidecar names.
    #[arg(long, default_value_t = 15)]
    hosts: usize,
    /// Turns of each form.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How often an edit is made and taken back in one turn.
    #[arg(long, default_value_t = 2)]
    repeats: usize,
    /// Write all samples to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match measure(&Cli::parse_from(arguments())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scopes: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(cli: &Cli) -> Result<()> {
    let size = Size {
        sidecars: cli.sidecars,
        services: cli.services,
        namespaces: cli.namespaces,
        hosts: cli.hosts,
    };
    let mesh = Mesh::up_without_bookinfo()?;
    let report = run(&mesh, size, cli.rounds, cli.repeats).map_err(|error| mesh.explain(error))?;
    println!("{}", tell(&report));
    if let Some(path) = &cli.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| path.display().to_string())?;
    }
    mesh.down()
}
