//! What a flipped bit costs (Sec. 3.4): the distance of the running sums `F_k` from the features `F`, scale by scale,
//! of clean bits, of bits flipped while later residuals stay those of the clean image, and of flipped bits whose later
//! residuals are taken from the damaged sum; then, with [`recovery`], what transformers make of flips while they draw.

use super::measure::{Mean, cell, table};
use super::recovery::{Answer, Lead, Recovery, RecoveryRow, recovery};
use super::subject::Subject;
use super::{EvalError, SEED, read};
use crate::data::Source;
use crate::model::correction::{Treatment, correct, draw_flips};
use crate::model::quantizer::Quantizer;
use crate::model::random::{Stream, bits};
use crate::model::schedule::Grid;
use crate::train::batch::Batches;
use burn::tensor::{Device, Int, Tensor, TensorData};
use indicatif::ProgressBar;
use serde::Serialize;
use std::fmt;

/// Images at once.
const BATCH: usize = 8;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorrectionRow {
    pub treatment: Treatment,
    /// Probability of a flip, for every bit of every scale but the last, which none could correct.
    pub rate: f64,
    /// `|F - F_k| / |F|` for every scale k.
    pub errors: Vec<Mean>,
    /// PSNR in dB of the decoded picture against the image.
    pub psnr: Mean,
}

/// What flips cost a tokenizer, and what the transformer makes of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorrectionReport {
    pub model: String,
    pub images: usize,
    pub rows: Vec<CorrectionRow>,
    pub recovery: Recovery,
}

/// Measures on `images` square scenes of `source`, for clean bits and both treatments at each of `rates`, and for `subject`
/// and its twin as they draw.
pub fn report(
    subject: &Subject,
    twin: Option<&Subject>,
    source: &dyn Source,
    rates: &[f64],
    images: usize,
    bar: &ProgressBar,
) -> Result<CorrectionReport, EvalError> {
    let flipped = rates
        .iter()
        .flat_map(|&rate| [(Treatment::Flipped, rate), (Treatment::Requantised, rate)]);
    let mut tallies: Vec<Tally> = [(Treatment::Clean, 0.0)]
        .into_iter()
        .chain(flipped)
        .map(Tally::new)
        .collect();
    let batches = Batches {
        source,
        size: BATCH.min(images),
        seed: SEED,
        scales: subject.scales,
        square_share: 1.0,
    };
    for step in 0..images.div_ceil(batches.size) {
        let batch = batches.get(step)?;
        let pixels = batch.images(&subject.device);
        let features = subject.vae.encode(pixels.clone());
        let grids = batch.schedule.latent_grids(subject.transformer.config().patchify);
        for tally in &mut tallies {
            tally.add(subject, &pixels, &features, &grids, step as u64)?;
        }
        bar.inc(batch.samples.len() as u64);
    }
    Ok(CorrectionReport {
        model: subject.name.clone(),
        images,
        rows: tallies.into_iter().map(|tally| tally.row(images)).collect(),
        recovery: recovery(subject, twin, (source, SEED), rates, images, bar)?,
    })
}

/// Values of one image each.
struct Tally {
    treatment: Treatment,
    rate: f64,
    errors: Vec<Vec<f64>>,
    psnrs: Vec<f64>,
}

impl Tally {
    fn new((treatment, rate): (Treatment, f64)) -> Self {
        Self {
            treatment,
            rate,
            errors: Vec::new(),
            psnrs: Vec::new(),
        }
    }

    fn add(
        &mut self,
        subject: &Subject,
        pixels: &Tensor<4>,
        features: &Tensor<4>,
        grids: &[Grid],
        step: u64,
    ) -> Result<(), EvalError> {
        let [batch, d, _, _] = features.dims();
        // Both treatments flip the same bits.
        let seed = bits(SEED, Stream::FlipRate, step, 0);
        let masks = masks(self.rate, seed, grids, batch, d, &subject.device);
        let sums = correct(
            &Quantizer::default(),
            features.clone(),
            grids,
            &masks,
            self.treatment.flips(),
        )
        .sums;
        self.errors.resize(grids.len(), Vec::new());
        for (errors, found) in self.errors.iter_mut().zip(deviations(features, &sums)?) {
            errors.extend(found);
        }
        let rebuilt = subject.vae.decode(sums[sums.len() - 1].clone());
        self.psnrs.extend(psnrs(rebuilt, pixels.clone())?);
        Ok(())
    }

    /// Over the first `images`; the last batch may have brought more.
    fn row(self, images: usize) -> CorrectionRow {
        CorrectionRow {
            treatment: self.treatment,
            rate: self.rate,
            errors: self.errors.iter().map(|errors| Mean::of(&errors[..images])).collect(),
            psnr: Mean::of(&self.psnrs[..images]),
        }
    }
}

