//! A cursor over the numbers of one sample.

use crate::model::random::{Stream, bits};

/// Draws of sample `index` of the run `seed`: each `(seed, index)` is its own stream, which a resumed run relies on.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    index: u64,
    draws: u64,
    /// Every draw is the middle one.
    middle: bool,
}

impl Rng {
    pub fn new(seed: u64, index: u64) -> Self {
        Self {
            seed,
            index,
            draws: 0,
            middle: false,
        }
    }

    /// No chance at all: the middle of every range, and nothing that may or may not be.
    pub fn middle() -> Self {
        Self {
            middle: true,
            ..Self::new(0, 0)
        }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        if self.middle {
            return 1 << 63;
        }
        self.draws += 1;
        bits(self.seed, Stream::Data, self.index, self.draws)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// Uniform in `0..n`; `n` must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        // The high half of a 128-bit product: even to one part in 2^64 / n, without a division.
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// One element; `None` only from an empty slice.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() {
            None
        } else {
            from.get(self.below(from.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_no_chance() {
        let mut rng = Rng::middle();
        assert_eq!([rng.range(-1.0, 1.0), rng.range(2.0, 4.0)], [0.0, 3.0]);
        assert!(!rng.chance(0.5));
        assert_eq!([rng.below(1), rng.below(5)], [0, 2]);
    }

    #[test]
    fn neighbouring_samples_are_unlike() {
        let first = |seed, index| Rng::new(seed, index).unit();
        let mean = |values: Vec<f32>| values.iter().sum::<f32>() / values.len() as f32;
        assert!((mean((0..4096).map(|i| first(1, i)).collect()) - 0.5).abs() < 0.02);
        assert!((mean((0..4096).map(|s| first(s, 1)).collect()) - 0.5).abs() < 0.02);
        let product = mean(
            (0..4096)
                .map(|i| (first(1, i) - 0.5) * (first(1, i + 1) - 0.5))
                .collect(),
        );
        assert!(product.abs() < 0.006, "{product}");
    }

    #[test]
    fn below_reaches_every_value_and_none_beyond() {
        let mut rng = Rng::new(3, 4);
        let mut seen = [0; 7];
        for _ in 0..7000 {
            seen[rng.below(7)] += 1;
        }
        assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
    }
}
