//! Numbers that are random to look at and the same on every machine.

/// SplitMix64 (Steele, Lea and Flood 2014): a counter, well stirred. Two words of state make every
/// `(seed, index)` its own stream without a warm-up, which a resumed training run relies on.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream of one sample.
    pub fn new(seed: u64, index: u64) -> Self {
        Self(
            stir(seed.wrapping_add(0x9e37_79b9_7f4a_7c15))
                ^ stir(index.wrapping_mul(0xd1b5_4a32_d192_ed03)),
        )
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        stir(self.0)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u64 << 24) as f32
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
        // The high half of a 128-bit product: unbiased to 2^-64 * n, without a division.
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
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

fn stir(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_splitmix64() {
        // First outputs of the published generator from state 0.
        let mut rng = Rng(0);
        assert_eq!(rng.next_u64(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(rng.next_u64(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn neighbouring_streams_are_unlike() {
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
