//! Images of the official sizes with random weights.

use crate::model::ModelError;
use crate::model::config::TransformerConfig;
use crate::model::nn;
use crate::model::official::{self, TEXT_DIM, infinity_2b, infinity_125m};
use crate::model::sampling::{Noise, Sampler, SamplingOptions};
use crate::model::schedule::{Schedule, TEMPLATES, TOKEN_STRIDE};
use crate::model::text_features::TextFeatures;
use crate::model::transformer::Transformer;
use crate::model::vae::Decoder;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Distribution, Tensor};

/// An official transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_family = "wasm"), derive(clap::ValueEnum))]
pub enum Size {
    #[cfg_attr(not(target_family = "wasm"), value(name = "125m"))]
    Small,
    #[cfg_attr(not(target_family = "wasm"), value(name = "2b"))]
    Large,
}

impl Size {
    pub fn transformer(self) -> TransformerConfig {
        match self {
            Self::Small => infinity_125m(),
            Self::Large => infinity_2b(),
        }
    }
}

/// Pixels a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_family = "wasm"), derive(clap::ValueEnum))]
pub enum Side {
    #[cfg_attr(not(target_family = "wasm"), value(name = "256"))]
    P256,
    #[cfg_attr(not(target_family = "wasm"), value(name = "512"))]
    P512,
    #[cfg_attr(not(target_family = "wasm"), value(name = "1024"))]
    P1024,
}

impl Side {
    /// How many scales lead to it.
    pub fn scales(self) -> usize {
        match self {
            Self::P256 => 7,
            Self::P512 => 10,
            Self::P1024 => 13,
        }
    }

    pub fn schedule(self) -> Result<Schedule, ModelError> {
        TEMPLATES[0].schedule(self.scales())
    }
}

/// The network with small numbers in every parameter, as the engine would hold it.
pub fn filled<M: Module>(network: M) -> M {
    nn::with_device_layout(network.map(&mut Fill))
}

struct Fill;

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| Tensor::random(tensor.dims(), Distribution::Uniform(-0.02, 0.02), &tensor.device()))
    }
}

/// A transformer of random weights, and a text of random features.
pub struct Drawing {
    model: Transformer,
    text: TextFeatures,
    schedule: Schedule,
}

impl Drawing {
    /// `text` is the length of the text in tokens.
    pub fn new(size: Size, side: Side, text: usize, device: &Device) -> Result<Self, ModelError> {
        Ok(Self {
            model: filled(Transformer::new(&size.transformer(), device)?),
            text: TextFeatures {
                features: Tensor::random([1, text, TEXT_DIM], Distribution::Uniform(-0.5, 0.5), device),
                lens: vec![text],
            },
            schedule: side.schedule()?,
        })
    }

    /// Draws an image with guidance, scale by scale.
    pub fn sampler(&self) -> Result<Sampler, ModelError> {
        let options = SamplingOptions::default();
        Sampler::new(&self.model, &self.text, None, &self.schedule, options, Noise::Seeded)
    }

    /// Floating point operations of all products of the transformer for the first `scales` scales, both halves of guidance.
    pub fn operations(&self, scales: usize) -> f64 {
        transformer_operations(self.model.config(), &self.schedule, scales, self.text.lens[0])
    }
}

fn transformer_operations(config: &TransformerConfig, schedule: &Schedule, scales: usize, text: usize) -> f64 {
    let (c, f) = (config.embed_dim, config.ffn_hidden);
    // Query, key and value; output; query of and output behind cross attention; feed-forward.
    let matrices = 3 * c * c + c * c + 2 * c * c + 2 * c * f;
    let mut sum = 0.0;
    let mut seen = 0;
    for k in 0..scales {
        let tokens = schedule.tokens(k);
        seen += tokens;
        sum += (tokens * (matrices + 2 * c * (seen + text))) as f64;
    }
    let ends = seen * c * 3 * config.bits;
    let memory = text * config.text_dim * 2 * c * config.depth;
    2.0 * 2.0 * (sum * config.depth as f64 + (ends + memory) as f64)
}

/// A decoder of random weights, and a map for it.
pub struct Decoding {
    decoder: Decoder,
    sum: Tensor<4>,
}

impl Decoding {
    pub fn new(size: Size, side: Side, device: &Device) -> Result<Self, ModelError> {
        let bits = size.transformer().bits;
        let (height, width) = side.schedule()?.grids()[side.scales() - 1];
        Ok(Self {
            decoder: filled(Decoder::new(&official::vae(bits), device)?),
            sum: Tensor::random([1, bits, height, width], Distribution::Uniform(-1.0, 1.0), device),
        })
    }

    pub fn run(&self) -> Tensor<4> {
        self.decoder.forward(self.sum.clone())
    }

    /// Pixels a side of its picture.
    pub fn side(&self) -> usize {
        TOKEN_STRIDE * self.sum.dims()[3]
    }

    /// Floating point operations of its convolutions.
    pub fn operations(&self) -> f64 {
        let [_, _, height, width] = self.sum.dims();
        616e9 * (height * width) as f64 / 256.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_transformer_costs_what_the_specification_says() {
        let config = Size::Small.transformer();
        let schedule = TEMPLATES[0].schedule(7).unwrap();
        let found = transformer_operations(&config, &schedule, 7, 32) / 1e9;
        // 521 tokens twice through 12 blocks of 8.3 M weights each, and attention.
        assert!((200.0..260.0).contains(&found), "{found}");
    }
}
