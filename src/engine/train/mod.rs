//! Training in the engine: a session that steps, draws samples and keeps itself, on whatever device the model is loaded.
//!
//! The step is that of the command line ([`crate::train::step`]), so the same data and seed give the same losses. What is
//! different is who waits: every value is read back by awaiting it, and between two steps waiting messages are let in.

mod begin;
mod material;
mod pack;
mod plan;

pub use material::Material;

use super::protocol::{Event, Pace, Study};
use super::{EngineError, Host, Keep, picture};
use crate::data::Source;
use crate::kernels::runtime::fallbacks;
use crate::model::bits;
use crate::model::correction::{Correction, Flips};
use crate::model::sampling::{Noise, Sampler, SamplingOptions, Step};
use crate::model::schedule::{Schedule, TEMPLATES};
use crate::model::text::PromptEncoder;
use crate::model::transformer::Loss;
use crate::model::vae::Vae;
use crate::train::batch::Batches;
use crate::train::stages::TransformerStage;
use crate::train::step::State;
use crate::train::transformer::TextToBits;
use crate::weights::Manifest;
use burn::tensor::Device;
use plan::Plan;

/// Steps of linear warm-up. After them the learning rate stays: a visitor may always ask for more steps.
const WARMUP: usize = 10;
/// Share of samples that hear no prompt, for guidance.
const DROPOUT: f64 = 0.1;

/// A training under way.
pub struct Session {
    plan: Plan,
    classroom: Classroom,
    state: State<TextToBits>,
    /// Of the model that was loaded when the training was set up; its image tokenizer becomes the result's.
    base: Manifest,
}

/// What stays the same through all steps.
struct Classroom {
    source: Box<dyn Source>,
    study: Study,
    scales: usize,
    vae: Vae,
    prompts: PromptEncoder,
    /// What the samples show.
    show: Vec<String>,
    sampling: SamplingOptions,
    /// With autodiff.
    device: Device,
}

impl Classroom {
    fn stage(&self, flips: f64) -> TransformerStage<'_> {
        TransformerStage {
            batches: Batches {
                source: &*self.source,
                size: self.study.batch,
                seed: self.study.seed as u64,
                scales: self.scales,
                square_share: 1.0,
            },
            vae: &self.vae,
            prompts: &self.prompts,
            loss: Loss::default(),
            correction: Correction {
                strength: flips,
                layers: self.scales,
                flips: Flips::Requantise,
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

    /// Trains until all steps of `pace` are done or the host cancels; both end with a checkpoint and `Paused`.
    ///
    /// After an error the session may be half a step on and is best dropped: the last checkpoint is whole.
    pub async fn run(&mut self, pace: Pace, keep: &impl Keep, host: &impl Host) -> Result<(), EngineError> {
        check(&pace)?;
        let mut saved = None;
        loop {
            host.breathe().await;
            let finished = self.state.step >= pace.steps;
            if finished || host.cancelled() {
                if saved != Some(self.state.step) {
                    self.save(keep, host).await?;
                }
                let step = self.state.step;
                host.emit(Event::Paused { step, finished });
                return Ok(());
            }
            self.advance(&pace, host).await?;
            let step = self.state.step;
            if step.is_multiple_of(pace.sample_every) || step == pace.steps {
                self.sample(host).await?;
            }
            if step.is_multiple_of(pace.save_every) {
                self.save(keep, host).await?;
                saved = Some(step);
            }
        }
    }

    async fn advance(&mut self, pace: &Pace, host: &impl Host) -> Result<(), EngineError> {
        let began = host.now();
        fallbacks::take();
        let rise = (self.state.step + 1) as f64 / WARMUP as f64;
        let stage = self.classroom.stage(pace.flips);
        let batch = stage.batches.get(self.state.step)?;
        let taken = self.state.advance(&stage, &batch, pace.learning_rate * rise.min(1.0))?;
        let numbers = taken.numbers(self.state.step).await?;
        let number = |name: &str| {
            numbers
                .iter()
                .find(|(found, _)| found == name)
                .map_or(0.0, |(_, value)| *value)
        };
        let scales = |name: &str| -> Vec<f32> {
            (1..=self.classroom.scales)
                .map(|k| number(&format!("{name}_{k}")))
                .collect()
        };
        host.emit(Event::Step {
            step: self.state.step,
            of: pace.steps,
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

    async fn save(&self, keep: &impl Keep, host: &impl Host) -> Result<(), EngineError> {
        let checkpoint = self.state.checkpoint(self.plan.to_json()).await?;
        let file = checkpoint.encode().map_err(EngineError::Checkpoint)?;
        let (step, bytes) = (self.state.step, file.len());
        keep.save(step, file).await?;
        host.emit(Event::Saved { step, bytes });
        Ok(())
    }

    /// Draws the prompts to show with averaged weights, the first with seed 0, the next with seed 1 and so on. A cancel
    /// ends it early.
    async fn sample(&self, host: &impl Host) -> Result<(), EngineError> {
        let Classroom {
            show,
            scales,
            vae,
            sampling,
            ..
        } = &self.classroom;
        let model = self.state.average();
        let schedule: Schedule = TEMPLATES[0].schedule(*scales)?;
        let stage = self.classroom.stage(0.0);
        for (index, prompt) in show.iter().enumerate() {
            let plain = self.classroom.device.clone().inner();
            let (ids, lens) = stage.ids(&[prompt], &plain)?;
            let text = model.encode_text(ids, &lens);
            let options = SamplingOptions {
                seed: index as u64,
                ..sampling.clone()
            };
            let mut sampler = Sampler::new(&model.transformer, &text, None, &schedule, options, Noise::Seeded)?;
            let mut last = None;
            loop {
                host.breathe().await;
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

fn check(pace: &Pace) -> Result<(), EngineError> {
    let refuse = |what: &str| Err(EngineError::Study(what.to_string()));
    if !(pace.learning_rate > 0.0 && pace.learning_rate <= 1.0) {
        return refuse("the learning rate is not above 0 and at most 1");
    }
    if !(0.0..=1.0).contains(&pace.flips) {
        return refuse("the self-correction rate is not between 0 and 1");
    }
    if pace.steps == 0 || pace.sample_every == 0 || pace.save_every == 0 {
        return refuse("steps and the intervals between samples must be at least 1");
    }
    Ok(())
}
