//! Kernels written by hand in WGSL (`shaders/`), for graphics devices.
//!
//! Each has one file here: its launcher, its twin in plain tensor operations, which every other device runs, and a test that
//! the two agree. [`convolution`], [`product`] and the group norm have a way back; under automatic differentiation the others are their
//! twins. [`cpu`] does on the CPU engine in one pass what costs it most beside products.

pub mod attention;
pub mod convolution;
pub mod cpu;
mod group_norm;
pub mod linear;
pub mod norm;
pub mod packed;
pub mod product;
pub mod rows;
pub mod sampling;
mod shader;
mod to_rgba;
pub mod tuning;

/// Bytes of a buffer that every WebGPU device lets a shader see.
pub const BINDING: usize = 128 << 20;

pub use shader::{set_staged, use_shaders};
pub use to_rgba::to_rgba;

/// Small numbers without a pattern.
#[cfg(test)]
fn test_values<const D: usize>(shape: [usize; D], device: &burn::tensor::Device) -> burn::tensor::Tensor<D> {
    let value = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    burn::tensor::Tensor::from_data(burn::tensor::TensorData::new(values, shape), device)
}
