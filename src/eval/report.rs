//! Scores of prompts as JSON and as a Markdown table.

use super::judge::{Judge, Sight};
use super::measure::table;
use super::prompts::{Question, Task};
use super::score::{Rate, Score};
use super::{EvalError, SEED};
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::data::rng::Rng;
use image::RgbImage;
use serde::Serialize;
use std::fmt;

/// Which pictures were judged against which prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pictures {
    /// What the model drew.
    Model,
    /// Real compositions of the same prompts: what can be found at best.
    Real,
    /// The real ones after the model's tokenizer: what can be found where every bit is right.
    Rebuilt,
    /// What the model drew, each under another one's prompt: what chance finds.
    Shuffled,
}

/// What tables call a side of the split.
pub fn side(split: Split) -> &'static str {
    match split {
        Split::Train => "seen",
        Split::HeldOut => "held out",
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub split: Split,
    pub pictures: Pictures,
    #[serde(flatten)]
    pub score: Score,
}

/// One picture of the model, as it was judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    pub split: Split,
    pub task: Task,
    pub prompt: String,
    pub seed: u64,
    pub right: bool,
    pub sight: Sight,
}

/// All scores of a model and the pictures behind them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// Pictures of each prompt.
    pub seeds: u64,
    pub rows: Vec<Row>,
    pub pictures: Vec<Judged>,
}

impl Report {
    pub fn new(model: String, seeds: u64) -> Self {
        Self {
            model,
            seeds,
            rows: Vec::new(),
            pictures: Vec::new(),
        }
    }

    /// Has the questions of one side of the split drawn, all seeds of one by one call of `draw`, and judges the
    /// pictures; adds the model's row, the ceiling's, that of the ceiling's pictures after `rebuild`, and the floor's.
    /// Gives the pictures, in the order of those of the report.
    pub fn ask(
        &mut self,
        (split, questions): (Split, &[Question]),
        judge: &Judge,
        world: &EmojiWorld,
        mut draw: impl FnMut(&Question) -> Result<Vec<RgbImage>, EvalError>,
        rebuild: impl Fn(&[RgbImage]) -> Result<Vec<RgbImage>, EvalError>,
    ) -> Result<Vec<RgbImage>, EvalError> {
        let [mut seen, mut real, mut rebuilt] = [const { Vec::new() }; 3];
        let mut drawn = Vec::new();
        for (index, question) in questions.iter().enumerate() {
            let images = draw(question)?;
            let mut truths = Vec::with_capacity(images.len());
            for (seed, image) in (1..=self.seeds).zip(&images) {
                let sight = judge.look(image)?;
                let size = [image.height() as usize, image.width() as usize];
                let rng = &mut Rng::new(SEED ^ seed, index as u64);
                truths.push(world.draw(&question.scene, size, rng)?.0);
                self.pictures.push(Judged {
                    split,
                    task: question.task,
                    prompt: question.text.clone(),
                    seed,
                    right: sight.answers(question),
                    sight: sight.clone(),
                });
                seen.push((sight, index));
            }
            for (pictures, sights) in [(&rebuild(&truths)?, &mut rebuilt), (&truths, &mut real)] {
                for picture in pictures {
                    sights.push((judge.look(picture)?, index));
                }
            }
            drawn.extend(images);
        }
        let others = others(questions);
        let score = |sights: &[(Sight, usize)], of: &dyn Fn(usize) -> usize| -> Score {
            sights
                .iter()
                .map(|(sight, index)| (sight, &questions[of(*index)]))
                .collect()
        };
        let rows = [
            (Pictures::Model, score(&seen, &|index| index)),
            (Pictures::Real, score(&real, &|index| index)),
            (Pictures::Rebuilt, score(&rebuilt, &|index| index)),
            (Pictures::Shuffled, score(&seen, &|index| others[index])),
        ];
        let row = |(pictures, score)| Row { split, pictures, score };
        self.rows.extend(rows.into_iter().map(row));
        Ok(drawn)
    }
}

