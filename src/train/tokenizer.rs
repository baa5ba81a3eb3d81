//! The tokenizer's training losses (Sec. 3.2 and the released tokenizer's recipe).
//!
//! `L1 + w_edge * edges + 4 mean_k(aux_k)`: reconstruction, a perceptual term (edges in place of LPIPS, which would
//! need a downloaded VGG16; no adversarial term) and the quantizer's entropy and commitment.

use super::perceptual::edge_loss;
use super::step::without_autodiff;
use crate::model::quantizer::{Quantizer, ResidualGradient};
use crate::model::schedule::Grid;
use crate::model::vae::Vae;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Weight of the mean auxiliary loss in the released recipe.
const AUXILIARY_WEIGHT: f64 = 4.0;

/// What a run may choose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenizerOptions {
    pub edge_weight: f64,
    pub straight_through: StraightThrough,
    /// Steps over which the decoder goes over from features to their bits, see [`loss`].
    pub quantizer_warmup: usize,
    /// The encoder stays as it is, and with it every bit: transformers trained on them stay valid.
    #[serde(default)]
    pub decoder_only: bool,
    /// Share of images that the decoder sees after their first scales only, so that what it shows of an image under way
    /// is a coarse image. Only the decoder learns from them.
    #[serde(default)]
    pub partial: f64,
}

/// After how many scales the sum that the decoder sees of each image ends; `None`: after the last.
pub type Cuts = [Option<usize>];

/// The losses of one batch, each `[1]`.
pub struct TokenizerLoss {
    pub total: Tensor<1>,
    pub l1: Tensor<1>,
    pub edges: Tensor<1>,
    pub auxiliary: Tensor<1>,
    /// Mean squared error of the reconstructions from all scales, clamped to [-1, 1], for the PSNR.
    pub mse: Tensor<1>,
}

/// How the decoder's gradient reaches the encoder past the signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum StraightThrough {
    /// Once, around all scales: `F + sg(F_K - F)`, with `MSE(F, sg(F_K))` to keep the two together (as in VAR, Tian et
    /// al. 2024). Its gradient does not grow where a residual is short, so short runs get further with it.
    #[default]
    Pyramid,
    /// Around every scale's sign, through the normalization of every residual: the released recipe.
    Scale,
}

/// Encodes, quantizes straight-through and decodes `images [B, 3, H, W]` in [-1, 1].
///
/// The decoder reads `(1 - a) F + a F_K` with `a = quantized` from 0 to 1. A run starts near 0, as a plain autoencoder,
/// and soon reaches 1, the tokenizer proper. Random bits say next to nothing about an image, so a decoder that starts
/// on them learns to ignore them, and the encoder gets no reason to put something in. `cuts` has an entry for every
/// image.
pub fn loss(
    vae: &Vae,
    images: Tensor<4>,
    grids: &[Grid],
    options: &TokenizerOptions,
    quantized: f64,
    cuts: &Cuts,
) -> TokenizerLoss {
    if options.decoder_only {
        let features = without_autodiff(vae.clone()).encode(images.clone().inner());
        let pyramid = Quantizer::default().encode(features, grids);
        let sum = cut(pyramid.last(), &pyramid.sums, cuts);
        let rebuilt = vae.decode_unclamped(sum.autodiff());
        let auxiliary = Tensor::zeros([1], &images.device());
        return compare(rebuilt, images, auxiliary, options, cuts);
    }
    let features = vae.encode(images.clone());
    let residuals = match options.straight_through {
        StraightThrough::Scale => ResidualGradient::Keep,
        StraightThrough::Pyramid => ResidualGradient::Detach,
    };
    let pyramid = Quantizer::default().train(features.clone(), grids, residuals);
    let mut auxiliary = pyramid.losses.mean() * AUXILIARY_WEIGHT;
    let sum = match options.straight_through {
        StraightThrough::Scale => pyramid.sum,
        StraightThrough::Pyramid => {
            let sum = pyramid.sum.detach();
            auxiliary = auxiliary + (features.clone() - sum.clone()).square().mean();
            features.clone() + (sum - features.clone()).detach()
        }
    };
    let decoded = match quantized < 1.0 {
        true => features * (1.0 - quantized) + sum * quantized,
        false => sum,
    };
    let rebuilt = vae.decode_unclamped(cut(decoded, &pyramid.sums, cuts));
    compare(rebuilt, images, auxiliary, options, cuts)
}

/// `whole [B, d, H, W]`, but for images that are cut after a scale the sum `F_k` up to there.
fn cut(whole: Tensor<4>, sums: &[Tensor<4>], cuts: &Cuts) -> Tensor<4> {
    let device = whole.device();
    let mut sum_up_to_cut = whole * mask(cuts, |cut| cut.is_none(), &device);
    for (k, sum) in sums.iter().enumerate() {
        let ends = |cut: Option<usize>| cut == Some(k + 1);
        if cuts.iter().any(|&cut| ends(cut)) {
            sum_up_to_cut = sum_up_to_cut + sum.clone() * mask(cuts, ends, &device);
        }
    }
    sum_up_to_cut
}

/// 1 for the images of which it `holds`, `[B, 1, 1, 1]`.
fn mask(cuts: &Cuts, holds: impl Fn(Option<usize>) -> bool, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = cuts.iter().map(|&cut| f32::from(u8::from(holds(cut)))).collect();
    Tensor::from_data(TensorData::new(values, [cuts.len(), 1, 1, 1]), device)
}

fn compare(
    rebuilt: Tensor<4>,
    images: Tensor<4>,
    auxiliary: Tensor<1>,
    options: &TokenizerOptions,
    cuts: &Cuts,
) -> TokenizerLoss {
    let l1 = (rebuilt.clone() - images.clone()).abs().mean();
    let edges = edge_loss(rebuilt.clone(), images.clone());
    let clamped = rebuilt.detach().clamp(-1.0, 1.0);
    let whole = cuts.iter().filter(|cut| cut.is_none()).count().max(1);
    let [batch, _, _, _] = images.dims();
    let errors = (clamped - images).square() * mask(cuts, |cut| cut.is_none(), &l1.device());
    TokenizerLoss {
        total: l1.clone() + edges.clone() * options.edge_weight + auxiliary.clone(),
        l1,
        edges,
        auxiliary,
        mse: errors.mean() * (batch as f64 / whole as f64),
    }
}

/// Peak signal to noise ratio in dB of a mean squared error over values in [-1, 1].
pub fn psnr(mse: f32) -> f32 {
    10.0 * (4.0 / mse.max(1e-12)).log10()
}
