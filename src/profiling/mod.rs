//! What is timed of this project: operations by shape, and images of the official sizes with random weights. The command line
//! (`infinity bench`) and a page (bench-web/) take the times.

pub mod image;
pub mod operations;

use burn::tensor::{Device, Distribution, Tensor};

/// A tensor of made-up numbers in [-1, 1).
pub fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

/// One number of `x`, `[1]`, which can be read once everything that leads to `x` is computed.
pub fn one_number<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let first: [_; D] = std::array::from_fn(|_| 0..1);
    x.slice(first).reshape([1])
}
