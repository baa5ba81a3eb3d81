//! The text features that the transformer is conditioned on: the text encoder's rows, padded to a rectangle.
//!
//! The official code concatenates the rows of all samples without padding (`kv_compact [sum len, Ct5]` with the
//! offsets `cu_seqlens`). A rectangle with a mask suits batched matmuls; both hold the same rows.

use super::error::ModelError;
use burn::tensor::{Device, Tensor, TensorData};

/// Added to the attention scores of padded keys. It wipes out every finite score, `exp` of it is exactly zero, and it
/// stays finite in intermediate products, which shader compilers may assume of all numbers.
const MASKED: f32 = -1e9;

/// Features of a batch of prompts.
#[derive(Clone, Debug)]
pub struct TextFeatures {
    /// `[B, L_max, Ct5]`; rows from `lens[b]` on are padding, and nothing may depend on their values.
    pub features: Tensor<3>,
    /// Rows of every sample that count, the end-of-sequence row included; each is at least 1.
    pub lens: Vec<usize>,
}

impl TextFeatures {
    /// From the official packing: rows `kv_compact [sum len, Ct5]`, offsets
    /// `cu_seqlens = [0, len_1, len_1 + len_2, ..]`.
    pub fn from_compact(kv_compact: Tensor<2>, cu_seqlens: &[usize]) -> Result<Self, ModelError> {
        let [rows, width] = kv_compact.dims();
        let lens = lengths(cu_seqlens, rows)?;
        let longest = lens.iter().copied().max().unwrap_or(0);
        let device = kv_compact.device();
        let samples = cu_seqlens
            .iter()
            .zip(&lens)
            .map(|(&start, &len)| {
                let sample = kv_compact.clone().slice([start..start + len, 0..width]);
                match longest - len {
                    0 => sample,
                    pad => Tensor::cat(vec![sample, Tensor::zeros([pad, width], &device)], 0),
                }
            })
            .collect();
        let features = Tensor::stack(samples, 0);
        Ok(Self { features, lens })
    }

    /// The official packing of the same rows: `kv_compact [sum len, Ct5]` and `cu_seqlens` of `B + 1` offsets.
    pub fn to_compact(&self) -> (Tensor<2>, Vec<usize>) {
        let [_, _, width] = self.features.dims();
        let mut cu_seqlens = vec![0];
        let mut samples = Vec::with_capacity(self.lens.len());
        for (b, &len) in self.lens.iter().enumerate() {
            let rows = self.features.clone().slice([b..b + 1, 0..len, 0..width]);
            samples.push(rows.reshape([len, width]));
            cu_seqlens.push(cu_seqlens[b] + len);
        }
        (Tensor::cat(samples, 0), cu_seqlens)
    }

    /// Both batches one after the other, padded to the longer.
    pub fn concat(&self, other: &Self) -> Result<Self, ModelError> {
        let [_, left, width] = self.features.dims();
        let [_, right, other_width] = other.features.dims();
        if width != other_width {
            return Err(ModelError::Packing(format!("widths {width} and {other_width} differ")));
        }
        let longest = left.max(right);
        let pad = |x: &Tensor<3>| {
            let [b, l, _] = x.dims();
            match longest - l {
                0 => x.clone(),
                missing => Tensor::cat(vec![x.clone(), Tensor::zeros([b, missing, width], &x.device())], 1),
            }
        };
        Ok(Self {
            features: Tensor::cat(vec![pad(&self.features), pad(&other.features)], 0),
            lens: [self.lens.clone(), other.lens.clone()].concat(),
        })
    }

    /// Additive mask over the keys, see [`key_padding_mask`].
    pub fn key_padding_mask(&self) -> Option<Tensor<4>> {
        let [_, longest, _] = self.features.dims();
        key_padding_mask(&self.lens, longest, &self.features.device())
    }
}

/// Additive attention mask `[B, 1, 1, L]`: zero for the first `lens[b]` keys of sample `b`, hugely negative for its
/// padding. `None` when no sample has padding.
pub fn key_padding_mask(lens: &[usize], longest: usize, device: &Device) -> Option<Tensor<4>> {
    if lens.iter().all(|&len| len == longest) {
        return None;
    }
    let mask: Vec<f32> = lens
        .iter()
        .flat_map(|&len| (0..longest).map(move |key| if key < len { 0.0 } else { MASKED }))
        .collect();
    let data = TensorData::new(mask, [lens.len(), 1, 1, longest]);
    Some(Tensor::from_data(data, device))
}

/// Lengths between offsets, or what is wrong with them.
fn lengths(cu_seqlens: &[usize], rows: usize) -> Result<Vec<usize>, ModelError> {
    let wrong = |what: String| Err(ModelError::Packing(what));
    let (Some(&first), Some(&last)) = (cu_seqlens.first(), cu_seqlens.last()) else {
        return wrong("there are no offsets".into());
    };
    if cu_seqlens.len() < 2 || first != 0 || last != rows {
        return wrong(format!("offsets {cu_seqlens:?} for {rows} rows"));
    }
    if let Some(pair) = cu_seqlens.windows(2).find(|pair| pair[0] >= pair[1]) {
        return wrong(format!("offset {} follows {}", pair[1], pair[0]));
    }
    Ok(cu_seqlens.windows(2).map(|pair| pair[1] - pair[0]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;

    #[test]
    fn packing_and_unpacking_keep_every_row() {
        for (_, device) in golden::devices() {
            let rows: Vec<f32> = (0..18).map(|v| v as f32 + 1.0).collect();
            let compact = Tensor::<2>::from_data(TensorData::new(rows.clone(), [6, 3]), &device);
            let text = TextFeatures::from_compact(compact, &[0, 2, 5, 6]).unwrap();
            assert_eq!(text.lens, [2, 3, 1]);
            assert_eq!(text.features.dims(), [3, 3, 3]);
            let padded: Vec<f32> = text.features.clone().into_data().try_to_vec().unwrap();
            assert_eq!(&padded[..6], &rows[..6]);
            assert_eq!(&padded[6..9], &[0.0; 3]);
            let (compact, cu_seqlens) = text.to_compact();
            assert_eq!(cu_seqlens, [0, 2, 5, 6]);
            assert_eq!(compact.into_data().try_to_vec::<f32>().unwrap(), rows);
        }
    }

    #[test]
    fn the_mask_hides_padding_only_and_is_absent_without_any() {
        let device = Device::flex();
        let mask = key_padding_mask(&[1, 3], 3, &device).unwrap();
        assert_eq!(mask.dims(), [2, 1, 1, 3]);
        let mask: Vec<f32> = mask.into_data().try_to_vec().unwrap();
        assert_eq!(mask, [0.0, MASKED, MASKED, 0.0, 0.0, 0.0]);
        assert!(key_padding_mask(&[3, 3], 3, &device).is_none());
    }

    #[test]
    fn broken_offsets_are_refused() {
        let rows = || Tensor::<2>::zeros([4, 2], &Device::flex());
        for offsets in [&[][..], &[0], &[1, 4], &[0, 3], &[0, 5], &[0, 2, 2, 4], &[0, 3, 2, 4]] {
            let found = TextFeatures::from_compact(rows(), offsets);
            assert!(matches!(found, Err(ModelError::Packing(_))), "{offsets:?}");
        }
    }
}
