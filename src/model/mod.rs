//! The paper's model: text · schedule · quantizer · self-correction · transformer · VAE. Nothing here knows of the
//! browser, files or a user interface.

pub mod config;
mod error;
pub mod nn;
pub mod text_features;

pub use error::ModelError;
