//! The bitwise transformer of official checkpoints: block spellings, buffers, sizes.

use super::{ImportPlan, Named, underivable};
use crate::model::config::{Classifier, LevelEmbedding, Positions, TransformerConfig};
use crate::weights::WeightsError;
use crate::weights::reader::TensorInfo;
use std::collections::{BTreeMap, BTreeSet};

/// Buffers of old checkpoints that the model computes itself.
const BUFFERS: [&str; 4] = [
    "lvl_1L",
    "attn_bias_for_masking",
    "Infinity_visible_kvlen",
    "Infinity_invisible_qlen",
];

/// Rows of the scale embedding in every official model.
const LEVELS: usize = 15;

/// What names and shapes cannot tell.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Rows to keep of `cfg_uncond`; all if absent.
    pub text_maxlen: Option<usize>,
    /// Repeat the rows of a `cfg_uncond` that has too few, where the official code appends random ones.
    pub extend_cfg_uncond: bool,
    /// For files with plain block names; otherwise the names tell.
    pub block_chunks: Option<usize>,
    pub patchify: bool,
    pub level_embedding: LevelEmbedding,
    pub positions: Positions,
}

/// Works out the sizes and where every tensor comes from.
pub fn plan(entries: &[TensorInfo], options: &Options) -> Result<ImportPlan<TransformerConfig>, WeightsError> {
    let blocks = Blocks::of(entries)?;
    let is_zero = |name: &str| name.ends_with("zero_k_bias");
    let named = Named::new(entries, |name| {
        let ignored = BUFFERS.contains(&name) || is_zero(name);
        (!ignored).then(|| blocks.rename(name))
    })?;
    let stored_rows = named.shape::<2>("cfg_uncond")?[0];
    let config = config(&named, &blocks, options)?;
    let rows = config.text_maxlen;
    if stored_rows < rows && !options.extend_cfg_uncond || stored_rows == 0 {
        return Err(WeightsError::UnconditionalRows {
            found: stored_rows,
            wanted: rows,
        });
    }
    let mut stored = expected(&config);
    for (name, shape) in &mut stored {
        if name == "cfg_uncond" {
            shape[0] = stored_rows;
        }
    }
    let mut tensors = named.plan(stored)?;
    for planned in &mut tensors {
        if planned.name == "cfg_uncond" {
            planned.shape[0] = rows;
        }
    }
    let zeros = (0..entries.len()).filter(|&i| is_zero(&entries[i].name));
    Ok(ImportPlan {
        config,
        tensors,
        zeros: zeros.collect(),
    })
}

/// Our names and their shapes, in the order of the network.
pub fn expected(config: &TransformerConfig) -> Vec<(String, Vec<usize>)> {
    let (c, f, text) = (config.embed_dim, config.ffn_hidden, config.text_dim);
    let pool_heads = pool_heads(text, c);
    let outputs = match config.classifier {
        Classifier::Bits => 2 * config.bits,
        Classifier::Conventional => 1 << config.bits,
    };
    let mut all: Vec<(String, Vec<usize>)> = Vec::new();
    let mut add = |name: &str, shape: &[usize]| all.push((name.to_string(), shape.to_vec()));
    add("cfg_uncond", &[config.text_maxlen, text]);
    add("pos_start", &[1, 1, c]);
    add("text_norm.weight", &[text]);
    add("text_proj_for_sos.ca.mat_q", &[1, pool_heads, c / pool_heads]);
    add("text_proj_for_sos.ca.v_bias", &[c]);
    add("text_proj_for_sos.ca.mat_kv.weight", &[2 * c, text]);
    add("text_proj_for_sos.ca.proj.weight", &[c, c]);
    add("text_proj_for_sos.ca.proj.bias", &[c]);
    add("text_proj_for_ca.0.weight", &[c, text]);
    add("text_proj_for_ca.0.bias", &[c]);
    add("text_proj_for_ca.2.weight", &[c, c]);
    add("text_proj_for_ca.2.bias", &[c]);
    add("lvl_embed.weight", &[LEVELS, c]);
    add("word_embed.weight", &[c, config.bits]);
    add("word_embed.bias", &[c]);
    add("shared_ada_lin.1.weight", &[6 * c, c]);
    add("shared_ada_lin.1.bias", &[6 * c]);
    for i in 0..config.depth {
        for (name, shape) in [
            ("ada_gss", &[1, 1, 6, c][..]),
            ("sa.mat_qkv.weight", &[3 * c, c]),
            ("sa.q_bias", &[c]),
            ("sa.v_bias", &[c]),
            ("sa.scale_mul_1H11", &[1, config.num_heads, 1, 1]),
            ("sa.proj.weight", &[c, c]),
            ("sa.proj.bias", &[c]),
            ("ca.mat_q.weight", &[c, c]),
            ("ca.mat_q.bias", &[c]),
            ("ca.mat_kv.weight", &[2 * c, c]),
            ("ca.v_bias", &[c]),
            ("ca.proj.weight", &[c, c]),
            ("ca.proj.bias", &[c]),
            ("ca_norm.weight", &[c]),
            ("ca_norm.bias", &[c]),
            ("ffn.fc1.weight", &[f, c]),
            ("ffn.fc1.bias", &[f]),
            ("ffn.fc2.weight", &[c, f]),
            ("ffn.fc2.bias", &[c]),
        ] {
            add(&format!("blocks.{i}.{name}"), shape);
        }
    }
    add("head_nm.ada_lin.1.weight", &[2 * c, c]);
    add("head_nm.ada_lin.1.bias", &[2 * c]);
    add("head.weight", &[outputs, c]);
    add("head.bias", &[outputs]);
    all
}

