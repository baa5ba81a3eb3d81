//! How often what was asked for is found, and how sure that number is.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::judge::Sight;
use super::measure::Z;
use super::prompts::{Question, Task};

/// So many right answers of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    pub right: usize,
    pub of: usize,
}

impl Rate {
    fn count(&mut self, right: bool) {
        self.right += usize::from(right);
        self.of += 1;
    }

    /// 0..1; 0 of nothing.
    pub fn share(self) -> f64 {
        self.right as f64 / self.of.max(1) as f64
    }

    /// The 95 % interval of Wilson (1927), which stays inside 0..1 and is not empty at either end.
    ///
    /// It takes answers for independent; pictures of one prompt with several seeds are less than that.
    pub fn interval(self) -> [f64; 2] {
        if self.of == 0 {
            return [0.0, 1.0];
        }
        let (n, p) = (self.of as f64, self.share());
        let scale = 1.0 + Z * Z / n;
        let centre = (p + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        [(centre - half).max(0.0), (centre + half).min(1.0)]
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Rate", 4)?;
        fields.serialize_field("right", &self.right)?;
        fields.serialize_field("of", &self.of)?;
        fields.serialize_field("share", &self.share())?;
        fields.serialize_field("interval95", &self.interval())?;
        fields.end()
    }
}

/// Answers to questions of all tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// In the order of [`Task::ALL`].
    pub tasks: [Rate; Task::ALL.len()],
    /// Mean of the tasks' shares, as GenEval's overall score.
    pub overall: f64,
    /// Whether the background has the colour asked for, over all tasks.
    pub background: Rate,
}

impl<'a> FromIterator<(&'a Sight, &'a Question)> for Score {
    fn from_iter<I: IntoIterator<Item = (&'a Sight, &'a Question)>>(answers: I) -> Self {
        let mut score = Self::default();
        for (sight, question) in answers {
            score.tasks[question.task as usize].count(sight.answers(question));
            score.background.count(sight.background == question.background);
        }
        let asked: Vec<f64> = (score.tasks.iter())
            .filter(|rate| rate.of > 0)
            .map(|rate| rate.share())
            .collect();
        score.overall = asked.iter().sum::<f64>() / asked.len().max(1) as f64;
        score
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::colour::Colour;
    use crate::data::scene::{Object, Scene};
    use crate::eval::judge::tests::{question, thing};

    #[test]
    fn intervals_are_wilsons() {
        // Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
        for (right, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let [found_low, found_high] = Rate { right, of }.interval();
            assert!(
                (found_low - low).abs() < 5e-5 && (found_high - high).abs() < 5e-5,
                "{right} of {of}"
            );
        }
        assert_eq!(Rate { right: 20, of: 20 }.interval()[1], 1.0);
        assert_eq!(Rate::default().interval(), [0.0, 1.0]);
    }

    #[test]
    fn tasks_count_apart_and_weigh_the_same() {
        let object = Object {
            concept: 0,
            colour: None,
        };
        let single = question(Task::SingleObject, Scene::single(object), &["cat"]);
        let three = question(Task::Counting, Scene::counted(object, 3), &["cat"; 3]);
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
        assert_eq!(score.tasks[Task::SingleObject as usize], Rate { right: 2, of: 2 });
        assert_eq!(score.tasks[Task::Counting as usize], Rate { right: 1, of: 4 });
        assert_eq!(score.background, Rate { right: 4, of: 6 });
        assert_eq!(score.overall, 0.625, "tasks that were not asked do not count");
    }
}
