//! What people would write above a picture.

use super::colour::Colour;
use super::lettering::{Text, Writing};
use super::rng::Rng;
use super::scene::{Backdrop, Effect, Kind, Object, Pattern, Place, Relation, Scene, Size};
use super::sprites::{Entry, SpriteBank};
use super::style::Style;

/// How often another noun than the concept's own is taken, where there is one.
const SYNONYM: f32 = 0.3;
/// How often a caption leaves out the backdrop or the word of the style.
const SILENT: f32 = 0.3;
/// Most words of a caption, hyphened ones counted apart.
const LONGEST: usize = 18;
/// Attempts at a caption that is not too long.
const ATTEMPTS: usize = 100;
/// How often the flat style, which needs no word, gets one.
const SAY_FLAT: f32 = 0.25;
/// How often a number is written in digits.
const DIGITS: f32 = 0.15;
/// How often an object is counted that stands alone.
const ONE: f32 = 0.08;

/// A caption of the scene, one of many.
pub fn caption(scene: &Scene, bank: &SpriteBank, rng: &mut Rng) -> String {
    // A second colour, a long noun and the longest template together would pass the text encoder's 32 tokens.
    for _ in 0..ATTEMPTS {
        let caption = attempt(scene, bank, rng);
        if caption.split([' ', '-']).count() <= LONGEST {
            return caption;
        }
    }
    prompt(scene, bank)
}

fn attempt(scene: &Scene, bank: &SpriteBank, rng: &mut Rng) -> String {
    let flat = scene.style == Style::Flat;
    let drawn = scene.effect.is_none() && scene.text.is_none();
    let mut style = (drawn && (!flat || rng.chance(SAY_FLAT))).then_some(scene.style);
    let mut behind = true;
    if rng.chance(SILENT) {
        if style.is_some() && !flat && rng.chance(0.5) {
            style = None;
        } else {
            behind = false;
        }
    }
    let speaker = Speaker { bank, rng };
    speaker.say(scene, style, behind)
}

/// The request that says all: "a glossy red apple on a blue background".
pub fn full_prompt(scene: &Scene, bank: &SpriteBank) -> String {
    format!("{} {}", prompt(scene, bank), scene.backdrop.words())
}

/// The request without what is behind: "a glossy red apple", "grapes", "a cat to the left of a dog".
pub fn prompt(scene: &Scene, bank: &SpriteBank) -> String {
    let style = (scene.style != Style::Flat && scene.effect.is_none()).then(|| scene.style.words());
    let entry = |object: &Object| &bank.subjects[object.concept].entry;
    let sized = |object: &Object, size: Option<&Size>| {
        let (size, colour) = (size.copied().map(Size::word), object.colour.map(Colour::name));
        with_article(entry(object), &joined([size, colour, Some(&entry(object).noun)]))
    };
    let phrase = |object: &Object| sized(object, None);
    let drawing = style.map(|style| format!("a {style} drawing of ")).unwrap_or_default();
    match (scene.kind, scene.objects.as_slice()) {
        (Kind::Relation, [first, second, ..]) => {
            let relation = scene.relation.unwrap_or(Relation::Left).words();
            format!("{drawing}{} {relation} {}", phrase(first), phrase(second))
        }
        (Kind::Colours, [first, second, ..]) => format!("{drawing}{} and {}", phrase(first), phrase(second)),
        (Kind::Sizes, [first, second, ..]) => {
            let (one, other) = (scene.sizes.first(), scene.sizes.get(1));
            format!("{drawing}{} and {}", sized(first, one), sized(second, other))
        }
        (Kind::Several, objects @ [_, _, ..]) => {
            let phrases: Vec<String> = objects.iter().map(phrase).collect();
            format!("{drawing}{}", listed(&phrases, " and "))
        }
        (Kind::Count, [object, ..]) => {
            let colour = object.colour.map(Colour::name);
            let things = joined([style, colour, Some(&entry(object).plural)]);
            format!("{} {things}", number(scene.objects.len()))
        }
        (_, [object, ..]) => {
            let colour = object.colour.map(Colour::name);
            let size = scene.sizes.first().copied().map(Size::word);
            let thing = with_article(entry(object), &joined([size, style, colour, Some(&entry(object).noun)]));
            match scene.effect {
                Some(Effect::Sticker) => format!("{} {thing} with a white border", Effect::Sticker.words()),
                Some(effect) => format!("{} {thing}", effect.words()),
                None => thing,
            }
        }
        (_, []) => scene.text.map(written).unwrap_or_default(),
    }
}

