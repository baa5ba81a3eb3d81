//! Quantized weights of a linear layer, as the kernels of [`linear`](super::linear()) read them.
//!
//! A row of K numbers becomes a row of 32-bit words, which the tensor carries as if they were floats. So the shape of a layer's
//! weight says its format, and a quantized weight is loaded, moved and freed like any other parameter.
//!
//! | format | words of a row | value of a number |
//! |---|---|---|
//! | f16 | K / 2, the earlier number in the lower half | itself, rounded |
//! | q8 | K / 4 of four bytes, then scales | byte from -127 to 127, over 127, times the scale |
//! | q4 | K / 8 of eight digits, then scales | (digit from 0 to 15, less 8) times the scale |
//!
//! Scales are f16, one per block of 32 numbers, two to a word.

use burn::tensor::{DType, TensorData};
use half::f16;

/// Numbers of a block, which share a scale.
const BLOCK: usize = 32;

/// How the weights of linear layers are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFormat {
    #[default]
    F32,
    F16,
    Q8,
    Q4,
}

impl WeightFormat {
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Q8, Self::Q4];

    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Words of a row of `k` numbers; none if such rows have no such format.
    pub fn words(self, k: usize) -> Option<usize> {
        let scales = k.div_ceil(2 * BLOCK);
        match self {
            Self::F32 => Some(k),
            _ if !k.is_multiple_of(BLOCK) => None,
            Self::F16 => Some(k / 2),
            Self::Q8 => Some(k / 4 + scales),
            Self::Q4 => Some(k / 8 + scales),
        }
    }

    /// Words of a row of `k` numbers as [`quantize`](Self::quantize) makes them of `rows` such rows.
    pub fn quantized_words(self, rows: usize, k: usize) -> usize {
        match self.words(k) {
            Some(words) if rows.is_multiple_of(4) => words,
            _ => k,
        }
    }

    /// The format of a row of `k` numbers in so many words.
    pub fn of(k: usize, words: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.words(k) == Some(words))
    }

    /// `weight [N, K]` in this format, or in f32 where K has no such format or N no kernel.
    pub fn quantize(self, weight: TensorData) -> TensorData {
        let weight = weight.convert::<f32>();
        let [rows, k] = weight.shape()[..] else {
            return weight;
        };
        let (Some(words), Ok(values)) = (self.words(k), weight.as_slice::<f32>()) else {
            return weight;
        };
        if self == Self::F32 || !rows.is_multiple_of(4) {
            return weight;
        }
        TensorData::new(self.quantize_rows(values, k), [rows, words])
    }

    /// Rows of `k` numbers, a multiple of the block, in this format.
    pub fn quantize_rows(self, rows: &[f32], k: usize) -> Vec<f32> {
        let mut packed = Vec::with_capacity(rows.len() / k * self.words(k).unwrap_or(k));
        for row in rows.chunks_exact(k) {
            match self {
                Self::F32 => packed.extend(row),
                Self::F16 => packed.extend(f16_pairs(row.iter().map(|&value| f16::from_f32(value)))),
                Self::Q8 => blocks(row, bytes, &mut packed),
                Self::Q4 => blocks(row, digits, &mut packed),
            }
        }
        packed
    }
}

/// Two to a word.
fn f16_pairs(values: impl IntoIterator<Item = f16>) -> Vec<f32> {
    let values: Vec<f16> = values.into_iter().collect();
    let bits = |pair: &[f16], i: usize| pair.get(i).map_or(0, |value| u32::from(value.to_bits()));
    let word = |pair: &[f16]| f32::from_bits(bits(pair, 0) | bits(pair, 1) << 16);
    values.chunks(2).map(word).collect()
}

/// The words of a row's blocks, then their scales.
fn blocks(row: &[f32], quantize: fn(&[f32], &mut Vec<f32>) -> f16, packed: &mut Vec<f32>) {
    let scales: Vec<f16> = row.chunks_exact(BLOCK).map(|block| quantize(block, packed)).collect();
    packed.extend(f16_pairs(scales));
}

