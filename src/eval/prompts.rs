//! What a model is asked to draw: the six tasks of GenEval (Ghosh, Hajishirzi and Schmidt 2023) with the objects and
//! colors of our own data.

use crate::data::captions::full_prompt;
use crate::data::colour::Colour;
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::data::rng::Rng;
use crate::data::scene::{Backdrop, Object, Relation, Scene};
use crate::data::style::Style;
use serde::Serialize;
use std::collections::HashSet;

/// Seed of the choice; always the same, so that models are asked the same.
const SEED: u64 = 0xA5C;
/// Random scenes tried for each question: one in ten pairs is held out, and every other combination more often.
const TRIES: usize = 400;
/// How many of a thing are asked for, as in GenEval.
const COUNTS: [usize; 3] = [2, 3, 4];

/// One of the families of prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// "a glossy cat": an object in a style.
    SingleObject,
    /// "a cat and a dog".
    TwoObjects,
    /// "three cats".
    Counting,
    /// "a red cat".
    Colours,
    /// "a cat above a dog".
    Position,
    /// "a red cat and a blue dog".
    ColourAttribution,
}

impl Task {
    pub const ALL: [Self; 6] = [
        Self::SingleObject,
        Self::TwoObjects,
        Self::Counting,
        Self::Colours,
        Self::Position,
        Self::ColourAttribution,
    ];

    /// What tables call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::SingleObject => "Single object",
            Self::TwoObjects => "Two objects",
            Self::Counting => "Counting",
            Self::Colours => "Colours",
            Self::Position => "Position",
            Self::ColourAttribution => "Colour attribution",
        }
    }
}

/// A prompt and what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub task: Task,
    pub split: Split,
    pub text: String,
    pub scene: Scene,
    /// The nouns of the scene's objects.
    pub nouns: Vec<String>,
    pub background: Colour,
}

/// `count` different questions of a task about what `world` shows on one side of the split, or as many as chance finds.
///
/// All name a plain background: there things can be told from what is behind them without knowing them.
pub fn questions(world: &EmojiWorld, task: Task, split: Split, count: usize) -> Vec<Question> {
    let bank = world.bank();
    let mut rng = Rng::new(SEED, 2 * task as u64 + split as u64);
    let (mut found, mut asked) = (Vec::new(), HashSet::new());
    for _ in 0..TRIES * count {
        if found.len() == count {
            break;
        }
        let Some((scene, background)) = scene(world, task, &mut rng) else {
            continue;
        };
        let text = full_prompt(&scene, bank);
        if Split::of(&scene, bank) == split && asked.insert(text.clone()) {
            let noun = |object: &Object| bank.subjects[object.concept].entry.noun.clone();
            found.push(Question {
                task,
                split,
                text,
                nouns: scene.objects.iter().map(noun).collect(),
                scene,
                background,
            });
        }
    }
    found
}

/// `count` questions in the order of [`Task::ALL`], as evenly of all tasks as there are some of each.
pub fn assortment(world: &EmojiWorld, split: Split, count: usize) -> Vec<Question> {
    let mut tasks = Task::ALL.map(|task| questions(world, task, split, count).into_iter());
    let mut found: Vec<Question> = Vec::new();
    loop {
        let before = found.len();
        for task in &mut tasks {
            found.extend(task.next().filter(|_| found.len() < count));
        }
        if found.len() == before {
            found.sort_by_key(|question| question.task as usize);
            return found;
        }
    }
}

