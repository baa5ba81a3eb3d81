//! Do synonyms land near their concept? The same questions for one object, asked with the concept's own noun and with
//! another one, which must be drawn alike. Training showed both words, each object's own one more often.

use super::EvalError;
use super::jackknife::{Estimate, Groups};
use super::judge::{Judge, Sight};
use super::measure::table;
use super::prompts::{Question, Task, questions};
use super::report::{INTERVAL, percent, side};
use super::score::{Rate, Score};
use crate::data::captions::full_prompt;
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use image::RgbImage;
use serde::Serialize;
use std::fmt;

/// One scene asked for in two ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub noun: Question,
    pub synonym: Question,
}

/// Up to `count` pairs of each task that asks for one object, of objects that have a synonym, the first of which is
/// taken.
pub fn pairs(world: &EmojiWorld, split: Split, count: usize) -> Vec<Pair> {
    let bank = world.bank();
    let mut renamed = bank.clone();
    for subject in &mut renamed.subjects {
        if let Some(synonym) = subject.entry.synonyms.first().cloned() {
            subject.entry = subject.entry.called(&synonym);
        }
    }
    let has_synonym = |question: &Question| {
        let mut objects = question.scene.objects.iter();
        objects.all(|object| !bank.subjects[object.concept].entry.synonyms.is_empty())
    };
    let asked = [Task::SingleObject, Task::Colours].into_iter().flat_map(|task| {
        // Some objects have no synonym, so more are asked for than are needed.
        let asked = questions(world, task, split, 4 * count).into_iter();
        asked.filter(has_synonym).take(count)
    });
    asked
        .map(|noun| Pair {
            synonym: Question {
                text: full_prompt(&noun.scene, &renamed),
                ..noun.clone()
            },
            noun,
        })
        .collect()
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SynonymsRow {
    pub split: Split,
    /// Asked with a synonym in place of the concept's own noun.
    pub synonym: bool,
    /// The object is there, in whatever color.
    pub identity: Rate,
    /// It is there in the color asked for, if one was.
    pub right: Rate,
}

/// Identity with synonyms less that with nouns, 0..1, over the same scenes and seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SynonymsLoss {
    pub split: Split,
    pub identity: Estimate,
}

/// What synonyms cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SynonymsReport {
    pub model: String,
    pub seeds: u64,
    pub rows: Vec<SynonymsRow>,
    pub losses: Vec<SynonymsLoss>,
}

impl SynonymsReport {
    /// Has both questions of every pair drawn, all seeds of one by one call of `draw`, and judges the pictures.
    pub fn ask(
        &mut self,
        (split, pairs): (Split, &[Pair]),
        judge: &Judge,
        mut draw: impl FnMut(&Question) -> Result<Vec<RgbImage>, EvalError>,
    ) -> Result<(), EvalError> {
        let mut seen: [Vec<(usize, Sight)>; 2] = Default::default();
        for (index, pair) in pairs.iter().enumerate() {
            for (question, seen) in [&pair.noun, &pair.synonym].into_iter().zip(&mut seen) {
                for image in draw(question)? {
                    seen.push((index, judge.look(&image)?));
                }
            }
        }
        // Both ways are judged by what the noun means, and a pair counts as one prompt in both.
        let score = |seen: &[(usize, Sight)], keep: &dyn Fn(usize) -> bool| -> Score {
            let kept = seen.iter().filter(|(index, _)| keep(*index));
            kept.map(|(index, sight)| (sight, &pairs[*index].noun)).collect()
        };
        let groups = Groups::of(pairs.len());
        let [noun, synonym] = [&seen[0], &seen[1]]
            .map(|seen| groups.replicate(|keep| Ok::<_, EvalError>(score(seen, keep).identity.share())));
        for (synonym, seen) in [(false, &seen[0]), (true, &seen[1])] {
            let Score { identity, right, .. } = score(seen, &|_| true);
            self.rows.push(SynonymsRow {
                split,
                synonym,
                identity,
                right,
            });
        }
        self.losses.push(SynonymsLoss {
            split,
            identity: synonym?.minus(&noun?).estimate(),
        });
        Ok(())
    }
}

