//! `infinity bench operations`: what the operations of an image cost, by shape, with the kernels written for them and with burn's.

use super::super::CliError;
use super::super::processor::Processor;
use super::{random, wait};
use crate::kernels::attention::{self, Added, attention};
use crate::kernels::convolution::{self, Around, convolution};
use crate::kernels::cpu::in_columns;
use crate::kernels::linear::{self, After, linear};
use crate::kernels::norm::{self, Modulation, group_norm_silu, layer_norm};
use burn::tensor::{Device, Tensor};
use clap::{Args, ValueEnum};
use std::time::Instant;

/// Time the operations of an image's last scale and of its decoding
#[derive(Args, Debug)]
pub struct Operations {
    /// Whose shapes
    #[arg(long, value_enum, default_value_t = Sizes::Default)]
    model: Sizes,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Processor::Webgpu)]
    device: Processor,
    /// How often each is timed; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sizes {
    /// The page's own, 128 x 128
    Default,
    /// Infinity-125M at 256 x 256
    #[value(name = "125m")]
    Small,
    /// Infinity-2B at 1024 x 1024
    #[value(name = "2b")]
    Large,
}

/// What decides the shapes: a transformer at its last scale, and a decoder.
struct Model {
    width: usize,
    depth: usize,
    heads: usize,
    hidden: usize,
    text: usize,
    /// Tokens of the last scale, and of all.
    tokens: (usize, usize),
    /// Latent positions a side.
    side: usize,
    latent: usize,
    channels: &'static [usize],
    blocks: usize,
    pixels: usize,
}

impl Sizes {
    fn model(self) -> Model {
        match self {
            Self::Default => Model {
                width: 256,
                depth: 6,
                heads: 8,
                hidden: 1024,
                text: 8,
                tokens: (64, 121),
                side: 8,
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
                tokens: (256, 521),
                side: 16,
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
                tokens: (4096, 10_521),
                side: 64,
                latent: 32,
                channels: &[128, 256, 512, 512, 512],
                blocks: 3,
                pixels: 3,
            },
        }
    }
}

/// One operation of a model, with and without guidance's second half where it applies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Linear {
        k: usize,
        n: usize,
        what: What,
    },
    Attention {
        seen: usize,
    },
    LayerNorm,
    Convolution {
        inputs: usize,
        outputs: usize,
        side: usize,
        kernel: usize,
        upsampled: bool,
    },
    GroupNorm {
        channels: usize,
        side: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Plain,
    Gelu,
    Residual,
}

