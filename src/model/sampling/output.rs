//! What the sampler returns, and how given bits and bit flips replace sampled ones.

use crate::model::self_correction::flipped;
use burn::tensor::{Bool, Int, Tensor};

/// Tokens of one scale that are given instead of sampled.
#[derive(Clone, Debug)]
pub struct Forced {
    /// `[B, L_k, d]`.
    pub bits: Tensor<3, Int>,
    /// Mask `[B, L_k, 1]` of the tokens that are sampled nevertheless; `None` if the whole scale is given.
    pub free: Option<Tensor<3, Bool>>,
}

impl Forced {
    /// A scale whose tokens are all given.
    pub fn whole(bits: Tensor<3, Int>) -> Self {
        Self { bits, free: None }
    }
}

/// A finished scale. All tensors are on the device.
#[derive(Clone, Debug)]
pub struct ScaleOutput {
    /// 0-based scale index.
    pub k: usize,
    /// Token bits `[B, L_k, d]`.
    pub bits: Tensor<3, Int>,
    /// After guidance and temperature, `[B, L_k, 2d]` (or `2^d` classes).
    pub logits: Tensor<3>,
    /// `F_k [B, d_lat, H, W]`, from which the decoder makes the image so far.
    pub sum: Tensor<4>,
    /// Tokens of `F~_k`, the input of the next scale `[B, L_{k+1}, d]`; `None` after the last scale.
    pub next_input: Option<Tensor<3>>,
}

/// What one step did.
#[derive(Debug)]
pub enum Step {
    /// One block of the current scale ran.
    Layer,
    /// The scale is complete.
    Scale(Box<ScaleOutput>),
    /// All scales are complete.
    Done,
}

/// Changes to sampled bits, by scale.
#[derive(Default)]
pub(super) struct Edits {
    /// Given bits of the first scales.
    pub forced: Vec<Forced>,
    /// Flip masks `[B, L_k, d]` (1 = flip).
    pub flips: Vec<Option<Tensor<3, Int>>>,
}

impl Edits {
    /// The bits of scale `k` that enter the running sum: given bits replace sampled ones, then flips are applied.
    pub fn apply(&self, k: usize, sampled: Tensor<3, Int>) -> Tensor<3, Int> {
        let bits = match self.forced.get(k) {
            None => sampled,
            Some(Forced { bits, free: None }) => bits.clone(),
            Some(Forced { bits, free: Some(free) }) => {
                let free = free.clone().expand(bits.dims());
                bits.clone().mask_where(free, sampled)
            }
        };
        match self.flips.get(k) {
            Some(Some(mask)) => flipped(bits, mask.clone()),
            _ => bits,
        }
    }
}
