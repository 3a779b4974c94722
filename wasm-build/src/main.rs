//! `cargo run -p wasm-build`: builds the filter and prints where it is and how large.

use clap::Parser;
use std::path::PathBuf;
use wasm_build::{Options, build_filter, measure};

/// Builds the filter into the module that Envoy loads.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Cargo target directory for this build [default: filter-wasm in the workspace's target directory]
    #[arg(long)]
    target_dir: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let options = arguments
        .target_dir
        .map_or_else(Options::default, Options::new);
    let path = build_filter(&options)?;
    let size = measure(&path)?;
    println!("path    {}", path.display());
    println!("bytes   {}", size.bytes);
    println!("gzip    {}", size.gzip_bytes);
    println!("sha256  {}", size.sha256);
    Ok(())
}
