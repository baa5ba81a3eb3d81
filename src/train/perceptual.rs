//! A perceptual term that needs no downloaded network: edges at three resolutions.
//!
//! Plain L1 is content with a blur. Comparing the differences of neighbouring pixels, at full, half and quarter
//! resolution, charges for every edge that is missing, soft or in the wrong place (the gradient-difference loss of
//! Mathieu, Couprie and LeCun 2016, on a pyramid).

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;

/// Resolutions compared.
const LEVELS: usize = 3;

/// `mean_levels (mean |dx a - dx b| + mean |dy a - dy b|)` of images `[B, 3, H, W]`: `[1]`.
pub fn edge_loss(a: Tensor<4>, b: Tensor<4>) -> Tensor<1> {
    // Differences are linear, so those of the error image are all that is needed.
    let mut error = a - b;
    let mut terms = Vec::new();
    for level in 0..LEVELS {
        if level > 0 {
            error = avg_pool2d(error, AvgPoolOptions::new([2, 2]).with_stride([2, 2]));
        }
        let [_, _, h, w] = error.dims();
        if h < 2 || w < 2 {
            break;
        }
        let dx = error.clone().narrow(3, 1, w - 1) - error.clone().narrow(3, 0, w - 1);
        let dy = error.clone().narrow(2, 1, h - 1) - error.clone().narrow(2, 0, h - 1);
        terms.push(dx.abs().mean() + dy.abs().mean());
    }
    Tensor::cat(terms, 0).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn a_constant_shift_costs_nothing_and_a_blur_does() {
        let device = Device::flex();
        let stripes = |i: usize| if (i / 4).is_multiple_of(2) { 1.0 } else { -1.0 };
        let data = TensorData::new((0..16 * 16).map(stripes).collect::<Vec<f32>>(), [1, 1, 16, 16]);
        let image = Tensor::<4>::from_data(data, &device);
        let loss = |x: Tensor<4>| edge_loss(x, image.clone()).into_scalar::<f32>();
        assert!(loss(image.clone() + 0.5) < 1e-6);
        let blurred = image.clone() * 0.5;
        assert!(loss(blurred) > 0.1);
    }
}
