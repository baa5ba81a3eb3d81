//! The paper's ablations on our models: ways to decode (Table 9), and models trained in different ways, which are run
//! one by one (Tables 7 and 8).

use super::frechet::frechet_distance;
use super::jackknife::{Estimate, Groups, Replicates};
use super::judge::{Judge, Sight};
use super::measure::{cell, table};
use super::prompts::{Question, Task};
use super::report::{INTERVAL, percent, side};
use super::score::Score;
use super::subject::Subject;
use super::{EvalError, SEED};
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::data::rng::Rng;
use crate::model::sampling::{CfgInsertion, PerScale, SamplingOptions};
use crate::weights::manifest::Training;
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
    fn new(name: &str, tau: f64, cfg: PerScale, cfg_insertion: CfgInsertion) -> Self {
        Self {
            name: name.to_string(),
            options: SamplingOptions {
                tau: PerScale::All(tau),
                cfg,
                cfg_insertion,
                ..SamplingOptions::default()
            },
        }
    }

    /// The rows of Table 9, with its temperatures and strengths.
    pub fn table9(scales: usize) -> Vec<Self> {
        let logits = CfgInsertion::default;
        let features = CfgInsertion {
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
    /// How the model was trained, where its manifest tells.
    pub training: Option<Training>,
    /// None for real renders.
    pub decoding: Option<Decoding>,
    /// To real renders of other prompts.
    pub fd_efflite0: Estimate,
    pub score: Score,
    /// The same pictures, each under the next prompt: what chance gets.
    pub shuffled: Score,
    #[serde(skip)]
    replicates: Figures<Replicates>,
}

/// The figures that models are compared by.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures<T> {
    pub fd_efflite0: T,
    /// Share of pictures of one object that show it, 0..1.
    pub identity: T,
    /// Share of all pictures that are wholly right, 0..1.
    pub right: T,
}

/// The first model less another one, each with its own sampling, over the same prompts and seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub first: String,
    pub other: String,
    #[serde(flatten)]
    pub difference: Figures<Estimate>,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TablesReport {
    pub split: Split,
    pub prompts: usize,
    pub seeds: u64,
    pub rows: Vec<TableRow>,
    pub comparisons: Vec<Comparison>,
}

/// The prompts of a table, and what real renders of others look like.
pub struct Bench<'a> {
    questions: &'a [Question],
    seeds: u64,
    judge: &'a Judge<'a>,
    world: &'a EmojiWorld,
    size: [usize; 2],
    /// Features of real renders, those of a prompt one after the other.
    truth: Vec<Vec<f32>>,
}

