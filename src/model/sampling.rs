//! Cached sampling, scale by scale (the official `autoregressive_infer_cfg`).
//!
//! The sampler is a state machine of small steps, one block at a time, so that a caller can stop or draw between any two.
//! Everything stays on the device; the caller reads back what it shows.

use super::ModelError;
use super::bits;
use super::config::{Classifier, TransformerConfig};
use super::correction::flipped;
use super::quantizer::Quantizer;
use super::random::{Stream, logistic, uniform};
use super::rope::RopeTables;
use super::schedule::Schedule;
use super::text_features::TextFeatures;
use super::transformer::attention::{KvCache, Past, TextMemory};
use super::transformer::block::Surroundings;
use super::transformer::{Condition, Transformer};
use crate::kernels::MAX_BINDING;
use crate::kernels::sampling::{BitSampling, add_codes, guided, next_tokens, sample_bits};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// One number for all scales, or one per scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerScale {
    All(f64),
    Each(Vec<f64>),
}

impl PerScale {
    /// The value at scale `k` (0-based).
    pub fn at(&self, k: usize) -> f64 {
        match self {
            PerScale::All(value) => *value,
            PerScale::Each(values) => values[k],
        }
    }

    fn validate(
        &self,
        option: &'static str,
        scales: usize,
        ok: impl Fn(f64) -> bool,
        remedy: &'static str,
    ) -> Result<(), ModelError> {
        let values = match self {
            PerScale::All(value) => std::slice::from_ref(value),
            PerScale::Each(values) if values.len() == scales => values,
            PerScale::Each(values) => {
                return Err(ModelError::ListLength {
                    option,
                    found: values.len(),
                    scales,
                });
            }
        };
        match values.iter().find(|&&value| !ok(value)) {
            None => Ok(()),
            Some(value) => Err(ModelError::Option {
                option,
                value: value.to_string(),
                remedy,
            }),
        }
    }
}

/// Where classifier-free guidance acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guidance {
    /// On the logits (official `cfg_insertion_layer` 0).
    pub logits: bool,
    /// On the features after these blocks, counted from the end: 1 is the last block (official `-1`).
    pub layers_from_end: Vec<usize>,
}

impl Default for Guidance {
    fn default() -> Self {
        Self {
            logits: true,
            layers_from_end: Vec::new(),
        }
    }
}

/// How bits are drawn. Defaults are the paper's best decoding: cfg 4 on logits, tau 1 (Table 9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplingOptions {
    /// Guidance strength; 1 is none. A list that grows from 1 is the paper's pyramid guidance.
    pub cfg: PerScale,
    /// Temperature: logits are divided by it.
    pub tau: PerScale,
    pub guidance: Guidance,
    /// A bit whose less likely value has probability at most `1 - top_p` takes the other one; 0 turns it off.
    pub top_p: f64,
    /// Always the likelier value (official `top_k = 1`).
    pub greedy: bool,
    pub seed: u64,
}

impl Default for SamplingOptions {
    fn default() -> Self {
        Self {
            cfg: PerScale::All(4.0),
            tau: PerScale::All(1.0),
            guidance: Guidance::default(),
            top_p: 0.0,
            greedy: false,
            seed: 0,
        }
    }
}

/// Largest guidance strength accepted; far beyond what any model keeps a picture at.
pub const MAX_CFG: f64 = 100.0;

impl SamplingOptions {
    /// Checks every number against a model of `depth` blocks and a schedule of `scales`.
    pub fn validate(&self, depth: usize, scales: usize) -> Result<(), ModelError> {
        let finite = |ok: fn(f64) -> bool| move |value: f64| value.is_finite() && ok(value);
        let cfg = "use a number above 0 and up to 100; 1 turns guidance off, 3 to 5 is usual";
        self.cfg
            .validate("cfg", scales, finite(|v| v > 0.0 && v <= MAX_CFG), cfg)?;
        let tau = "use a number from 0.01 to 100; 1 is neutral, and greedy decoding is an option of its own";
        self.tau
            .validate("tau", scales, finite(|v| (0.01..=100.0).contains(&v)), tau)?;
        let refuse = |option, value: String, remedy| Err(ModelError::Option { option, value, remedy });
        if !(0.0..=1.0).contains(&self.top_p) {
            return refuse(
                "top_p",
                self.top_p.to_string(),
                "use a number from 0 to 1; 0 turns it off",
            );
        }
        // After the first block at the earliest, as the official code demands.
        match self.guidance.layers_from_end.iter().find(|&&i| i == 0 || i >= depth) {
            Some(layer) => refuse(
                "guidance layer",
                layer.to_string(),
                "count from 1, the last block, up to the second",
            ),
            None => Ok(()),
        }
    }
}

