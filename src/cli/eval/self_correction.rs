//! `infinity eval self-correction`.

use super::{Common, progress};
use crate::cli::CliError;
use crate::data::heldout::Split;
use crate::eval::self_correction::report;
use crate::eval::subject::Subject;
use clap::Args;

/// Error of flipped bits, scale by scale, with old residuals and with re-quantized ones; and how the transformer and
/// its teacher-forced baseline, if the model has one, recover from flips during sampling.
#[derive(Args, Debug)]
pub(super) struct EvalSelfCorrection {
    #[command(flatten)]
    common: Common,
    /// Held-out scenes, and images drawn from their captions
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(2..))]
    images: u32,
    /// Flip probabilities in percent
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "10,20,30",
        value_parser = clap::value_parser!(u8).range(1..=100))]
    flips: Vec<u8>,
}

impl EvalSelfCorrection {
    pub(super) fn run(self) -> Result<(), CliError> {
        let subject = self.common.subject()?;
        let world = self.common.asked.world(Split::HeldOut)?;
        let rates: Vec<f64> = self.flips.iter().map(|&percent| f64::from(percent) / 100.0).collect();
        let baseline = (subject.baseline.as_deref())
            .map(|folder| Subject::load(folder, &subject.device))
            .transpose()?;
        let images = self.images as usize;
        // Once through the tokenizer; then each network samples every image without flips and with those of each rate.
        let drawn = (1 + rates.len()) * if baseline.is_some() { 2 } else { 1 };
        let bar = progress("flipping bits", (1 + drawn) * images);
        let report = report(&subject, baseline.as_ref(), &world, &rates, images, &bar)?;
        bar.finish_and_clear();
        self.common.publish(&report)
    }
}
