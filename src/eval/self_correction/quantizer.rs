//! Bit flips in the quantizer: the distance of the running sums `F_k` from the features `F` for each ablation arm.

use super::distance::Tally;
use crate::data::Source;
use crate::eval::measure::Mean;
use crate::eval::subject::Subject;
use crate::eval::{EvalError, SEED};
use crate::model::quantizer::Quantizer;
use crate::model::random::{Stream, bits};
use crate::model::schedule::Grid;
use crate::model::self_correction::{AblationArm, correct, draw_flips};
use crate::train::batch::Batches;
use burn::tensor::{Device, Int, Tensor, TensorData};
use indicatif::ProgressBar;
use serde::Serialize;

/// Images at once.
const BATCH: usize = 8;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorrectionRow {
    #[serde(rename = "treatment")]
    pub arm: AblationArm,
    /// Probability of a flip, for every bit of every scale but the last, which none could correct.
    pub rate: f64,
    /// `|F - F_k| / |F|` for every scale k.
    pub errors: Vec<Mean>,
    /// PSNR in dB of the decoded picture against the image.
    pub psnr: Mean,
}

/// Measures on `images` square scenes of `source`, for clean bits and both kinds of flips at each of `rates`.
pub(super) fn measure(
    subject: &Subject,
    source: &dyn Source,
    rates: &[f64],
    images: usize,
    bar: &ProgressBar,
) -> Result<Vec<CorrectionRow>, EvalError> {
    let flipped = rates
        .iter()
        .flat_map(|&rate| [(AblationArm::Flipped, rate), (AblationArm::Requantized, rate)]);
    let mut arms: Vec<Arm> = [(AblationArm::Clean, 0.0)]
        .into_iter()
        .chain(flipped)
        .map(Arm::new)
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
        for arm in &mut arms {
            arm.add(subject, &pixels, &features, &grids, step as u64)?;
        }
        bar.inc(batch.samples.len() as u64);
    }
    Ok(arms.into_iter().map(|arm| arm.row(images)).collect())
}

/// One arm at one rate.
struct Arm {
    arm: AblationArm,
    rate: f64,
    tally: Tally,
}

impl Arm {
    fn new((arm, rate): (AblationArm, f64)) -> Self {
        let tally = Tally::default();
        Self { arm, rate, tally }
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
        // All arms flip the same bits.
        let seed = bits(SEED, Stream::FlipRate, step, 0);
        let masks = masks(self.rate, seed, grids, batch, d, &subject.device);
        let sums = correct(
            &Quantizer::default(),
            features.clone(),
            grids,
            &masks,
            self.arm.targets(),
        )
        .sums;
        self.tally.add_sums(features, &sums)?;
        let rebuilt = subject.vae.decode(sums[sums.len() - 1].clone());
        self.tally.add_images(rebuilt, pixels.clone())
    }

    fn row(self, images: usize) -> CorrectionRow {
        CorrectionRow {
            arm: self.arm,
            rate: self.rate,
            errors: self.tally.errors(images),
            psnr: self.tally.psnr(images),
        }
    }
}

/// Masks `[B, h_k, w_k, d]` of independent flips, none at the last scale.
fn masks(rate: f64, seed: u64, grids: &[Grid], batch: usize, d: usize, device: &Device) -> Vec<Option<Tensor<4, Int>>> {
    let mask = |(k, &(h, w)): (usize, &Grid)| {
        let values = draw_flips(seed, k, rate, batch * h * w * d);
        (k + 1 < grids.len()).then(|| Tensor::from_data(TensorData::new(values, [batch, h, w, d]), device))
    };
    grids.iter().enumerate().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::read;

    #[test]
    fn the_last_scale_is_not_flipped() {
        let masks = masks(1.0, 1, &[(1, 1), (2, 2)], 1, 3, &Device::flex());
        assert!(masks[1].is_none());
        assert_eq!(read(masks[0].clone().unwrap().float()).unwrap(), [1.0; 3]);
    }
}
