//! Checks of a manifest: sizes are bounded, networks fit each other, ranges lie within their shards, and file names
//! cannot leave the folder.

use super::{
    FORMAT, MAX_SCALES, MAX_SHARD_BYTES, MAX_TENSOR_SHARD_BYTES, Manifest, ManifestError, Sampling, Shard, Training,
};
use crate::model::config::{Classifier, T5Config, TransformerConfig, VaeConfig};
use crate::model::transformer::MAX_CONVENTIONAL_BITS;
use crate::weights::official::Component;
use crate::weights::reader::byte_count;
use std::collections::BTreeSet;

impl Manifest {
    /// Everything that can be known without the shards themselves.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.format != FORMAT {
            return Err(ManifestError::Format(self.format.clone()));
        }
        self.check_networks()?;
        self.check_shards()
    }

    /// The networks' sizes, that they fit each other, and the defaults.
    pub fn check_networks(&self) -> Result<(), ManifestError> {
        bounded("scales", self.scales, MAX_SCALES)?;
        self.transformer.as_ref().map_or(Ok(()), check_transformer)?;
        self.vae.as_ref().map_or(Ok(()), check_vae)?;
        self.text_encoder.as_ref().map_or(Ok(()), check_t5)?;
        self.check_fit()?;
        self.check_vocabulary()?;
        self.check_sampling()?;
        self.baseline.as_deref().map_or(Ok(()), check_baseline)?;
        self.training.as_ref().map_or(Ok(()), check_training)?;
        self.tokenizer.as_ref().map_or(Ok(()), |tokenizer| {
            check_file_name(&tokenizer.file)?;
            check_hash(&tokenizer.sha256)
        })
    }

    fn check_fit(&self) -> Result<(), ManifestError> {
        let Some(transformer) = &self.transformer else {
            return Ok(());
        };
        if let Some(vae) = &self.vae {
            let expected = vae.codebook_dim * if transformer.patchify { 4 } else { 1 };
            if transformer.bits != expected {
                return Err(ManifestError::VaeMismatch {
                    codebook_dim: vae.codebook_dim,
                    bits: transformer.bits,
                    expected,
                });
            }
        }
        match &self.text_encoder {
            Some(t5) if t5.d_model != transformer.text_dim => Err(ManifestError::TextMismatch {
                d_model: t5.d_model,
                text_dim: transformer.text_dim,
            }),
            _ => Ok(()),
        }
    }

    fn check_vocabulary(&self) -> Result<(), ManifestError> {
        let Some(ids) = &self.vocabulary else {
            return Ok(());
        };
        let rows = self.text_encoder.as_ref().map(|t5| t5.vocab_size);
        let wrong = |what: String| Err(ManifestError::Vocabulary(what));
        match rows {
            None => return wrong("is given without a text encoder".into()),
            Some(rows) if rows != ids.len() => {
                let count = ids.len();
                return wrong(format!("has {count} token ids for a table of {rows} rows"));
            }
            Some(_) => {}
        }
        let mut seen = BTreeSet::new();
        match ids.iter().find(|id| !seen.insert(**id)) {
            Some(id) => wrong(format!("lists token id {id} twice")),
            None => Ok(()),
        }
    }

    fn check_sampling(&self) -> Result<(), ManifestError> {
        let Sampling { cfg, tau, top_p } = &self.sampling;
        let bad = |field, value: String, rule| Err(ManifestError::Size { field, value, rule });
        for (field, list) in [("sampling.cfg", cfg), ("sampling.tau", tau)] {
            if list.len() != 1 && list.len() != self.scales {
                let rule = "a list has one value for all scales or one for each";
                return bad(field, format!("a list of {}", list.len()), rule);
            }
        }
        if let Some(value) = cfg.iter().find(|v| !(0.0..=100.0).contains(*v)) {
            return bad("sampling.cfg", value.to_string(), "between 0 and 100");
        }
        if let Some(value) = tau.iter().find(|v| !(1e-3..=100.0).contains(*v)) {
            return bad("sampling.tau", value.to_string(), "between 0.001 and 100");
        }
        if !(*top_p > 0.0 && *top_p <= 1.0) {
            return bad("sampling.top_p", top_p.to_string(), "above 0, at most 1");
        }
        Ok(())
    }

    fn check_shards(&self) -> Result<(), ManifestError> {
        let mut files: BTreeSet<&str> = self.tokenizer.iter().map(|t| t.file.as_str()).collect();
        let mut names = BTreeSet::new();
        for shard in &self.shards {
            check_file_name(&shard.file)?;
            if !files.insert(&shard.file) || shard.file == "manifest.json" {
                let name = shard.file.clone();
                return Err(ManifestError::Duplicate { what: "file", name });
            }
            check_shard(shard)?;
            for name in shard.tensors.keys() {
                if !names.insert(name.as_str()) {
                    let name = name.clone();
                    return Err(ManifestError::Duplicate { what: "tensor", name });
                }
                if !self.has_component_of(name) {
                    return Err(ManifestError::Tensor {
                        name: name.clone(),
                        file: shard.file.clone(),
                        why: "it belongs to no network that the manifest describes",
                    });
                }
            }
        }
        for component in Component::ALL.into_iter().filter(|c| self.has(*c)) {
            if !names.iter().any(|name| name.starts_with(component.prefix())) {
                return Err(ManifestError::NoTensors(component.title()));
            }
        }
        Ok(())
    }

    fn has_component_of(&self, name: &str) -> bool {
        let mut all = Component::ALL.into_iter();
        all.any(|component| self.has(component) && name.starts_with(component.prefix()))
    }

    fn has(&self, component: Component) -> bool {
        match component {
            Component::TextEncoder => self.text_encoder.is_some(),
            Component::Transformer => self.transformer.is_some(),
            Component::Vae => self.vae.is_some(),
        }
    }
}

