//! Pictures as features of EfficientNet-Lite0.

use super::efficientnet::EfficientNet;
use super::{EvalError, read};
use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use image::imageops::{FilterType, resize};
use std::path::Path;

/// Where `make eval-weights` puts the weights.
pub const DEFAULT_FILE: &str = "target/eval/efficientnet-lite0-57934424.pth";
/// Side that pictures are brought to, bilinearly; the one the network was trained at.
pub const SIDE: u32 = 224;
/// Pictures at once: more only needs more memory.
const BATCH: usize = 16;

/// The network on its device.
pub struct Extractor {
    network: EfficientNet,
    device: Device,
}

impl Extractor {
    /// Loads the published weights.
    pub fn open(path: &Path, device: &Device) -> Result<Self, EvalError> {
        Ok(Self::new(EfficientNet::open(path, device)?, device))
    }

    pub fn new(network: EfficientNet, device: &Device) -> Self {
        Self {
            network,
            device: device.clone(),
        }
    }

    /// One row of features for every picture, whatever their sizes.
    pub fn features(&self, pictures: &[RgbImage]) -> Result<Vec<Vec<f32>>, EvalError> {
        let mut rows = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(BATCH) {
            let features = self.network.features(self.images(batch));
            let [_, width] = features.dims();
            let values = read(features)?;
            rows.extend(values.chunks(width).map(<[f32]>::to_vec));
        }
        Ok(rows)
    }

    /// `[B, 3, SIDE, SIDE]` from 0 to 255.
    fn images(&self, pictures: &[RgbImage]) -> Tensor<4> {
        let side = SIDE as usize;
        let mut values = Vec::with_capacity(pictures.len() * 3 * side * side);
        for picture in pictures {
            let picture = resize(picture, SIDE, SIDE, FilterType::Triangle);
            for channel in 0..3 {
                values.extend(picture.as_raw().iter().skip(channel).step_by(3).map(|&v| f32::from(v)));
            }
        }
        Tensor::from_data(TensorData::new(values, [pictures.len(), 3, side, side]), &self.device)
    }
}

/// Cosine of the angle between two rows of features, -1 to 1.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |p: &[f32], q: &[f32]| p.iter().zip(q).map(|(p, q)| p * q).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::efficientnet::checkpoint_name;
    use super::super::efficientnet::{EfficientNetConfig, Stage};
    use super::*;
    use crate::data::rng::Rng;
    use crate::weights::{Tensors, load_module, parameter_shapes};
    use image::Rgb;

    /// A network of a few channels with random weights: features that mean nothing, but differ where pictures do.
    pub fn random() -> Extractor {
        let device = Device::flex();
        let config = EfficientNetConfig {
            stem: 8,
            stages: vec![Stage(1, 3, 2, 2, 8)],
            head: 24,
            classes: 2,
        };
        let network = EfficientNet::new(&config, &device);
        let mut rng = Rng::new(5, 5);
        let mut tensors = Tensors::new();
        for (name, shape) in parameter_shapes(&network, checkpoint_name) {
            let low = if name.ends_with("running_var") { 0.5 } else { -0.5 };
            let values = (0..shape.iter().product()).map(|_| rng.range(low, 1.0));
            tensors.insert(name, TensorData::new(values.collect::<Vec<f32>>(), shape));
        }
        Extractor::new(load_module(network, &mut tensors, checkpoint_name).unwrap(), &device)
    }

    #[test]
    fn every_picture_gets_its_own_row() {
        let extractor = random();
        let pictures: Vec<RgbImage> = (0..BATCH as u32 + 3)
            .map(|i| RgbImage::from_fn(20 + i, 30, |x, y| Rgb([(x * i) as u8, (y * 7) as u8, 90])))
            .collect();
        let together = extractor.features(&pictures).unwrap();
        assert_eq!(together.len(), pictures.len());
        for i in [0, BATCH - 1, BATCH, BATCH + 2] {
            let alone = &extractor.features(&pictures[i..=i]).unwrap()[0];
            let error = alone
                .iter()
                .zip(&together[i])
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(error < 1e-4, "{error}");
        }
        assert!(cosine(&together[0], &together[5]) < 0.9999);
    }

    #[test]
    fn cosines() {
        assert!((cosine(&[1.0, 2.0], &[2.0, 4.0]) - 1.0).abs() < 1e-6);
        assert!(cosine(&[1.0, 0.0], &[0.0, 3.0]).abs() < 1e-6);
        assert_eq!(cosine(&[0.0], &[1.0]), 0.0);
    }
}
