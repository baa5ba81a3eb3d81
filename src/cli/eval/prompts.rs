//! `infinity eval prompts`: has a model draw prompts whose answer is known, and counts what it got right.

use super::{Common, progress};
use crate::cli::CliError;
use crate::cli::data::save;
use crate::cli::generate::per_scale;
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::data::oracle::Oracle;
use crate::eval::prompts::choose;
use crate::eval::report::{Judged, Report};
use crate::eval::{draw, rows};
use crate::model::sampling::SamplingOptions;
use crate::train::picture::grid;
use clap::Args;
use std::path::PathBuf;

/// Objects in colours, seen in training and held out, drawn from prompts.
///
/// Every score stands beside the one of real compositions (the ceiling) and the one of the same pictures under shuffled
/// prompts (the floor).
#[derive(Args, Debug)]
pub(super) struct EvalPrompts {
    #[command(flatten)]
    common: Common,
    /// Prompts of each kind, seen and held out
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    prompts: u32,
    /// Pictures of each prompt, with the seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Guidance, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    cfg: Vec<f64>,
    /// Temperature, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    tau: Vec<f64>,
    /// PNG file for the first seed's picture of every held-out prompt, in the report's order
    #[arg(long, value_name = "FILE")]
    grid: Option<PathBuf>,
}

impl EvalPrompts {
    /// Pictures in a row of the grid.
    const COLUMNS: usize = 8;

    pub(super) fn run(self) -> Result<(), CliError> {
        let subject = self.common.subject()?;
        let world = EmojiWorld::bundled(Split::Train)?;
        let oracle = Oracle::new(world.bank());
        let options = SamplingOptions {
            cfg: per_scale(&self.cfg).unwrap_or(subject.sampling.cfg.clone()),
            tau: per_scale(&self.tau).unwrap_or(subject.sampling.tau.clone()),
            ..subject.sampling.clone()
        };
        let asked =
            [Split::HeldOut, Split::Train].map(|split| (split, choose(world.bank(), split, self.prompts as usize)));
        let count: usize = asked.iter().map(|(_, prompts)| prompts.len()).sum();
        let bar = progress("drawing", count * self.seeds as usize);
        let mut report = Report {
            model: subject.name.clone(),
            seeds: self.seeds,
            rows: Vec::new(),
            pictures: Vec::new(),
        };
        for (split, prompts) in &asked {
            let drawings = draw(prompts, self.seeds, &oracle, |prompt| {
                bar.inc(self.seeds);
                subject.draw(&prompt.text, 1, self.seeds as usize, &options)
            })?;
            report.rows.extend(rows(*split, prompts, &drawings, &world, &oracle)?);
            report
                .pictures
                .extend(drawings.iter().map(|drawing| Judged::new(*split, drawing)));
            if let (Split::HeldOut, Some(path)) = (split, &self.grid) {
                let first = drawings.into_iter().filter(|drawing| drawing.seed == 1);
                save(
                    path,
                    &grid(&first.map(|drawing| drawing.image).collect::<Vec<_>>(), Self::COLUMNS),
                )?;
            }
        }
        bar.finish_and_clear();
        self.common.publish(&report)
    }
}
