//! Does a model draw, or does it recall? The distance of what it drew to the nearest training render.
//!
//! Training renders are drawn anew without end, so the check is against a pool of them: random ones, and several of
//! each seen prompt. The yardstick are fresh real renders of the same prompts. They are no copies, so a model that
//! draws pictures closer to the pool than nearly all of them are has learned pictures by heart.

use super::features::{Extractor, cosine};
use super::judge::Judge;
use super::measure::{Mean, table};
use super::prompts::Question;
use super::report::{Pictures, percent, side};
use super::score::Rate;
use super::similarity::psnr;
use super::{EvalError, SEED};
use crate::data::Source;
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::data::rng::Rng;
use image::RgbImage;
use serde::Serialize;
use std::fmt;

/// Renders of each seen prompt in the pool.
const RENDERS: u64 = 4;
/// A real render in so many is nearer to the pool than what is called too near.
const ONE_IN: usize = 100;

/// Training renders with their features.
pub struct Pool {
    images: Vec<RgbImage>,
    features: Vec<Vec<f32>>,
}

impl Pool {
    /// `count` random training renders and some of each of `seen`, all of `[height, width]` pixels.
    pub fn new(
        world: &EmojiWorld,
        seen: &[Question],
        count: usize,
        [height, width]: [usize; 2],
        extractor: &Extractor,
    ) -> Result<Self, EvalError> {
        let mut images = Vec::new();
        for index in 0..count as u64 {
            images.push(world.sample(SEED, index, height, width)?.image);
        }
        for (index, question) in seen.iter().enumerate() {
            for render in 0..RENDERS {
                let rng = &mut Rng::new(SEED + 1 + render, index as u64);
                images.push(world.draw(&question.scene, [height, width], rng)?.0);
            }
        }
        let features = extractor.features(&images)?;
        Ok(Self { images, features })
    }

    /// Of each image the distance `1 - cos` to the nearest features of the pool, and the best PSNR with any of it.
    fn nearest(&self, images: &[RgbImage], extractor: &Extractor) -> Result<Vec<Nearest>, EvalError> {
        let mut found = Vec::with_capacity(images.len());
        for (image, row) in images.iter().zip(extractor.features(images)?) {
            let closest = self
                .features
                .iter()
                .map(|other| cosine(other, &row))
                .fold(-1.0, f32::max);
            let mut best = f64::NEG_INFINITY;
            for other in &self.images {
                best = best.max(psnr(image, other)?);
            }
            found.push(Nearest {
                distance: f64::from(1.0 - closest),
                psnr: best,
            });
        }
        Ok(found)
    }
}

#[derive(Clone, Copy)]
struct Nearest {
    distance: f64,
    psnr: f64,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CopiesRow {
    pub split: Split,
    /// The model's, or fresh real renders of the same prompts.
    pub pictures: Pictures,
    /// `1 - cos` of features to the nearest render of the pool.
    pub distance: Mean,
    /// Best PSNR in dB with any render of the pool.
    pub psnr: Mean,
    /// Pictures nearer to the pool than 99 % of the real renders are.
    pub too_near: Rate,
}

/// The check for one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CopiesReport {
    pub model: String,
    /// Training renders compared with.
    pub pool: usize,
    pub rows: Vec<CopiesRow>,
}

impl CopiesReport {
    pub fn new(model: String, pool: &Pool) -> Self {
        Self {
            model,
            pool: pool.images.len(),
            rows: Vec::new(),
        }
    }

