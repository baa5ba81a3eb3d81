//! The T5 encoder in the gated-GELU layout of Flan-T5: from token ids to text features.
//!
//! Raffel et al. 2020; unlike most transformers it scales no scores, has no biases in its matrices and knows positions
//! only from a learned bias of the attention scores, one table for all layers.

use super::config::T5Config;
use super::error::ModelError;
use super::nn::{Linear, parameter};
use super::text_features::key_padding_mask;
use crate::kernels::attention::{AttentionBias, attention};
use crate::kernels::embedding;
use crate::kernels::matmul::Epilogue;
use crate::kernels::norm::rms_norm;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// The encoder half. Field paths are official names up to [`official_name`].
#[derive(Module, Debug)]
pub struct T5Encoder {
    /// One row per token id `[V, d_model]`.
    pub shared: Param<Tensor<2>>,
    /// Bias of an attention score by distance bucket and head, the same in all layers `[buckets, H]`.
    pub relative_attention_bias: Param<Tensor<2>>,
    pub blocks: Vec<T5Block>,
    pub final_layer_norm: Param<Tensor<1>>,
    #[module(skip)]
    config: T5Config,
}

/// Self-attention, then the gated feed-forward layer, each on the normed input and added to it.
#[derive(Module, Debug)]
pub struct T5Block {
    pub attention_norm: Param<Tensor<1>>,
    pub q: Linear,
    pub k: Linear,
    pub v: Linear,
    pub o: Linear,
    pub ffn_norm: Param<Tensor<1>>,
    pub wi_0: Linear,
    pub wi_1: Linear,
    pub wo: Linear,
}

/// Official name of the embedding table, `[V, d_model]`.
pub const EMBEDDING: &str = "shared.weight";

/// Field path -> name in official checkpoints.
pub fn official_name(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["blocks", i, "attention_norm"] => format!("encoder.block.{i}.layer.0.layer_norm.weight"),
        ["blocks", i, "ffn_norm"] => format!("encoder.block.{i}.layer.1.layer_norm.weight"),
        ["blocks", i, matrix @ ("q" | "k" | "v" | "o"), _] => {
            format!("encoder.block.{i}.layer.0.SelfAttention.{matrix}.weight")
        }
        ["blocks", i, matrix, _] => format!("encoder.block.{i}.layer.1.DenseReluDense.{matrix}.weight"),
        ["relative_attention_bias"] => {
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight".to_string()
        }
        ["final_layer_norm"] => "encoder.final_layer_norm.weight".to_string(),
        _ => format!("{path}.weight"),
    }
}

/// Token ids of prompts as one batch `[B, L]`, padded behind to the longest, and how many of each row count.
pub fn batch(rows: &[Vec<u32>], device: &Device) -> (Tensor<2, Int>, Vec<usize>) {
    let lens: Vec<usize> = rows.iter().map(Vec::len).collect();
    let longest = lens.iter().copied().max().unwrap_or(1);
    let mut ids = Vec::with_capacity(rows.len() * longest);
    for row in rows {
        ids.extend(row.iter().map(|&id| id as i32));
        ids.resize(ids.len() + longest - row.len(), 0);
    }
    let ids = TensorData::new(ids, [rows.len(), longest]);
    (Tensor::from_data(ids, device), lens)
}

impl T5Encoder {
    pub fn new(config: &T5Config, device: &Device) -> Result<Self, ModelError> {
        let T5Config {
            vocab_size,
            d_model,
            num_heads,
            ..
        } = *config;
        let buckets = config.relative_attention_num_buckets;
        if buckets < 4 || !buckets.is_multiple_of(4) || config.relative_attention_max_distance <= buckets / 4 {
            let distance = config.relative_attention_max_distance;
            let what = format!("{buckets} position buckets up to a distance of {distance} cannot be laid out");
            return Err(ModelError::Config(what));
        }
        Ok(Self {
            shared: parameter([vocab_size, d_model], device),
            relative_attention_bias: parameter([buckets, num_heads], device),
            blocks: (0..config.num_layers).map(|_| T5Block::new(config, device)).collect(),
            final_layer_norm: parameter([d_model], device),
            config: config.clone(),
        })
    }

    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// Token ids `[B, L]`, of which the first `lens[b]` count -> features `[B, L, d_model]`; rows of padding hold
    /// nothing of use.
    pub fn forward(&self, ids: Tensor<2, Int>, lens: &[usize]) -> Tensor<3> {
        let [b, l] = ids.dims();
        let rows = embedding(&self.shared.val(), ids.reshape([b * l]), self.config.d_model);
        let bias = self.position_bias(l);
        let mask = key_padding_mask(lens, l, &bias.device());
        let bias = AttentionBias {
            mask: mask.as_ref(),
            bias: Some(&bias),
        };
        let x = rows.reshape([b, l, self.config.d_model]);
        let x = self
            .blocks
            .iter()
            .fold(x, |x, block| block.forward(x, bias, &self.config));
        rms_norm(x, self.final_layer_norm.val(), self.config.layer_norm_epsilon)
    }

