//! `infinity eval`: scores of a packed model, one subcommand a score.

mod bits;
mod correction;
mod prompts;
mod tokenizer;

use super::CliError;
use super::processor::Processor;
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::eval::EvalError;
use crate::eval::features::{DEFAULT_FILE, Extractor};
use crate::eval::subject::Subject;
use burn::tensor::Device;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fmt::Display;
use std::path::PathBuf;

/// Score a model; every score stands between what real renders get and what chance gets.
#[derive(Args, Debug)]
pub struct Eval {
    #[command(subcommand)]
    score: Score,
}

#[derive(Subcommand, Debug)]
enum Score {
    Tokenizer(tokenizer::EvalTokenizer),
    Bits(bits::EvalBits),
    Prompts(prompts::EvalPrompts),
    SelfCorrection(correction::EvalCorrection),
}

impl Eval {
    pub fn run(self) -> Result<(), CliError> {
        match self.score {
            Score::Tokenizer(score) => score.run(),
            Score::Bits(score) => score.run(),
            Score::Prompts(score) => score.run(),
            Score::SelfCorrection(score) => score.run(),
        }
    }
}

/// What every score takes.
#[derive(Args, Debug)]
struct Common {
    /// Folder of the model: manifest.json and its shards
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Processor::Cpu)]
    device: Processor,
    /// JSON file for the scores; the table is printed either way
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Common {
    fn subject(&self) -> Result<Subject, CliError> {
        Ok(Subject::load(&self.model, &self.device.open()?)?)
    }

    /// Prints the table and writes the JSON.
    fn publish(&self, report: &(impl Serialize + Display)) -> Result<(), CliError> {
        println!("{report}");
        let Some(path) = &self.out else { return Ok(()) };
        let failed = |source: std::io::Error| CliError::Write {
            path: path.clone(),
            source,
        };
        let json = serde_json::to_vec_pretty(report).map_err(|error| failed(error.into()))?;
        std::fs::write(path, json).map_err(failed)
    }
}

/// The picture classifier that scores compare pictures with.
#[derive(Args, Debug)]
struct Features {
    /// EfficientNet-Lite0, as `make eval-weights` fetches it
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    features: PathBuf,
}

impl Features {
    fn open(&self, device: &Device) -> Result<Extractor, EvalError> {
        Extractor::open(&self.features, device)
    }
}

/// Both sides of the split, held out first.
fn worlds() -> Result<[(Split, EmojiWorld); 2], CliError> {
    let world = |split| EmojiWorld::bundled(split).map(|world| (split, world));
    Ok([world(Split::HeldOut)?, world(Split::Train)?])
}

/// A bar that says what is being done.
fn progress(what: &str, count: usize) -> ProgressBar {
    let bar = ProgressBar::new(count as u64);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len}, {eta} to go") {
        bar.set_style(style);
    }
    bar.with_message(what.to_string())
}
