//! Sizes of the official networks.

use super::config::{OFFICIAL_GROUPS, T5Config, TransformerConfig, VaeConfig};

/// Width of Flan-T5-XL's features.
pub const TEXT_DIM: usize = 2048;

/// Infinity-125M.
pub fn infinity_125m() -> TransformerConfig {
    TransformerConfig {
        block_chunks: 4,
        ..TransformerConfig::released(768, 12, 8, 16, TEXT_DIM)
    }
}

/// Infinity-2B.
pub fn infinity_2b() -> TransformerConfig {
    TransformerConfig {
        block_chunks: 8,
        ..TransformerConfig::released(2048, 32, 16, 32, TEXT_DIM)
    }
}

/// The image tokenizer of stride 16 with `bits` a token.
pub fn vae(bits: usize) -> VaeConfig {
    VaeConfig {
        codebook_dim: bits,
        base_ch: 128,
        ch_mult: vec![1, 2, 4, 4, 4],
        num_res_blocks: 2,
        patch_size: 16,
        stem_patch: 1,
        norm_groups: OFFICIAL_GROUPS,
        encoder: None,
    }
}

/// The encoder of Flan-T5-XL.
pub fn flan_t5_xl() -> T5Config {
    T5Config {
        vocab_size: 32_128,
        d_model: TEXT_DIM,
        d_kv: 64,
        d_ff: 5120,
        num_layers: 24,
        num_heads: 32,
        layer_norm_epsilon: 1e-6,
        relative_attention_num_buckets: 32,
        relative_attention_max_distance: 128,
    }
}
