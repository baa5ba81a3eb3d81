//! Which bits of an image are flipped: the command's flips, checked against the model, as masks.

use super::protocol::{BitAt, Flips};
use super::{EngineError, options};
use crate::model::bits;
use crate::model::schedule::{Grid, Schedule};
use crate::model::self_correction::draw_flips;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Flip masks of every scale, in the layout of tokens: `L_k x d` numbers (1 = flip), `None` where a scale has no flip.
pub(super) struct FlipMasks {
    masks: Vec<Option<Vec<i32>>>,
    d: usize,
}

impl FlipMasks {
    pub fn new(flips: &Flips, schedule: &Schedule, d: usize) -> Result<Self, EngineError> {
        let wrong = |what: String| Err(EngineError::Flips(what));
        let of = schedule.len();
        let seed = options::seed(flips.seed)?;
        if !(0.0..=1.0).contains(&flips.rate) {
            return wrong(format!(
                "the rate is {} and a probability lies between 0 and 1",
                flips.rate
            ));
        }
        if let Some(scale) = flips.scales.iter().find(|scale| !(1..=of).contains(*scale)) {
            return wrong(format!("there is no scale {scale} among {of}"));
        }
        let draw = |k: usize| {
            let drawn = flips.rate > 0.0 && flips.scales.contains(&(k + 1));
            drawn.then(|| draw_flips(seed, k, flips.rate, schedule.tokens(k) * d))
        };
        let mut masks: Vec<Option<Vec<i32>>> = (0..of).map(draw).collect();
        for &BitAt { scale, token, bit } in &flips.single {
            if !(1..=of).contains(&scale) || token >= schedule.tokens(scale - 1) || bit >= d {
                return wrong(format!("there is no bit {bit} of token {token} at scale {scale}"));
            }
            let count = schedule.tokens(scale - 1) * d;
            masks[scale - 1].get_or_insert_with(|| vec![0; count])[token * d + bit] ^= 1;
        }
        let flipped = |mask: Option<Vec<i32>>| mask.filter(|mask| mask.contains(&1));
        Ok(Self {
            masks: masks.into_iter().map(flipped).collect(),
            d,
        })
    }

    /// Number of flips of scale `k` (from 0).
    pub fn count(&self, k: usize) -> usize {
        let flips = |mask: &Vec<i32>| mask.iter().filter(|&&flip| flip == 1).count();
        self.masks[k].as_ref().map_or(0, flips)
    }

    /// The first scale (from 0) with a flip, or the number of scales.
    pub fn first(&self) -> usize {
        self.masks.iter().position(Option::is_some).unwrap_or(self.masks.len())
    }

    /// As the sampler takes them: `[1, L_k, d]`.
    pub fn tokens(&self, device: &Device) -> Vec<Option<Tensor<3, Int>>> {
        let tensor = |mask: &Vec<i32>| {
            let shape = [1, mask.len() / self.d, self.d];
            Tensor::from_data(TensorData::new(mask.clone(), shape), device)
        };
        self.masks.iter().map(|mask| mask.as_ref().map(tensor)).collect()
    }

    /// As the quantizer takes them: `[1, h_k, w_k, d]` of the latent.
    pub fn latent(&self, schedule: &Schedule, patchify: bool, device: &Device) -> Vec<Option<Tensor<4, Int>>> {
        let unfold =
            |(mask, &grid): (Option<Tensor<3, Int>>, &Grid)| mask.map(|mask| bits::from_tokens(mask, grid, patchify));
        self.tokens(device)
            .into_iter()
            .zip(schedule.grids())
            .map(unfold)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::TEMPLATES;

    fn at(scale: usize, token: usize, bit: usize) -> BitAt {
        BitAt { scale, token, bit }
    }

    fn flip_masks(scales: &[usize], rate: f64, single: &[BitAt]) -> Result<FlipMasks, EngineError> {
        let flips = Flips {
            scales: scales.to_vec(),
            rate,
            seed: 7.0,
            single: single.to_vec(),
        };
        FlipMasks::new(&flips, &TEMPLATES[0].schedule(4).unwrap(), 8)
    }

    #[test]
    fn flips_are_where_they_were_asked_for() {
        let drawn = flip_masks(&[2, 4], 0.5, &[]).unwrap();
        let counts: Vec<usize> = (0..4).map(|k| drawn.count(k)).collect();
        assert_eq!((counts[0], counts[2], drawn.first()), (0, 0, 1), "{counts:?}");
        // 36 tokens of 8 bits: 144 expected, 8.5 deviation.
        assert!(
            (5..28).contains(&counts[1]) && (110..178).contains(&counts[3]),
            "{counts:?}"
        );
        assert!((0..4).all(|k| flip_masks(&[2, 4], 0.5, &[]).unwrap().count(k) == counts[k]));
        let single = flip_masks(&[], 0.0, &[at(3, 5, 2), at(3, 6, 0)]).unwrap();
        assert_eq!((single.first(), single.count(2)), (2, 2));
        let mask: Vec<i32> = single.tokens(&Device::flex())[2]
            .clone()
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!((mask[5 * 8 + 2], mask[6 * 8], mask.iter().sum::<i32>()), (1, 1, 2));
        let twice = flip_masks(&[], 0.0, &[at(3, 5, 2), at(3, 5, 2)]).unwrap();
        assert_eq!((twice.first(), twice.count(2)), (4, 0));
        assert_eq!(flip_masks(&[1, 2, 3, 4], 1.0, &[at(1, 0, 0)]).unwrap().count(0), 7);
    }

    #[test]
    fn patchified_flips_keep_their_number() {
        let masks = flip_masks(&[3], 0.3, &[]).unwrap();
        let schedule = TEMPLATES[0].schedule(4).unwrap();
        let mask = masks.latent(&schedule, true, &Device::flex())[2].clone().unwrap();
        assert_eq!(mask.dims(), [1, 8, 8, 2]);
        assert_eq!(mask.sum().into_scalar::<i32>() as usize, masks.count(2));
    }

    #[test]
    fn impossible_flips_are_refused_with_a_remedy() {
        let bad = [
            flip_masks(&[0], 0.1, &[]),
            flip_masks(&[5], 0.1, &[]),
            flip_masks(&[1], -0.1, &[]),
            flip_masks(&[1], 1.1, &[]),
            flip_masks(&[1], f64::NAN, &[]),
            flip_masks(&[], 0.0, &[at(0, 0, 0)]),
            flip_masks(&[], 0.0, &[at(5, 0, 0)]),
            flip_masks(&[], 0.0, &[at(2, 4, 0)]),
            flip_masks(&[], 0.0, &[at(2, 3, 8)]),
        ];
        for found in bad {
            let error = found.err().unwrap();
            assert_eq!((error.code(), error.field()), ("options", Some("flips")), "{error}");
            assert!(error.to_string().contains("; "), "{error}");
        }
    }
}
