//! Training in the engine: a session that runs steps, generates samples and stores checkpoints, on the device of the
//! model.
//!
//! The step is that of the command line ([`crate::train::step`]), so the same data and seed give the same losses. Here
//! every value is read back asynchronously, and the session yields to the event loop between two steps.

mod begin;
mod data;
mod pack;
mod session_config;

pub use data::TrainingData;

use super::protocol::{Event, TrainConfig, TrainSchedule};
use super::{CheckpointStore, EngineError, Host, picture};
use crate::data::Source;
use crate::kernels::runtime::fallbacks;
use crate::model::bits;
use crate::model::sampling::{Noise, Sampler, SamplingOptions, Step};
use crate::model::schedule::{Schedule, TEMPLATES};
use crate::model::self_correction::{Correction, Targets};
use crate::model::text::PromptEncoder;
use crate::model::transformer::Loss;
use crate::model::vae::Vae;
use crate::train::batch::Batches;
use crate::train::stages::TransformerStage;
use crate::train::step::State;
use crate::train::transformer::TextToBits;
use crate::weights::Manifest;
use burn::tensor::Device;
use session_config::SessionConfig;

/// Steps of linear warm-up. After them the learning rate stays: a visitor may always ask for more steps.
const WARMUP: usize = 10;
/// Share of samples whose prompt is dropped, for guidance.
const DROPOUT: f64 = 0.1;

/// A training session.
pub struct Session {
    config: SessionConfig,
    context: TrainContext,
    state: State<TextToBits>,
    /// Manifest of the model that the training was set up with; the result takes over its image tokenizer.
    base: Manifest,
}

/// What stays the same through all steps.
struct TrainContext {
    source: Box<dyn Source>,
    train: TrainConfig,
    scales: usize,
    vae: Vae,
    prompts: PromptEncoder,
    /// Prompts of the samples.
    show: Vec<String>,
    sampling: SamplingOptions,
    /// With autodiff.
    device: Device,
}

impl TrainContext {
    fn stage(&self, flips: f64) -> TransformerStage<'_> {
        TransformerStage {
            batches: Batches {
                source: &*self.source,
                size: self.train.batch,
                seed: self.train.seed as u64,
                scales: self.scales,
                square_share: 1.0,
            },
            vae: &self.vae,
            prompts: &self.prompts,
            loss: Loss::default(),
            correction: Correction {
                max_flip_rate: flips,
                num_scales: self.scales,
                targets: Targets::Requantized,
            },
            condition_dropout: DROPOUT,
            show: &self.show,
            cfg: self.sampling.cfg.at(0),
            device: self.device.clone(),
        }
    }
}

impl Session {
    /// Steps done.
    pub fn step(&self) -> usize {
        self.state.step
    }

    /// Trains until all steps of `schedule` are done or the host cancels; both end with a checkpoint and `Paused`.
    ///
    /// After an error the session may be within a step and must be dropped; the last checkpoint is complete.
    pub async fn run(
        &mut self,
        schedule: TrainSchedule,
        store: &impl CheckpointStore,
        host: &impl Host,
    ) -> Result<(), EngineError> {
        check(&schedule)?;
        let mut saved = None;
        loop {
            host.yield_now().await;
            let finished = self.state.step >= schedule.steps;
            if finished || host.cancelled() {
                if saved != Some(self.state.step) {
                    self.save(store, host).await?;
                }
                let step = self.state.step;
                host.emit(Event::Paused { step, finished });
                return Ok(());
            }
            self.advance(&schedule, host).await?;
            let step = self.state.step;
            if step.is_multiple_of(schedule.sample_every) || step == schedule.steps {
                self.sample(host).await?;
            }
            if step.is_multiple_of(schedule.save_every) {
                self.save(store, host).await?;
                saved = Some(step);
            }
        }
    }

    async fn advance(&mut self, schedule: &TrainSchedule, host: &impl Host) -> Result<(), EngineError> {
        let began = host.now();
        fallbacks::take();
        let rise = (self.state.step + 1) as f64 / WARMUP as f64;
        let stage = self.context.stage(schedule.flips);
        let batch = stage.batches.get(self.state.step)?;
        let taken = self
            .state
            .advance(&stage, &batch, schedule.learning_rate * rise.min(1.0))?;
        let numbers = taken.numbers(self.state.step).await?;
        let number = |name: &str| {
            numbers
                .iter()
                .find(|(found, _)| found == name)
                .map_or(0.0, |(_, value)| *value)
        };
        let scales = |name: &str| -> Vec<f32> {
            (1..=self.context.scales)
                .map(|k| number(&format!("{name}_{k}")))
                .collect()
        };
        host.emit(Event::Step {
            step: self.state.step,
            of: schedule.steps,
            loss: number("loss"),
            accuracy: number("accuracy"),
            losses: scales("loss"),
            accuracies: scales("accuracy"),
            grad_norm: number("grad_norm"),
            ms: host.now() - began,
            fallbacks: fallbacks::take(),
        });
        Ok(())
    }

    async fn save(&self, store: &impl CheckpointStore, host: &impl Host) -> Result<(), EngineError> {
        let checkpoint = self.state.checkpoint(self.config.to_json()).await?;
        let file = checkpoint.encode().map_err(EngineError::Checkpoint)?;
        let (step, bytes) = (self.state.step, file.len());
        store.save(step, file).await?;
        host.emit(Event::Saved { step, bytes });
        Ok(())
    }

    /// Generates the sample prompts with averaged weights, the first with seed 0, the next with seed 1 and so on. A
    /// cancel ends it early.
    async fn sample(&self, host: &impl Host) -> Result<(), EngineError> {
        let TrainContext {
            show,
            scales,
            vae,
            sampling,
            ..
        } = &self.context;
        let model = self.state.average();
        let schedule: Schedule = TEMPLATES[0].schedule(*scales)?;
        let stage = self.context.stage(0.0);
        for (index, prompt) in show.iter().enumerate() {
            let plain = self.context.device.clone().inner();
            let (ids, lens) = stage.ids(&[prompt], &plain)?;
            let text = model.encode_text(ids, &lens);
            let options = SamplingOptions {
                seed: index as u64,
                ..sampling.clone()
            };
            let mut sampler = Sampler::new(&model.transformer, &text, None, &schedule, options, Noise::Seeded)?;
            let mut last = None;
            loop {
                host.yield_now().await;
                if host.cancelled() {
                    return Ok(());
                }
                match sampler.step() {
                    Step::Layer => {}
                    Step::Scale(scale) => last = Some(scale),
                    Step::Done => break,
                }
            }
            if let Some(scale) = last {
                let (image, _) = picture::read(vae.decode(scale.sum), bits::pack(scale.bits)).await?;
                host.emit(Event::Sampled {
                    step: self.state.step,
                    index,
                    of: show.len(),
                    prompt: prompt.clone(),
                    image,
                });
            }
        }
        Ok(())
    }
}

fn check(schedule: &TrainSchedule) -> Result<(), EngineError> {
    let refuse = |what: &str| Err(EngineError::TrainConfig(what.to_string()));
    if !(schedule.learning_rate > 0.0 && schedule.learning_rate <= 1.0) {
        return refuse("the learning rate is not above 0 and at most 1");
    }
    if !(0.0..=1.0).contains(&schedule.flips) {
        return refuse("the self-correction rate is not between 0 and 1");
    }
    if schedule.steps == 0 || schedule.sample_every == 0 || schedule.save_every == 0 {
        return refuse("steps and the intervals between samples must be at least 1");
    }
    Ok(())
}
