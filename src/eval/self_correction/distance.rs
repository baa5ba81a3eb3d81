//! Distances of running sums and of images from their targets.

use crate::eval::{EvalError, read};
use burn::tensor::Tensor;

/// `|F - F_k| / |F|` of every sum and sample.
pub fn deviations(features: &Tensor<4>, sums: &[Tensor<4>]) -> Result<Vec<Vec<f64>>, EvalError> {
    let lengths = read(squares(features.clone()))?;
    let relative = |(error, length): (&f32, &f32)| f64::from(error / length.max(f32::MIN_POSITIVE)).sqrt();
    let of_sum = |sum: &Tensor<4>| {
        let distances = read(squares(features.clone() - sum.clone()))?;
        Ok(distances.iter().zip(&lengths).map(relative).collect())
    };
    sums.iter().map(of_sum).collect()
}

/// PSNR in dB of every sample; values lie in [-1, 1], a range of 2.
pub fn psnrs(images: Tensor<4>, others: Tensor<4>) -> Result<Vec<f64>, EvalError> {
    let values = images.dims().iter().skip(1).product::<usize>() as f64;
    let errors = read(squares(images - others))?;
    let psnr = |&sum: &f32| 10.0 * (4.0 * values / f64::from(sum)).log10();
    Ok(errors.iter().map(psnr).collect())
}

/// Sum of squares of every sample: `[B]`.
fn squares(x: Tensor<4>) -> Tensor<1> {
    x.square().flatten::<2>(1, 3).sum_dim(1).squeeze_dim(1)
}
