//! `infinity bench variants`: the kernel variants of every op that has several, beside each other.

use super::super::CliError;
use super::super::processor::Processor;
use super::{median, wait};
use crate::kernels::attention::{AttentionBias, AttentionVariant, attention_with};
use crate::kernels::convolution::{ConvolutionVariant, Fused, convolution_with};
use crate::kernels::matmul::{Epilogue, LinearVariant, WeightFormat, linear_with};
use crate::kernels::runtime::{NoKernel, Variant};
use crate::profiling::random;
use burn::tensor::{Device, Tensor};
use clap::Args;
use std::time::Instant;

/// Time the kernel variants of linear layers, convolutions and attention
#[derive(Args, Debug)]
pub struct Variants {
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Processor::Webgpu)]
    device: Processor,
    /// How often each is timed; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// The sizes of the 125M model and of a part of the 2B model besides those of the default one
    #[arg(long)]
    large: bool,
}

/// Milliseconds that a time is taken over, so that the wait at its end does not count.
const ENOUGH: f64 = 10.0;

impl Variants {
    pub fn run(self) -> Result<(), CliError> {
        let device = self.device.open()?;
        self.linear(&device);
        self.convolution(&device);
        self.attention(&device);
        Ok(())
    }

    fn linear(&self, device: &Device) {
        let mut sizes = vec![
            (2, 256, 768),
            (8, 256, 768),
            (32, 256, 768),
            (128, 256, 768),
            (128, 1024, 256),
        ];
        if self.large {
            sizes.extend([(2, 768, 2304), (512, 768, 2304), (512, 3072, 768), (4096, 2048, 6144)]);
        }
        head::<LinearVariant>();
        for (rows, k, n) in sizes {
            let (x, weight) = (random([1, rows, k], device), random::<2>([n, k], device).into_data());
            for format in WeightFormat::ALL {
                let weight = Tensor::from_data(format.quantize(weight.clone()), device);
                let name = format!("{}, {}", LinearVariant::OP, format.name());
                let run = |variant| linear_with(variant, &x, &weight, None, &Epilogue::None);
                self.row(&name, &format!("{rows} x {k} x {n}"), run);
            }
        }
    }

    fn convolution(&self, device: &Device) {
        let mut maps = vec![(128, 128, 16), (64, 64, 32)];
        if self.large {
            maps.extend([(512, 512, 32), (256, 256, 128), (128, 128, 256)]);
        }
        head::<ConvolutionVariant>();
        for (inputs, outputs, side) in maps {
            let x = random([1, inputs, side, side], device);
            let weight = random([outputs, inputs, 3, 3], device);
            let run = |variant| convolution_with(variant, &x, &weight, &Fused::default());
            let shape = format!("3 x 3, {inputs} to {outputs}, {side} x {side}");
            self.row(ConvolutionVariant::OP, &shape, run);
        }
    }

    fn attention(&self, device: &Device) {
        let mut heads = vec![(8, 32, 64, 121)];
        if self.large {
            heads.extend([(8, 96, 256, 521), (16, 128, 4096, 10_521)]);
        }
        head::<AttentionVariant>();
        for (heads, hd, queries, keys) in heads {
            let q = random([1, queries, heads * hd], device);
            let [k, v] = [0, 1].map(|_| random([1, heads, keys, hd], device));
            let run = |variant| attention_with(variant, &q, &k, &v, AttentionBias::default(), 0.1);
            let shape = format!("{heads} heads of {hd}, {queries} to {keys}");
            self.row(AttentionVariant::OP, &shape, run);
        }
    }

    fn row<V: Variant, const D: usize>(&self, name: &str, shape: &str, run: impl Fn(V) -> Result<Tensor<D>, NoKernel>) {
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); V::ALL.len()];
        for round in 0..=self.rounds {
            for (&variant, times) in V::ALL.iter().zip(&mut times) {
                let took = time(|| run(variant));
                // The first round compiles.
                times.extend(took.filter(|_| round > 0));
            }
        }
        let cell = |times: Vec<f64>| match times.is_empty() {
            true => "-".to_string(),
            false => format!("{:.3}", median(times)),
        };
        let cells: Vec<String> = times.into_iter().map(cell).collect();
        println!("| {name} | {shape} | {} |", cells.join(" | "));
    }
}

/// The head of the table of an op.
fn head<V: Variant>() {
    let columns: Vec<&str> = V::ALL.iter().map(|variant| variant.name()).collect();
    println!("\n| operation | shape | {} |", columns.join(" ms | ") + " ms");
    println!("|---|---|{}", "---:|".repeat(columns.len()));
}

/// Milliseconds of one run; none where the variant does not take the tensors.
fn time<const D: usize>(run: impl Fn() -> Result<Tensor<D>, NoKernel>) -> Option<f64> {
    let mut count = 1;
    loop {
        let began = Instant::now();
        let mut result = run().ok()?;
        for _ in 1..count {
            result = run().ok()?;
        }
        wait(result);
        let took = began.elapsed().as_secs_f64() * 1e3;
        if took >= ENOUGH || count >= 1024 {
            return Some(took / f64::from(count));
        }
        count *= 2;
    }
}
