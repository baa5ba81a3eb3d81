//! Seeded randomness that is the same on every device: a counter-based generator on the host.
//!
//! A number depends only on (seed, stream, major, minor), never on the order of draws, so a single bit of a single
//! scale can be drawn again. The numbers are few (one per bit of an image), so making them on the host costs nothing.

/// What the numbers are for; streams never overlap.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// Sampling noise of bits; major = scale, minor = bit.
    Noise = 1,
    /// Flip probability of a scale.
    FlipRate = 2,
    /// Which bits flip.
    Flip = 3,
    /// Initial values of parameters; major = parameter.
    Init = 4,
    /// Choice and order of training samples.
    Data = 5,
    /// Condition dropout.
    Drop = 6,
    /// Choices of the trainer: aspect ratio of a batch and the like.
    Batch = 7,
    /// Which images the tokenizer's decoder sees in part; major = step.
    Cut = 8,
}

/// Finalizer of SplitMix64 (Steele, Lea, Flood 2014), a bijection that mixes every bit into every other.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// 64 random bits.
pub fn bits(seed: u64, stream: Stream, major: u64, minor: u64) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = mix(seed.wrapping_add(GOLDEN));
    for part in [stream as u64, major, minor] {
        state = mix(state ^ part.wrapping_mul(GOLDEN).wrapping_add(GOLDEN));
    }
    state
}

/// Uniform in (0, 1), never 0 or 1.
pub fn uniform(seed: u64, stream: Stream, major: u64, minor: u64) -> f64 {
    ((bits(seed, stream, major, minor) >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// Standard normal (Box-Muller).
pub fn normal(seed: u64, stream: Stream, major: u64, minor: u64) -> f64 {
    let radius = (-2.0 * uniform(seed, stream, major, 2 * minor).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(seed, stream, major, 2 * minor + 1)).cos()
}

/// Logistic noise `ln(u / (1 - u))`: a bit with logit difference `D` is 1 with probability `sigmoid(D)` iff `D` exceeds
/// it.
pub fn logistic(seed: u64, stream: Stream, major: u64, minor: u64) -> f64 {
    let u = uniform(seed, stream, major, minor);
    (u / (1.0 - u)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_independence() {
        let n = 100_000;
        let mean = |f: &dyn Fn(u64) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
        assert!((mean(&|i| uniform(1, Stream::Noise, 0, i)) - 0.5).abs() < 0.005);
        assert!(mean(&|i| normal(1, Stream::Init, 0, i)).abs() < 0.02);
        assert!((mean(&|i| normal(1, Stream::Init, 0, i).powi(2)) - 1.0).abs() < 0.03);
        let product = |i| (uniform(1, Stream::Noise, 0, i) - 0.5) * (uniform(2, Stream::Noise, 0, i) - 0.5);
        assert!(mean(&product).abs() < 0.002);
        let high = |i| f64::from(u8::from(logistic(1, Stream::Noise, 0, i) < 1.0));
        assert!((mean(&high) - 1.0 / (1.0 + (-1f64).exp())).abs() < 0.005);
    }

    #[test]
    fn draws_never_change() {
        // Shared links and recorded seeds depend on these values.
        assert_eq!(bits(0, Stream::Noise, 0, 0), bits(0, Stream::Noise, 0, 0));
        assert_ne!(bits(0, Stream::Noise, 0, 0), bits(0, Stream::Flip, 0, 0));
        assert_ne!(bits(0, Stream::Noise, 0, 1), bits(0, Stream::Noise, 1, 0));
    }
}
