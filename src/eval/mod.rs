//! How good is a model? Every score stands between what real renders get, the ceiling, and what chance gets, the floor,
//! and combinations that training showed stand apart from ones it never did.
//!
//! [`tokenizer`] and [`bits`] score the two networks, [`prompts`] generates images of prompts and [`judge`] checks what
//! they show, [`tables`] repeats the paper's ablations, [`self_correction`] measures self-correction and [`copies`]
//! looks for training images in what was drawn. Pictures are compared as [`features`] of [`efficientnet`]; what they
//! show is named by [`identity`] and by the [`oracle`](crate::data::oracle), neither of which has learnt from us.

pub mod bits;
pub mod copies;
pub mod efficientnet;
mod error;
pub mod features;
pub mod frechet;
pub mod identity;
pub mod jackknife;
pub mod judge;
pub mod measure;
pub mod prompts;
pub mod regions;
pub mod report;
pub mod score;
pub mod self_correction;
pub mod similarity;
pub mod subject;
pub mod synonyms;
pub mod tables;
pub mod tokenizer;

pub use error::EvalError;

use burn::tensor::Tensor;

/// Seed of validation scenes, of the ceiling's compositions and of the floor's order of prompts.
const SEED: u64 = 0xE7A1;

/// The values of a tensor.
fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, EvalError> {
    let failed = |error: String| EvalError::Device(error);
    let data = tensor.try_into_data().map_err(|error| failed(format!("{error:?}")))?;
    data.try_to_vec().map_err(|error| failed(format!("{error:?}")))
}
