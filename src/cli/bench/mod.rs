//! `infinity bench`: what images cost, as a whole and by operation.

mod image;
mod operations;

use super::CliError;
use clap::{Args, Subcommand};

/// Time the operations of an image, or whole images of random weights
#[derive(Args, Debug)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Operations(operations::Operations),
    Image(image::Image),
}

impl Bench {
    pub fn run(self) -> Result<(), CliError> {
        match self.what {
            What::Operations(operations) => operations.run(),
            What::Image(image) => image.run(),
        }
    }
}
