//! Layers of the convolutional tokenizer (feature maps are `[B, C, H, W]`).

use crate::kernels::convolution::{Fused, convolution, convolution_with_autodiff};
use crate::kernels::matmul::broadcast;
use crate::kernels::norm::{group_norm_silu, group_statistics, normalized_silu};
use crate::model::config::OFFICIAL_GROUPS;
use crate::model::nn::parameter;
use crate::model::resize::nearest2x;
use burn::module::{Module, Param};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Slice, Tensor};

/// Epsilon of every group norm.
const NORM_EPS: f64 = 1e-6;
/// Fewest channels that share statistics in the small models of our own; see [`norm_groups`].
const CHANNELS_PER_GROUP: usize = 4;
/// Most numbers in the shifted copies of a [`product`]: 64 MiB, half of the largest binding of WebGPU.
const COPIES: usize = 16 << 20;

/// Convolution with bias and a square kernel.
///
/// On the CPU it is burn's: for `[16, 64, 32, 32]` one core does 27 GFLOP/s both forward and backward, where slices and
/// a matmul do 18 and 22. On a GPU it is the kernel of [`convolution`] where one fits, else [`product`] as long as its
/// copies are small.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[out, in, k, k]`.
    pub weight: Param<Tensor<4>>,
    pub bias: Param<Tensor<1>>,
}

impl Conv {
    pub fn new(inputs: usize, outputs: usize, kernel: usize, device: &Device) -> Self {
        Self {
            weight: parameter([outputs, inputs, kernel, kernel], device),
            bias: parameter([outputs], device),
        }
    }

    /// Keeps the size: zero padding of half the kernel (odd kernels).
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.around(x, None, false)
    }

    /// As [`forward`](Self::forward), then `residual` is added.
    fn added_to(&self, residual: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
        self.around(x, Some(residual), false)
    }

    /// As [`forward`](Self::forward) on `x` of twice the resolution, every pixel repeated.
    pub fn upsampled(&self, x: Tensor<4>) -> Tensor<4> {
        self.around(x, None, true)
    }

    fn around(&self, x: Tensor<4>, residual: Option<Tensor<4>>, upsampled: bool) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let fused = Fused {
            bias: Some(bias.clone()),
            residual,
            upsampled,
        };
        if let Some(y) = convolution(&x, &weight, &fused) {
            return y;
        }
        let x = if upsampled { nearest2x(x) } else { x };
        let y = match convolution_with_autodiff(&x, &weight) {
            Some(y) => shifted(y, bias),
            None => self.apply(x, 1, weight.dims()[2] / 2),
        };
        match fused.residual {
            Some(residual) => y + residual,
            None => y,
        }
    }

    fn apply(&self, x: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let [batch, c, h, w] = x.dims();
        let [_, _, kernel, _] = weight.dims();
        let at_once = COPIES / (kernel * kernel * c * h * w / (stride * stride)).max(1);
        if at_once == 0 || x.device().without_autodiff() == Device::flex() {
            let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
            return conv2d(x, weight, Some(bias), options);
        }
        let part = |start: usize| {
            let images = x.clone().narrow(0, start, at_once.min(batch - start));
            product(images, weight.clone(), stride, padding)
        };
        let parts = (0..batch).step_by(at_once).map(part).collect();
        shifted(Tensor::cat(parts, 0), bias)
    }
}

/// `x [B, C, H, W]` plus `bias [C]`.
fn shifted(x: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let [b, c, _, _] = x.dims();
    // For each image separately, so that no gradient is a sum over all of them at once.
    let rows = broadcast(bias, [b, c]);
    let [images, _] = rows.dims();
    x + rows.reshape([images, c, 1, 1])
}

/// `x [B, C, H, W]` with zeros around it.
///
/// burn's own makes the zeros on the host where there is automatic differentiation (`float_full` of burn-autodiff
/// 0.22.1 is the default of
/// <https://github.com/tracel-ai/burn/blob/main/crates/burn-backend/src/backend/ops/tensor.rs>), and sending them took
/// two thirds of a training step on a GPU. Delete when burn-autodiff has its own.
fn padded(x: Tensor<4>, [left, right, top, bottom]: [usize; 4]) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    let zeros = Tensor::zeros([b, c, h + top + bottom, w + left + right], &x.device());
    zeros.slice_assign([0..b, 0..c, top..top + h, left..left + w], x)
}

