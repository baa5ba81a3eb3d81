//! What the operations of an image cost, by shape: with the kernels written for them, and with burn's.

use super::image::Side;
use super::{one_number, random};
use crate::kernels::attention::{AttentionBias, attention, attention_reference};
use crate::kernels::convolution::{Fused, convolution, convolution_reference};
use crate::kernels::cpu::to_column_major;
use crate::kernels::matmul::{Epilogue, linear, linear_reference};
use crate::kernels::norm::{Modulation, group_norm_silu, layer_norm, layer_norm_reference};
use crate::kernels::reference;
use crate::model::ModelError;
use crate::model::schedule::{Schedule, TEMPLATES, TOKEN_STRIDE};
use burn::tensor::{Device, Tensor};

/// Whose shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_family = "wasm"), derive(clap::ValueEnum))]
pub enum Sizes {
    /// The page's own, 128 x 128
    Default,
    /// Infinity-125M at 256 x 256
    #[cfg_attr(not(target_family = "wasm"), value(name = "125m"))]
    Small,
    /// Infinity-2B at 1024 x 1024
    #[cfg_attr(not(target_family = "wasm"), value(name = "2b"))]
    Large,
}

/// What decides the shapes: a transformer at one scale, and a decoder.
pub struct Model {
    width: usize,
    depth: usize,
    heads: usize,
    hidden: usize,
    text: usize,
    /// Tokens of the scale, and of it and those before it.
    tokens: (usize, usize),
    /// Latent positions a side.
    side: usize,
    latent: usize,
    channels: &'static [usize],
    blocks: usize,
    pixels: usize,
}

impl Sizes {
    /// The model at scale `k` (from 1), or its last.
    pub fn model(self, k: Option<usize>) -> Result<Model, ModelError> {
        let scales = match self {
            Self::Default => 5,
            Self::Small => Side::P256.scales(),
            Self::Large => Side::P1024.scales(),
        };
        let k = k.unwrap_or(scales);
        if !(1..=scales).contains(&k) {
            return Err(ModelError::Scales { scales: k });
        }
        let schedule = TEMPLATES[0].schedule(scales)?;
        let tokens = |scales: std::ops::Range<usize>| scales.map(|k| schedule.tokens(k)).sum();
        Ok(self.sized((tokens(k - 1..k), tokens(0..k)), &schedule))
    }

    fn sized(self, tokens: (usize, usize), schedule: &Schedule) -> Model {
        let side = schedule.image_size().0 / TOKEN_STRIDE;
        match self {
            Self::Default => Model {
                width: 256,
                depth: 6,
                heads: 8,
                hidden: 1024,
                text: 8,
                tokens,
                side,
                latent: 32,
                channels: &[64, 128, 128],
                blocks: 2,
                pixels: 48,
            },
            Self::Small => Model {
                width: 768,
                depth: 12,
                heads: 8,
                hidden: 3072,
                text: 32,
                tokens,
                side,
                latent: 16,
                channels: &[128, 256, 512, 512, 512],
                blocks: 3,
                pixels: 3,
            },
            Self::Large => Model {
                width: 2048,
                depth: 32,
                heads: 16,
                hidden: 8192,
                text: 64,
                tokens,
                side,
                latent: 32,
                channels: &[128, 256, 512, 512, 512],
                blocks: 3,
                pixels: 3,
            },
        }
    }
}

/// One operation of a model, with guidance's second half where it applies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    Linear { k: usize, n: usize, what: What },
    Attention { seen: usize },
    LayerNorm,
    Convolution(Map),
    GroupNorm { channels: usize, side: usize },
}

/// A convolution to a map of `side` x `side` positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Map {
    inputs: usize,
    outputs: usize,
    side: usize,
    kernel: usize,
    upsampled: bool,
}

impl Map {
    /// Positions a side of what is read.
    fn read(&self) -> usize {
        if self.upsampled { self.side / 2 } else { self.side }
    }
}

/// The epilogue of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    Plain,
    Gelu,
    Residual,
}

