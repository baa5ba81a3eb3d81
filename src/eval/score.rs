//! How often what was asked for is found, and how sure that number is.

use super::judge::Sight;
use super::measure::Z;
use super::prompts::{Question, Task};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use std::collections::HashSet;

/// So many right answers of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    pub right: usize,
    pub of: usize,
    /// Different prompts among the pictures.
    pub prompts: usize,
}

impl Rate {
    /// 0..1; 0 of nothing.
    pub fn share(self) -> f64 {
        self.right as f64 / self.of.max(1) as f64
    }

    /// The 95 % interval of Wilson (1927), which stays inside 0..1 and is not empty at either end.
    ///
    /// Its trials are the prompts, not the pictures: pictures of one prompt are alike, so that four seeds may tell no
    /// more than one. Where they differ, the interval is wider than it had to be.
    pub fn interval(self) -> [f64; 2] {
        if self.of == 0 {
            return [0.0, 1.0];
        }
        let (n, p) = (self.prompts as f64, self.share());
        let scale = 1.0 + Z * Z / n;
        let centre = (p + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        [(centre - half).max(0.0), (centre + half).min(1.0)]
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Rate", 5)?;
        fields.serialize_field("right", &self.right)?;
        fields.serialize_field("of", &self.of)?;
        fields.serialize_field("prompts", &self.prompts)?;
        fields.serialize_field("share", &self.share())?;
        fields.serialize_field("interval95", &self.interval())?;
        fields.end()
    }
}

/// A rate while it is counted.
#[derive(Default)]
struct Tally<'a> {
    right: usize,
    of: usize,
    prompts: HashSet<&'a str>,
}

impl<'a> Tally<'a> {
    fn count(&mut self, prompt: &'a str, right: bool) {
        self.right += usize::from(right);
        self.of += 1;
        self.prompts.insert(prompt);
    }

    fn rate(&self) -> Rate {
        Rate {
            right: self.right,
            of: self.of,
            prompts: self.prompts.len(),
        }
    }
}

/// Of pictures, each with its prompt and whether it is right.
impl<'a> FromIterator<(&'a str, bool)> for Rate {
    fn from_iter<I: IntoIterator<Item = (&'a str, bool)>>(pictures: I) -> Self {
        let mut tally = Tally::default();
        for (prompt, right) in pictures {
            tally.count(prompt, right);
        }
        tally.rate()
    }
}

/// Answers to questions of all tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// In the order of [`Task::ALL`].
    pub tasks: [Rate; Task::ALL.len()],
    /// All tasks together.
    pub right: Rate,
    /// Mean of the tasks' shares, as GenEval's overall score.
    pub overall: f64,
    /// Where one object was asked for: whether it is there, in whatever color.
    pub identity: Rate,
    /// Where one object in a color was asked for: whether something has the color, whatever it is.
    pub colour: Rate,
    /// Where two objects in a position were asked for and both are there: whether they stand as asked.
    pub relation: Rate,
    /// Whether the background has the color asked for, over all tasks.
    pub background: Rate,
}

