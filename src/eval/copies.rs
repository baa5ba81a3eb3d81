//! Does a model draw, or does it recall? The distance of what it drew to the nearest training render.
//!
//! Training renders are drawn anew without end, so the check is against a pool of them: random ones, and several of
//! each seen prompt. The yardstick are real renders of held-out prompts. They are no copies, so a model that draws
//! held-out prompts closer to the pool than nearly all of them are overfits. For seen prompts fresh renders stand
//! beside the model's pictures: where a scene has only one render, that is the training render itself.

use super::features::{Extractor, cosine};
use super::judge::Judge;
use super::measure::{Mean, table};
use super::prompts::Question;
use super::report::{INTERVAL, Pictures, percent, side};
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
/// A real render of a held-out prompt in so many is nearer to the pool than what is called too near.
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

    /// The distance to the pool that 99 % of fresh real renders of `questions`, prompts held out of training, exceed.
    pub fn threshold(
        &self,
        (questions, seeds): (&[Question], u64),
        world: &EmojiWorld,
        extractor: &Extractor,
    ) -> Result<f64, EvalError> {
        let Some(image) = self.images.first() else {
            return Ok(0.0);
        };
        let size = [image.height() as usize, image.width() as usize];
        let real = self.nearest(&fresh(questions, seeds, world, size)?, extractor)?;
        let mut distances: Vec<f64> = real.iter().map(|nearest| nearest.distance).collect();
        distances.sort_by(f64::total_cmp);
        Ok(distances.get(distances.len() / ONE_IN).copied().unwrap_or_default())
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
    /// Pictures nearer to the pool than 99 % of the real renders of held-out prompts are.
    pub too_near: Rate,
}

/// The check for one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CopiesReport {
    pub model: String,
    /// Training renders compared with.
    pub pool: usize,
    /// Distance below which a picture is too near.
    pub threshold: f64,
    pub rows: Vec<CopiesRow>,
}

impl CopiesReport {
    /// `threshold` is the pool's.
    pub fn new(model: String, pool: &Pool, threshold: f64) -> Self {
        Self {
            model,
            pool: pool.images.len(),
            threshold,
            rows: Vec::new(),
        }
    }

    /// Adds the rows of one side of the split: pictures of `questions`, `drawn[i]` those of the i-th, equally many of
    /// each.
    pub fn add(
        &mut self,
        (split, questions): (Split, &[Question]),
        drawn: &[Vec<RgbImage>],
        pool: &Pool,
        world: &EmojiWorld,
        judge: &Judge,
    ) -> Result<(), EvalError> {
        let images = drawn.concat();
        let Some(image) = images.first() else { return Ok(()) };
        let size = [image.height() as usize, image.width() as usize];
        let seeds = (images.len() / questions.len()) as u64;
        let real = pool.nearest(&fresh(questions, seeds, world, size)?, judge.extractor)?;
        let model = pool.nearest(&images, judge.extractor)?;
        for (pictures, nearest) in [(Pictures::Model, model), (Pictures::Real, real)] {
            let all = |value: fn(&Nearest) -> f64| Mean::of(&nearest.iter().map(value).collect::<Vec<_>>());
            self.rows.push(CopiesRow {
                split,
                pictures,
                distance: all(|nearest| nearest.distance),
                psnr: all(|nearest| nearest.psnr),
                too_near: (nearest.iter().enumerate())
                    .map(|(i, nearest)| {
                        let prompt = questions[i / seeds as usize].text.as_str();
                        (prompt, nearest.distance < self.threshold)
                    })
                    .collect(),
            });
        }
        Ok(())
    }
}

/// Real renders of prompts, `seeds` of each, that are in no pool.
fn fresh(questions: &[Question], seeds: u64, world: &EmojiWorld, size: [usize; 2]) -> Result<Vec<RgbImage>, EvalError> {
    let mut images = Vec::new();
    for (index, question) in questions.iter().enumerate() {
        for seed in 0..seeds {
            let rng = &mut Rng::new(SEED - 1 - seed, index as u64);
            images.push(world.draw(&question.scene, size, rng)?.0);
        }
    }
    Ok(images)
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
            "\nTo the nearest of {} training renders, with 95 % intervals of pictures for the means, in brackets \
             {INTERVAL}. Too near: nearer than 99 % of the fresh renders of held-out prompts, which is below {:.4}.",
            self.pool, self.threshold
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
        // Every scene has only one render.
        let world = EmojiWorld::composed("emoji:flat,plain,still", Split::Train).unwrap();
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
        let unseen = questions(&world, Task::Colours, Split::HeldOut, 6);
        let pool = Pool::new(&world, &asked, 5, [48, 48], &extractor).unwrap();
        assert_eq!(pool.images.len(), 5 + 6 * RENDERS as usize);
        // One that recalls renders of the pool, whatever it is asked for, and one that draws what is asked for.
        let recalled: Vec<Vec<RgbImage>> = pool.images[5..11].iter().map(|image| vec![image.clone()]).collect();
        let drawn: Vec<Vec<RgbImage>> = (unseen.iter())
            .map(|question| vec![world.draw(&question.scene, [48, 48], &mut Rng::new(99, 0)).unwrap().0])
            .collect();
        let threshold = pool.threshold((&unseen, 1), &world, &extractor).unwrap();
        assert!(threshold > 1e-4, "{threshold}");
        let mut report = CopiesReport::new("recall".into(), &pool, threshold);
        for (side, pictures) in [
            ((Split::HeldOut, unseen.as_slice()), &recalled),
            ((Split::HeldOut, unseen.as_slice()), &drawn),
            ((Split::Train, asked.as_slice()), &recalled),
        ] {
            report.add(side, pictures, &pool, &world, &judge).unwrap();
        }
        let [copies, real, anew, _, _, seen] = &report.rows[..] else {
            panic!("{report}")
        };
        assert!(
            copies.distance.mean < 1e-5 && copies.psnr.mean == f64::INFINITY,
            "{report}"
        );
        let near = [copies, real, anew, seen].map(|row| row.too_near.right);
        assert_eq!(near, [6, 0, 0, 6], "a render of a seen scene is in the pool: {report}");
        assert!(anew.distance.mean > 1e-4, "{report}");
    }
}
