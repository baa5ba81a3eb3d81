//! Which combinations training never sees.
//!
//! Whether "purple octopus" may be trained on is decided by the SHA-256 of these words, before any drawing: no seed, no
//! order and no later addition to the bank moves a combination from one side to the other. Every object, colour, style,
//! number, relation and place stays seen singly; what a held-out prompt tests is their combination.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::colour::Colour;
use super::lettering::Writing;
use super::scene::{Backdrop, Pattern, Place, Scene, Size};
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
    Pattern(usize, Pattern),
    Size(usize, Size),
    Text(Writing, Colour),
}

impl Combination {
    /// The normalised words the decision is made on: `red apple`, `glossy apple`, `3 apple`, `apple and bear`, `apple
    /// in a meadow`, `apple on dots`, `big apple`, `red text CAFE`.
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
            Self::Pattern(concept, pattern) => format!("{} on {}", noun(concept), pattern.word()),
            Self::Size(concept, size) => format!("{} {}", size.word(), noun(concept)),
            Self::Text(writing, colour) => format!("{} text {}", colour.name(), writing.characters()),
        }
    }

    /// Is it kept from training?
    ///
    /// What an object looks like without a word for it is always trained on: its own colours, the flat style, one of
    /// it.
    pub fn held_out(self, bank: &SpriteBank) -> bool {
        let one_in = match self {
            Self::Colour(concept, colour) if bank.subjects[concept].is_natural(colour) => return false,
            Self::Style(_, Style::Flat) | Self::Count(_, 0 | 1) => return false,
            Self::Pair(one, other) if one == other => return false,
            Self::Place(..) | Self::Pattern(..) => ONE_PLACE_IN,
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
        match scene.backdrop {
            Backdrop::Place(place) => found.push(Combination::Place(object.concept, place)),
            Backdrop::Pattern(pattern, ..) => found.push(Combination::Pattern(object.concept, pattern)),
            Backdrop::Plain(_) | Backdrop::Gradient(..) => {}
        }
        let same = scene
            .objects
            .iter()
            .filter(|other| other.concept == object.concept)
            .count();
        found.push(Combination::Count(object.concept, same));
        let others = scene.objects.iter().filter(|other| other.concept > object.concept);
        found.extend(others.map(|other| Combination::Pair(object.concept, other.concept)));
    }
    let sized = scene.objects.iter().zip(&scene.sizes);
    found.extend(sized.map(|(object, &size)| Combination::Size(object.concept, size)));
    // Black letters, which captions need not call black, are what a text looks like without a word for it.
    let text = scene.text.filter(|text| text.colour != Colour::Black);
    found.extend(text.map(|text| Combination::Text(text.writing, text.colour)));
    found
}

