//! The paper's model: text · schedule · quantizer · self-correction · transformer · VAE. Nothing here knows of the
//! browser, files or a user interface.

pub mod bits;
pub mod config;
mod error;
pub mod memory;
pub mod nn;
pub mod official;
pub mod quantizer;
pub mod random;
pub mod rope;
pub mod sampling;
pub mod schedule;
pub mod self_correction;
pub mod t5;
pub mod text;
pub mod text_features;
pub mod transformer;
pub mod vae;

pub use crate::kernels::reference::resize;
pub use error::ModelError;
