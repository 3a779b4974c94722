mod learning;
mod placeholder;
mod reports;
mod rig;
mod sidecars;
mod transparency;
mod world;
