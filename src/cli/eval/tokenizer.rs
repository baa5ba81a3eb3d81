//! `infinity eval tokenizer`.

use super::{Common, Features, progress};
use crate::cli::CliError;
use crate::eval::tokenizer::{TokenizerReport, rows};
use clap::Args;

/// PSNR, SSIM and FD-EffLite0 of reconstructed scenes.
#[derive(Args, Debug)]
pub(super) struct EvalTokenizer {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    features: Features,
    /// Scenes of each side of the split
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..))]
    images: u32,
}

impl EvalTokenizer {
    pub(super) fn run(self) -> Result<(), CliError> {
        let subject = self.common.subject()?;
        let extractor = self.features.open(&subject.device)?;
        let images = self.images as usize;
        let bar = progress("reconstructing", 2 * images);
        let mut report = TokenizerReport {
            model: subject.name.clone(),
            images,
            rows: Vec::new(),
        };
        for (split, world) in &self.common.asked.worlds()? {
            report
                .rows
                .extend(rows(&subject, &extractor, (*split, world), images, &bar)?);
        }
        bar.finish_and_clear();
        self.common.publish(&report)
    }
}