/// A convolution as a matmul: every position of the kernel is a shifted copy of the input `[B, C, H, W]`, and the
/// weights `[O, C, k, k]` mix the copies.
fn product(x: Tensor<4>, weight: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let [b, c, height, width] = x.dims();
    let [outputs, _, kernel, _] = weight.dims();
    let [h, w] = [height, width].map(|length| (length + 2 * padding - kernel) / stride + 1);
    let x = padded(x, [padding; 4]);
    let range = |start: usize, count: usize| {
        Slice::new(
            start as isize,
            Some((start + (count - 1) * stride + 1) as isize),
            stride as isize,
        )
    };
    let mut copies = Vec::with_capacity(kernel * kernel);
    for dy in 0..kernel {
        for dx in 0..kernel {
            let all = |count: usize| Slice::from(0..count);
            let copy = x.clone().slice([all(b), all(c), range(dy, h), range(dx, w)]);
            copies.push(copy.reshape([b, c, h * w]));
        }
    }
    let weight = weight.permute([0, 2, 3, 1]).reshape([1, outputs, kernel * kernel * c]);
    weight.matmul(Tensor::cat(copies, 1)).reshape([b, outputs, h, w])
}

/// Groups of a group norm over `channels`, at most `most`.
///
/// For the official 32: 32 where they divide, else 24, as in the official models. Where neither divides (tiny models),
/// and for any other `most`, the most groups that leave each at least four channels, so that statistics mean something
/// even on a 1 x 1 map.
pub fn norm_groups(channels: usize, most: usize) -> usize {
    let divides = |groups: &usize| channels.is_multiple_of(*groups);
    let widest = (channels / CHANNELS_PER_GROUP).clamp(1, most.max(1));
    let official: &[usize] = if most == OFFICIAL_GROUPS { &[32, 24] } else { &[] };
    let official = official.iter().copied().find(divides);
    official.or_else(|| (1..=widest).rev().find(divides)).unwrap_or(1)
}

/// Group norm with a scale and a shift per channel.
#[derive(Module, Debug)]
pub struct GroupNorm {
    pub weight: Param<Tensor<1>>,
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
}

impl GroupNorm {
    /// At most `most` groups, see [`norm_groups`].
    pub fn new(channels: usize, most: usize, device: &Device) -> Self {
        Self {
            weight: parameter([channels], device),
            bias: parameter([channels], device),
            groups: norm_groups(channels, most),
        }
    }

    pub fn channels(&self) -> usize {
        self.weight.dims()[0]
    }

    /// The norm, then SiLU, which follows every norm of the tokenizer.
    pub fn silu(&self, x: Tensor<4>) -> Tensor<4> {
        group_norm_silu(x, self.weight.val(), self.bias.val(), self.groups, NORM_EPS)
    }

    /// Mean and inverse deviation of every group, `[B, G, 2]`.
    pub fn statistics(&self, x: Tensor<4>) -> Tensor<3> {
        group_statistics(x, self.groups, NORM_EPS)
    }

    /// As [`silu`](Self::silu) with statistics of more than this part of a map.
    pub fn silu_by(&self, x: Tensor<4>, statistics: &Tensor<3>) -> Tensor<4> {
        normalized_silu(x, statistics.clone(), self.weight.val(), self.bias.val())
    }
}

/// `shortcut(x) + conv2(silu(GN2(conv1(silu(GN1 x)))))`.
#[derive(Module, Debug)]
pub struct ResBlock {
    pub norm1: GroupNorm,
    pub conv1: Conv,
    pub norm2: GroupNorm,
    pub conv2: Conv,
    /// 1 x 1 convolution, only where the number of channels changes.
    pub nin_shortcut: Option<Conv>,
}

