//! Self-correction, measured (Sec. 3.4): [`quantizer`] the error that bit flips leave in the running sums of a given
//! image, [`sampling`] how transformers recover from flips while they sample an image.

mod distance;
pub mod quantizer;
pub mod sampling;

use super::measure::{Mean, cell, table};
use super::subject::Subject;
use super::{EvalError, SEED};
use crate::data::Source;
use crate::model::self_correction::AblationArm;
use indicatif::ProgressBar;
use quantizer::CorrectionRow;
use sampling::{LaterBits, PairedDifference, Recovery, RecoveryRow, recovery};
use serde::Serialize;
use std::fmt;

/// Errors of bit flips in the quantizer and during sampling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorrectionReport {
    pub model: String,
    pub images: usize,
    pub rows: Vec<CorrectionRow>,
    pub recovery: Recovery,
}

/// Measures on `images` square scenes of `source` at each of `rates`, in the quantizer and during sampling by `subject`
/// and its teacher-forced baseline.
pub fn report(
    subject: &Subject,
    baseline: Option<&Subject>,
    source: &dyn Source,
    rates: &[f64],
    images: usize,
    bar: &ProgressBar,
) -> Result<CorrectionReport, EvalError> {
    Ok(CorrectionReport {
        model: subject.name.clone(),
        images,
        rows: quantizer::measure(subject, source, rates, images, bar)?,
        recovery: recovery(subject, baseline, (source, SEED), rates, images, bar)?,
    })
}

/// A line of either table.
fn cells(name: String, rate: f64, errors: &[Mean], psnr: Option<Mean>) -> Vec<String> {
    let mut cells = vec![name, format!("{:.0}", 100.0 * rate)];
    cells.extend(errors.iter().map(|error| format!("{error:.3}")));
    cells.push(cell(psnr.map(|psnr| format!("{psnr:.2}"))));
    cells
}

impl fmt::Display for CorrectionReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let scales = self.rows.first().map_or(0, |row| row.errors.len());
        let names: Vec<String> = (1..=scales).map(|k| format!("Scale {k}")).collect();
        let mut header = vec!["Bits", "Flipped, %"];
        header.extend(names.iter().map(String::as_str));
        header.push("PSNR, dB");
        let line = |row: &CorrectionRow| {
            let bits = match row.arm {
                AblationArm::Clean => "clean",
                AblationArm::Flipped => "flipped, old residuals",
                AblationArm::Requantized => "flipped, re-quantized",
            };
            cells(bits.to_string(), row.rate, &row.errors, Some(row.psnr))
        };
        let rows: Vec<_> = self.rows.iter().map(line).collect();
        writeln!(f, "{}", table(&header, 1, &rows))?;
        writeln!(
            f,
            "\n|F - F_k| / |F| after scale k over {} held-out images, with the 95 % interval of the mean.\n",
            self.images
        )?;
        let Recovery {
            flipped_scales,
            rows,
            differences,
        } = &self.recovery;
        let line = |row: &RecoveryRow| {
            let network = match row.baseline {
                true => "transformer, teacher forcing (baseline)",
                false if differences.is_empty() => "transformer",
                false => "transformer, self-corrected",
            };
            let later_bits = match row.later_bits {
                LaterBits::Unflipped => ": unflipped",
                LaterBits::Kept => ": later bits kept",
                LaterBits::Drawn => "",
            };
            cells(format!("{network}{later_bits}"), row.rate, &row.errors, row.psnr)
        };
        let mut lines: Vec<_> = rows.iter().map(line).collect();
        let difference = |difference: &PairedDifference| {
            let what = "self-corrected minus baseline".to_string();
            cells(what, difference.rate, &difference.errors, Some(difference.psnr))
        };
        lines.extend(differences.iter().map(difference));
        header[0] = "Sampled by";
        writeln!(f, "{}", table(&header, 1, &lines))?;
        write!(
            f,
            "\nThe same over images sampled from the captions of those scenes, each seed once with flips at the first \
             {flipped_scales} scales and once without: F and PSNR are against the network's own unflipped image. Later bits kept: \
             the bits after the flips are those of the unflipped image, which takes knowing that image; in the other rows the \
             transformer samples them, conditioned on the caption and the flipped scales alone."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::compose::EmojiWorld;
    use crate::data::heldout::Split;
    use crate::eval::subject::tests::random;

    #[test]
    fn requantizing_corrects_flips_and_old_residuals_do_not() {
        let mut subject = random();
        // The first four scales: two would leave nothing between the flips and the last scale.
        subject.scales = 4;
        let world = EmojiWorld::bundled(Split::HeldOut).unwrap();
        let report = report(&subject, None, &world, &[0.3], 9, &ProgressBar::hidden()).unwrap();
        let [clean, flipped, requantized] = &report.rows[..] else {
            panic!("{report:?}")
        };
        let last = |row: &CorrectionRow| row.errors[3].mean;
        assert_eq!((clean.errors.len(), clean.errors[0].of), (4, 9));
        assert!(last(requantized) < last(flipped), "{report}");
        // At the first scale both have the same flips and no later bits yet.
        assert_eq!(flipped.errors[0], requantized.errors[0]);
        assert_ne!(clean.errors[0], flipped.errors[0]);
        assert_eq!(report.recovery.rows.len(), 3);
        let text = report.to_string();
        assert!(text.contains("| transformer: later bits kept | 30 |"), "{text}");
    }
}
