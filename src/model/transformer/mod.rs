//! The bitwise autoregressive transformer with the infinite-vocabulary classifier (Sec. 3.1 - 3.3).
//!
//! Sequence: the pooled prompt as start token for scale 1, then for every scale k >= 2 the tokens of `F~_{k-1}`. A
//! token attends to all tokens of its own and earlier scales and to the prompt; it predicts the `d` bits of its
//! position.

pub mod attention;
pub mod block;
mod loss;

pub use loss::{BitReduction, Loss, bit_accuracy, cross_entropy, differences, scale_weights};

use super::ModelError;
use super::config::{Classifier, LevelEmbedding, Positions, TransformerConfig};
use super::nn::{Linear, parameter};
use super::rope::RopeTables;
use super::schedule::{LEVELS, Schedule};
use super::text_features::TextFeatures;
use crate::kernels::matmul::Epilogue;
use crate::kernels::norm::{Modulation, layer_norm, rms_norm};
use attention::{CrossKv, Past, TextPool};
use block::{Block, BlockContext, FeedForward};
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// A weight without bias.
#[derive(Module, Debug)]
pub struct Weight<const D: usize> {
    pub weight: Param<Tensor<D>>,
}

/// The adaptive norm before the head.
#[derive(Module, Debug)]
pub struct HeadNorm {
    pub ada_lin: Linear,
}

/// The transformer. Field paths are official names up to [`official_name`].
#[derive(Module, Debug)]
pub struct Transformer {
    /// Text features of "no prompt" `[T, Ct5]`.
    pub cfg_uncond: Param<Tensor<2>>,
    pub pos_start: Param<Tensor<3>>,
    pub text_norm: Weight<1>,
    pub text_proj_for_sos: TextPool,
    pub text_proj_for_ca: FeedForward,
    /// One row per scale index `[15, C]`.
    pub lvl_embed: Weight<2>,
    pub word_embed: Linear,
    pub shared_ada_lin: Linear,
    pub blocks: Vec<Block>,
    pub head_nm: HeadNorm,
    pub head: Linear,
    /// The paper's baseline in place of rotary positions: one row per token of the schedule.
    pub pos_embed: Option<Weight<2>>,
    #[module(skip)]
    config: TransformerConfig,
}

/// Largest `d` whose `2^d` classes the conventional classifier accepts.
pub const MAX_CONVENTIONAL_BITS: usize = 16;

/// Field path -> name in official checkpoints (blocks are plain `blocks.{i}` here).
pub fn official_name(path: &str) -> String {
    const RENAMED: [(&str, &str); 6] = [
        ("text_proj_for_sos.", "text_proj_for_sos.ca."),
        ("text_proj_for_ca.fc1.", "text_proj_for_ca.0."),
        ("text_proj_for_ca.fc2.", "text_proj_for_ca.2."),
        ("shared_ada_lin.", "shared_ada_lin.1."),
        ("head_nm.ada_lin.", "head_nm.ada_lin.1."),
        (".scale_mul", ".scale_mul_1H11"),
    ];
    RENAMED.iter().fold(path.to_string(), |name, (field, official)| {
        name.replace(field, official)
    })
}

/// Everything the transformer is conditioned on, computed from the prompt once per image.
#[derive(Clone, Debug)]
pub struct Condition {
    /// `c [B, C]`: start token and source of all modulation.
    pub pooled: Tensor<2>,
    /// `g [B, 1, 6, C]`.
    pub modulation: Tensor<4>,
    /// Scale and shift before the head `[B, 1, 2, C]`.
    pub head: Tensor<4>,
    /// Projected text that cross-attention reads, `m [B, L_text, C]`.
    pub text: Tensor<3>,
    pub mask: Option<Tensor<4>>,
}

