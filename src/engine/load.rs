//! From a manifest to an engine: downloads, verifies and builds one network after the other.

use super::protocol::{Defaults, Event, ModelInfo, Phase};
use super::{Engine, EngineError, Files, Host, aspect, backpressure};
use crate::kernels::matmul::WeightFormat;
use crate::model::config::{T5Config, TransformerConfig};
use crate::model::nn;
use crate::model::sampling::SamplingOptions;
use crate::model::t5::{self, T5Encoder};
use crate::model::text::PromptEncoder;
use crate::model::transformer::{self, Transformer};
use crate::model::vae::{Decoder, Encoder};
use crate::weights::fill::Filler;
use crate::weights::manifest::{Shard, TokenizerFile};
use crate::weights::shards::{self, ShardTensor};
use crate::weights::{Manifest, WeightsError};
use burn::module::Module;
use burn::tensor::Device;
use std::cell::OnceCell;
use std::collections::BTreeMap;

// Prefixes of the tensors of each network in the shards.
const TEXT_ENCODER: &str = "text_encoder.";
const TRANSFORMER: &str = "transformer.";
const DECODER: &str = "vae.decoder.";
const ENCODER: &str = "vae.encoder.";

/// Tensors, and bytes of f32 values, that may be on their way to the device before the loader waits for it. They take
/// up memory until then, and on Metal too many at once lose some (tracel-ai/cubecl#1120).
const TENSORS_AT_ONCE: usize = 32;
const BYTES_AT_ONCE: usize = 16 << 20;

impl Engine {
    /// Loads the model that the file `manifest` describes; `host` receives the progress and, at the end, `Loaded`. The
    /// image encoder is loaded later, when it is first needed.
    ///
    /// One shard at a time is in memory, and those of its tensors that are on their way to the device. An error leaves
    /// nothing behind.
    pub async fn load(
        manifest: &str,
        files: &impl Files,
        device: &Device,
        host: &impl Host,
    ) -> Result<Self, EngineError> {
        Self::load_as(WeightFormat::F32, manifest, files, device, host).await
    }

    /// As [`load`](Self::load); the weights of the transformer's and the text encoder's layers are stored in `form` on
    /// GPUs, as f32 on the CPU.
    pub async fn load_as(
        form: WeightFormat,
        manifest: &str,
        files: &impl Files,
        device: &Device,
        host: &impl Host,
    ) -> Result<Self, EngineError> {
        let form = if *device == Device::flex() {
            WeightFormat::F32
        } else {
            form
        };
        let json = files.read(manifest, &mut |_| {}).await?;
        let manifest = Manifest::parse(&json).map_err(WeightsError::from)?;
        let missing = EngineError::Incomplete;
        let transformer = manifest.transformer.as_ref().ok_or(missing("transformer"))?;
        let vae = manifest.vae.as_ref().ok_or(missing("VAE"))?;
        let text_encoder = manifest.text_encoder.as_ref().ok_or(missing("text encoder"))?;
        let tokenizer = manifest.tokenizer.as_ref().ok_or(missing("tokenizer"))?;

        let shards = needed(&manifest, &[TEXT_ENCODER, TRANSFORMER, DECODER]);
        let bytes = shards.iter().map(|shard| shard.bytes).sum::<u64>();
        let mut download = Loader::new(files, host, device, bytes + tokenizer.bytes);
        let prompts = download.prompts(&manifest, tokenizer, transformer.text_maxlen).await?;
        let (text_encoder, transformer) = download.drawing(form, &manifest, text_encoder, transformer).await?;
        let decoder = Decoder::new(vae, device)?;
        let decoder = download
            .fill(WeightFormat::F32, decoder, &manifest, DECODER, str::to_string)
            .await?;

        let engine = Self {
            device: device.clone(),
            weights: form,
            prompts,
            text_encoder,
            transformer,
            decoder,
            encoder: OnceCell::new(),
            defaults: SamplingOptions::from(&manifest.sampling),
            manifest,
        };
        let model = engine.describe()?;
        host.emit(Event::Loaded { model });
        Ok(engine)
    }