/// Where randomness comes from.
#[derive(Clone, Debug)]
pub enum Noise {
    /// Our own generator: sample `b` of a batch uses seed + b, so it equals the image drawn alone with that seed.
    Seeded,
    /// Logistic thresholds `[B, L_k, d]` per scale: a bit is 1 where its logit difference exceeds its threshold.
    Given(Vec<Tensor<3>>),
}

/// Tokens of one scale that are given instead of drawn.
#[derive(Clone, Debug)]
pub struct Forced {
    /// `[B, L_k, d]`.
    pub bits: Tensor<3, Int>,
    /// Tokens `[B, L_k, 1]` that are drawn all the same; none means that the whole scale is given.
    pub free: Option<Tensor<3, Bool>>,
}

impl Forced {
    /// A scale without a free token.
    pub fn whole(bits: Tensor<3, Int>) -> Self {
        Self { bits, free: None }
    }
}

/// A finished scale; all tensors are on the device.
#[derive(Clone, Debug)]
pub struct ScaleOutput {
    /// 0-based scale index.
    pub k: usize,
    /// Token bits `[B, L_k, d]`.
    pub bits: Tensor<3, Int>,
    /// After guidance and temperature, `[B, L_k, 2d]` (or `2^d` classes).
    pub logits: Tensor<3>,
    /// `F_k [B, d_lat, H, W]`, what the decoder turns into the picture so far.
    pub sum: Tensor<4>,
    /// Tokens of `F~_k` for the next scale `[B, L_{k+1}, d]`, none after the last.
    pub next_input: Option<Tensor<3>>,
}

/// What one step did.
#[derive(Debug)]
pub enum Step {
    /// A block of the current scale ran.
    Layer,
    /// The scale is complete.
    Scale(Box<ScaleOutput>),
    /// Nothing is left to do.
    Done,
}

/// Draws one batch of images.
pub struct Sampler {
    model: Transformer,
    schedule: Schedule,
    options: SamplingOptions,
    noise: Noise,
    forced: Vec<Forced>,
    flips: Vec<Option<Tensor<3, Int>>>,
    quantizer: Quantizer,
    condition: Condition,
    memories: Vec<TextMemory>,
    /// One per block, for each part of the batch that passes through the blocks by itself: the whole, or every row.
    caches: Vec<Vec<KvCache>>,
    /// Whether the batch passes in parts, whose caches have no room for the last scale.
    in_parts: bool,
    /// Of a batch in parts at its last scale, room for all tokens of one part and block: the keys and values of that scale are of no
    /// use beyond their block.
    spare: Option<(Tensor<4>, Tensor<4>)>,
    rope: Option<RopeTables>,
    /// Of the tokens of this scale.
    rows: Option<RopeTables>,
    device: Device,
    batch: usize,
    /// Whether rows `batch .. 2 batch` hold the unconditional half.
    doubled: bool,
    k: usize,
    layer: usize,
    x: Tensor<3>,
    sum: Tensor<4>,
}

