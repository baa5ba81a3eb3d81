//! The KV caches of all blocks, and the passage of a batch through a block.
//!
//! A batch whose tensors would be larger than what a shader may see is cut into parts of one row each, which pass
//! through a block one after the other. The caches of such parts have no room for the last scale: its keys and values
//! are of no use beyond their block, so all blocks and parts share one spare pair of tensors for it.

use crate::model::config::TransformerConfig;
use crate::model::rope::RopeTables;
use crate::model::schedule::Schedule;
use crate::model::transformer::attention::{CrossKv, KvCache, Past};
use crate::model::transformer::block::{Block, BlockContext};
use crate::model::transformer::{Condition, Transformer};
use burn::tensor::{Device, Tensor};

/// KV caches of one batch of images.
pub(super) struct BlockCaches {
    /// One cache per block, for each part of the batch.
    pub(super) parts: Vec<Vec<KvCache>>,
    /// Whether the batch passes in parts, whose caches have no room for the last scale.
    in_parts: bool,
    /// Keys and values of all tokens of one part and one block, for the last scale of a batch in parts.
    spare: Option<(Tensor<4>, Tensor<4>)>,
    /// Tokens of all scales.
    total: usize,
}

/// One block and what it is conditioned on.
pub(super) struct BlockPass<'a> {
    pub block: &'a Block,
    /// Index of the block, from 0.
    pub index: usize,
    pub text: &'a CrossKv,
    pub condition: &'a Condition,
    /// Rotary rows of the tokens of this scale.
    pub rope: Option<&'a RopeTables>,
    pub last_scale: bool,
}

impl BlockCaches {
    /// Allocates the caches of `rows` rows, where a shader sees at most `limit` bytes of a buffer.
    pub fn new(model: &Transformer, schedule: &Schedule, rows: usize, limit: usize, device: &Device) -> Self {
        let config = model.config();
        let in_f16 = model.quantized();
        let parts = parts(config, schedule, rows, in_f16, limit);
        let last = schedule.tokens(schedule.len() - 1);
        let tokens = schedule.total() - if parts > 1 { last } else { 0 };
        let head_dim = config.embed_dim / config.num_heads;
        let cache = || KvCache::new([rows / parts, config.num_heads, tokens, head_dim], in_f16, device);
        Self {
            parts: (0..parts)
                .map(|_| (0..config.depth).map(|_| cache()).collect())
                .collect(),
            in_parts: parts > 1,
            spare: None,
            total: schedule.total(),
        }
    }

    /// Runs one block on the tokens of a scale, `x [B, L_k, C] -> [B, L_k, C]`, and adds their keys and values to its
    /// cache.
    pub fn forward(&mut self, x: &Tensor<3>, pass: &BlockPass) -> Tensor<3> {
        let BlockPass { block, index, .. } = *pass;
        let each = x.dims()[0] / self.parts.len();
        let mut results = Vec::with_capacity(self.parts.len());
        for (part, caches) in self.parts.iter_mut().enumerate() {
            let start = part * each;
            let rows = |x: &Tensor<4>| x.clone().narrow(0, start, each);
            let modulation = rows(&pass.condition.modulation);
            let mask = pass.condition.mask.as_ref().map(rows);
            let context = BlockContext {
                modulation: &modulation,
                text_mask: mask.as_ref(),
                rope: pass.rope,
            };
            let text = pass.text.rows(start, each);
            let x = x.clone().narrow(0, start, each);
            let moved = self.in_parts && pass.last_scale;
            if moved {
                caches[index].move_into(self.spare.take(), self.total);
            }
            let past = Past::Cached(&mut caches[index]);
            results.push(block.forward(x, &text, &context, past));
            if moved {
                self.spare = caches[index].take_tensors();
            }
        }
        match results.len() {
            1 => results.remove(0),
            _ => Tensor::cat(results, 0),
        }
    }

    /// Keeps the first `batch` rows.
    pub fn truncate(&mut self, batch: usize) {
        match self.parts.as_mut_slice() {
            [whole] => whole.iter_mut().for_each(|cache| cache.truncate(batch)),
            _ => self.parts.truncate(batch),
        }
    }

    /// Frees everything.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.spare = None;
    }
}

/// Number of parts that a batch of `rows` is cut into on its way through the blocks: 1 if no tensor that a shader reads
/// is larger than `limit` bytes, else `rows`. A schedule of one scale is never cut, since parts only save the cache of
/// the last scale. `in_f16` says whether the caches are stored in f16.
pub fn parts(config: &TransformerConfig, schedule: &Schedule, rows: usize, in_f16: bool, limit: usize) -> usize {
    let last = schedule.tokens(schedule.len() - 1);
    let widest = last * config.ffn_hidden.max(3 * config.embed_dim) * size_of::<f32>();
    let cached = schedule.total() * config.embed_dim * if in_f16 { 2 } else { 4 };
    let too_large = rows * widest.max(cached) > limit && schedule.len() > 1;
    if too_large { rows } else { 1 }
}
