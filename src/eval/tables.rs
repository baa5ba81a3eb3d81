//! The paper's ablations on our models: ways to decode (Table 9), and models trained in different ways, which are run
//! one by one (Tables 7 and 8).

use super::frechet::Gaussian;
use super::judge::{Judge, Sight};
use super::measure::{cell, table};
use super::prompts::Question;
use super::report::percent;
use super::score::Rate;
use super::subject::Subject;
use super::{EvalError, SEED};
use crate::data::compose::EmojiWorld;
use crate::data::rng::Rng;
use crate::model::sampling::{Guidance, PerScale, SamplingOptions};
use image::RgbImage;
use indicatif::ProgressBar;
use serde::Serialize;
use std::fmt;

/// A way to draw bits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decoding {
    pub name: String,
    pub options: SamplingOptions,
}

impl Decoding {
    fn new(name: &str, tau: f64, cfg: PerScale, guidance: Guidance) -> Self {
        Self {
            name: name.to_string(),
            options: SamplingOptions {
                tau: PerScale::All(tau),
                cfg,
                guidance,
                ..SamplingOptions::default()
            },
        }
    }

    /// The rows of Table 9, with its temperatures and strengths.
    pub fn table9(scales: usize) -> Vec<Self> {
        let logits = Guidance::default;
        let features = Guidance {
            logits: false,
            layers_from_end: vec![1],
        };
        vec![
            Self::new("greedy", 0.01, PerScale::All(1.0), logits()),
            Self::new("normal sampling", 1.0, PerScale::All(1.0), logits()),
            Self::new("pyramid cfg", 1.0, pyramid(3.0, scales), logits()),
            Self::new("pyramid cfg", 1.0, pyramid(5.0, scales), logits()),
            Self::new("cfg on features", 1.0, PerScale::All(3.0), features),
            Self::new("cfg on logits", 1.0, PerScale::All(3.0), logits()),
            Self::new("cfg on logits", 1.0, PerScale::All(4.0), logits()),
        ]
    }
}

