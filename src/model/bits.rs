//! Bits of tokens: codes on the unit sphere, packed words, integer labels.
//!
//! A token is `d` bits; bit `p` is 1 where the residual's component is positive. On a device bits are 0/1 integers
//! `[.., d]`; packed they are `ceil(d / 32)` words, bit `p` at position `p mod 32` of word `p / 32`.

use super::schedule::Grid;
use crate::kernels::sampling;
use burn::tensor::{DType, Int, Tensor};

/// Bits per packed word.
pub const WORD: usize = 32;

/// Bits `[B, h, w, d]` -> codes `[B, d, h, w]`: `(2 bit - 1) * scale`; BSQ's scale is `1/sqrt(d)`.
pub fn codes(bits: Tensor<4, Int>, scale: f64) -> Tensor<4> {
    let signs = bits.float() * 2.0 - 1.0;
    (signs * scale).permute([0, 3, 1, 2])
}

/// Positive components of `[B, d, h, w]` as bits `[B, h, w, d]`; zero counts as 0.
pub fn from_signs(z: Tensor<4>) -> Tensor<4, Int> {
    z.greater_scalar(0.0).int().permute([0, 2, 3, 1])
}

/// Bits `[B, L, d] -> [B, L, ceil(d/32)]` words (two's complement where the device's integers are signed).
pub fn pack(bits: Tensor<3, Int>) -> Tensor<3, Int> {
    if let Some(packed) = sampling::pack(&bits) {
        return packed;
    }
    let [b, l, d] = bits.dims();
    let device = bits.device();
    let words = d.div_ceil(WORD);
    let mut packed = Vec::with_capacity(words);
    for word in 0..words {
        let count = (d - word * WORD).min(WORD);
        let shifts = Tensor::<1, Int>::arange(0..count as i64, &device).cast(DType::I32);
        let part = bits.clone().narrow(2, word * WORD, count).cast(DType::I32);
        // Distinct powers of two never carry, so the sum is the bitwise or, the sign bit included.
        let shifted = part.bitwise_left_shift(shifts.reshape([1, 1, count]).expand([b, l, count]));
        packed.push(shifted.sum_dim(2));
    }
    Tensor::cat(packed, 2)
}

/// Words `[B, L, ceil(d/32)] -> [B, L, d]` bits.
pub fn unpack(words: Tensor<3, Int>, d: usize) -> Tensor<3, Int> {
    let [b, l, _] = words.dims();
    let device = words.device();
    let mut bits = Vec::new();
    for (word, start) in (0..d).step_by(WORD).enumerate() {
        let count = (d - start).min(WORD);
        let shifts = Tensor::<1, Int>::arange(0..count as i64, &device).cast(DType::I32);
        let part = words.clone().narrow(2, word, 1).cast(DType::I32).expand([b, l, count]);
        let shifted = part.bitwise_right_shift(shifts.reshape([1, 1, count]).expand([b, l, count]));
        bits.push(shifted.bitwise_and_scalar(1));
    }
    Tensor::cat(bits, 2)
}

/// Packs host bits (0 or 1, `d` per token) into words, token after token.
pub fn pack_words(bits: &[u8], d: usize) -> Vec<u32> {
    let word = |chunk: &[u8]| {
        chunk
            .iter()
            .enumerate()
            .fold(0, |w, (p, &bit)| w | u32::from(bit & 1) << p)
    };
    bits.chunks(d).flat_map(|token| token.chunks(WORD).map(word)).collect()
}

/// Inverse of [`pack_words`].
pub fn unpack_words(words: &[u32], d: usize) -> Vec<u8> {
    words
        .chunks(d.div_ceil(WORD))
        .flat_map(|token| (0..d).map(|p| (token[p / WORD] >> (p % WORD) & 1) as u8))
        .collect()
}

/// Which component of a token weighs most in its integer label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOrder {
    /// Eq. 5 of the paper: component p weighs `2^p`.
    Paper,
    /// The official code: component 0 is the most significant.
    Official,
}

/// Integer label of a token (Eq. 5), for `d <= 64`.
pub fn label(bits: &[u8], order: BitOrder) -> u64 {
    let fold = |label: u64, bit: &u8| label << 1 | u64::from(*bit);
    match order {
        BitOrder::Official => bits.iter().fold(0, fold),
        BitOrder::Paper => bits.iter().rev().fold(0, fold),
    }
}

