//! Images to bits and bits to images, without a prompt: decodes shared links and encodes a visitor's picture.

use super::backpressure::unless_cancelled;
use super::protocol::{Bits, Event, Picture, Pixels};
use super::{Engine, EngineError, Files, Host, aspect, edit_mask, picture};
use crate::model::bits;
use crate::model::quantizer::Quantizer;
use crate::model::schedule::{Grid, Schedule};
use burn::tensor::{Int, Tensor};

impl Engine {
    /// Decodes `bits` and emits the image scale by scale; ends with `Decoded` or `Cancelled`.
    pub async fn decode(&self, bits: Bits, host: &impl Host) -> Result<(), EngineError> {
        let began = host.now();
        let schedule = aspect::template(&bits.aspect)?.schedule(self.manifest.scales)?;
        let patchify = self.transformer.config().patchify;
        let latent = self.latent(&bits.bits, &schedule)?;
        let grids = schedule.latent_grids(patchify);
        let sums = Quantizer::default().decode(&latent, grids[grids.len() - 1]);
        let tokens = latent.into_iter().map(|bits| bits::to_tokens(bits, patchify));
        let shown = self.show_all(&schedule, tokens.zip(sums), host).await?;
        if shown.is_some() {
            let aspect = aspect::describe(&bits.aspect, &schedule);
            let ms = host.now() - began;
            host.emit(Event::Decoded { aspect, ms });
        }
        Ok(())
    }

    /// Encodes a picture into bits and emits the image of these bits scale by scale; ends with `Encoded` or
    /// `Cancelled`.
    ///
    /// The encoder is loaded first if it was not needed before, from the same `files` as the model.
    pub async fn encode(&self, picture: Picture, files: &impl Files, host: &impl Host) -> Result<(), EngineError> {
        let aspect = picture.aspect.clone();
        let schedule = aspect::template(&aspect)?.schedule(self.manifest.scales)?;
        let began = host.now();
        let (image, features) = self.features_of(picture, &schedule, files, host).await?;
        let patchify = self.transformer.config().patchify;
        let pyramid = Quantizer::default().encode(features, &schedule.latent_grids(patchify));
        let tokens = pyramid.bits.into_iter().map(|bits| bits::to_tokens(bits, patchify));
        let Some(shown) = self.show_all(&schedule, tokens.zip(pyramid.sums), host).await? else {
            return Ok(());
        };
        host.emit(Event::Encoded {
            aspect: aspect::describe(&aspect, &schedule),
            ms: host.now() - began,
            psnr: shown.iter().map(|shown| picture::psnr(shown, &image)).collect(),
        });
        Ok(())
    }

    /// The packed bits of every scale as the quantizer takes them, `[1, h_k, w_k, d]`.
    pub(super) fn latent(&self, words: &[Vec<u32>], schedule: &Schedule) -> Result<Vec<Tensor<4, Int>>, EngineError> {
        let (found, needed) = (words.len(), schedule.len());
        if found != needed {
            return Err(EngineError::EditMask(format!(
                "{found} scales are given and {needed} needed"
            )));
        }
        let config = self.transformer.config();
        let scale = |(words, &grid): (&Vec<u32>, &Grid)| {
            let tokens = edit_mask::bits_tensor(words, grid, config.bits, &self.device)?;
            Ok(bits::from_tokens(tokens, grid, config.patchify))
        };
        words.iter().zip(schedule.grids()).map(scale).collect()
    }

    /// The encoder's features `F [1, d, H, W]` of a picture. The encoder is loaded first if it was not needed before.
    pub(super) async fn features_of(
        &self,
        Picture { rgba, .. }: Picture,
        schedule: &Schedule,
        files: &impl Files,
        host: &impl Host,
    ) -> Result<(Pixels, Tensor<4>), EngineError> {
        let (height, width) = schedule.image_size();
        if rgba.len() != 4 * height * width {
            let found = rgba.len();
            return Err(EngineError::Picture { found, height, width });
        }
        let image = Pixels { width, height, rgba };
        let encoder = self.encoder(files, host).await?;
        let features = encoder.forward(picture::tensor(&image, &self.device));
        Ok((image, features))
    }

    /// Emits the bits and the image of every scale. After a cancel, which is emitted too, the result is `None`.
    async fn show_all(
        &self,
        schedule: &Schedule,
        scales: impl Iterator<Item = (Tensor<3, Int>, Tensor<4>)>,
        host: &impl Host,
    ) -> Result<Option<Vec<Pixels>>, EngineError> {
        let mut shown = Vec::new();
        let mut before = None;
        for (k, (bits, sum)) in scales.enumerate() {
            host.yield_now().await;
            if host.cancelled() {
                host.emit(Event::Cancelled { scales: k });
                return Ok(None);
            }
            let began = host.now();
            let image = self.decoder.decode(sum.clone());
            let event = self.show(k, schedule.grids(), bits, image, &sum, before.as_ref(), began, host);
            let Some(event) = unless_cancelled(event, k, host).await else {
                return Ok(None);
            };
            let event = event?;
            before = Some(sum);
            if let Event::Scale { image, .. } = &event {
                shown.push(image.clone());
            }
            host.emit(event);
        }
        Ok(Some(shown))
    }
}
