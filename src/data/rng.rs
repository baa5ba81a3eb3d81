//! A cursor over the numbers of one sample.

use crate::model::random::{Stream, bits};

/// Draws of sample `index` of the run `seed`: each `(seed, index)` is its own stream, which a resumed run relies on.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    index: u64,
    draws: u64,
    /// How far a draw leaves the middle: 1 is all the way, 0 not at all.
    spread: f64,
}

impl Rng {
    pub fn new(seed: u64, index: u64) -> Self {
        Self {
            seed,
            index,
            draws: 0,
            spread: 1.0,
        }
    }

    /// No chance at all: the middle of every range, and nothing that may or may not be.
    pub fn middle() -> Self {
        Self {
            spread: 0.0,
            ..Self::new(0, 0)
        }
    }

    /// Draws near the middle of every range, at most `share` of the way off, and nothing that may or may not be.
    pub fn calm(self, share: f64) -> Self {
        Self { spread: share, ..self }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        const MIDDLE: u64 = 1 << 63;
        if self.spread == 0.0 {
            return MIDDLE;
        }
        self.draws += 1;
        let drawn = bits(self.seed, Stream::Data, self.index, self.draws);
        if self.spread == 1.0 {
            return drawn;
        }
        // Off the middle by less than half of all, so that it never wraps.
        MIDDLE.wrapping_add_signed((drawn.wrapping_sub(MIDDLE) as i64 as f64 * self.spread) as i64)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`; a calm cursor says what is more likely, and no where both are alike.
    pub fn chance(&mut self, p: f32) -> bool {
        let unit = self.unit();
        if self.spread < 1.0 { p > 0.5 } else { unit < p }
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
    fn a_calm_cursor_stays_near_the_middle() {
        let mut rng = Rng::new(1, 2).calm(0.25);
        let draws: Vec<f32> = (0..1000).map(|_| rng.range(0.0, 8.0)).collect();
        assert!(draws.iter().all(|draw| (3.0..5.0).contains(draw)));
        assert!(draws.iter().any(|&draw| draw < 3.2) && draws.iter().any(|&draw| draw > 4.8));
        assert!(!rng.chance(0.5));
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
