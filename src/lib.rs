//! Infinity: bitwise next-scale text-to-image generation.
//!
//! The paper is *Infinity: Scaling Bitwise AutoRegressive Modeling for High-Resolution Image Synthesis*
//! (Han et al., CVPR 2025). An image is a pyramid of residual maps `R_1 .. R_K`; every position of every map is a
//! vector of `d` bits; a transformer predicts all bits of one map at a time from the text and the maps before it.
//!
//! The modules read in that order: [`model`] is the mathematics, [`kernels`] the shaders written by hand, [`weights`]
//! brings checkpoints in and out, [`train`] fits the two networks, [`data`] composes captioned images, [`eval`] scores
//! what is drawn, [`engine`] turns commands into a stream of events for the page and the command line alike,
//! [`profiling`] has what is timed.

pub mod data;
pub mod engine;
pub mod kernels;
pub mod model;
pub mod profiling;
pub mod train;
pub mod weights;

#[cfg(not(target_family = "wasm"))]
pub mod cli;
#[cfg(not(target_family = "wasm"))]
pub mod eval;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tiny;