impl<'a> FromIterator<(&'a Sight, &'a Question)> for Score {
    fn from_iter<I: IntoIterator<Item = (&'a Sight, &'a Question)>>(answers: I) -> Self {
        let mut tasks: [Tally; Task::ALL.len()] = Default::default();
        let [mut all, mut identity, mut colour, mut relation, mut background]: [Tally; 5] = Default::default();
        for (sight, question) in answers {
            let (prompt, right) = (question.text.as_str(), sight.answers(question));
            tasks[question.task as usize].count(prompt, right);
            all.count(prompt, right);
            background.count(prompt, sight.background == question.background);
            if let [object] = question.scene.objects.as_slice() {
                identity.count(prompt, sight.shows(question, 0));
                if let Some(asked) = object.colour {
                    colour.count(prompt, sight.has(asked));
                }
            }
            if question.task == Task::Position && (0..2).all(|i| sight.shows(question, i)) {
                relation.count(prompt, right);
            }
        }
        let tasks = tasks.map(|tally| tally.rate());
        let asked: Vec<f64> = (tasks.iter())
            .filter(|rate| rate.of > 0)
            .map(|rate| rate.share())
            .collect();
        Self {
            overall: asked.iter().sum::<f64>() / asked.len().max(1) as f64,
            tasks,
            right: all.rate(),
            identity: identity.rate(),
            colour: colour.rate(),
            relation: relation.rate(),
            background: background.rate(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::colour::Colour;
    use crate::data::scene::{Object, Relation, Scene};
    use crate::eval::judge::tests::{question, thing};

    fn rate(right: usize, of: usize, prompts: usize) -> Rate {
        Rate { right, of, prompts }
    }

    fn object() -> Object {
        Object {
            concept: 0,
            colour: None,
        }
    }

    #[test]
    fn intervals_are_wilsons() {
        // Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
        for (right, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let [found_low, found_high] = rate(right, of, of).interval();
            assert!(
                (found_low - low).abs() < 5e-5 && (found_high - high).abs() < 5e-5,
                "{right} of {of}"
            );
        }
        assert_eq!(rate(20, 20, 20).interval()[1], 1.0);
        assert_eq!(Rate::default().interval(), [0.0, 1.0]);
    }

    #[test]
    fn seeds_of_one_prompt_are_one_trial() {
        assert_eq!(rate(40, 80, 20).interval(), rate(10, 20, 20).interval());
        let pictures = ["cat", "cat", "dog", "dog"].into_iter().zip([true, false, true, true]);
        assert_eq!(pictures.collect::<Rate>(), rate(3, 4, 2));
    }

    #[test]
    fn the_object_and_its_colour_count_apart_too() {
        let red = Scene::single(Object {
            concept: 0,
            colour: Some(Colour::Red),
        });
        let asked = question(Task::Colours, red, &["cat"]);
        let two = question(
            Task::Position,
            Scene::related(object(), Relation::Left, object()),
            &["cat", "dog"],
        );
        let sight = |things: &[(&str, Colour, f32)]| Sight {
            background: Colour::White,
            regions: (things.iter())
                .map(|&(noun, colour, x)| thing(noun, colour, [x, 0.0]))
                .collect(),
            groups: Vec::new(),
        };
        let pictures = [
            (sight(&[("cat", Colour::Red, 0.0)]), &asked),
            (sight(&[("cat", Colour::Blue, 0.0)]), &asked),
            (sight(&[("dog", Colour::Red, 0.0)]), &asked),
            (sight(&[("cat", Colour::Red, 0.0), ("dog", Colour::Red, 9.0)]), &two),
            (sight(&[("cat", Colour::Red, 9.0), ("dog", Colour::Red, 0.0)]), &two),
            (sight(&[("cat", Colour::Red, 9.0)]), &two),
        ];
        let score: Score = pictures.iter().map(|(sight, asked)| (sight, *asked)).collect();
        let of = |rate: Rate| (rate.right, rate.of);
        assert_eq!(of(score.tasks[Task::Colours as usize]), (1, 3));
        assert_eq!((of(score.identity), of(score.colour)), ((2, 3), (2, 3)));
        assert_eq!(of(score.tasks[Task::Position as usize]), (1, 3));
        assert_eq!(of(score.relation), (1, 2), "where both are");
    }

    #[test]
    fn tasks_count_apart_and_weigh_the_same() {
        let single = question(Task::SingleObject, Scene::single(object()), &["cat"]);
        let three = question(Task::Counting, Scene::counted(object(), 3), &["cat"; 3]);
        let sight = |count: usize, background| Sight {
            background,
            regions: vec![thing("cat", Colour::Red, [0.0; 2]); count],
            groups: Vec::new(),
        };
        let (one, many) = (sight(1, Colour::White), sight(3, Colour::Blue));
        let answers = [
            (&one, &single),
            (&many, &single),
            (&one, &three),
            (&many, &three),
            (&one, &three),
            (&one, &three),
        ];
        let score: Score = answers.into_iter().collect();
        assert_eq!(score.tasks[Task::SingleObject as usize], rate(2, 2, 1));
        assert_eq!(score.tasks[Task::Counting as usize], rate(1, 4, 1));
        assert_eq!(score.background, rate(4, 6, 1));
        assert_eq!(score.overall, 0.625, "tasks that were not asked do not count");
    }
}
