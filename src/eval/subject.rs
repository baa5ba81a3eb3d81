//! The model under test: all of its networks, the encoder too, which the engine never needs.

use super::EvalError;
use crate::model::quantizer::{Pyramid, Quantizer};
use crate::model::sampling::{Noise, Sampler, SamplingOptions};
use crate::model::schedule::{Schedule, TEMPLATES};
use crate::model::t5::{self, T5Encoder};
use crate::model::text::PromptEncoder;
use crate::model::text_features::TextFeatures;
use crate::model::transformer::{self, Transformer};
use crate::model::vae::Vae;
use crate::train::picture::pictures;
use crate::weights::directory::{MANIFEST_FILE, load_whole};
use crate::weights::load_module;
use crate::weights::manifest::Training;
use crate::weights::official::Component;
use crate::weights::shards::take_component;
use burn::tensor::{Device, Tensor};
use image::RgbImage;
use std::path::{Path, PathBuf};

/// A packed model on a device.
pub struct Subject {
    pub name: String,
    pub vae: Vae,
    pub transformer: Transformer,
    pub text_encoder: T5Encoder,
    pub prompts: PromptEncoder,
    /// Scales of the schedule's prefix that it was trained on.
    pub scales: usize,
    /// The model's own guidance and temperature.
    pub sampling: SamplingOptions,
    /// How the transformer was trained, where the manifest tells.
    pub training: Option<Training>,
    /// Folder of its teacher-forced baseline, if it has one.
    pub baseline: Option<PathBuf>,
    pub device: Device,
}