impl Model {
    /// Every operation with how often an image's last scale and its decoding ask for it.
    fn operations(&self) -> Vec<(Op, usize)> {
        let c = self.width;
        let mut all = Vec::new();
        let mut add = |op: Op, count: usize| match all.iter_mut().find(|(known, _)| *known == op) {
            Some((_, counted)) => *counted += count,
            None => all.push((op, count)),
        };
        let product = |k, n, what| Op::Linear { k, n, what };
        add(product(c, 3 * c, What::Plain), self.depth);
        add(product(c, c, What::Residual), 2 * self.depth);
        add(product(c, c, What::Plain), self.depth);
        add(product(c, self.hidden, What::Gelu), self.depth);
        add(product(self.hidden, c, What::Residual), self.depth);
        add(Op::Attention { seen: self.tokens.1 }, self.depth);
        add(Op::Attention { seen: self.text }, self.depth);
        add(Op::LayerNorm, 3 * self.depth);
        let convolution = |inputs, outputs, side, kernel, upsampled| Op::Convolution {
            inputs,
            outputs,
            side,
            kernel,
            upsampled,
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

    fn floating_point_operations(&self, op: Op) -> f64 {
        let rows = 2 * self.tokens.0;
        2.0 * match op {
            Op::Linear { k, n, .. } => rows * k * n,
            Op::Attention { seen } => rows * seen * self.width * 2,
            Op::LayerNorm => rows * self.width * 4,
            Op::Convolution {
                inputs,
                outputs,
                side,
                kernel,
                ..
            } => inputs * outputs * side * side * kernel * kernel,
            Op::GroupNorm { channels, side } => channels * side * side * 5,
        } as f64
    }

    /// Bytes that must be read and written once.
    fn bytes(&self, op: Op) -> f64 {
        let rows = 2 * self.tokens.0;
        let numbers = match op {
            Op::Linear { k, n, what } => rows * k + k * n + rows * n * (1 + usize::from(what == What::Residual)),
            Op::Attention { seen } => 2 * rows * self.width + 4 * seen * self.width,
            Op::LayerNorm => 2 * rows * self.width,
            Op::Convolution {
                inputs,
                outputs,
                side,
                kernel,
                upsampled,
            } => {
                let read = inputs * side * side / if upsampled { 4 } else { 1 };
                read + outputs * side * side + inputs * outputs * kernel * kernel
            }
            Op::GroupNorm { channels, side } => 2 * channels * side * side,
        };
        (4 * numbers) as f64
    }

    /// Milliseconds of the kernel and of burn's operations, in turn.
    fn time(&self, op: Op, device: &Device, rounds: u32) -> [f64; 2] {
        let (b, l, c) = (2, self.tokens.0, self.width);
        let x = || random([b, l, c], device);
        match op {
            Op::Linear { k, n, what } => {
                let (x, weight, bias) = (random([b, l, k], device), random([n, k], device), random([n], device));
                let residual = random([b, l, n], device);
                let after = || match what {
                    What::Plain => After::Nothing,
                    What::Gelu => After::Gelu,
                    What::Residual => After::Residual(residual.clone(), None),
                };
                let bias = || Some(bias.clone());
                let laid_out = in_columns(weight.clone());
                medians(
                    rounds,
                    || linear(x.clone(), laid_out.clone(), bias(), after()),
                    || linear::twin(x.clone(), weight.clone(), bias(), after()),
                )
            }
            Op::Attention { seen } => {
                // No tensor twice: WebGPU refuses buffers that overlap.
                let [k, v] = [0, 1].map(|_| random([b, self.heads, seen, c / self.heads], device));
                let q = x();
                medians(
                    rounds,
                    || attention(q.clone(), k.clone(), v.clone(), Added::default(), 0.1),
                    || attention::twin(q.clone(), k.clone(), v.clone(), Added::default(), 0.1),
                )
            }
            Op::LayerNorm => {
                let x = x();
                let modulation = Modulation::Affine {
                    weight: random([c], device),
                    bias: random([c], device),
                };
                medians(
                    rounds,
                    || layer_norm(x.clone(), 1e-6, modulation.clone()),
                    || norm::layer_norm_twin(x.clone(), 1e-6, modulation.clone()),
                )
            }
            Op::Convolution {
                inputs,
                outputs,
                side,
                kernel,
                upsampled,
            } => {
                let read = if upsampled { side / 2 } else { side };
                let x = random([1, inputs, read, read], device);
                let weight = random([outputs, inputs, kernel, kernel], device);
                let around = Around {
                    bias: Some(random([outputs], device)),
                    residual: None,
                    upsampled,
                };
                let burns = || convolution::twin(x.clone(), weight.clone(), around.clone());
                medians(
                    rounds,
                    || convolution(&x, &weight, &around).unwrap_or_else(burns),
                    burns,
                )
            }
            Op::GroupNorm { channels, side } => {
                let x = random([1, channels, side, side], device);
                let [weight, bias] = [0, 1].map(|_| random([channels], device));
                medians(
                    rounds,
                    || group_norm_silu(x.clone(), weight.clone(), bias.clone(), 4, 1e-6),
                    || norm::group_norm_silu_twin(x.clone(), weight.clone(), bias.clone(), 4, 1e-6),
                )
            }
        }
    }

    fn describe(&self, op: Op) -> (&'static str, String) {
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
            Op::Convolution {
                inputs,
                outputs,
                side,
                kernel,
                upsampled,
            } => {
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

/// Median milliseconds of two ways to one result, in turn, after one round that compiles.
fn medians<const D: usize>(rounds: u32, first: impl Fn() -> Tensor<D>, second: impl Fn() -> Tensor<D>) -> [f64; 2] {
    let time = |run: &dyn Fn() -> Tensor<D>| {
        let began = Instant::now();
        wait(run());
        began.elapsed().as_secs_f64() * 1e3
    };
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        let both = [time(&first), time(&second)];
        if round > 0 {
            times[0].push(both[0]);
            times[1].push(both[1]);
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

impl Operations {
    pub fn run(self) -> Result<(), CliError> {
        let device = self.device.open()?;
        let model = self.model.model();
        let operations = model.operations();
        let timed: Vec<_> = operations
            .into_iter()
            .map(|(op, count)| (op, count, model.time(op, &device, self.rounds)))
            .collect();
        let whole = |i: usize| timed.iter().map(|(_, count, ms)| *count as f64 * ms[i]).sum::<f64>();
        println!("| operation | shape | times | ms | GFLOP/s | GB/s | share | burn's ms | ratio |");
        println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
        for (op, count, [ours, burns]) in &timed {
            let (name, shape) = model.describe(*op);
            println!(
                "| {name} | {shape} | {count} | {ours:.2} | {:.2} | {:.2} | {:.1} % | {burns:.2} | {:.1} |",
                model.floating_point_operations(*op) / ours / 1e6,
                model.bytes(*op) / ours / 1e6,
                100.0 * *count as f64 * ours / whole(0),
                burns / ours,
            );
        }
        println!(
            "| all | | | {:.0} | | | | {:.0} | {:.1} |",
            whole(0),
            whole(1),
            whole(1) / whole(0)
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_decoder_costs_what_the_specification_says() {
        let model = Sizes::Small.model();
        let decoder = |(op, _): &(Op, usize)| matches!(op, Op::Convolution { .. });
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
    fn every_operation_is_timed_both_ways() {
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
            let times = model.time(op, &Device::flex(), 1);
            assert!(count > 0 && times.iter().all(|ms| *ms > 0.0), "{op:?}");
        }
    }
}
