//! Sizes of the three networks, as manifests store them. Names are the paper's and the official checkpoints'.

use serde::{Deserialize, Serialize};

/// Sizes and variants of the bitwise autoregressive transformer (official names in brackets).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// Width `C`.
    pub embed_dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads `H`; the head width is `C / H`.
    pub num_heads: usize,
    /// How official checkpoints group the blocks; 1 means plain `blocks.{i}` names.
    pub block_chunks: usize,
    /// Width `F` of the feed-forward layer.
    pub ffn_hidden: usize,
    /// Width of the text features (`Ct5`), a multiple of 128.
    pub text_dim: usize,
    /// Rows of the unconditional embedding (`text_maxlen`).
    pub text_maxlen: usize,
    /// Bits of one token `d` (4 x the latent's when `patchify`).
    pub bits: usize,
    #[serde(default = "default_norm_eps")]
    pub norm_eps: f64,
    /// 2x2 latent positions make one token (the 8B models).
    #[serde(default)]
    pub patchify: bool,
    #[serde(default)]
    pub level_embedding: LevelEmbedding,
    #[serde(default)]
    pub positions: Positions,
    #[serde(default)]
    pub classifier: Classifier,
}

fn default_norm_eps() -> f64 {
    1e-6
}

impl TransformerConfig {
    /// The released recipe of these sizes, with a feed-forward layer of 4C, in one chunk.
    pub fn released(embed_dim: usize, depth: usize, num_heads: usize, bits: usize, text_dim: usize) -> Self {
        Self {
            embed_dim,
            depth,
            num_heads,
            block_chunks: 1,
            ffn_hidden: 4 * embed_dim,
            text_dim,
            text_maxlen: 512,
            bits,
            norm_eps: default_norm_eps(),
            patchify: false,
            level_embedding: LevelEmbedding::FirstBlock,
            positions: Positions::RopeNormalized,
            classifier: Classifier::Bits,
        }
    }
}

/// Where the learned embedding of the scale index is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelEmbedding {
    /// Once, at the input (released models).
    #[default]
    FirstBlock,
    /// Again before every chunk of blocks.
    EveryChunk,
}

/// Positional encoding of a token (Fig. 13 of the paper).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Rotary, at integer grid positions of the scale itself (official mode 0).
    RopePlain,
    /// Rotary, tables resized from a 128-wide grid (official mode 1).
    RopeInterpolated,
    /// Rotary, positions stretched to the largest scale of the template and rounded (official mode 2, released models).
    #[default]
    RopeNormalized,
    /// The paper's baseline: learned absolute positions, one table of `max_tokens` rows added at the input.
    Learned { max_tokens: usize },
}

/// The classifier of a token (Sec. 3.3, Table 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Classifier {
    /// The infinite-vocabulary classifier: `d` binary decisions.
    #[default]
    Bits,
    /// One softmax over `2^d` indices; only for small `d`.
    Conventional,
}

/// Groups of a group norm in the official tokenizers.
pub const OFFICIAL_GROUPS: usize = 32;

/// Sizes of the convolutional tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaeConfig {
    /// Channels of the latent `d_lat`.
    pub codebook_dim: usize,
    /// Channels of the first level.
    pub base_ch: usize,
    /// Channel multiplier of every level.
    pub ch_mult: Vec<usize>,
    /// Residual blocks per encoder level; a decoder level has one more.
    pub num_res_blocks: usize,
    /// Pixels per latent position and axis (the stride: 8 or 16).
    pub patch_size: usize,
    /// Space-to-depth before the encoder and its inverse after the decoder, so that a small tokenizer is fast on a
    /// CPU; 1 is the official architecture. The levels halve the resolution `log2(patch_size / stem_patch)` times.
    #[serde(default = "default_stem_patch")]
    pub stem_patch: usize,
    /// Most groups of a group norm. The official 32 leave a narrow model two channels in a group, whose statistics then
    /// wipe out the level of a plain surface; fewer groups keep it.
    #[serde(default = "default_norm_groups")]
    pub norm_groups: usize,
    /// Sizes of the encoder where they differ from the decoder's. Generating an image never runs the encoder, so it may
    /// be wide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderConfig>,
}

/// Sizes of an encoder of its own; the levels are as many as the decoder's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Channels of the first level.
    pub base_ch: usize,
    /// Channel multiplier of every level.
    pub ch_mult: Vec<usize>,
    /// Residual blocks per level.
    pub num_res_blocks: usize,
}

fn default_norm_groups() -> usize {
    OFFICIAL_GROUPS
}

fn default_stem_patch() -> usize {
    1
}

/// Sizes of the T5 encoder (gated-GELU layout of Flan-T5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct T5Config {
    pub vocab_size: usize,
    pub d_model: usize,
    pub d_kv: usize,
    pub d_ff: usize,
    pub num_layers: usize,
    pub num_heads: usize,
    #[serde(default = "default_norm_eps")]
    pub layer_norm_epsilon: f64,
    #[serde(default = "default_buckets")]
    pub relative_attention_num_buckets: usize,
    #[serde(default = "default_distance")]
    pub relative_attention_max_distance: usize,
}

fn default_buckets() -> usize {
    32
}

fn default_distance() -> usize {
    128
}
