//! Activations: the CPU engine's own kernel, the reference elsewhere; in the GPU's kernels they are epilogues.

use super::{cpu, reference};
use burn::tensor::Tensor;

/// [`reference::activation::gelu`].
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    cpu::gelu(x, reference::activation::gelu)
}
