//! Attention of the blocks: cosine self attention with rotary positions and a KV cache, and cross attention to the
//! text.

use crate::kernels::attention::{AttentionBias, LayerCache, attend, attention, attention_into_cache, f16_cache_width};
use crate::kernels::cpu;
use crate::kernels::matmul::{Epilogue, broadcast, linear};
use crate::model::nn::{Linear, parameter};
use crate::model::rope::RopeTables;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// `[B, L, C] -> [B, H, L, C/H]`.
fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [b, l, c] = x.dims();
    x.reshape([b, l, heads, c / heads]).swap_dims(1, 2)
}

/// `[B, H, L, hd] -> [B, L, H hd]`.
fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [b, h, l, hd] = x.dims();
    x.swap_dims(1, 2).reshape([b, l, h * hd])
}

/// Keys (normalized and rotated) and values of one layer for all tokens of a schedule, allocated once.
#[derive(Debug)]
pub struct KvCache {
    /// `[B, H, L, hd]`; taken out while it is written, so that the write happens in place.
    tensors: Option<(Tensor<4>, Tensor<4>)>,
    filled: usize,
    /// [`SelfAttention::biases`] of the layer, computed once per image.
    biases: Option<Tensor<1>>,
}

impl KvCache {
    /// Allocates `[B, H, capacity, hd]`, in f16 if `in_f16` is set and the device can.
    pub fn new(shape: [usize; 4], in_f16: bool, device: &Device) -> Self {
        let [batch, heads, capacity, head_dim] = shape;
        let packed = if in_f16 {
            f16_cache_width(head_dim, device)
        } else {
            None
        };
        let width = packed.unwrap_or(head_dim);
        // Elements that were not written are never read.
        let allocate = || Tensor::empty([batch, heads, capacity, width], device);
        Self {
            tensors: Some((allocate(), allocate())),
            filled: 0,
            biases: None,
        }
    }

    /// Self attention of the projections `qkv [B, L, 3C]` of the next tokens, in two dispatches. `None` where no shader
    /// fits.
    fn attend(&mut self, layer: &SelfAttention, qkv: &Tensor<3>, rope: Option<&RopeTables>) -> Option<Tensor<3>> {
        let (keys, values) = self.tensors.as_ref()?;
        let biases = self.biases.get_or_insert_with(|| layer.biases());
        let cache = LayerCache {
            keys,
            values,
            filled: self.filled,
            biases,
            rope: rope.map(|rope| (&rope.cos, &rope.sin)),
        };
        let result = attention_into_cache(qkv, &cache)?;
        self.filled += qkv.dims()[1];
        Some(result)
    }

    /// Writes the tokens of one scale behind the cached ones and returns all of them.
    fn append(&mut self, k: Tensor<4>, v: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let Some((keys, values)) = self.tensors.take() else {
            return (k, v);
        };
        let [b, h, length, hd] = k.dims();
        let (start, end) = (self.filled, self.filled + length);
        let keys = keys.slice_assign([0..b, 0..h, start..end, 0..hd], k);
        let values = values.slice_assign([0..b, 0..h, start..end, 0..hd], v);
        let filled = (keys.clone().narrow(2, 0, end), values.clone().narrow(2, 0, end));
        self.filled = end;
        self.tensors = Some((keys, values));
        filled
    }

    /// Moves the cached tokens into larger tensors, `into` or new ones of `capacity` tokens, and frees the old ones.
    pub fn move_into(&mut self, into: Option<(Tensor<4>, Tensor<4>)>, capacity: usize) {
        let Some((own_keys, own_values)) = self.tensors.take() else {
            return;
        };
        let [b, h, _, width] = own_keys.dims();
        let allocate = || Tensor::empty([b, h, capacity, width], &own_keys.device());
        let (keys, values) = into.unwrap_or_else(|| (allocate(), allocate()));
        let filled = [0..b, 0..h, 0..self.filled, 0..width];
        let moved = |into: Tensor<4>, own: Tensor<4>| into.slice_assign(filled.clone(), own.slice(filled.clone()));
        self.tensors = Some((moved(keys, own_keys), moved(values, own_values)));
    }

    /// Takes the tensors out, for another layer; the cache is empty afterwards.
    pub fn take_tensors(&mut self) -> Option<(Tensor<4>, Tensor<4>)> {
        self.tensors.take()
    }

    /// Keeps the first `batch` rows (drops the unconditional half).
    pub fn truncate(&mut self, batch: usize) {
        let keep = |x: Tensor<4>| x.narrow(0, 0, batch);
        self.tensors = self.tensors.take().map(|(k, v)| (keep(k), keep(v)));
    }
}