/// For every question another one of its task, each once: one cycle through all of a task (Sattolo, 1986).
fn others(questions: &[Question]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..questions.len()).collect();
    for task in Task::ALL {
        let places: Vec<usize> = (0..questions.len()).filter(|&i| questions[i].task == task).collect();
        let mut rng = Rng::new(SEED, u64::MAX - task as u64);
        for i in (1..places.len()).rev() {
            order.swap(places[i], places[rng.below(i)]);
        }
    }
    order
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut header = vec!["Combinations", "Pictures", "Count", "Overall"];
        header.extend(Task::ALL.map(Task::title));
        header.extend(["Identity", "Colour", "Relation", "Background"]);
        let line = |row: &Row| {
            let pictures = match row.pictures {
                Pictures::Model => self.model.as_str(),
                Pictures::Real => "real (ceiling)",
                Pictures::Rebuilt => "real, through the tokenizer",
                Pictures::Shuffled => "prompts shuffled (floor)",
            };
            let mut cells = vec![side(row.split).to_string(), pictures.to_string()];
            cells.push(row.score.background.of.to_string());
            cells.push(format!("{:.1}", 100.0 * row.score.overall));
            let Score {
                tasks,
                identity,
                colour,
                relation,
                background,
                ..
            } = row.score;
            let rates = tasks.into_iter().chain([identity, colour, relation, background]);
            cells.extend(rates.map(percent));
            cells
        };
        let rows: Vec<_> = self.rows.iter().map(line).collect();
        writeln!(f, "{}", table(&header, 2, &rows))?;
        write!(
            f,
            "\nPercent right over {} seeds a prompt, in brackets {INTERVAL}; overall is the mean of the tasks. \
             Identity: where one object is asked for (Single object and Colours), it is there, in whatever colour. \
             Colour: where it is asked for in a colour, something has it. \
             Relation: where the two objects of Position are both there, they stand as asked.",
            self.seeds
        )
    }
}

/// What brackets behind a rate hold.
pub const INTERVAL: &str = "the 95 % interval (Wilson, of as many trials as there are prompts)";

