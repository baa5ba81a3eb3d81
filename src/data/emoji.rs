//! Emoji in a prompt mean their nouns: "a red 🍎" is read as "a red apple", "🐱🐱🐱" as "three cats".

use std::borrow::Cow;

use super::captions::number;
use super::concepts::CONCEPTS;

/// Emoji that say a colour besides, as the singular and the plural.
const COLOURED: [(&str, &str, &str); 34] = [
    ("🐈‍⬛", "black cat", "black cats"),
    ("🍏", "green apple", "green apples"),
    ("📕", "red book", "red books"),
    ("📗", "green book", "green books"),
    ("📘", "blue book", "blue books"),
    ("📙", "orange book", "orange books"),
    ("🧡", "orange heart", "orange hearts"),
    ("💛", "yellow heart", "yellow hearts"),
    ("💚", "green heart", "green hearts"),
    ("💙", "blue heart", "blue hearts"),
    ("💜", "purple heart", "purple hearts"),
    ("🖤", "black heart", "black hearts"),
    ("🤍", "white heart", "white hearts"),
    ("🤎", "brown heart", "brown hearts"),
    ("🩷", "pink heart", "pink hearts"),
    ("🩶", "gray heart", "gray hearts"),
    ("🔴", "red circle", "red circles"),
    ("🟠", "orange circle", "orange circles"),
    ("🟡", "yellow circle", "yellow circles"),
    ("🟢", "green circle", "green circles"),
    ("🔵", "blue circle", "blue circles"),
    ("🟣", "purple circle", "purple circles"),
    ("🟤", "brown circle", "brown circles"),
    ("⚫", "black circle", "black circles"),
    ("⚪", "white circle", "white circles"),
    ("🟥", "red square", "red squares"),
    ("🟧", "orange square", "orange squares"),
    ("🟨", "yellow square", "yellow squares"),
    ("🟩", "green square", "green squares"),
    ("🟦", "blue square", "blue squares"),
    ("🟪", "purple square", "purple squares"),
    ("🟫", "brown square", "brown squares"),
    ("⬛", "black square", "black squares"),
    ("⬜", "white square", "white squares"),
];

/// The text with every known emoji written out. A run of one and the same is counted where it has a plural; between
/// others stands an "and" only if the writer put one. Skin tones and variation selectors say nothing here.
pub fn spelled(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let plain: String = text.chars().filter(|&c| !is_modifier(c)).collect();
    let mut spelled = String::with_capacity(plain.len());
    let mut rest = plain.as_str();
    while let Some(first) = rest.chars().next() {
        let Some(found) = Known::at_start(rest) else {
            spelled.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let mut count = 0;
        while let Some(after) = rest.trim_start().strip_prefix(found.emoji) {
            rest = after;
            count += 1;
        }
        let words = match found.plural {
            plural if count > 1 && !plural.is_empty() => format!("{} {plural}", number(count)),
            _ => found.noun.to_owned(),
        };
        if !spelled.is_empty() && !spelled.ends_with(' ') {
            spelled.push(' ');
        }
        spelled.push_str(&words);
        if !rest.is_empty() && !rest.starts_with(' ') {
            spelled.push(' ');
        }
    }
    Cow::Owned(spelled)
}

struct Known {
    emoji: &'static str,
    noun: &'static str,
    plural: &'static str,
}

impl Known {
    /// The longest known emoji that `text` begins with.
    fn at_start(text: &str) -> Option<Self> {
        if text.starts_with(|c: char| c.is_ascii()) {
            return None;
        }
        let coloured = COLOURED
            .iter()
            .map(|&(emoji, noun, plural)| Self { emoji, noun, plural });
        let concepts = CONCEPTS.iter().flat_map(|concept| {
            concept.emoji.split(' ').map(|emoji| Self {
                emoji,
                noun: concept.noun,
                plural: concept.plural,
            })
        });
        let fits = coloured.chain(concepts).filter(|known| text.starts_with(known.emoji));
        fits.max_by_key(|known| known.emoji.len())
    }
}

/// Variation selectors and skin tones.
fn is_modifier(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn emoji_become_their_nouns() {
        for (text, expected) in [
            ("a red apple", "a red apple"),
            ("a red 🍎", "a red apple"),
            ("🐱", "cat"),
            ("🐱 on white", "cat on white"),
            ("a 🐕and a 🚗", "a dog and a car"),
            ("🐱🐱🐱", "three cats"),
            ("🐱 🐱 on a beach", "two cats on a beach"),
            ("❤️", "heart"),
            ("💙", "blue heart"),
            ("🐻‍❄️ beside 🐻", "polar bear beside bear"),
            ("👍🏽", "thumbs up"),
            ("🍇🍇", "grapes"),
            ("eine Straße 🫥", "eine Straße 🫥"),
        ] {
            assert_eq!(spelled(text), expected, "{text}");
        }
    }

    #[test]
    fn every_concept_has_an_emoji_of_its_own() {
        let mut seen = HashMap::new();
        for concept in CONCEPTS {
            assert!(!concept.emoji.is_empty(), "{}", concept.noun);
            for emoji in concept.emoji.split(' ') {
                assert!(
                    !emoji.is_empty() && !emoji.is_ascii() && !emoji.contains(is_modifier),
                    "{}",
                    concept.noun
                );
                assert_eq!(seen.insert(emoji, concept.noun), None, "{emoji}");
            }
        }
        for (emoji, ..) in COLOURED {
            assert_eq!(seen.insert(emoji, emoji), None, "{emoji}");
        }
    }
}
