//! `infinity convert`: official checkpoints into one folder that the page and the command line load.

use super::CliError;
use crate::model::config::{LevelEmbedding, Positions};
use crate::weights::directory::DirectoryWriter;
use crate::weights::manifest::{FORMAT, FloatType, MAX_SCALES, Manifest, Sampling};
use crate::weights::official::{Component, ImportPlan, PlannedTensor, t5, transformer, vae};
use crate::weights::reader::TensorReader;
use crate::weights::{WeightsError, files, shards};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use indicatif::ProgressBar;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Convert official checkpoints (.pth, safetensors, sharded folders) into a model folder with a manifest.
///
/// The folder is written as a whole or not at all. Each input may be the slim weights, a training snapshot, a single
/// file or a folder of Hugging Face; the network is recognized by its tensors.
#[derive(Args, Debug)]
pub struct Convert {
    /// Checkpoint to convert: a transformer, or a VAE or text encoder on its own
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Folder to create; must not exist or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The VAE that the transformer was trained with
    #[arg(long, value_name = "FILE")]
    vae: Option<PathBuf>,
    /// The T5 encoder that the transformer was trained with
    #[arg(long, value_name = "FILE_OR_DIR")]
    text_encoder: Option<PathBuf>,
    /// The text encoder's tokenizer.json
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Most MiB of a shard; a tensor larger than that gets one of its own
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=64))]
    shard_mib: u64,
    /// Stored precision: f32, f16 or bf16 [default: as in the checkpoint]
    #[arg(long)]
    dtype: Option<FloatType>,
    /// Name of the model [default: name of the input]
    #[arg(long)]
    name: Option<String>,
    /// Licence of the weights, as their authors state it
    #[arg(long, default_value = "unstated")]
    licence: String,
    /// Scales of the schedule it was trained for: 7 (256 px), 10 (512 px), 12 or 13 (1024 px)
    /// [default: 7 for the 125M model, otherwise 13]
    #[arg(long, value_name = "N")]
    scales: Option<usize>,
    /// Rows of the unconditional embedding to keep [default: all]
    #[arg(long, value_name = "N")]
    text_maxlen: Option<usize>,
    /// Repeat the unconditional rows from the first if there are fewer than --text-maxlen
    #[arg(long, requires = "text_maxlen")]
    extend_cfg_uncond: bool,
    /// Groups of blocks, for checkpoints whose names do not show them
    #[arg(long, value_name = "N")]
    block_chunks: Option<usize>,
    /// A token is 2x2 latent positions (8B models); with --vae the sizes show it
    #[arg(long)]
    patchify: bool,
    /// Where the scale embedding is added
    #[arg(
        long,
        default_value = "first_block",
        value_parser = one_of::<LevelEmbedding>(&["first_block", "every_chunk"])
    )]
    level_embedding: LevelEmbedding,
    /// Rotary positions
    #[arg(
        long,
        default_value = "rope_normalized",
        value_parser = one_of::<Positions>(&["rope_normalized", "rope_interpolated", "rope_plain"])
    )]
    positions: Positions,
}

/// Accepts the names that manifests use.
fn one_of<T: DeserializeOwned + Clone + Send + Sync + 'static>(names: &[&'static str]) -> ValueParser {
    let parse = |name: String| serde_json::from_value::<T>(name.into());
    PossibleValuesParser::new(names).try_map(parse).into()
}

/// One network to convert: an opened checkpoint and what to take from it.
struct Part {
    component: Component,
    path: PathBuf,
    source: Box<dyn TensorReader>,
    tensors: Vec<PlannedTensor>,
}

impl Convert {
    pub fn run(self) -> Result<(), CliError> {
        let (manifest, parts) = self.plan()?;
        let tokenizer = self.tokenizer.as_deref().map(read_tokenizer).transpose()?;
        manifest.check_networks().map_err(WeightsError::from)?;

        let writer = DirectoryWriter::create(&self.out)?;
        let tokenizer = tokenizer.map(|bytes| writer.write_tokenizer(&bytes)).transpose()?;
        let manifest = Manifest { tokenizer, ..manifest };
        let manifest = self.write_shards(&writer, manifest, parts)?;
        writer.finish(&manifest)?;
        println!("{}", summary(&self.out, &manifest));
        Ok(())
    }

    /// Opens every input and works out the networks, before anything is written.
    fn plan(&self) -> Result<(Manifest, Vec<Part>), CliError> {
        let mut manifest = Manifest {
            format: FORMAT.to_string(),
            name: self.name.clone().unwrap_or_else(|| stem(&self.input)),
            licence: self.licence.clone(),
            transformer: None,
            vae: None,
            text_encoder: None,
            tokenizer: None,
            vocabulary: None,
            words: Vec::new(),
            examples: Vec::new(),
            scales: MAX_SCALES,
            sampling: Sampling::default(),
            baseline: None,
            training: None,
            shards: Vec::new(),
        };
        let inputs = [
            (Some(&self.input), None),
            (self.vae.as_ref(), Some(Component::Vae)),
            (self.text_encoder.as_ref(), Some(Component::TextEncoder)),
        ];
        let mut parts: Vec<Part> = Vec::new();
        for (path, expected) in inputs {
            let Some(path) = path else {
                continue;
            };
            let part = self.open(path, expected, &mut manifest)?;
            if parts.iter().any(|other| other.component == part.component) {
                return Err(CliError::GivenTwice(part.component.title()));
            }
            parts.push(part);
        }
        parts.sort_by_key(|part| part.component);
        if let (Some(transformer), Some(vae)) = (&mut manifest.transformer, &manifest.vae) {
            transformer.patchify |= transformer.bits == vae.codebook_dim.saturating_mul(4);
        }
        manifest.scales = self.scales.unwrap_or(match &manifest.transformer {
            Some(small) if (small.depth, small.embed_dim) == (12, 768) => 7,
            _ => MAX_SCALES,
        });
        Ok((manifest, parts))
    }

