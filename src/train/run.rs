//! The training loop, the same for both networks: step, log, sample, save, resume.

use super::TrainError;
use super::checkpoint::{Checkpoint, io_error};
use super::optimizer::AdamWOptions;
use super::plan::Plan;
use super::step::{Stage, State, Taken, without_autodiff};
use burn::module::Module;
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

/// Shows how the training does.
pub trait Pictures: Stage {
    /// A picture for the eye, drawn with averaged weights outside autodiff.
    fn picture(&self, model: &Self::Model) -> Result<RgbImage, TrainError>;
}

/// How long and how fast.
#[derive(Clone, Debug)]
pub struct RunOptions {
    pub out: PathBuf,
    pub steps: usize,
    pub lr: f64,
    /// Steps of linear warm-up.
    pub warmup: usize,
    /// The learning rate falls linearly after the warm-up to this share of `lr` at the last step.
    pub final_lr_ratio: f64,
    pub optimizer: AdamWOptions,
    pub ema: f64,
    pub log_every: usize,
    pub sample_every: usize,
    pub save_every: usize,
    /// The configuration as JSON; a resume with another one is refused.
    pub config: String,
}

impl RunOptions {
    fn validate(&self) -> Result<(), TrainError> {
        let refuse = |option, value: String, remedy| Err(TrainError::Option { option, value, remedy });
        if self.steps == 0 || self.log_every == 0 || self.sample_every == 0 || self.save_every == 0 {
            return refuse("steps", "0".into(), "use at least 1 for steps and for every interval");
        }
        if !(self.lr > 0.0 && self.lr.is_finite()) {
            return refuse("lr", self.lr.to_string(), "use a positive number such as 1e-3");
        }
        if !(0.0..=1.0).contains(&self.final_lr_ratio) {
            return refuse(
                "final-lr-ratio",
                self.final_lr_ratio.to_string(),
                "use a number from 0 to 1",
            );
        }
        if !(0.0..1.0).contains(&self.ema) {
            return refuse(
                "ema",
                self.ema.to_string(),
                "use a number from 0 up to, not including, 1",
            );
        }
        Ok(())
    }

    /// Learning rate of `step` (from 0).
    fn lr_at(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / self.warmup as f64;
        }
        let span = (self.steps - self.warmup.min(self.steps)).max(1) as f64;
        let done = (step - self.warmup) as f64 / span;
        self.lr * (1.0 + (self.final_lr_ratio - 1.0) * done.min(1.0))
    }
}

/// The trained model and its running average, both outside autodiff.
pub struct Trained<M> {
    pub model: M,
    pub average: M,
}

/// File names in the output directory.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
const METRICS: &str = "metrics.csv";
/// Composed batches that wait for their step.
const QUEUED_BATCHES: usize = 4;

/// Trains `model` (on an autodiff device) to `options.steps`, resuming from `out` if it holds a checkpoint.
pub fn run<S: Pictures>(stage: &S, model: S::Model, options: &RunOptions) -> Result<Trained<S::Model>, TrainError> {
    options.validate()?;
    std::fs::create_dir_all(options.out.join("samples")).map_err(|e| io_error(&options.out, e))?;
    let mut state = resume(model, options)?;
    let mut metrics = Metrics::open(&options.out.join(METRICS), state.step)?;
    let bar = ProgressBar::new(options.steps as u64).with_position(state.step as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed}<{eta} {msg}") {
        bar.set_style(style);
    }
    bar.reset_eta();
    // Composed ahead on another thread, so that a GPU never waits for pictures.
    let (batches, steps) = (stage.batches(), state.step..options.steps);
    let (send, composed) = sync_channel(QUEUED_BATCHES);
    std::thread::scope(|scope| {
        // Ends with its last step, or when nobody listens any more.
        scope.spawn(move || {
            steps
                .map(|step| batches.get(step))
                .try_for_each(|batch| send.send(batch))
        });
        let mut since = Instant::now();
        for batch in composed {
            let step = state.step;
            let lr = options.lr_at(step);
            let taken = state.advance(stage, &batch?, lr)?;
            bar.inc(1);
            let last = state.step == options.steps;
            if state.step.is_multiple_of(options.log_every) || last || step == 0 {
                let seconds = since.elapsed().as_secs_f64();
                let message = metrics.log(state.step, lr, seconds, taken)?;
                bar.set_message(message);
                since = Instant::now();
            }
            if state.step.is_multiple_of(options.sample_every) || last {
                let average = state.average();
                let path = options.out.join(format!("samples/step-{:06}.png", state.step));
                let picture = stage.picture(&average)?;
                picture
                    .save(&path)
                    .map_err(|error| TrainError::Picture(path.display().to_string(), error))?;
            }
            if state.step.is_multiple_of(options.save_every) || last {
                let checkpoint = block_on(state.checkpoint(options.config.clone()))?;
                checkpoint.save(&options.out.join(CHECKPOINT))?;
            }
        }
        Ok::<(), TrainError>(())
    })?;
    bar.finish();
    let average = state.average();
    Ok(Trained {
        model: without_autodiff(state.model),
        average,
    })
}