impl ResBlock {
    pub fn new(inputs: usize, outputs: usize, groups: usize, device: &Device) -> Self {
        Self {
            norm1: GroupNorm::new(inputs, groups, device),
            conv1: Conv::new(inputs, outputs, 3, device),
            norm2: GroupNorm::new(outputs, groups, device),
            conv2: Conv::new(outputs, outputs, 3, device),
            nin_shortcut: (inputs != outputs).then(|| Conv::new(inputs, outputs, 1, device)),
        }
    }

    /// `count` blocks in a row, the first of which changes the number of channels.
    pub fn row(count: usize, inputs: usize, outputs: usize, groups: usize, device: &Device) -> Vec<Self> {
        let from = |j| if j == 0 { inputs } else { outputs };
        (0..count)
            .map(|j| Self::new(from(j), outputs, groups, device))
            .collect()
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.conv1.forward(self.norm1.silu(x.clone()));
        let x = match &self.nin_shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        self.conv2.added_to(x, self.norm2.silu(h))
    }
}

/// The two residual blocks at the lowest resolution.
#[derive(Module, Debug)]
pub struct Middle {
    pub block_1: ResBlock,
    pub block_2: ResBlock,
}

impl Middle {
    pub fn new(channels: usize, groups: usize, device: &Device) -> Self {
        Self {
            block_1: ResBlock::new(channels, channels, groups, device),
            block_2: ResBlock::new(channels, channels, groups, device),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.block_2.forward(self.block_1.forward(x))
    }
}

/// Halves the resolution.
#[derive(Module, Debug)]
pub struct Downsample {
    pub conv: Conv,
}

impl Downsample {
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            conv: Conv::new(channels, channels, 3, device),
        }
    }

    /// Stride 2 over the input padded with zeros at the right and bottom only.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (left, right, top, bottom) = (0, 1, 0, 1);
        self.conv.apply(padded(x, [left, right, top, bottom]), 2, 0)
    }
}

/// Doubles the resolution: nearest neighbour, then a convolution.
#[derive(Module, Debug)]
pub struct Upsample {
    pub conv: Conv,
}

impl Upsample {
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            conv: Conv::new(channels, channels, 3, device),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv.upsampled(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use burn::tensor::{TensorData, Tolerance};

    /// Small numbers without a pattern.
    fn values<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        let value = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    #[test]
    fn the_product_is_the_convolution_and_so_are_its_gradients() {
        for (name, device) in golden::devices() {
            let device = device.autodiff();
            for (kernel, stride, padding) in [(3, 1, 1), (3, 2, 0), (1, 1, 0), (3, 2, 1)] {
                let results = [true, false].map(|by_product| {
                    let x = values([2, 3, 7, 6], &device).require_grad();
                    let weight = values([4, 3, kernel, kernel], &device).require_grad();
                    let y = if by_product {
                        product(x.clone(), weight.clone(), stride, padding)
                    } else {
                        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
                        conv2d(x.clone(), weight.clone(), None, options)
                    };
                    let grads = (y.clone() * values(y.dims(), &device)).sum().backward();
                    let grad = |of: &Tensor<4>| of.grad(&grads).map(|grad| grad.to_data());
                    [Some(y.to_data()), grad(&x), grad(&weight)]
                });
                let [ours, burns] = results;
                for (one, other) in ours.into_iter().zip(burns) {
                    let (one, other) = (one.unwrap(), other.unwrap());
                    assert_eq!(one.shape(), other.shape(), "{name}, kernel {kernel}, stride {stride}");
                    one.assert_approx_eq::<f32>(&other, Tolerance::absolute(1e-4));
                }
            }
        }
    }

    #[test]
    fn groups_follow_the_official_rule_and_divide() {
        for (channels, groups) in [
            (512, 32),
            (32, 32),
            (24, 24),
            (48, 24),
            (96, 32),
            (16, 4),
            (40, 10),
            (6, 1),
            (7, 1),
        ] {
            assert_eq!(norm_groups(channels, OFFICIAL_GROUPS), groups, "{channels} channels");
        }
        assert_eq!([4, 8, 1].map(|most| norm_groups(64, most)), [4, 8, 1]);
        let divide = |most| (1..200).all(|channels| channels % norm_groups(channels, most) == 0);
        assert!(divide(OFFICIAL_GROUPS) && divide(8) && divide(0));
    }
}