/// The keys and values that self attention reads besides those of its own tokens.
pub enum Past<'a> {
    /// None: the tokens are the whole sequence, under a mask `[1, 1, L, L]`.
    Masked(&'a Tensor<4>),
    /// Those of the earlier scales, in the cache. There is no mask: every token attends to all tokens of its scale.
    Cached(&'a mut KvCache),
}

/// Self attention on L2-normalized queries and keys with a learned temperature per head.
#[derive(Module, Debug)]
pub struct SelfAttention {
    pub mat_qkv: Linear,
    pub q_bias: Param<Tensor<1>>,
    pub v_bias: Param<Tensor<1>>,
    /// Logarithm of the temperature `[1, H, 1, 1]`, capped at ln 100.
    pub scale_mul: Param<Tensor<4>>,
    pub proj: Linear,
    heads: usize,
}

impl SelfAttention {
    pub fn new(width: usize, heads: usize, device: &Device) -> Self {
        Self {
            mat_qkv: Linear::without_bias(width, 3 * width, device),
            q_bias: parameter([width], device),
            v_bias: parameter([width], device),
            scale_mul: parameter([1, heads, 1, 1], device),
            proj: Linear::new(width, width, device),
            heads,
        }
    }

    /// Query biases, value biases and temperatures, `[2C + H]`.
    fn biases(&self) -> Tensor<1> {
        let [_, heads, _, _] = self.scale_mul.dims();
        Tensor::cat(
            vec![
                self.q_bias.val(),
                self.v_bias.val(),
                self.temperature().reshape([heads]),
            ],
            0,
        )
    }

    /// `[1, H, 1, 1]`.
    fn temperature(&self) -> Tensor<4> {
        self.scale_mul.val().clamp_max(100f64.ln()).exp()
    }

    /// `[B, L, C] -> [B, L, C]`; `rope` holds the rows of these L tokens, `epilogue` follows the last projection.
    pub fn forward(&self, x: Tensor<3>, rope: Option<&RopeTables>, past: Past, epilogue: Epilogue) -> Tensor<3> {
        let qkv = self.mat_qkv.forward(x);
        let out = match past {
            Past::Masked(mask) => {
                let (q, k, v) = self.split(qkv, rope, None);
                merge_heads(attend(q, k, v, Some(mask.clone())))
            }
            Past::Cached(cache) => match cache.attend(self, &qkv, rope) {
                Some(out) => out,
                None => {
                    let (q, k, v) = self.split(qkv, rope, cache.biases.clone());
                    let (k, v) = cache.append(k, v);
                    merge_heads(attend(q, k, v, None))
                }
            },
        };
        self.proj.then(out, epilogue)
    }

    /// Queries, keys and values `[B, H, L, hd]` of projections `[B, L, 3C]`; `biases` are [`Self::biases`], if they
    /// were computed already.
    fn split(
        &self,
        qkv: Tensor<3>,
        rope: Option<&RopeTables>,
        biases: Option<Tensor<1>>,
    ) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let tables = rope.map(|rope| (&rope.cos, &rope.sin));
        let biases = || biases.unwrap_or_else(|| self.biases());
        match cpu::qkv_to_heads(&qkv, biases, self.heads, tables) {
            Some([q, k, v]) => (q, k, v),
            None => self.split_reference(qkv, rope),
        }
    }

    /// The reference implementation of [`split`](Self::split), in plain tensor operations.
    fn split_reference(&self, qkv: Tensor<3>, rope: Option<&RopeTables>) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let [b, l, tripled] = qkv.dims();
        let (c, h) = (tripled / 3, self.heads);
        let part = |i: usize| qkv.clone().narrow(2, i * c, c);
        let row = |values: Tensor<1>| broadcast(values, [b, l, c]);
        let v = split_heads(part(2) + row(self.v_bias.val()), h);
        // A head's temperature for each of its channels.
        let temperatures = self.temperature().reshape([h, 1]).expand([h, c / h]).reshape([c]);
        let q = unit(split_heads(part(0) + row(self.q_bias.val()), h)) * split_heads(row(temperatures), h);
        let k = unit(split_heads(part(1), h));
        match rope {
            Some(rope) => (rope.rotate(q), rope.rotate(k), v),
            None => (q, k, v),
        }
    }
}

/// `x / max(|x|, 1e-12)` over the last axis; the floor sits under the root so that its gradient stays finite.
fn unit(x: Tensor<4>) -> Tensor<4> {
    let norm = x.clone().square().sum_dim(3).clamp_min(1e-24).sqrt();
    x / norm
}

/// Cross-attention keys and values of one layer, `[B, H, L_text, hd]`: the projected text, computed once for all
/// scales.
#[derive(Clone, Debug)]
pub struct CrossKv {
    k: Tensor<4>,
    v: Tensor<4>,
}

impl CrossKv {
    /// `count` rows from `start` on.
    pub fn rows(&self, start: usize, count: usize) -> Self {
        Self {
            k: self.k.clone().narrow(0, start, count),
            v: self.v.clone().narrow(0, start, count),
        }
    }
}

/// Cross attention from tokens to the prompt.
#[derive(Module, Debug)]
pub struct CrossAttention {
    pub mat_q: Linear,
    pub mat_kv: Linear,
    pub v_bias: Param<Tensor<1>>,
    pub proj: Linear,
    heads: usize,
}

impl CrossAttention {
    pub fn new(width: usize, heads: usize, device: &Device) -> Self {
        Self {
            mat_q: Linear::new(width, width, device),
            mat_kv: Linear::without_bias(width, 2 * width, device),
            v_bias: parameter([width], device),
            proj: Linear::new(width, width, device),
            heads,
        }
    }

