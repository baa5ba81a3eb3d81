//! `infinity bench image`: whole images of the official sizes with random weights, the text encoder and the decoder apart.

use super::super::CliError;
use super::super::processor::Processor;
use super::{median, wait};
use crate::engine::EngineError;
use crate::kernels::set_kernels_enabled;
use crate::model::config::T5Config;
use crate::model::official::flan_t5_xl;
use crate::model::t5::{self, T5Encoder};
use crate::profiling::image::{Decoding, Drawing, Side, Size, filled};
use burn::tensor::Device;
use clap::Args;
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
    /// Time the reference implementations in place of the kernels as well, in turn with them
    #[arg(long, alias = "twins")]
    reference: bool,
    /// How many images; medians count
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
}

/// Of Flan-T5-XL's encoder on `length` tokens.
fn text_operations(config: &T5Config, length: usize) -> f64 {
    let inner = config.num_heads * config.d_kv;
    let layer = 4 * config.d_model * inner + 3 * config.d_model * config.d_ff + 2 * length * inner;
    2.0 * (length * layer * config.num_layers) as f64
}

/// First and median milliseconds of each of `modes`: with the kernels, or with the reference implementations.
fn timed(rounds: u32, modes: &[bool], mut run: impl FnMut(bool)) -> Vec<(bool, f64, f64)> {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); modes.len()];
    for _ in 0..=rounds {
        for (&reference, times) in modes.iter().zip(&mut times) {
            set_kernels_enabled(!reference);
            let began = Instant::now();
            run(reference);
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    set_kernels_enabled(true);
    let first_and_median = |(&reference, mut times): (&bool, Vec<f64>)| {
        let first = times.remove(0);
        (reference, first, median(times))
    };
    modes.iter().zip(times).map(first_and_median).collect()
}

fn rows(name: &str, took: Vec<(bool, f64, f64)>, operations: f64, device: &Device) {
    for (reference, first, median) in took {
        let name = if reference {
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
        let text = self.text as usize;
        let modes: &[bool] = if self.reference { &[false, true] } else { &[false] };
        println!("| part | first ms | ms | GFLOP | GFLOP/s | memory held |");
        println!("|---|---:|---:|---:|---:|---:|");
        if self.t5 {
            let t5 = flan_t5_xl();
            let encoder = filled(T5Encoder::new(&t5, &device).map_err(EngineError::from)?);
            let ids: Vec<u32> = (0..self.text).map(|i| i * 977 % t5.vocab_size as u32).collect();
            let took = timed(self.rounds, modes, |_| {
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
        let drawing = Drawing::new(self.model, self.size, text, &device).map_err(EngineError::from)?;
        let mut scales: Vec<Vec<f64>> = vec![Vec::new(); self.size.scales()];
        let mut draw = |reference: bool| -> Result<(), EngineError> {
            let mut sampler = drawing.sampler()?;
            let mut began = Instant::now();
            while let Some(scale) = sampler.next_scale() {
                wait(scale.sum);
                if !reference {
                    scales[scale.k].push(began.elapsed().as_secs_f64() * 1e3);
                }
                began = Instant::now();
            }
            Ok(())
        };
        let mut failed = None;
        let took = timed(self.rounds, modes, |reference| {
            failed = failed.take().or(draw(reference).err())
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        let count = self.size.scales();
        rows(
            &format!("transformer, {count} scales"),
            took,
            drawing.operations(count),
            &device,
        );
        drop(drawing);
        device.memory_cleanup();
        let decoding = Decoding::new(self.model, self.size, &device).map_err(EngineError::from)?;
        let took = timed(self.rounds, modes, |_| wait(decoding.run()));
        let side = decoding.side();
        rows(
            &format!("decoder, {side} x {side}"),
            took,
            decoding.operations(),
            &device,
        );
        let warm = |times: &Vec<f64>| format!("{:.1}", median(times[1..].to_vec()));
        println!(
            "\nEach scale, ms: {}",
            scales.iter().map(warm).collect::<Vec<_>>().join(", ")
        );
        Ok(())
    }
}
