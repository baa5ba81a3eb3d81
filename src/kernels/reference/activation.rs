//! Activations.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

/// The tanh form of GELU, the only one in the model: `0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
///
/// Written as `x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3))`, which is the same: burn's own, with a power and a hyperbolic tangent,
/// takes about three times as long on the CPU engine.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let doubled = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let inner = (x.clone().square() * (0.044715 * doubled) + doubled) * x.clone();
    x * sigmoid(inner)
}
