//! Bitwise self-correction (Alg. 2): train on inputs whose bits were flipped, towards targets re-quantized after the
//! flip.
//!
//! At inference a wrong bit changes everything after it. In training, bits of the codes that enter the running sum are
//! flipped with a random probability per scale, and later residuals are taken from the flipped sum, so that the targets
//! correct the flips.

use super::quantizer::{Pyramid, Quantizer};
use super::random::{Stream, uniform};
use super::schedule::Grid;
use burn::tensor::{Int, Tensor, TensorData};
use serde::Serialize;

/// The targets of a training example whose inputs carry bit flips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Alg. 2: later residuals are taken from the flipped sum, so the targets correct the flips.
    Requantized,
    /// The paper's random-flip baseline (Table 7): the targets are those of the clean image. The official code no
    /// longer has it; its `noise_apply_requant=0` flips nothing at all.
    Clean,
}

/// An arm of the ablation on bit flips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AblationArm {
    /// No bits are flipped.
    Clean,
    /// Bits are flipped; later residuals are those of the clean image, as in the paper's random-flip baseline.
    Flipped,
    /// Bits are flipped; later residuals are quantized again from the flipped sum: self-correction.
    #[serde(rename = "requantised")]
    Requantized,
}

impl AblationArm {
    pub const ALL: [Self; 3] = [Self::Clean, Self::Flipped, Self::Requantized];

    /// Targets of this arm. Without flips both kinds are the same.
    pub fn targets(self) -> Targets {
        match self {
            Self::Clean | Self::Requantized => Targets::Requantized,
            Self::Flipped => Targets::Clean,
        }
    }
}

/// Bit-flip noise in training.
#[derive(Clone, Copy, Debug)]
pub struct Correction {
    /// Largest flip probability `p`, 0 to 1; each scale draws whole percents from 0 to `100 p`.
    pub max_flip_rate: f64,
    /// Number of scales, from the first, in which bits are flipped.
    pub num_scales: usize,
    pub targets: Targets,
}

impl Correction {
    /// Teacher forcing: nothing is flipped.
    pub const OFF: Self = Self {
        max_flip_rate: 0.0,
        num_scales: 0,
        targets: Targets::Requantized,
    };

    /// Masks `[B, h_k, w_k, d]` (1 = flip) drawn from a seed, `None` where a scale is left alone.
    ///
    /// One probability per scale for the whole batch, then every bit on its own. The same seed flips the same bits on
    /// every device.
    pub fn masks(&self, seed: u64, grids: &[Grid], batch: usize, d: usize) -> Vec<Option<TensorData>> {
        let percents = (100.0 * self.max_flip_rate).floor() as u64;
        let draw = |(k, &(h, w)): (usize, &Grid)| {
            if k >= self.num_scales || percents == 0 {
                return None;
            }
            let percent = (uniform(seed, Stream::FlipRate, k as u64, 0) * (percents + 1) as f64).floor();
            let rate = percent.min(percents as f64) / 100.0;
            Some(TensorData::new(
                draw_flips(seed, k, rate, batch * h * w * d),
                [batch, h, w, d],
            ))
        };
        grids.iter().enumerate().map(draw).collect()
    }
}

/// Which of `count` bits of scale `k` flip (1) when each does so with probability `rate`. The same seed flips the same
/// bits on every device, and the bits of a smaller rate are among those of a larger one.
pub fn draw_flips(seed: u64, k: usize, rate: f64, count: usize) -> Vec<i32> {
    let flip = |i| i32::from(uniform(seed, Stream::Flip, k as u64, i) < rate);
    (0..count as u64).map(flip).collect()
}

/// Training example of one batch.
pub struct Corrected {
    /// Bits of every scale that the transformer must predict, `[B, h_k, w_k, d]`, never flipped.
    pub targets: Vec<Tensor<4, Int>>,
    /// Running sums with the flips in them, from which the transformer's inputs are made.
    pub sums: Vec<Tensor<4>>,
}

impl Corrected {
    /// The bits whose codes are in the sums: the targets with the flips applied.
    pub fn stored(&self, masks: &[Option<Tensor<4, Int>>]) -> Vec<Tensor<4, Int>> {
        let bits = self.targets.iter().cloned().enumerate();
        bits.map(|(k, bits)| with_flips(k, bits, masks)).collect()
    }
}

