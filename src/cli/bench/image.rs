//! `infinity bench image`: whole images of the official sizes with random weights, the text encoder and the decoder apart.

use super::super::CliError;
use super::super::processor::Processor;
use super::wait;
use crate::engine::EngineError;
use crate::kernels::use_shaders;
use crate::model::config::{T5Config, TransformerConfig};
use crate::model::nn;
use crate::model::official::{self, TEXT_DIM, flan_t5_xl, infinity_2b, infinity_125m};
use crate::model::sampling::{Noise, Sampler, SamplingOptions};
use crate::model::schedule::{Schedule, TEMPLATES};
use crate::model::t5::{self, T5Encoder};
use crate::model::text_features::TextFeatures;
use crate::model::transformer::Transformer;
use crate::model::vae::Decoder;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Distribution, Tensor};
use clap::{Args, ValueEnum};
use std::time::Instant;

/// Time whole images with random weights
#[derive(Args, Debug)]
pub struct Image {
    #[arg(long, value_enum, default_value_t = Size::Small)]
    model: Size,
    /// Pixels a side
    #[arg(long, value_enum, default_value_t = Side::P256)]
    size: Side,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=512))]
    text: u32,
    /// Time Flan-T5-XL on the prompt as well
    #[arg(long)]
    t5: bool,
    #[arg(long, value_enum, default_value_t = Processor::Webgpu)]
    device: Processor,
    /// Time burn's operations in place of the kernels as well, in turn with them
    #[arg(long)]
    twins: bool,
    /// How many images; medians count
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Size {
    #[value(name = "125m")]
    Small,
    #[value(name = "2b")]
    Large,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Side {
    #[value(name = "256")]
    P256,
    #[value(name = "512")]
    P512,
    #[value(name = "1024")]
    P1024,
}

impl Side {
    pub(super) fn scales(self) -> usize {
        match self {
            Self::P256 => 7,
            Self::P512 => 10,
            Self::P1024 => 13,
        }
    }
}

impl Size {
    pub(super) fn transformer(self) -> TransformerConfig {
        match self {
            Self::Small => infinity_125m(),
            Self::Large => infinity_2b(),
        }
    }
}

/// The network with small numbers in every parameter, as the engine would hold it.
fn filled<M: Module>(network: M) -> M {
    nn::laid_out(network.map(&mut Fill))
}

struct Fill;

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| Tensor::random(tensor.dims(), Distribution::Uniform(-0.02, 0.02), &tensor.device()))
    }
}

/// Floating point operations of all products of the transformer for one image, both halves of guidance.
fn transformer_operations(config: &TransformerConfig, schedule: &Schedule, text: usize) -> f64 {
    let (c, f) = (config.embed_dim, config.ffn_hidden);
    // Query, key and value; output; query of and output behind cross attention; feed-forward.
    let matrices = 3 * c * c + c * c + 2 * c * c + 2 * c * f;
    let mut sum = 0.0;
    let mut seen = 0;
    for k in 0..schedule.len() {
        let tokens = schedule.tokens(k);
        seen += tokens;
        sum += (tokens * (matrices + 2 * c * (seen + text))) as f64;
    }
    let ends = schedule.total() * c * 3 * config.bits;
    let memory = text * config.text_dim * 2 * c * config.depth;
    2.0 * 2.0 * (sum * config.depth as f64 + (ends + memory) as f64)
}

/// Of Flan-T5-XL's encoder on `length` tokens.
fn text_operations(config: &T5Config, length: usize) -> f64 {
    let inner = config.num_heads * config.d_kv;
    let layer = 4 * config.d_model * inner + 3 * config.d_model * config.d_ff + 2 * length * inner;
    2.0 * (length * layer * config.num_layers) as f64
}