    /// Loads the teacher-forced baseline of this model from `files`, the baseline's own folder; `host` receives the
    /// progress and, at the end, `Loaded`. Only its transformer and text encoder are read; the rest is shared with this
    /// model.
    pub async fn load_baseline(
        &self,
        manifest: &str,
        files: &impl Files,
        host: &impl Host,
    ) -> Result<Self, EngineError> {
        let json = files.read(manifest, &mut |_| {}).await?;
        let manifest = Manifest::parse(&json).map_err(WeightsError::from)?;
        let missing = EngineError::Incomplete;
        let transformer = manifest.transformer.as_ref().ok_or(missing("transformer"))?;
        let text_encoder = manifest.text_encoder.as_ref().ok_or(missing("text encoder"))?;
        let (ours, config) = (&self.manifest, self.transformer.config());
        let differs = [
            (
                "the image tokenizer",
                manifest.vae.is_some() && tokenizer_fingerprint(&manifest) != tokenizer_fingerprint(ours),
            ),
            ("the number of scales", manifest.scales != ours.scales),
            (
                "what a token is",
                (transformer.bits, transformer.patchify) != (config.bits, config.patchify),
            ),
            (
                "the vocabulary",
                manifest.vocabulary != ours.vocabulary || manifest.words != ours.words,
            ),
            ("the length of a prompt", transformer.text_maxlen != config.text_maxlen),
        ];
        if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            return Err(EngineError::Baseline(what));
        }
        let shards = needed(&manifest, &[TEXT_ENCODER, TRANSFORMER]);
        let bytes = shards.iter().map(|shard| shard.bytes).sum();
        let mut download = Loader::new(files, host, &self.device, bytes);
        let drawing = download.drawing(self.weights, &manifest, text_encoder, transformer);
        let (text_encoder, transformer) = drawing.await?;
        let baseline = Self {
            device: self.device.clone(),
            weights: self.weights,
            prompts: self.prompts.clone(),
            text_encoder,
            transformer,
            decoder: self.decoder.clone(),
            encoder: OnceCell::new(),
            defaults: SamplingOptions::from(&manifest.sampling),
            manifest,
        };
        let model = ModelInfo {
            tokenizer_fingerprint: tokenizer_fingerprint(ours),
            ..baseline.describe()?
        };
        host.emit(Event::Loaded { model });
        Ok(baseline)
    }

    /// The network that reads images, from the shards of its decoder; loaded once.
    pub(super) async fn encoder(&self, files: &impl Files, host: &impl Host) -> Result<&Encoder, EngineError> {
        if let Some(encoder) = self.encoder.get() {
            return Ok(encoder);
        }
        let shards = needed(&self.manifest, &[ENCODER]);
        let config = match &self.manifest.vae {
            Some(config) if !shards.is_empty() => config,
            _ => return Err(EngineError::NoEncoder),
        };
        let bytes = shards.iter().map(|shard| shard.bytes).sum();
        let mut download = Loader::new(files, host, &self.device, bytes);
        let encoder = Encoder::new(config, &self.device)?;
        let encoder = download
            .fill(WeightFormat::F32, encoder, &self.manifest, ENCODER, str::to_string)
            .await?;
        Ok(self.encoder.get_or_init(|| encoder))
    }

    fn describe(&self) -> Result<ModelInfo, EngineError> {
        let manifest = &self.manifest;
        let tensors = manifest.shards.iter().flat_map(|shard| shard.tensors.values());
        let SamplingOptions { cfg, tau, top_p, .. } = self.defaults.clone();
        Ok(ModelInfo {
            name: manifest.name.clone(),
            licence: manifest.licence.clone(),
            bytes: manifest.total_bytes() + manifest.tokenizer.as_ref().map_or(0, |file| file.bytes),
            shard: manifest.shards.iter().map(|shard| shard.bytes).max().unwrap_or(0),
            parameters: tensors
                .map(|tensor| tensor.shape.iter().product::<usize>() as u64)
                .sum(),
            bits: self.transformer.config().bits,
            tokenizer_fingerprint: tokenizer_fingerprint(manifest),
            aspects: aspect::all(manifest.scales)?,
            examples: manifest.examples.clone(),
            words: self.prompts.words(),
            defaults: Defaults { cfg, tau, top_p },
            baseline: manifest.baseline.clone(),
        })
    }
}

/// Reads the tokenizer's JSON again. It is not kept in memory between the two times that it is needed.
pub(super) async fn tokenizer(manifest: &Manifest, files: &impl Files) -> Result<Vec<u8>, EngineError> {
    let file = manifest.tokenizer.as_ref();
    let file = file.ok_or(EngineError::Incomplete("tokenizer"))?;
    whole(file, files.read(&file.file, &mut |_| {}).await?)
}

/// The bytes if they are the tokenizer's.
fn whole(file: &TokenizerFile, bytes: Vec<u8>) -> Result<Vec<u8>, EngineError> {
    if shards::sha256(&bytes) != file.sha256 {
        let file = file.file.clone();
        return Err(WeightsError::ShardHash { file }.into());
    }
    Ok(bytes)
}

