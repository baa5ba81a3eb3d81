//! Classifier-free guidance: `cfg x_c + (1 - cfg) x_u`, on logits or on the features after a block.
//!
//! While guidance acts, rows `0 .. B` of every tensor are conditioned on the prompt and rows `B .. 2 B` on the negative
//! prompt or on nothing. The second half is dropped before the first scale from which on every `cfg` is 1.

use super::options::{CfgInsertion, PerScale, SamplingOptions};
use crate::kernels::sampling::guided;
use crate::model::error::ModelError;
use crate::model::text_features::TextFeatures;
use crate::model::transformer::{Condition, Transformer};
use burn::tensor::Tensor;

/// Guidance of one batch of images.
pub(super) struct Guidance {
    cfg: PerScale,
    insertion: CfgInsertion,
    scales: usize,
    batch: usize,
    /// Whether the unconditional half is still there.
    doubled: bool,
}

impl Guidance {
    /// Guidance of `batch` images over `scales` scales.
    pub fn new(options: &SamplingOptions, scales: usize, batch: usize) -> Self {
        let mut guidance = Self {
            cfg: options.cfg.clone(),
            insertion: options.cfg_insertion.clone(),
            scales,
            batch,
            doubled: true,
        };
        guidance.doubled = guidance.needed_from(0);
        guidance
    }

    /// Images of the batch, `B`.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Halves of the batch: 2 while the unconditional one is there, else 1.
    pub fn halves(&self) -> usize {
        1 + usize::from(self.doubled)
    }

    /// Whether any scale from `k` on is guided.
    fn needed_from(&self, k: usize) -> bool {
        (k..self.scales).any(|k| self.cfg.at(k) != 1.0)
    }

    /// The text of all rows; `negative` replaces "no prompt" in the unconditional half.
    pub fn text(
        &self,
        model: &Transformer,
        text: &TextFeatures,
        negative: Option<&TextFeatures>,
    ) -> Result<TextFeatures, ModelError> {
        match (self.doubled, negative) {
            (false, _) => Ok(text.clone()),
            (true, Some(negative)) => text.concat(negative),
            (true, None) => text.concat(&model.unconditional(&text.lens)?),
        }
    }

    /// Features `[2 B, L, C]` after the block that is number `from_end` from the end (1 is the last), at scale `k`:
    /// where guidance is inserted there, both halves become the guided features.
    pub fn guide_features(&self, k: usize, from_end: usize, x: Tensor<3>) -> Tensor<3> {
        let cfg = self.cfg.at(k);
        if !self.insertion.layers_from_end.contains(&from_end) || !self.doubled || cfg == 1.0 {
            return x;
        }
        let guided = guided(x, Some(cfg));
        Tensor::cat(vec![guided.clone(), guided], 0)
    }

    /// Logits of scale `k` from the last block's features `x [B or 2 B, L, C]`. If guidance is to mix logits, they are
    /// those of both halves, and its strength is returned with them; else they are those of the conditional half.
    pub fn logits(
        &self,
        k: usize,
        model: &Transformer,
        x: &Tensor<3>,
        condition: &Condition,
    ) -> (Tensor<3>, Option<f64>) {
        let cfg = self.cfg.at(k);
        if !self.doubled {
            return (model.logits(x.clone(), condition), None);
        }
        if self.insertion.logits && cfg != 1.0 {
            return (model.logits(x.clone(), condition), Some(cfg));
        }
        let mut condition = condition.clone();
        condition.head = condition.head.narrow(0, 0, self.batch);
        let x = x.clone().narrow(0, 0, self.batch);
        (model.logits(x, &condition), None)
    }

    /// Drops the unconditional half if no scale from `k` on needs it; true when it was dropped by this call.
    pub fn drop_unconditional(&mut self, k: usize) -> bool {
        let dropped = self.doubled && !self.needed_from(k);
        self.doubled &= !dropped;
        dropped
    }
}
