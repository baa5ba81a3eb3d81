//! Writes a model folder with small networks and seeded random weights: it draws noise, but by every path that a trained
//! model takes. The browser tests and the engine's own tests run on it.
//!
//!     cargo run --example tiny_model -- target/tiny-model

use burn::module::Module;
use burn::tensor::{Device, TensorData};
use infinity::model::config::{Classifier, LevelEmbedding, Positions, T5Config, TransformerConfig, VaeConfig};
use infinity::model::random::{Stream, normal};
use infinity::model::t5::{self, T5Encoder};
use infinity::model::text::vocabulary;
use infinity::model::transformer::{self, Transformer};
use infinity::model::vae::Vae;
use infinity::weights::directory::DirectoryWriter;
use infinity::weights::manifest::{FORMAT, FloatType, Manifest, Sampling, TokenizerFile};
use infinity::weights::official::Component;
use infinity::weights::shards::{self, PackOptions};
use infinity::weights::{Tensors, parameter_shapes};
use std::error::Error;
use std::path::Path;

/// Words that the cut vocabulary keeps.
const WORDS: &str = "a red green blue apple pear car on background";
const SCALES: usize = 5;
const BASELINE: &str = "twin/manifest.json";
/// Where the model of many shards lies, below the tiny one.
const MANY: &str = "many";
/// Largest shard of all models here.
const SHARD: u64 = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::args().nth(1).ok_or("say which folder to write")?;
    let target = Path::new(&target);
    if target.exists() {
        std::fs::remove_dir_all(target)?;
    }
    let tokenizer = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json");
    let tokenizer = std::fs::read(tokenizer)?;
    write(target, &tokenizer)?;
    write_many(&target.join(MANY), &tokenizer)
}

/// Writes a model that is far larger than what the page's heap may grow to while it loads one onto a GPU, in shards
/// of a few megabytes.
fn write_many(target: &Path, tokenizer: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut manifest = manifest(tokenizer)?;
    manifest.name = "Random model of many shards".to_string();
    if let Some(transformer) = &mut manifest.transformer {
        transformer.embed_dim = 512;
        transformer.num_heads = 8;
        transformer.ffn_hidden = 2048;
        transformer.depth = 10;
    }
    write_model(target, manifest, 3, Some(tokenizer), 16 * SHARD)
}

/// Writes the folder `target`, which must not exist, with the T5 tokenizer's JSON and a teacher-forced baseline that generates other noise.
pub fn write(target: &Path, tokenizer: &[u8]) -> Result<(), Box<dyn Error>> {
    let whole = Manifest {
        baseline: Some(BASELINE.to_string()),
        ..manifest(tokenizer)?
    };
    // A baseline has only the networks that differ from the model.
    let baseline = Manifest {
        name: "Tiny random twin".to_string(),
        vae: None,
        tokenizer: None,
        ..manifest(tokenizer)?
    };
    let folder = target
        .join(BASELINE)
        .parent()
        .ok_or("the baseline has a folder of its own")?
        .to_path_buf();
    write_model(target, whole, 1, Some(tokenizer), SHARD)?;
    write_model(&folder, baseline, 2, None, SHARD)
}

fn write_model(
    target: &Path,
    mut manifest: Manifest,
    seed: u64,
    tokenizer: Option<&[u8]>,
    max_bytes: u64,
) -> Result<(), Box<dyn Error>> {
    let tensors = tensors(&manifest, seed)?;
    let writer = DirectoryWriter::create(target)?;
    if let Some(tokenizer) = tokenizer {
        writer.write("tokenizer.json", tokenizer)?;
    }
    let options = PackOptions {
        max_bytes,
        dtype: Some(FloatType::F16),
    };
    for (shard, bytes) in shards::pack(&tensors, &options)? {
        writer.write(&shard.file, &bytes)?;
        manifest.shards.push(shard);
    }
    Ok(writer.finish(&manifest)?)
}

fn manifest(tokenizer: &[u8]) -> Result<Manifest, Box<dyn Error>> {
    let (words, vocabulary) = vocabulary(tokenizer, [WORDS])?;
    Ok(Manifest {
        format: FORMAT.to_string(),
        name: "Tiny random model".to_string(),
        licence: "MIT OR Apache-2.0".to_string(),
        transformer: Some(TransformerConfig {
            embed_dim: 64,
            depth: 3,
            num_heads: 4,
            block_chunks: 1,
            ffn_hidden: 128,
            text_dim: 128,
            text_maxlen: 32,
            bits: 16,
            norm_eps: 1e-6,
            patchify: false,
            level_embedding: LevelEmbedding::FirstBlock,
            positions: Positions::RopeNormalized,
            classifier: Classifier::Bits,
        }),
        vae: Some(VaeConfig {
            codebook_dim: 16,
            base_ch: 32,
            ch_mult: vec![1, 1],
            num_res_blocks: 1,
            patch_size: 16,
            stem_patch: 8,
            norm_groups: 32,
            encoder: None,
        }),
        text_encoder: Some(T5Config {
            vocab_size: vocabulary.len(),
            d_model: 128,
            d_kv: 32,
            d_ff: 128,
            num_layers: 1,
            num_heads: 4,
            layer_norm_epsilon: 1e-6,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
        }),
        tokenizer: Some(TokenizerFile {
            file: "tokenizer.json".to_string(),
            bytes: tokenizer.len() as u64,
            sha256: shards::sha256(tokenizer),
        }),
        vocabulary: Some(vocabulary),
        words,
        examples: vec![
            "a red apple".to_string(),
            "a green pear on a blue background".to_string(),
        ],
        scales: SCALES,
        sampling: Sampling {
            cfg: vec![3.0],
            tau: vec![1.0],
            top_p: 1.0,
        },
        baseline: None,
        training: None,
        shards: Vec::new(),
    })
}

fn tensors(manifest: &Manifest, seed: u64) -> Result<Tensors, Box<dyn Error>> {
    let device = Device::flex();
    let mut tensors = Tensors::new();
    if let Some(config) = &manifest.text_encoder {
        fill(
            &mut tensors,
            &T5Encoder::new(config, &device)?,
            Component::TextEncoder,
            seed,
            t5::official_name,
        );
    }
    if let Some(config) = &manifest.transformer {
        let transformer = Transformer::new(config, &device)?;
        fill(
            &mut tensors,
            &transformer,
            Component::Transformer,
            seed,
            transformer::official_name,
        );
    }
    if let Some(config) = &manifest.vae {
        fill(
            &mut tensors,
            &Vae::new(config, &device)?,
            Component::Vae,
            seed,
            str::to_string,
        );
    }
    Ok(tensors)
}

/// Normal values that keep the size of what passes through: `1 / sqrt(inputs)` for matrices, near 1 for norms.
fn fill<M: Module>(
    tensors: &mut Tensors,
    module: &M,
    component: Component,
    seed: u64,
    rename: impl Fn(&str) -> String,
) {
    for (name, shape) in parameter_shapes(module, rename) {
        let major = tensors.len() as u64;
        let inputs: usize = shape.iter().skip(1).product();
        let (mean, deviation) = match shape.len() {
            1 if name.ends_with("weight") => (1.0, 0.1),
            1 => (0.0, 0.1),
            _ => (0.0, 1.0 / (inputs as f64).sqrt()),
        };
        let count = shape.iter().product::<usize>() as u64;
        let value = |i| (mean + deviation * normal(seed, Stream::Init, major, i)) as f32;
        let values: Vec<f32> = (0..count).map(value).collect();
        tensors.insert(format!("{}{name}", component.prefix()), TensorData::new(values, shape));
    }
}
