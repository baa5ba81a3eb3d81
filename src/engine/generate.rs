//! Generates one image: checks the options, encodes the prompt, then generates and shows one scale after the other.
//! Scales before the last are shown at about the size of their tokens, enlarged.

use super::backpressure::{InFlight, unless_cancelled};
use super::options::Request;
use super::protocol::{Event, Options};
use super::{Engine, EngineError, Host, aspect, edit_mask, picture};
use crate::data::emoji::spelled;
use crate::kernels::runtime::fallbacks;
use crate::model::bits;
use crate::model::sampling::{Noise, Sampler, Step};
use crate::model::schedule::Grid;
use crate::model::t5;
use crate::model::text_features::TextFeatures;
use burn::tensor::{Int, Tensor};

impl Engine {
    /// Generates one image and emits every scale to `host`.
    ///
    /// Ends with a `Finished` or a `Cancelled` event, or with an error that the caller passes on. Errors of the options
    /// come before any event.
    pub async fn generate(&self, options: Options, host: &impl Host) -> Result<(), EngineError> {
        let config = self.transformer.config();
        let request = Request::new(options, &self.defaults, config.depth, self.manifest.scales)?;
        let forced = match &request.edit_mask {
            Some(mask) => edit_mask::forced(mask, &request.schedule, config.bits, &self.device)?,
            None => Vec::new(),
        };
        let flips = request
            .flips
            .as_ref()
            .map(|flips| self.flip_masks(flips, &request.schedule));
        let flips = flips.transpose()?;
        let target = match &request.against {
            Some(bits) => Some(self.target_image(bits, &request.schedule).await?),
            None => None,
        };
        let began = host.now();
        fallbacks::take();
        let unknown_words = self.prompts.encode(&spelled(&request.prompt))?.unknown;
        let text = self.features(&request.text)?;
        let negative = request
            .negative_prompt
            .as_deref()
            .map(|negative| self.features(negative));
        let negative = negative.transpose()?;
        let seed = request.sampling.seed;
        let schedule = &request.schedule;
        let latent_grids = schedule.latent_grids(config.patchify);
        let mut sampler = Sampler::new(
            &self.transformer,
            &text,
            negative.as_ref(),
            schedule,
            request.sampling,
            Noise::Seeded,
        )?;
        sampler.force(forced);
        if let Some(flips) = &flips {
            sampler.flip(flips.tokens(&self.device));
        }
        host.emit(Event::Started {
            prompt: request.prompt,
            seed,
            aspect: aspect::describe(&request.aspect, schedule),
            unknown_words,
        });
        let mut drawn = 0;
        let mut scale_began = began;
        let mut before = None;
        let mut in_flight = InFlight::new(&self.device);
        loop {
            host.yield_now().await;
            if host.cancelled() {
                host.emit(Event::Cancelled { scales: drawn });
                return in_flight.drain().await;
            }
            match sampler.step() {
                Step::Layer => match unless_cancelled(in_flight.layer_queued(), drawn, host).await {
                    Some(waited) => waited?,
                    None => return in_flight.drain().await,
                },
                Step::Scale(scale) => {
                    let k = scale.k;
                    let sum = scale.sum.clone();
                    let shown = async {
                        let bits = scale.bits;
                        let image = match target {
                            // The distance is that of the whole image.
                            Some(_) => self.decoder.decode(sum.clone()),
                            None => self.decoder.decode_coarse(sum.clone(), latent_grids[k]),
                        };
                        let shown = self.show(
                            k,
                            schedule.grids(),
                            bits,
                            image,
                            &sum,
                            before.as_ref(),
                            scale_began,
                            host,
                        );
                        let mut event = shown.await?;
                        if let (Some(target), Event::Scale { image, deviation, .. }) = (&target, &mut event) {
                            let flipped = flips.as_ref().map_or(0, |flips| flips.count(k));
                            *deviation = Some(target.deviation(sum.clone(), image, flipped).await?);
                        }
                        in_flight.drain().await?;
                        Ok::<_, EngineError>(event)
                    };
                    let Some(event) = unless_cancelled(shown, drawn, host).await else {
                        return Ok(());
                    };
                    host.emit(event?);
                    drawn += 1;
                    before = Some(sum);
                    scale_began = host.now();
                }
                Step::Done => break,
            }
        }
        let ms = host.now() - began;
        let fallbacks = fallbacks::take();
        host.emit(Event::Finished { seed, ms, fallbacks });
        Ok(())
    }

    /// Reads the `image` `[1, 3, f H, f W]` after scale `k` (from 0), with its bits `[1, L_k, d]` and the running `sum`
    /// `[1, d, H, W]`. `before` is the previous sum, `None` at the first scale.
    #[allow(clippy::too_many_arguments, reason = "each is one field of the event")]
    pub(super) async fn show(
        &self,
        k: usize,
        grids: &[Grid],
        bits: Tensor<3, Int>,
        image: Tensor<4>,
        sum: &Tensor<4>,
        before: Option<&Tensor<4>>,
        began: f64,
        host: &impl Host,
    ) -> Result<Event, EngineError> {
        let added = match before {
            Some(before) => sum.clone() - before.clone(),
            None => sum.clone(),
        };
        let shown = picture::read_with_residual(image, bits::pack(bits), added);
        let (image, bits, residual) = shown.await?;
        let (height, width) = grids[k];
        Ok(Event::Scale {
            k: k + 1,
            of: grids.len(),
            height,
            width,
            ms: host.now() - began,
            bits,
            residual,
            image,
            deviation: None,
        })
    }

    /// Text features of a prompt, on which the transformer is conditioned. An emoji means its noun.
    fn features(&self, text: &str) -> Result<TextFeatures, EngineError> {
        let (ids, lens) = t5::batch(&[self.prompts.encode(&spelled(text))?.ids], &self.device);
        let features = self.text_encoder.forward(ids, &lens);
        Ok(TextFeatures { features, lens })
    }
}