/// A random scene of a task; none if the objects drawn cannot be had.
fn scene(world: &EmojiWorld, task: Task, rng: &mut Rng) -> Option<(Scene, Colour)> {
    let bank = world.bank();
    let style = match task {
        Task::SingleObject => *rng.pick(&world.shown_styles())?,
        _ => Style::Flat,
    };
    let mut object = |painted: bool| {
        let concept = *rng.pick(world.shown_objects())?;
        let sprite = bank.subjects[concept].sprite(style)?;
        let colour = match painted {
            true => Some(*rng.pick(&sprite.colours)?),
            false => None,
        };
        Some(Object { concept, colour })
    };
    let painted = matches!(task, Task::Colours | Task::ColourAttribution);
    let (first, second) = (object(painted)?, object(painted)?);
    let differ = first.concept != second.concept && (!painted || first.colour != second.colour);
    let scene = match task {
        Task::SingleObject | Task::Colours => Scene::single(first).style(style),
        Task::TwoObjects | Task::ColourAttribution => differ.then(|| Scene::coloured(first, second))?,
        Task::Position => {
            let relation = *rng.pick(&Relation::ALL)?;
            differ.then(|| Scene::related(first, relation, second))?
        }
        Task::Counting => {
            let counted = !bank.subjects[first.concept].entry.plural.is_empty();
            let count = *rng.pick(&COUNTS)?;
            counted.then(|| Scene::counted(first, count))?
        }
    };
    let shown = |object: &Object| {
        let sprite = bank.subjects[object.concept].sprite(style);
        object.colour.or(sprite.map(|sprite| sprite.main))
    };
    let colours: Vec<Option<Colour>> = scene.objects.iter().map(shown).collect();
    let free: Vec<Colour> = (Colour::BACKGROUNDS.into_iter())
        .filter(|&background| !colours.contains(&Some(background)))
        .collect();
    let background = *rng.pick(&free)?;
    Some((scene.on(Backdrop::Plain(background)), background))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sprites::SpriteBank;

    fn world() -> EmojiWorld {
        EmojiWorld::bundled(Split::Train).unwrap()
    }

    fn each(mut check: impl FnMut(&SpriteBank, &Question)) {
        let world = world();
        for task in Task::ALL {
            for split in [Split::Train, Split::HeldOut] {
                let questions = questions(&world, task, split, 30);
                assert_eq!(questions.len(), 30, "{task:?} {split:?}");
                let texts: HashSet<&str> = questions.iter().map(|question| question.text.as_str()).collect();
                assert_eq!(texts.len(), 30);
                questions.iter().for_each(|question| check(world.bank(), question));
            }
        }
    }

    #[test]
    fn questions_are_of_their_split_and_say_what_they_mean() {
        each(|bank, question| {
            let Question { text, scene, .. } = question;
            assert_eq!(Split::of(scene, bank), question.split, "{text}");
            for (object, noun) in scene.objects.iter().zip(&question.nouns) {
                let entry = &bank.subjects[object.concept].entry;
                assert_eq!(&entry.noun, noun);
                let named = if question.task == Task::Counting {
                    &entry.plural
                } else {
                    noun
                };
                assert!(text.contains(named.as_str()), "{text}");
                assert!(
                    object.colour.is_none_or(|colour| text.contains(colour.name())),
                    "{text}"
                );
                assert_ne!(object.colour, Some(question.background), "{text}");
            }
            assert!(
                text.ends_with(&format!("{} background", question.background.name())),
                "{text}"
            );
        });
    }

    #[test]
    fn every_task_asks_for_its_own() {
        each(|_, question| {
            let (colours, count) = (
                question.scene.objects.iter().filter_map(|o| o.colour),
                question.nouns.len(),
            );
            let differ = question.nouns.first() != question.nouns.get(1);
            let expected = match question.task {
                Task::SingleObject => (0, count == 1),
                Task::TwoObjects => (0, count == 2 && differ),
                Task::Counting => (0, COUNTS.contains(&count) && !differ),
                Task::Colours => (1, count == 1),
                Task::Position => (0, count == 2 && differ && question.scene.relation.is_some()),
                Task::ColourAttribution => (2, count == 2 && differ),
            };
            assert_eq!((colours.count(), true), expected, "{}", question.text);
        });
    }

    #[test]
    fn a_longer_list_only_goes_on() {
        let world = world();
        let ask = |count| questions(&world, Task::Position, Split::HeldOut, count);
        assert_eq!(ask(12)[..5], ask(5));
    }

    #[test]
    fn an_assortment_has_as_many_of_each_as_can_be() {
        let flat = EmojiWorld::composed("emoji:flat", Split::Train).unwrap();
        let found = assortment(&flat, Split::HeldOut, 100);
        // An object in no color and in the only style is never held out.
        let counts = Task::ALL.map(|task| found.iter().filter(|question| question.task == task).count());
        assert_eq!(counts, [0, 20, 20, 20, 20, 20]);
        assert!(found.is_sorted_by_key(|question| question.task as usize));
        assert_eq!(found[20..40], questions(&flat, Task::Counting, Split::HeldOut, 20));
        assert_eq!(assortment(&world(), Split::HeldOut, 7).len(), 7);
    }

    #[test]
    fn only_what_a_model_was_shown_is_asked_for() {
        let name = "emoji:flat,car,cat,dog,apple,tree,house";
        let world = EmojiWorld::named(name, Split::Train).unwrap().unwrap();
        let nouns = ["car", "cat", "dog", "apple", "tree", "house"];
        for task in Task::ALL {
            let questions = questions(&world, task, Split::Train, 8);
            assert_eq!(questions.len(), 8, "{task:?}");
            for question in questions {
                assert_eq!(question.scene.style, Style::Flat);
                assert!(
                    question.nouns.iter().all(|noun| nouns.contains(&noun.as_str())),
                    "{}",
                    question.text
                );
            }
        }
    }
}
