//! The shape of the shipped file.

use crate::vm::{BYTES, MODULE};
use wasm_build::EXPORTS;

/// Largest module that ships, in bytes. Every sidecar compiles it, once per worker and twice more.
const MOST_BYTES: usize = 264_000;

/// Host functions of proxy-wasm ABI 0.2.1.
const ABI: [&str; 38] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_header_map_value",
    "proxy_get_log_level",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

/// What of WASI preview 1 the Rust standard library needs; Envoy has all four.
const WASI: [&str; 4] = ["environ_get", "environ_sizes_get", "fd_write", "proc_exit"];

#[test]
fn it_exports_what_envoy_is_to_call_and_nothing_else() {
    let mut exports: Vec<_> = MODULE
        .exports()
        .map(|export| export.name().to_owned())
        .collect();
    exports.sort();
    assert_eq!(exports, EXPORTS);
}

#[test]
fn it_imports_only_what_envoy_has() {
    for import in MODULE.imports() {
        let known: &[&str] = match import.module() {
            "env" => &ABI,
            "wasi_snapshot_preview1" => &WASI,
            other => panic!("imports from {other}"),
        };
        assert!(known.contains(&import.name()), "imports {}", import.name());
    }
}

#[test]
fn it_keeps_to_its_size() {
    assert!(BYTES.len() <= MOST_BYTES, "{} bytes", BYTES.len());
}

#[test]
fn it_carries_no_path_of_the_machine_that_built_it() {
    let text = String::from_utf8_lossy(&BYTES);
    assert!(
        text.contains("/cargo/registry"),
        "panic messages name files"
    );
    let workspace = env!("CARGO_MANIFEST_DIR").trim_end_matches("/wasm-build");
    for path in [workspace, "/.cargo/"] {
        assert!(!text.contains(path), "{path}");
    }
}
