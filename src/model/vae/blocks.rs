//! Layers of the convolutional tokenizer (feature maps are `[B, C, H, W]`).

use crate::model::nn::{layer_norm, parameter};
use crate::model::resize::nearest2x;
use burn::module::{Module, Param};
use burn::tensor::activation::silu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

/// Epsilon of every group norm.
const NORM_EPS: f64 = 1e-6;
/// Fewest channels that share statistics in the small models of our own; see [`norm_groups`].
const CHANNELS_PER_GROUP: usize = 4;
/// Groups of the official models.
pub const OFFICIAL_GROUPS: usize = 32;

/// Convolution with bias and a square kernel.
///
/// burn's own convolution: for `[16, 64, 32, 32]` one core of the CPU engine does 27 GFLOP/s forward and backward alike,
/// where slices and a matrix product do 18 and 22 and keep a ninefold copy of the input for the backward pass.
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
        let [_, _, kernel, _] = self.weight.dims();
        self.apply(x, 1, kernel / 2)
    }

    fn apply(&self, x: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
        conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}

/// Groups of a group norm over `channels`, at most `most`.
///
/// For the official 32: 32 where they divide, else 24, as in the official models. Where neither divides (tiny models), and
/// for any other `most`, the most groups that leave each at least four channels, so that statistics mean something even on
/// a 1 x 1 map.
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

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        let normed = layer_norm(x.reshape([b, self.groups, c / self.groups * h * w]), NORM_EPS);
        let per_channel = |p: &Param<Tensor<1>>| p.val().reshape([1, c, 1, 1]);
        normed.reshape([b, c, h, w]) * per_channel(&self.weight) + per_channel(&self.bias)
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
        let h = self.conv1.forward(silu(self.norm1.forward(x.clone())));
        let h = self.conv2.forward(silu(self.norm2.forward(h)));
        match &self.nin_shortcut {
            Some(shortcut) => shortcut.forward(x) + h,
            None => x + h,
        }
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
        self.conv.apply(x.pad((left, right, top, bottom), 0.0), 2, 0)
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
        self.conv.forward(nearest2x(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
