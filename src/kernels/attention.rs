//! Attention without the matrix of scores, and what stands before it in a block with a cache: two dispatches where burn's
//! operations take about forty.

use super::cpu;
use super::linear::Way;
use super::shader::{Shader, always_on_graphics, bits, on_graphics, room, view_on_graphics};
use super::tuning;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Widest head; an invocation keeps a query and a sum of this many numbers.
const WIDEST: usize = 128;
/// Invocations of a workgroup, and of one whose invocations follow several queries.
const LANES: usize = 32;
const FEW_LANES: usize = 8;
/// Queries of an invocation that reads every key and value once for all of them.
const QUERIES: usize = 4;
/// The same where several share a query: the most fours of a query that one has, and the keys between two exchanges.
const SPLIT_LANES: usize = 64;
const SHARE: usize = 8;
const KEYS: usize = 8;

/// What is added to the scores.
#[derive(Clone, Copy, Default)]
pub struct Added<'a> {
    /// By image and key, `[B, 1, 1, L_k]`.
    pub mask: Option<&'a Tensor<4>>,
    /// By head, query and key, `[1, H, L, L_k]`.
    pub bias: Option<&'a Tensor<4>>,
}

/// `softmax(factor q k^T + added) v`, heads side by side: queries `[B, L, H hd]`, keys and values `[B, H, L_k, hd]`, to
/// `[B, L, H hd]`.
pub fn attention(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, added: Added, factor: f64) -> Tensor<3> {
    let way = tuning::attention_way();
    attention_by(way, &q, &k, &v, added, factor).unwrap_or_else(|| by_heads(q, k, v, added, factor, weights))
}

/// The same in plain tensor operations.
pub fn twin(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, added: Added, factor: f64) -> Tensor<3> {
    by_heads(q, k, v, added, factor, |scores| softmax(scores, 3))
}

fn by_heads(
    q: Tensor<3>,
    k: Tensor<4>,
    v: Tensor<4>,
    added: Added,
    factor: f64,
    weights: impl Fn(Tensor<4>) -> Tensor<4>,
) -> Tensor<3> {
    let [b, heads, _, hd] = k.dims();
    let [_, l, c] = q.dims();
    let q = q.reshape([b, l, heads, hd]).swap_dims(1, 2) * factor;
    let added = match (added.mask, added.bias) {
        (Some(mask), Some(bias)) => Some(bias.clone() + mask.clone()),
        (one, other) => one.or(other).cloned(),
    };
    sum(q, k, v, added, weights).swap_dims(1, 2).reshape([b, l, c])
}

/// `softmax(q k^T + mask) v` over `[B, H, L, hd]`; any scale is already in q.
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, mask: Option<Tensor<4>>) -> Tensor<4> {
    sum(q, k, v, mask, weights)
}

fn sum(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    mask: Option<Tensor<4>>,
    weights: impl Fn(Tensor<4>) -> Tensor<4>,
) -> Tensor<4> {
    let scores = q.matmul(k.swap_dims(2, 3));
    let scores = match mask {
        Some(mask) => scores + mask,
        None => scores,
    };
    weights(scores).matmul(v)
}

/// Softmax over the last axis.
fn weights(scores: Tensor<4>) -> Tensor<4> {
    cpu::softmax(scores, |scores| softmax(scores, 3))
}

/// As [`attention`] by one way; none where no shader fits.
pub fn attention_by(
    way: Way,
    q: &Tensor<3>,
    k: &Tensor<4>,
    v: &Tensor<4>,
    added: Added,
    factor: f64,
) -> Option<Tensor<3>> {
    let [_, heads, seen, hd] = k.dims();
    let [b, l, c] = q.dims();
    let fit = |x: Option<&Tensor<4>>, shape: [usize; 4]| x.is_none_or(|x| x.dims() == shape);
    if !fits(hd) || !fit(added.mask, [b, 1, 1, seen]) || !fit(added.bias, [1, heads, l, seen]) {
        return None;
    }
    let (q, k, v) = (on_graphics(q)?, in_fours(k)?, in_fours(v)?);
    let extras = [added.mask, added.bias].into_iter().flatten();
    let extras: Vec<CubeTensor> = extras.map(on_graphics).collect::<Option<_>>()?;
    let steps = [l * c / 4, hd / 4, c / 4];
    let flags = (added.mask.is_some(), added.bias.is_some());
    let memory = Memory {
        k: &k,
        v: &v,
        halved: false,
        seen,
    };
    let result = launch(way, (&q, steps), [b, heads, l, hd], &memory, (&extras, flags), factor);
    Some(Tensor::from_primitive::<Cube>(result))
}

