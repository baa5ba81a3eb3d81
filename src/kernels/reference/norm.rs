//! Norms.

use burn::tensor::Tensor;
use burn::tensor::activation::silu;

/// Layer norm over the last axis without factor and shift, biased variance.
pub fn layer_norm<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let centered = x.clone() - x.mean_dim(D - 1);
    let variance = centered.clone().square().mean_dim(D - 1);
    centered / (variance + epsilon).sqrt()
}

/// Root mean square norm without a weight: `x / sqrt(mean(x^2) + epsilon)` over the last axis.
pub fn rms_norm<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let deviation = (x.clone().square().mean_dim(D - 1) + epsilon).sqrt();
    x / deviation
}

/// `silu(GN(x) weight + bias)` for `x [B, C, H, W]` in `groups` groups of channels, weight and bias `[C]`.
pub fn group_norm_silu(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, groups: usize, epsilon: f64) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    let x = x.reshape([b * groups, c / groups, h * w]);
    let centered = x.clone() - group_mean(x);
    let variance = group_mean(centered.clone().square());
    let normed = centered / (variance + epsilon).sqrt();
    affine_silu(normed.reshape([b, c, h, w]), weight, bias)
}

/// Mean and inverse deviation `1 / sqrt(variance + epsilon)` of every group of channels of `x [B, C, H, W]`, `[B, G, 2]`.
pub fn group_statistics(x: Tensor<4>, groups: usize, epsilon: f64) -> Tensor<3> {
    let [b, c, h, w] = x.dims();
    let x = x.reshape([b * groups, c / groups, h * w]);
    let means = group_mean(x.clone());
    let variances = group_mean((x - means.clone()).square());
    Tensor::cat(vec![means, (variances + epsilon).sqrt().recip()], 2).reshape([b, groups, 2])
}

/// As [`group_norm_silu`] with statistics `[B, G, 2]` as of [`group_statistics`].
pub fn normalized_silu(x: Tensor<4>, statistics: Tensor<3>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<4> {
    let ([b, c, h, w], [_, groups, _]) = (x.dims(), statistics.dims());
    let of_groups = |i: usize| statistics.clone().narrow(2, i, 1).reshape([b * groups, 1, 1]);
    let x = x.reshape([b * groups, c / groups, h * w]);
    let normed = (x - of_groups(0)) * of_groups(1);
    affine_silu(normed.reshape([b, c, h, w]), weight, bias)
}

/// Over the last two axes, one by one: a reduction gives a group to one workgroup at most, and a batch has few groups, each of
/// many numbers.
fn group_mean(x: Tensor<3>) -> Tensor<3> {
    x.mean_dim(2).mean_dim(1)
}

fn affine_silu(normed: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<4> {
    let [_, c, _, _] = normed.dims();
    let per_channel = |values: Tensor<1>| values.reshape([1, c, 1, 1]);
    silu(normed * per_channel(weight) + per_channel(bias))
}

/// Part `i` of an adaptive layer norm's modulation: that of the prompt's `[B, 1, P, C]` plus that of a block's table
/// `[1, 1, P, C]`, `[B, 1, C]`.
pub fn modulation_part(table: Option<&Tensor<4>>, prompt: &Tensor<4>, i: usize) -> Tensor<3> {
    let part = |x: &Tensor<4>| x.clone().narrow(2, i, 1).squeeze_dim::<3>(2);
    match table {
        Some(table) => part(table) + part(prompt),
        None => part(prompt),
    }
}
