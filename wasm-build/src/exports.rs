//! Leaves in the module only what Envoy is to call.

use walrus::{Module, ModuleConfig};

/// What the shipped module exports.
///
/// Envoy calls a callback for every request if the module exports it, and the SDK exports all there are. Each one here is one
/// that the filter acts on, that ends a context (`proxy_on_delete`, or contexts would pile up), or that the ABI asks for.
pub const EXPORTS: [&str; 13] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_grpc_close",
    "proxy_on_grpc_receive",
    "proxy_on_http_call_response",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

/// What the filter exports in the place of a callback of the SDK: its own name, and the callback's. The SDK's function panics on
/// a token that it does not know, and two functions of one name cannot be linked.
const REPLACED: [(&str, &str); 1] = [(
    "lazyload_on_http_call_response",
    "proxy_on_http_call_response",
)];

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
    replace(&mut module)?;
    remove_others(&mut module);
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}

fn replace(module: &mut Module) -> Result<(), String> {
    for (own, callback) in REPLACED {
        let exports = &mut module.exports;
        exports
            .remove(callback)
            .map_err(|error| format!("{error:#}"))?;
        let export = exports.iter_mut().find(|export| export.name == own);
        let export = export.ok_or_else(|| format!("it does not export {own}"))?;
        export.name = callback.to_owned();
    }
    Ok(())
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