/// A head is read four numbers at once.
fn fits(hd: usize) -> bool {
    hd.is_multiple_of(4) && hd <= WIDEST
}

/// Keys or values as they lie, as long as four numbers of a head are neighbours and nothing lies between them; else a copy. What is
/// cut out of a tensor would be bound with all between its first number and its last, and WebGPU refuses keys and values that
/// overlap.
fn in_fours(x: &Tensor<4>) -> Option<CubeTensor> {
    let x = view_on_graphics(x)?;
    let (shape, strides) = (x.meta.shape(), x.meta.strides());
    let last: usize = (0..4).map(|axis| (shape[axis] - 1) * strides[axis]).sum();
    let whole = last + 1 == shape.num_elements();
    let fits = whole && strides[3] == 1 && strides[..3].iter().all(|stride| stride.is_multiple_of(4));
    Some(if fits { x } else { into_contiguous(x) })
}

/// From image to image, head to head and token to token, in fours; two halves are counted as one number.
fn steps(x: &CubeTensor, halved: bool) -> [usize; 3] {
    let strides = x.meta.strides();
    let four = if halved { 2 } else { 4 };
    [strides[0] / four, strides[1] / four, strides[2] / four]
}

/// What is attended to: the first `seen` keys and values.
struct Memory<'a> {
    k: &'a CubeTensor,
    v: &'a CubeTensor,
    halved: bool,
    seen: usize,
}

fn launch(
    way: Way,
    (q, from_query): (&CubeTensor, [usize; 3]),
    [batch, heads, length, hd]: [usize; 4],
    memory: &Memory,
    (extras, (masked, biased)): (&[CubeTensor], (bool, bool)),
    factor: f64,
) -> CubeTensor {
    let Memory { k, v, halved, seen } = *memory;
    let result = room(q, [batch, length, heads * hd]);
    let (from_key, from_value) = (steps(k, halved), steps(v, halved));
    let split = way == Way::Tiles && !masked && !biased;
    let fours = hd / 4;
    // Invocations that share a query.
    let parts = [1, 2, 4]
        .into_iter()
        .find(|parts| fours / parts <= SHARE && fours.is_multiple_of(*parts));
    let parts = if split { parts.unwrap_or(1) } else { 1 };
    let mut constants = vec![
        ("DIM", fours / parts),
        ("WHOLE", usize::from(!halved)),
        ("HALVED", usize::from(halved)),
    ];
    let queries = match way {
        Way::WideRegisters if length >= QUERIES => QUERIES,
        _ => 1,
    };
    let (name, source, lanes) = match split {
        true => {
            constants.extend([("PARTS", parts), ("KEYS", KEYS)]);
            let source = concat!(
                include_str!("../../shaders/attention_memory.wgsl"),
                include_str!("../../shaders/attention_split.wgsl")
            );
            ("attention_split", source, SPLIT_LANES)
        }
        false => {
            constants.extend([
                ("MASKED", usize::from(masked)),
                ("BIASED", usize::from(biased)),
                ("QUERIES", queries),
            ]);
            let source = concat!(
                include_str!("../../shaders/attention_memory.wgsl"),
                include_str!("../../shaders/attention.wgsl")
            );
            ("attention", source, if queries == 1 { LANES } else { FEW_LANES })
        }
    };
    let shader = Shader {
        name,
        source,
        constants,
        sizes: vec![
            ("LENGTH", length),
            ("HEADS", heads),
            ("SEEN", seen),
            ("FACTOR", bits(factor)),
            ("Q_IMAGE", from_query[0]),
            ("Q_HEAD", from_query[1]),
            ("Q_TOKEN", from_query[2]),
            ("K_IMAGE", from_key[0]),
            ("K_HEAD", from_key[1]),
            ("K_TOKEN", from_key[2]),
            ("V_IMAGE", from_value[0]),
            ("V_HEAD", from_value[1]),
            ("V_TOKEN", from_value[2]),
        ],
        lanes: lanes as u32,
    };
    let buffers: Vec<&CubeTensor> = [q, k, v, &result].into_iter().chain(extras).collect();
    shader.launch([length.div_ceil(lanes * queries / parts), heads, batch], &buffers);
    result
}

