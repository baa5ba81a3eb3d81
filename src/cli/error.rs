//! What can go wrong on the command line, each with what to do about it.

use crate::data::DataError;
use crate::engine::EngineError;
use crate::model::text::TextError;
use crate::train::TrainError;
use crate::weights::WeightsError;
use std::path::PathBuf;

/// Errors of the subcommands.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error("{} holds a {found} where a {expected} is asked for; check which file you picked", path.display())]
    WrongNetwork {
        path: PathBuf,
        expected: &'static str,
        found: &'static str,
    },
    #[error("the {0} is given twice; leave one of the two away")]
    GivenTwice(&'static str),
    #[error(
        "the transformer of {} was not trained on the tokenizer of {}; give the tokenizer run that it was trained on",
        transformer.display(), tokenizer.display()
    )]
    OtherTokenizer { transformer: PathBuf, tokenizer: PathBuf },
    #[error(
        "{} lacks the transformer, the text encoder or the words of a trained model; name a folder that `infinity pack` \
         wrote", .0.display()
    )]
    NotPacked(PathBuf),
    #[error(
        "{} is not a tokenizer.json of Hugging Face ({reason}); take the one of the text encoder", path.display()
    )]
    Tokenizer { path: PathBuf, reason: String },
    #[error("cannot write {}: {source}; check the folder and that the name ends in .png", path.display())]
    Picture { path: PathBuf, source: image::ImageError },
    #[error("cannot write {}: {source}; check the folder", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("no threads to compose pictures on: {0}; give a smaller --threads")]
    Threads(String),
    #[error(transparent)]
    Generate(#[from] super::GenerateError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Eval(#[from] crate::eval::EvalError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