/// Writes the folder of a run for a trainer in another process: a checkpoint before the first step and the plan. Where
/// a run is under way, only the plan is written anew, for instance with more steps.
pub fn prepare<M: Module>(model: M, options: &RunOptions, plan: &Plan) -> Result<(), TrainError> {
    options.validate()?;
    std::fs::create_dir_all(&options.out).map_err(|e| io_error(&options.out, e))?;
    let state = resume(model, options)?;
    if state.step == 0 {
        let checkpoint = block_on(state.checkpoint(options.config.clone()))?;
        checkpoint.save(&options.out.join(CHECKPOINT))?;
    }
    plan.save(&options.out)
}

/// The state of the run in `options.out`, or a new one where there is none.
fn resume<M: Module>(model: M, options: &RunOptions) -> Result<State<M>, TrainError> {
    let state = State::new(model, options.optimizer, options.ema);
    let path = options.out.join(CHECKPOINT);
    if !path.exists() {
        return Ok(state);
    }
    let saved = Checkpoint::load(&path)?;
    if saved.config != options.config {
        let name = path.display().to_string();
        return Err(TrainError::Checkpoint(name, "it was made with other settings".into()));
    }
    state.restore(saved)
}

/// The CSV of logged steps.
struct Metrics {
    file: std::fs::File,
    path: PathBuf,
    header: bool,
}

impl Metrics {
    /// Opens the table, dropping rows after `step` (a run cut off between log and checkpoint).
    fn open(path: &Path, step: usize) -> Result<Self, TrainError> {
        let io = |error| io_error(path, error);
        let old = match std::fs::read_to_string(path) {
            Ok(text) if step > 0 => text,
            _ => String::new(),
        };
        let keep = |line: &&str| match line.split(',').next().and_then(|n| n.parse::<usize>().ok()) {
            Some(n) => n <= step,
            None => true,
        };
        let kept: Vec<&str> = old.lines().filter(keep).collect();
        let mut file = std::fs::File::create(path).map_err(io)?;
        for line in &kept {
            writeln!(file, "{line}").map_err(io)?;
        }
        Ok(Self {
            file,
            path: path.to_path_buf(),
            header: !kept.is_empty(),
        })
    }