impl Condition {
    /// The first `batch` rows.
    pub fn truncate(&self, batch: usize) -> Self {
        Self {
            pooled: self.pooled.clone().narrow(0, 0, batch),
            modulation: self.modulation.clone().narrow(0, 0, batch),
            head: self.head.clone().narrow(0, 0, batch),
            text: self.text.clone().narrow(0, 0, batch),
            mask: self.mask.clone().map(|mask| mask.narrow(0, 0, batch)),
        }
    }
}

impl Transformer {
    pub fn new(config: &TransformerConfig, device: &Device) -> Result<Self, ModelError> {
        config.validate()?;
        let c = config.embed_dim;
        let classes = match config.classifier {
            Classifier::Bits => 2 * config.bits,
            Classifier::Conventional => 1 << config.bits,
        };
        Ok(Self {
            cfg_uncond: parameter([config.text_maxlen, config.text_dim], device),
            pos_start: parameter([1, 1, c], device),
            text_norm: Weight {
                weight: parameter([config.text_dim], device),
            },
            text_proj_for_sos: TextPool::new(config.text_dim, c, device),
            text_proj_for_ca: FeedForward::new(config.text_dim, c, c, device),
            lvl_embed: Weight {
                weight: parameter([LEVELS, c], device),
            },
            word_embed: Linear::new(config.bits, c, device),
            shared_ada_lin: Linear::new(c, 6 * c, device),
            blocks: (0..config.depth).map(|_| Block::new(config, device)).collect(),
            head_nm: HeadNorm {
                ada_lin: Linear::new(c, 2 * c, device),
            },
            head: Linear::new(c, classes, device),
            pos_embed: match config.positions {
                Positions::Learned { max_tokens } => Some(Weight {
                    weight: parameter([max_tokens, c], device),
                }),
                _ => None,
            },
            config: config.clone(),
        })
    }

    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// Whether the weights of its layers are stored in less than f32: in f16 or quantized.
    pub fn quantized(&self) -> bool {
        let mut layers = self.blocks.iter().map(|block| block.sa.mat_qkv.weight.dims()[1]);
        layers.any(|words| words != self.config.embed_dim)
    }

    /// The text rows of "no prompt", as long per sample as `lens` (official guidance cuts the table to the prompt's
    /// length).
    pub fn unconditional(&self, lens: &[usize]) -> Result<TextFeatures, ModelError> {
        let longest = lens.iter().copied().max().unwrap_or(1);
        if longest > self.config.text_maxlen {
            return Err(ModelError::Option {
                option: "prompt length",
                value: format!("{longest} tokens"),
                remedy: "shorten the prompt to the model's text length",
            });
        }
        let rows = self.cfg_uncond.val().narrow(0, 0, longest).unsqueeze::<3>();
        Ok(TextFeatures {
            features: rows.expand([lens.len(), longest, self.config.text_dim]),
            lens: lens.to_vec(),
        })
    }

    /// Condition dropout: the samples marked `true` are conditioned on the unconditional rows instead.
    pub fn drop_condition(&self, text: TextFeatures, dropped: &[bool]) -> Result<TextFeatures, ModelError> {
        if !dropped.contains(&true) {
            return Ok(text);
        }
        let [_, longest, _] = text.features.dims();
        let unconditional = self.unconditional(&vec![longest; text.lens.len()])?.features;
        let keep: Vec<f32> = dropped.iter().map(|&d| if d { 0.0 } else { 1.0 }).collect();
        let keep = TensorData::new(keep, [dropped.len(), 1, 1]);
        let keep = Tensor::<3>::from_data(keep, &text.features.device());
        Ok(TextFeatures {
            features: text.features * keep.clone() + unconditional * (-keep + 1.0),
            lens: text.lens,
        })
    }

    /// Normalized text features `[B, L_text, Ct5]`.
    pub fn normalise_text(&self, text: &TextFeatures) -> Tensor<3> {
        rms_norm(text.features.clone(), self.text_norm.weight.val(), self.config.norm_eps)
    }

