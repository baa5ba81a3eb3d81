//! How well the next scale's bits are foretold: validation loss and bit accuracy, teacher-forced.

use super::measure::{Mean, cell, table};
use super::report::{Pictures, side};
use super::subject::Subject;
use super::{EvalError, SEED, read};
use crate::data::Source;
use crate::data::heldout::Split;
use crate::model::config::Classifier;
use crate::model::self_correction::Targets;
use crate::model::transformer::{Loss, bit_accuracy};
use crate::train::batch::Batches;
use crate::train::transformer::{Example, forward};
use indicatif::ProgressBar;
use serde::Serialize;
use std::fmt;

/// Images at once.
const BATCH: usize = 8;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BitsRow {
    pub split: Split,
    /// The images' own captions, or each the one of the next image: what the text is worth.
    pub captions: Pictures,
    /// Cross entropy in nats per bit, tokens weighted alike; chance is ln 2 = 0.693.
    pub loss: Mean,
    /// Share of bits whose likelier value is the right one; chance is one half.
    pub accuracy: Mean,
    /// The same for every scale.
    pub scales: Vec<Mean>,
}

/// Validation of a transformer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BitsReport {
    pub model: String,
    pub images: usize,
    pub rows: Vec<BitsRow>,
}

/// Loss and accuracy on `images` square scenes of `source`, which shows the combinations of `split`.
pub fn rows(
    subject: &Subject,
    (split, source): (Split, &dyn Source),
    images: usize,
    bar: &ProgressBar,
) -> Result<[BitsRow; 2], EvalError> {
    let batches = Batches {
        source,
        size: BATCH.min(images),
        seed: SEED,
        scales: subject.scales,
        square_share: 1.0,
    };
    let mut tallies = [Pictures::Model, Pictures::Shuffled].map(|captions| (captions, Tally::default()));
    for step in 0..images.div_ceil(batches.size) {
        let batch = batches.get(step)?;
        let captions = batch.captions();
        let patch = subject.transformer.config().patchify;
        let features = subject.vae.encode(batch.images(&subject.device));
        let example = Example::new(features, &batch.schedule, patch, &[], Targets::Requantized);
        for (kind, tally) in &mut tallies {
            let shift = usize::from(*kind == Pictures::Shuffled);
            let captions: Vec<&str> = (0..captions.len())
                .map(|i| captions[(i + shift) % captions.len()])
                .collect();
            tally.add(subject, &captions, &example, &batch.schedule)?;
        }
        bar.inc(captions.len() as u64);
    }
    Ok(tallies.map(|(captions, tally)| tally.row(split, captions, images)))
}

/// Values of one image each.
#[derive(Default)]
struct Tally {
    losses: Vec<f64>,
    accuracies: Vec<f64>,
    scales: Vec<Vec<f64>>,
}

impl Tally {
    fn add(
        &mut self,
        subject: &Subject,
        captions: &[&str],
        example: &Example,
        schedule: &crate::model::schedule::Schedule,
    ) -> Result<(), EvalError> {
        let text = subject.text(captions)?;
        let dropped = vec![false; captions.len()];
        let out = forward(
            &subject.transformer,
            text,
            &dropped,
            example,
            schedule,
            &Loss::default(),
        )?;
        let config = subject.transformer.config();
        // One class of a conventional classifier speaks for all bits of its token.
        let bits = match config.classifier {
            Classifier::Bits => 1.0,
            Classifier::Conventional => config.bits as f64,
        };
        let per_token = read(out.per_token)?;
        let right = read(bit_accuracy(out.logits, example.targets.clone(), config.classifier))?;
        let tokens = schedule.total();
        let mean = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        self.scales.resize(schedule.len(), Vec::new());
        for (loss, right) in per_token.chunks(tokens).zip(right.chunks(tokens)) {
            self.losses.push(mean(loss) / bits);
            self.accuracies.push(mean(right));
            for (k, scale) in self.scales.iter_mut().enumerate() {
                scale.push(mean(&right[schedule.offset(k)..][..schedule.tokens(k)]));
            }
        }
        Ok(())
    }