fn check_training(training: &Training) -> Result<(), ManifestError> {
    let flips = training.flips;
    let rule = "a probability between 0 and 1";
    ensure((0.0..=1.0).contains(&flips), "training.flips", flips, rule)
}

fn check_shard(shard: &Shard) -> Result<(), ManifestError> {
    check_hash(&shard.sha256)?;
    let limit = match shard.tensors.len() {
        1 => MAX_TENSOR_SHARD_BYTES,
        _ => MAX_SHARD_BYTES,
    };
    if shard.bytes > limit {
        let (file, bytes) = (shard.file.clone(), shard.bytes);
        return Err(ManifestError::ShardTooLarge { file, bytes, limit });
    }
    let mut by_start: Vec<_> = shard.tensors.iter().collect();
    by_start.sort_by_key(|(_, tensor)| tensor.range);
    let mut covered = 8; // The length field of the safetensors header.
    for (name, tensor) in by_start {
        let [begin, end] = tensor.range;
        let wrong = |why| {
            let (name, file) = (name.clone(), shard.file.clone());
            Err(ManifestError::Tensor { name, file, why })
        };
        if end > shard.bytes {
            return wrong("its range ends behind the shard");
        }
        if begin < covered {
            return wrong("its range covers bytes of the header or of another tensor");
        }
        match byte_count(&tensor.shape, tensor.dtype.dtype()) {
            Some(bytes) if end.checked_sub(begin) == Some(bytes) => covered = end,
            _ => return wrong("its shape and dtype do not make the length of its range"),
        }
    }
    Ok(())
}

fn check_transformer(config: &TransformerConfig) -> Result<(), ManifestError> {
    bounded("transformer.embed_dim", config.embed_dim, 1 << 16)?;
    bounded("transformer.depth", config.depth, 1 << 10)?;
    bounded("transformer.num_heads", config.num_heads, 1 << 10)?;
    bounded("transformer.block_chunks", config.block_chunks, 1 << 10)?;
    bounded("transformer.ffn_hidden", config.ffn_hidden, 1 << 20)?;
    bounded("transformer.text_dim", config.text_dim, 1 << 16)?;
    bounded("transformer.text_maxlen", config.text_maxlen, 1 << 16)?;
    bounded("transformer.bits", config.bits, 1 << 10)?;
    divides(
        "transformer.embed_dim",
        config.embed_dim,
        4 * config.num_heads,
        "4 x num_heads divides it",
    )?;
    divides(
        "transformer.depth",
        config.depth,
        config.block_chunks,
        "block_chunks divides it",
    )?;
    divides("transformer.text_dim", config.text_dim, 128, "128 divides it")?;
    if config.classifier == Classifier::Conventional && config.bits > MAX_CONVENTIONAL_BITS {
        return Err(ManifestError::Size {
            field: "transformer.bits",
            value: config.bits.to_string(),
            rule: "at most 16 with the conventional classifier",
        });
    }
    if config.patchify {
        divides("transformer.bits", config.bits, 4, "4 divides it in patchified models")?;
    }
    small("transformer.norm_eps", config.norm_eps)
}