impl Subject {
    /// Loads a folder that `infinity pack` wrote, or the folder of a baseline within one.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, EvalError> {
        let (manifest, mut tensors, tokenizer) = load_whole(folder)?;
        let missing = |what| EvalError::Incomplete {
            path: folder.to_path_buf(),
            what,
        };
        let tokenizer = tokenizer.ok_or_else(|| missing("tokenizer.json"))?;
        let vae = manifest.vae.as_ref().ok_or_else(|| missing("VAE"))?;
        let text_encoder = manifest.text_encoder.as_ref().ok_or_else(|| missing("text encoder"))?;
        let transformer = manifest.transformer.as_ref().ok_or_else(|| missing("transformer"))?;
        let (limit, vocabulary) = (transformer.text_maxlen, manifest.vocabulary.as_deref());
        let prompts = PromptEncoder::for_model(&tokenizer, limit, &manifest.words, vocabulary)?;
        let mut take = |component: Component| take_component(&mut tensors, component.prefix());
        Ok(Self {
            vae: load_module(Vae::new(vae, device)?, &mut take(Component::Vae), str::to_string)?,
            transformer: load_module(
                Transformer::new(transformer, device)?,
                &mut take(Component::Transformer),
                transformer::official_name,
            )?,
            text_encoder: load_module(
                T5Encoder::new(text_encoder, device)?,
                &mut take(Component::TextEncoder),
                t5::official_name,
            )?,
            prompts,
            scales: manifest.scales,
            sampling: SamplingOptions::from(&manifest.sampling),
            training: manifest.training,
            baseline: (manifest.baseline.as_ref())
                .map(|path| folder.join(path))
                .filter(|path| path.ends_with(MANIFEST_FILE))
                .and_then(|path| Some(path.parent()?.to_path_buf())),
            name: manifest.name,
            device: device.clone(),
        })
    }

    /// Square images at the model's full size.
    pub fn schedule(&self) -> Result<Schedule, EvalError> {
        Ok(TEMPLATES[0].schedule(self.scales)?)
    }

    /// Text features of captions. Words that the model never learned are skipped, as in the page.
    pub fn text(&self, captions: &[&str]) -> Result<TextFeatures, EvalError> {
        let rows = captions.iter().map(|caption| Ok(self.prompts.encode(caption)?.ids));
        let rows: Vec<Vec<u32>> = rows.collect::<Result<_, EvalError>>()?;
        let (ids, lens) = t5::batch(&rows, &self.device);
        let features = self.text_encoder.forward(ids, &lens);
        Ok(TextFeatures { features, lens })
    }

    /// Draws a prompt with the seeds `first_seed ..`, `count` of them in one batch: each image is the one that its seed
    /// gives alone.
    pub fn draw(
        &self,
        prompt: &str,
        first_seed: u64,
        count: usize,
        options: &SamplingOptions,
    ) -> Result<Vec<RgbImage>, EvalError> {
        let text = self.text(&vec![prompt; count])?;
        let options = SamplingOptions {
            seed: first_seed,
            ..options.clone()
        };
        let schedule = self.schedule()?;
        let mut sampler = Sampler::new(&self.transformer, &text, None, &schedule, options, Noise::Seeded)?;
        let mut last = None;
        while let Some(scale) = sampler.next_scale() {
            last = Some(scale.sum);
        }
        match last {
            Some(sum) => Ok(pictures(self.vae.decode(sum))?),
            None => Ok(Vec::new()),
        }
    }

    /// Images `[B, 3, H, W]` in [-1, 1] as bits.
    pub fn encode(&self, images: Tensor<4>) -> Result<Pyramid, EvalError> {
        let grids = self.schedule()?.latent_grids(self.transformer.config().patchify);
        Ok(Quantizer::default().encode(self.vae.encode(images), &grids))
    }

    /// Images `[B, 3, H, W]` in [-1, 1] from their own bits.
    pub fn rebuild(&self, images: Tensor<4>) -> Result<Vec<RgbImage>, EvalError> {
        Ok(pictures(self.vae.decode(self.encode(images)?.last()))?)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::config::Classifier;
    use crate::model::text::vocabulary;
    use crate::tiny;
    use crate::train::init;

    /// Images of 32 x 32 in two scales, from random weights.
    pub fn random() -> Subject {
        random_with(Classifier::Bits)
    }

    /// The same with either way to predict a token.
    pub fn random_with(classifier: Classifier) -> Subject {
        let device = Device::flex();
        let json = tiny::text_tokenizer();
        let captions = ["a red apple on a blue background", "a green car"];
        let (words, token_ids) = vocabulary(&json, captions).unwrap();
        let vae = tiny::vae(16, 4);
        let transformer = tiny::transformer(classifier);
        let text_encoder = tiny::text_encoder(token_ids.len());
        Subject {
            name: "random".into(),
            vae: init::vae(Vae::new(&vae, &device).unwrap(), 3),
            transformer: init::transformer(Transformer::new(&transformer, &device).unwrap(), &transformer, 1),
            text_encoder: init::t5(T5Encoder::new(&text_encoder, &device).unwrap(), &text_encoder, 2),
            prompts: PromptEncoder::with_vocabulary(&json, tiny::TEXT_LENGTH, &words, &token_ids).unwrap(),
            scales: 2,
            sampling: SamplingOptions::default(),
            training: None,
            baseline: None,
            device,
        }
    }

    #[test]
    fn a_batch_draws_what_its_seeds_draw_alone() {
        let subject = random();
        let options = SamplingOptions::default();
        let together = subject.draw("a red apple", 5, 3, &options).unwrap();
        let alone = subject.draw("a red apple", 7, 1, &options).unwrap();
        assert_eq!(together.len(), 3);
        assert_eq!(together[2], alone[0]);
        assert_ne!(together[0], together[1]);
    }

    #[test]
    fn captions_of_different_lengths_are_padded_without_effect() {
        let subject = random();
        let both = subject
            .text(&["a red apple on a blue background", "a green car"])
            .unwrap();
        let alone = subject.text(&["a green car"]).unwrap();
        assert_eq!(both.lens[1], alone.lens[0]);
        let kept = both.features.narrow(0, 1, 1).narrow(1, 0, alone.lens[0]);
        let error = (kept - alone.features).abs().max().into_scalar::<f32>();
        assert!(error < 1e-5, "{error}");
    }
}
