//! Intervals of scores that are no means over pictures, such as a Frechet distance: the delete-a-group jackknife. The
//! prompts are dealt into groups, the score is taken again without each of them, and from how much it moves follows how
//! sure it is.

use super::measure::Z;
use serde::Serialize;
use std::fmt;

/// Groups that prompts are dealt into, or as many as there are prompts.
const GROUPS: usize = 20;

/// Which prompts are left out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups(usize);

impl Groups {
    pub fn of(prompts: usize) -> Self {
        Self(prompts.min(GROUPS))
    }

    /// The group of a prompt. Neighbours, which are of one task, go to different ones.
    fn group(self, prompt: usize) -> usize {
        prompt % self.0.max(1)
    }

    /// A score of all prompts, and without each group. `score` is asked with what to keep, which it tells of each
    /// prompt.
    pub fn replicate<E>(self, score: impl Fn(&dyn Fn(usize) -> bool) -> Result<f64, E>) -> Result<Replicates, E> {
        let without = |group| score(&|prompt| self.group(prompt) != group);
        Ok(Replicates {
            whole: score(&|_| true)?,
            without: (0..self.0).map(without).collect::<Result<_, E>>()?,
        })
    }
}

/// A score with what it would have been without some of its prompts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replicates {
    whole: f64,
    without: Vec<f64>,
}

impl Replicates {
    /// The difference of two scores of the same prompts: what both share in a prompt's difficulty falls out.
    pub fn minus(&self, other: &Self) -> Self {
        let pairs = self.without.iter().zip(&other.without);
        Self {
            whole: self.whole - other.whole,
            without: pairs.map(|(own, other)| own - other).collect(),
        }
    }

    /// The score with its 95 % interval by Student's distribution; of fewer than two groups it is as wide as can be.
    pub fn estimate(&self) -> Estimate {
        let count = self.without.len();
        let n = count as f64;
        let mean = self.without.iter().sum::<f64>() / n;
        let squares: f64 = self.without.iter().map(|value| (value - mean).powi(2)).sum();
        let half = match count {
            0 | 1 => f64::INFINITY,
            _ => student(n - 1.0) * ((n - 1.0) / n * squares).sqrt(),
        };
        Estimate {
            value: self.whole,
            interval95: [self.whole - half, self.whole + half],
        }
    }
}

/// Deviations that hold 95 % of Student's distribution with so many degrees of freedom, by its expansion about the
/// normal one (Abramowitz and Stegun 26.7.5).
fn student(degrees: f64) -> f64 {
    let z = |power| Z.powi(power);
    let first = (z(3) + z(1)) / 4.0;
    let second = (5.0 * z(5) + 16.0 * z(3) + 3.0 * z(1)) / 96.0;
    let third = (3.0 * z(7) + 19.0 * z(5) + 17.0 * z(3) - 15.0 * z(1)) / 384.0;
    Z + first / degrees + second / degrees.powi(2) + third / degrees.powi(3)
}

/// A score with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    pub value: f64,
    pub interval95: [f64; 2],
}

impl fmt::Display for Estimate {
    /// `265.42 [250.10, 280.74]`, with the digits that a precision asks for.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let [low, high] = self.interval95;
        write!(f, "{:.digits$} [{low:.digits$}, {high:.digits$}]", self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64]) -> Replicates {
        let score = |keep: &dyn Fn(usize) -> bool| {
            let kept: Vec<f64> = (0..values.len()).filter(|&i| keep(i)).map(|i| values[i]).collect();
            Ok::<f64, ()>(kept.iter().sum::<f64>() / kept.len() as f64)
        };
        Groups::of(values.len()).replicate(score).unwrap()
    }

    #[test]
    fn of_a_mean_it_is_students_interval() {
        let Estimate { value, interval95 } = mean(&[1.0, 2.0, 3.0, 4.0, 5.0]).estimate();
        assert!((value - 3.0).abs() < 1e-12);
        // Standard error sqrt(0.5); 2.776 deviations at four degrees of freedom.
        assert!(
            (interval95[1] - 3.0 - 2.776 * 0.5f64.sqrt()).abs() < 0.01,
            "{interval95:?}"
        );
        assert_eq!(
            format!("{:.1}", mean(&[1.0, 2.0, 3.0, 4.0, 5.0]).estimate()),
            "3.0 [1.0, 5.0]"
        );
    }

    #[test]
    fn student_is_that_of_the_tables() {
        for (degrees, expected) in [(4.0, 2.7764), (9.0, 2.2622), (19.0, 2.0930)] {
            assert!((student(degrees) - expected).abs() < 0.01, "{degrees}");
        }
    }

    #[test]
    fn what_two_scores_share_falls_out_of_their_difference() {
        let hard: Vec<f64> = (0..60).map(|i| f64::from(i * i % 17)).collect();
        let better: Vec<f64> = hard.iter().map(|value| value + 1.0).collect();
        let (one, other) = (mean(&better), mean(&hard));
        let width = |found: Estimate| found.interval95[1] - found.interval95[0];
        assert!(width(one.estimate()) > 1.0);
        let difference = one.minus(&other).estimate();
        assert!((difference.value - 1.0).abs() < 1e-9 && width(difference) < 1e-9);
        assert_eq!(mean(&[7.0]).estimate().interval95, [f64::NEG_INFINITY, f64::INFINITY]);
    }
}
