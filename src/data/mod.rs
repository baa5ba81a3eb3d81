//! Captioned images: composed ones for the default model, folders of one's own, and the oracle that judges what a
//! model drew.
//!
//! [`build`] draws the icons of a pinned package into the [`sprites`] bank; [`recolour`] paints them; [`compose`] puts
//! one on a background and [`captions`] says what is there; [`heldout`] keeps combinations back for the test.

pub mod build;
pub mod captions;
pub mod colour;
pub mod compose;
pub mod concepts;
mod error;
pub mod folder;
pub mod heldout;
pub mod oracle;
pub mod recolour;
pub mod rng;
mod source;
pub mod sprites;

pub use error::DataError;
pub use source::{Sample, Source, Truth};
