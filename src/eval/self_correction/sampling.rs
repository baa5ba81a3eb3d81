//! Bit flips during sampling: bits of the early scales are flipped while an image is sampled, and all later bits are
//! conditioned on them. Measured is the distance to the image of the same seed without flips.

use super::distance::Tally;
use crate::data::Source;
use crate::eval::EvalError;
use crate::eval::measure::Mean;
use crate::eval::subject::Subject;
use crate::model::bits;
use crate::model::quantizer::Quantizer;
use crate::model::random::{self, Stream};
use crate::model::sampling::{Noise, Sampler, SamplingOptions, ScaleOutput};
use crate::model::schedule::Schedule;
use crate::model::self_correction::{draw_flips, flipped};
use crate::model::text_features::TextFeatures;
use crate::train::batch::Batches;
use burn::tensor::{Device, Int, Tensor, TensorData};
use indicatif::ProgressBar;
use serde::Serialize;

/// Images at once.
const BATCH: usize = 8;

/// The bits after the flipped scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LaterBits {
    /// Nothing is flipped.
    Unflipped,
    /// They are those of the unflipped image, which no transformer can know.
    Kept,
    /// The transformer samples them, with the noise of the unflipped image.
    Drawn,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecoveryRow {
    /// Whether the teacher-forced baseline samples; each network is compared to its own unflipped image.
    #[serde(rename = "twin")]
    pub baseline: bool,
    #[serde(rename = "answer")]
    pub later_bits: LaterBits,
    /// Probability of a flip, for every bit of the flipped scales.
    pub rate: f64,
    /// `|F - F_k| / |F|` for every scale k; `F` are the features of the unflipped image.
    pub errors: Vec<Mean>,
    /// PSNR in dB against the unflipped image; none for that image itself.
    pub psnr: Option<Mean>,
}

/// Errors of the model minus those of its baseline, image by image; below 0 the model recovers better.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedDifference {
    pub rate: f64,
    pub errors: Vec<Mean>,
    pub psnr: Mean,
}

/// Recovery from flips of a model and its baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// Number of scales, from the first, in which bits are flipped.
    pub flipped_scales: usize,
    pub rows: Vec<RecoveryRow>,
    /// Empty without a baseline.
    #[serde(rename = "leads")]
    pub differences: Vec<PairedDifference>,
}

/// Measures on the captions of `images` square scenes of `source`, at each of `rates`.
pub fn recovery(
    subject: &Subject,
    baseline: Option<&Subject>,
    (source, seed): (&dyn Source, u64),
    rates: &[f64],
    images: usize,
    bar: &ProgressBar,
) -> Result<Recovery, EvalError> {
    let measurement = Measurement {
        batches: Batches {
            source,
            size: BATCH.min(images),
            seed,
            scales: subject.scales,
            square_share: 1.0,
        },
        // The second half is left to later_bits.
        flipped_scales: subject.scales.div_ceil(2),
        rates,
        images,
    };
    let own = measurement.measure(subject, bar)?;
    let others = baseline
        .map(|baseline| measurement.measure(baseline, bar))
        .transpose()?;
    let mut rows: Vec<RecoveryRow> = own.iter().map(|run| run.row(false, images)).collect();
    rows.extend(others.iter().flatten().map(|run| run.row(true, images)));
    let pairs = own.iter().zip(others.iter().flatten());
    let differences = pairs.filter(|(own, _)| own.later_bits == LaterBits::Drawn);
    Ok(Recovery {
        flipped_scales: measurement.flipped_scales,
        rows,
        differences: differences.map(|(own, other)| own.difference(other, images)).collect(),
    })
}

/// The images to sample, and which bits to flip.
struct Measurement<'a> {
    batches: Batches<'a>,
    flipped_scales: usize,
    rates: &'a [f64],
    images: usize,
}

impl Measurement<'_> {
    fn measure(&self, subject: &Subject, bar: &ProgressBar) -> Result<Vec<Run>, EvalError> {
        let flips = self.rates.iter();
        let mut runs = vec![Run::new((LaterBits::Unflipped, 0.0))];
        runs.extend(flips.flat_map(|&rate| [(LaterBits::Kept, rate), (LaterBits::Drawn, rate)].map(Run::new)));
        let config = subject.transformer.config();
        let (d, patchify) = (config.bits, config.patchify);
        for step in 0..self.images.div_ceil(self.batches.size) {
            let batch = self.batches.get(step)?;
            let schedule = &batch.schedule;
            let text = subject.text(&batch.captions())?;
            let first = (step * self.batches.size) as u64;
            let clean = draw(subject, &text, schedule, first, Vec::new())?;
            let Some(target) = clean.last().map(|scale| scale.sum.clone()) else {
                continue;
            };
            let size = [target.dims()[2], target.dims()[3]];
            let picture = subject.vae.decode(target.clone());
            for run in &mut runs {
                let masks = self.masks(run.rate, first, schedule, d, &subject.device);
                let sums = match run.later_bits {
                    LaterBits::Unflipped => clean.iter().map(|scale| scale.sum.clone()).collect(),
                    LaterBits::Kept => {
                        let bits = clean.iter().zip(masks).zip(schedule.grids());
                        let bits: Vec<_> = bits
                            .map(|((scale, mask), &grid)| {
                                let bits = scale.bits.clone();
                                let bits = mask.map_or(bits.clone(), |mask| flipped(bits, mask));
                                bits::from_tokens(bits, grid, patchify)
                            })
                            .collect();
                        Quantizer::default().decode(&bits, (size[0], size[1]))
                    }
                    LaterBits::Drawn => {
                        let drawn = draw(subject, &text, schedule, first, masks)?;
                        bar.inc(batch.samples.len() as u64);
                        drawn.into_iter().map(|scale| scale.sum).collect()
                    }
                };
                run.add(subject, &target, &picture, &sums)?;
            }
            bar.inc(batch.samples.len() as u64);
        }
        Ok(runs)
    }

    /// Flips `[B, L_k, d]` of the early scales; those of an image depend on its number alone.
    fn masks(
        &self,
        rate: f64,
        first: u64,
        schedule: &Schedule,
        d: usize,
        device: &Device,
    ) -> Vec<Option<Tensor<3, Int>>> {
        let size = self.batches.size;
        let mask = |k: usize| {
            let count = schedule.tokens(k) * d;
            let of_image = |i| draw_flips(random::bits(self.batches.seed, Stream::FlipRate, i, 1), k, rate, count);
            let values: Vec<i32> = (first..first + size as u64).flat_map(of_image).collect();
            Tensor::from_data(TensorData::new(values, [size, schedule.tokens(k), d]), device)
        };
        (0..schedule.len())
            .map(|k| (rate > 0.0 && k < self.flipped_scales).then(|| mask(k)))
            .collect()
    }
}

