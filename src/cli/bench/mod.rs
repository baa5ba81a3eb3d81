//! `infinity bench`: what images cost, as a whole and by operation.

mod image;
mod memory;
mod operations;
mod ways;

use super::CliError;
use burn::tensor::{Device, Distribution, Tensor};
use clap::{Args, Subcommand};

/// Time the operations of an image, the ways to compute them, or whole images of random weights; plan their memory
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
    Ways(ways::Ways),
}

impl Bench {
    pub fn run(self) -> Result<(), CliError> {
        match self.what {
            What::Operations(operations) => operations.run(),
            What::Image(image) => image.run(),
            What::Memory(memory) => memory.run(),
            What::Ways(ways) => ways.run(),
        }
    }
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

/// Waits for everything that leads to `x` by looking at one number; the read alone does not.
fn wait<const D: usize>(x: Tensor<D>) {
    let one: [_; D] = std::array::from_fn(|_| 0..1);
    let number: f32 = x.slice(one).into_scalar();
    std::hint::black_box(number);
}
