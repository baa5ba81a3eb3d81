//! `infinity eval bits`.

use super::{Common, progress};
use crate::cli::CliError;
use crate::eval::bits::{BitsReport, rows};
use clap::Args;

/// Validation loss and bit accuracy per scale, teacher-forced.
#[derive(Args, Debug)]
pub(super) struct EvalBits {
    #[command(flatten)]
    common: Common,
    /// Scenes of each side of the split
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(2..))]
    images: u32,
}

impl EvalBits {
    pub(super) fn run(self) -> Result<(), CliError> {
        let subject = self.common.subject()?;
        let images = self.images as usize;
        let bar = progress("foretelling bits", 2 * images);
        let mut report = BitsReport {
            model: subject.name.clone(),
            images,
            rows: Vec::new(),
        };
        for (split, world) in &self.common.asked.worlds()? {
            report.rows.extend(rows(&subject, (*split, world), images, &bar)?);
        }
        bar.finish_and_clear();
        self.common.publish(&report)
    }
}