/// The decision: the first eight bytes of the hash, as a number, are a multiple of `one_in`.
fn hashed_out(words: &str, one_in: u64) -> bool {
    let digest = Sha256::digest(words.as_bytes());
    let number = digest
        .iter()
        .take(8)
        .fold(0, |number, &byte| number << 8 | u64::from(byte));
    number % one_in == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::compose::EmojiWorld;
    use crate::data::rng::Rng;
    use crate::data::scene::{Kind, Object, Relation};
    use std::collections::HashMap;

    /// Every combination a scene can have.
    fn all(bank: &SpriteBank) -> Vec<(&'static str, Combination)> {
        let mut all = Vec::new();
        for (place, subject) in bank.subjects.iter().enumerate() {
            let unnatural = |colour: &Colour| !subject.is_natural(*colour);
            let colours = Colour::OBJECTS.into_iter().filter(unnatural);
            all.extend(colours.map(|colour| ("colour", Combination::Colour(place, colour))));
            all.extend(
                Style::ALL[1..]
                    .iter()
                    .map(|&style| ("style", Combination::Style(place, style))),
            );
            all.extend((2..=6).map(|count| ("count", Combination::Count(place, count))));
            all.extend(
                Place::ALL
                    .into_iter()
                    .map(|at| ("place", Combination::Place(place, at))),
            );
            let others = place + 1..bank.subjects.len();
            all.extend(others.map(|other| ("pair", Combination::Pair(place, other))));
        }
        all
    }

    #[test]
    fn a_tenth_is_held_out_and_a_twentieth_of_the_places() {
        let bank = SpriteBank::bundled().unwrap();
        let mut counts: HashMap<&str, [usize; 2]> = HashMap::new();
        for (kind, combination) in all(&bank) {
            let count = counts.entry(kind).or_default();
            count[usize::from(combination.held_out(&bank))] += 1;
        }
        for (kind, [kept, out]) in counts {
            let share = out as f32 / (kept + out) as f32;
            let expected = if kind == "place" { 0.05 } else { 0.10 };
            assert!((share - expected).abs() < 0.025, "{kind}: {out} of {}", kept + out);
        }
    }

    #[test]
    fn everything_stays_seen_singly() {
        let bank = SpriteBank::bundled().unwrap();
        let kept: Vec<Combination> = (all(&bank).into_iter())
            .filter_map(|(_, combination)| (!combination.held_out(&bank)).then_some(combination))
            .collect();
        let any = |test: &dyn Fn(&Combination) -> bool| kept.iter().filter(|combination| test(combination)).count();
        for concept in 0..bank.subjects.len() {
            let noun = &bank.subjects[concept].entry.noun;
            assert!(
                any(&|c| matches!(c, Combination::Colour(it, _) if *it == concept)) >= 5,
                "{noun}"
            );
            assert!(
                any(&|c| matches!(c, Combination::Style(it, _) if *it == concept)) >= 1,
                "{noun}"
            );
            assert!(
                any(&|c| matches!(c, Combination::Count(it, _) if *it == concept)) >= 2,
                "{noun}"
            );
            assert!(
                any(&|c| matches!(c, Combination::Place(it, _) if *it == concept)) >= 4,
                "{noun}"
            );
        }
        for colour in Colour::OBJECTS {
            assert!(
                any(&|c| matches!(c, Combination::Colour(_, it) if *it == colour)) > 20,
                "{colour:?}"
            );
        }
        for place in Place::ALL {
            assert!(
                any(&|c| matches!(c, Combination::Place(_, it) if *it == place)) > 20,
                "{place:?}"
            );
        }
    }

    #[test]
    fn the_decision_is_the_hash_of_the_words() {
        // printf 'blue apple' | sha256sum: the first eight bytes are a multiple of ten; of 'red apple' they are not.
        let bank = SpriteBank::bundled().unwrap();
        let apple = bank.find("apple").unwrap();
        let blue = Combination::Colour(apple, Colour::Blue);
        assert_eq!(blue.words(&bank), "blue apple");
        assert!(blue.held_out(&bank) && !Combination::Colour(apple, Colour::Red).held_out(&bank));
        let bear = bank.find("bear").unwrap();
        assert_eq!(Combination::Pair(bear, apple).words(&bank), "apple and bear");
        assert_eq!(Combination::Pair(apple, bear).words(&bank), "apple and bear");
        assert_eq!(Combination::Count(bear, 3).words(&bank), "3 bear");
        assert_eq!(Combination::Place(bear, Place::Snow).words(&bank), "bear in the snow");
    }

    #[test]
    fn a_scene_combines_all_its_parts() {
        let bank = SpriteBank::bundled().unwrap();
        let [apple, bear] = ["apple", "bear"].map(|noun| bank.find(noun).unwrap());
        let red = Object {
            concept: apple,
            colour: Some(Colour::Red),
        };
        let bear = Object {
            concept: bear,
            colour: None,
        };
        let scene = Scene::related(red, Relation::Left, bear)
            .style(Style::Glossy)
            .on(Backdrop::Place(Place::Beach));
        let mut words: Vec<String> = combinations(&scene, &bank).iter().map(|c| c.words(&bank)).collect();
        words.sort();
        let expected = [
            "1 apple",
            "1 bear",
            "apple and bear",
            "apple on a beach",
            "bear on a beach",
            "glossy apple",
            "glossy bear",
            "red apple",
        ];
        assert_eq!(words, expected);
        let scene = Scene::counted(bear, 4).style(Style::Simple);
        assert!(combinations(&scene, &bank).contains(&Combination::Count(bear.concept, 4)));
    }

    #[test]
    fn no_training_sample_shows_a_held_out_combination() {
        let bank = SpriteBank::bundled().unwrap();
        // All there is, and the parts that models of a few million parameters are trained on.
        for name in ["emoji", "emoji:flat,plain,still", "emoji:flat,plain,calm"] {
            let world = EmojiWorld::composed(name, Split::Train).unwrap();
            // Asked of what was drawn, not of what was meant, and with the words made anew.
            for index in 0..3000 {
                let truth = crate::data::Source::sample(&world, 11, index, 16, 16)
                    .unwrap()
                    .truth
                    .unwrap();
                let mut words = Vec::new();
                for object in &truth.objects {
                    let noun = &object.concept;
                    let subject = &bank.subjects[bank.find(noun).unwrap()];
                    if let Some(colour) = object.colour.filter(|&colour| !subject.is_natural(colour)) {
                        words.push((format!("{} {noun}", colour.name()), 10));
                    }
                    if object.style != Style::Flat {
                        words.push((format!("{} {noun}", object.style.words()), 10));
                    }
                    if truth.kind == Kind::Count {
                        words.push((format!("{} {noun}", truth.objects.len()), 10));
                    }
                    if let Backdrop::Place(place) = truth.backdrop {
                        words.push((format!("{noun} {}", place.words()), 20));
                    }
                    for other in truth.objects.iter().filter(|other| other.concept > *noun) {
                        words.push((format!("{noun} and {}", other.concept), 10));
                    }
                }
                for (words, one_in) in words {
                    assert!(!hashed_out(&words, one_in), "{words} in {truth:?}");
                }
            }
        }
    }

    #[test]
    fn the_other_side_shows_one_in_every_scene() {
        for name in ["emoji", "emoji:flat,plain,still", "emoji:flat,plain,calm"] {
            let world = EmojiWorld::composed(name, Split::HeldOut).unwrap();
            let mut seen: HashMap<Kind, usize> = HashMap::new();
            for index in 0..2000 {
                let scene = world.scene(&mut Rng::new(11, index)).unwrap();
                assert_eq!(Split::of(&scene, world.bank()), Split::HeldOut, "{scene:?}");
                *seen.entry(scene.kind).or_default() += 1;
            }
            assert!(Kind::ALL.iter().all(|kind| seen[kind] > 150), "{seen:?}");
        }
    }
}
