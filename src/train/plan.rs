//! What a trainer outside this process needs to know of a run: `training/` (PyTorch) reads it from the run's folder.
//!
//! The checkpoint beside it holds the weights to start from and the settings; schedules, words and shapes stay defined
//! here and are written down once for every run.

use super::TrainError;
use super::checkpoint::io_error;
use super::run::RunOptions;
use super::settings::DataSettings;
use crate::model::schedule::{Grid, TEMPLATES};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// File name in the run's folder.
pub const PLAN: &str = "plan.json";

/// Which of the two networks a run trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    Tokenizer,
    Transformer,
}

/// The contents of `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub network: Network,
    /// The settings as the checkpoint stores them, JSON in a string: a resume compares it byte by byte.
    pub config: String,
    pub steps: usize,
    pub lr: f64,
    pub warmup: usize,
    pub final_lr_ratio: f64,
    pub beta_1: f32,
    pub beta_2: f32,
    pub epsilon: f32,
    pub weight_decay: f32,
    pub clip: f32,
    pub ema: f64,
    pub log_every: usize,
    pub save_every: usize,
    /// The aspect ratios in the official order, each with the scales that are trained.
    pub templates: Vec<TemplatePlan>,
    /// Of a transformer: the run of its image tokenizer, and the text tokenizer's file.
    pub tokenizer: Option<PathBuf>,
    pub text_tokenizer: Option<PathBuf>,
}

/// Grids `(h_k, w_k)` of one aspect ratio, and the grid that rotary positions are stretched to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplatePlan {
    pub grids: Vec<Grid>,
    pub reference: Grid,
}

/// What both kinds of settings say of the data, and the vocabulary of a transformer.
#[derive(Clone, Debug, Deserialize)]
pub struct StreamSettings {
    pub data: DataSettings,
    #[serde(default)]
    pub words: Vec<String>,
    #[serde(default)]
    #[serde(rename = "pieces")]
    pub token_ids: Vec<u32>,
    pub transformer: Option<TextLength>,
}

/// Most tokens of a prompt.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct TextLength {
    pub text_maxlen: usize,
}

impl Plan {
    pub fn new(network: Network, options: &RunOptions, scales: usize) -> Result<Self, TrainError> {
        let template = |template: &crate::model::schedule::Template| {
            let schedule = template.schedule(scales)?;
            Ok(TemplatePlan {
                grids: schedule.grids().to_vec(),
                reference: schedule.reference(),
            })
        };
        Ok(Self {
            network,
            config: options.config.clone(),
            steps: options.steps,
            lr: options.lr,
            warmup: options.warmup,
            final_lr_ratio: options.final_lr_ratio,
            beta_1: options.optimizer.beta_1,
            beta_2: options.optimizer.beta_2,
            epsilon: options.optimizer.epsilon,
            weight_decay: options.optimizer.weight_decay,
            clip: options.optimizer.clip,
            ema: options.ema,
            log_every: options.log_every,
            save_every: options.save_every,
            templates: TEMPLATES.iter().map(template).collect::<Result<_, TrainError>>()?,
            tokenizer: None,
            text_tokenizer: None,
        })
    }

    /// Writes `plan.json` into the run's folder.
    pub fn save(&self, run: &Path) -> Result<(), TrainError> {
        let path = run.join(PLAN);
        // Structs of numbers, strings and lists always serialize.
        let text = serde_json::to_string_pretty(self).unwrap_or_else(|error| unreachable!("{error}"));
        std::fs::write(&path, text + "\n").map_err(|error| io_error(&path, error))
    }

    /// Reads the plan of a run.
    pub fn load(run: &Path) -> Result<Self, TrainError> {
        let path = run.join(PLAN);
        let text = std::fs::read_to_string(&path).map_err(|error| io_error(&path, error))?;
        serde_json::from_str(&text).map_err(|error| wrong(&path, &error))
    }

    /// The settings that batches depend on.
    pub fn stream_settings(&self) -> Result<StreamSettings, TrainError> {
        serde_json::from_str(&self.config).map_err(|error| wrong(Path::new(PLAN), &error))
    }
}

fn wrong(path: &Path, error: &serde_json::Error) -> TrainError {
    TrainError::Checkpoint(
        path.display().to_string(),
        format!("it is no plan of this version ({error}); write it again with `infinity train .. --prepare`"),
    )
}
