//! Batches of captioned images, one aspect ratio at a time.

use super::TrainError;
use crate::data::{Sample, Source};
use crate::model::random::{Stream, bits, uniform};
use crate::model::schedule::{Schedule, TEMPLATES};
use burn::tensor::{Device, Int, Tensor, TensorData};
use image::RgbImage;
#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

/// Where batches come from.
pub struct Batches<'a> {
    pub source: &'a dyn Source,
    pub size: usize,
    pub seed: u64,
    /// Scales of the schedule's prefix: progressive resolution trains a short prefix first.
    pub scales: usize,
    /// Share of square batches; the rest are spread over the other 14 templates.
    pub square_share: f64,
}

/// Images of one batch.
pub struct Batch {
    pub schedule: Schedule,
    pub samples: Vec<Sample>,
    /// The pixels of all samples, four neighbours in a number: `[B, 3, H, W / 4]`. Some GPU drivers take as long to
    /// receive a batch as to learn from it.
    pixels: Vec<i32>,
}

impl Batches<'_> {
    /// The aspect ratio of a step's images, as an index into [`TEMPLATES`].
    pub fn template(&self, step: usize) -> usize {
        let square = uniform(self.seed, Stream::Batch, step as u64, 0) < self.square_share;
        let other = 1 + bits(self.seed, Stream::Batch, step as u64, 1) as usize % (TEMPLATES.len() - 1);
        if square { 0 } else { other }
    }

    /// The captioned images of a step and their schedule; the same arguments always give the same ones.
    pub fn samples(&self, step: usize) -> Result<(Schedule, Vec<Sample>), TrainError> {
        let schedule = TEMPLATES[self.template(step)].schedule(self.scales)?;
        let (height, width) = schedule.image_size();
        let first = (step * self.size) as u64;
        let sample = |i: u64| self.source.sample(self.seed, first + i, height, width);
        let numbers = 0..self.size as u64;
        #[cfg(not(target_family = "wasm"))]
        let numbers = numbers.into_par_iter();
        Ok((schedule, numbers.map(sample).collect::<Result<_, _>>()?))
    }

    /// The batch of a step.
    pub fn get(&self, step: usize) -> Result<Batch, TrainError> {
        let (schedule, samples) = self.samples(step)?;
        #[cfg(target_family = "wasm")]
        let each = samples.iter();
        #[cfg(not(target_family = "wasm"))]
        let each = samples.par_iter();
        let planes: Vec<Vec<i32>> = each.map(|sample| packed(&sample.image)).collect();
        Ok(Batch {
            schedule,
            samples,
            pixels: planes.concat(),
        })
    }
}

/// Planes of an image whose width is a multiple of four: `[3, H, W / 4]`, the first of four pixels in the lowest byte.
fn packed(image: &RgbImage) -> Vec<i32> {
    let places = (image.width() * image.height()) as usize;
    let mut planes = vec![0; 3 * places / 4];
    for (place, pixel) in image.pixels().enumerate() {
        for (channel, &value) in pixel.0.iter().enumerate() {
            planes[(channel * places + place) / 4] |= i32::from(value) << (8 * (place % 4));
        }
    }
    planes
}

impl Batch {
    /// `[B, 3, H, W]` in [-1, 1].
    pub fn images(&self, device: &Device) -> Tensor<4> {
        let (height, width) = self.schedule.image_size();
        let images = self.samples.len();
        let data = TensorData::new(self.pixels.clone(), [images, 3, height, width / 4]);
        let packed = Tensor::<4, Int>::from_data(data, device);
        let byte = |i: i32| packed.clone().bitwise_right_shift_scalar(8 * i).bitwise_and_scalar(255);
        let bytes: Tensor<5, Int> = Tensor::stack((0..4).map(byte).collect(), 4);
        bytes.reshape([images, 3, height, width]).float() / 127.5 - 1.0
    }

    pub fn captions(&self) -> Vec<&str> {
        self.samples.iter().map(|sample| sample.caption.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::compose::EmojiWorld;
    use crate::data::heldout::Split;
    use crate::data::pictures::Pictures;
    use crate::golden;
    use std::collections::BTreeMap;

    #[test]
    fn pixels_come_out_as_they_went_in() {
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let batches = Batches {
            source: &world,
            size: 2,
            seed: 3,
            scales: 3,
            square_share: 0.0,
        };
        let batch = batches.get(0).unwrap();
        let expected: Vec<f32> = batch.samples.iter().flat_map(|sample| sample.to_chw()).collect();
        for (name, device) in golden::devices() {
            let found = batch.images(&device).into_data().try_to_vec::<f32>().unwrap();
            let off = found
                .iter()
                .zip(&expected)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(found.len() == expected.len() && off < 1e-6, "{name}: {off}");
        }
    }

    fn source() -> Pictures {
        Pictures::new(vec![(RgbImage::new(8, 8), "nothing".into())])
    }

    /// How often each image size comes up in 1,000 batches.
    fn sizes(square_share: f64) -> BTreeMap<(usize, usize), usize> {
        let source = source();
        let batches = Batches {
            source: &source,
            size: 1,
            seed: 3,
            scales: 5,
            square_share,
        };
        let mut sizes = BTreeMap::new();
        for step in 0..1000 {
            let batch = batches.get(step).unwrap();
            let size = batch.schedule.image_size();
            let image = &batch.samples[0].image;
            assert_eq!((image.height() as usize, image.width() as usize), size);
            *sizes.entry(size).or_default() += 1;
        }
        sizes
    }

    #[test]
    fn all_fifteen_aspect_ratios_are_trained() {
        let found = sizes(0.6);
        let mut expected: Vec<_> = (TEMPLATES.iter())
            .map(|template| template.schedule(5).unwrap().image_size())
            .collect();
        expected.sort_unstable();
        assert_eq!((TEMPLATES.len(), expected.contains(&(128, 128))), (15, true));
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), expected);
        // 600 and 29 expected, 15 and 5 deviations.
        assert!((540..660).contains(&found[&(128, 128)]), "{found:?}");
        let others = found.iter().filter(|(size, _)| **size != (128, 128));
        assert!(
            others.into_iter().all(|(_, count)| (10..50).contains(count)),
            "{found:?}"
        );
        assert_eq!(sizes(1.0).len(), 1);
    }

    #[test]
    fn a_batch_is_that_of_its_step() {
        let source = source();
        let batches = Batches {
            source: &source,
            size: 2,
            seed: 3,
            scales: 2,
            square_share: 0.5,
        };
        let (first, again) = (batches.get(7).unwrap(), batches.get(7).unwrap());
        let images = |batch: &Batch| batch.images(&Device::flex()).into_data();
        assert_eq!(images(&first), images(&again));
        assert_eq!((first.samples.len(), first.captions()), (2, vec!["nothing"; 2]));
        let (height, width) = first.schedule.image_size();
        assert_eq!(images(&first).shape().to_vec(), [2, 3, height, width]);
    }
}
