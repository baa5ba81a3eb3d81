//! Kernels written by hand in WGSL (`shaders/`), for graphics devices.
//!
//! Each has one file here: its launcher, its twin in plain tensor operations, which every other device runs, and a test that
//! the two agree.

mod to_rgba;

pub use to_rgba::to_rgba;
