//! A large world on a real API server. It needs root and Linux; `cargo test --workspace -- --skip on_the_mesh` leaves it out.
#![allow(clippy::unwrap_used)]

mod on_the_mesh;
