//! `infinity eval synonyms`.

use super::{Common, Features, Judging, progress};
use crate::cli::CliError;
use crate::data::heldout::Split;
use crate::eval::synonyms::{SynonymsReport, pairs};
use clap::Args;

/// Whether an object is drawn when it is called by a synonym as when it is called by its own noun.
#[derive(Args, Debug)]
pub(super) struct EvalSynonyms {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    features: Features,
    /// Scenes with an object in its own colors and with one in another color, seen and held out
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u32).range(1..))]
    prompts: u32,
    /// Pictures of each scene, with the seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    seeds: u64,
}

impl EvalSynonyms {
    pub(super) fn run(self) -> Result<(), CliError> {
        let subject = self.common.subject()?;
        let judging = Judging::new(&self.common.asked, &self.features, &subject.device)?;
        let asked =
            [Split::HeldOut, Split::Train].map(|split| (split, pairs(&judging.world, split, self.prompts as usize)));
        let count: usize = asked.iter().map(|(_, pairs)| 2 * pairs.len()).sum();
        let bar = progress("drawing", count * self.seeds as usize);
        let mut report = SynonymsReport {
            model: subject.name.clone(),
            seeds: self.seeds,
            rows: Vec::new(),
            losses: Vec::new(),
        };
        for (split, pairs) in &asked {
            report.ask((*split, pairs), &judging.judge(), |question| {
                bar.inc(self.seeds);
                subject.draw(&question.text, 1, self.seeds as usize, &subject.sampling)
            })?;
        }
        bar.finish_and_clear();
        self.common.publish(&report)
    }
}
