//! The unit tests of the crates that know nothing of the wasm host, run inside wasm.
//!
//! One program in two roles: started by `cargo test` it starts a nested `cargo test` for wasm and names itself as the runner;
//! started as that runner it hands the module to wasm-bindgen's test runner, which runs it in Node.

mod nested;
mod node;

use std::{env, process::ExitCode};

const NAME: &str = "host_free_crates_pass_their_unit_tests_inside_wasm";

fn main() -> ExitCode {
    let result = if env::var_os(nested::RUNNER_ROLE).is_some() {
        wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(env::args_os())
    } else if is_asked_for() {
        nested::run().map(|passed| println!("test {NAME} ... ok ({passed} tests)"))
    } else {
        Ok(())
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{NAME} failed: {error:?}");
            ExitCode::FAILURE
        }
    }
}

/// Speaks as much of the standard test harness' command line as picks tests.
fn is_asked_for() -> bool {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut filters = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("{NAME}: test");
        return false;
    }
    filters.peek().is_none() || filters.any(|filter| NAME.contains(filter.as_str()))
}
