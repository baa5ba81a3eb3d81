//! One image: options checked, prompt encoded, then scale after scale.

use super::options::Request;
use super::protocol::{Event, Options};
use super::{Engine, EngineError, Host, aspect, keep, picture};
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
        let unknown_words = self.prompts.encode(&request.prompt)?.unknown;
        let text = self.features(&request.text)?;
        let negative = request
            .negative_prompt
            .as_deref()
            .map(|negative| self.features(negative));
        let negative = negative.transpose()?;
        let seed = request.sampling.seed;
        let schedule = &request.schedule;
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
        loop {
            host.breathe().await;
            if host.cancelled() {
                host.emit(Event::Cancelled { scales: drawn });
                return Ok(());
            }
            match sampler.step() {
                Step::Layer => {}
                Step::Scale(scale) => {
                    let (grids, k) = (schedule.grids(), scale.k);
                    let sum = scale.sum.clone();
                    let mut event = self.show(k, grids, scale.bits, scale.sum, scale_began, host).await?;
                    if let (Some(goal), Event::Scale { image, deviation, .. }) = (&goal, &mut event) {
                        let flipped = damage.as_ref().map_or(0, |damage| damage.count(k));
                        *deviation = Some(goal.deviation(sum, image, flipped).await?);
                    }
                    host.emit(event);
                    drawn += 1;
                    scale_began = host.now();
                }
                Step::Done => break,
            }
        }
        let ms = host.now() - began;
        host.emit(Event::Finished { seed, ms });
        Ok(())
    }

    /// Decodes the running sum `[1, d, H, W]` after scale `k` (from 0), which has the bits `[1, L_k, d]`.
    pub(super) async fn show(
        &self,
        k: usize,
        grids: &[Grid],
        bits: Tensor<3, Int>,
        sum: Tensor<4>,
        began: f64,
        host: &impl Host,
    ) -> Result<Event, EngineError> {
        let (image, bits) = picture::read(self.decoder.decode(sum), bits::pack(bits)).await?;
        let (height, width) = grids[k];
        Ok(Event::Scale {
            k: k + 1,
            of: grids.len(),
            height,
            width,
            ms: host.now() - began,
            bits,
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