    /// Adds the rows of one side of the split: pictures of `questions`, `drawn[i]` those of the i-th.
    pub fn add(
        &mut self,
        (split, questions): (Split, &[Question]),
        drawn: &[Vec<RgbImage>],
        pool: &Pool,
        world: &EmojiWorld,
        judge: &Judge,
    ) -> Result<(), EvalError> {
        let mut real = Vec::new();
        for (index, (question, images)) in questions.iter().zip(drawn).enumerate() {
            for (seed, image) in images.iter().enumerate() {
                let size = [image.height() as usize, image.width() as usize];
                let rng = &mut Rng::new(SEED - 1 - seed as u64, index as u64);
                real.push(world.draw(&question.scene, size, rng)?.0);
            }
        }
        let real = pool.nearest(&real, judge.extractor)?;
        let model = pool.nearest(&drawn.concat(), judge.extractor)?;
        let mut distances: Vec<f64> = real.iter().map(|nearest| nearest.distance).collect();
        distances.sort_by(f64::total_cmp);
        let threshold = distances.get(distances.len() / ONE_IN).copied().unwrap_or_default();
        for (pictures, nearest) in [(Pictures::Model, model), (Pictures::Real, real)] {
            let all = |value: fn(&Nearest) -> f64| Mean::of(&nearest.iter().map(value).collect::<Vec<_>>());
            self.rows.push(CopiesRow {
                split,
                pictures,
                distance: all(|nearest| nearest.distance),
                psnr: all(|nearest| nearest.psnr),
                too_near: Rate {
                    right: nearest.iter().filter(|nearest| nearest.distance < threshold).count(),
                    of: nearest.len(),
                },
            });
        }
        Ok(())
    }
}

impl fmt::Display for CopiesReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let line = |row: &CopiesRow| {
            let pictures = match row.pictures {
                Pictures::Model => self.model.clone(),
                _ => "fresh real renders".to_string(),
            };
            vec![
                side(row.split).to_string(),
                pictures,
                format!("{:.4}", row.distance),
                format!("{:.2}", row.psnr),
                percent(row.too_near),
            ]
        };
        let rows: Vec<_> = self.rows.iter().map(line).collect();
        let header = ["Prompts", "Pictures", "Feature distance", "PSNR, dB", "Too near, %"];
        writeln!(f, "{}", table(&header, 2, &rows))?;
        write!(
            f,
            "\nTo the nearest of {} training renders, with 95 % intervals. \
             Too near: nearer than 99 % of the fresh renders.",
            self.pool
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::oracle::Oracle;
    use crate::eval::features;
    use crate::eval::identity::Prototypes;
    use crate::eval::prompts::{Task, questions};
    use indicatif::ProgressBar;

    #[test]
    fn copies_are_found_out() {
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let mut bank = world.bank().clone();
        bank.subjects.truncate(4);
        let (extractor, folder) = (features::tests::random(), tempfile::tempdir().unwrap());
        let prototypes = Prototypes::new(&bank, &extractor, folder.path(), &ProgressBar::hidden()).unwrap();
        let oracle = Oracle::new(&bank);
        let judge = Judge {
            extractor: &extractor,
            prototypes: &prototypes,
            oracle: &oracle,
        };
        let asked = questions(&world, Task::Colours, Split::Train, 6);
        let pool = Pool::new(&world, &asked, 5, [48, 48], &extractor).unwrap();
        assert_eq!(pool.images.len(), 5 + 6 * RENDERS as usize);
        // One that recalls renders of the pool, and one that draws anew.
        let recalled: Vec<Vec<RgbImage>> = pool.images[5..11].iter().map(|image| vec![image.clone()]).collect();
        let fresh: Vec<Vec<RgbImage>> = (asked.iter().enumerate())
            .map(|(i, question)| {
                vec![
                    world
                        .draw(&question.scene, [48, 48], &mut Rng::new(99, i as u64))
                        .unwrap()
                        .0,
                ]
            })
            .collect();
        let mut report = CopiesReport::new("recall".into(), &pool);
        for drawn in [&recalled, &fresh] {
            report
                .add((Split::Train, &asked), drawn, &pool, &world, &judge)
                .unwrap();
        }
        let [copies, real, anew, _] = &report.rows[..] else {
            panic!("{report}")
        };
        assert!(
            copies.distance.mean < 1e-5 && copies.psnr.mean == f64::INFINITY,
            "{report}"
        );
        assert_eq!((copies.too_near.right, real.too_near.right), (6, 0));
        assert!(anew.distance.mean > 1e-4, "{report}");
    }
}
