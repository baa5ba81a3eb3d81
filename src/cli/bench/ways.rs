//! `infinity bench ways`: every way that the kernels can compute one result, beside each other.

use super::super::CliError;
use super::super::processor::Processor;
use super::wait;
use crate::bench::random;
use crate::kernels::attention::{Added, attention_by};
use crate::kernels::convolution::{Around, convolution_by};
use crate::kernels::linear::{After, Way, linear_by};
use crate::kernels::packed::Form;
use burn::tensor::Tensor;
use clap::Args;
use std::time::Instant;

/// Time the kernels' ways to compute products, convolutions and attention
#[derive(Args, Debug)]
pub struct Ways {
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

const FORMS: [Form; 4] = [Form::F32, Form::F16, Form::Q8, Form::Q4];
/// Milliseconds that a time is taken over, so that the wait at its end does not count.
const ENOUGH: f64 = 10.0;

impl Ways {
    pub fn run(self) -> Result<(), CliError> {
        let device = self.device.open()?;
        let columns: Vec<&str> = Way::ALL.iter().map(|way| way.name()).collect();
        println!("| operation | shape | {} |", columns.join(" ms | ") + " ms");
        println!("|---|---|{}", "---:|".repeat(columns.len()));
        let mut products = vec![
            (2, 256, 768),
            (8, 256, 768),
            (32, 256, 768),
            (128, 256, 768),
            (128, 1024, 256),
        ];
        let mut maps = vec![(128, 128, 16), (64, 64, 32)];
        let mut heads = vec![(8, 32, 64, 121)];
        if self.large {
            products.extend([(2, 768, 2304), (512, 768, 2304), (512, 3072, 768), (4096, 2048, 6144)]);
            maps.extend([(512, 512, 32), (256, 256, 128), (128, 128, 256)]);
            heads.extend([(8, 96, 256, 521), (16, 128, 4096, 10_521)]);
        }
        for (rows, k, n) in products {
            let (x, weight) = (random([1, rows, k], &device), random::<2>([n, k], &device).into_data());
            for form in FORMS {
                let weight = Tensor::from_data(form.pack(weight.clone()), &device);
                let name = format!("product, {}", form.name());
                let run = |way| linear_by(way, &x, &weight, None, &After::Nothing);
                self.row(&name, &format!("{rows} x {k} x {n}"), run);
            }
        }
        for (inputs, outputs, side) in maps {
            let x = random([1, inputs, side, side], &device);
            let weight = random([outputs, inputs, 3, 3], &device);
            let run = |way| match way {
                Way::Few => None,
                way => convolution_by(way, &x, &weight, &Around::default()),
            };
            let shape = format!("3 x 3, {inputs} to {outputs}, {side} x {side}");
            self.row("convolution", &shape, run);
        }
        for (heads, hd, queries, keys) in heads {
            let q = random([1, queries, heads * hd], &device);
            let [k, v] = [0, 1].map(|_| random([1, heads, keys, hd], &device));
            let run = |way| match way {
                Way::Registers | Way::Tiles => attention_by(way, &q, &k, &v, Added::default(), 0.1),
                _ => None,
            };
            self.row("attention", &format!("{heads} heads of {hd}, {queries} to {keys}"), run);
        }
        Ok(())
    }

    fn row<const D: usize>(&self, name: &str, shape: &str, run: impl Fn(Way) -> Option<Tensor<D>>) {
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); Way::ALL.len()];
        for round in 0..=self.rounds {
            for (way, times) in Way::ALL.into_iter().zip(&mut times) {
                let took = time(|| run(way));
                // The first round compiles.
                times.extend(took.filter(|_| round > 0));
            }
        }
        let median = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times
                .get(times.len() / 2)
                .map_or("-".to_string(), |ms| format!("{ms:.3}"))
        };
        let cells: Vec<String> = times.into_iter().map(median).collect();
        println!("| {name} | {shape} | {} |", cells.join(" | "));
    }
}

/// Milliseconds of one run; none where no kernel fits.
fn time<const D: usize>(run: impl Fn() -> Option<Tensor<D>>) -> Option<f64> {
    let mut count = 1;
    loop {
        let began = Instant::now();
        let mut result = run()?;
        for _ in 1..count {
            result = run()?;
        }
        wait(result);
        let took = began.elapsed().as_secs_f64() * 1e3;
        if took >= ENOUGH || count >= 1024 {
            return Some(took / f64::from(count));
        }
        count *= 2;
    }
}
