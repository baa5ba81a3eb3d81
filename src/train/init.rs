//! Seeded initial values, the same on every device.
//!
//! Transformer: the official `init_weights` (truncation at +-2 is left out: at these widths it would never bind). Text
//! encoder: T5's own scheme. Tokenizer: variance `1/fan_in`, and zero for the second convolution of every residual
//! block, so that it starts as its skip connections and carries an image through from the first step (Zhang, Dauphin
//! and Ma 2019). From PyTorch's default, five times smaller through five layers, a short run spends most of its steps
//! on finding that out.

use crate::model::config::{T5Config, TransformerConfig};
use crate::model::random::{Stream, normal};
use crate::weights::{Tensors, load_module, parameter_shapes};
use burn::module::Module;
use burn::tensor::TensorData;

/// Fills every parameter of `module`: `rule(name, shape)` says how.
fn fill<M: Module>(module: M, seed: u64, rule: impl Fn(&str, &[usize]) -> Rule) -> M {
    let shapes = parameter_shapes(&module, str::to_string);
    let mut tensors: Tensors = shapes
        .into_iter()
        .enumerate()
        .map(|(i, (name, shape))| {
            let count = shape.iter().product::<usize>() as u64;
            let value = |j: u64| match rule(&name, &shape) {
                Rule::Constant(value) => value as f32,
                Rule::Normal(std) => (std * normal(seed, Stream::Init, i as u64, j)) as f32,
            };
            (
                name.clone(),
                TensorData::new((0..count).map(value).collect::<Vec<f32>>(), shape.clone()),
            )
        })
        .collect();
    // Names and shapes come from the module itself, so loading cannot fail.
    load_module(module, &mut tensors, str::to_string).unwrap_or_else(|error| unreachable!("{error}"))
}

enum Rule {
    Constant(f64),
    Normal(f64),
}

/// Initial values of a [`Transformer`](crate::model::transformer::Transformer).
pub fn transformer<M: Module>(module: M, config: &TransformerConfig, seed: u64) -> M {
    let c = config.embed_dim as f64;
    let std = (1.0 / (3.0 * c)).sqrt();
    let residual = 1.0 / (2.0 * config.depth as f64).sqrt();
    fill(module, seed, |name, shape| {
        if name.ends_with("bias") {
            return Rule::Constant(0.0);
        }
        match name {
            "cfg_uncond" => Rule::Normal(1.2 / (config.text_dim as f64).sqrt()),
            "text_norm.weight" => Rule::Constant(1.0),
            "head_nm.ada_lin.weight" => Rule::Normal(std * 1e-3),
            "head.weight" => Rule::Normal(std * 0.02),
            _ if name.ends_with("ca_norm.weight") => Rule::Constant(1.0),
            _ if name.ends_with("scale_mul") => Rule::Constant(4f64.ln()),
            // Rows 0 and 1 are the gates, 2 to 5 scales and shifts; one standard deviation serves all six.
            _ if name.ends_with("ada_gss") => Rule::Normal(1e-3 / c.sqrt()),
            _ if ["sa.proj.weight", "ca.proj.weight", "ffn.fc2.weight"]
                .iter()
                .any(|end| name.ends_with(end)) =>
            {
                Rule::Normal(std * residual)
            }
            _ if shape.len() == 1 => Rule::Constant(0.0),
            _ => Rule::Normal(std),
        }
    })
}

/// Initial values of a [`T5Encoder`](crate::model::t5::T5Encoder).
pub fn t5<M: Module>(module: M, config: &T5Config, seed: u64) -> M {
    let d = config.d_model as f64;
    let inner = (config.num_heads * config.d_kv) as f64;
    fill(module, seed, |name, shape| {
        if shape.len() == 1 {
            return Rule::Constant(1.0);
        }
        let variance = match name.rsplit('.').nth(1).unwrap_or(name) {
            "q" => 1.0 / (d * config.d_kv as f64),
            "o" => 1.0 / inner,
            "wo" => 1.0 / config.d_ff as f64,
            "shared" => 1.0,
            _ => 1.0 / d,
        };
        Rule::Normal(variance.sqrt())
    })
}

/// Initial values of a [`Vae`](crate::model::vae::Vae).
pub fn vae<M: Module>(module: M, seed: u64) -> M {
    let fans: std::collections::BTreeMap<String, f64> = parameter_shapes(&module, str::to_string)
        .into_iter()
        .filter(|(_, shape)| shape.len() == 4)
        .map(|(name, shape)| {
            (
                name.trim_end_matches(".weight").to_string(),
                shape[1..].iter().product::<usize>() as f64,
            )
        })
        .collect();
    fill(module, seed, |name, shape| {
        let layer = name.rsplit_once('.').map_or(name, |(layer, _)| layer);
        match fans.get(layer) {
            Some(_) if name.ends_with("bias") || layer.ends_with("conv2") => Rule::Constant(0.0),
            Some(fan_in) => Rule::Normal(1.0 / fan_in.sqrt()),
            None if shape.len() == 1 && name.ends_with("weight") => Rule::Constant(1.0),
            None => Rule::Constant(0.0),
        }
    })
}