/// Alg. 2 with explicit masks (`[B, h_k, w_k, d]`, 1 = flip).
pub fn correct(
    quantizer: &Quantizer,
    features: Tensor<4>,
    grids: &[Grid],
    masks: &[Option<Tensor<4, Int>>],
    targets: Targets,
) -> Corrected {
    match targets {
        Targets::Requantized => {
            let store = |k, bits| with_flips(k, bits, masks);
            let Pyramid { bits, sums } = quantizer.encode_with(features, grids, store);
            Corrected { targets: bits, sums }
        }
        Targets::Clean => {
            let bits = quantizer.encode(features.clone(), grids).bits;
            correct_known(quantizer, features, &bits, grids, masks, targets)
        }
    }
}

/// [`correct`] for an image whose bits are known, such as a generated one, where `F` is what they sum to.
///
/// The known bits are kept up to the first flip. Alg. 1 would find bits with nearly the same sum, but not these bits.
pub fn correct_known(
    quantizer: &Quantizer,
    features: Tensor<4>,
    bits: &[Tensor<4, Int>],
    grids: &[Grid],
    masks: &[Option<Tensor<4, Int>>],
    targets: Targets,
) -> Corrected {
    let first = masks.iter().position(Option::is_some).unwrap_or(grids.len());
    match targets {
        Targets::Requantized => {
            let mut targets = Vec::new();
            let store = |k: usize, found| {
                let target = if k <= first { bits[k].clone() } else { found };
                targets.push(target.clone());
                with_flips(k, target, masks)
            };
            let sums = quantizer.encode_with(features, grids, store).sums;
            Corrected { targets, sums }
        }
        Targets::Clean => {
            let [_, _, height, width] = features.dims();
            let targets = bits.to_vec();
            let stored = targets.iter().cloned().enumerate();
            let stored: Vec<_> = stored.map(|(k, bits)| with_flips(k, bits, masks)).collect();
            let sums = quantizer.decode(&stored, (height, width));
            Corrected { targets, sums }
        }
    }
}

/// The bits of scale `k` with their flips, if it has any.
fn with_flips(k: usize, bits: Tensor<4, Int>, masks: &[Option<Tensor<4, Int>>]) -> Tensor<4, Int> {
    match masks.get(k) {
        Some(Some(mask)) => flipped(bits, mask.clone()),
        _ => bits,
    }
}

