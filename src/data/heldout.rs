//! Which combinations training never sees.
//!
//! Whether "purple octopus" may be trained on is decided by the SHA-256 of these words, before any drawing: no seed, no
//! order and no later addition to the bank moves a combination from one side to the other. Every object and every
//! colour stays seen singly; what a held-out prompt tests is their combination.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::colour::Colour;
use super::sprites::{Entry, SpriteBank};

/// One combination in this many is held out.
const ONE_IN: u64 = 10;

/// A side of the division.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    Train,
    HeldOut,
}

impl Split {
    /// The side of an object in a colour. Its own colour is always trained on, for an uncoloured caption shows it.
    pub fn of(entry: &Entry, colour: Colour) -> Self {
        if colour != entry.natural && hashed_out(&entry.noun, colour) {
            Self::HeldOut
        } else {
            Self::Train
        }
    }
}

/// All combinations of one side, as places in the bank with a colour.
pub fn combinations(bank: &SpriteBank, split: Split) -> Vec<(usize, Colour)> {
    let mut found = Vec::new();
    for (place, sprite) in bank.sprites.iter().enumerate() {
        let entry = &sprite.entry;
        found.extend(
            entry
                .colours
                .iter()
                .filter(|&&c| Split::of(entry, c) == split)
                .map(|&c| (place, c)),
        );
    }
    found
}

/// The decision on the normalised words, colour first: `red apple`.
fn hashed_out(noun: &str, colour: Colour) -> bool {
    let words = format!("{} {}", colour.name(), noun.trim().to_lowercase());
    let digest = Sha256::digest(words.as_bytes());
    let number = digest
        .iter()
        .take(8)
        .fold(0, |number, &byte| number << 8 | u64::from(byte));
    number % ONE_IN == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::compose::EmojiWorld;
    use crate::data::source::Source;
    use std::collections::HashSet;

    #[test]
    fn about_a_tenth_is_held_out_and_the_sides_are_disjoint() {
        let bank = SpriteBank::bundled().unwrap();
        let train: HashSet<_> = combinations(&bank, Split::Train).into_iter().collect();
        let held_out: HashSet<_> = combinations(&bank, Split::HeldOut).into_iter().collect();
        assert!(train.is_disjoint(&held_out));
        let all: usize = bank.sprites.iter().map(|sprite| sprite.entry.colours.len()).sum();
        assert_eq!(train.len() + held_out.len(), all);
        let share = held_out.len() as f32 / all as f32;
        assert!((0.07..0.13).contains(&share), "{share}");
        for colour in Colour::OBJECTS {
            assert!(
                train.iter().any(|&(_, c)| c == colour),
                "{colour:?} is seen with some object"
            );
        }
        for place in 0..bank.sprites.len() {
            assert!(
                train.iter().filter(|&&(p, _)| p == place).count() >= 5,
                "every object is seen in several colours"
            );
        }
    }

    #[test]
    fn the_decision_is_the_hash_of_the_words() {
        // printf 'blue apple' | sha256sum: the first eight bytes are a multiple of ten; of 'red apple' they are not.
        assert!(hashed_out("apple", Colour::Blue) && hashed_out(" Apple", Colour::Blue));
        assert!(!hashed_out("apple", Colour::Red));
    }

    #[test]
    fn no_training_sample_shows_a_held_out_combination() {
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let mut seen = HashSet::new();
        for index in 0..20_000 {
            let truth = world.sample(11, index, 16, 16).unwrap().truth.unwrap();
            let place = world.bank().find(&truth.concept).unwrap();
            let entry = &world.bank().sprites[place].entry;
            assert_eq!(Split::of(entry, truth.colour), Split::Train, "{truth:?}");
            seen.insert((place, truth.colour));
        }
        assert_eq!(
            seen.len(),
            combinations(world.bank(), Split::Train).len(),
            "all others come up"
        );
    }

    #[test]
    fn the_other_side_shows_nothing_else() {
        let world = EmojiWorld::bundled(Split::HeldOut).unwrap();
        for index in 0..2000 {
            let truth = world.sample(11, index, 16, 16).unwrap().truth.unwrap();
            let entry = &world.bank().sprites[world.bank().find(&truth.concept).unwrap()].entry;
            assert_eq!(Split::of(entry, truth.colour), Split::HeldOut, "{truth:?}");
        }
    }
}
