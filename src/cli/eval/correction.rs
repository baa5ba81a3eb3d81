//! `infinity eval self-correction`.

use super::{Common, progress};
use crate::cli::CliError;
use crate::data::heldout::Split;
use crate::eval::correction::report;
use clap::Args;

/// What flipped bits cost, scale by scale, with old residuals and with re-quantised ones.
#[derive(Args, Debug)]
pub(super) struct EvalCorrection {
    #[command(flatten)]
    common: Common,
    /// Held-out scenes
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(2..))]
    images: u32,
    /// Flip probabilities in percent
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "10,20,30",
        value_parser = clap::value_parser!(u8).range(1..=100))]
    flips: Vec<u8>,
}

impl EvalCorrection {
    pub(super) fn run(self) -> Result<(), CliError> {
        let subject = self.common.subject()?;
        let world = self.common.asked.world(Split::HeldOut)?;
        let rates: Vec<f64> = self.flips.iter().map(|&percent| f64::from(percent) / 100.0).collect();
        let bar = progress("flipping bits", self.images as usize);
        let report = report(&subject, &world, &rates, self.images as usize, &bar)?;
        bar.finish_and_clear();
        self.common.publish(&report)
    }
}
