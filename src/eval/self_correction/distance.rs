//! Distances of running sums and of images from their targets.

use crate::eval::measure::Mean;
use crate::eval::{EvalError, read};
use burn::tensor::Tensor;

/// `|F - F_k| / |F|` of every sum and sample.
fn deviations(features: &Tensor<4>, sums: &[Tensor<4>]) -> Result<Vec<Vec<f64>>, EvalError> {
    let lengths = read(squares(features.clone()))?;
    let relative = |(error, length): (&f32, &f32)| f64::from(error / length.max(f32::MIN_POSITIVE)).sqrt();
    let of_sum = |sum: &Tensor<4>| {
        let distances = read(squares(features.clone() - sum.clone()))?;
        Ok(distances.iter().zip(&lengths).map(relative).collect())
    };
    sums.iter().map(of_sum).collect()
}

/// PSNR in dB of every sample; values lie in [-1, 1], a range of 2.
fn psnrs(images: Tensor<4>, others: Tensor<4>) -> Result<Vec<f64>, EvalError> {
    let values = images.dims().iter().skip(1).product::<usize>() as f64;
    let errors = read(squares(images - others))?;
    let psnr = |&sum: &f32| 10.0 * (4.0 * values / f64::from(sum)).log10();
    Ok(errors.iter().map(psnr).collect())
}

/// Sum of squares of every sample: `[B]`.
fn squares(x: Tensor<4>) -> Tensor<1> {
    x.square().flatten::<2>(1, 3).sum_dim(1).squeeze_dim(1)
}

/// Distances of many images, one value per image.
#[derive(Default)]
pub struct Tally {
    /// `|F - F_k| / |F|` by scale.
    errors: Vec<Vec<f64>>,
    psnrs: Vec<f64>,
}

impl Tally {
    /// Adds a batch of images: their running sums `F_k` against the features `F [B, d, H, W]`.
    pub fn add_sums(&mut self, features: &Tensor<4>, sums: &[Tensor<4>]) -> Result<(), EvalError> {
        self.errors.resize(sums.len(), Vec::new());
        for (errors, found) in self.errors.iter_mut().zip(deviations(features, sums)?) {
            errors.extend(found);
        }
        Ok(())
    }

    /// Adds a batch of decoded images against their targets.
    pub fn add_images(&mut self, images: Tensor<4>, targets: Tensor<4>) -> Result<(), EvalError> {
        self.psnrs.extend(psnrs(images, targets)?);
        Ok(())
    }

    /// Mean error of every scale over the first `images`; the last batch may have brought more.
    pub fn errors(&self, images: usize) -> Vec<Mean> {
        self.errors.iter().map(|errors| Mean::of(&errors[..images])).collect()
    }

    /// Mean PSNR over the first `images`.
    pub fn psnr(&self, images: usize) -> Mean {
        Mean::of(&self.psnrs[..images])
    }

    /// Errors of every scale minus those of `other`, image by image, and the same for the PSNR.
    pub fn minus(&self, other: &Self, images: usize) -> (Vec<Mean>, Mean) {
        let minus = |own: &[f64], other: &[f64]| {
            let differences: Vec<f64> = own.iter().zip(other).map(|(own, other)| own - other).collect();
            Mean::of(&differences[..images])
        };
        let scales = self.errors.iter().zip(&other.errors);
        let errors = scales.map(|(own, other)| minus(own, other)).collect();
        (errors, minus(&self.psnrs, &other.psnrs))
    }
}