    /// Reads the numbers of a step, appends a row and gives a line for the progress bar.
    fn log(&mut self, step: usize, lr: f64, seconds: f64, taken: Taken) -> Result<String, TrainError> {
        let columns = block_on(taken.numbers(step))?;
        let path = self.path.clone();
        let io = |error| io_error(&path, error);
        if !self.header {
            let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            writeln!(self.file, "step,lr,seconds,{}", names.join(",")).map_err(io)?;
            self.header = true;
        }
        let values: Vec<String> = columns.iter().map(|(_, value)| value.to_string()).collect();
        writeln!(self.file, "{step},{lr},{seconds:.3},{}", values.join(",")).map_err(io)?;
        let parts: Vec<String> = columns
            .iter()
            .map(|(name, value)| format!("{name} {value:.4}"))
            .collect();
        Ok(parts.join("  "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::compose::EmojiWorld;
    use crate::data::heldout::Split;
    use crate::model::config::Classifier;
    use crate::model::self_correction::{Correction, Targets};
    use crate::model::text::{PromptEncoder, vocabulary};
    use crate::model::transformer::Loss;
    use crate::model::vae::Vae;
    use crate::tiny;
    use crate::train::batch::Batches;
    use crate::train::init;
    use crate::train::settings::{DataSettings, TransformerSettings};
    use crate::train::stages::{TokenizerStage, TransformerStage};
    use crate::train::tokenizer::{StraightThrough, TokenizerOptions};
    use crate::weights::export_module;
    use burn::tensor::Device;

    const SCALES: usize = 2;

    fn options(out: &Path, steps: usize) -> RunOptions {
        RunOptions {
            out: out.to_path_buf(),
            steps,
            lr: 2e-3,
            warmup: 2,
            final_lr_ratio: 1.0,
            optimizer: AdamWOptions::default(),
            ema: 0.9,
            log_every: 1,
            sample_every: 100,
            save_every: 3,
            config: "{}".into(),
        }
    }

    fn batches(world: &EmojiWorld) -> Batches<'_> {
        Batches {
            source: world,
            size: 2,
            seed: 5,
            scales: SCALES,
            square_share: 0.5,
        }
    }

    /// Losses of the table's rows.
    fn losses(out: &Path) -> Vec<String> {
        let table = std::fs::read_to_string(out.join(METRICS)).unwrap();
        // All but the seconds, which no two runs share.
        let row = |line: &str| {
            let columns: Vec<&str> = line.split(',').collect();
            [&columns[..2], &columns[3..]].concat().join(",")
        };
        table.lines().map(row).collect()
    }

    /// Six steps at once, and three and three with everything dropped in between, must leave the same table and
    /// weights.
    fn resumes_exactly<S: Pictures>(stage: &S, model: impl Fn() -> S::Model) {
        let directory = tempfile::tempdir().unwrap();
        let (whole, halves) = (directory.path().join("whole"), directory.path().join("halves"));
        run(stage, model(), &options(&whole, 6)).unwrap();
        run(stage, model(), &options(&halves, 3)).unwrap();
        run(stage, model(), &options(&halves, 6)).unwrap();
        let (one, two) = (losses(&whole), losses(&halves));
        assert_eq!(one.len(), 7);
        assert_eq!(one, two);
        let (one, two) = (
            Checkpoint::load(&whole.join(CHECKPOINT)),
            Checkpoint::load(&halves.join(CHECKPOINT)),
        );
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((one.step, &one.model, &one.ema), (6, &two.model, &two.ema));
        assert_eq!(one.optimizer, two.optimizer);
        // Training did something, and another configuration is not resumed.
        let start = export_module(&model(), str::to_string).into_iter().collect();
        assert_ne!(one.model, start);
        let other = RunOptions {
            config: "other".into(),
            ..options(&halves, 9)
        };
        assert!(matches!(run(stage, model(), &other), Err(TrainError::Checkpoint(..))));
        assert!(halves.join("samples/step-000006.png").exists());
    }

    #[test]
    fn a_tokenizer_run_resumes_exactly() {
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let device = Device::flex().autodiff();
        let stage = TokenizerStage {
            batches: batches(&world),
            options: TokenizerOptions {
                edge_weight: 1.0,
                straight_through: StraightThrough::Pyramid,
                quantizer_warmup: 4,
                decoder_only: false,
                partial: 0.5,
            },
            device: device.clone(),
        };
        resumes_exactly(&stage, || init::vae(Vae::new(&tiny::vae(32, 32), &device).unwrap(), 3));
    }

    #[test]
    fn a_transformer_run_resumes_exactly() {
        let world = EmojiWorld::bundled(Split::Train).unwrap();
        let device = Device::flex().autodiff();
        let json = tiny::text_tokenizer();
        let batches = batches(&world);
        let captions: Vec<String> = (0..6)
            .flat_map(|step| batches.get(step).unwrap().samples)
            .map(|sample| sample.caption)
            .chain(["a red apple".to_string()])
            .collect();
        let (words, token_ids) = vocabulary(&json, captions.iter().map(String::as_str)).unwrap();
        let settings = TransformerSettings {
            transformer: tiny::transformer(Classifier::Bits),
            text_encoder: tiny::text_encoder(token_ids.len()),
            words: words.clone(),
            token_ids: token_ids.clone(),
            tokenizer: String::new(),
            flips: 0.3,
            inputs_only: false,
            condition_dropout: 0.3,
            reweight_by_scale: false,
            data: DataSettings {
                data: "emoji".into(),
                batch: 2,
                seed: 5,
                scales: SCALES,
                square_share: 0.5,
            },
        };
        let vae = init::vae(Vae::new(&tiny::vae(32, 32), &Device::flex()).unwrap(), 3);
        let prompts = PromptEncoder::with_vocabulary(&json, tiny::TEXT_LENGTH, &words, &token_ids).unwrap();
        let show = ["a red apple".to_string()];
        let stage = TransformerStage {
            batches,
            vae: &vae,
            prompts: &prompts,
            loss: Loss::default(),
            correction: Correction {
                max_flip_rate: 0.3,
                num_scales: SCALES,
                targets: Targets::Requantized,
            },
            condition_dropout: 0.3,
            show: &show,
            cfg: 2.0,
            device: device.clone(),
        };
        let model = || {
            let mut model = settings.module(&device).unwrap();
            model.transformer = init::transformer(model.transformer, &settings.transformer, 1);
            model.text_encoder = init::t5(model.text_encoder, &settings.text_encoder, 2);
            model
        };
        resumes_exactly(&stage, model);
    }

    #[test]
    fn the_learning_rate_rises_and_falls() {
        let options = RunOptions {
            final_lr_ratio: 0.1,
            ..options(Path::new(""), 12)
        };
        assert_eq!(options.lr_at(0), 1e-3);
        assert_eq!(options.lr_at(1), 2e-3);
        assert!((options.lr_at(7) - 2e-3 * 0.55).abs() < 1e-12);
        assert!((options.lr_at(12) - 2e-4).abs() < 1e-12);
        assert!(
            RunOptions {
                lr: f64::NAN,
                ..options.clone()
            }
            .validate()
            .is_err()
        );
        assert!(
            RunOptions {
                steps: 0,
                ..options.clone()
            }
            .validate()
            .is_err()
        );
        assert!(RunOptions { ema: 1.0, ..options }.validate().is_err());
    }
}
