//! How often the oracle finds what was asked for, and how sure that number is.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::measure::Z;
use super::prompts::Prompt;
use crate::data::oracle::Verdict;

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

/// Verdicts against prompts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    pub object: Rate,
    pub colour: Rate,
    /// The right object in the right colour.
    pub both: Rate,
    pub background: Rate,
}

impl<'a> FromIterator<(&'a Verdict, &'a Prompt)> for Score {
    fn from_iter<I: IntoIterator<Item = (&'a Verdict, &'a Prompt)>>(answers: I) -> Self {
        let mut score = Self::default();
        for (verdict, prompt) in answers {
            let (object, colour) = (verdict.is_object(&prompt.noun), verdict.is_colour(prompt.colour));
            score.object.count(object);
            score.colour.count(colour);
            score.both.count(object && colour);
            score.background.count(verdict.background == prompt.background);
        }
        score
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::colour::Colour;

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
    fn both_needs_both() {
        let prompt = Prompt {
            text: String::new(),
            noun: "apple".to_owned(),
            sprite: 0,
            colour: Colour::Red,
            background: Colour::Blue,
        };
        let verdict = |concept: &str, colour, background, score| Verdict {
            concept: concept.to_owned(),
            colour,
            background,
            score,
        };
        let answers = [
            verdict("apple", Colour::Red, Colour::Blue, 0.9),
            verdict("apple", Colour::Pink, Colour::Blue, 0.9),
            verdict("bell", Colour::Red, Colour::Blue, 0.9),
            verdict("bell", Colour::Pink, Colour::White, 0.9),
            verdict("apple", Colour::Red, Colour::White, 0.0),
        ];
        let score: Score = answers.iter().map(|verdict| (verdict, &prompt)).collect();
        let found = [score.object, score.colour, score.both, score.background].map(|rate| (rate.right, rate.of));
        assert_eq!(found, [(2, 5), (2, 5), (1, 5), (3, 5)]);
    }
}
