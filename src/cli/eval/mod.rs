//! `infinity eval`: scores of a packed model, one subcommand a score.

mod bits;
mod copies;
mod prompts;
mod self_correction;
mod synonyms;
mod tables;
mod tokenizer;

use super::CliError;
use super::processor::Processor;
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::data::oracle::Oracle;
use crate::eval::EvalError;
use crate::eval::features::{DEFAULT_FILE, Extractor};
use crate::eval::identity::Prototypes;
use crate::eval::judge::Judge;
use crate::eval::prompts::{Question, Task, questions};
use crate::eval::subject::Subject;
use burn::tensor::Device;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};

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
    Synonyms(synonyms::EvalSynonyms),
    Copies(copies::EvalCopies),
    Tables(tables::EvalTables),
    SelfCorrection(self_correction::EvalSelfCorrection),
}

impl Eval {
    pub fn run(self) -> Result<(), CliError> {
        match self.score {
            Score::Tokenizer(score) => score.run(),
            Score::Bits(score) => score.run(),
            Score::Prompts(score) => score.run(),
            Score::Synonyms(score) => score.run(),
            Score::Copies(score) => score.run(),
            Score::Tables(score) => score.run(),
            Score::SelfCorrection(score) => score.run(),
        }
    }
}

/// What the model is asked about.
#[derive(Args, Debug)]
struct Asked {
    /// The composer's parts that the model was trained on, as `infinity train --data` took them
    #[arg(long, default_value = "emoji")]
    data: String,
}

impl Asked {
    fn world(&self, split: Split) -> Result<EmojiWorld, CliError> {
        Ok(EmojiWorld::composed(&self.data, split)?)
    }

    /// Both sides of the split, held out first.
    fn worlds(&self) -> Result<[(Split, EmojiWorld); 2], CliError> {
        let world = |split| self.world(split).map(|world| (split, world));
        Ok([world(Split::HeldOut)?, world(Split::Train)?])
    }
}

/// What every score takes.
#[derive(Args, Debug)]
struct Common {
    #[command(flatten)]
    asked: Asked,
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

    fn publish(&self, report: &(impl Serialize + Display)) -> Result<(), CliError> {
        publish(self.out.as_deref(), report)
    }
}

/// Prints the table and, if a file is named, writes the JSON.
fn publish(out: Option<&Path>, report: &(impl Serialize + Display)) -> Result<(), CliError> {
    println!("{report}");
    let Some(path) = out else { return Ok(()) };
    let failed = |source: std::io::Error| CliError::Write {
        path: path.to_path_buf(),
        source,
    };
    let json = serde_json::to_vec_pretty(report).map_err(|error| failed(error.into()))?;
    std::fs::write(path, json).map_err(failed)
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

/// Everything that looking at pictures takes.
struct Judging {
    world: EmojiWorld,
    extractor: Extractor,
    prototypes: Prototypes,
    oracle: Oracle,
}

impl Judging {
    fn new(asked: &Asked, features: &Features, device: &Device) -> Result<Self, CliError> {
        let world = asked.world(Split::Train)?;
        let extractor = features.open(device)?;
        let cache = features.features.parent().unwrap_or(Path::new(""));
        let bar = progress("looking at the drawings", 0);
        let prototypes = Prototypes::new(world.bank(), &extractor, cache, &bar)?;
        bar.finish_and_clear();
        Ok(Self {
            oracle: Oracle::new(world.bank()),
            world,
            extractor,
            prototypes,
        })
    }

    fn judge(&self) -> Judge<'_> {
        Judge {
            extractor: &self.extractor,
            prototypes: &self.prototypes,
            oracle: &self.oracle,
        }
    }
}

/// Questions of all tasks, `count` of each.
fn ask_all(world: &EmojiWorld, split: Split, count: usize) -> Vec<Question> {
    Task::ALL
        .into_iter()
        .flat_map(|task| questions(world, task, split, count))
        .collect()
}

/// A bar that says what is being done.
fn progress(what: &str, count: usize) -> ProgressBar {
    let bar = ProgressBar::new(count as u64);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len}, {eta} to go") {
        bar.set_style(style);
    }
    bar.with_message(what.to_string())
}
