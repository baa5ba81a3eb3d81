//! What a model is asked to draw.

use crate::data::captions::full_prompt;
use crate::data::colour::Colour;
use crate::data::heldout::{Split, combinations};
use crate::data::rng::Rng;
use crate::data::sprites::SpriteBank;

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
        let entry = &bank.sprites[sprite].entry;
        Some(Prompt {
            text: full_prompt(entry, Some(colour), background),
            noun: entry.noun.clone(),
            sprite,
            colour,
            background,
        })
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
                let entry = &bank.sprites[prompt.sprite].entry;
                assert_eq!((Split::of(entry, prompt.colour), &entry.noun), (split, &prompt.noun));
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
