//! `infinity data stream`: batches of a prepared run on standard output, for a trainer in another process.

use super::CliError;
use crate::data::heldout::Split;
use crate::model::text::PromptEncoder;
use crate::train::batch::Batches;
use crate::train::plan::Plan;
use crate::train::stream;
use clap::Args;
use std::path::PathBuf;

/// Write the batches of a prepared run to standard output, pixels and token ids, as training/ reads them.
#[derive(Args, Debug)]
pub struct Stream {
    /// Folder of a run that `infinity train .. --prepare` wrote
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// First step
    #[arg(long, default_value_t = 0)]
    from: usize,
    /// Steps from one record to the next: as many as there are processes that share a run
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// Records to write [default: without end]
    #[arg(long)]
    records: Option<usize>,
    /// Threads that compose pictures [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
    /// Compose the combinations that training never sees, in squares
    #[arg(long)]
    held_out: bool,
}

impl Stream {
    pub fn run(self) -> Result<(), CliError> {
        let plan = Plan::load(&self.run)?;
        let settings = plan.stream_settings()?;
        let split = if self.held_out { Split::HeldOut } else { Split::Train };
        let source = super::source::source(&settings.data.data, split)?;
        let prompts = match (&plan.text_tokenizer, settings.transformer) {
            (Some(path), Some(text)) => {
                let json = std::fs::read(path).map_err(|error| CliError::Tokenizer {
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
                let (words, token_ids) = (&settings.words, &settings.token_ids);
                Some(PromptEncoder::with_vocabulary(
                    &json,
                    text.text_maxlen,
                    words,
                    token_ids,
                )?)
            }
            _ => None,
        };
        let batches = Batches {
            source: &*source,
            size: settings.data.batch,
            seed: settings.data.seed,
            scales: settings.data.scales,
            square_share: if self.held_out { 1.0 } else { settings.data.square_share },
        };
        let steps = (self.from..).step_by(self.every as usize);
        let steps = steps.take(self.records.unwrap_or(usize::MAX));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads.unwrap_or(0));
        let pool = pool.build().map_err(|error| CliError::Threads(error.to_string()))?;
        let out = std::io::stdout().lock();
        Ok(stream::write(&batches, prompts.as_ref(), steps, &pool, out)?)
    }
}