fn check_vae(config: &VaeConfig) -> Result<(), ManifestError> {
    bounded("vae.codebook_dim", config.codebook_dim, 1 << 10)?;
    bounded("vae.base_ch", config.base_ch, 1 << 14)?;
    bounded("vae.num_res_blocks", config.num_res_blocks, 1 << 6)?;
    bounded("vae.patch_size", config.patch_size, 1 << 8)?;
    bounded("vae.stem_patch", config.stem_patch, config.patch_size)?;
    bounded("vae.norm_groups", config.norm_groups, 1 << 10)?;
    bounded("vae.ch_mult", config.ch_mult.len(), 16)?;
    for &multiplier in &config.ch_mult {
        bounded("vae.ch_mult", multiplier, 1 << 8)?;
    }
    divides(
        "vae.patch_size",
        config.patch_size,
        config.stem_patch,
        "stem_patch divides it",
    )?;
    let stride = config.patch_size / config.stem_patch;
    if !stride.is_power_of_two() || stride.ilog2() as usize >= config.ch_mult.len() {
        return Err(ManifestError::Size {
            field: "vae.patch_size",
            value: config.patch_size.to_string(),
            rule: "stem_patch times a power of two, halved once per level but the last at most",
        });
    }
    Ok(())
}

fn check_t5(config: &T5Config) -> Result<(), ManifestError> {
    bounded("text_encoder.vocab_size", config.vocab_size, 1 << 20)?;
    bounded("text_encoder.d_model", config.d_model, 1 << 16)?;
    bounded("text_encoder.d_kv", config.d_kv, 1 << 12)?;
    bounded("text_encoder.d_ff", config.d_ff, 1 << 20)?;
    bounded("text_encoder.num_layers", config.num_layers, 1 << 10)?;
    bounded("text_encoder.num_heads", config.num_heads, 1 << 10)?;
    let buckets = config.relative_attention_num_buckets;
    bounded("text_encoder.relative_attention_num_buckets", buckets, 1 << 12)?;
    let distance = config.relative_attention_max_distance;
    bounded("text_encoder.relative_attention_max_distance", distance, 1 << 20)?;
    small("text_encoder.layer_norm_epsilon", config.layer_norm_epsilon)
}

fn bounded(field: &'static str, value: usize, limit: usize) -> Result<(), ManifestError> {
    let rule = "above zero and of sensible size";
    ensure((1..=limit).contains(&value), field, value, rule)
}

fn divides(field: &'static str, value: usize, by: usize, rule: &'static str) -> Result<(), ManifestError> {
    ensure(value.is_multiple_of(by), field, value, rule)
}

fn small(field: &'static str, value: f64) -> Result<(), ManifestError> {
    ensure((0.0..=1e-2).contains(&value), field, value, "between 0 and 0.01")
}

/// An error that states the `rule` unless the value keeps it.
fn ensure(keeps: bool, field: &'static str, value: impl ToString, rule: &'static str) -> Result<(), ManifestError> {
    match keeps {
        true => Ok(()),
        false => Err(ManifestError::Size {
            field,
            value: value.to_string(),
            rule,
        }),
    }
}

fn check_file_name(name: &str) -> Result<(), ManifestError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    match !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.bytes().all(plain) {
        true => Ok(()),
        false => Err(ManifestError::FileName(name.to_string())),
    }
}

/// A file beside the manifest or in a folder beside it.
fn check_baseline(path: &str) -> Result<(), ManifestError> {
    let plain = match path.split_once('/') {
        Some((folder, file)) => check_file_name(folder).and(check_file_name(file)),
        None => check_file_name(path),
    };
    match plain {
        Ok(()) if path != "manifest.json" => Ok(()),
        _ => Err(ManifestError::BaselinePath(path.to_string())),
    }
}

fn check_hash(hash: &str) -> Result<(), ManifestError> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    match hash.len() == 64 && hash.bytes().all(hex) {
        true => Ok(()),
        false => Err(ManifestError::Hash(hash.to_string())),
    }
}
