//! One image: options checked, prompt encoded, then scale after scale, each shown as soon as it is there and so before the last one
//! in about its own size.

use super::options::Request;
use super::protocol::{Event, Options};
use super::wait::{Ahead, unless_stopped};
use super::{Engine, EngineError, Host, aspect, keep, picture};
use crate::kernels::runtime::fallbacks;
use crate::model::bits;
use crate::model::sampling::{Noise, Sampler, Step};
use crate::model::schedule::Grid;
use crate::model::t5;
use crate::model::text_features::TextFeatures;
use burn::tensor::{Int, Tensor};

impl Engine {
    /// Draws one image and tells every scale to `host`.
    ///
    /// Ends with a `Finished` or a `Cancelled` event, or with an error that the caller passes on; an error of the options
    /// comes before any event.
    pub async fn generate(&self, options: Options, host: &impl Host) -> Result<(), EngineError> {
        let config = self.transformer.config();
        let request = Request::new(options, &self.defaults, config.depth, self.manifest.scales)?;
        let forced = match &request.keep {
            Some(keep) => keep::forced(keep, &request.schedule, config.bits, &self.device)?,
            None => Vec::new(),
        };
        let damage = request
            .flips
            .as_ref()
            .map(|flips| self.damage(flips, &request.schedule));
        let damage = damage.transpose()?;
        let goal = match &request.against {
            Some(bits) => Some(self.goal(bits, &request.schedule).await?),
            None => None,
        };
        let began = host.now();
        fallbacks::take();
        let unknown_words = self.prompts.encode(&request.prompt)?.unknown;
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
        if let Some(damage) = &damage {
            sampler.flip(damage.tokens(&self.device));
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
        let mut ahead = Ahead::new(&self.device);
        loop {
            host.breathe().await;
            if host.cancelled() {
                host.emit(Event::Cancelled { scales: drawn });
                return ahead.all().await;
            }
            match sampler.step() {
                Step::Layer => match unless_stopped(ahead.layer(), drawn, host).await {
                    Some(waited) => waited?,
                    None => return ahead.all().await,
                },
                Step::Scale(scale) => {
                    let k = scale.k;
                    let sum = scale.sum.clone();
                    let shown = async {
                        let bits = scale.bits;
                        let image = match goal {
                            // What is measured is the whole picture.
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
                        if let (Some(goal), Event::Scale { image, deviation, .. }) = (&goal, &mut event) {
                            let flipped = damage.as_ref().map_or(0, |damage| damage.count(k));
                            *deviation = Some(goal.deviation(sum.clone(), image, flipped).await?);
                        }
                        ahead.all().await?;
                        Ok::<_, EngineError>(event)
                    };
                    let Some(event) = unless_stopped(shown, drawn, host).await else {
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

    /// Reads the `image` `[1, 3, f H, f W]` after scale `k` (from 0), which has the bits `[1, L_k, d]` and the running `sum` `[1, d, H, W]`;
    /// `before` is the sum that they were added to, none before the first scale.
    #[allow(clippy::too_many_arguments, reason = "each is one thing that the event tells")]
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

    /// What the transformer hears of a text.
    fn features(&self, text: &str) -> Result<TextFeatures, EngineError> {
        let (ids, lens) = t5::batch(&[self.prompts.encode(text)?.ids], &self.device);
        let features = self.text_encoder.forward(ids, &lens);
        Ok(TextFeatures { features, lens })
    }
}
