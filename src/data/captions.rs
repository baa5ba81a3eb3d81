//! What people would write above a picture of one object.

use super::colour::Colour;
use super::rng::Rng;
use super::sprites::Entry;

/// Forms of a caption with their weights, in percent. `{}` is the object, `{a}` the object with its article, `{b}` the
/// background colour. The background goes unsaid in 30 % of all captions, most of them the bare "a red apple", which is
/// what a visitor types.
const FORMS: [(&str, usize); 8] = [
    ("{a} on {b} background", 32),
    ("{}, {b0} background", 13),
    ("a picture of {a} on {b} background", 9),
    ("a picture of {a} on {b0}", 6),
    ("{a} on {b0}", 10),
    ("{a}", 22),
    ("{}", 4),
    ("a picture of {a}", 4),
];

/// How often another noun than the concept's own is taken, where there is one.
const SYNONYM: f32 = 0.3;

/// Words of a colour beside its name, with how often they are taken.
fn other_word(colour: Colour) -> Option<(&'static str, f32)> {
    match colour {
        Colour::Gray => Some(("grey", 0.3)),
        Colour::Purple => Some(("violet", 0.15)),
        _ => None,
    }
}

/// A caption of one object. `colour` is `None` where the drawing keeps its own colour: then none is named.
pub fn caption(entry: &Entry, colour: Option<Colour>, background: Colour, rng: &mut Rng) -> String {
    let mut noun = entry.noun.as_str();
    if rng.chance(SYNONYM)
        && let Some(synonym) = rng.pick(&entry.synonyms)
    {
        noun = synonym;
    }
    let object = match colour {
        Some(colour) => format!("{} {noun}", word(colour, rng)),
        None => noun.to_owned(),
    };
    let background = word(background, rng);
    let mut ticket = rng.below(FORMS.iter().map(|(_, weight)| weight).sum());
    let mut form = FORMS[0].0;
    for (text, weight) in FORMS {
        form = text;
        if ticket < weight {
            break;
        }
        ticket -= weight;
    }
    form.replace("{a}", &with_article(entry, &object))
        .replace("{b}", &format!("{} {background}", article(background)))
        .replace("{b0}", background)
        .replace("{}", &object)
}

/// The request that says all: "a red apple on a blue background".
pub fn full_prompt(entry: &Entry, colour: Option<Colour>, background: Colour) -> String {
    let background = background.name();
    format!(
        "{} on {} {background} background",
        prompt(entry, colour),
        article(background)
    )
}

/// The shortest full request: "a red apple", "grapes".
pub fn prompt(entry: &Entry, colour: Option<Colour>) -> String {
    let object = match colour {
        Some(colour) => format!("{} {}", colour.name(), entry.noun),
        None => entry.noun.clone(),
    };
    with_article(entry, &object)
}

fn word(colour: Colour, rng: &mut Rng) -> &'static str {
    match other_word(colour) {
        Some((other, often)) if rng.chance(often) => other,
        _ => colour.name(),
    }
}

fn with_article(entry: &Entry, object: &str) -> String {
    match entry.article.as_str() {
        "" => object.to_owned(),
        own if object == entry.noun => format!("{own} {object}"),
        _ => format!("{} {object}", article(object)),
    }
}

/// By the first letter: right for every colour and synonym of the concept table, which a test checks.
fn article(words: &str) -> &'static str {
    if words.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::concepts::CONCEPTS;
    use std::collections::HashMap;

    fn entry(noun: &str, article: &str, synonyms: &[&str]) -> Entry {
        Entry {
            noun: noun.to_owned(),
            article: article.to_owned(),
            plural: format!("{noun}s"),
            synonyms: synonyms.iter().map(|&s| s.to_owned()).collect(),
            icon: noun.to_owned(),
            hue: 0.0,
            cover: 1.0,
            natural: Colour::Red,
            colours: Colour::OBJECTS.to_vec(),
        }
    }

    fn draw(entry: &Entry, colour: Option<Colour>, background: Colour) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for index in 0..4000 {
            *counts
                .entry(caption(entry, colour, background, &mut Rng::new(5, index)))
                .or_default() += 1;
        }
        counts
    }

    #[test]
    fn every_form_comes_up_and_the_bare_one_often() {
        let counts = draw(&entry("apple", "an", &[]), Some(Colour::Red), Colour::Blue);
        let mut forms: Vec<_> = counts.keys().map(String::as_str).collect();
        forms.sort_unstable();
        assert_eq!(
            forms,
            [
                "a picture of a red apple",
                "a picture of a red apple on a blue background",
                "a picture of a red apple on blue",
                "a red apple",
                "a red apple on a blue background",
                "a red apple on blue",
                "red apple",
                "red apple, blue background",
            ]
        );
        assert!((780..980).contains(&counts["a red apple"]), "{counts:?}");
        let silent: usize = counts
            .iter()
            .filter(|(text, _)| !text.contains("blue"))
            .map(|(_, n)| n)
            .sum();
        assert!((1100..1300).contains(&silent), "{silent}");
    }

    #[test]
    fn articles_follow_the_word_behind_them() {
        let counts = draw(
            &entry("umbrella", "an", &["parasol"]),
            Some(Colour::Orange),
            Colour::Black,
        );
        assert!(counts.contains_key("an orange umbrella on a black background"));
        assert!(counts.contains_key("an orange parasol"));
        let counts = draw(&entry("car", "a", &["automobile"]), None, Colour::Orange);
        assert!(counts.contains_key("a car") && counts.contains_key("an automobile on an orange background"));
        let unicorn = entry("unicorn", "a", &[]);
        assert_eq!(prompt(&unicorn, None), "a unicorn");
        assert_eq!(prompt(&unicorn, Some(Colour::Orange)), "an orange unicorn");
        assert_eq!(prompt(&entry("grapes", "", &[]), Some(Colour::Red)), "red grapes");
        let full = full_prompt(&unicorn, Some(Colour::Blue), Colour::Orange);
        assert_eq!(full, "a blue unicorn on an orange background");
    }

    #[test]
    fn colours_have_second_words() {
        let counts = draw(&entry("key", "a", &[]), Some(Colour::Gray), Colour::Purple);
        assert!(counts.contains_key("a grey key") && counts.contains_key("a gray key"));
        assert!(counts.contains_key("a gray key on a violet background"));
    }

    #[test]
    fn the_first_letter_rule_holds_for_the_table() {
        // Words that sound otherwise than they are written would need their own article.
        let odd = ["uni", "use", "eu", "one", "hour", "honest"];
        for concept in CONCEPTS {
            assert_eq!(concept.article, article(concept.noun), "{}", concept.noun);
            for name in concept.synonyms {
                assert!(odd.iter().all(|start| !name.starts_with(start)), "{name}");
            }
        }
    }
}