/// The shards that hold tensors under any of `prefixes`.
fn needed<'a>(manifest: &'a Manifest, prefixes: &[&str]) -> Vec<&'a Shard> {
    let holds = |shard: &&Shard| {
        let mut names = shard.tensors.keys();
        names.any(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
    };
    manifest.shards.iter().filter(holds).collect()
}

/// Identifies an image tokenizer: the start of the SHA-256 of its shards' hashes.
pub(super) fn tokenizer_fingerprint(manifest: &Manifest) -> String {
    let shards = needed(manifest, &[DECODER]);
    let hashes: String = shards.iter().map(|shard| shard.sha256.as_str()).collect();
    shards::sha256(hashes.as_bytes())[..8].to_string()
}

/// Reads shards, reports the progress to the host, and fills networks.
struct Loader<'a, F, H> {
    files: &'a F,
    host: &'a H,
    device: &'a Device,
    loaded: u64,
    total: u64,
}

impl<'a, F: Files, H: Host> Loader<'a, F, H> {
    fn new(files: &'a F, host: &'a H, device: &'a Device, total: u64) -> Self {
        Self {
            files,
            host,
            device,
            loaded: 0,
            total,
        }
    }

    async fn read(&mut self, path: &str, phase: Phase) -> Result<Vec<u8>, EngineError> {
        let Self {
            files,
            host,
            loaded,
            total,
            ..
        } = *self;
        let report = |bytes| {
            let loaded = loaded + bytes;
            host.emit(Event::Progress { phase, loaded, total });
        };
        let bytes = files.read(path, &mut { report }).await?;
        self.loaded += bytes.len() as u64;
        Ok(bytes)
    }

    async fn prompts(
        &mut self,
        manifest: &Manifest,
        file: &TokenizerFile,
        limit: usize,
    ) -> Result<PromptEncoder, EngineError> {
        let bytes = self.read(&file.file, Phase::Tokenizer).await?;
        let tokenizer = whole(file, bytes)?;
        let vocabulary = manifest.vocabulary.as_deref();
        Ok(PromptEncoder::for_model(
            &tokenizer,
            limit,
            &manifest.words,
            vocabulary,
        )?)
    }

    /// The two networks that turn a prompt into bits.
    async fn drawing(
        &mut self,
        form: WeightFormat,
        manifest: &Manifest,
        text_encoder: &T5Config,
        transformer: &TransformerConfig,
    ) -> Result<(T5Encoder, Transformer), EngineError> {
        let text_encoder = T5Encoder::new(text_encoder, self.device)?;
        let text_encoder = self.fill(form, text_encoder, manifest, TEXT_ENCODER, t5::official_name);
        let text_encoder = text_encoder.await?;
        let transformer = Transformer::new(transformer, self.device)?;
        let transformer = self.fill(form, transformer, manifest, TRANSFORMER, transformer::official_name);
        Ok((text_encoder, transformer.await?))
    }

    /// `module` with all tensors under `prefix`, from one shard after the other; the weights of its layers are stored
    /// in `form`.
    async fn fill<M: Module>(
        &mut self,
        form: WeightFormat,
        module: M,
        manifest: &Manifest,
        prefix: &str,
        rename: impl Fn(&str) -> String,
    ) -> Result<M, EngineError> {
        let mut filler = Filler::new(module, rename).stored_as(form);
        for shard in needed(manifest, &[prefix]) {
            let bytes = self.read(&shard.file, Phase::Weights).await?;
            shards::verify(shard, &bytes)?;
            let tensors = shard.tensors.iter();
            let mut left: BTreeMap<_, _> = tensors
                .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
                .collect();
            while !left.is_empty() {
                let (mut count, mut size) = (0, 0);
                filler = filler.fill(|name| {
                    let room = count < TENSORS_AT_ONCE && size < BYTES_AT_ONCE;
                    let tensor = if room { left.remove(name)? } else { return None };
                    count += 1;
                    size += tensor.shape.iter().product::<usize>() * size_of::<f32>();
                    let shard = &bytes;
                    Some(ShardTensor { tensor, shard })
                })?;
                if count == 0 {
                    let names = left.into_keys().map(str::to_string);
                    return Err(WeightsError::Unexpected(names.collect()).into());
                }
                backpressure::synchronize(self.device).await?;
            }
        }
        Ok(nn::with_device_layout(filler.finish()?))
    }
}
