//! How well images survive as bits: PSNR, SSIM and FD-EffLite0 of reconstructions.

use super::features::Extractor;
use super::frechet::Gaussian;
use super::measure::{Mean, cell, table};
use super::report::{Pictures, side};
use super::similarity::{psnr, ssim};
use super::subject::Subject;
use super::{EvalError, SEED};
use crate::data::Source;
use crate::data::heldout::Split;
use crate::train::batch::Batches;
use image::RgbImage;
use indicatif::ProgressBar;
use serde::Serialize;
use std::fmt;

/// Images at once.
const BATCH: usize = 8;

/// One line of the table, over the originals of one split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenizerRow {
    pub split: Split,
    /// The model's reconstructions; other real scenes (what the distance is at best); originals beside the one after
    /// them (what similarity chance gives).
    pub pictures: Pictures,
    pub psnr: Option<Mean>,
    pub ssim: Option<Mean>,
    pub fd_efflite0: Option<f64>,
}

/// Scores of a tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenizerReport {
    pub model: String,
    pub images: usize,
    pub rows: Vec<TokenizerRow>,
}

/// Reconstructs `images` square scenes of `source`, which shows the combinations of `split`.
pub fn rows(
    subject: &Subject,
    extractor: &Extractor,
    (split, source): (Split, &dyn Source),
    images: usize,
    bar: &ProgressBar,
) -> Result<[TokenizerRow; 3], EvalError> {
    let (mut originals, mut rebuilt) = (Vec::new(), Vec::new());
    let mut others = Vec::new();
    let batches = |seed| Batches {
        source,
        size: BATCH,
        seed,
        scales: subject.scales,
        square_share: 1.0,
    };
    for step in 0..images.div_ceil(BATCH) {
        let batch = batches(SEED).get(step)?;
        rebuilt.extend(subject.rebuild(batch.images(&subject.device))?);
        originals.extend(batch.samples.into_iter().map(|sample| sample.image));
        others.extend(
            batches(SEED + 1)
                .get(step)?
                .samples
                .into_iter()
                .map(|sample| sample.image),
        );
        bar.inc(BATCH as u64);
    }
    for pictures in [&mut originals, &mut rebuilt, &mut others] {
        pictures.truncate(images);
    }
    let truth = Gaussian::of(&extractor.features(&originals)?)?;
    let distance = |pictures: &[RgbImage]| truth.distance(&Gaussian::of(&extractor.features(pictures)?)?);
    let similarity = |pairs: &dyn Fn(usize) -> (usize, bool)| -> Result<(Mean, Mean), EvalError> {
        let (mut ratios, mut structures) = (Vec::new(), Vec::new());
        for (i, original) in originals.iter().enumerate() {
            let (other, own) = pairs(i);
            let other = if own { &rebuilt[other] } else { &originals[other] };
            ratios.push(psnr(original, other)?);
            structures.push(ssim(original, other)?);
        }
        Ok((Mean::of(&ratios), Mean::of(&structures)))
    };
    let row = |pictures, similarity: Option<(Mean, Mean)>, fd_efflite0| TokenizerRow {
        split,
        pictures,
        psnr: similarity.map(|(psnr, _)| psnr),
        ssim: similarity.map(|(_, ssim)| ssim),
        fd_efflite0,
    };
    Ok([
        row(
            Pictures::Rebuilt,
            Some(similarity(&|i| (i, true))?),
            Some(distance(&rebuilt)?),
        ),
        row(Pictures::Real, None, Some(distance(&others)?)),
        row(
            Pictures::Shuffled,
            Some(similarity(&|i| ((i + 1) % images, false))?),
            None,
        ),
    ])
}

impl fmt::Display for TokenizerReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let line = |row: &TokenizerRow| {
            let pictures = match row.pictures {
                Pictures::Model | Pictures::Rebuilt => format!("{}, reconstructed", self.model),
                Pictures::Real => "other real scenes (ceiling)".to_string(),
                Pictures::Shuffled => "the next scene (floor)".to_string(),
            };
            vec![
                side(row.split).to_string(),
                pictures,
                cell(row.psnr.map(|value| format!("{value:.2}"))),
                cell(row.ssim.map(|value| format!("{value:.4}"))),
                cell(row.fd_efflite0.map(|value| format!("{value:.2}"))),
            ]
        };
        let rows: Vec<_> = self.rows.iter().map(line).collect();
        let header = ["Scenes", "Pictures", "PSNR, dB", "SSIM", "FD-EffLite0"];
        writeln!(f, "{}", table(&header, 2, &rows))?;
        write!(
            f,
            "\n{} images each, with the 95 % interval of the mean. \
             FD-EffLite0 compares only at equal numbers of images.",
            self.images
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::compose::EmojiWorld;
    use crate::eval::{features, subject};

    #[test]
    fn reconstructions_stand_between_ceiling_and_floor() {
        let world = EmojiWorld::bundled(Split::HeldOut).unwrap();
        let (subject, extractor) = (subject::tests::random(), features::tests::random());
        let bar = ProgressBar::hidden();
        let rows = rows(&subject, &extractor, (Split::HeldOut, &world), 9, &bar).unwrap();
        let [model, real, shuffled] = &rows;
        assert_eq!([model, shuffled].map(|row| row.psnr.unwrap().of), [9, 9]);
        assert!(real.fd_efflite0.unwrap() < model.fd_efflite0.unwrap(), "{rows:?}");
        assert!(real.psnr.is_none() && shuffled.fd_efflite0.is_none());
        let report = TokenizerReport {
            model: "random".into(),
            images: 9,
            rows: rows.to_vec(),
        };
        let table = report.to_string();
        assert!(
            table.lines().take(5).all(|line| line.matches('|').count() == 6),
            "{table}"
        );
    }
}
