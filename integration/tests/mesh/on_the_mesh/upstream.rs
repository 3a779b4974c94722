//! The cases that Slime's and lazyxds' own tests and tutorials have, and those that their users' reports add.

mod configured;
mod dispatches;
mod exports;
mod identity;
mod labels;
mod lazyxds;
mod lifecycle;
mod manifests;
mod naming;
mod productpage;
mod replicas;
mod slime_e2e;
mod slime_envtest;
mod stage;
mod tutorial;
