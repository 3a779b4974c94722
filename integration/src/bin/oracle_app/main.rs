//! The oracle's application: a server and a client of every protocol that a sidecar carries.

mod call;
mod grpc;
mod http;
mod serve;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Answer on some ports, and tell what was seen.
    Serve {
        /// What this one says that it is.
        #[arg(long)]
        version: String,
        /// The ports.
        #[arg(long, value_delimiter = ',')]
        ports: Vec<u16>,
    },
    /// Make the calls that come as lines of JSON, and print what came back, a line of JSON each.
    Call,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    match Cli::parse().command {
        Task::Serve { version, ports } => runtime.block_on(serve::serve(version, &ports)),
        Task::Call => runtime.block_on(call::run()),
    }
}
