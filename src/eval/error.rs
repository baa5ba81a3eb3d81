//! What can go wrong while a model is scored, each with what to do about it.

use crate::data::DataError;
use crate::model::ModelError;
use crate::model::text::TextError;
use crate::train::TrainError;
use crate::weights::WeightsError;
use std::path::PathBuf;

/// Errors of the evaluation.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    #[error(
        "{} is not there: `make eval-weights` fetches EfficientNet-Lite0, or name the file with --features",
        .0.display()
    )]
    NoFeatures(PathBuf),
    #[error("{} is not EfficientNet-Lite0: {source}. `make eval-weights` fetches the right file", path.display())]
    Features { path: PathBuf, source: Box<WeightsError> },
    #[error("cannot write {}: {source}; check the folder that the features lie in", path.display())]
    Cache { path: PathBuf, source: std::io::Error },
    #[error("the model in {} has no {what}, which this score needs; pack it from its training runs", path.display())]
    Incomplete { path: PathBuf, what: &'static str },
    #[error(
        "a Frechet distance needs at least two images on either side and got {0} and {1}; ask for more with --images"
    )]
    TooFew(usize, usize),
    #[error("the two sides of the comparison have {0} and {1} features; take both from one network")]
    Widths(usize, usize),
    #[error(
        "a picture has features that are no finite numbers; the model drew none that can be seen, so train it anew from before it diverged"
    )]
    NotFinite,
    #[error("pictures of {0:?} and {1:?} pixels cannot be compared; draw both at one size")]
    Sizes((u32, u32), (u32, u32)),
    #[error("pictures of {0:?} pixels are smaller than the 11 x 11 window of SSIM; draw larger ones")]
    SmallerThanWindow((u32, u32)),
    #[error("the device failed while results were read ({0}); try --device cpu")]
    Device(String),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
