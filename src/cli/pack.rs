//! `infinity pack`: two finished runs become one model folder that the page and the command line load.

use super::CliError;
use crate::model::config::{T5Config, TransformerConfig};
use crate::model::schedule::MAX_SCALES;
use crate::model::vae::Vae;
use crate::model::{t5, transformer};
use crate::train::finished::fingerprint;
use crate::train::run::CHECKPOINT;
use crate::train::settings::{TokenizerSettings, TransformerSettings};
use crate::weights::directory::{MANIFEST_FILE, load_whole, write_model};
use crate::weights::manifest::{FORMAT, FloatType, Manifest, Sampling, Training};
use crate::weights::official::Component;
use crate::weights::shards::{PackOptions, take_component};
use crate::weights::{Tensors, export_module};
use burn::tensor::{Device, TensorData};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Make a model folder of a trained tokenizer and transformer.
#[derive(Args, Debug)]
pub struct Pack {
    /// Folder of the tokenizer's run
    #[arg(long, value_name = "DIR")]
    tokenizer: PathBuf,
    /// Folder of the transformer's run, trained on that tokenizer, or of a packed model (or its baseline) whose
    /// transformer was
    #[arg(long, value_name = "DIR")]
    transformer: PathBuf,
    /// The T5 tokenizer
    #[arg(long, value_name = "FILE", default_value = "models/t5_tokenizer.json")]
    text_tokenizer: PathBuf,
    /// Folder to create; must not exist or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[arg(long)]
    name: String,
    /// Licence of the weights
    #[arg(long, default_value = "MIT OR Apache-2.0")]
    licence: String,
    /// Stored precision: f32, f16 or bf16
    #[arg(long, default_value = "f16")]
    dtype: FloatType,
    /// Most MiB of a shard
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    shard_mib: u64,
    /// The model's own guidance, one value or one per scale
    #[arg(long, value_delimiter = ',', default_value = "3")]
    cfg: Vec<f64>,
    /// The model's own temperature, one value or one per scale
    #[arg(long, value_delimiter = ',', default_value = "1")]
    tau: Vec<f64>,
    /// The model's own nucleus; 1 keeps both values of a bit
    #[arg(long, default_value_t = 1.0)]
    top_p: f64,
    /// Prompts that the page offers
    #[arg(long, value_delimiter = ';')]
    examples: Vec<String>,
    /// Folder of the run, or of a packed model, of the teacher-forced baseline: the same transformer trained with
    /// --flips 0. Packed into `twin` below --out, without what it shares
    #[arg(long, visible_alias = "twin", value_name = "DIR")]
    baseline: Option<PathBuf>,
}

/// Path of the baseline's manifest below the model's folder.
const BASELINE: &str = "twin/manifest.json";

impl Pack {
    pub fn run(self) -> Result<(), CliError> {
        let device = Device::flex();
        let (tokenizer, vae) = TokenizerSettings::load(&self.tokenizer.join(CHECKPOINT), &device)?;
        let drawing = |folder: &Path| {
            let drawing = match folder.join(MANIFEST_FILE).exists() {
                true => Drawing::packed(folder, &vae)?,
                false => Drawing::trained(folder, &vae)?,
            };
            drawing.ok_or_else(|| CliError::OtherTokenizer {
                transformer: folder.to_path_buf(),
                tokenizer: self.tokenizer.clone(),
            })
        };
        let model = drawing(&self.transformer)?;
        let baseline = self.baseline.as_deref().map(drawing).transpose()?;
        let json = std::fs::read(&self.text_tokenizer).map_err(|error| CliError::Tokenizer {
            path: self.text_tokenizer.clone(),
            reason: error.to_string(),
        })?;
        let manifest = |drawing: &Drawing| Manifest {
            format: FORMAT.to_string(),
            name: self.name.clone(),
            licence: self.licence.clone(),
            transformer: Some(drawing.transformer.clone()),
            vae: None,
            text_encoder: Some(drawing.text_encoder.clone()),
            tokenizer: None,
            vocabulary: Some(drawing.token_ids.clone()),
            words: drawing.words.clone(),
            examples: Vec::new(),
            scales: drawing.scales,
            sampling: Sampling {
                cfg: self.cfg.clone(),
                tau: self.tau.clone(),
                top_p: self.top_p,
            },
            baseline: None,
            training: drawing.training,
            shards: Vec::new(),
        };
        let options = PackOptions {
            max_bytes: self.shard_mib << 20,
            dtype: Some(self.dtype),
        };
        let write = |folder: &Path, manifest: Manifest, networks, json: Option<&[u8]>| {
            let manifest = write_model(folder, manifest, networks, json, &options)?;
            let (bytes, shards) = (manifest.total_bytes(), manifest.shards.len());
            println!("wrote {}: {bytes} bytes in {shards} shards", folder.display());
            Ok::<(), CliError>(())
        };
        let whole = Manifest {
            vae: Some(tokenizer.vae),
            examples: self.examples.clone(),
            baseline: baseline.is_some().then(|| BASELINE.to_string()),
            ..manifest(&model)
        };
        let mut networks = model.networks;
        networks.insert(
            Component::Vae,
            export_module(&vae, str::to_string).into_iter().collect(),
        );
        write(&self.out, whole, networks, Some(&json))?;
        let Some(baseline) = baseline else { return Ok(()) };
        let part = Manifest {
            name: format!("{} without self-correction", self.name),
            ..manifest(&baseline)
        };
        let folder = self.out.join(BASELINE);
        write(folder.parent().unwrap_or(&self.out), part, baseline.networks, None)
    }
}

