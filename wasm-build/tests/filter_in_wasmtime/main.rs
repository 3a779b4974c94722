//! The shipped module in wasmtime, against an Envoy in memory that speaks proxy-wasm ABI 0.2.1.
//!
//! The host keeps state and the tests look at it; none of them says which calls the module makes or in what order.

mod abi;
mod behaviour;
mod garbage;
mod guest;
mod hold;
mod module;
mod state;
mod vm;