impl Model {
    /// Every operation with how often the scale and a whole decoding ask for it.
    pub fn operations(&self) -> Vec<(Op, usize)> {
        let c = self.width;
        let mut all = Vec::new();
        let mut add = |op: Op, count: usize| match all.iter_mut().find(|(known, _)| *known == op) {
            Some((_, counted)) => *counted += count,
            None => all.push((op, count)),
        };
        let linear = |k, n, what| Op::Linear { k, n, what };
        add(linear(c, 3 * c, What::Plain), self.depth);
        add(linear(c, c, What::Residual), 2 * self.depth);
        add(linear(c, c, What::Plain), self.depth);
        add(linear(c, self.hidden, What::Gelu), self.depth);
        add(linear(self.hidden, c, What::Residual), self.depth);
        add(Op::Attention { seen: self.tokens.1 }, self.depth);
        add(Op::Attention { seen: self.text }, self.depth);
        add(Op::LayerNorm, 3 * self.depth);
        let convolution = |inputs, outputs, side, kernel, upsampled| {
            Op::Convolution(Map {
                inputs,
                outputs,
                side,
                kernel,
                upsampled,
            })
        };
        let mut side = self.side;
        let mut from = self.channels[self.channels.len() - 1];
        add(convolution(self.latent, from, side, 3, false), 1);
        let mut block = |from: usize, to: usize, side: usize| {
            add(Op::GroupNorm { channels: from, side }, 1);
            add(convolution(from, to, side, 3, false), 1);
            add(Op::GroupNorm { channels: to, side }, 1);
            add(convolution(to, to, side, 3, false), 1);
            if from != to {
                add(convolution(from, to, side, 1, false), 1);
            }
        };
        block(from, from, side);
        block(from, from, side);
        let mut doublings = Vec::new();
        for (level, &to) in self.channels.iter().enumerate().rev() {
            for _ in 0..self.blocks {
                block(from, to, side);
                from = to;
            }
            if level > 0 {
                side *= 2;
                doublings.push((to, side));
            }
        }
        for (channels, side) in doublings {
            add(convolution(channels, channels, side, 3, true), 1);
        }
        add(Op::GroupNorm { channels: from, side }, 1);
        add(convolution(from, self.pixels, side, 3, false), 1);
        all
    }

    pub fn floating_point_operations(&self, op: Op) -> f64 {
        let rows = 2 * self.tokens.0;
        2.0 * match op {
            Op::Linear { k, n, .. } => rows * k * n,
            Op::Attention { seen } => rows * seen * self.width * 2,
            Op::LayerNorm => rows * self.width * 4,
            Op::Convolution(map) => map.inputs * map.outputs * (map.side * map.kernel).pow(2),
            Op::GroupNorm { channels, side } => channels * side * side * 5,
        } as f64
    }

    /// Bytes that must be read and written once.
    pub fn bytes(&self, op: Op) -> f64 {
        let rows = 2 * self.tokens.0;
        let numbers = match op {
            Op::Linear { k, n, what } => rows * k + k * n + rows * n * (1 + usize::from(what == What::Residual)),
            Op::Attention { seen } => 2 * rows * self.width + 4 * seen * self.width,
            Op::LayerNorm => 2 * rows * self.width,
            Op::Convolution(map) => {
                let moved = map.inputs * map.read().pow(2) + map.outputs * map.side.pow(2);
                moved + map.inputs * map.outputs * map.kernel.pow(2)
            }
            Op::GroupNorm { channels, side } => 2 * channels * side * side,
        };
        (4 * numbers) as f64
    }

    /// The operation with made-up inputs on `device`.
    pub fn comparison(&self, op: Op, device: &Device) -> Comparison {
        let (b, l, c) = (2, self.tokens.0, self.width);
        match op {
            Op::Linear { k, n, what } => {
                let (x, weight, bias) = (random([b, l, k], device), random([n, k], device), random([n], device));
                let residual = random([b, l, n], device);
                let column_major = to_column_major(weight.clone());
                Comparison::new(move |ours| {
                    let epilogue = match what {
                        What::Plain => Epilogue::None,
                        What::Gelu => Epilogue::Gelu,
                        What::Residual => Epilogue::Residual(residual.clone(), None),
                    };
                    let (x, bias) = (x.clone(), Some(bias.clone()));
                    match ours {
                        true => linear(x, column_major.clone(), bias, epilogue),
                        false => linear_reference(x, weight.clone(), bias, epilogue),
                    }
                })
            }
            Op::Attention { seen } => {
                // No tensor twice: WebGPU refuses buffers that overlap.
                let [k, v] = [0, 1].map(|_| random([b, self.heads, seen, c / self.heads], device));
                let q = random([b, l, c], device);
                Comparison::new(move |ours| {
                    let run = if ours { attention } else { attention_reference };
                    run(q.clone(), k.clone(), v.clone(), AttentionBias::default(), 0.1)
                })
            }
            Op::LayerNorm => {
                let x = random([b, l, c], device);
                let modulation = Modulation::Affine {
                    weight: random([c], device),
                    bias: random([c], device),
                };
                Comparison::new(move |ours| {
                    let run = if ours { layer_norm } else { layer_norm_reference };
                    run(x.clone(), 1e-6, modulation.clone())
                })
            }
            Op::Convolution(map) => {
                let x = random([1, map.inputs, map.read(), map.read()], device);
                let weight = random([map.outputs, map.inputs, map.kernel, map.kernel], device);
                let fused = Fused {
                    bias: Some(random([map.outputs], device)),
                    residual: None,
                    upsampled: map.upsampled,
                };
                Comparison::new(move |ours| {
                    let kernels = ours.then(|| convolution(&x, &weight, &fused)).flatten();
                    kernels.unwrap_or_else(|| convolution_reference(x.clone(), weight.clone(), fused.clone()))
                })
            }
            Op::GroupNorm { channels, side } => {
                let x = random([1, channels, side, side], device);
                let [weight, bias] = [0, 1].map(|_| random([channels], device));
                Comparison::new(move |ours| {
                    let run = if ours {
                        group_norm_silu
                    } else {
                        reference::norm::group_norm_silu
                    };
                    run(x.clone(), weight.clone(), bias.clone(), 4, 1e-6)
                })
            }
        }
    }

