//! The unit tests of the crates that know nothing of the wasm host, run inside wasm.
//!
//! One program in two roles: started by `cargo test` it starts a nested `cargo test` for wasm and names itself as the runner;
//! started as that runner it hands the module to wasm-bindgen's test runner, which runs it in Node.

mod nested;
mod node;

use libtest_mimic::{Arguments, Trial};
use std::{env, process::ExitCode};

const NAME: &str = "host_free_crates_pass_their_unit_tests_inside_wasm";

fn main() -> ExitCode {
    if env::var_os(nested::RUNNER_ROLE).is_some() {
        return match wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(env::args_os()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        };
    }
    let test = Trial::test(NAME, || {
        let passed = nested::run().map_err(|error| format!("{error:?}"))?;
        println!("{passed} tests passed inside wasm");
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![test]).exit_code()
}
