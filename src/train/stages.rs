//! The two stages of training as the loop sees them.

use super::TrainError;
use super::batch::{Batch, Batches};
#[cfg(not(target_family = "wasm"))]
use super::picture::{grid, pictures};
#[cfg(not(target_family = "wasm"))]
use super::run::Pictures;
use super::step::{Stage, StageLoss};
use super::tokenizer::{self, TokenizerOptions};
use super::transformer::{Example, TextToBits, forward};
#[cfg(not(target_family = "wasm"))]
use crate::model::quantizer::Quantizer;
use crate::model::random::{Stream, bits, uniform};
#[cfg(not(target_family = "wasm"))]
use crate::model::sampling::{Noise, Sampler, SamplingOptions};
#[cfg(not(target_family = "wasm"))]
use crate::model::schedule::{Schedule, TEMPLATES};
use crate::model::self_correction::Correction;
use crate::model::t5;
use crate::model::text::PromptEncoder;
use crate::model::transformer::{Loss, bit_accuracy};
use crate::model::vae::Vae;
use burn::tensor::{Device, Int, Tensor};
#[cfg(not(target_family = "wasm"))]
use image::RgbImage;

impl PromptEncoder {
    /// Token ids of a training caption, of which every word must be known: what the text encoder does not read cannot
    /// be learned from the image.
    pub fn training_ids(&self, caption: &str) -> Result<Vec<u32>, TrainError> {
        let encoded = self.encode(caption);
        let encoded = encoded.map_err(|error| TrainError::Caption(caption.to_string(), error.to_string()))?;
        match encoded.unknown.as_slice() {
            [] => Ok(encoded.ids),
            unknown => Err(TrainError::Words(caption.to_string(), unknown.join(", "))),
        }
    }
}

/// Stage 1: the tokenizer.
pub struct TokenizerStage<'a> {
    pub batches: Batches<'a>,
    pub options: TokenizerOptions,
    pub device: Device,
}

impl TokenizerStage<'_> {
    /// Which images of a batch the decoder sees in part; see [`TokenizerOptions::partial`].
    fn cuts(&self, step: usize, batch: &Batch) -> Vec<Option<usize>> {
        let (seed, early) = (self.batches.seed, batch.schedule.len().saturating_sub(1));
        let draw = |image: u64| {
            let chosen = early > 0 && uniform(seed, Stream::Cut, step as u64, 2 * image) < self.options.partial;
            chosen.then(|| 1 + bits(seed, Stream::Cut, step as u64, 2 * image + 1) as usize % early)
        };
        (0..batch.samples.len() as u64).map(draw).collect()
    }
}

impl Stage for TokenizerStage<'_> {
    type Model = Vae;

    fn batches(&self) -> &Batches<'_> {
        &self.batches
    }

    fn loss(&self, model: &Vae, batch: &Batch, step: usize) -> Result<StageLoss, TrainError> {
        let images = batch.images(&self.device);
        let quantized = ((step + 1) as f64 / self.options.quantizer_warmup.max(1) as f64).min(1.0);
        let cuts = self.cuts(step, batch);
        let loss = tokenizer::loss(model, images, batch.schedule.grids(), &self.options, quantized, &cuts);
        Ok(StageLoss {
            total: loss.total,
            details: vec![
                ("l1".into(), loss.l1),
                ("edges".into(), loss.edges),
                ("auxiliary".into(), loss.auxiliary),
                (
                    "psnr".into(),
                    (loss.mse / 4.0).log() * (-10.0 / std::f64::consts::LN_10),
                ),
            ],
        })
    }
}

#[cfg(not(target_family = "wasm"))]
impl Pictures for TokenizerStage<'_> {
    /// Eight images above their reconstructions.
    fn picture(&self, model: &Vae) -> Result<RgbImage, TrainError> {
        let samples = Batches {
            size: 8,
            // Not a training batch: the seed next door.
            seed: self.batches.seed.wrapping_add(1),
            square_share: 1.0,
            ..self.batches
        };
        let batch = samples.get(0)?;
        let images = batch.images(&self.device.clone().inner());
        let features = model.encode(images.clone());
        let pyramid = Quantizer::default().encode(features, batch.schedule.grids());
        let rebuilt = model.decode(pyramid.last());
        Ok(grid(&pictures(Tensor::cat(vec![images, rebuilt], 0))?, 8))
    }
}

