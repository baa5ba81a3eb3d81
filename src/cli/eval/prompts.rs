//! `infinity eval prompts`.

use super::{Common, Features, Judging, ask_all, progress};
use crate::cli::CliError;
use crate::cli::data::save;
use crate::cli::generate::per_scale;
use crate::data::heldout::Split;
use crate::eval::report::Report;
use crate::model::sampling::SamplingOptions;
use crate::train::picture::grid;
use clap::Args;
use std::path::PathBuf;

/// Six kinds of prompts, as in GenEval: one and two objects, counting, colours, position, colour attribution.
///
/// Every score stands beside the one of real renders (the ceiling) and the one of the same pictures under shuffled
/// prompts (the floor), for combinations seen in training and held out.
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
    /// Guidance, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    cfg: Vec<f64>,
    /// Temperature, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    tau: Vec<f64>,
    /// PNG file for the first seed's picture of every held-out prompt, a row or more for each kind
    #[arg(long, value_name = "FILE")]
    grid: Option<PathBuf>,
}

impl EvalPrompts {
    /// Pictures in a row of the grid.
    const COLUMNS: usize = 8;

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
            let first = report.ask((*split, questions), &judging.judge(), &judging.world, |question| {
                bar.inc(self.seeds);
                subject.draw(&question.text, 1, self.seeds as usize, &options)
            })?;
            if let (Split::HeldOut, Some(path)) = (split, &self.grid) {
                save(path, &grid(&first, Self::COLUMNS))?;
            }
        }
        bar.finish_and_clear();
        self.common.publish(&report)
    }
}