/// All scales of a batch, drawn with the seeds `first + 1 ..`.
fn draw(
    subject: &Subject,
    text: &TextFeatures,
    schedule: &Schedule,
    first: u64,
    flips: Vec<Option<Tensor<3, Int>>>,
) -> Result<Vec<ScaleOutput>, EvalError> {
    let options = SamplingOptions {
        seed: first + 1,
        ..subject.sampling.clone()
    };
    let mut sampler = Sampler::new(&subject.transformer, text, None, schedule, options, Noise::Seeded)?;
    sampler.flip(flips);
    Ok(std::iter::from_fn(|| sampler.next_scale()).collect())
}

/// One kind of later bits at one rate.
struct Run {
    later_bits: LaterBits,
    rate: f64,
    tally: Tally,
}

impl Run {
    fn new((later_bits, rate): (LaterBits, f64)) -> Self {
        let tally = Tally::default();
        Self {
            later_bits,
            rate,
            tally,
        }
    }

    fn add(
        &mut self,
        subject: &Subject,
        target: &Tensor<4>,
        picture: &Tensor<4>,
        sums: &[Tensor<4>],
    ) -> Result<(), EvalError> {
        self.tally.add_sums(target, sums)?;
        match sums.last() {
            Some(last) if self.later_bits != LaterBits::Unflipped => {
                let image = subject.vae.decode(last.clone());
                self.tally.add_images(image, picture.clone())
            }
            _ => Ok(()),
        }
    }

    fn row(&self, baseline: bool, images: usize) -> RecoveryRow {
        RecoveryRow {
            baseline,
            later_bits: self.later_bits,
            rate: self.rate,
            errors: self.tally.errors(images),
            psnr: (self.later_bits != LaterBits::Unflipped).then(|| self.tally.psnr(images)),
        }
    }

    fn difference(&self, baseline: &Self, images: usize) -> PairedDifference {
        let (errors, psnr) = self.tally.minus(&baseline.tally, images);
        PairedDifference {
            rate: self.rate,
            errors,
            psnr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pictures::Pictures;
    use crate::eval::subject::tests::random;
    use image::RgbImage;

    /// Captions that the random model can read; it never looks at the pictures.
    fn source() -> Pictures {
        let captions = ["a red apple on a blue background", "a green car", "a blue car"];
        Pictures::new(captions.map(|caption| (RgbImage::new(8, 8), caption.into())).to_vec())
    }

    #[test]
    fn flips_leave_the_unflipped_image_and_a_baseline_is_compared_to_its_own() {
        let mut subject = random();
        subject.scales = 4;
        // Nine images: the second batch has more than are wanted.
        let source = source();
        let measured = recovery(
            &subject,
            Some(&subject),
            (&source, 3),
            &[0.3],
            9,
            &ProgressBar::hidden(),
        )
        .unwrap();
        assert_eq!((measured.flipped_scales, measured.rows.len()), (2, 6));
        let [unflipped, kept, drawn] = &measured.rows[..3] else {
            unreachable!()
        };
        let error = |row: &RecoveryRow, k: usize| row.errors[k].mean;
        assert_eq!((error(unflipped, 3), unflipped.psnr), (0.0, None));
        assert_eq!(
            kept.errors[0], drawn.errors[0],
            "nothing is sampled after the first scale yet"
        );
        assert_ne!(
            kept.errors[3], drawn.errors[3],
            "the transformer is conditioned on the flips"
        );
        assert!(error(kept, 3) > 0.05 && error(drawn, 3) > 0.05, "{measured:?}");
        assert_eq!(drawn.psnr.unwrap().of, 9);
        // As its own baseline, it recovers just as well.
        assert_eq!(measured.rows[5].errors, drawn.errors);
        assert!(
            measured.differences[0]
                .errors
                .iter()
                .all(|difference| difference.mean == 0.0)
        );
    }

    #[test]
    fn an_image_has_the_same_flips_in_every_batch() {
        let source = source();
        let schedule = random().schedule().unwrap();
        let masks = |size, first| {
            let measurement = Measurement {
                batches: Batches {
                    source: &source,
                    size,
                    seed: 5,
                    scales: schedule.len(),
                    square_share: 1.0,
                },
                flipped_scales: 1,
                rates: &[],
                images: 4,
            };
            measurement.masks(0.5, first, &schedule, 8, &Device::flex())
        };
        let (together, alone) = (masks(4, 0), masks(1, 2));
        assert!(together[1].is_none(), "a late scale is left alone");
        let row = together[0].clone().unwrap().narrow(0, 2, 1).into_data();
        assert_eq!(row, alone[0].clone().unwrap().into_data());
    }
}