/// Heads of the attention that pools the text into the start token.
fn pool_heads(text_dim: usize, embed_dim: usize) -> usize {
    let head = if embed_dim <= 4096 { 128 } else { 64 };
    text_dim / head
}

fn config(named: &Named, blocks: &Blocks, options: &Options) -> Result<TransformerConfig, WeightsError> {
    let [_, _, embed_dim] = named.shape("pos_start")?;
    let [_, num_heads, _, _] = named.shape("blocks.0.sa.scale_mul_1H11")?;
    let [ffn_hidden, _] = named.shape("blocks.0.ffn.fc1.weight")?;
    let [text_dim] = named.shape("text_norm.weight")?;
    let [rows, _] = named.shape("cfg_uncond")?;
    let [_, bits] = named.shape("word_embed.weight")?;
    let [outputs, width] = named.shape("head.weight")?;
    let classifier = if Some(outputs) == bits.checked_mul(2) {
        Classifier::Bits
    } else if bits < 32 && outputs == 1 << bits {
        Classifier::Conventional
    } else {
        return Err(underivable("number of classes", "head.weight", &[outputs, width]));
    };
    let config = TransformerConfig {
        embed_dim,
        depth: blocks.depth,
        num_heads,
        block_chunks: options.block_chunks.unwrap_or(blocks.chunks),
        ffn_hidden,
        text_dim,
        text_maxlen: options.text_maxlen.unwrap_or(rows),
        bits,
        norm_eps: 1e-6,
        patchify: options.patchify,
        level_embedding: options.level_embedding,
        positions: options.positions,
        classifier,
    };
    if text_dim < 128 || embed_dim % pool_heads(text_dim, embed_dim) != 0 {
        return Err(underivable("number of pool heads", "text_norm.weight", &[text_dim]));
    }
    // Beyond these the sizes below could overflow; no checkpoint comes near.
    if embed_dim > 1 << 20 || ffn_hidden > 1 << 24 {
        return Err(underivable("width", "pos_start", &[1, 1, embed_dim]));
    }
    Ok(config)
}

/// How a file groups the blocks: `blocks.{i}.` or `block_chunks.{c}.module.{j}.` with `i = c * length + j`.
struct Blocks {
    depth: usize,
    chunks: usize,
    length: usize,
}

