//! The paper's model: text · schedule · quantizer · self-correction · transformer · VAE. Nothing here knows of the
//! browser, files or a user interface.

pub mod config;
pub mod nn;