    /// Bias `[1, H, L, L]` of query `i` (rows) on key `j` (columns).
    fn position_bias(&self, l: usize) -> Tensor<4> {
        let pairs = (0..l).flat_map(|i| (0..l).map(move |j| j as i64 - i as i64));
        let buckets: Vec<i32> = pairs.map(|offset| bucket(offset, &self.config) as i32).collect();
        let table = self.relative_attention_bias.val();
        let buckets = Tensor::<1, Int>::from_data(TensorData::new(buckets, [l * l]), &table.device());
        let bias = table.select(0, buckets).reshape([l, l, self.config.num_heads]);
        bias.permute([2, 0, 1]).unsqueeze()
    }
}

impl T5Block {
    fn new(config: &T5Config, device: &Device) -> Self {
        let (d, inner, f) = (config.d_model, config.num_heads * config.d_kv, config.d_ff);
        let matrix = |inputs, outputs| Linear::without_bias(inputs, outputs, device);
        Self {
            attention_norm: parameter([d], device),
            q: matrix(d, inner),
            k: matrix(d, inner),
            v: matrix(d, inner),
            o: matrix(inner, d),
            ffn_norm: parameter([d], device),
            wi_0: matrix(d, f),
            wi_1: matrix(d, f),
            wo: matrix(f, d),
        }
    }

    /// `x [B, L, d_model]`.
    fn forward(&self, x: Tensor<3>, bias: AttentionBias, config: &T5Config) -> Tensor<3> {
        let [b, l, _] = x.dims();
        let (h, width) = (config.num_heads, config.d_kv);
        let normed = rms_norm(x.clone(), self.attention_norm.val(), config.layer_norm_epsilon);
        let heads = |linear: &Linear| linear.forward(normed.clone()).reshape([b, l, h, width]).swap_dims(1, 2);
        let q = self.q.forward(normed.clone());
        let mixed = attention(q, heads(&self.k), heads(&self.v), bias, 1.0);
        let x = self.o.then(mixed, Epilogue::Residual(x, None));
        let normed = rms_norm(x.clone(), self.ffn_norm.val(), config.layer_norm_epsilon);
        let gate = self.wi_0.then(normed.clone(), Epilogue::Gelu);
        let gated = self.wi_1.then(normed, Epilogue::Multiply(gate));
        self.wo.then(gated, Epilogue::Residual(x, None))
    }
}

/// Bucket of the distance `key - query`: exact when near, logarithmic further off, one half for each direction.
fn bucket(offset: i64, config: &T5Config) -> usize {
    let half = config.relative_attention_num_buckets / 2;
    let side = if offset > 0 { half } else { 0 };
    let distance = offset.unsigned_abs() as usize;
    let exact = half / 2;
    if distance < exact {
        return side + distance;
    }
    // In single precision, like the official code: at powers of two the floor is one rounding from its neighbour.
    let span = (config.relative_attention_max_distance as f64 / exact as f64).ln() as f32;
    let far = (distance as f32 / exact as f32).ln() / span * (half - exact) as f32;
    side + (exact + far as usize).min(half - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::model::text_features::TextFeatures;
    use crate::weights::load_module;

    golden::test_per_device!(golden_encoder: golden_encoder_flex, golden_encoder_wgpu);

    fn golden_encoder(name: &str, device: &Device) {
        for case in golden::cases("t5_encoder") {
            let number = |key: &str| case.get::<usize>(key);
            let config = T5Config {
                vocab_size: number("vocab_size"),
                d_model: number("d_model"),
                d_kv: number("d_kv"),
                d_ff: number("d_ff"),
                num_layers: number("num_layers"),
                num_heads: number("num_heads"),
                layer_norm_epsilon: case.get("layer_norm_epsilon"),
                relative_attention_num_buckets: number("relative_attention_num_buckets"),
                relative_attention_max_distance: number("relative_attention_max_distance"),
            };
            let row: Vec<i64> = case.ints("relative_position_buckets_row0");
            let column: Vec<i64> = case.ints("relative_position_buckets_col0");
            for (n, (row, column)) in row.iter().zip(&column).enumerate() {
                assert_eq!(bucket(n as i64, &config) as i64, *row, "key {n} of query 0");
                assert_eq!(bucket(-(n as i64), &config) as i64, *column, "key 0 of query {n}");
            }
            let lens: Vec<usize> = case.get("lens");
            let mut tensors = golden::read_tensors(&case.path("weights"));
            let model = T5Encoder::new(&config, device).unwrap();
            let model = load_module(model, &mut tensors, official_name).unwrap();
            assert!(tensors.is_empty(), "{:?}", tensors.keys());
            let ids = case.int::<2>("input_ids", device);
            let features = model.forward(ids.clone(), &lens);
            let text = TextFeatures {
                features,
                lens: lens.clone(),
            };
            let (rows, _) = text.to_compact();
            case.check(name, "kv_compact", rows);
            // A prompt alone, without padding, gives the same rows.
            let last = lens.len() - 1;
            let alone = ids.slice([last..last + 1, 0..lens[last]]);
            let alone = model.forward(alone, &lens[last..]).squeeze_dim::<2>(0);
            let padded = text
                .features
                .narrow(0, last, 1)
                .narrow(1, 0, lens[last])
                .squeeze_dim::<2>(0);
            let difference = (alone - padded).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-4, "{name}: {difference}");
        }
    }
}
