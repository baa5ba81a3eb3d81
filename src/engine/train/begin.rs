//! Sets up a training: of the loaded model, of a new one, or where a checkpoint left it.

use super::session_config::SessionConfig;
use super::{Session, TrainContext, TrainingData};
use crate::data::Source;
use crate::engine::load::{tokenizer, tokenizer_fingerprint};
use crate::engine::protocol::{Event, Fresh, TrainConfig};
use crate::engine::{Engine, EngineError, Files, Host};
use crate::kernels::matmul::WeightFormat;
use crate::model::random::{Stream, normal};
use crate::model::schedule::TEMPLATES;
use crate::model::t5::T5Encoder;
use crate::model::text::{PromptEncoder, TextError, vocabulary};
use crate::model::transformer::Transformer;
use crate::model::vae::Vae;
use crate::train::checkpoint::Checkpoint;
use crate::train::flat::Flat;
use crate::train::optimizer::AdamWOptions;
use crate::train::settings::{small_text_encoder, small_transformer};
use crate::train::step::State;
use crate::train::transformer::TextToBits;
use crate::train::words::carry_rows;
use crate::train::{TrainError, init};
use crate::weights::{Tensors, load_module};
use burn::module::Module;
use burn::tensor::{Device, TensorData};
use std::collections::BTreeSet;

/// Most samples of a grid.
const SHOWN: usize = 8;
/// Largest batch.
const MOST: usize = 256;
/// Sizes of a fresh transformer.
const WIDEST: usize = 1024;
const DEEPEST: usize = 24;
/// Text features and layers of a fresh text encoder.
const TEXT_WIDTH: usize = 128;
const TEXT_DEPTH: usize = 2;
/// Decay of the running average: long enough to smooth, short enough for trainings of a few hundred steps.
const EMA: f64 = 0.98;
/// Field of the embedding table in [`T5Encoder`].
const TABLE: &str = "shared";

impl Engine {
    /// Sets up a training and emits `TrainingReady`. With a `checkpoint` it resumes exactly where that was taken, which
    /// requires the same settings and data.
    pub async fn begin(
        &self,
        train: TrainConfig,
        data: TrainingData,
        checkpoint: Option<&[u8]>,
        files: &impl Files,
        host: &impl Host,
    ) -> Result<Session, EngineError> {
        check(&train)?;
        let manifest = &self.manifest;
        let (side, _) = TEMPLATES[0].schedule(manifest.scales)?.image_size();
        let (source, data) = data.open(side)?;
        let captions = captions(&*source)?;
        let json = tokenizer(manifest, files).await?;
        let vae = Vae {
            encoder: self.encoder(files, host).await?.clone(),
            decoder: self.decoder.clone(),
        };
        let device = self.device.clone().autodiff();
        let mut config = self.session_config(train, data, &captions, &json)?;
        let learned: BTreeSet<String> = self.prompts.words().into_iter().collect();
        let (model, saved) = match checkpoint {
            Some(bytes) => {
                let saved = Checkpoint::decode(bytes).map_err(EngineError::Checkpoint)?;
                let before: SessionConfig = serde_json::from_str(&saved.config)
                    .map_err(|error| EngineError::Checkpoint(format!("it is of another version: {error}")))?;
                if let Some(reason) = before.refusal(&config) {
                    return Err(EngineError::Checkpoint(reason.to_string()));
                }
                config = before;
                (config.module(&device)?, Some(saved))
            }
            None if config.train.fresh.is_some() => (config.random(&device)?, None),
            None if self.weights != WeightFormat::F32 => {
                let form = self.weights.name();
                let what =
                    format!("the weights of the loaded model are kept as {form}, not as f32, and cannot be trained");
                return Err(EngineError::TrainConfig(what));
            }
            None => (self.adopt(&config, &device).await?, None),
        };
        let optimizer = AdamWOptions {
            clip: 1.0,
            weight_decay: 0.01,
            ..AdamWOptions::default()
        };
        let mut state = State::new(model, optimizer, EMA);
        if let Some(saved) = saved {
            state = state.restore(saved)?;
        }
        let limit = config.transformer.text_maxlen;
        let prompts = PromptEncoder::for_model(&json, limit, &config.words, config.vocabulary.as_deref())?;
        for caption in &captions {
            let encoded = prompts.encode(caption);
            encoded.map_err(|error| TrainError::Caption(caption.clone(), error.to_string()))?;
        }
        let context = TrainContext {
            train: config.train.clone(),
            scales: manifest.scales,
            show: captions.into_iter().take(SHOWN).collect(),
            sampling: self.defaults.clone(),
            source,
            vae,
            prompts,
            device,
        };
        let known = |word: &String| learned.is_empty() || learned.contains(word);
        host.emit(Event::TrainingReady {
            step: state.step,
            parameters: state.model.num_params() as u64,
            new_words: config.words.iter().filter(|word| !known(word)).cloned().collect(),
            prompts: context.show.clone(),
        });
        Ok(Session {
            config,
            context,
            state,
            base: manifest.clone(),
        })
    }