impl fmt::Display for SynonymsReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let line = |row: &SynonymsRow| {
            let words = if row.synonym { "synonym" } else { "the concept's noun" };
            let mut cells = vec![side(row.split).to_string(), words.to_string()];
            cells.extend([row.identity.prompts.to_string()]);
            cells.extend([row.identity, row.right].map(percent));
            cells
        };
        let rows: Vec<_> = self.rows.iter().map(line).collect();
        let header = ["Combinations", "Asked with", "Scenes", "Identity", "With colour"];
        writeln!(f, "{}", table(&header, 2, &rows))?;
        write!(
            f,
            "\nPercent right of the same scenes, {} seeds each, in brackets {INTERVAL}.",
            self.seeds
        )?;
        for loss in &self.losses {
            let percents = Estimate {
                value: 100.0 * loss.identity.value,
                interval95: loss.identity.interval95.map(|end| 100.0 * end),
            };
            write!(
                f,
                " {}: identity with synonyms less that with nouns is {percents:.1} points, by the jackknife over scenes.",
                side(loss.split)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::oracle::Oracle;
    use crate::data::rng::Rng;
    use crate::eval::features;
    use crate::eval::identity::Prototypes;
    use indicatif::ProgressBar;

    #[test]
    fn both_questions_of_a_pair_mean_the_same() {
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let bank = world.bank();
        for split in [Split::Train, Split::HeldOut] {
            let asked = pairs(&world, split, 12);
            assert_eq!(asked.len(), 24);
            for Pair { noun, synonym } in asked {
                let entry = &bank.subjects[noun.scene.objects[0].concept].entry;
                assert!(noun.text.contains(&entry.noun), "{}", noun.text);
                assert!(
                    synonym.text.contains(&entry.synonyms[0].noun),
                    "{} is {}",
                    synonym.text,
                    noun.text
                );
                assert_eq!((&synonym.nouns, &synonym.scene), (&noun.nouns, &noun.scene));
            }
        }
    }

    #[test]
    fn a_model_that_knows_no_synonym_is_found_out() {
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let oracle = Oracle::new(world.bank());
        let mut bank = world.bank().clone();
        bank.subjects.retain(|subject| !subject.entry.synonyms.is_empty());
        bank.subjects.truncate(6);
        let (extractor, folder) = (features::tests::random(), tempfile::tempdir().unwrap());
        let prototypes = Prototypes::new(&bank, &extractor, folder.path(), &ProgressBar::hidden()).unwrap();
        let few = EmojiWorld::new(bank, Split::Train).unwrap();
        let judge = Judge {
            extractor: &extractor,
            prototypes: &prototypes,
            oracle: &oracle,
        };
        let asked = pairs(&few, Split::Train, 4);
        let mut report = SynonymsReport {
            model: "half deaf".into(),
            seeds: 2,
            rows: Vec::new(),
            losses: Vec::new(),
        };
        let draw = |question: &Question| {
            let known = asked.iter().any(|pair| pair.noun.text == question.text);
            let empty = RgbImage::from_pixel(64, 64, image::Rgb([255; 3]));
            let real = few.draw(&question.scene, [64, 64], &mut Rng::new(1, 1))?.0;
            Ok(vec![if known { real } else { empty }; 2])
        };
        report.ask((Split::Train, &asked), &judge, draw).unwrap();
        let [noun, synonym] = &report.rows[..] else {
            panic!("{report}")
        };
        assert_eq!((noun.identity.of, noun.identity.prompts), (16, 8));
        assert!(noun.identity.right > 0 && synonym.identity.right == 0, "{report}");
        assert!(report.losses[0].identity.value < 0.0, "{report}");
        assert!(
            report
                .to_string()
                .lines()
                .take(4)
                .all(|line| line.matches('|').count() == 6),
            "{report}"
        );
    }
}
