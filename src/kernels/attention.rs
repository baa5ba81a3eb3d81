//! Attention without the matrix of scores, and what stands before it in a block with a cache: two dispatches where burn's
//! operations take about forty.

use super::shader::{Shader, bits, on_graphics, room};
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// Widest head; an invocation keeps a query and a sum of this many numbers.
const WIDEST: usize = 128;
/// Invocations of a workgroup.
const LANES: usize = 32;

/// `softmax(factor q k^T + mask) v`, heads side by side: queries `[B, L, H hd]`, keys and values `[B, H, L_k, hd]`, a mask
/// `[B, 1, 1, L_k]`, to `[B, L, H hd]`.
pub fn attention(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, mask: Option<&Tensor<4>>, factor: f64) -> Tensor<3> {
    shader(&q, &k, &v, mask, factor).unwrap_or_else(|| twin(q, k, v, mask, factor))
}

/// The same in plain tensor operations.
pub fn twin(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, mask: Option<&Tensor<4>>, factor: f64) -> Tensor<3> {
    let [b, heads, _, hd] = k.dims();
    let [_, l, c] = q.dims();
    let q = q.reshape([b, l, heads, hd]).swap_dims(1, 2) * factor;
    attend(q, k, v, mask.cloned()).swap_dims(1, 2).reshape([b, l, c])
}

/// `softmax(q k^T + mask) v` over `[B, H, L, hd]`; any scale is already in q.
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, mask: Option<Tensor<4>>) -> Tensor<4> {
    let scores = q.matmul(k.swap_dims(2, 3));
    let scores = match mask {
        Some(mask) => scores + mask,
        None => scores,
    };
    softmax(scores, 3).matmul(v)
}

fn shader(q: &Tensor<3>, k: &Tensor<4>, v: &Tensor<4>, mask: Option<&Tensor<4>>, factor: f64) -> Option<Tensor<3>> {
    let [_, _, seen, hd] = k.dims();
    let of_one = mask.is_none_or(|mask| mask.dims()[0] == q.dims()[0]);
    if !fits(hd) || !of_one {
        return None;
    }
    let (q, k, v) = (on_graphics(q)?, on_graphics(k)?, on_graphics(v)?);
    let mask = match mask {
        Some(mask) => Some(on_graphics(mask)?),
        None => None,
    };
    let length = q.meta.shape()[1];
    let result = launch(&q, true, length, &k, &v, seen, mask.as_ref(), factor);
    Some(Tensor::from_primitive::<Cube>(result))
}

/// A head is read four numbers at once.
fn fits(hd: usize) -> bool {
    hd.is_multiple_of(4) && hd <= WIDEST
}

#[allow(clippy::too_many_arguments, reason = "the operands of one dispatch")]
fn launch(
    q: &CubeTensor,
    by_token: bool,
    length: usize,
    k: &CubeTensor,
    v: &CubeTensor,
    seen: usize,
    mask: Option<&CubeTensor>,
    factor: f64,
) -> CubeTensor {
    let shape = k.meta.shape();
    let (batch, heads, held, hd) = (shape[0], shape[1], shape[2], shape[3]);
    let result = room(q, [batch, length, heads * hd]);
    let shader = Shader {
        name: "attention",
        source: include_str!("../../shaders/attention.wgsl"),
        constants: vec![
            ("DIM", hd / 4),
            ("FACTOR", bits(factor)),
            ("BY_TOKEN", usize::from(by_token)),
            ("BY_HEAD", usize::from(!by_token)),
            ("MASKED", usize::from(mask.is_some())),
        ],
        sizes: vec![("LENGTH", length), ("HEADS", heads), ("ROOM", held), ("SEEN", seen)],
        lanes: LANES as u32,
    };
    let buffers: Vec<&CubeTensor> = [q, k, v, &result].into_iter().chain(mask).collect();
    shader.launch([length.div_ceil(LANES), heads, batch], &buffers);
    result
}