/// What one layer has cached, and how its queries and keys are made.
pub struct Cached<'a> {
    /// Keys and values `[B, H, room, hd]`, of which the first `filled` rows count. The rows behind are written in place. Halved,
    /// as [`halves`] says, they are `[B, H, room, hd / 2]`.
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
    let [batch, heads, held, kept] = cached.keys.dims();
    let [_, length, projected] = qkv.dims();
    let hd = projected / (3 * heads);
    let halved = kept != hd;
    if !fits(hd) {
        return None;
    }
    // Nothing but a shader reads halves.
    let qkv = if halved {
        always_on_graphics(qkv)?
    } else {
        on_graphics(qkv)?
    };
    let biases = always_on_graphics(cached.biases)?;
    let (keys, values) = (in_place(cached.keys)?, in_place(cached.values)?);
    let rope = match cached.rope {
        Some((cosines, sines)) => Some((always_on_graphics(cosines)?, always_on_graphics(sines)?)),
        None => None,
    };
    let queries = room(&qkv, [batch, heads, length, hd]);
    let shader = Shader {
        name: "rotate_into_cache",
        source: include_str!("../../shaders/rotate_into_cache.wgsl"),
        constants: vec![
            ("WHOLE", usize::from(!halved)),
            ("HALVED", usize::from(halved)),
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
    let from_query = [heads * length * hd / 4, length * hd / 4, hd / 4];
    let no_more: (&[CubeTensor], _) = (&[], (false, false));
    let shape = [batch, heads, length, hd];
    let memory = Memory {
        k: &keys,
        v: &values,
        halved,
        seen: cached.filled + length,
    };
    let way = tuning::attention_way();
    let result = launch(way, (&queries, from_query), shape, &memory, no_more, 1.0);
    Some(Tensor::from_primitive::<Cube>(result))
}

/// As [`always_on_graphics`], but never a copy.
fn in_place(x: &Tensor<4>) -> Option<CubeTensor> {
    let there = x.clone().try_into_primitive::<Cube>().ok()?;
    there.is_contiguous().then(|| always_on_graphics(x)).flatten()
}

/// Numbers of a cached row of a head of `hd`, if two f16 are to be kept as one f32; none where no shader fits.
pub fn halves(hd: usize, device: &Device) -> Option<usize> {
    (fits(hd) && *device != Device::flex()).then_some(hd / 2)
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
            for (masked, biased) in [(false, false), (true, false), (false, true), (true, true)] {
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let q = values([b, l, heads * hd], &device) * 3.0;
                    // Cut out of one text's projections.
                    let projections = values([b, seen, 2, heads, hd], &device) * 0.9;
                    let [k, v] = [0, 1].map(|i| {
                        let part = projections.clone().narrow(2, i, 1).squeeze_dim::<4>(2);
                        part.swap_dims(1, 2)
                    });
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
                    let mask = masked.then(|| Tensor::from_data(data, &device));
                    (q, k, v, mask, biased.then(|| values([1, heads, l, seen], &device)))
                });
                let (mask, bias) = (wgpu.3.as_ref(), wgpu.4.as_ref());
                let found = [Way::Registers, Way::WideRegisters, Way::Tiles].map(|way| {
                    let added = Added { mask, bias };
                    attention_by(way, &wgpu.0, &wgpu.1, &wgpu.2, added, 0.5).expect("a shader")
                });
                let (mask, bias) = (flex.3.as_ref(), flex.4.as_ref());
                let expected = attention(flex.0, flex.1, flex.2, Added { mask, bias }, 0.5);
                let expected = expected.into_data();
                for found in found {
                    found
                        .into_data()
                        .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-4));
                }
            }
        }
    }

    /// Two scales of two images one after the other into a cache of `kept` numbers a head.
    fn cached(kept: usize, device: &Device) -> Option<Tensor<3>> {
        let (batch, heads, hd) = (2, 3, 8);
        let [keys, values_] = [0, 1].map(|_| Tensor::<4>::zeros([batch, heads, 9, kept], device));
        let biases = values([2 * heads * hd + heads], device);
        let scale = |filled: usize, length: usize| {
            let rows = |shift: f32| values([length, hd / 2], device) + shift;
            let (cosines, sines) = (rows(0.1), rows(-0.2));
            let cached = Cached {
                keys: &keys,
                values: &values_,
                filled,
                biases: &biases,
                rope: Some((&cosines, &sines)),
            };
            let qkv = values([batch, length, 3 * heads * hd], device) * (1.0 + filled as f32);
            attention_into_cache(&qkv, &cached)
        };
        scale(0, 4)?;
        scale(4, 5)
    }

    #[test]
    fn a_halved_cache_is_nearly_a_whole_one() {
        let [(_, flex), (_, wgpu)] = golden::devices();
        let kept = halves(8, &wgpu).expect("a shader");
        let [whole, halved] = [8, kept].map(|kept| cached(kept, &wgpu).expect("a shader").into_data());
        halved.assert_approx_eq::<f32>(&whole, Tolerance::absolute(5e-3));
        assert_ne!(halved, whole);
        assert!(halves(8, &flex).is_none() && halves(130, &wgpu).is_none());
    }
}