impl<'a> Bench<'a> {
    /// `others` are prompts like `questions`, whose real renders all pictures are compared with: where a scene has only
    /// one render, that of `questions` themselves would be no set that real renders differ from.
    pub fn new(
        (questions, others, seeds): (&'a [Question], &[Question], u64),
        judge: &'a Judge<'a>,
        world: &'a EmojiWorld,
        size: [usize; 2],
    ) -> Result<Self, EvalError> {
        let truth = judge.extractor.features(&renders(others, seeds, world, size)?)?;
        Ok(Self {
            questions,
            seeds,
            judge,
            world,
            size,
            truth,
        })
    }

    /// Real renders of the prompts: the ceiling.
    pub fn ceiling(&self) -> Result<TableRow, EvalError> {
        let images = renders(self.questions, self.seeds, self.world, self.size)?;
        self.row("real renders (ceiling)".into(), None, None, &images)
    }

    /// A model in one way of decoding.
    pub fn run(&self, subject: &Subject, decoding: Decoding, bar: &ProgressBar) -> Result<TableRow, EvalError> {
        let mut images = Vec::new();
        for question in self.questions {
            images.extend(subject.draw(&question.text, 1, self.seeds as usize, &decoding.options)?);
            bar.inc(self.seeds);
        }
        self.row(subject.name.clone(), subject.training, Some(decoding), &images)
    }

    fn row(
        &self,
        model: String,
        training: Option<Training>,
        decoding: Option<Decoding>,
        images: &[RgbImage],
    ) -> Result<TableRow, EvalError> {
        let sights: Vec<Sight> = images
            .iter()
            .map(|image| self.judge.look(image))
            .collect::<Result<_, _>>()?;
        let count = self.questions.len();
        let prompt = |i: usize| i / self.seeds as usize;
        let score = |shift: usize, keep: &dyn Fn(usize) -> bool| -> Score {
            let kept = sights.iter().enumerate().filter(|(i, _)| keep(prompt(*i)));
            kept.map(|(i, sight)| (sight, &self.questions[(prompt(i) + shift) % count]))
                .collect()
        };
        let features = self.judge.extractor.features(images)?;
        let groups = Groups::of(count);
        let replicates = Figures {
            fd_efflite0: groups.replicate(|keep| {
                let kept = |rows: &[Vec<f32>]| -> Vec<Vec<f32>> {
                    let kept = rows.iter().enumerate().filter(|(i, _)| keep(prompt(*i)));
                    kept.map(|(_, row)| row.clone()).collect()
                };
                frechet_distance(&kept(&features), &kept(&self.truth))
            })?,
            identity: groups.replicate(|keep| Ok::<_, EvalError>(score(0, keep).identity.share()))?,
            right: groups.replicate(|keep| Ok::<_, EvalError>(score(0, keep).right.share()))?,
        };
        Ok(TableRow {
            model,
            training,
            decoding,
            fd_efflite0: replicates.fd_efflite0.estimate(),
            score: score(0, &|_| true),
            shuffled: score(1, &|_| true),
            replicates,
        })
    }
}

impl TableRow {
    /// This row less another one of the same prompts.
    pub fn less(&self, other: &Self) -> Comparison {
        let of = |figure: fn(&Figures<Replicates>) -> &Replicates| {
            figure(&self.replicates).minus(figure(&other.replicates)).estimate()
        };
        Comparison {
            first: self.model.clone(),
            other: other.model.clone(),
            difference: Figures {
                fd_efflite0: of(|figures| &figures.fd_efflite0),
                identity: of(|figures| &figures.identity),
                right: of(|figures| &figures.right),
            },
        }
    }
}

fn renders(
    questions: &[Question],
    seeds: u64,
    world: &EmojiWorld,
    size: [usize; 2],
) -> Result<Vec<RgbImage>, EvalError> {
    let mut images = Vec::new();
    for (index, question) in questions.iter().enumerate() {
        let mut rng = Rng::new(SEED, index as u64);
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
            let mut cells = vec![
                row.model.clone(),
                cell(row.training),
                cell(row.training.map(|training| training.steps)),
                cell(decoding.map(|decoding| decoding.name.as_str())),
                cell(decoding.map(|decoding| range(&decoding.options.tau))),
                cell(decoding.map(|decoding| range(&decoding.options.cfg))),
                row.fd_efflite0.to_string(),
                percent(row.score.right),
            ];
            cells.extend(row.score.tasks.iter().map(|&rate| percent(rate)));
            cells.extend([row.score.identity, row.shuffled.right, row.shuffled.identity].map(percent));
            cells
        };
        let rows: Vec<_> = self.rows.iter().map(line).collect();
        let mut header = vec![
            "Model",
            "Training",
            "Steps",
            "Decoding",
            "tau",
            "cfg",
            "FD-EffLite0",
            "All",
        ];
        header.extend(Task::ALL.map(Task::title));
        header.extend(["Identity", "All, shuffled", "Identity, shuffled"]);
        writeln!(f, "{}", table(&header, 2, &rows))?;
        write!(
            f,
            "\n{} {} prompts of all tasks, {} seeds each. Rates in percent, in brackets {INTERVAL}; FD-EffLite0 to real \
             renders of other prompts, in brackets the 95 % interval of the jackknife over groups of prompts. Identity: \
             where one object is asked for (Single object and Colours), it is there. Shuffled: the same pictures, each \
             under the next prompt (the floor).",
            self.prompts,
            side(self.split),
            self.seeds
        )?;
        if self.comparisons.is_empty() {
            return Ok(());
        }
        let percents = |share: Estimate| {
            let percents = Estimate {
                value: 100.0 * share.value,
                interval95: share.interval95.map(|end| 100.0 * end),
            };
            format!("{percents:.1}")
        };
        let line = |Comparison {
                        first,
                        other,
                        difference,
                    }: &Comparison| {
            vec![
                format!("{first} less {other}"),
                difference.fd_efflite0.to_string(),
                percents(difference.identity),
                percents(difference.right),
            ]
        };
        let rows: Vec<_> = self.comparisons.iter().map(line).collect();
        let header = ["Difference", "FD-EffLite0", "Identity", "All"];
        write!(
            f,
            "\n\n{}\n\nOver the same prompts and seeds, with the 95 % interval of the jackknife over groups of prompts. Below 0 \
             the first is better in FD-EffLite0, above 0 in the rates (points of percent).",
            table(&header, 1, &rows)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::heldout::Split;
    use crate::data::oracle::Oracle;
    use crate::eval::identity::Prototypes;
    use crate::eval::prompts::questions;
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
        let mut asked = questions(&few, Task::Colours, Split::Train, 8);
        for question in &mut asked {
            // Words that the tiny model knows.
            question.text = "a red apple on a blue background".into();
        }
        subject.name = "untrained".into();
        let (height, width) = subject.schedule().unwrap().image_size();
        let others = asked.split_off(4);
        let bench = Bench::new((&asked, &others, 2), &judge, &world, [height, width]).unwrap();
        let own = Decoding::table9(subject.scales).remove(5);
        let rows = vec![
            bench.ceiling().unwrap(),
            bench.run(&subject, own, &ProgressBar::hidden()).unwrap(),
        ];
        let distance = |i: usize| rows[i].fd_efflite0.value;
        assert!(0.0 < distance(0) && distance(0) < distance(1));
        assert_eq!([rows[0].score.right.of, rows[1].shuffled.right.of], [8, 8]);
        let comparisons = vec![rows[0].less(&rows[1])];
        let difference = &comparisons[0].difference;
        assert!((difference.fd_efflite0.value - (distance(0) - distance(1))).abs() < 1e-9);
        let right = |i: usize| rows[i].score.right.share();
        assert!((difference.right.value - (right(0) - right(1))).abs() < 1e-9);
        let report = TablesReport {
            split: Split::Train,
            prompts: 4,
            seeds: 2,
            rows,
            comparisons,
        };
        let text = report.to_string();
        assert!(
            text.lines().take(4).all(|line| line.matches('|').count() == 18),
            "{text}"
        );
        assert!(text.contains("| real renders (ceiling) less untrained |"), "{text}");
    }
}