fn bytes(block: &[f32], packed: &mut Vec<f32>) -> f16 {
    let largest = block.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let scale = f16::from_f32(largest);
    let factor = reciprocal(scale) * 127.0;
    let byte = |value: f32| (value * factor).round().clamp(-127.0, 127.0) as i8;
    let word = |four: &[f32]| f32::from_bits(u32::from_le_bytes(std::array::from_fn(|i| byte(four[i]) as u8)));
    packed.extend(block.chunks_exact(4).map(word));
    scale
}

/// The largest number, whichever its sign, is the digit 0, since there is one more digit below 8 than above.
fn digits(block: &[f32], packed: &mut Vec<f32>) -> f16 {
    let larger = |a: f32, b: &f32| if b.abs() > a.abs() { *b } else { a };
    let scale = f16::from_f32(block.iter().fold(0.0, larger) / -8.0);
    let factor = reciprocal(scale);
    let digit = |value: f32| (value * factor + 8.0).round().clamp(0.0, 15.0) as u32;
    let word = |eight: &[f32]| {
        let digits = eight.iter().enumerate();
        f32::from_bits(digits.fold(0, |word, (i, &value)| word | digit(value) << (4 * i)))
    };
    packed.extend(block.chunks_exact(8).map(word));
    scale
}

fn reciprocal(scale: f16) -> f32 {
    if scale.to_f32() == 0.0 {
        0.0
    } else {
        1.0 / scale.to_f32()
    }
}

/// The numbers `[N, K]` of what [`WeightFormat::quantize`] made: the reference of what the shaders do.
pub fn dequantize(packed: TensorData, k: usize) -> TensorData {
    let [rows, words] = packed.shape()[..] else {
        return packed;
    };
    let (Some(format), DType::F32) = (WeightFormat::of(k, words), packed.dtype()) else {
        return packed;
    };
    let bits: Vec<u32> = packed.iter::<f32>().map(f32::to_bits).collect();
    let f16_of = |word: u32, upper: usize| f16::from_bits((word >> (16 * upper)) as u16).to_f32();
    let number = |row: &[u32], i: usize| {
        let scale = |first: usize| f16_of(row[first + i / (2 * BLOCK)], i / BLOCK % 2);
        match format {
            WeightFormat::F32 => f32::from_bits(row[i]),
            WeightFormat::F16 => f16_of(row[i / 2], i % 2),
            WeightFormat::Q8 => f32::from(row[i / 4].to_le_bytes()[i % 4] as i8) / 127.0 * scale(k / 4),
            WeightFormat::Q4 => ((row[i / 8] >> (i % 8 * 4) & 15) as f32 - 8.0) * scale(k / 8),
        }
    };
    let numbers: Vec<f32> = bits
        .chunks_exact(words)
        .flat_map(|row| (0..k).map(move |i| number(row, i)))
        .collect();
    TensorData::new(numbers, [rows, k])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantizing_keeps_what_the_format_can_hold() {
        let value = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let k = 96;
        let weight = TensorData::new((0..4 * k).map(value).collect::<Vec<_>>(), [4, k]);
        for (format, words, off) in [
            (WeightFormat::F32, 96, 0.0),
            (WeightFormat::F16, 48, 5e-4),
            (WeightFormat::Q8, 26, 5e-3),
            (WeightFormat::Q4, 14, 0.126),
        ] {
            assert_eq!(format.words(k), Some(words));
            let packed = format.quantize(weight.clone());
            assert_eq!(
                (packed.shape().to_vec(), WeightFormat::of(k, words)),
                (vec![4, words], Some(format))
            );
            let found = dequantize(packed, k);
            let pairs = found.iter::<f32>().zip(weight.iter::<f32>());
            let worst = pairs.fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(
                worst <= off && (worst > off / 20.0 || off == 0.0),
                "{format:?}: {worst}"
            );
        }
    }

    #[test]
    fn zeros_stay_zeros_and_odd_rows_as_they_are() {
        let zeros = TensorData::new(vec![0.0f32; 256], [4, 64]);
        for format in [WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4] {
            assert!(
                dequantize(format.quantize(zeros.clone()), 64)
                    .iter::<f32>()
                    .all(|value| value == 0.0)
            );
            for odd in [[4, 40], [3, 64]] {
                let weight = TensorData::new(vec![1.0f32; odd[0] * odd[1]], odd);
                assert_eq!(format.quantize(weight.clone()), weight);
            }
        }
    }
}
