//! `infinity bench`: what images cost, as a whole and by operation.

mod image;
mod memory;
mod operations;
mod variants;

use super::CliError;
use crate::profiling::one_number;
use burn::tensor::Tensor;
use clap::{Args, Subcommand};

/// Time the operations of an image, their kernel variants, or whole images of random weights; plan their memory
#[derive(Args, Debug)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Operations(operations::Operations),
    Image(image::Image),
    Memory(memory::Memory),
    #[command(alias = "ways")]
    Variants(variants::Variants),
}

impl Bench {
    pub fn run(self) -> Result<(), CliError> {
        match self.what {
            What::Operations(operations) => operations.run(),
            What::Image(image) => image.run(),
            What::Memory(memory) => memory.run(),
            What::Variants(variants) => variants.run(),
        }
    }
}

/// Waits for everything that leads to `x`.
fn wait<const D: usize>(x: Tensor<D>) {
    let number: f32 = one_number(x).into_scalar();
    std::hint::black_box(number);
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
