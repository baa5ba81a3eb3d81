//! Batches of captioned images, one aspect ratio at a time.

use super::TrainError;
use crate::data::{Sample, Source};
use crate::model::random::{Stream, bits, uniform};
use crate::model::schedule::{Schedule, TEMPLATES};
use burn::tensor::{Device, Tensor, TensorData};
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
}

impl Batches<'_> {
    /// The batch of a step; the same arguments always give the same batch.
    pub fn get(&self, step: usize) -> Result<Batch, TrainError> {
        let square = uniform(self.seed, Stream::Batch, step as u64, 0) < self.square_share;
        let other = 1 + bits(self.seed, Stream::Batch, step as u64, 1) as usize % (TEMPLATES.len() - 1);
        let template = TEMPLATES[if square { 0 } else { other }];
        let schedule = template.schedule(self.scales)?;
        let (height, width) = schedule.image_size();
        let first = (step * self.size) as u64;
        let sample = |i: u64| self.source.sample(self.seed, first + i, height, width);
        let numbers = 0..self.size as u64;
        #[cfg(not(target_family = "wasm"))]
        let numbers = numbers.into_par_iter();
        let samples = numbers.map(sample).collect::<Result<_, _>>()?;
        Ok(Batch { schedule, samples })
    }
}

impl Batch {
    /// `[B, 3, H, W]` in [-1, 1].
    pub fn images(&self, device: &Device) -> Tensor<4> {
        let (height, width) = self.schedule.image_size();
        let values: Vec<f32> = self.samples.iter().flat_map(Sample::to_chw).collect();
        Tensor::from_data(TensorData::new(values, [self.samples.len(), 3, height, width]), device)
    }

    pub fn captions(&self) -> Vec<&str> {
        self.samples.iter().map(|sample| sample.caption.as_str()).collect()
    }
}