/// First and median milliseconds of each of `ways`: with the kernels, or with their twins.
fn timed(rounds: u32, ways: &[bool], mut run: impl FnMut(bool)) -> Vec<(bool, f64, f64)> {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); ways.len()];
    for _ in 0..=rounds {
        for (&twins, times) in ways.iter().zip(&mut times) {
            use_shaders(!twins);
            let began = Instant::now();
            run(twins);
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    use_shaders(true);
    let first_and_median = |(&twins, mut times): (&bool, Vec<f64>)| {
        let first = times.remove(0);
        times.sort_by(f64::total_cmp);
        (twins, first, times[times.len() / 2])
    };
    ways.iter().zip(times).map(first_and_median).collect()
}

fn rows(name: &str, took: Vec<(bool, f64, f64)>, operations: f64, device: &Device) {
    for (twins, first, median) in took {
        let name = if twins {
            format!("{name}, burn's operations")
        } else {
            name.to_string()
        };
        row(&name, first, median, operations, device);
    }
}

fn row(name: &str, first: f64, median: f64, operations: f64, device: &Device) {
    let memory = match device.memory_pool_usage() {
        Some(usage) => format!("{:.2} GB", usage.bytes_reserved as f64 / 1e9),
        None => "-".to_string(),
    };
    println!(
        "| {name} | {first:.0} | {median:.1} | {:.1} | {:.0} | {memory} |",
        operations / 1e9,
        operations / median / 1e6
    );
}

impl Image {
    pub fn run(self) -> Result<(), CliError> {
        let device = self.device.open()?;
        let schedule = TEMPLATES[0].schedule(self.size.scales()).map_err(EngineError::from)?;
        let config = self.model.transformer();
        let text = self.text as usize;
        let ways: &[bool] = if self.twins { &[false, true] } else { &[false] };
        println!("| part | first ms | ms | GFLOP | GFLOP/s | memory held |");
        println!("|---|---:|---:|---:|---:|---:|");
        if self.t5 {
            let t5 = flan_t5_xl();
            let encoder = filled(T5Encoder::new(&t5, &device).map_err(EngineError::from)?);
            let ids: Vec<u32> = (0..self.text).map(|i| i * 977 % t5.vocab_size as u32).collect();
            let took = timed(self.rounds, ways, |_| {
                let (ids, lens) = t5::batch(std::slice::from_ref(&ids), &device);
                wait(encoder.forward(ids, &lens));
            });
            rows(
                &format!("Flan-T5-XL, {text} tokens"),
                took,
                text_operations(&t5, text),
                &device,
            );
            drop(encoder);
            device.memory_cleanup();
        }
        let model = filled(Transformer::new(&config, &device).map_err(EngineError::from)?);
        let features = Tensor::random([1, text, TEXT_DIM], Distribution::Uniform(-0.5, 0.5), &device);
        let features = TextFeatures {
            features,
            lens: vec![text],
        };
        let mut scales: Vec<Vec<f64>> = vec![Vec::new(); schedule.len()];
        let mut draw = |twins: bool| -> Result<(), EngineError> {
            let options = SamplingOptions::default();
            let mut sampler = Sampler::new(&model, &features, None, &schedule, options, Noise::Seeded)?;
            let mut began = Instant::now();
            while let Some(scale) = sampler.next_scale() {
                wait(scale.sum);
                if !twins {
                    scales[scale.k].push(began.elapsed().as_secs_f64() * 1e3);
                }
                began = Instant::now();
            }
            Ok(())
        };
        let mut failed = None;
        let took = timed(self.rounds, ways, |twins| failed = failed.take().or(draw(twins).err()));
        if let Some(error) = failed {
            return Err(error.into());
        }
        let operations = transformer_operations(&config, &schedule, text);
        rows(
            &format!("transformer, {} scales", schedule.len()),
            took,
            operations,
            &device,
        );
        drop(model);
        device.memory_cleanup();
        let decoder = filled(Decoder::new(&official::vae(config.bits), &device).map_err(EngineError::from)?);
        let (height, width) = *schedule.grids().last().unwrap_or(&(1, 1));
        let sum = Tensor::random(
            [1, config.bits, height, width],
            Distribution::Uniform(-1.0, 1.0),
            &device,
        );
        let took = timed(self.rounds, ways, |_| wait(decoder.forward(sum.clone())));
        let operations = 616e9 * (height * width) as f64 / 256.0;
        rows(&format!("decoder, {0} x {0}", 16 * height), took, operations, &device);
        let median = |times: &Vec<f64>| {
            let mut times = times[1..].to_vec();
            times.sort_by(f64::total_cmp);
            format!("{:.1}", times[times.len() / 2])
        };
        println!(
            "\nEach scale, ms: {}",
            scales.iter().map(median).collect::<Vec<_>>().join(", ")
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_transformer_costs_what_the_specification_says() {
        let config = Size::Small.transformer();
        let schedule = TEMPLATES[0].schedule(7).unwrap();
        let found = transformer_operations(&config, &schedule, 32) / 1e9;
        // 521 tokens twice through 12 blocks of 8.3 M weights each, and attention.
        assert!((200.0..260.0).contains(&found), "{found}");
    }
}
