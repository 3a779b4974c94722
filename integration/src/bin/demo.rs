//! Shows the main job on a mesh of real parts, and fails unless all of it was seen.

use anyhow::{Context, Result};
use clap::Parser;
use integration::arguments::arguments;
use integration::demo::{check, play, tell};
use integration::mesh::Mesh;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Shows a miss, a learned fence and a direct second call on a real Istio mesh")]
struct Cli {
    /// Write what was seen to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave the mesh up for `cargo mesh`.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse_from(arguments())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<bool> {
    if cli.keep && Mesh::attach().is_ok() {
        anyhow::bail!("a mesh is up already, and only one can be kept: `cargo mesh down` ends it");
    }
    let mesh = Mesh::up()?;
    let facts = play(&mesh).map_err(|error| mesh.explain(error))?;
    let checks = check(&facts);
    println!("{}", tell(&facts, &checks));
    if let Some(path) = &cli.json {
        std::fs::write(path, serde_json::to_vec_pretty(&facts)?)
            .with_context(|| path.display().to_string())?;
    }
    let seen = checks.iter().all(|check| check.holds);
    if !seen {
        eprintln!(
            "demo: {:#}",
            mesh.explain(anyhow::anyhow!("not everything was seen"))
        );
    }
    if cli.keep {
        mesh.keep()?;
        eprintln!("the mesh stays up: `cargo mesh status` shows it, `cargo mesh down` ends it");
    } else {
        mesh.down()?;
    }
    Ok(seen)
}