impl Sampler {
    /// Prepares sampling for `text` (one image per prompt). `negative` replaces "no prompt" in the guidance.
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
        let config = model.config().clone();
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
        let doubled = (0..schedule.len()).any(|k| options.cfg.at(k) != 1.0);
        let text = match (doubled, negative) {
            (false, _) => text.clone(),
            (true, Some(negative)) => text.concat(negative)?,
            (true, None) => text.concat(&model.unconditional(&text.lens)?)?,
        };
        let condition = model.condition(&text);
        let rows = if doubled { 2 * batch } else { batch };
        let head_dim = config.embed_dim / config.num_heads;
        let halved = model.packed();
        let parts = parts(&config, schedule, rows, halved, limit);
        let cache_of = |tokens| {
            let shape = [rows / parts, config.num_heads, tokens, head_dim];
            KvCache::new(shape, halved, &device)
        };
        let last = schedule.tokens(schedule.len() - 1);
        let kept = schedule.total() - if parts > 1 { last } else { 0 };
        let latent = schedule.latent_grids(config.patchify);
        let (h, w) = latent[latent.len() - 1];
        let mut sampler = Self {
            x: model.start(&condition),
            memories: model.memories(&condition),
            caches: (0..parts)
                .map(|_| (0..config.depth).map(|_| cache_of(kept)).collect())
                .collect(),
            in_parts: parts > 1,
            spare: None,
            rope: model.rope(schedule, &device)?,
            rows: None,
            sum: Tensor::zeros([batch, config.latent_bits(), h, w], &device),
            model: model.clone(),
            schedule: schedule.clone(),
            options,
            noise,
            forced: Vec::new(),
            flips: Vec::new(),
            quantizer: Quantizer::default(),
            condition,
            device,
            batch,
            doubled,
            k: 0,
            layer: 0,
        };
        sampler.drop_unconditional();
        Ok(sampler)
    }

    /// Fixes bits of the first scales; they enter the picture and the cache in place of drawn ones. What stays free is drawn
    /// with the noise it would have had anyway.
    pub fn force(&mut self, scales: Vec<Forced>) {
        self.forced = scales;
    }

    /// Flips bits (1 = flip, `[B, L_k, d]`, none where a scale is left alone) after they were drawn or given and before they
    /// enter the picture and the cache: whatever is drawn later hears the damage.
    pub fn flip(&mut self, masks: Vec<Option<Tensor<3, Int>>>) {
        self.flips = masks;
    }

    /// Runs one block, or the head and the drawing of bits once the blocks of a scale are done.
    pub fn step(&mut self) -> Step {
        if self.k == self.schedule.len() {
            return Step::Done;
        }
        if self.layer < self.memories.len() {
            self.block();
            return Step::Layer;
        }
        Step::Scale(Box::new(self.finish_scale()))
    }

    /// All steps of the next scale at once, `None` when the image is complete.
    pub fn next_scale(&mut self) -> Option<ScaleOutput> {
        loop {
            match self.step() {
                Step::Layer => {}
                Step::Scale(output) => return Some(*output),
                Step::Done => return None,
            }
        }
    }

    fn block(&mut self) {
        let (i, k) = (self.layer, self.k);
        let length = self.schedule.tokens(k);
        let start = self.schedule.offset(k);
        let mut x = self.x.clone();
        if i == 0
            && let Some(positions) = self.model.learned_positions(start, length)
        {
            x = x + positions;
        }
        if self.model.adds_levels_before(i) {
            x = x + self.model.levels(&[k]);
        }
        if i == 0 {
            self.rows = self.rope.as_ref().map(|rope| rope.rows(start, length));
        }
        let each = x.dims()[0] / self.caches.len();
        let mut parts = Vec::with_capacity(self.caches.len());
        for (part, caches) in self.caches.iter_mut().enumerate() {
            let rows = |x: &Tensor<4>| x.clone().narrow(0, part * each, each);
            let (modulation, mask) = (rows(&self.condition.modulation), self.condition.mask.as_ref().map(rows));
            let around = Surroundings {
                modulation: &modulation,
                text_mask: mask.as_ref(),
                rope: self.rows.as_ref(),
            };
            let memory = self.memories[i].rows(part * each, each);
            let x = x.clone().narrow(0, part * each, each);
            let moved = self.in_parts && k + 1 == self.schedule.len();
            if moved {
                caches[i].move_into(self.spare.take(), self.schedule.total());
            }
            let past = Past::Cached(&mut caches[i]);
            parts.push(self.model.blocks[i].forward(x, &memory, &around, past));
            if moved {
                self.spare = caches[i].give_room();
            }
        }
        let x = match parts.len() {
            1 => parts.remove(0),
            _ => Tensor::cat(parts, 0),
        };
        let from_end = self.memories.len() - i;
        self.x = match self.options.guidance.layers_from_end.contains(&from_end) {
            true => self.guide_features(x),
            false => x,
        };
        self.layer += 1;
    }

    /// Guidance on features: both halves become `cfg x_c + (1 - cfg) x_u`.
    fn guide_features(&self, x: Tensor<3>) -> Tensor<3> {
        let cfg = self.options.cfg.at(self.k);
        if !self.doubled || cfg == 1.0 {
            return x;
        }
        let guided = guided(x, Some(cfg));
        Tensor::cat(vec![guided.clone(), guided], 0)
    }

    /// `cfg x_c + (1 - cfg) x_u`.
    fn finish_scale(&mut self) -> ScaleOutput {
        let k = self.k;
        let (logits, cfg) = self.logits();
        let (drawn, logits) = self.draw(logits, cfg);
        let drawn = match self.forced.get(k) {
            None => drawn,
            Some(Forced { bits, free: None }) => bits.clone(),
            Some(Forced { bits, free: Some(free) }) => {
                let free = free.clone().expand(bits.dims());
                bits.clone().mask_where(free, drawn)
            }
        };
        let drawn = match self.flips.get(k) {
            Some(Some(mask)) => flipped(drawn, mask.clone()),
            _ => drawn,
        };
        let config = self.model.config();
        let patched = config.patchify;
        let scale = self.quantizer.code_scale(config.latent_bits());
        self.sum = add_codes(self.sum.clone(), &drawn, self.schedule.grids()[k], patched, scale);
        let grid = self.schedule.latent_grids(patched).get(k + 1).copied();
        self.k += 1;
        self.layer = 0;
        if grid.is_none() {
            // Nothing is predicted any more, and the picture may need the room.
            self.caches.clear();
            self.spare = None;
        }
        self.drop_unconditional();
        let next_input = grid.map(|grid| {
            let times = 1 + usize::from(self.doubled);
            let next = next_tokens(&self.sum, grid, patched, times);
            self.x = self.model.embed(next.clone());
            next.narrow(0, 0, self.batch)
        });
        ScaleOutput {
            k,
            bits: drawn,
            logits,
            sum: self.sum.clone(),
            next_input,
        }
    }

    /// Logits of this scale; of both halves if guidance is to mix them, which is then its strength.
    fn logits(&self) -> (Tensor<3>, Option<f64>) {
        let cfg = self.options.cfg.at(self.k);
        if !self.doubled {
            return (self.model.logits(self.x.clone(), &self.condition), None);
        }
        if self.options.guidance.logits && cfg != 1.0 {
            return (self.model.logits(self.x.clone(), &self.condition), Some(cfg));
        }
        let mut condition = self.condition.clone();
        condition.head = condition.head.narrow(0, 0, self.batch);
        let x = self.x.clone().narrow(0, 0, self.batch);
        (self.model.logits(x, &condition), None)
    }

    /// Draws the bits `[B, L_k, d]` of a scale; also the guided logits over the temperature.
    fn draw(&self, logits: Tensor<3>, cfg: Option<f64>) -> (Tensor<3, Int>, Tensor<3>) {
        let config = self.model.config();
        let tau = self.options.tau.at(self.k);
        if config.classifier == Classifier::Conventional {
            let logits = guided(logits, cfg) / tau;
            return (self.draw_classes(logits.clone()), logits);
        }
        let thresholds = match (self.options.greedy, &self.noise) {
            (true, _) => None,
            (false, Noise::Given(scales)) => Some(scales[self.k].clone()),
            (false, Noise::Seeded) => {
                let threshold = |seed, k, i| logistic(seed, Stream::Noise, k, i);
                Some(self.host_noise(config.bits, threshold))
            }
        };
        let how = BitSampling {
            cfg,
            tau,
            thresholds,
            top_p: self.options.top_p,
        };
        sample_bits(logits, &how)
    }

    /// Gumbel-max over the `2^d` classes of the conventional classifier.
    fn draw_classes(&self, logits: Tensor<3>) -> Tensor<3, Int> {
        let [_, _, classes] = logits.dims();
        let scores = match self.options.greedy {
            true => logits,
            false => {
                let gumbel = |seed, k, i| -(-uniform(seed, Stream::Noise, k, i).ln()).ln();
                logits + self.host_noise(classes, gumbel)
            }
        };
        bits::from_labels(scores.argmax(2).squeeze_dim(2), self.model.config().bits)
    }

    /// `[B, L_k, width]` numbers of (seed, scale, index).
    fn host_noise(&self, width: usize, draw: impl Fn(u64, u64, u64) -> f64) -> Tensor<3> {
        let length = self.schedule.tokens(self.k);
        let values: Vec<f32> = (0..self.batch as u64)
            .flat_map(|b| (0..(length * width) as u64).map(move |i| (b, i)))
            .map(|(b, i)| draw(self.options.seed.wrapping_add(b), self.k as u64, i) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, [self.batch, length, width]), &self.device)
    }

    /// Forgets the unconditional half as soon as no later scale needs it.
    fn drop_unconditional(&mut self) {
        let needed = (self.k..self.schedule.len()).any(|k| self.options.cfg.at(k) != 1.0);
        if !self.doubled || needed {
            return;
        }
        self.doubled = false;
        let b = self.batch;
        self.condition = self.condition.truncate(b);
        self.memories = self.memories.iter().map(|memory| memory.rows(0, b)).collect();
        match self.caches.as_mut_slice() {
            [whole] => whole.iter_mut().for_each(|cache| cache.truncate(b)),
            _ => self.caches.truncate(b),
        }
        self.x = self.x.clone().narrow(0, 0, b);
    }
}

/// Into how many parts a batch of `rows` is cut on its way through the blocks: none if nothing that a shader reads grows over
/// `limit` bytes, else every row by itself. Only several scales, of which the last need not be cached, are worth it.
pub fn parts(config: &TransformerConfig, schedule: &Schedule, rows: usize, halved: bool, limit: usize) -> usize {
    let last = schedule.tokens(schedule.len() - 1);
    let widest = last * config.ffn_hidden.max(3 * config.embed_dim) * size_of::<f32>();
    let cached = schedule.total() * config.embed_dim * if halved { 2 } else { 4 };
    let grown = rows * widest.max(cached) > limit && schedule.len() > 1;
    if grown { rows } else { 1 }
}

#[cfg(test)]
mod tests;
