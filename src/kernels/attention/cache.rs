//! Cosine self attention into a KV cache: queries and keys are normalized and rotated, keys and values written, in one dispatch
//! before the attention itself.

use super::launch::{Attention, KeysValues, WORKGROUP_SIZE, check_width, launch};
use super::variant::AttentionVariant;
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{NoKernel, Shader, allocate, gpu_f32, gpu_f32_always};
use burn::tensor::{Device, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// The KV cache of one layer, and how its queries and keys are made.
pub struct LayerCache<'a> {
    /// Keys and values `[B, H, capacity, hd]`, of which the first `filled` rows count. The rows behind are written in place. In f16,
    /// as [`f16_cache_width`] says, they are `[B, H, capacity, hd / 2]`.
    pub keys: &'a Tensor<4>,
    pub values: &'a Tensor<4>,
    pub filled: usize,
    /// Query biases `[H hd]`, value biases `[H hd]` and temperatures `[H]` in one.
    pub biases: &'a Tensor<1>,
    /// Cosines and sines `[L, hd/2]` of the new tokens.
    pub rope: Option<(&'a Tensor<2>, &'a Tensor<2>)>,
}

/// Cosine self attention of the `L` new tokens with projections `qkv [B, L, 3 H hd]` to everything up to themselves: keys and
/// values enter the cache, the result is `[B, L, H hd]`. None where no kernel runs; then nothing was written.
pub fn attention_into_cache(qkv: &Tensor<3>, cache: &LayerCache) -> Option<Tensor<3>> {
    or_count("attention into the cache", launch_into_cache(qkv, cache))
}

fn launch_into_cache(qkv: &Tensor<3>, cache: &LayerCache) -> Result<Tensor<3>, NoKernel> {
    let [batch, heads, capacity, width] = cache.keys.dims();
    let [_, length, projected] = qkv.dims();
    let hd = projected / (3 * heads);
    let f16 = width != hd;
    // The reference cannot read f16.
    let qkv = if f16 { gpu_f32_always(qkv)? } else { gpu_f32(qkv)? };
    check_width(hd)?;
    let biases = gpu_f32_always(cache.biases)?;
    let (keys, values) = (in_place(cache.keys)?, in_place(cache.values)?);
    let rope = match cache.rope {
        Some((cosines, sines)) => Some((gpu_f32_always(cosines)?, gpu_f32_always(sines)?)),
        None => None,
    };
    let queries = allocate(&qkv, [batch, heads, length, hd]);
    let shader = Shader {
        source: wgsl!("attention/rotate_into_cache.wgsl"),
        constants: vec![
            ("F32", usize::from(!f16)),
            ("F16", usize::from(f16)),
            ("ROTARY", usize::from(rope.is_some())),
            ("PLAIN", usize::from(rope.is_none())),
        ],
        sizes: vec![
            ("LENGTH", length),
            ("HEADS", heads),
            ("DIM", hd),
            ("CAPACITY", capacity),
            ("START", cache.filled),
        ],
        workgroup_size: WORKGROUP_SIZE as u32,
    };
    let mut buffers = vec![&qkv, &biases, &queries, &keys, &values];
    if let Some((cosines, sines)) = &rope {
        buffers.extend([cosines, sines]);
    }
    shader.launch([(length * heads).div_ceil(WORKGROUP_SIZE), batch, 1], &buffers);
    let result = launch(
        AttentionVariant::chosen(),
        &Attention {
            q: &queries,
            q_steps: [heads * length * hd / 4, length * hd / 4, hd / 4],
            shape: [batch, heads, length, hd],
            keys_values: KeysValues {
                k: &keys,
                v: &values,
                f16,
                kv_len: cache.filled + length,
            },
            masked: false,
            biased: false,
            extras: &[],
            factor: 1.0,
        },
    );
    Ok(Tensor::from_primitive::<Cube>(result))
}

/// As [`gpu_f32_always`], but never a copy.
fn in_place(x: &Tensor<4>) -> Result<CubeTensor, NoKernel> {
    let there = x.clone().try_into_primitive::<Cube>().map_err(|_| NoKernel::ByChoice)?;
    if !there.is_contiguous() {
        return Err(NoKernel::Unfit("cache is not contiguous"));
    }
    gpu_f32_always(x)
}

/// Numbers of a cached row of a head of `hd`, if two f16 are to be stored as one f32; none where no kernel reads those.
pub fn f16_cache_width(hd: usize, device: &Device) -> Option<usize> {
    (check_width(hd).is_ok() && *device != Device::flex()).then_some(hd / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::Tolerance;

    /// Two scales of two images one after the other into a cache of `width` numbers a head.
    fn cached(width: usize, device: &Device) -> Option<Tensor<3>> {
        let (batch, heads, hd) = (2, 3, 8);
        let [keys, values_] = [0, 1].map(|_| Tensor::<4>::zeros([batch, heads, 9, width], device));
        let biases = values([2 * heads * hd + heads], device);
        let scale = |filled: usize, length: usize| {
            let rows = |shift: f32| values([length, hd / 2], device) + shift;
            let (cosines, sines) = (rows(0.1), rows(-0.2));
            let cache = LayerCache {
                keys: &keys,
                values: &values_,
                filled,
                biases: &biases,
                rope: Some((&cosines, &sines)),
            };
            let qkv = values([batch, length, 3 * heads * hd], device) * (1.0 + filled as f32);
            attention_into_cache(&qkv, &cache)
        };
        scale(0, 4)?;
        scale(4, 5)
    }

    #[test]
    fn a_cache_in_f16_is_nearly_one_in_f32() {
        let [(_, flex), (_, wgpu)] = golden::devices();
        let width = f16_cache_width(8, &wgpu).expect("a kernel");
        let [whole, f16] = [8, width].map(|width| cached(width, &wgpu).expect("a kernel").into_data());
        f16.assert_approx_eq::<f32>(&whole, Tolerance::absolute(5e-3));
        assert_ne!(f16, whole);
        assert!(f16_cache_width(8, &flex).is_none() && f16_cache_width(130, &wgpu).is_none());
    }
}