/// The bits of an integer label.
pub fn from_label(label: u64, d: usize, order: BitOrder) -> Vec<u8> {
    let bit = |p: usize| match order {
        BitOrder::Official => (label >> (d - 1 - p) & 1) as u8,
        BitOrder::Paper => (label >> p & 1) as u8,
    };
    (0..d).map(bit).collect()
}

/// Integer labels on the device in the paper's order, `[B, L, d] -> [B, L]`; for the conventional classifier (small d).
pub fn labels(bits: Tensor<3, Int>) -> Tensor<2, Int> {
    let [_, _, d] = bits.dims();
    let weights: Vec<i32> = (0..d).map(|p| 1 << p).collect();
    let weights = Tensor::<1, Int>::from_ints(weights.as_slice(), &bits.device());
    (bits * weights.reshape([1, 1, d])).sum_dim(2).squeeze_dim(2)
}

/// Inverse of [`labels`]: `[B, L] -> [B, L, d]`.
pub fn from_labels(labels: Tensor<2, Int>, d: usize) -> Tensor<3, Int> {
    unpack(labels.unsqueeze_dim(2), d)
}

/// Latent bits `[B, h, w, d]` in token layout `[B, L, d]`, or `[B, L/4, 4d]` with 2x2 positions to a token.
pub fn to_tokens(bits: Tensor<4, Int>, patchify: bool) -> Tensor<3, Int> {
    let [b, h, w, d] = bits.dims();
    if !patchify {
        return bits.reshape([b, h * w, d]);
    }
    bits.reshape([b, h / 2, 2, w / 2, 2, d])
        .permute([0, 1, 3, 5, 2, 4])
        .reshape([b, h * w / 4, 4 * d])
}

/// Inverse of [`to_tokens`] for a token grid.
pub fn from_tokens(bits: Tensor<3, Int>, (h, w): Grid, patchify: bool) -> Tensor<4, Int> {
    let [b, _, d] = bits.dims();
    if !patchify {
        return bits.reshape([b, h, w, d]);
    }
    bits.reshape([b, h, w, d / 4, 2, 2])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([b, 2 * h, 2 * w, d / 4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;

    golden::test_per_device!(golden_labels: golden_labels_flex, golden_labels_wgpu);

    fn golden_labels(name: &str, device: &Device) {
        for case in golden::cases("labels") {
            let d: usize = case.get("d");
            let bits: Vec<u8> = case.ints("bits").iter().map(|&b| b as u8).collect();
            let both = [
                (BitOrder::Official, "int_label_official"),
                (BitOrder::Paper, "int_label_paper_eq5"),
            ];
            for (order, name) in both {
                let expected = case.ints(name);
                for (token, &expected) in bits.chunks(d).zip(&expected) {
                    assert_eq!(label(token, order) as i64, expected);
                    assert_eq!(from_label(expected as u64, d, order), token);
                }
            }
            let bits = case.int::<4>("bits", device);
            case.check(name, "codes", codes(bits, 1.0 / (d as f64).sqrt()));
        }
    }

    #[test]
    fn packing_round_trips_on_host_and_device() {
        for (_, device) in golden::devices() {
            for d in [1, 4, 14, 31, 32, 33, 56, 64] {
                let tokens = 5;
                let host: Vec<u8> = (0..tokens * d).map(|i| ((i * i + i / 3) % 5 < 2) as u8).collect();
                let words = pack_words(&host, d);
                assert_eq!(unpack_words(&words, d), host);
                let ints: Vec<i32> = host.iter().map(|&b| b as i32).collect();
                let bits = Tensor::<1, Int>::from_ints(ints.as_slice(), &device).reshape([1, tokens, d]);
                let packed = pack(bits.clone());
                let found: Vec<i64> = packed.clone().into_data().convert::<i64>().try_to_vec().unwrap();
                let found: Vec<u32> = found.iter().map(|&w| w as u32).collect();
                assert_eq!(found, words, "d = {d}");
                assert_eq!(
                    unpack(packed, d).into_data().convert::<i32>(),
                    bits.into_data().convert::<i32>()
                );
            }
        }
    }

    #[test]
    fn patchified_tokens_round_trip() {
        let device = Device::flex();
        let bits = Tensor::<1, Int>::arange(0..2 * 4 * 6 * 3, &device).reshape([2, 4, 6, 3]);
        let tokens = to_tokens(bits.clone(), true);
        assert_eq!(tokens.dims(), [2, 6, 12]);
        from_tokens(tokens, (2, 3), true)
            .into_data()
            .assert_eq(&bits.into_data(), true);
    }

    use burn::tensor::Device;
}
