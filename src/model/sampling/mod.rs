//! Cached sampling, scale by scale (the official `autoregressive_infer_cfg`).
//!
//! The [`Sampler`] is a state machine of small steps, one block each, so that a caller can stop or show an image
//! between any two. Its duties lie in files of their own: `options` what is asked for, `guidance` classifier-free
//! guidance, `block_caches` the blocks and their KV caches, `bit_sampler` from logits to bits, `output` given
//! bits, flips and results. All tensors stay on the device; the caller reads back what it shows.

mod bit_sampler;
mod block_caches;
mod guidance;
mod options;
mod output;

pub use bit_sampler::Noise;
pub use block_caches::parts;
pub use options::{CfgInsertion, MAX_CFG, PerScale, SamplingOptions};
pub use output::{Forced, ScaleOutput, Step};

use super::config::Classifier;
use super::error::ModelError;
use super::quantizer::Quantizer;
use super::rope::RopeTables;
use super::schedule::Schedule;
use super::text_features::TextFeatures;
use super::transformer::attention::CrossKv;
use super::transformer::{Condition, Transformer};
use crate::kernels::MAX_BINDING;
use crate::kernels::sampling::{add_codes, next_tokens};
use bit_sampler::BitSampler;
use block_caches::{BlockCaches, BlockPass};
use burn::tensor::{Int, Tensor};
use guidance::Guidance;
use output::Edits;

/// Generates one batch of images.
pub struct Sampler {
    model: Transformer,
    schedule: Schedule,
    quantizer: Quantizer,
    rope: Option<RopeTables>,
    guidance: Guidance,
    condition: Condition,
    /// Cross-attention keys and values of every block.
    cross_kv: Vec<CrossKv>,
    caches: BlockCaches,
    bits: BitSampler,
    edits: Edits,
    progress: Progress,
}

/// How far the batch has come.
struct Progress {
    /// Current scale, from 0.
    k: usize,
    /// Next block of this scale.
    layer: usize,
    /// Rotary rows of the tokens of this scale.
    rope: Option<RopeTables>,
    /// Features `[B or 2 B, L_k, C]` before that block.
    x: Tensor<3>,
    /// Running sum `F_{k-1} [B, d_lat, H, W]`.
    sum: Tensor<4>,
}

impl Sampler {
    /// Prepares sampling for `text`, one image per prompt. `negative` replaces "no prompt" in the guidance.
    ///
    /// Works on a model without autodiff. Errors: options out of range, a prompt longer than the model's text length.
    pub fn new(
        model: &Transformer,
        text: &TextFeatures,
        negative: Option<&TextFeatures>,
        schedule: &Schedule,
        options: SamplingOptions,
        noise: Noise,
    ) -> Result<Self, ModelError> {
        Self::limited(model, text, negative, schedule, options, noise, MAX_BINDING)
    }

    /// As [`new`](Self::new), where a shader sees at most `limit` bytes of a buffer.
    fn limited(
        model: &Transformer,
        text: &TextFeatures,
        negative: Option<&TextFeatures>,
        schedule: &Schedule,
        options: SamplingOptions,
        noise: Noise,
        limit: usize,
    ) -> Result<Self, ModelError> {
        let config = model.config();
        options.validate(config.depth, schedule.len())?;
        if config.classifier == Classifier::Conventional && options.top_p > 0.0 && options.top_p < 1.0 {
            return Err(ModelError::Option {
                option: "top_p",
                value: options.top_p.to_string(),
                remedy: "set it to 1: this model predicts whole tokens, and top_p acts on bits",
            });
        }
        let device = text.features.device();
        let batch = text.lens.len();
        let guidance = Guidance::new(&options, schedule.len(), batch);
        let condition = model.condition(&guidance.text(model, text, negative)?);
        let rows = guidance.halves() * batch;
        let latent = schedule.latent_grids(config.patchify);
        let (h, w) = latent[latent.len() - 1];
        Ok(Self {
            rope: model.rope(schedule, &device)?,
            progress: Progress {
                k: 0,
                layer: 0,
                rope: None,
                x: model.start(&condition),
                sum: Tensor::zeros([batch, config.latent_bits(), h, w], &device),
            },
            cross_kv: model.cross_kv(&condition),
            caches: BlockCaches::new(model, schedule, rows, limit, &device),
            bits: BitSampler::new(&options, noise, config, &device),
            edits: Edits::default(),
            quantizer: Quantizer::default(),
            model: model.clone(),
            schedule: schedule.clone(),
            guidance,
            condition,
        })
    }

