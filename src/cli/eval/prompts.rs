//! `infinity eval prompts`.

use super::{Common, Features, Judging, ask_all, progress};
use crate::cli::CliError;
use crate::cli::data::sheet;
use crate::cli::generate::per_scale;
use crate::data::heldout::Split;
use crate::eval::prompts::{Question, Task, assortment};
use crate::eval::report::{Judged, Report};
use crate::model::sampling::SamplingOptions;
use crate::train::picture::tensor;
use clap::Args;
use image::RgbImage;
use std::path::PathBuf;

/// Six kinds of prompts, as in GenEval: one and two objects, counting, colors, position, color attribution.
///
/// Every score stands beside the one of real renders (the ceiling), that of the same renders after the model's
/// tokenizer (what the transformer could reach) and the one of the model's pictures under shuffled prompts (the floor),
/// for combinations seen in training and held out.
#[derive(Args, Debug)]
pub(super) struct EvalPrompts {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    features: Features,
    /// Prompts of each kind, seen and held out
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    prompts: u32,
    /// Pictures of each prompt, with the seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    seeds: u64,
    /// Guidance strength, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    cfg: Vec<f64>,
    /// Temperature, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    tau: Vec<f64>,
    /// PNG file for the first seed's pictures of 100 held-out prompts of all kinds, not picked; the prompts get the
    /// same name with .txt
    #[arg(long, value_name = "FILE")]
    grid: Option<PathBuf>,
    /// PNG file for the first ten held-out prompts of each kind whose first seed's picture was judged wrong; prompts
    /// and what was seen get the same name with .txt
    #[arg(long, value_name = "FILE")]
    failures: Option<PathBuf>,
}

impl EvalPrompts {
    /// Pictures in a row and in a column of the grid, and failures of a kind.
    const SIDE: usize = 10;

    pub(super) fn run(self) -> Result<(), CliError> {
        let subject = self.common.subject()?;
        let judging = Judging::new(&self.common.asked, &self.features, &subject.device)?;
        let options = SamplingOptions {
            cfg: per_scale(&self.cfg).unwrap_or(subject.sampling.cfg.clone()),
            tau: per_scale(&self.tau).unwrap_or(subject.sampling.tau.clone()),
            ..subject.sampling.clone()
        };
        let asked =
            [Split::HeldOut, Split::Train].map(|split| (split, ask_all(&judging.world, split, self.prompts as usize)));
        let count: usize = asked.iter().map(|(_, questions)| questions.len()).sum();
        let bar = progress("drawing", count * self.seeds as usize);
        let mut report = Report::new(subject.name.clone(), self.seeds);
        for (split, questions) in &asked {
            let draw = |question: &Question| {
                bar.inc(self.seeds);
                subject.draw(&question.text, 1, self.seeds as usize, &options)
            };
            let rebuild = |pictures: &[RgbImage]| subject.rebuild(tensor(pictures, &subject.device));
            let asked = (*split, questions.as_slice());
            let drawn = report.ask(asked, &judging.judge(), &judging.world, draw, rebuild)?;
            if let (Split::HeldOut, Some(path)) = (split, &self.failures) {
                // Held-out questions are asked first, so theirs are the first pictures of the report.
                let judged: Vec<_> = report.pictures.iter().zip(drawn).collect();
                let wrong = Task::ALL.into_iter().flat_map(|task| {
                    let failed = judged
                        .iter()
                        .filter(move |(judged, _)| judged.task == task && judged.seed == 1 && !judged.right);
                    failed.take(Self::SIDE)
                });
                let tile = |(Judged { prompt, sight, .. }, image): &(&Judged, RgbImage)| {
                    (image.clone(), format!("{prompt} | seen: {sight}"))
                };
                sheet(path, wrong.map(tile), Self::SIDE)?;
            }
        }
        bar.finish_and_clear();
        if let Some(path) = &self.grid {
            let asked = assortment(&judging.world, Split::HeldOut, Self::SIDE * Self::SIDE);
            let bar = progress("drawing the grid", asked.len());
            let mut tiles = Vec::with_capacity(asked.len());
            for question in asked {
                let image = subject.draw(&question.text, 1, 1, &options)?;
                tiles.extend(image.into_iter().map(|image| (image, question.text.clone())));
                bar.inc(1);
            }
            bar.finish_and_clear();
            sheet(path, tiles, Self::SIDE)?;
        }
        self.common.publish(&report)
    }
}