/// "a blue sign that says CAFE in red letters", "the number 7 in green".
fn written(text: Text) -> String {
    let characters = text.writing.characters();
    let (colour, sign) = (text.colour.name(), text.sign);
    match (text.writing, sign) {
        (_, Some(sign)) => {
            let sign_article = sign.article();
            format!(
                "{sign_article} {} sign that says {characters} in {colour} letters",
                sign.name()
            )
        }
        (Writing::Letter(_), None) => format!("the letter {characters} in {colour}"),
        (Writing::Number(_), None) => format!("the number {characters} in {colour}"),
        (Writing::Word(_), None) => format!("the word {characters} in {colour} letters"),
    }
}

/// "a cat, a dog and a car".
fn listed(phrases: &[String], and: &str) -> String {
    match phrases {
        [rest @ .., last] if !rest.is_empty() => format!("{}{and}{last}", rest.join(", ")),
        _ => phrases.concat(),
    }
}

/// All nouns that captions use for these objects, each alone, in the singular and the plural.
pub fn nouns<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<String> {
    let mut nouns = Vec::new();
    for entry in entries {
        nouns.extend([entry.noun.clone(), entry.plural.clone()]);
        for synonym in &entry.synonyms {
            nouns.extend([synonym.noun.clone(), synonym.plural.clone()]);
        }
    }
    nouns.retain(|noun| !noun.is_empty());
    nouns
}

/// The English of 1 to 6.
pub(super) fn number(count: usize) -> String {
    match count {
        1 => "one",
        2 => "two",
        3 => "three",
        4 => "four",
        5 => "five",
        6 => "six",
        more => return more.to_string(),
    }
    .to_owned()
}

/// Chooses among ways to say the same.
struct Speaker<'a> {
    bank: &'a SpriteBank,
    rng: &'a mut Rng,
}

