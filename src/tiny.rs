//! Tiny networks for tests: images of a few tokens, from random weights.

use crate::model::config::{Classifier, LevelEmbedding, Positions, T5Config, TransformerConfig, VaeConfig};
use std::path::Path;

/// Most tokens of a prompt.
pub const TEXT_LENGTH: usize = 32;

/// The T5 tokenizer's JSON.
pub fn text_tokenizer() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json")).unwrap()
}

/// A tokenizer of 8 bits and one level, 16 x 16 pixels a token.
pub fn vae(base_ch: usize, norm_groups: usize) -> VaeConfig {
    VaeConfig {
        codebook_dim: 8,
        base_ch,
        ch_mult: vec![1],
        num_res_blocks: 1,
        patch_size: 16,
        stem_patch: 16,
        norm_groups,
        encoder: None,
    }
}

/// A transformer of two blocks for the bits of [`vae`].
pub fn transformer(classifier: Classifier) -> TransformerConfig {
    TransformerConfig {
        embed_dim: 32,
        depth: 2,
        num_heads: 2,
        block_chunks: 1,
        ffn_hidden: 64,
        text_dim: 128,
        text_maxlen: TEXT_LENGTH,
        bits: 8,
        norm_eps: 1e-6,
        patchify: false,
        level_embedding: LevelEmbedding::FirstBlock,
        positions: Positions::RopeNormalized,
        classifier,
    }
}

/// A text encoder of one layer for [`transformer`].
pub fn text_encoder(vocab_size: usize) -> T5Config {
    T5Config {
        vocab_size,
        d_model: 128,
        d_kv: 16,
        d_ff: 128,
        num_layers: 1,
        num_heads: 2,
        layer_norm_epsilon: 1e-6,
        relative_attention_num_buckets: 32,
        relative_attention_max_distance: 128,
    }
}