    /// Its name and its shape.
    pub fn describe(&self, op: Op) -> (&'static str, String) {
        let rows = 2 * self.tokens.0;
        match op {
            Op::Linear { k, n, what } => {
                let name = match what {
                    What::Plain => "linear",
                    What::Gelu => "linear + GELU",
                    What::Residual => "linear + residual",
                };
                (name, format!("{rows} x {k} x {n}"))
            }
            Op::Attention { seen } => {
                let (heads, hd) = (self.heads, self.width / self.heads);
                (
                    "attention",
                    format!("2 x {heads} heads of {hd}, {} to {seen}", self.tokens.0),
                )
            }
            Op::LayerNorm => ("layer norm", format!("{rows} x {}", self.width)),
            Op::Convolution(Map {
                inputs,
                outputs,
                side,
                kernel,
                upsampled,
            }) => {
                let name = if upsampled {
                    "upsample + convolution"
                } else {
                    "convolution"
                };
                (
                    name,
                    format!("{kernel} x {kernel}, {inputs} to {outputs}, {side} x {side}"),
                )
            }
            Op::GroupNorm { channels, side } => ("group norm + SiLU", format!("{channels}, {side} x {side}")),
        }
    }
}

/// An operation by its kernel and by its reference implementation, with its inputs on a device.
pub struct Comparison(Box<dyn Fn(bool) -> Tensor<1>>);

impl Comparison {
    fn new<const D: usize>(run: impl Fn(bool) -> Tensor<D> + 'static) -> Self {
        Self(Box::new(move |ours| one_number(run(ours))))
    }

    /// Computes it with the kernel, or with the reference; the result is there when the number that is returned is.
    pub fn run(&self, ours: bool) -> Tensor<1> {
        self.0(ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_decoder_costs_what_the_specification_says() {
        let model = Sizes::Small.model(None).unwrap();
        let decoder = |(op, _): &(Op, usize)| matches!(op, Op::Convolution(_));
        let operations = model.operations();
        let total: f64 = operations
            .iter()
            .filter(|op| decoder(op))
            .map(|(op, count)| model.floating_point_operations(*op) * *count as f64)
            .sum();
        // 616 GFLOP for the 256 x 256 decoder of stride 16.
        assert!((total / 1e9 - 616.0).abs() < 12.0, "{}", total / 1e9);
    }

    #[test]
    fn a_scale_decides_the_rows_and_what_they_see() {
        let tokens = |k| Sizes::Large.model(k).unwrap().tokens;
        assert_eq!(
            [tokens(Some(1)), tokens(Some(3)), tokens(None)],
            [(1, 1), (16, 21), (4096, 10_521)]
        );
        assert!(Sizes::Default.model(Some(6)).is_err() && Sizes::Default.model(Some(0)).is_err());
    }

    #[test]
    fn kernel_and_reference_come_to_one_result() {
        let model = Model {
            width: 8,
            depth: 1,
            heads: 2,
            hidden: 16,
            text: 2,
            tokens: (4, 5),
            side: 2,
            latent: 4,
            channels: &[8, 8],
            blocks: 1,
            pixels: 3,
        };
        for (op, count) in model.operations() {
            let comparison = model.comparison(op, &Device::flex());
            let [ours, burns] = [true, false].map(|ours| comparison.run(ours).into_scalar::<f32>());
            assert!(count > 0 && (ours - burns).abs() < 1e-4, "{op:?}: {ours} and {burns}");
        }
    }
}
