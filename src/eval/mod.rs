//! Does a model draw what the prompt says?
//!
//! [`prompts`] asks for objects in colours, apart for combinations that training showed and ones it never did; the
//! [`oracle`](crate::data::oracle) names what was drawn; [`score`] counts. Scores stand between two others: the
//! oracle's on real compositions of the same prompts, the ceiling, and the one of the same pictures under other
//! prompts, the floor.

pub mod prompts;
pub mod report;
pub mod score;

use image::RgbImage;

use crate::data::DataError;
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::data::oracle::{Oracle, Verdict};
use crate::data::rng::Rng;
use prompts::Prompt;
use report::{Pictures, Row};
use score::Score;

/// Seed of the ceiling's compositions and of the floor's order of prompts.
const SEED: u64 = 0xE7A1;

/// A picture with what was asked for and what is there.
pub struct Drawing<'a> {
    pub prompt: &'a Prompt,
    pub seed: u64,
    pub image: RgbImage,
    pub verdict: Verdict,
}

/// Has every prompt drawn with the seeds `1..=seeds` and judges the pictures.
pub fn draw<'a, E>(
    prompts: &'a [Prompt],
    seeds: u64,
    oracle: &Oracle,
    mut draw: impl FnMut(&Prompt, u64) -> Result<RgbImage, E>,
) -> Result<Vec<Drawing<'a>>, E> {
    let mut drawings = Vec::new();
    for prompt in prompts {
        for seed in 1..=seeds {
            let image = draw(prompt, seed)?;
            let verdict = oracle.judge(&image);
            drawings.push(Drawing {
                prompt,
                seed,
                image,
                verdict,
            });
        }
    }
    Ok(drawings)
}

/// The scores of `drawings`, the pictures of `prompts` in their order: the model's, the ceiling and the floor.
pub fn rows(
    split: Split,
    prompts: &[Prompt],
    drawings: &[Drawing],
    world: &EmojiWorld,
    oracle: &Oracle,
) -> Result<[Row; 3], DataError> {
    let row = |pictures, score| Row { split, pictures, score };
    let drawn: Score = drawings
        .iter()
        .map(|drawing| (&drawing.verdict, drawing.prompt))
        .collect();

    let mut real = Vec::with_capacity(drawings.len());
    for (index, Drawing { prompt, image, .. }) in drawings.iter().enumerate() {
        let size = [image.height() as usize, image.width() as usize];
        let rng = &mut Rng::new(SEED, index as u64);
        let (image, _) = world.draw(&prompt.scene(), size, rng)?;
        real.push((oracle.judge(&image), *prompt));
    }
    let real = real.iter().map(|(verdict, prompt)| (verdict, *prompt)).collect();

    let others = cycle(prompts.len());
    let seeds = drawings.len() / prompts.len().max(1);
    let shuffled = (drawings.iter().enumerate())
        .map(|(index, drawing)| (&drawing.verdict, &prompts[others[index / seeds]]))
        .collect();
    Ok([
        row(Pictures::Model, drawn),
        row(Pictures::Real, real),
        row(Pictures::Shuffled, shuffled),
    ])
}

/// An order of `0..n` that leaves nothing in its place (for n > 1): one cycle through all (Sattolo, 1986).
fn cycle(n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    let mut rng = Rng::new(SEED, u64::MAX);
    for i in (1..n).rev() {
        order.swap(i, rng.below(i));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::style::Style;

    struct Bench {
        world: EmojiWorld,
        oracle: Oracle,
        prompts: Vec<Prompt>,
    }

    impl Bench {
        fn new() -> Self {
            let world = EmojiWorld::bundled(Split::Train).unwrap();
            Self {
                oracle: Oracle::new(world.bank()),
                prompts: prompts::choose(world.bank(), Split::HeldOut, 40),
                world,
            }
        }

        /// Scores of a model that draws perfectly what `heard` makes of the prompt.
        fn score(&self, heard: impl Fn(&Prompt) -> Prompt) -> [Score; 3] {
            let draw_it = |prompt: &Prompt, seed| {
                let rng = &mut Rng::new(99, seed);
                let drawn = self.world.draw(&heard(prompt).scene(), [64, 64], rng);
                drawn.map(|(image, _)| image)
            };
            let drawings = draw(&self.prompts, 2, &self.oracle, draw_it).unwrap();
            let rows = rows(Split::HeldOut, &self.prompts, &drawings, &self.world, &self.oracle).unwrap();
            rows.map(|row| row.score)
        }
    }

    #[test]
    fn a_perfect_model_reaches_the_ceiling_and_not_the_floor() {
        let [model, real, shuffled] = Bench::new().score(Prompt::clone);
        for score in [&model, &real] {
            assert_eq!(score.both.of, 80);
            assert!(
                score.both.share() > 0.95 && score.background.share() > 0.95,
                "{score:?}"
            );
        }
        assert!(
            shuffled.both.share() < 0.1 && shuffled.background.share() < 0.3,
            "{shuffled:?}"
        );
    }

    #[test]
    fn a_model_that_hears_no_colours_is_found_out() {
        let bench = Bench::new();
        let [model, real, _] = bench.score(|prompt| Prompt {
            colour: bench.world.bank().subjects[prompt.sprite]
                .sprite(Style::Flat)
                .unwrap()
                .main,
            ..prompt.clone()
        });
        assert!(
            model.object.share() > 0.95 && model.background.share() > 0.9,
            "{model:?}"
        );
        assert!(
            model.colour.share() < 0.05 && model.both.share() < 0.05,
            "no natural colour is held out: {model:?}"
        );
        assert!(real.colour.share() > 0.95, "the ceiling does not depend on the model");
    }

    #[test]
    fn a_cycle_leaves_nothing_in_its_place() {
        for n in [0, 1, 2, 3, 50] {
            let order = cycle(n);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            assert!(n < 2 || order.iter().enumerate().all(|(i, &to)| i != to), "{order:?}");
        }
    }
}