    /// Opens one input, finds out what it is and enters its sizes into the manifest.
    fn open(&self, path: &Path, expected: Option<Component>, manifest: &mut Manifest) -> Result<Part, CliError> {
        let within = |error: WeightsError| error.within(path.display().to_string());
        let mut source = files::open(path)?;
        let found = Component::recognise(source.entries());
        let component = found.ok_or_else(|| within(WeightsError::Unrecognised))?;
        if let Some(expected) = expected.filter(|expected| *expected != component) {
            return Err(CliError::WrongNetwork {
                path: path.to_path_buf(),
                expected: expected.title(),
                found: component.title(),
            });
        }
        let entries = source.entries();
        let tensors = match component {
            Component::Transformer => {
                let plan = transformer::plan(entries, &self.options()).map_err(within)?;
                plan.check_zeros(&mut *source).map_err(within)?;
                enter(plan, &mut manifest.transformer)
            }
            Component::Vae => enter(vae::plan(entries).map_err(within)?, &mut manifest.vae),
            Component::TextEncoder => enter(t5::plan(entries).map_err(within)?, &mut manifest.text_encoder),
        };
        let path = path.to_path_buf();
        Ok(Part {
            component,
            path,
            source,
            tensors,
        })
    }

    fn options(&self) -> transformer::Options {
        transformer::Options {
            text_maxlen: self.text_maxlen,
            extend_cfg_uncond: self.extend_cfg_uncond,
            block_chunks: self.block_chunks,
            patchify: self.patchify,
            level_embedding: self.level_embedding,
            positions: self.positions,
        }
    }

    /// Reads, casts and writes one shard after the other.
    fn write_shards(
        &self,
        writer: &DirectoryWriter,
        mut manifest: Manifest,
        mut parts: Vec<Part>,
    ) -> Result<Manifest, CliError> {
        let mut names = Vec::new();
        let mut places = Vec::new();
        for (p, part) in parts.iter().enumerate() {
            for (t, planned) in part.tensors.iter().enumerate() {
                let stored = shards::stored_type(&planned.name, planned.dtype, self.dtype)?;
                let elements: usize = planned.shape.iter().product();
                names.push(format!("{}{}", part.component.prefix(), planned.name));
                places.push((p, t, elements as u64 * stored.dtype().size() as u64));
            }
        }
        let sizes = names.iter().zip(&places).map(|(name, place)| (name.as_str(), place.2));
        let groups = shards::group(&sizes.collect::<Vec<_>>(), self.shard_mib << 20);
        let count = groups.len();
        let progress = ProgressBar::new(count as u64);
        for (i, group) in groups.into_iter().enumerate() {
            let mut tensors = Vec::with_capacity(group.len());
            for at in group {
                let (p, t, _) = places[at];
                let part = &mut parts[p];
                let within = |error: WeightsError| error.within(part.path.display().to_string());
                let data = part.tensors[t].read(&mut *part.source).map_err(within)?;
                let data = shards::cast(&names[at], data, self.dtype).map_err(within)?;
                tensors.push((names[at].clone(), data));
            }
            let (shard, bytes) = shards::encode(shards::shard_name(i, count), &tensors)?;
            writer.write(&shard.file, &bytes)?;
            manifest.shards.push(shard);
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(manifest)
    }
}

/// Keeps a plan's sizes in the manifest and hands on its tensors.
fn enter<C>(plan: ImportPlan<C>, section: &mut Option<C>) -> Vec<PlannedTensor> {
    *section = Some(plan.config);
    plan.tensors
}

/// The tokenizer's bytes, once it is seen to load.
fn read_tokenizer(path: &Path) -> Result<Vec<u8>, CliError> {
    let wrong = |reason: String| CliError::Tokenizer {
        path: path.to_path_buf(),
        reason,
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    tokenizers::Tokenizer::from_bytes(&bytes).map_err(|error| wrong(error.to_string()))?;
    Ok(bytes)
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_else(|| "infinity".to_string())
}

fn summary(out: &Path, manifest: &Manifest) -> String {
    let parameters = |component: Component| {
        let tensors = manifest.shards.iter().flat_map(|shard| &shard.tensors);
        let own = tensors.filter(|(name, _)| name.starts_with(component.prefix()));
        own.map(|(_, tensor)| tensor.shape.iter().product::<usize>())
            .sum::<usize>()
    };
    let networks: Vec<String> = Component::ALL
        .into_iter()
        .map(|component| (component.title(), parameters(component)))
        .filter(|(_, count)| *count > 0)
        .map(|(title, count)| format!("{title} of {count} parameters"))
        .collect();
    format!(
        "wrote {}: {}, {} bytes in {} shards",
        out.display(),
        networks.join(", "),
        manifest.total_bytes(),
        manifest.shards.len()
    )
}
