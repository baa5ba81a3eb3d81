//! Bits of tokens: codes on the unit sphere, packed words, integer labels.
//!
//! A token is `d` bits; bit `p` is 1 where the residual's component is positive. On a device bits are 0/1 integers
//! `[.., d]`; packed they are `ceil(d / 32)` words, bit `p` at position `p mod 32` of word `p / 32`.

pub use crate::kernels::reference::bits::{WORD, codes, from_signs, from_tokens, to_tokens, unpack};
pub use crate::kernels::sampling::pack_bits as pack;
use burn::tensor::{Int, Tensor};

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