    /// Keys and values of the text `m [B, L_text, C]`.
    pub fn keys_and_values(&self, m: Tensor<3>) -> CrossKv {
        // Two matmuls, so that both results are contiguous.
        let (weight, c) = (self.mat_kv.weight.val(), self.v_bias.dims()[0]);
        let part = |i: usize, bias: Option<Tensor<1>>| {
            let rows = weight.clone().narrow(0, i * c, c);
            split_heads(linear(m.clone(), rows, bias, Epilogue::None), self.heads)
        };
        CrossKv {
            k: part(0, None),
            v: part(1, Some(self.v_bias.val())),
        }
    }

    /// `[B, L, C] -> [B, L, C]`; `mask [B, 1, 1, L_text]` hides padding, `epilogue` follows the last projection.
    pub fn forward(&self, x: Tensor<3>, text: &CrossKv, mask: Option<&Tensor<4>>, epilogue: Epilogue) -> Tensor<3> {
        let q = self.mat_q.forward(x);
        let [_, _, c] = q.dims();
        let factor = 1.0 / ((c / self.heads) as f64).sqrt();
        let bias = AttentionBias { mask, bias: None };
        let out = attention(q, text.k.clone(), text.v.clone(), bias, factor);
        self.proj.then(out, epilogue)
    }
}

/// Pools the text into one vector: attention with a learned query (the start token and the modulation come from it).
#[derive(Module, Debug)]
pub struct TextPool {
    /// The query `[1, Hs, C/Hs]`, the same for every prompt.
    pub mat_q: Param<Tensor<3>>,
    pub v_bias: Param<Tensor<1>>,
    pub mat_kv: Linear,
    pub proj: Linear,
}

impl TextPool {
    pub fn new(text_dim: usize, width: usize, device: &Device) -> Self {
        let heads = Self::heads(text_dim, width);
        Self {
            mat_q: parameter([1, heads, width / heads], device),
            v_bias: parameter([width], device),
            mat_kv: Linear::without_bias(text_dim, 2 * width, device),
            proj: Linear::new(width, width, device),
        }
    }

    /// Heads of the pool: one per 128 text channels, per 64 in models wider than 4096.
    pub fn heads(text_dim: usize, width: usize) -> usize {
        text_dim / if width > 4096 { 64 } else { 128 }
    }

    /// `t [B, L_text, Ct5] -> [B, C]`.
    pub fn forward(&self, t: Tensor<3>, mask: Option<Tensor<4>>) -> Tensor<2> {
        let [b, _, _] = t.dims();
        let query = self.mat_q.val();
        let [_, heads, hd] = query.dims();
        let c = heads * hd;
        let kv = self.mat_kv.forward(t);
        let k = split_heads(kv.clone().narrow(2, 0, c), heads);
        let v = kv.narrow(2, c, c);
        let v = split_heads(v.clone() + broadcast(self.v_bias.val(), v.dims()), heads);
        let query = query.reshape([1, 1, c]).expand([b, 1, c]);
        let bias = AttentionBias {
            mask: mask.as_ref(),
            bias: None,
        };
        let out = attention(query, k, v, bias, 1.0 / (hd as f64).sqrt());
        self.proj.forward(out.reshape([b, c]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::Positions;
    use crate::model::schedule::TEMPLATES;
    use burn::tensor::{Distribution, Tolerance};

    /// The CPU kernel against the plain tensor operations.
    #[test]
    fn heads_match_their_reference() {
        let device = Device::flex();
        let (heads, hd, b) = (3, 8, 2);
        let c = heads * hd;
        let random = |shape: [usize; 3]| Tensor::<3>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let mut layer = SelfAttention::new(c, heads, &device);
        for bias in [&mut layer.q_bias, &mut layer.v_bias] {
            *bias = Param::from_tensor(random([1, 1, c]).reshape([c]));
        }
        // One temperature is above the cap.
        layer.scale_mul = Param::from_tensor(Tensor::from_data([[[[0.7]], [[9.0]], [[-0.4]]]], &device));
        let schedule = TEMPLATES[0].schedule(4).unwrap();
        let tables = RopeTables::new(Positions::RopePlain, hd, &schedule, &device).unwrap();
        for length in [1, 5] {
            let qkv = random([b, length, 3 * c]);
            for rope in [None, Some(tables.rows(2, length))] {
                let (q, k, v) = layer.split_reference(qkv.clone(), rope.as_ref());
                let rope = rope.as_ref().map(|rope| (&rope.cos, &rope.sin));
                let found = cpu::qkv_to_heads(&qkv, || layer.biases(), heads, rope).expect("the CPU engine's");
                for (found, expected) in found.into_iter().zip([q, k, v]) {
                    let tolerance = Tolerance::absolute(1e-5).set_relative(1e-5);
                    found
                        .into_data()
                        .assert_approx_eq::<f32>(&expected.into_data(), tolerance);
                }
            }
        }
    }
}