/// `bits xor mask`.
pub fn flipped<const D: usize>(bits: Tensor<D, Int>, mask: Tensor<D, Int>) -> Tensor<D, Int> {
    bits.not_equal(mask).int()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, Case};
    use crate::model::bits::to_tokens;
    use crate::model::resize::patchify;
    use burn::tensor::Device;

    fn masks(case: &Case, scales: usize, device: &Device) -> Vec<Option<Tensor<4, Int>>> {
        let mask = |k| {
            let name = format!("mask.{k}");
            case.has(&name).then(|| case.int::<4>(&name, device))
        };
        (0..scales).map(mask).collect()
    }

    golden::test_per_device!(golden_self_correction: golden_self_correction_flex, golden_self_correction_wgpu);

    fn golden_self_correction(name: &str, device: &Device) {
        for case in golden::cases("bitwise_self_correction") {
            let grids: Vec<Grid> = case.get("vae_schedule");
            let patch = case.get::<usize>("apply_spatial_patchify") == 1;
            let features = case.float::<4>("features", device);
            let mut masks = masks(&case, grids.len(), device);
            if case.get::<usize>("noise_apply_requant") == 0 {
                // The official code then draws flips and discards them.
                masks = vec![None; grids.len()];
            }
            let corrected = correct(&Quantizer::default(), features, &grids, &masks, Targets::Requantized);
            for (k, bits) in corrected.targets.iter().enumerate() {
                case.check_int(name, &format!("labels.{k}"), to_tokens(bits.clone(), patch));
            }
            let pyramid = Pyramid {
                bits: corrected.targets,
                sums: corrected.sums,
            };
            let rows = |x: Tensor<4>| {
                let x = if patch { patchify(x) } else { x };
                x.flatten::<3>(2, 3).swap_dims(1, 2)
            };
            let inputs: Vec<_> = pyramid.inputs(&grids).into_iter().map(rows).collect();
            case.check(name, "x_BLC_wo_prefix", Tensor::cat(inputs, 1));
        }
    }

    #[test]
    fn seeded_masks_flip_at_the_drawn_rate_and_only_where_asked() {
        let correction = Correction {
            max_flip_rate: 0.3,
            num_scales: 2,
            targets: Targets::Requantized,
        };
        let grids = [(8, 8), (16, 16), (16, 16)];
        let again = correction.masks(7, &grids, 4, 32);
        let masks = correction.masks(7, &grids, 4, 32);
        assert!(masks[2].is_none());
        let mut rates = Vec::new();
        for (mask, again) in masks.iter().take(2).zip(&again) {
            let values: Vec<i32> = mask.as_ref().unwrap().try_to_vec().unwrap();
            assert_eq!(values, again.as_ref().unwrap().try_to_vec::<i32>().unwrap());
            rates.push(values.iter().sum::<i32>() as f64 / values.len() as f64);
        }
        assert!(rates.iter().all(|&rate| rate < 0.33), "{rates:?}");
        let mut all: Vec<f64> = Vec::new();
        for seed in 0..400 {
            let mask = correction.masks(seed, &[(16, 16)], 1, 32)[0].clone().unwrap();
            let values: Vec<i32> = mask.try_to_vec().unwrap();
            all.push(values.iter().sum::<i32>() as f64 / values.len() as f64);
        }
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        assert!((mean - 0.15).abs() < 0.02, "mean flip rate {mean}");
        assert!(all.contains(&0.0) && all.iter().any(|&rate| rate > 0.27));
    }

    #[test]
    fn only_requantised_targets_recover_from_flips() {
        let device = Device::flex();
        let grids = [(1, 1), (2, 2), (4, 4), (6, 6), (8, 8)];
        let draw = |k: usize, (h, w): Grid, rate: f64| {
            let bit = |i| i32::from(uniform(3, Stream::Flip, k as u64, i) < rate);
            let data = TensorData::new(
                (0..16 * h * w).map(|i| bit(i as u64)).collect::<Vec<i32>>(),
                [1, h, w, 16],
            );
            Tensor::<4, Int>::from_data(data, &device)
        };
        // Features a pyramid can represent: a sum of random codes.
        let image: Vec<_> = grids
            .iter()
            .enumerate()
            .map(|(k, &grid)| draw(k + 10, grid, 0.5))
            .collect();
        let features = Quantizer::default().decode(&image, (8, 8))[4].clone();
        let masks: Vec<_> = (0..3).map(|k| Some(draw(k, grids[k], 0.3))).collect();
        let quantizer = Quantizer::default();
        let error = |sum: Tensor<4>| (sum - features.clone()).square().mean().into_scalar::<f32>();
        let corrected = correct(&quantizer, features.clone(), &grids, &masks, Targets::Requantized);
        let baseline = correct(&quantizer, features.clone(), &grids, &masks, Targets::Clean);
        let clean = quantizer.encode(features.clone(), &grids);
        assert!(error(corrected.sums[4].clone()) < 0.7 * error(baseline.sums[4].clone()));
        for (k, bits) in baseline.targets.iter().enumerate() {
            bits.clone()
                .into_data()
                .assert_eq(&clean.bits[k].clone().into_data(), true);
        }
    }

    #[test]
    fn known_bits_stay_until_the_first_flip_and_later_ones_answer_it() {
        let device = Device::flex();
        let quantizer = Quantizer::default();
        let grids = [(1, 1), (2, 2), (4, 4), (8, 8)];
        let draw = |k: usize, rate: f64| {
            let (h, w) = grids[k];
            let bits = draw_flips(5, k, rate, 16 * h * w);
            Tensor::<4, Int>::from_data(TensorData::new(bits, [1, h, w, 16]), &device)
        };
        let bits: Vec<_> = (0..4).map(|k| draw(k, 0.5)).collect();
        let sums = quantizer.decode(&bits, (8, 8));
        let features = sums[3].clone();
        let none = vec![None; 4];
        let some = vec![None, Some(draw(1, 0.3)), None, None];
        let run = |masks: &[Option<Tensor<4, Int>>], targets| {
            let corrected = correct_known(&quantizer, features.clone(), &bits, &grids, masks, targets);
            let stored = corrected.stored(masks).into_iter();
            let stored: Vec<Vec<i32>> = stored.map(|bits| bits.into_data().try_to_vec().unwrap()).collect();
            let error = |sum: &Tensor<4>| (sum.clone() - features.clone()).square().sum().into_scalar::<f32>();
            (stored, corrected.sums.iter().map(error).collect::<Vec<f32>>())
        };
        let (clean, errors) = run(&none, Targets::Requantized);
        assert_eq!(clean, run(&none, Targets::Clean).0);
        assert!(errors[3] < 1e-9, "the bits of an image sum to it: {errors:?}");
        let (kept, kept_errors) = run(&some, Targets::Clean);
        let (answered, answered_errors) = run(&some, Targets::Requantized);
        assert_eq!((&kept[0], &answered[0]), (&clean[0], &clean[0]));
        assert_eq!(kept[1], answered[1]);
        assert_ne!(kept[1], clean[1]);
        assert_eq!(kept[2..], clean[2..], "old residuals know nothing of the flips");
        assert_ne!(answered[2], clean[2]);
        assert!(kept_errors[1] == answered_errors[1] && answered_errors[3] < kept_errors[3]);
    }
}
