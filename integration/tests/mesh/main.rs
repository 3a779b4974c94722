//! Tests on the real mesh, which all of them share. They need root and Linux; `cargo test --workspace -- --skip on_the_mesh`
//! leaves them out.
#![allow(clippy::unwrap_used)]

mod on_the_mesh;
