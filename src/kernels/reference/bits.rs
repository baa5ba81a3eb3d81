//! Bits of tokens on a device: codes on the unit sphere, packed words, token layout.
//!
//! A token is `d` bits; bit `p` is 1 where the residual's component is positive. On a device bits are 0/1 integers
//! `[.., d]`; packed they are `ceil(d / 32)` words, bit `p` at position `p mod 32` of word `p / 32`.

use super::grid::Grid;
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

/// Difference of the two classes of every bit: `[B, L, 2d] -> [B, L, d]`, positive where 1 is likelier.
pub fn differences(logits: Tensor<3>) -> Tensor<3> {
    let [b, l, channels] = logits.dims();
    let pairs = logits.reshape([b, l, channels / 2, 2]);
    let class = |c: usize| pairs.clone().narrow(3, c, 1).squeeze_dim::<3>(3);
    class(1) - class(0)
}

/// Bits `[B, L, d] -> [B, L, ceil(d/32)]` words (two's complement where the device's integers are signed).
pub fn pack(bits: Tensor<3, Int>) -> Tensor<3, Int> {
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