impl Speaker<'_> {
    fn say(mut self, scene: &Scene, style: Option<Style>, behind: bool) -> String {
        let backdrop = if behind {
            self.backdrop(scene.backdrop)
        } else {
            String::new()
        };
        let pair = matches!(scene.kind, Kind::Relation | Kind::Colours | Kind::Several | Kind::Sizes);
        // The word of the style stands before the noun, before all, or behind all.
        let (adjective, before, after) = match style.map(Style::words) {
            None if scene.effect.is_none() && self.rng.chance(0.17) => {
                (None, "a picture of ".to_owned(), String::new())
            }
            None => (None, String::new(), String::new()),
            Some(word) if !pair && self.rng.chance(0.6) => (Some(word), String::new(), String::new()),
            Some(word) if self.rng.chance(0.6) => {
                let drawing = self.one_of(&["drawing", "picture"]);
                (None, format!("a {word} {drawing} of "), String::new())
            }
            Some(word) => (None, String::new(), format!(", {word} style")),
        };
        let body = match (scene.kind, scene.objects.as_slice()) {
            (Kind::Relation, [first, second, ..]) => {
                self.related(*first, scene.relation.unwrap_or(Relation::Left), *second)
            }
            (Kind::Colours, [first, second, ..]) => self.together(*first, *second),
            (Kind::Sizes, [first, second, ..]) => self.sized(scene, *first, *second),
            (Kind::Several, objects @ [_, _, ..]) => self.several(objects),
            (Kind::Count, [object, ..]) => self.counted(*object, scene.objects.len(), adjective),
            (_, [object, ..]) => match (scene.effect, scene.sizes.first()) {
                (Some(effect), _) => self.with_effect(*object, effect),
                (None, Some(&size)) => {
                    let words = joined([Some(self.size(size)), adjective]);
                    self.a_thing(*object, Some(&words))
                }
                (None, None) => self.single(*object, adjective, before.is_empty()),
            },
            (_, []) => scene.text.map(|text| self.written(text)).unwrap_or_default(),
        };
        format!("{before}{body}{backdrop}{after}")
    }

    fn one_of(&mut self, forms: &[&'static str]) -> &'static str {
        self.rng.pick(forms).copied().unwrap_or_default()
    }

    /// "red apple".
    fn thing(&mut self, object: Object, adjective: Option<&str>) -> String {
        let entry = &self.bank.subjects[object.concept].entry;
        let mut noun = &entry.noun;
        if self.rng.chance(SYNONYM)
            && let Some(synonym) = self.rng.pick(&entry.synonyms)
        {
            noun = &synonym.noun;
        }
        let colour = object.colour.map(|colour| word(colour, self.rng));
        joined([adjective, colour, Some(noun)])
    }

    /// "a red apple".
    fn a_thing(&mut self, object: Object, adjective: Option<&str>) -> String {
        let thing = self.thing(object, adjective);
        with_article(&self.bank.subjects[object.concept].entry, &thing)
    }

    fn single(&mut self, object: Object, adjective: Option<&str>, bare: bool) -> String {
        let countable = !self.bank.subjects[object.concept].entry.article.is_empty();
        // Some people leave the article out, some count to one.
        if bare && self.rng.chance(0.15) {
            self.thing(object, adjective)
        } else if countable && self.rng.chance(ONE) {
            let one = self.one_of(&["one", "one", "a single", "1"]);
            format!("{one} {}", self.thing(object, adjective))
        } else {
            self.a_thing(object, adjective)
        }
    }

    fn with_effect(&mut self, object: Object, effect: Effect) -> String {
        let form = match effect {
            Effect::PixelArt => {
                self.one_of(&["pixel art of {a}", "{a} as pixel art", "{a}, pixel art", "pixel art {}"])
            }
            Effect::Silhouette => self.one_of(&[
                "a black silhouette of {a}",
                "black silhouette of {a}",
                "the silhouette of {a}",
                "a silhouette of {a}",
            ]),
            Effect::Sticker => self.one_of(&[
                "a sticker of {a} with a white border",
                "a sticker of {a}",
                "{} sticker with a white border",
                "{} sticker",
            ]),
        };
        let bare = self.thing(object, None);
        let entry = &self.bank.subjects[object.concept].entry;
        form.replace("{a}", &with_article(entry, &bare)).replace("{}", &bare)
    }

    fn related(&mut self, first: Object, relation: Relation, second: Object) -> String {
        let (one, other) = (self.a_thing(first, None), self.a_thing(second, None));
        let form = match relation {
            Relation::Left => self.one_of(&[
                "{1} to the left of {2}",
                "{1} to the left of {2}",
                "{1} left of {2}",
                "{1} on the left of {2}",
                "{1} on the left and {2} on the right",
            ]),
            Relation::Right => self.one_of(&[
                "{1} to the right of {2}",
                "{1} to the right of {2}",
                "{1} right of {2}",
                "{1} on the right of {2}",
                "{1} on the right and {2} on the left",
            ]),
            Relation::Above => self.one_of(&[
                "{1} above {2}",
                "{1} above {2}",
                "{1} over {2}",
                "{1} above and {2} below",
            ]),
            Relation::Below => self.one_of(&["{1} below {2}", "{1} below {2}", "{1} under {2}", "{1} beneath {2}"]),
        };
        form.replace("{1}", &one).replace("{2}", &other)
    }

    fn together(&mut self, first: Object, second: Object) -> String {
        let (one, other) = (self.a_thing(first, None), self.a_thing(second, None));
        let form = self.one_of(&[
            "{1} and {2}",
            "{1} and {2}",
            "{1} next to {2}",
            "{1} beside {2}",
            "{1} with {2}",
            "{1} and {2} side by side",
        ]);
        form.replace("{1}", &one).replace("{2}", &other)
    }

    fn size(&mut self, size: Size) -> &'static str {
        match size {
            Size::Big => self.one_of(&["big", "big", "large", "huge", "giant"]),
            Size::Small => self.one_of(&["small", "small", "little", "tiny"]),
        }
    }

    fn sized(&mut self, scene: &Scene, first: Object, second: Object) -> String {
        let sizes: Vec<&str> = scene.sizes.iter().map(|&size| self.size(size)).collect();
        let one = self.a_thing(first, sizes.first().copied());
        let other = self.a_thing(second, sizes.get(1).copied());
        let form = self.one_of(&[
            "{1} and {2}",
            "{1} and {2}",
            "{1} next to {2}",
            "{1} beside {2}",
            "{1} with {2}",
        ]);
        form.replace("{1}", &one).replace("{2}", &other)
    }

    fn several(&mut self, objects: &[Object]) -> String {
        let phrases: Vec<String> = objects.iter().map(|&object| self.a_thing(object, None)).collect();
        let and = match phrases.as_slice() {
            [_, _] => self.one_of(&[" and ", " and ", " next to ", " with "]),
            _ => self.one_of(&[" and ", " and ", ", and "]),
        };
        listed(&phrases, and)
    }

    fn written(&mut self, text: Text) -> String {
        let characters = text.writing.characters();
        // Prompts are read in lower case; what is written is always in capitals.
        let shown = match self.rng.below(4) {
            0 => characters.to_lowercase(),
            1 => format!("\"{characters}\""),
            _ => characters,
        };
        let colour = text.said.then(|| word(text.colour, self.rng));
        let sign = text.sign.map(|sign| word(sign, self.rng));
        let form = match (text.writing, sign, colour) {
            (_, Some(_), Some(_)) => self.one_of(&[
                "{sign} sign that says {} in {colour} letters",
                "{sign} sign that says {} in {colour}",
                "{sign} sign with {} in {colour} letters",
            ]),
            (Writing::Word(_), Some(_), None) => self.one_of(&[
                "{sign} sign that says {}",
                "{sign} sign that says {}",
                "{sign} sign with the word {}",
                "{sign} sign saying {}",
            ]),
            (_, Some(_), None) => self.one_of(&["{sign} sign that says {}", "{sign} sign with {}"]),
            (Writing::Letter(_), None, Some(_)) => self.one_of(&[
                "the letter {} in {colour}",
                "the letter {} in {colour}",
                "a {colour} letter {}",
                "the {colour} letter {}",
            ]),
            (Writing::Letter(_), None, None) => {
                self.one_of(&["the letter {}", "the letter {}", "a letter {}", "letter {}"])
            }
            (Writing::Number(_), None, Some(_)) => self.one_of(&[
                "the number {} in {colour}",
                "the number {} in {colour}",
                "a {colour} number {}",
                "the {colour} number {}",
            ]),
            (Writing::Number(_), None, None) => {
                self.one_of(&["the number {}", "the number {}", "a number {}", "number {}"])
            }
            (Writing::Word(_), None, Some(_)) => self.one_of(&[
                "the word {} in {colour} letters",
                "the word {} in {colour}",
                "the {colour} word {}",
                "{} in {colour} letters",
                "text that says {} in {colour}",
            ]),
            (Writing::Word(_), None, None) => {
                self.one_of(&["the word {}", "the word {}", "text that says {}", "the text {}"])
            }
        };
        // One board in three is not said to be of any colour.
        let sign = match sign {
            Some(colour) if self.rng.chance(0.67) => format!("{} {colour}", article(colour)),
            _ => "a".to_owned(),
        };
        form.replace("{sign}", &sign)
            .replace(
                "a {colour}",
                &format!("{} {}", colour.map_or("a", article), colour.unwrap_or_default()),
            )
            .replace("{colour}", colour.unwrap_or_default())
            .replace("{}", &shown)
    }

    fn counted(&mut self, object: Object, count: usize, adjective: Option<&str>) -> String {
        let entry = &self.bank.subjects[object.concept].entry;
        let mut plural = &entry.plural;
        if self.rng.chance(SYNONYM)
            && let Some(synonym) = self.rng.pick(&entry.synonyms)
            && !synonym.plural.is_empty()
        {
            plural = &synonym.plural;
        }
        let number = if self.rng.chance(DIGITS) {
            count.to_string()
        } else {
            number(count)
        };
        let colour = object.colour.map(|colour| word(colour, self.rng));
        format!("{number} {}", joined([adjective, colour, Some(plural)]))
    }

    /// With the space or comma before it.
    fn backdrop(&mut self, backdrop: Backdrop) -> String {
        match backdrop {
            Backdrop::Plain(colour) => {
                let colour = word(colour, self.rng);
                let form = self.one_of(&[
                    " on {a} {} background",
                    " on {a} {} background",
                    " on {}",
                    ", {} background",
                ]);
                form.replace("{a}", article(colour)).replace("{}", colour)
            }
            Backdrop::Gradient(top, bottom) => {
                let (top, bottom) = (word(top, self.rng), word(bottom, self.rng));
                let form = self.one_of(&[
                    " on {a} {1} to {2} gradient background",
                    " on {a} {1} to {2} gradient",
                    ", {1} to {2} gradient background",
                ]);
                form.replace("{a}", article(top))
                    .replace("{1}", top)
                    .replace("{2}", bottom)
            }
            Backdrop::Place(place) => format!(" {}", self.place(place)),
            Backdrop::Pattern(pattern, one, other) => {
                let (one, other) = (word(one, self.rng), word(other, self.rng));
                let form = match pattern {
                    Pattern::Stripes => self.one_of(&[
                        " on {a} {1} and {2} striped background",
                        " on {a} {1} and {2} striped background",
                        " on {1} and {2} stripes",
                    ]),
                    Pattern::Dots => self.one_of(&[
                        " on {a} {1} background with {2} dots",
                        " on {a} {1} background with {2} dots",
                        " on {1} with {2} dots",
                        " on {a} {1} and {2} dotted background",
                    ]),
                    Pattern::Checks => self.one_of(&[
                        " on {a} {1} and {2} checkered background",
                        " on {a} {1} and {2} checkered background",
                        " on {1} and {2} checks",
                    ]),
                };
                form.replace("{a}", article(one))
                    .replace("{1}", one)
                    .replace("{2}", other)
            }
        }
    }

    fn place(&mut self, place: Place) -> &'static str {
        if self.rng.chance(0.7) {
            return place.words();
        }
        match place {
            Place::Meadow => self.one_of(&["on a meadow", "on green grass", "in the grass"]),
            Place::Night => self.one_of(&["under the stars", "under a starry sky"]),
            Place::Beach => self.one_of(&["at the beach", "on the beach", "by the sea"]),
            Place::Snow => self.one_of(&["in a snowy landscape", "in winter"]),
            Place::UnderWater => self.one_of(&["underwater", "in the sea"]),
            Place::Sunset => self.one_of(&["in the sunset", "in the evening"]),
            Place::Desert => self.one_of(&["in a desert", "on sand dunes"]),
        }
    }
}

