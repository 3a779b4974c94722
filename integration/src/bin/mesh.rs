//! The mesh by hand: bring it up, look into it, take it down.

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use integration::arguments::arguments;
use integration::mesh::Mesh;
use integration::netns;
use integration::supervisor::{init, launcher};
use std::process::{Command, ExitCode, ExitStatus};

#[derive(Parser)]
#[command(about = "A real Istio mesh on this machine, for the hand")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start a mesh with Bookinfo and the lazyload manifests; it goes on until `down`.
    Up,
    /// End the mesh and everything in it.
    Down,
    /// Show the mesh's pods, fences and Sidecars.
    Status,
    /// Run kubectl on the mesh's API server: `mesh kubectl -- get pods -A`.
    Kubectl {
        /// kubectl's arguments.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run a command in a pod's network as an application user: `mesh exec productpage -- curl -s details:9080`.
    Exec {
        /// [NAMESPACE/]NAME of a pod, a Deployment, or an `app` label.
        workload: String,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// GET a path on the admin port of a pod's Envoy: `mesh admin productpage stats`.
    Admin {
        /// [NAMESPACE/]NAME of a pod, a Deployment, or an `app` label.
        workload: String,
        /// The path, such as `config_dump`.
        path: String,
    },
    /// Print the logs of a pod's containers.
    Logs {
        /// [NAMESPACE/]NAME of a pod, a Deployment, or an `app` label.
        workload: String,
    },
    /// The programs inside a mesh.
    #[command(hide = true)]
    Internal {
        #[command(subcommand)]
        program: Program,
    },
}

#[derive(Subcommand)]
enum Program {
    Launch {
        /// What the mesh is started with, as JSON.
        #[arg(long)]
        spec: String,
    },
    Init {
        /// What the mesh is started with, as JSON.
        #[arg(long)]
        spec: String,
    },
    Node,
}

fn main() -> ExitCode {
    match run(Cli::parse_from(arguments()).task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mesh: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Up => up()?,
        Task::Down => Mesh::attach()?.down()?,
        Task::Status => return status(&Mesh::attach()?),
        Task::Kubectl { arguments } => {
            let mesh = Mesh::attach()?;
            let mut command = mesh.kubectl();
            return code(netns::run(&mesh.network(), || {
                command.args(arguments).status()
            })??);
        }
        Task::Exec { workload, command } => {
            let mesh = Mesh::attach()?;
            let pod = mesh.workload(&workload)?;
            let [program, arguments @ ..] = command.as_slice() else {
                bail!("no command given")
            };
            return code(
                mesh.spawn_in(&pod, Command::new(program).args(arguments))?
                    .wait()?,
            );
        }
        Task::Admin { workload, path } => {
            let mesh = Mesh::attach()?;
            print!("{}", mesh.admin(&mesh.workload(&workload)?, &path)?);
        }
        Task::Logs { workload } => logs(&Mesh::attach()?, &workload)?,
        Task::Internal { program } => internal(program)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn up() -> Result<()> {
    if Mesh::attach().is_ok() {
        bail!("a mesh is up already: `cargo mesh down` ends it");
    }
    Mesh::up()?.keep()?;
    eprintln!("`cargo mesh status` shows it, `cargo mesh down` ends it");
    Ok(())
}

fn status(mesh: &Mesh) -> Result<ExitCode> {
    let mut command = mesh.kubectl();
    command.args([
        "get",
        "pods,servicefences,sidecars,serviceentries,wasmplugins",
        "--all-namespaces",
    ]);
    code(netns::run(&mesh.network(), || command.status())??)
}

fn logs(mesh: &Mesh, workload: &str) -> Result<()> {
    let pod = mesh.workload(workload)?;
    for container in mesh.containers(&pod)? {
        for line in mesh.log(&pod, &container)?.lines() {
            println!("{container}: {line}");
        }
    }
    Ok(())
}

fn internal(program: Program) -> Result<()> {
    match program {
        Program::Launch { spec } => launcher::run(&serde_json::from_str(&spec)?),
        Program::Init { spec } => init::run(&serde_json::from_str(&spec)?),
        Program::Node => integration::node::run(),
    }
}

fn code(status: ExitStatus) -> Result<ExitCode> {
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
