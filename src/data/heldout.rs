//! Which combinations training never sees.
//!
//! Whether "purple octopus" may be trained on is decided by the SHA-256 of these words, before any drawing: no seed, no
//! order and no later addition to the bank moves a combination from one side to the other. Every object, colour, style,
//! number, relation and place stays seen singly; what a held-out prompt tests is their combination.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::colour::Colour;
use super::scene::{Backdrop, Place, Scene};
use super::sprites::SpriteBank;
use super::style::Style;

/// One combination in this many is held out.
const ONE_IN: u64 = 10;
/// One place of an object in this many is.
const ONE_PLACE_IN: u64 = 20;

/// A side of the division.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    Train,
    HeldOut,
}

impl Split {
    /// The side of a scene: one held-out combination is enough.
    pub fn of(scene: &Scene, bank: &SpriteBank) -> Self {
        match combinations(scene, bank).iter().any(|c| c.held_out(bank)) {
            true => Self::HeldOut,
            false => Self::Train,
        }
    }
}

/// Two things that a scene brings together; objects by their place in the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combination {
    Colour(usize, Colour),
    Style(usize, Style),
    /// More than one of an object.
    Count(usize, usize),
    /// Two different objects, in any order and relation.
    Pair(usize, usize),
    Place(usize, Place),
}

impl Combination {
    /// The normalised words the decision is made on: `red apple`, `glossy apple`, `3 apple`, `apple and bear`, `apple
    /// in a meadow`.
    pub fn words(self, bank: &SpriteBank) -> String {
        let noun = |concept: usize| bank.subjects[concept].entry.noun.trim().to_lowercase();
        match self {
            Self::Colour(concept, colour) => format!("{} {}", colour.name(), noun(concept)),
            Self::Style(concept, style) => format!("{} {}", style.words(), noun(concept)),
            Self::Count(concept, count) => format!("{count} {}", noun(concept)),
            Self::Pair(one, other) => {
                let (one, other) = (noun(one), noun(other));
                format!("{} and {}", one.as_str().min(&other), one.as_str().max(&other))
            }
            Self::Place(concept, place) => format!("{} {}", noun(concept), place.words()),
        }
    }

    /// Is it kept from training?
    ///
    /// What an object looks like without a word for it is always trained on: its own colours, the flat style, one of it.
    pub fn held_out(self, bank: &SpriteBank) -> bool {
        let one_in = match self {
            Self::Colour(concept, colour) if bank.subjects[concept].is_natural(colour) => return false,
            Self::Style(_, Style::Flat) | Self::Count(_, 0 | 1) => return false,
            Self::Pair(one, other) if one == other => return false,
            Self::Place(..) => ONE_PLACE_IN,
            _ => ONE_IN,
        };
        hashed_out(&self.words(bank), one_in)
    }
}

/// Everything that a scene combines.
pub fn combinations(scene: &Scene, bank: &SpriteBank) -> Vec<Combination> {
    let mut found = Vec::new();
    for object in &scene.objects {
        // An object that keeps its colours shows its own one, which is never held out.
        found.extend(object.colour.map(|colour| Combination::Colour(object.concept, colour)));
        if let Some(sprite) = bank.subjects[object.concept].sprite(scene.style) {
            found.push(Combination::Style(object.concept, sprite.style));
        }
        if let Backdrop::Place(place) = scene.backdrop {
            found.push(Combination::Place(object.concept, place));
        }
        let same = scene.objects.iter().filter(|other| other.concept == object.concept).count();
        found.push(Combination::Count(object.concept, same));
        let others = scene.objects.iter().filter(|other| other.concept > object.concept);
        found.extend(others.map(|other| Combination::Pair(object.concept, other.concept)));
    }
    found
}

/// The decision: the first eight bytes of the hash, as a number, are a multiple of `one_in`.
fn hashed_out(words: &str, one_in: u64) -> bool {
    let digest = Sha256::digest(words.as_bytes());
    let number = digest.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte));
    number % one_in == 0
}