/// `93.1 [88.0, 96.2]`; a dash where nothing was asked.
pub fn percent(rate: Rate) -> String {
    if rate.of == 0 {
        return "-".to_string();
    }
    let [low, high] = rate.interval();
    format!("{:.1} [{:.1}, {:.1}]", 100.0 * rate.share(), 100.0 * low, 100.0 * high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::oracle::Oracle;
    use crate::eval::features;
    use crate::eval::identity::Prototypes;
    use crate::eval::prompts::questions;
    use indicatif::ProgressBar;

    #[test]
    fn a_share_of_nothing_is_a_dash() {
        assert_eq!(percent([("cat", true)].into_iter().collect()), "100.0 [20.7, 100.0]");
        assert_eq!(percent(Rate::default()), "-");
    }

    #[test]
    fn the_model_the_ceiling_and_the_floor_are_judged_alike() {
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let oracle = Oracle::new(world.bank());
        let mut bank = world.bank().clone();
        bank.subjects.truncate(10);
        let (extractor, folder) = (features::tests::random(), tempfile::tempdir().unwrap());
        let prototypes = Prototypes::new(&bank, &extractor, folder.path(), &ProgressBar::hidden()).unwrap();
        let few = EmojiWorld::new(bank, Split::Train).unwrap();
        let judge = Judge {
            extractor: &extractor,
            prototypes: &prototypes,
            oracle: &oracle,
        };
        let asked: Vec<Question> = (Task::ALL.into_iter())
            .flat_map(|task| questions(&few, task, Split::Train, 3))
            .collect();
        let mut report = Report::new("perfect".into(), 2);
        // A model that draws every prompt as the ceiling does: both must score the same.
        let mut index = 0;
        let draw = |question: &Question| {
            let draw = |seed| {
                Ok(world
                    .draw(&question.scene, [64, 64], &mut Rng::new(SEED ^ seed, index))?
                    .0)
            };
            let images = (1..=2).map(draw).collect();
            index += 1;
            images
        };
        // A tokenizer that loses everything but one color.
        let blank = |pictures: &[RgbImage]| Ok(vec![RgbImage::new(64, 64); pictures.len()]);
        let drawn = report.ask((Split::Train, &asked), &judge, &world, draw, blank).unwrap();
        assert_eq!((drawn.len(), report.pictures.len(), report.rows.len()), (36, 36, 4));
        let [model, real, rebuilt, shuffled] = [0, 1, 2, 3].map(|row| report.rows[row].score.clone());
        assert_eq!(model, real);
        assert!(model.background.share() > 0.9, "{report}");
        assert!(shuffled.background.share() < 0.5, "{report}");
        assert_eq!((rebuilt.right.right, rebuilt.right.of), (0, 36), "{report}");
        let right = report.pictures.iter().filter(|picture| picture.right).count();
        assert_eq!(
            right,
            report.rows[0].score.tasks.iter().map(|rate| rate.right).sum::<usize>()
        );
        let text = report.to_string();
        assert!(
            text.lines().take(6).all(|line| line.matches('|').count() == 15),
            "{text}"
        );
    }

    /// How well real renders are judged: the ceiling of every score.
    #[test]
    #[ignore = "needs the file that `make eval-weights` fetches; `make test` runs it where the file is"]
    fn real_renders_are_recognised_with_the_published_weights() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(features::DEFAULT_FILE);
        let extractor = features::Extractor::open(&file, &burn::tensor::Device::flex()).unwrap();
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let bar = ProgressBar::hidden();
        let prototypes = Prototypes::new(world.bank(), &extractor, file.parent().unwrap(), &bar).unwrap();
        let oracle = Oracle::new(world.bank());
        let judge = Judge {
            extractor: &extractor,
            prototypes: &prototypes,
            oracle: &oracle,
        };
        for task in Task::ALL {
            let asked = questions(&world, task, Split::HeldOut, 40);
            let (mut right, mut wrong) = (0, 0);
            for (index, question) in asked.iter().enumerate() {
                let rng = &mut Rng::new(3, index as u64);
                let (image, _) = world.draw(&question.scene, [128, 128], rng).unwrap();
                let sight = judge.look(&image).unwrap();
                right += usize::from(sight.answers(question));
                wrong += usize::from(sight.answers(&asked[(index + 1) % 40]));
            }
            println!("{task:?}: {right} of 40 right, {wrong} under the next prompt");
            let least = if task == Task::ColourAttribution { 30 } else { 36 };
            assert!(
                right >= least && wrong <= 4,
                "{task:?}: {right} of 40 right, {wrong} under the next prompt"
            );
        }
    }

    #[test]
    fn every_question_gets_another_one_of_its_task() {
        let world = EmojiWorld::bundled(Split::HeldOut).unwrap();
        let asked: Vec<Question> = [Task::Colours, Task::Position]
            .into_iter()
            .flat_map(|task| questions(&world, task, Split::HeldOut, 7))
            .collect();
        let order = others(&asked);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..14).collect::<Vec<_>>());
        for (i, &other) in order.iter().enumerate() {
            assert!(i != other && asked[i].task == asked[other].task);
        }
    }

    #[test]
    fn rates_are_percent_with_their_interval() {
        let rate = |right| Rate {
            right,
            of: 40,
            prompts: 20,
        };
        assert_eq!(percent(rate(20)), "50.0 [29.9, 70.1]");
        let json = serde_json::to_value(rate(40)).unwrap();
        assert_eq!((&json["right"], &json["interval95"][1]), (&40.into(), &1.0.into()));
    }
}