    /// Gives bits of the first scales, which enter the image and the cache in place of sampled ones. Tokens that stay
    /// free are sampled with the noise they would have had anyway.
    pub fn force(&mut self, scales: Vec<Forced>) {
        self.edits.forced = scales;
    }

    /// Flips bits (masks `[B, L_k, d]`, 1 = flip, `None` for a scale without flips) after they were sampled or given
    /// and before they enter the image and the cache, so that all later bits are conditioned on the flipped ones.
    pub fn flip(&mut self, masks: Vec<Option<Tensor<3, Int>>>) {
        self.edits.flips = masks;
    }

    /// Runs one block, or, once all blocks of a scale ran, the head and the sampling of bits.
    pub fn step(&mut self) -> Step {
        if self.progress.k == self.schedule.len() {
            return Step::Done;
        }
        if self.progress.layer < self.model.blocks.len() {
            self.run_block();
            return Step::Layer;
        }
        Step::Scale(Box::new(self.finish_scale()))
    }

    /// All steps of the next scale at once; `None` when the image is complete.
    pub fn next_scale(&mut self) -> Option<ScaleOutput> {
        loop {
            match self.step() {
                Step::Layer => {}
                Step::Scale(output) => return Some(*output),
                Step::Done => return None,
            }
        }
    }

    /// Runs the next block of this scale.
    fn run_block(&mut self) {
        let Progress { k, layer: index, .. } = self.progress;
        let length = self.schedule.tokens(k);
        let start = self.schedule.offset(k);
        let mut x = self.progress.x.clone();
        if index == 0 {
            if let Some(positions) = self.model.learned_positions(start, length) {
                x = x + positions;
            }
            self.progress.rope = self.rope.as_ref().map(|rope| rope.rows(start, length));
        }
        if self.model.adds_levels_before(index) {
            x = x + self.model.levels(&[k]);
        }
        let pass = BlockPass {
            block: &self.model.blocks[index],
            index,
            text: &self.cross_kv[index],
            condition: &self.condition,
            rope: self.progress.rope.as_ref(),
            last_scale: k + 1 == self.schedule.len(),
        };
        let x = self.caches.forward(&x, &pass);
        let from_end = self.model.blocks.len() - index;
        self.progress.x = self.guidance.guide_features(k, from_end, x);
        self.progress.layer += 1;
    }

    /// Samples the bits of this scale, adds their codes to the running sum, and embeds the input of the next scale.
    fn finish_scale(&mut self) -> ScaleOutput {
        let k = self.progress.k;
        let (logits, cfg) = self.guidance.logits(k, &self.model, &self.progress.x, &self.condition);
        let (sampled, logits) = self.bits.sample(k, logits, cfg);
        let bits = self.edits.apply(k, sampled);
        let config = self.model.config();
        let patchify = config.patchify;
        let code_scale = self.quantizer.code_scale(config.latent_bits());
        let sum = add_codes(
            self.progress.sum.clone(),
            &bits,
            self.schedule.grids()[k],
            patchify,
            code_scale,
        );
        self.progress.sum = sum.clone();
        self.progress.k += 1;
        self.progress.layer = 0;
        let next_grid = self.schedule.latent_grids(patchify).get(k + 1).copied();
        if next_grid.is_none() {
            // Nothing is predicted any more, and the decoder may need the memory.
            self.caches.clear();
        }
        self.drop_unconditional();
        let next_input = next_grid.map(|grid| {
            let next = next_tokens(&sum, grid, patchify, self.guidance.halves());
            self.progress.x = self.model.embed(next.clone());
            next.narrow(0, 0, self.guidance.batch())
        });
        ScaleOutput {
            k,
            bits,
            logits,
            sum,
            next_input,
        }
    }

    /// Frees the unconditional half of the batch as soon as no later scale needs it.
    fn drop_unconditional(&mut self) {
        if !self.guidance.drop_unconditional(self.progress.k) {
            return;
        }
        let batch = self.guidance.batch();
        self.condition = self.condition.truncate(batch);
        self.cross_kv = self.cross_kv.iter().map(|kv| kv.rows(0, batch)).collect();
        self.caches.truncate(batch);
        self.progress.x = self.progress.x.clone().narrow(0, 0, batch);
    }
}

#[cfg(test)]
mod tests;
