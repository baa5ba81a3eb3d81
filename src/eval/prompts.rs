//! What a model is asked to draw.

use crate::data::captions::full_prompt;
use crate::data::colour::Colour;
use crate::data::heldout::{Combination, Split};
use crate::data::rng::Rng;
use crate::data::scene::{Backdrop, Object, Scene};
use crate::data::sprites::SpriteBank;
use crate::data::style::Style;

/// Seed of the choice; always the same, so that models are asked the same.
const SEED: u64 = 0xA5C;

/// "a COLOUR NOUN on a COLOUR background", with what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub text: String,
    /// The noun of the object.
    pub noun: String,
    /// The object's place in the bank.
    pub sprite: usize,
    pub colour: Colour,
    pub background: Colour,
}

impl Prompt {
    /// What is to be drawn.
    pub fn scene(&self) -> Scene {
        let object = Object {
            concept: self.sprite,
            colour: Some(self.colour),
        };
        Scene::single(object).on(Backdrop::Plain(self.background))
    }
}

/// Objects in colours of one side of the split: places in the bank of those whose flat drawing can be painted.
pub fn combinations(bank: &SpriteBank, split: Split) -> Vec<(usize, Colour)> {
    let mut found = Vec::new();
    for (place, subject) in bank.subjects.iter().enumerate() {
        let colours = subject.sprite(Style::Flat).map_or(&[][..], |sprite| &sprite.colours);
        let held_out = |colour: Colour| Combination::Colour(place, colour).held_out(bank);
        let of_split = colours
            .iter()
            .filter(|&&colour| held_out(colour) == (split == Split::HeldOut));
        found.extend(of_split.map(|&colour| (place, colour)));
    }
    found
}

/// `count` prompts for combinations of one side of the split, or as many as there are.
///
/// Every combination comes up before any comes up again with another background.
pub fn choose(bank: &SpriteBank, split: Split, count: usize) -> Vec<Prompt> {
    let mut rng = Rng::new(SEED, split as u64);
    let mut chosen = combinations(bank, split);
    shuffle(&mut chosen, &mut rng);
    let backgrounds: Vec<Vec<Colour>> = (chosen.iter())
        .map(|&(_, colour)| {
            let mut others: Vec<Colour> = Colour::BACKGROUNDS
                .into_iter()
                .filter(|&other| other != colour)
                .collect();
            shuffle(&mut others, &mut rng);
            others
        })
        .collect();
    let all =
        (0..Colour::BACKGROUNDS.len()).flat_map(|round| chosen.iter().zip(&backgrounds).map(move |pair| (round, pair)));
    all.filter_map(|(round, (&(sprite, colour), backgrounds))| {
        let background = *backgrounds.get(round)?;
        let mut prompt = Prompt {
            text: String::new(),
            noun: bank.subjects[sprite].entry.noun.clone(),
            sprite,
            colour,
            background,
        };
        prompt.text = full_prompt(&prompt.scene(), bank);
        Some(prompt)
    })
    .take(count)
    .collect()
}

/// Fisher and Yates.
fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.below(i + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn prompts_are_of_their_split_and_say_what_they_mean() {
        let bank = SpriteBank::bundled().unwrap();
        for split in [Split::Train, Split::HeldOut] {
            let prompts = choose(&bank, split, 100);
            assert_eq!(prompts.len(), 100);
            for prompt in &prompts {
                let entry = &bank.subjects[prompt.sprite].entry;
                assert_eq!((Split::of(&prompt.scene(), &bank), &entry.noun), (split, &prompt.noun));
                let words = [
                    prompt.noun.as_str(),
                    prompt.colour.name(),
                    prompt.background.name(),
                    "background",
                ];
                assert!(words.iter().all(|word| prompt.text.contains(word)), "{prompt:?}");
                assert_ne!(prompt.colour, prompt.background);
            }
        }
    }

    #[test]
    fn combinations_are_spread_evenly_and_no_prompt_comes_twice() {
        let bank = SpriteBank::bundled().unwrap();
        let combinations = combinations(&bank, Split::HeldOut).len();
        let distinct = |prompts: &[Prompt]| {
            prompts
                .iter()
                .map(|p| (p.sprite, p.colour))
                .collect::<HashSet<_>>()
                .len()
        };
        assert_eq!(distinct(&choose(&bank, Split::HeldOut, combinations)), combinations);
        let all = choose(&bank, Split::HeldOut, usize::MAX);
        assert_eq!(all.iter().map(|p| &p.text).collect::<HashSet<_>>().len(), all.len());
        assert!(all.len() >= 9 * combinations && all.len() <= 10 * combinations);
        assert_eq!(
            all[..10],
            choose(&bank, Split::HeldOut, 10),
            "a longer list only goes on"
        );
    }
}
