//! Captioned images: composed ones for the default model, folders of one's own, and the oracle that judges what a
//! model drew.
//!
//! [`build`] draws the icons of pinned packages, one for each [`style`], into the [`sprites`] bank; [`recolour`] paints
//! them. A [`scene`] says what a picture is to show: [`compose`] makes it up and draws it, [`captions`] puts it into
//! words, and [`heldout`] keeps combinations back for the test.

#[cfg(not(target_family = "wasm"))]
pub mod build;
pub mod captions;
pub mod colour;
pub mod compose;
pub mod concepts;
mod effects;
pub mod emoji;
mod error;
#[cfg(not(target_family = "wasm"))]
pub mod folder;
pub mod heldout;
mod layout;
pub mod lettering;
#[cfg(not(target_family = "wasm"))]
pub mod oracle;
mod patterns;
pub mod pictures;
mod places;
mod raster;
pub mod recolour;
pub mod rng;
pub mod scene;
mod source;
pub mod sprites;
pub mod style;

pub use error::DataError;
pub use source::{Placed, Sample, Source, Truth};