    /// Over the first `images`; a batch may have brought more.
    fn row(self, split: Split, captions: Pictures, images: usize) -> BitsRow {
        let mean = |values: &Vec<f64>| Mean::of(&values[..images]);
        BitsRow {
            split,
            captions,
            loss: mean(&self.losses),
            accuracy: mean(&self.accuracies),
            scales: self.scales.iter().map(mean).collect(),
        }
    }
}

impl fmt::Display for BitsReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let scales = self.rows.first().map_or(0, |row| row.scales.len());
        let names: Vec<String> = (1..=scales).map(|k| format!("Scale {k}, %")).collect();
        let mut header = vec!["Scenes", "Captions", "Loss, nats a bit", "Bits right, %"];
        header.extend(names.iter().map(String::as_str));
        let percent = |value: &Mean| {
            let [low, high] = value.interval95;
            let scaled = Mean {
                mean: 100.0 * value.mean,
                interval95: [100.0 * low, 100.0 * high],
                of: value.of,
            };
            cell(Some(format!("{scaled:.1}")))
        };
        let line = |row: &BitsRow| {
            let captions = match row.captions {
                Pictures::Shuffled => "shuffled (floor)",
                _ => "own",
            };
            let mut cells = vec![side(row.split).into(), captions.into(), format!("{:.4}", row.loss)];
            cells.push(percent(&row.accuracy));
            cells.extend(row.scales.iter().map(percent));
            cells
        };
        let rows: Vec<_> = self.rows.iter().map(line).collect();
        writeln!(f, "{}", table(&header, 2, &rows))?;
        write!(
            f,
            "\n{} images each, with the 95 % interval of the mean. Chance: loss 0.6931, half of the bits.",
            self.images
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataError, Sample};
    use crate::eval::subject::tests::random_with;
    use image::{Rgb, RgbImage};

    /// Stripes under captions of known words.
    struct Stripes;

    impl Source for Stripes {
        fn sample(&self, _: u64, index: u64, height: usize, width: usize) -> Result<Sample, DataError> {
            let shade = |x: u32| (x * 8 + index as u32 * 20) as u8;
            Ok(Sample {
                image: RgbImage::from_fn(width as u32, height as u32, |x, y| Rgb([shade(x), shade(y), 70])),
                caption: ["a red apple", "a green car"][index as usize % 2].to_string(),
                truth: None,
            })
        }

        fn captions(&self) -> Result<Vec<String>, DataError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn an_untrained_model_is_at_chance_whatever_it_hears() {
        for classifier in [Classifier::Bits, Classifier::Conventional] {
            at_chance(random_with(classifier));
        }
    }

    fn at_chance(subject: Subject) {
        let rows = rows(&subject, (Split::HeldOut, &Stripes), 11, &ProgressBar::hidden()).unwrap();
        for row in &rows {
            assert!((row.loss.mean - std::f64::consts::LN_2).abs() < 0.02, "{row:?}");
            assert!(
                (row.accuracy.mean - 0.5).abs() < 0.2 && row.accuracy.of == 11,
                "{row:?}"
            );
            assert_eq!(row.scales.len(), 2);
        }
        assert_ne!(rows[0].loss, rows[1].loss, "the caption matters");
        let report = BitsReport {
            model: subject.name,
            images: 11,
            rows: rows.to_vec(),
        };
        let table = report.to_string();
        assert!(
            table.lines().take(4).all(|line| line.matches('|').count() == 7),
            "{table}"
        );
    }

    #[test]
    fn the_mean_over_tokens_is_the_mean_over_scales_by_their_size() {
        let subject = random_with(Classifier::Bits);
        let [row, _] = rows(&subject, (Split::Train, &Stripes), 4, &ProgressBar::hidden()).unwrap();
        let schedule = subject.schedule().unwrap();
        let weighted: f64 = (0..2).map(|k| schedule.tokens(k) as f64 * row.scales[k].mean).sum();
        assert!((weighted / schedule.total() as f64 - row.accuracy.mean).abs() < 1e-9);
    }
}
