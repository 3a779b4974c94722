//! Leaves in the module only what Envoy is to call.

use walrus::{Module, ModuleConfig};

/// What the shipped module exports.
///
/// Envoy calls a callback for every request if the module exports it, and the SDK exports all there are. Each one here is one
/// that the filter acts on, that ends a context (`proxy_on_delete`, or contexts would pile up), or that the ABI asks for.
pub const EXPORTS: [&str; 12] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_grpc_close",
    "proxy_on_grpc_receive",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

/// The module without other exports, and without what only those used.
///
/// # Errors
/// What is wrong with the module, in the words of whoever reads it.
pub fn keep_exports(module: &[u8]) -> Result<Vec<u8>, String> {
    let mut config = ModuleConfig::new();
    config
        .generate_name_section(false)
        .generate_producers_section(false);
    let mut module = config.parse(module).map_err(|error| format!("{error:#}"))?;
    remove_others(&mut module);
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}

fn remove_others(module: &mut Module) {
    let others: Vec<_> = module
        .exports
        .iter()
        .filter(|export| !EXPORTS.contains(&export.name.as_str()))
        .map(walrus::Export::id)
        .collect();
    for export in others {
        module.exports.delete(export);
    }
}