/// What turns prompts into bits: the transformer, its text encoder, and what they know.
struct Drawing {
    transformer: TransformerConfig,
    text_encoder: T5Config,
    token_ids: Vec<u32>,
    words: Vec<String>,
    scales: usize,
    training: Option<Training>,
    networks: BTreeMap<Component, Tensors>,
}

impl Drawing {
    /// Of a run; `None` if it was trained on the bits of another tokenizer than `vae`.
    fn trained(run: &Path, vae: &Vae) -> Result<Option<Self>, CliError> {
        let (settings, model, steps) = TransformerSettings::load(&run.join(CHECKPOINT), &Device::flex())?;
        if settings.tokenizer != fingerprint(vae) {
            return Ok(None);
        }
        let transformer = export_module(&model.transformer, transformer::official_name);
        let text_encoder = export_module(&model.text_encoder, t5::official_name);
        Ok(Some(Self {
            transformer: settings.transformer,
            text_encoder: settings.text_encoder,
            token_ids: settings.token_ids,
            words: settings.words,
            scales: settings.data.scales.min(MAX_SCALES),
            training: Some(Training {
                flips: settings.flips,
                inputs_only: settings.inputs_only,
                steps,
                batch: settings.data.batch,
            }),
            networks: BTreeMap::from([
                (Component::Transformer, transformer.into_iter().collect()),
                (Component::TextEncoder, text_encoder.into_iter().collect()),
            ]),
        }))
    }

    /// Of a packed model; `None` if its encoder is another one than that of `vae`, but for the rounding of its shards.
    fn packed(folder: &Path, vae: &Vae) -> Result<Option<Self>, CliError> {
        /// bfloat16 has eight significant bits.
        const ROUNDING: f32 = 1.0 / 256.0;
        let (manifest, mut tensors, _) = load_whole(folder)?;
        let (Some(transformer), Some(text_encoder), Some(token_ids)) =
            (manifest.transformer, manifest.text_encoder, manifest.vocabulary)
        else {
            return Err(CliError::NotPacked(folder.to_path_buf()));
        };
        let mut take = |component: Component| (component, take_component(&mut tensors, component.prefix()));
        let networks = BTreeMap::from([take(Component::Transformer), take(Component::TextEncoder)]);
        let (_, packed) = take(Component::Vae);
        let same = |(name, own): &(String, TensorData)| {
            let packed = packed.get(&format!("encoder.{name}"));
            packed.is_some_and(|packed| {
                let near = |(a, b): (f32, f32)| (a - b).abs() <= a.abs() * ROUNDING + f32::EPSILON;
                packed.shape() == own.shape() && own.iter().zip(packed.iter()).all(near)
            })
        };
        let same = export_module(&vae.encoder, str::to_string).iter().all(same);
        Ok(same.then_some(Self {
            transformer,
            text_encoder,
            token_ids,
            words: manifest.words,
            scales: manifest.scales,
            training: manifest.training,
            networks,
        }))
    }
}
