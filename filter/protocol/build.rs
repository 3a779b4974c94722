//! Compiles the `.proto` in pure Rust, so that no `protoc` is needed, and adds service code only where a feature asks for it.

use std::error::Error;

const PROTO: &str = "proto/lazyload.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let descriptors = protox::compile([PROTO], ["proto"])?;
    // Cargo sets this for the crate's own features, whatever target the build script itself runs on.
    let has = |feature: &str| std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    tonic_prost_build::configure()
        .build_client(has("CLIENT"))
        .build_server(has("SERVER"))
        .btree_map(".istio.lazyload.v1.Workload.labels")
        .compile_fds(descriptors)?;
    Ok(())
}