/// Stage 2: the transformer and its text encoder, on a finished tokenizer.
pub struct TransformerStage<'a> {
    pub batches: Batches<'a>,
    pub vae: &'a Vae,
    pub prompts: &'a PromptEncoder,
    pub loss: Loss,
    pub correction: Correction,
    /// Share of samples whose prompt is dropped, for guidance.
    pub condition_dropout: f64,
    /// Drawn for the pictures, with guidance `cfg`.
    pub show: &'a [String],
    pub cfg: f64,
    pub device: Device,
}

impl TransformerStage<'_> {
    /// Bits and inputs of a batch, outside autodiff.
    fn example(&self, batch: &Batch, step: usize, patch: bool) -> Example {
        let plain = self.device.clone().inner();
        let features = self.vae.encode(batch.images(&plain));
        let [b, d, _, _] = features.dims();
        let seed = bits(self.batches.seed, Stream::FlipRate, step as u64, 0);
        let masks = self.correction.masks(seed, &batch.schedule.latent_grids(patch), b, d);
        let masks: Vec<_> = masks
            .into_iter()
            .map(|mask| mask.map(|m| Tensor::from_data(m, &plain)))
            .collect();
        Example::new(features, &batch.schedule, patch, &masks, self.correction.targets)
    }

    /// Whether every prompt to show can be said in the vocabulary: better known before the first hour than after it.
    pub fn check_shown(&self) -> Result<(), TrainError> {
        let shown: Vec<&str> = self.show.iter().map(String::as_str).collect();
        self.ids(&shown, &self.device).map(|_| ())
    }

    /// Padded rows of the embedding table `[B, L]` and how many of each count.
    pub fn ids(&self, captions: &[&str], device: &Device) -> Result<(Tensor<2, Int>, Vec<usize>), TrainError> {
        let rows: Vec<Vec<u32>> = captions
            .iter()
            .map(|caption| self.prompts.training_ids(caption))
            .collect::<Result<_, TrainError>>()?;
        Ok(t5::batch(&rows, device))
    }
}

impl Stage for TransformerStage<'_> {
    type Model = TextToBits;

    fn batches(&self) -> &Batches<'_> {
        &self.batches
    }

    fn loss(&self, model: &TextToBits, batch: &Batch, step: usize) -> Result<StageLoss, TrainError> {
        let example = self.example(batch, step, model.transformer.config().patchify);
        let (ids, lens) = self.ids(&batch.captions(), &self.device)?;
        let text = model.encode_text(ids, &lens);
        let drop = |b| uniform(self.batches.seed, Stream::Drop, step as u64, b as u64) < self.condition_dropout;
        let dropped: Vec<bool> = (0..lens.len()).map(drop).collect();
        let out = forward(
            &model.transformer,
            text,
            &dropped,
            &example,
            &batch.schedule,
            &self.loss,
        )?;
        let accuracy = bit_accuracy(
            out.logits.inner(),
            example.targets,
            model.transformer.config().classifier,
        );
        let mut details = vec![("accuracy".to_string(), accuracy.clone().mean())];
        for (name, values) in [("accuracy", accuracy), ("loss", out.per_token)] {
            for k in 0..batch.schedule.len() {
                let (offset, tokens) = (batch.schedule.offset(k), batch.schedule.tokens(k));
                let scale = values.clone().narrow(1, offset, tokens);
                details.push((format!("{name}_{}", k + 1), scale.mean()));
            }
        }
        Ok(StageLoss {
            total: out.loss,
            details,
        })
    }
}

#[cfg(not(target_family = "wasm"))]
impl Pictures for TransformerStage<'_> {
    /// The prompts to show, drawn with seeds 0, 1, ..
    fn picture(&self, model: &TextToBits) -> Result<RgbImage, TrainError> {
        let schedule: Schedule = TEMPLATES[0].schedule(self.batches.scales)?;
        let plain = self.device.clone().inner();
        let mut tiles = Vec::new();
        for (i, prompt) in self.show.iter().enumerate() {
            let (ids, lens) = self.ids(&[prompt], &plain)?;
            let text = model.encode_text(ids, &lens);
            let options = SamplingOptions {
                cfg: crate::model::sampling::PerScale::All(self.cfg),
                seed: i as u64,
                ..SamplingOptions::default()
            };
            let mut sampler = Sampler::new(&model.transformer, &text, None, &schedule, options, Noise::Seeded)?;
            let mut last = None;
            while let Some(scale) = sampler.next_scale() {
                last = Some(scale.sum);
            }
            if let Some(sum) = last {
                tiles.extend(pictures(self.vae.decode(sum))?);
            }
        }
        Ok(grid(&tiles, 8))
    }
}