/// Words of a colour beside its name, with how often they are taken.
fn other_word(colour: Colour) -> Option<(&'static str, f32)> {
    match colour {
        Colour::Gray => Some(("grey", 0.3)),
        Colour::Purple => Some(("violet", 0.15)),
        _ => None,
    }
}

fn word(colour: Colour, rng: &mut Rng) -> &'static str {
    match other_word(colour) {
        Some((other, often)) if rng.chance(often) => other,
        _ => colour.name(),
    }
}

fn joined<const N: usize>(words: [Option<&str>; N]) -> String {
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn with_article(entry: &Entry, object: &str) -> String {
    match entry.article.as_str() {
        "" => object.to_owned(),
        own if object == entry.noun => format!("{own} {object}"),
        _ => format!("{} {object}", article(object)),
    }
}

/// By the first letter, but for words that sound otherwise than they are written.
pub(super) fn article(words: &str) -> &'static str {
    let sounded = ["uni", "ufo"].iter().any(|start| words.starts_with(start));
    if words.starts_with(['a', 'e', 'i', 'o', 'u']) && !sounded {
        "an"
    } else {
        "a"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::compose::EmojiWorld;
    use crate::data::concepts::CONCEPTS;
    use crate::data::heldout::Split;
    use std::collections::HashMap;

    fn bank() -> SpriteBank {
        SpriteBank::bundled().unwrap()
    }

    fn object(bank: &SpriteBank, noun: &str, colour: Option<Colour>) -> Object {
        Object {
            concept: bank.find(noun).unwrap(),
            colour,
        }
    }

    /// How often each caption comes up in 4,000.
    fn said(scene: &Scene, bank: &SpriteBank) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for index in 0..4000 {
            *counts.entry(caption(scene, bank, &mut Rng::new(5, index))).or_default() += 1;
        }
        counts
    }

    #[test]
    fn a_single_object_is_called_many_things() {
        let bank = bank();
        let scene = Scene::single(object(&bank, "umbrella", Some(Colour::Orange))).on(Backdrop::Plain(Colour::Black));
        let counts = said(&scene, &bank);
        for form in [
            "an orange umbrella on a black background",
            "an orange umbrella on black",
            "an orange umbrella, black background",
            "a picture of an orange umbrella on a black background",
            "an orange parasol",
            "orange umbrella",
            "one orange umbrella",
            "1 orange umbrella on a black background",
            "a picture of a single orange umbrella",
            "a flat orange umbrella",
            "a flat drawing of an orange umbrella on a black background",
        ] {
            assert!(counts.contains_key(form), "{form}");
        }
        let silent: usize = counts
            .iter()
            .filter(|(text, _)| !text.contains("black"))
            .map(|(_, n)| n)
            .sum();
        assert!((1100..1300).contains(&silent), "{silent}");
        let flat: usize = counts
            .iter()
            .filter(|(text, _)| text.contains("flat"))
            .map(|(_, n)| n)
            .sum();
        assert!((900..1100).contains(&flat), "{flat}");
        let synonym: usize = counts
            .iter()
            .filter(|(text, _)| text.contains("parasol"))
            .map(|(_, n)| n)
            .sum();
        assert!((1080..1320).contains(&synonym), "{synonym}");
        let grapes = said(&Scene::single(object(&bank, "grapes", None)), &bank);
        assert!(
            grapes.keys().all(|text| !text.contains("one") && !text.contains('1')),
            "what has no article is not counted"
        );
    }

    #[test]
    fn every_kind_has_its_words() {
        let bank = bank();
        let [cat, dog] = ["cat", "dog"].map(|noun| object(&bank, noun, None));
        let meadow = Backdrop::Place(Place::Meadow);
        let glossy = said(&Scene::single(cat).style(Style::Glossy).on(meadow), &bank);
        for form in [
            "a glossy cat in a meadow",
            "a cat in a meadow, glossy style",
            "a cat in a meadow",
            "a glossy cat",
        ] {
            assert!(glossy.contains_key(form), "{form}");
        }
        let related = said(&Scene::related(cat, Relation::Left, dog).on(meadow), &bank);
        assert!(related.contains_key("a cat to the left of a dog in a meadow"));
        assert!(related.contains_key("a cat on the left and a dog on the right"));
        assert!(related.keys().all(|text| text.contains("left")));
        let grapes = object(&bank, "grapes", Some(Colour::Red));
        let colours = said(
            &Scene::coloured(grapes, object(&bank, "car", Some(Colour::Orange))),
            &bank,
        );
        assert!(colours.contains_key("red grapes next to an orange car"), "{colours:?}");
        let mice = Scene::counted(object(&bank, "mouse", Some(Colour::Gray)), 4);
        let counted = said(&mice, &bank);
        assert!(counted.contains_key("four gray mice") && counted.contains_key("4 grey mice on white"));
        let gradient = Scene::single(cat).on(Backdrop::Gradient(Colour::Orange, Colour::Pink));
        assert!(said(&gradient, &bank).contains_key("a cat on an orange to pink gradient background"));
        for (effect, form) in [
            (Effect::PixelArt, "pixel art of a cat in a meadow"),
            (Effect::Silhouette, "a black silhouette of a cat in a meadow"),
            (Effect::Sticker, "a sticker of a cat with a white border in a meadow"),
        ] {
            let counts = said(&Scene::single(cat).with(effect).on(meadow), &bank);
            assert!(counts.contains_key(form), "{form}");
            let word = form.split(" of ").next().unwrap().rsplit(' ').next().unwrap();
            assert!(
                counts.keys().all(|text| text.contains(word)),
                "the effect is never left out"
            );
        }
    }

    #[test]
    fn prompts_say_all_in_one_way() {
        let bank = bank();
        let [cat, dog] = ["cat", "dog"].map(|noun| object(&bank, noun, None));
        let blue = Backdrop::Plain(Colour::Blue);
        let apple = object(&bank, "apple", Some(Colour::Red));
        let say = |scene: &Scene| full_prompt(scene, &bank);
        assert_eq!(say(&Scene::single(apple).on(blue)), "a red apple on a blue background");
        let glossy = Scene::single(apple).style(Style::Glossy);
        assert_eq!(prompt(&glossy, &bank), "a glossy red apple");
        let orange = Backdrop::Plain(Colour::Orange);
        assert_eq!(
            say(&Scene::related(cat, Relation::Above, dog)
                .style(Style::Cartoon)
                .on(orange)),
            "a cartoon drawing of a cat above a dog on an orange background"
        );
        assert_eq!(
            say(&Scene::counted(apple, 5)
                .style(Style::Simple)
                .on(Backdrop::Place(Place::Night))),
            "five simple red apples at night"
        );
        let car = object(&bank, "car", Some(Colour::Blue));
        assert_eq!(
            prompt(&Scene::coloured(apple, car), &bank),
            "a red apple and a blue car"
        );
        assert_eq!(
            say(&Scene::single(cat).with(Effect::Sticker).on(blue)),
            "a sticker of a cat with a white border on a blue background"
        );
        assert_eq!(
            prompt(&Scene::single(object(&bank, "unicorn", None)), &bank),
            "a unicorn"
        );
        assert_eq!(prompt(&Scene::single(object(&bank, "jeans", None)), &bank), "jeans");
    }

    #[test]
    fn the_article_rule_holds_for_the_table() {
        // Words that sound otherwise than they are written would need their own article.
        let odd = ["use", "eu", "one", "hour", "honest", "heir"];
        for concept in CONCEPTS {
            assert!(
                concept.article.is_empty() || concept.article == article(concept.noun),
                "{}",
                concept.noun
            );
            for (name, plural) in concept.synonyms {
                assert!(odd.iter().all(|start| !name.starts_with(start)), "{name}");
                assert_eq!(plural.is_empty(), concept.plural.is_empty(), "{name}");
            }
        }
        assert_eq!(
            [article("ufo"), article("unicorn"), article("umbrella"), article("owl")],
            ["a", "a", "an", "an"]
        );
    }

    #[test]
    fn nouns_are_of_one_concept_only() {
        let mut seen = HashMap::new();
        for concept in CONCEPTS {
            let names = concept.synonyms.iter().map(|(name, _)| name);
            for name in names.chain([&concept.noun]) {
                assert_eq!(seen.insert(*name, concept.noun), None, "{name}");
                assert!(Colour::OBJECTS.iter().all(|colour| colour.name() != *name), "{name}");
                assert_eq!(*name, name.to_lowercase());
            }
        }
    }

    #[test]
    fn captions_fit_the_text_length() {
        let tokenizer: tokenizers::Tokenizer = include_str!("../../models/t5_tokenizer.json").parse().unwrap();
        for split in [Split::Train, Split::HeldOut] {
            let world = EmojiWorld::bundled(split).unwrap();
            for index in 0..5000 {
                let rng = &mut Rng::new(2, index);
                let scene = world.scene(rng).unwrap();
                for text in [caption(&scene, world.bank(), rng), full_prompt(&scene, world.bank())] {
                    let tokens = tokenizer.encode(text.as_str(), true).unwrap().len();
                    assert!(tokens <= 32, "{tokens} tokens: {text}");
                    assert!(!text.contains(['{', '}']) && !text.contains("  "), "{text}");
                }
            }
        }
    }
}
