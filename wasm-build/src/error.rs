use crate::TARGET;
use std::{io, path::PathBuf};
use thiserror::Error;

/// Why there is no module.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Cargo could not be started.
    #[error("cannot start {cargo}: {source}; install Rust from https://rustup.rs or set CARGO")]
    Cargo {
        /// What was to be started.
        cargo: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The standard library for the module's target is missing.
    #[error("the Rust target {TARGET} is not installed; run `rustup target add {TARGET}`")]
    Target,
    /// The compiler refused the filter.
    #[error("building the filter failed:\n{output}")]
    Compile {
        /// What cargo wrote.
        output: String,
    },
    /// The build ended well, but its result cannot be read or written.
    #[error("cannot read or write {}: {source}", path.display())]
    File {
        /// The module, as linked or as shipped.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was built is not a module.
    #[error("{} is not a valid wasm module: {reason}; remove it and build again", path.display())]
    Module {
        /// The module as linked.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
