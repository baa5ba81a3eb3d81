//! `infinity eval tables`.

use super::{Asked, Features, Judging, progress, publish};
use crate::cli::CliError;
use crate::cli::processor::Processor;
use crate::data::heldout::Split;
use crate::eval::prompts::{self, Task};
use crate::eval::subject::Subject;
use crate::eval::tables::{Bench, Decoding, TablesReport};
use clap::Args;
use std::path::PathBuf;

/// The paper's ablations: the ways to decode of Table 9, and models side by side as in Tables 7 and 8.
///
/// Every model is scored with its own sampling and compared with the first one, which is also scored in every way to
/// decode. For Tables 7 and 8 train models with `infinity train transformer --flips P` (0 is teacher forcing) and
/// `--inputs-only` (random flips).
#[derive(Args, Debug)]
pub(super) struct EvalTables {
    /// Folder of a model, or of a baseline within one; several models make one table
    #[arg(long, value_name = "DIR", required = true)]
    model: Vec<PathBuf>,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    features: Features,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Processor::Cpu)]
    device: Processor,
    /// JSON file for the scores; the table is printed either way
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Ask for combinations that training showed, in place of held-out ones
    #[arg(long)]
    seen: bool,
    /// Score the models only with their own sampling
    #[arg(long)]
    own: bool,
    /// Prompts of each of the six kinds
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    prompts: u32,
    /// Pictures of each prompt, with the seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    seeds: u64,
}

impl EvalTables {
    pub(super) fn run(self) -> Result<(), CliError> {
        let device = self.device.open()?;
        let judging = Judging::new(&self.asked, &self.features, &device)?;
        let judge = judging.judge();
        let subjects: Vec<Subject> = (self.model.iter())
            .map(|model| Subject::load(model, &device))
            .collect::<Result<_, _>>()?;
        let split = if self.seen { Split::Train } else { Split::HeldOut };
        let count = self.prompts as usize;
        let (mut questions, mut others) = (Vec::new(), Vec::new());
        for task in Task::ALL {
            let mut asked = prompts::questions(&judging.world, task, split, 2 * count);
            others.extend(asked.split_off(asked.len().div_ceil(2).min(count)));
            questions.extend(asked);
        }
        let own = |subject: &Subject| Decoding {
            name: "the model's own".to_string(),
            options: subject.sampling.clone(),
        };
        let mut runs: Vec<(&Subject, Decoding)> = subjects.iter().map(|subject| (subject, own(subject))).collect();
        let first = &subjects[0];
        if !self.own {
            let ways = Decoding::table9(first.scales).into_iter();
            runs.extend(ways.map(|decoding| (first, decoding)));
        }
        let (height, width) = first.schedule()?.image_size();
        let bench = Bench::new(
            (&questions, &others, self.seeds),
            &judge,
            &judging.world,
            [height, width],
        )?;
        let bar = progress("drawing", runs.len() * questions.len() * self.seeds as usize);
        let mut report = TablesReport {
            split,
            prompts: questions.len(),
            seeds: self.seeds,
            rows: vec![bench.ceiling()?],
            comparisons: Vec::new(),
        };
        for (subject, decoding) in runs {
            report.rows.push(bench.run(subject, decoding, &bar)?);
        }
        if let [_, first, others @ ..] = report.rows.as_slice() {
            let others = others.iter().take(subjects.len() - 1);
            report.comparisons = others.map(|other| first.less(other)).collect();
        }
        bar.finish_and_clear();
        publish(self.out.as_deref(), &report)
    }
}
