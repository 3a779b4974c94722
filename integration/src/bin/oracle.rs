//! Compares what a lazily loaded caller sees, and shows, with a caller of full configuration.

use anyhow::{Context, Result, bail};
use clap::Parser;
use integration::arguments::arguments;
use integration::form::Form;
use integration::mesh::Mesh;
use integration::oracle::case::Case;
use integration::oracle::cases;
use integration::oracle::run::{Report, run};
use integration::oracle::tell::tell;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    about = "Makes the same calls with full configuration and loaded lazily, and compares everything observable"
)]
struct Cli {
    /// Run only cases whose name holds this; may be given again.
    #[arg(long, value_name = "SUBSTRING")]
    only: Vec<String>,
    /// How Sidecars name hosts; without it, every case runs under both forms.
    #[arg(long, value_name = "FORM")]
    sidecar_hosts: Option<Form>,
    /// Write everything that was observed to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// List the cases and do nothing.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match compare(&Cli::parse_from(arguments())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("oracle: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(cli: &Cli) -> Result<bool> {
    let wanted =
        |case: &Case| cli.only.is_empty() || cli.only.iter().any(|part| case.name.contains(part));
    let cases: Vec<Case> = cases::all().into_iter().filter(wanted).collect();
    if cases.is_empty() {
        bail!("no case has such a name: `--list` shows them");
    }
    if cli.list {
        cases.iter().for_each(|case| println!("{}", case.name));
        return Ok(true);
    }
    let mesh = Mesh::up()?;
    let forms = cli
        .sidecar_hosts
        .map_or(Form::BOTH.to_vec(), |form| vec![form]);
    let reports = run(&mesh, &cases, &forms).map_err(|error| mesh.explain(error))?;
    for report in &reports {
        println!("{}", tell(report));
    }
    if let Some(path) = &cli.json {
        std::fs::write(path, serde_json::to_vec_pretty(&reports)?)
            .with_context(|| path.display().to_string())?;
    }
    let is_clean = reports.iter().all(Report::is_clean);
    if !is_clean {
        eprintln!(
            "oracle: {:#}",
            mesh.explain(anyhow::anyhow!("the callers are not alike"))
        );
    }
    mesh.down()?;
    Ok(is_clean)
}
