//! The tokenizer's training losses (Sec. 3.2 and the released tokenizer's recipe).
//!
//! `L1 + w_edge * edges + 4 mean_k(aux_k)`: reconstruction, a perceptual term (edges in place of LPIPS, which would need a
//! downloaded VGG16; no adversarial term) and the quantiser's entropy and commitment.

use super::perceptual::edge_loss;
use crate::model::quantizer::{Quantizer, ResidualGradient};
use crate::model::schedule::Grid;
use crate::model::vae::Vae;
use burn::tensor::Tensor;

/// Weight of the mean auxiliary loss in the released recipe.
const AUXILIARY_WEIGHT: f64 = 4.0;

/// The losses of one batch, each `[1]`.
pub struct TokenizerLoss {
    pub total: Tensor<1>,
    pub l1: Tensor<1>,
    pub edges: Tensor<1>,
    pub auxiliary: Tensor<1>,
    /// Mean squared error of the reconstruction clamped to [-1, 1], for the PSNR.
    pub mse: Tensor<1>,
}

/// Encodes, quantises straight-through and decodes `images [B, 3, H, W]` in [-1, 1].
///
/// The decoder reads `(1 - a) F + a F_K` with `a = quantised` from 0 to 1. A run starts near 0, as a plain autoencoder, and
/// soon reaches 1, the tokenizer proper. Random bits say next to nothing about an image, so a decoder that starts on them
/// learns to ignore them, and the encoder gets no reason to put something in.
pub fn loss(vae: &Vae, images: Tensor<4>, grids: &[Grid], edge_weight: f64, quantised: f64) -> TokenizerLoss {
    let features = vae.encode(images.clone());
    let pyramid = Quantizer::default().train(features.clone(), grids, ResidualGradient::Keep);
    let rebuilt = vae.decode_unclamped(match quantised < 1.0 {
        true => features * (1.0 - quantised) + pyramid.sum * quantised,
        false => pyramid.sum,
    });
    let l1 = (rebuilt.clone() - images.clone()).abs().mean();
    let edges = edge_loss(rebuilt.clone(), images.clone());
    let auxiliary = pyramid.losses.mean();
    let clamped = rebuilt.detach().clamp(-1.0, 1.0);
    TokenizerLoss {
        total: l1.clone() + edges.clone() * edge_weight + auxiliary.clone() * AUXILIARY_WEIGHT,
        l1,
        edges,
        auxiliary,
        mse: (clamped - images).square().mean(),
    }
}

/// Peak signal to noise ratio in dB of a mean squared error over values in [-1, 1].
pub fn psnr(mse: f32) -> f32 {
    10.0 * (4.0 / mse.max(1e-12)).log10()
}