    /// The settings of a new training: its networks, its data and its vocabulary.
    fn session_config(
        &self,
        train: TrainConfig,
        data: String,
        captions: &[String],
        json: &[u8],
    ) -> Result<SessionConfig, EngineError> {
        let manifest = &self.manifest;
        let mut text = captions.to_vec();
        let (transformer, text_encoder, free) = match train.fresh {
            Some(Fresh { width, depth }) => {
                let own = self.transformer.config();
                let mut transformer = small_transformer(width, depth, own.bits, TEXT_WIDTH);
                transformer.patchify = own.patchify;
                transformer.validate()?;
                (transformer, small_text_encoder(0, TEXT_WIDTH, TEXT_DEPTH), false)
            }
            None => {
                let text_encoder = manifest.text_encoder.clone();
                let text_encoder = text_encoder.ok_or(EngineError::Incomplete("text encoder"))?;
                text.extend(manifest.words.iter().cloned());
                (
                    self.transformer.config().clone(),
                    text_encoder,
                    manifest.vocabulary.is_none(),
                )
            }
        };
        let mut config = SessionConfig {
            tokenizer_fingerprint: tokenizer_fingerprint(manifest),
            scales: manifest.scales,
            vocabulary: None,
            words: Vec::new(),
            train,
            data,
            transformer,
            text_encoder,
        };
        if !free {
            let (words, token_ids) = vocabulary(json, text.iter().map(String::as_str))?;
            config.text_encoder.vocab_size = token_ids.len();
            (config.words, config.vocabulary) = (words, Some(token_ids));
        }
        Ok(config)
    }

    /// The loaded networks on `device`; embedding rows of new token ids are random.
    async fn adopt(&self, config: &SessionConfig, device: &Device) -> Result<TextToBits, EngineError> {
        let mut text = parameters(&self.text_encoder).await?;
        if let (Some(token_ids), Some(known)) = (&config.vocabulary, &self.manifest.vocabulary)
            && let Some(table) = text.remove(TABLE)
        {
            let width = config.text_encoder.d_model;
            let row = |id: &u32| {
                let (seed, id) = (config.train.seed as u64, u64::from(*id));
                (0..width as u64).map(move |i| normal(seed, Stream::Init, id, i) as f32)
            };
            let rows: Vec<f32> = token_ids.iter().flat_map(row).collect();
            let own = TensorData::new(rows, [token_ids.len(), width]);
            text.insert(TABLE.to_string(), carry_rows(own, token_ids, &table, known));
        }
        let model = config.module(device)?;
        Ok(TextToBits {
            transformer: load_module(
                model.transformer,
                &mut parameters(&self.transformer).await?,
                str::to_string,
            )?,
            text_encoder: load_module(model.text_encoder, &mut text, str::to_string)?,
        })
    }
}

impl SessionConfig {
    fn module(&self, device: &Device) -> Result<TextToBits, EngineError> {
        Ok(TextToBits {
            transformer: Transformer::new(&self.transformer, device)?,
            text_encoder: T5Encoder::new(&self.text_encoder, device)?,
        })
    }

    fn random(&self, device: &Device) -> Result<TextToBits, EngineError> {
        let TextToBits {
            transformer,
            text_encoder,
        } = self.module(device)?;
        let seed = self.train.seed as u64;
        Ok(TextToBits {
            transformer: init::transformer(transformer, &self.transformer, seed),
            text_encoder: init::t5(text_encoder, &self.text_encoder, seed.wrapping_add(1)),
        })
    }
}

/// Every parameter by its field path.
async fn parameters<M: Module>(module: &M) -> Result<Tensors, TrainError> {
    match Flat::values(module, |_| true) {
        Some(values) => values.export("").await,
        None => Ok(Tensors::new()),
    }
}

/// Every caption once, in order; one without words is refused.
fn captions(source: &dyn Source) -> Result<Vec<String>, EngineError> {
    let mut seen = BTreeSet::new();
    let mut captions = source.captions().map_err(TrainError::from)?;
    if captions.iter().any(|caption| caption.trim().is_empty()) {
        return Err(TextError::Empty.into());
    }
    captions.retain(|caption| seen.insert(caption.clone()));
    Ok(captions)
}

fn check(train: &TrainConfig) -> Result<(), EngineError> {
    let refuse = |what: String| Err(EngineError::TrainConfig(what));
    if !(train.seed >= 0.0 && train.seed < 9e15 && train.seed.fract() == 0.0) {
        return Err(EngineError::Seed);
    }
    if !(1..=MOST).contains(&train.batch) {
        return refuse(format!("a batch has 1 to {MOST} pictures, not {}", train.batch));
    }
    match train.fresh {
        Some(Fresh { width, depth }) if !(32..=WIDEST).contains(&width) || width % 32 != 0 || depth > DEEPEST => {
            refuse(format!(
                "a transformer of width {width} and depth {depth} cannot be made: the width is a multiple of 32 up to \
                 {WIDEST}, the depth at most {DEEPEST}"
            ))
        }
        _ => Ok(()),
    }
}