impl Blocks {
    fn of(entries: &[TensorInfo]) -> Result<Self, WeightsError> {
        let mut plain = BTreeSet::new();
        let mut chunked: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for entry in entries {
            if let Some((chunk, block, _)) = chunk_name(&entry.name) {
                chunked.entry(chunk).or_default().insert(block);
            } else if let Some((block, _)) = numbered(&entry.name, "blocks.") {
                plain.insert(block);
            }
        }
        if !plain.is_empty() && !chunked.is_empty() {
            return Err(WeightsError::Chunks("it has both `blocks` and `block_chunks`".into()));
        }
        let Some(first) = chunked.values().next() else {
            let (depth, chunks, length) = (plain.len(), 1, plain.len());
            return Ok(Self { depth, chunks, length });
        };
        let (chunks, length) = (chunked.len(), first.len());
        let in_order = chunked
            .iter()
            .enumerate()
            .all(|(c, (&chunk, blocks))| chunk == c && blocks.len() == length && blocks.iter().copied().eq(0..length));
        if !in_order {
            let lengths: Vec<usize> = chunked.values().map(BTreeSet::len).collect();
            return Err(WeightsError::Chunks(format!("their lengths are {lengths:?}")));
        }
        let depth = chunks * length;
        Ok(Self { depth, chunks, length })
    }

    fn rename(&self, name: &str) -> String {
        match chunk_name(name) {
            Some((chunk, block, rest)) => format!("blocks.{}.{rest}", chunk * self.length + block),
            None => name.to_string(),
        }
    }
}

/// Chunk, block and rest of `block_chunks.{chunk}.module.{block}.{rest}`.
fn chunk_name(name: &str) -> Option<(usize, usize, &str)> {
    let (chunk, rest) = numbered(name, "block_chunks.")?;
    let (block, rest) = numbered(rest, "module.")?;
    Some((chunk, block, rest))
}

/// Number and rest of `{prefix}{number}.{rest}`; the number in its shortest spelling, so that names stay unique.
fn numbered<'a>(name: &'a str, prefix: &str) -> Option<(usize, &'a str)> {
    let (number, rest) = name.strip_prefix(prefix)?.split_once('.')?;
    let value: u32 = number.parse().ok()?;
    (value.to_string() == number).then_some((value as usize, rest))
}