/// `|F - F_k| / |F|` of every sum and sample.
pub(super) fn deviations(features: &Tensor<4>, sums: &[Tensor<4>]) -> Result<Vec<Vec<f64>>, EvalError> {
    let lengths = read(squares(features.clone()))?;
    let relative = |(error, length): (&f32, &f32)| f64::from(error / length.max(f32::MIN_POSITIVE)).sqrt();
    let of_sum = |sum: &Tensor<4>| {
        let distances = read(squares(features.clone() - sum.clone()))?;
        Ok(distances.iter().zip(&lengths).map(relative).collect())
    };
    sums.iter().map(of_sum).collect()
}

/// PSNR in dB of every sample; values lie in [-1, 1], a range of 2.
pub(super) fn psnrs(images: Tensor<4>, others: Tensor<4>) -> Result<Vec<f64>, EvalError> {
    let values = images.dims().iter().skip(1).product::<usize>() as f64;
    let errors = read(squares(images - others))?;
    let psnr = |&sum: &f32| 10.0 * (4.0 * values / f64::from(sum)).log10();
    Ok(errors.iter().map(psnr).collect())
}

/// Sum of squares of every sample: `[B]`.
fn squares(x: Tensor<4>) -> Tensor<1> {
    x.square().flatten::<2>(1, 3).sum_dim(1).squeeze_dim(1)
}

/// Masks `[B, h_k, w_k, d]` of independent flips, none at the last scale.
fn masks(rate: f64, seed: u64, grids: &[Grid], batch: usize, d: usize, device: &Device) -> Vec<Option<Tensor<4, Int>>> {
    let mask = |(k, &(h, w)): (usize, &Grid)| {
        let values = draw_flips(seed, k, rate, batch * h * w * d);
        (k + 1 < grids.len()).then(|| Tensor::from_data(TensorData::new(values, [batch, h, w, d]), device))
    };
    grids.iter().enumerate().map(mask).collect()
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
            let bits = match row.treatment {
                Treatment::Clean => "clean",
                Treatment::Flipped => "flipped, old residuals",
                Treatment::Requantised => "flipped, re-quantised",
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
            leads,
        } = &self.recovery;
        let line = |row: &RecoveryRow| {
            let network = match row.twin {
                true => "transformer, teacher forcing (twin)",
                false if leads.is_empty() => "transformer",
                false => "transformer, self-corrected",
            };
            let answer = match row.answer {
                Answer::Unflipped => ": unflipped",
                Answer::Kept => ": later bits kept",
                Answer::Drawn => "",
            };
            cells(format!("{network}{answer}"), row.rate, &row.errors, row.psnr)
        };
        let mut lines: Vec<_> = rows.iter().map(line).collect();
        let lead = |lead: &Lead| {
            let what = "self-corrected less twin".to_string();
            cells(what, lead.rate, &lead.errors, Some(lead.psnr))
        };
        lines.extend(leads.iter().map(lead));
        header[0] = "Drawn by";
        writeln!(f, "{}", table(&header, 1, &lines))?;
        write!(
            f,
            "\nThe same over images drawn from the captions of those scenes, each seed once with flips at the first \
             {flipped_scales} scales and once without: F and PSNR are against the network's own unflipped image. Later bits kept: \
             those of the unflipped image follow the flips, which takes knowing that image; in the other rows the transformer \
             draws them, and knows only the caption and the damage."
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
    fn requantising_undoes_damage_and_old_residuals_do_not() {
        let mut subject = random();
        // The first four scales: two would leave nothing between the flips and the last scale.
        subject.scales = 4;
        let world = EmojiWorld::bundled(Split::HeldOut).unwrap();
        let report = report(&subject, None, &world, &[0.3], 9, &ProgressBar::hidden()).unwrap();
        let [clean, flipped, requantised] = &report.rows[..] else {
            panic!("{report:?}")
        };
        let last = |row: &CorrectionRow| row.errors[3].mean;
        assert_eq!((clean.errors.len(), clean.errors[0].of), (4, 9));
        assert!(last(requantised) < last(flipped), "{report}");
        // Before the first flip is answered, both have the same sum.
        assert_eq!(flipped.errors[0], requantised.errors[0]);
        assert_ne!(clean.errors[0], flipped.errors[0]);
        assert_eq!(report.recovery.rows.len(), 3);
        let text = report.to_string();
        assert!(text.contains("| transformer: later bits kept | 30 |"), "{text}");
    }

    #[test]
    fn the_last_scale_is_not_flipped() {
        let masks = masks(1.0, 1, &[(1, 1), (2, 2)], 1, 3, &Device::flex());
        assert!(masks[1].is_none());
        assert_eq!(read(masks[0].clone().unwrap().float()).unwrap(), [1.0; 3]);
    }
}