/// What one layer has cached, and how its queries and keys are made.
pub struct Cached<'a> {
    /// Keys and values `[B, H, room, hd]`, of which the first `filled` rows count. The rows behind are written in place.
    pub keys: &'a Tensor<4>,
    pub values: &'a Tensor<4>,
    pub filled: usize,
    /// Query biases `[H hd]`, value biases `[H hd]` and temperatures `[H]` in one.
    pub biases: &'a Tensor<1>,
    /// Cosines and sines `[L, hd/2]` of the new tokens.
    pub rope: Option<(&'a Tensor<2>, &'a Tensor<2>)>,
}

/// Cosine self attention of the `L` new tokens with projections `qkv [B, L, 3 H hd]` to everything up to themselves: keys and
/// values enter the cache, the result is `[B, L, H hd]`. None where no shader fits; then nothing was written.
pub fn attention_into_cache(qkv: &Tensor<3>, cached: &Cached) -> Option<Tensor<3>> {
    let [batch, heads, held, hd] = cached.keys.dims();
    let [_, length, _] = qkv.dims();
    if !fits(hd) {
        return None;
    }
    let (qkv, biases) = (on_graphics(qkv)?, on_graphics(cached.biases)?);
    let (keys, values) = (in_place(cached.keys)?, in_place(cached.values)?);
    let rope = match cached.rope {
        Some((cosines, sines)) => Some((on_graphics(cosines)?, on_graphics(sines)?)),
        None => None,
    };
    let queries = room(&qkv, [batch, heads, length, hd]);
    let shader = Shader {
        name: "rotate_into_cache",
        source: include_str!("../../shaders/rotate_into_cache.wgsl"),
        constants: vec![
            ("ROTARY", usize::from(rope.is_some())),
            ("PLAIN", usize::from(rope.is_none())),
        ],
        sizes: vec![
            ("LENGTH", length),
            ("HEADS", heads),
            ("DIM", hd),
            ("ROOM", held),
            ("START", cached.filled),
        ],
        lanes: LANES as u32,
    };
    let mut buffers = vec![&qkv, &biases, &queries, &keys, &values];
    if let Some((cosines, sines)) = &rope {
        buffers.extend([cosines, sines]);
    }
    shader.launch([(length * heads).div_ceil(LANES), batch, 1], &buffers);
    let seen = cached.filled + length;
    let result = launch(&queries, false, length, &keys, &values, seen, None, 1.0);
    Some(Tensor::from_primitive::<Cube>(result))
}

/// As [`on_graphics`], but never a copy.
fn in_place(x: &Tensor<4>) -> Option<CubeTensor> {
    let there = x.clone().try_into_primitive::<Cube>().ok()?;
    there.is_contiguous().then(|| on_graphics(x)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::Tolerance;

    #[test]
    fn shader_and_twin_agree() {
        for (b, l, heads, hd, seen) in [(1, 1, 1, 4, 1), (2, 5, 3, 8, 7), (1, 70, 2, 32, 121), (3, 3, 1, 128, 9)] {
            for masked in [false, true] {
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let q = values([b, l, heads * hd], &device) * 3.0;
                    let k = values([b, heads, seen, hd], &device) * 0.9;
                    let v = values([b, heads, seen, hd], &device) * 0.8;
                    // The last keys of the last image are hidden.
                    let hidden = |i: usize| {
                        if i / seen + 1 == b && i % seen > seen / 2 {
                            -1e9f32
                        } else {
                            0.0
                        }
                    };
                    let hidden: Vec<f32> = (0..b * seen).map(hidden).collect();
                    let data = burn::tensor::TensorData::new(hidden, [b, 1, 1, seen]);
                    (q, k, v, masked.then(|| Tensor::from_data(data, &device)))
                });
                let found = shader(&wgpu.0, &wgpu.1, &wgpu.2, wgpu.3.as_ref(), 0.5).expect("a shader");
                let expected = attention(flex.0, flex.1, flex.2, flex.3.as_ref(), 0.5);
                found
                    .into_data()
                    .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
            }
        }
    }
}