/// The official spelling of one of our names in a model of several chunks.
pub fn official_name(name: &str, config: &TransformerConfig) -> String {
    let length = config.depth / config.block_chunks.max(1);
    match numbered(name, "blocks.") {
        Some((i, rest)) if config.block_chunks > 1 && length > 0 => {
            format!("block_chunks.{}.module.{}.{rest}", i / length, i % length)
        }
        _ => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Memory;
    use super::*;
    use crate::weights::reader::TensorReader;

    fn tiny() -> TransformerConfig {
        TransformerConfig {
            embed_dim: 16,
            depth: 6,
            num_heads: 2,
            block_chunks: 3,
            ffn_hidden: 32,
            text_dim: 128,
            text_maxlen: 4,
            bits: 5,
            norm_eps: 1e-6,
            patchify: false,
            level_embedding: LevelEmbedding::FirstBlock,
            positions: Positions::RopeNormalized,
            classifier: Classifier::Bits,
        }
    }

    fn official() -> Memory {
        Memory::counting(expected(&tiny())).rename(|name| official_name(name, &tiny()))
    }

    fn complaint(memory: &Memory) -> String {
        plan(memory.entries(), &Options::default()).unwrap_err().to_string()
    }

    #[test]
    fn infers_every_size_from_both_spellings() {
        let chunked = official();
        assert_eq!(chunked.entries()[17].name, "block_chunks.0.module.0.ada_gss");
        let plan_chunked = plan(chunked.entries(), &Options::default()).unwrap();
        assert_eq!(plan_chunked.config, tiny());
        let names: Vec<_> = plan_chunked.tensors.iter().map(|t| t.name.clone()).collect();
        assert_eq!(names, expected(&tiny()).into_iter().map(|(n, _)| n).collect::<Vec<_>>());

        let plain = Memory::counting(expected(&tiny()));
        let plan_plain = plan(plain.entries(), &Options::default()).unwrap();
        assert_eq!(
            plan_plain.config,
            TransformerConfig {
                block_chunks: 1,
                ..tiny()
            }
        );
        let options = Options {
            block_chunks: Some(3),
            ..Options::default()
        };
        assert_eq!(plan(plain.entries(), &options).unwrap().config, tiny());
    }

    #[test]
    fn tells_the_two_classifiers_apart() {
        let config = TransformerConfig {
            classifier: Classifier::Conventional,
            block_chunks: 1,
            ..tiny()
        };
        let memory = Memory::counting(expected(&config));
        assert_eq!(plan(memory.entries(), &Options::default()).unwrap().config, config);
        let mut neither = official().without("head.weight");
        neither.add("head.weight", &[11, 16], |_| 0.0);
        assert!(complaint(&neither).contains("number of classes"));
    }

    #[test]
    fn drops_known_buffers_and_zero_key_biases_only() {
        let mut memory = official();
        for buffer in BUFFERS {
            memory.add(buffer, &[3], |i| i as f32);
        }
        memory.add("block_chunks.2.module.1.sa.zero_k_bias", &[16], |_| 0.0);
        let found = plan(memory.entries(), &Options::default()).unwrap();
        assert_eq!(found.tensors.len(), expected(&tiny()).len());
        found.check_zeros(&mut memory).unwrap();
        memory.add("text_proj_for_sos.ca.zero_k_bias", &[16], |i| {
            if i == 15 { 1e-9 } else { 0.0 }
        });
        let found = plan(memory.entries(), &Options::default()).unwrap();
        let message = found.check_zeros(&mut memory).unwrap_err().to_string();
        assert!(
            message.contains("`text_proj_for_sos.ca.zero_k_bias` must be all zero"),
            "{message}"
        );
    }

    #[test]
    fn cuts_and_extends_the_unconditional_rows() {
        let mut memory = official();
        let with = |rows: usize, extend: bool| Options {
            text_maxlen: Some(rows),
            extend_cfg_uncond: extend,
            ..Options::default()
        };
        let read = |memory: &mut Memory, options: &Options| {
            let found = plan(memory.entries(), options)?;
            assert_eq!(found.config.text_maxlen, options.text_maxlen.unwrap());
            assert_eq!(found.tensors[0].name, "cfg_uncond");
            found.tensors[0]
                .read(memory)
                .map(|data| data.try_to_vec::<f32>().unwrap())
        };
        let all: Vec<f32> = (1..=4 * 128).map(|i| i as f32).collect();
        assert_eq!(read(&mut memory, &with(4, false)).unwrap(), all);
        assert_eq!(read(&mut memory, &with(3, false)).unwrap(), all[..3 * 128]);
        let message = read(&mut memory, &with(6, false)).unwrap_err().to_string();
        assert!(
            message.contains("has 4 rows") && message.contains("--text-maxlen 4"),
            "{message}"
        );
        let longer = read(&mut memory, &with(6, true)).unwrap();
        assert_eq!(longer[..4 * 128], all);
        assert_eq!(longer[4 * 128..], all[..2 * 128]);
    }

    #[test]
    fn refuses_what_is_incomplete_or_unknown() {
        let message = complaint(&official().without("head.bias"));
        assert!(
            message.contains("lacks 1") && message.contains("`head.bias`"),
            "{message}"
        );
        let message = complaint(&official().without("pos_start"));
        assert!(message.contains("`pos_start`"), "{message}");

        let mut extra = official();
        extra.add("norm0_ve.weight", &[16], |_| 0.0);
        let message = complaint(&extra);
        assert!(
            message.contains("no place for") && message.contains("`norm0_ve.weight`"),
            "{message}"
        );

        let mut reshaped = official().without("word_embed.bias");
        reshaped.add("word_embed.bias", &[17], |_| 0.0);
        assert!(complaint(&reshaped).contains("`word_embed.bias` has shape [17]"));
        let mut flat = official().without("pos_start");
        flat.add("pos_start", &[16], |_| 0.0);
        assert!(complaint(&flat).contains("3 axes are expected"));
    }

    #[test]
    fn refuses_unequal_chunks_and_two_spellings() {
        let cut = official().rename(|name| name.replace("block_chunks.2.module.1.", "block_chunks.2.module.2."));
        assert!(complaint(&cut).contains("equal chunks"));
        let moved = official().rename(|name| name.replace("block_chunks.2.", "block_chunks.7."));
        assert!(complaint(&moved).contains("equal chunks"));
        let mut both = official();
        both.add("blocks.0.sa.q_bias", &[16], |_| 0.0);
        assert!(complaint(&both).contains("both `blocks` and `block_chunks`"));
        let padded = official().rename(|name| name.replace("block_chunks.2.", "block_chunks.02."));
        assert!(complaint(&padded).contains("no place for"));
    }
}
