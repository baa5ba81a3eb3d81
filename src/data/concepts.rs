//! The objects captions speak of, and which icon draws each.
//!
//! Chosen by eye from contact sheets: one hue covers most of the drawing, every one of the colours looks natural on
//! it, and no two outlines are alike.

/// A concept with its English forms.
#[derive(Clone, Copy, Debug)]
pub struct Concept {
    /// Name of the drawing in the icon package.
    pub icon: &'static str,
    pub noun: &'static str,
    /// "a", "an", or empty before a noun that takes none.
    pub article: &'static str,
    pub plural: &'static str,
    /// Other nouns for the same thing.
    pub synonyms: &'static [&'static str],
}

const fn concept(
    icon: &'static str,
    article: &'static str,
    noun: &'static str,
    plural: &'static str,
    synonyms: &'static [&'static str],
) -> Concept {
    Concept {
        icon,
        noun,
        article,
        plural,
        synonyms,
    }
}

/// All concepts, by the noun's alphabet.
pub const CONCEPTS: &[Concept] = &[
    concept("red-apple", "an", "apple", "apples", &[]),
    concept("backpack", "a", "backpack", "backpacks", &["rucksack"]),
    concept("balloon", "a", "balloon", "balloons", &[]),
    concept("bear", "a", "bear", "bears", &[]),
    concept("bell", "a", "bell", "bells", &[]),
    concept("bird", "a", "bird", "birds", &[]),
    concept("closed-book", "a", "book", "books", &[]),
    concept("automobile", "a", "car", "cars", &["automobile"]),
    concept("cat-face", "a", "cat", "cats", &["kitty"]),
    concept("crab", "a", "crab", "crabs", &[]),
    concept("crown", "a", "crown", "crowns", &[]),
    concept("sauropod", "a", "dinosaur", "dinosaurs", &["dino"]),
    concept("dog", "a", "dog", "dogs", &["puppy"]),
    concept("dress", "a", "dress", "dresses", &[]),
    concept("fish", "a", "fish", "fish", &[]),
    concept("cherry-blossom", "a", "flower", "flowers", &["blossom"]),
    concept("wrapped-gift", "a", "gift", "gifts", &["present"]),
    concept("top-hat", "a", "hat", "hats", &["top hat"]),
    concept("red-heart", "a", "heart", "hearts", &[]),
    concept("horse", "a", "horse", "horses", &["pony"]),
    concept("house", "a", "house", "houses", &["home"]),
    concept("key", "a", "key", "keys", &[]),
    concept("mushroom", "a", "mushroom", "mushrooms", &["toadstool"]),
    concept("octopus", "an", "octopus", "octopuses", &[]),
    concept("rocket", "a", "rocket", "rockets", &["spaceship"]),
    concept("star", "a", "star", "stars", &[]),
    concept("strawberry", "a", "strawberry", "strawberries", &[]),
    concept("t-shirt", "a", "t-shirt", "t-shirts", &["shirt", "tee shirt"]),
    concept("teapot", "a", "teapot", "teapots", &[]),
    concept("deciduous-tree", "a", "tree", "trees", &[]),
    concept("tulip", "a", "tulip", "tulips", &[]),
    concept("umbrella", "an", "umbrella", "umbrellas", &["parasol"]),
];
