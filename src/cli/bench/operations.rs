//! `infinity bench operations`: what the operations of an image cost, by shape.

use super::super::CliError;
use super::super::processor::Processor;
use super::median;
use crate::engine::EngineError;
use crate::profiling::operations::{Comparison, Sizes};
use clap::Args;
use std::time::Instant;

/// Time the operations of one scale of an image and of its decoding
#[derive(Args, Debug)]
pub struct Operations {
    /// Whose shapes
    #[arg(long, value_enum, default_value_t = Sizes::Default)]
    model: Sizes,
    /// Which scale, from 1 [default: the last]
    #[arg(long)]
    scale: Option<usize>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Processor::Webgpu)]
    device: Processor,
    /// How often each is timed; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
}

impl Operations {
    pub fn run(self) -> Result<(), CliError> {
        let device = self.device.open()?;
        let model = self.model.model(self.scale).map_err(EngineError::from)?;
        let operations = model.operations();
        let timed: Vec<_> = operations
            .into_iter()
            .map(|(op, count)| (op, count, medians(self.rounds, &model.comparison(op, &device))))
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

/// Median milliseconds with the kernel and with burn's operations, in turn, after one round that compiles.
fn medians(rounds: u32, comparison: &Comparison) -> [f64; 2] {
    let time = |ours| {
        let began = Instant::now();
        let number: f32 = comparison.run(ours).into_scalar();
        std::hint::black_box(number);
        began.elapsed().as_secs_f64() * 1e3
    };
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        let both = [time(true), time(false)];
        if round > 0 {
            times[0].push(both[0]);
            times[1].push(both[1]);
        }
    }
    times.map(median)
}