    /// The condition of a batch of prompts (Sec. 3.1, "Transformer"; `forward` of the official `infinity.py`).
    pub fn condition(&self, text: &TextFeatures) -> Condition {
        let t = self.normalise_text(text);
        let mask = text.key_padding_mask();
        let pooled = self.text_proj_for_sos.forward(t.clone(), mask.clone());
        let [b, c] = pooled.dims();
        let active = burn::tensor::activation::silu(pooled.clone());
        Condition {
            modulation: self.shared_ada_lin.forward(active.clone()).reshape([b, 1, 6, c]),
            head: self.head_nm.ada_lin.forward(active).reshape([b, 1, 2, c]),
            text: self.text_proj_for_ca.forward(t, Epilogue::None),
            pooled,
            mask,
        }
    }

    /// Cross-attention keys and values of every block.
    pub fn cross_kv(&self, condition: &Condition) -> Vec<CrossKv> {
        let project = |block: &Block| block.ca.keys_and_values(condition.text.clone());
        self.blocks.iter().map(project).collect()
    }

    /// The start token `c + pos_start`, `[B, 1, C]`.
    pub fn start(&self, condition: &Condition) -> Tensor<3> {
        condition.pooled.clone().unsqueeze_dim::<3>(1) + self.pos_start.val()
    }

    /// Embeds the tokens of `F~_k`, `[B, L, d] -> [B, L, C]`.
    pub fn embed(&self, tokens: Tensor<3>) -> Tensor<3> {
        self.word_embed.forward(tokens)
    }

    /// Scale embedding rows `[1, L, C]` of the tokens with these scale indices.
    pub fn levels(&self, levels: &[usize]) -> Tensor<3> {
        let table = self.lvl_embed.weight.val();
        let rows: Vec<i32> = levels.iter().map(|&k| k as i32).collect();
        let rows = Tensor::<1, Int>::from_ints(rows.as_slice(), &table.device());
        table.select(0, rows).unsqueeze()
    }

    /// Learned positions `[1, L, C]` of tokens `start .. start + length`, where the model has them.
    pub fn learned_positions(&self, start: usize, length: usize) -> Option<Tensor<3>> {
        let table = self.pos_embed.as_ref()?.weight.val();
        Some(table.narrow(0, start, length).unsqueeze())
    }

    /// Whether the scale embedding is added before block `i`.
    pub fn adds_levels_before(&self, i: usize) -> bool {
        let chunk = self.config.depth / self.config.block_chunks;
        i == 0 || (self.config.level_embedding == LevelEmbedding::EveryChunk && i.is_multiple_of(chunk))
    }

    /// Rotary tables of a schedule; an error where learned positions do not reach that far.
    pub fn rope(&self, schedule: &Schedule, device: &Device) -> Result<Option<RopeTables>, ModelError> {
        if let Positions::Learned { max_tokens } = self.config.positions
            && schedule.total() > max_tokens
        {
            return Err(ModelError::Option {
                option: "scales",
                value: format!("{} tokens", schedule.total()),
                remedy: "use fewer scales: the model has learned positions for fewer tokens",
            });
        }
        let head_dim = self.config.embed_dim / self.config.num_heads;
        Ok(RopeTables::new(self.config.positions, head_dim, schedule, device))
    }

    /// `x [B, L, C] -> logits [B, L, 2d]` (channel `2p + c` is class c of bit p), or `[B, L, 2^d]` classes.
    pub fn logits(&self, x: Tensor<3>, condition: &Condition) -> Tensor<3> {
        let modulation = Modulation::Adaptive {
            table: None,
            prompt: condition.head.clone(),
            scale: 0,
            shift: 1,
        };
        self.head.forward(layer_norm(x, self.config.norm_eps, modulation))
    }