/// Guidance that grows in even steps from 1 at the first scale.
fn pyramid(last: f64, scales: usize) -> PerScale {
    let step = (last - 1.0) / (scales.max(2) - 1) as f64;
    PerScale::Each((0..scales).map(|k| 1.0 + step * k as f64).collect())
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableRow {
    pub model: String,
    /// None for real renders.
    pub decoding: Option<Decoding>,
    /// To real renders of the same prompts.
    pub fd_efflite0: f64,
    /// Prompts that were drawn right.
    pub right: Rate,
    /// The same pictures, each under the next prompt.
    pub shuffled: Rate,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TablesReport {
    pub prompts: usize,
    pub seeds: u64,
    pub rows: Vec<TableRow>,
}

/// The prompts of a table with what real renders of them look like.
pub struct Bench<'a> {
    questions: &'a [Question],
    seeds: u64,
    judge: &'a Judge<'a>,
    world: &'a EmojiWorld,
    size: [usize; 2],
    truth: Gaussian,
}

impl<'a> Bench<'a> {
    pub fn new(
        (questions, seeds): (&'a [Question], u64),
        judge: &'a Judge<'a>,
        world: &'a EmojiWorld,
        size: [usize; 2],
    ) -> Result<Self, EvalError> {
        let truth = Gaussian::of(
            &judge
                .extractor
                .features(&renders(questions, seeds, world, size, SEED)?)?,
        )?;
        Ok(Self {
            questions,
            seeds,
            judge,
            world,
            size,
            truth,
        })
    }

    /// Other real renders of the same prompts: the ceiling.
    pub fn ceiling(&self) -> Result<TableRow, EvalError> {
        let images = renders(self.questions, self.seeds, self.world, self.size, SEED + 1)?;
        self.row("real renders (ceiling)".into(), None, &images)
    }

    /// A model in one way of decoding.
    pub fn run(&self, subject: &Subject, decoding: Decoding, bar: &ProgressBar) -> Result<TableRow, EvalError> {
        let mut images = Vec::new();
        for question in self.questions {
            images.extend(subject.draw(&question.text, 1, self.seeds as usize, &decoding.options)?);
            bar.inc(self.seeds);
        }
        self.row(subject.name.clone(), Some(decoding), &images)
    }

    fn row(&self, model: String, decoding: Option<Decoding>, images: &[RgbImage]) -> Result<TableRow, EvalError> {
        let sights: Vec<Sight> = images
            .iter()
            .map(|image| self.judge.look(image))
            .collect::<Result<_, _>>()?;
        let rate = |shift: usize| {
            let question = |i: usize| &self.questions[(i / self.seeds as usize + shift) % self.questions.len()];
            let right = |&(i, sight): &(usize, &Sight)| sight.answers(question(i));
            Rate {
                right: sights.iter().enumerate().filter(right).count(),
                of: sights.len(),
            }
        };
        Ok(TableRow {
            model,
            decoding,
            fd_efflite0: self
                .truth
                .distance(&Gaussian::of(&self.judge.extractor.features(images)?)?)?,
            right: rate(0),
            shuffled: rate(1),
        })
    }
}

fn renders(
    questions: &[Question],
    seeds: u64,
    world: &EmojiWorld,
    size: [usize; 2],
    stream: u64,
) -> Result<Vec<RgbImage>, EvalError> {
    let mut images = Vec::new();
    for (index, question) in questions.iter().enumerate() {
        let mut rng = Rng::new(stream, index as u64);
        for _ in 0..seeds {
            images.push(world.draw(&question.scene, size, &mut rng)?.0);
        }
    }
    Ok(images)
}

/// `4`, or `1 → 3` for a list that grows.
fn range(values: &PerScale) -> String {
    match values {
        PerScale::All(value) => value.to_string(),
        PerScale::Each(values) => match (values.first(), values.last()) {
            (Some(first), Some(last)) => format!("{first} → {last}"),
            _ => String::new(),
        },
    }
}

impl fmt::Display for TablesReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let line = |row: &TableRow| {
            let decoding = row.decoding.as_ref();
            vec![
                row.model.clone(),
                cell(decoding.map(|decoding| decoding.name.as_str())),
                cell(decoding.map(|decoding| range(&decoding.options.tau))),
                cell(decoding.map(|decoding| range(&decoding.options.cfg))),
                format!("{:.2}", row.fd_efflite0),
                percent(row.right),
                percent(row.shuffled),
            ]
        };
        let rows: Vec<_> = self.rows.iter().map(line).collect();
        let header = [
            "Model",
            "Decoding",
            "tau",
            "cfg",
            "FD-EffLite0",
            "Right, %",
            "Prompts shuffled, %",
        ];
        writeln!(f, "{}", table(&header, 2, &rows))?;
        write!(
            f,
            "\n{} held-out prompts of all tasks, {} seeds each; in brackets the 95 % interval (Wilson).",
            self.prompts, self.seeds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::heldout::Split;
    use crate::data::oracle::Oracle;
    use crate::eval::identity::Prototypes;
    use crate::eval::prompts::{Task, questions};
    use crate::eval::{features, subject};

    #[test]
    fn the_ways_to_decode_are_the_papers_and_can_be_run() {
        let subject = subject::tests::random();
        let table = Decoding::table9(subject.scales);
        let depth = subject.transformer.config().depth;
        for Decoding { options, .. } in &table {
            options.validate(depth, subject.scales).unwrap();
        }
        let strengths: Vec<String> = table.iter().map(|decoding| range(&decoding.options.cfg)).collect();
        assert_eq!(strengths, ["1", "1", "1 → 3", "1 → 5", "3", "3", "4"]);
        assert_eq!(pyramid(5.0, 5), PerScale::Each(vec![1.0, 2.0, 3.0, 4.0, 5.0]));
        let different: std::collections::HashSet<Vec<u8>> = table
            .iter()
            .map(|decoding| {
                subject
                    .draw("a red apple", 3, 1, &decoding.options)
                    .unwrap()
                    .remove(0)
                    .into_raw()
            })
            .collect();
        assert!(different.len() >= 2, "greedy bits are not sampled ones");
    }

    #[test]
    fn real_renders_are_nearer_to_real_renders_than_an_untrained_model_is() {
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let mut bank = world.bank().clone();
        bank.subjects.truncate(6);
        let (extractor, folder) = (features::tests::random(), tempfile::tempdir().unwrap());
        let prototypes = Prototypes::new(&bank, &extractor, folder.path(), &ProgressBar::hidden()).unwrap();
        let oracle = Oracle::new(&bank);
        let few = EmojiWorld::new(bank, Split::Train).unwrap();
        let judge = Judge {
            extractor: &extractor,
            prototypes: &prototypes,
            oracle: &oracle,
        };
        let mut subject = subject::tests::random();
        let mut asked = questions(&few, Task::Colours, Split::Train, 4);
        for question in &mut asked {
            // Words that the tiny model knows.
            question.text = "a red apple on a blue background".into();
        }
        subject.name = "untrained".into();
        let (height, width) = subject.schedule().unwrap().image_size();
        let bench = Bench::new((&asked, 2), &judge, &world, [height, width]).unwrap();
        let own = Decoding::table9(subject.scales).remove(5);
        let rows = vec![
            bench.ceiling().unwrap(),
            bench.run(&subject, own, &ProgressBar::hidden()).unwrap(),
        ];
        assert!(rows[0].fd_efflite0 < rows[1].fd_efflite0);
        assert_eq!([rows[0].right.of, rows[1].shuffled.of], [8, 8]);
        let report = TablesReport {
            prompts: 4,
            seeds: 2,
            rows,
        };
        assert!(
            report
                .to_string()
                .lines()
                .take(4)
                .all(|line| line.matches('|').count() == 8),
            "{report}"
        );
    }
}
