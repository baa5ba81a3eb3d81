//! `infinity eval copies`.

use super::{Common, Features, Judging, ask_all, progress};
use crate::cli::CliError;
use crate::data::heldout::Split;
use crate::eval::copies::{CopiesReport, Pool};
use clap::Args;

/// How near pictures of the model come to training renders.
#[derive(Args, Debug)]
pub(super) struct EvalCopies {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    features: Features,
    /// Prompts of each of the six kinds, seen and held out
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    prompts: u32,
    /// Pictures of each prompt, with the seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    seeds: u64,
    /// Random training renders to compare with, beside four of each seen prompt
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pool: u32,
}

impl EvalCopies {
    pub(super) fn run(self) -> Result<(), CliError> {
        let subject = self.common.subject()?;
        let judging = Judging::new(&self.common.asked, &self.features, &subject.device)?;
        let (world, judge) = (&judging.world, judging.judge());
        let (height, width) = subject.schedule()?.image_size();
        let asked = [Split::HeldOut, Split::Train].map(|split| (split, ask_all(world, split, self.prompts as usize)));
        let pool = Pool::new(
            world,
            &asked[1].1,
            self.pool as usize,
            [height, width],
            &judging.extractor,
        )?;
        let count: usize = asked.iter().map(|(_, questions)| questions.len()).sum();
        let bar = progress("drawing", count * self.seeds as usize);
        let threshold = pool.threshold((&asked[0].1, self.seeds), world, &judging.extractor)?;
        let mut report = CopiesReport::new(subject.name.clone(), &pool, threshold);
        for (split, questions) in &asked {
            let mut drawn = Vec::with_capacity(questions.len());
            for question in questions {
                drawn.push(subject.draw(&question.text, 1, self.seeds as usize, &subject.sampling)?);
                bar.inc(self.seeds);
            }
            report.add((*split, questions), &drawn, &pool, world, &judge)?;
        }
        bar.finish_and_clear();
        self.common.publish(&report)
    }
}