    /// Teacher forcing: logits `[B, L, 2d]` of all scales at once.
    ///
    /// `inputs [B, L - 1, d]` are the tokens of `F~_1 .. F~_{K-1}`.
    pub fn forward(
        &self,
        text: &TextFeatures,
        inputs: Tensor<3>,
        schedule: &Schedule,
    ) -> Result<Tensor<3>, ModelError> {
        let device = inputs.device();
        let condition = self.condition(text);
        let rope = self.rope(schedule, &device)?;
        let levels = self.levels(&schedule.levels());
        let mask = causal_mask(schedule, &device);
        let mut x = self.start(&condition);
        if schedule.len() > 1 {
            x = Tensor::cat(vec![x, self.embed(inputs)], 1);
        }
        if let Some(positions) = self.learned_positions(0, schedule.total()) {
            x = x + positions;
        }
        let context = BlockContext {
            modulation: &condition.modulation,
            text_mask: condition.mask.as_ref(),
            rope: rope.as_ref(),
        };
        for (i, block) in self.blocks.iter().enumerate() {
            if self.adds_levels_before(i) {
                x = x + levels.clone();
            }
            let text = block.ca.keys_and_values(condition.text.clone());
            x = block.forward(x, &text, &context, Past::Masked(&mask));
        }
        Ok(self.logits(x, &condition))
    }
}

/// Additive block-wise causal mask `[1, 1, L, L]`: a token attends to the tokens of its own and earlier scales.
fn causal_mask(schedule: &Schedule, device: &Device) -> Tensor<4> {
    const HIDDEN: f32 = -1e9;
    let levels = schedule.levels();
    let row = |a: usize| levels.iter().map(move |&b| if a >= b { 0.0 } else { HIDDEN });
    let values: Vec<f32> = levels.iter().flat_map(|&a| row(a)).collect();
    let l = levels.len();
    Tensor::from_data(TensorData::new(values, [1, 1, l, l]), device)
}

impl TransformerConfig {
    /// Checks that the sizes fit together.
    pub fn validate(&self) -> Result<(), ModelError> {
        let wrong = |what: String| Err(ModelError::Config(what));
        let sizes = [
            self.embed_dim,
            self.depth,
            self.num_heads,
            self.block_chunks,
            self.ffn_hidden,
            self.text_dim,
            self.text_maxlen,
            self.bits,
        ];
        if sizes.iter().any(|&size| size == 0 || size > 1 << 20) {
            return wrong(format!("a size of {sizes:?} is zero or absurdly large"));
        }
        let head_dim = self.embed_dim / self.num_heads;
        if !self.embed_dim.is_multiple_of(self.num_heads) || !head_dim.is_multiple_of(4) {
            let (c, h) = (self.embed_dim, self.num_heads);
            return wrong(format!(
                "width {c} does not split into {h} heads of a multiple of 4 channels"
            ));
        }
        if !self.depth.is_multiple_of(self.block_chunks) {
            return wrong(format!(
                "{} blocks do not split into {} chunks",
                self.depth, self.block_chunks
            ));
        }
        let pool = TextPool::heads(self.text_dim, self.embed_dim);
        if pool == 0 || !self.embed_dim.is_multiple_of(pool) {
            let (t, c) = (self.text_dim, self.embed_dim);
            return wrong(format!(
                "text width {t} must be a multiple of 128 whose {pool} heads divide {c}"
            ));
        }
        if self.bits > 256 || (self.patchify && !self.bits.is_multiple_of(4)) {
            return wrong(format!("{} bits per token", self.bits));
        }
        if self.classifier == Classifier::Conventional && self.bits > MAX_CONVENTIONAL_BITS {
            let d = self.bits;
            return wrong(format!(
                "a conventional classifier over 2^{d} classes (at most 2^{MAX_CONVENTIONAL_BITS})"
            ));
        }
        if !(self.norm_eps > 0.0 && self.norm_eps < 1.0) {
            return wrong(format!("norm_eps {}", self.norm_eps));
        }
        Ok(())
    }

    /// Channels of the latent one token stands for.
    pub fn latent_bits(&self) -> usize {
        if self.patchify { self.bits / 4 } else { self.bits }
    }
}

#[cfg(test)]
pub mod tests;
