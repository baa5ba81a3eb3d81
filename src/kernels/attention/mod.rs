//! Attention without the matrix of scores, and what precedes it in a block with a KV cache: two dispatches where burn's
//! operations take about forty.

mod cache;
mod launch;
mod variant;

pub use cache::{LayerCache, attention_into_cache, f16_cache_width};
pub use variant::AttentionVariant;

use super::cpu;
use super::runtime::fallbacks::or_count;
use super::runtime::{NoKernel, Variant, gpu_f32};
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;
use launch::{Attention, KeysValues, as_vec4, check_width, launch};
use variant::Tile;

/// What is added to the scores.
#[derive(Clone, Copy, Default)]
pub struct AttentionBias<'a> {
    /// By image and key, `[B, 1, 1, L_k]`.
    pub mask: Option<&'a Tensor<4>>,
    /// By head, query and key, `[1, H, L, L_k]`.
    pub bias: Option<&'a Tensor<4>>,
}

/// `softmax(factor q k^T + bias) v`, heads side by side: queries `[B, L, H hd]`, keys and values `[B, H, L_k, hd]`, to
/// `[B, L, H hd]`.
pub fn attention(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, bias: AttentionBias, factor: f64) -> Tensor<3> {
    let chosen = AttentionVariant::chosen();
    let variant = if chosen.fits(bias) {
        chosen
    } else {
        AttentionVariant::ALL[0]
    };
    let launched = attention_with(variant, &q, &k, &v, bias, factor);
    or_count("attention", launched).unwrap_or_else(|| by_heads(q, k, v, bias, factor, weights))
}

/// The reference implementation.
pub fn attention_reference(q: Tensor<3>, k: Tensor<4>, v: Tensor<4>, bias: AttentionBias, factor: f64) -> Tensor<3> {
    by_heads(q, k, v, bias, factor, |scores| softmax(scores, 3))
}

fn by_heads(
    q: Tensor<3>,
    k: Tensor<4>,
    v: Tensor<4>,
    bias: AttentionBias,
    factor: f64,
    weights: impl Fn(Tensor<4>) -> Tensor<4>,
) -> Tensor<3> {
    let [b, heads, _, hd] = k.dims();
    let [_, l, c] = q.dims();
    let q = q.reshape([b, l, heads, hd]).swap_dims(1, 2) * factor;
    let bias = match (bias.mask, bias.bias) {
        (Some(mask), Some(bias)) => Some(bias.clone() + mask.clone()),
        (one, other) => one.or(other).cloned(),
    };
    weighted_sum(q, k, v, bias, weights).swap_dims(1, 2).reshape([b, l, c])
}

/// `softmax(q k^T + mask) v` over `[B, H, L, hd]`, any factor already in q: in plain tensor operations, but for the CPU engine's
/// softmax.
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, mask: Option<Tensor<4>>) -> Tensor<4> {
    weighted_sum(q, k, v, mask, weights)
}

fn weighted_sum(
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

impl AttentionVariant {
    /// Whether it adds this to the scores; the first of all variants adds everything.
    pub fn fits(self, bias: AttentionBias) -> bool {
        match self.tile {
            Tile::Queries(_) => true,
            Tile::SplitHead => bias.mask.is_none() && bias.bias.is_none(),
        }
    }
}

/// As [`attention`] with one kernel variant.
pub fn attention_with(
    variant: AttentionVariant,
    q: &Tensor<3>,
    k: &Tensor<4>,
    v: &Tensor<4>,
    bias: AttentionBias,
    factor: f64,
) -> Result<Tensor<3>, NoKernel> {
    let [_, heads, kv_len, hd] = k.dims();
    let [b, l, c] = q.dims();
    let (q, k, v) = (gpu_f32(q)?, as_vec4(k)?, as_vec4(v)?);
    check_width(hd)?;
    let shaped = |x: Option<&Tensor<4>>, shape: [usize; 4]| x.is_none_or(|x| x.dims() == shape);
    if !shaped(bias.mask, [b, 1, 1, kv_len]) || !shaped(bias.bias, [1, heads, l, kv_len]) {
        return Err(NoKernel::Unfit("shape of the mask or bias"));
    }
    if !variant.fits(bias) {
        return Err(NoKernel::Unfit("mask or bias"));
    }
    let extras = [bias.mask, bias.bias].into_iter().flatten();
    let extras: Vec<CubeTensor> = extras.map(gpu_f32).collect::<Result<_, _>>()?;
    let result = launch(
        variant,
        &Attention {
            q: &q,
            q_steps: [l * c / 4, hd / 4, c / 4],
            shape: [b, heads, l, hd],
            keys_values: KeysValues {
                k: &k,
                v: &v,
                f16: false,
                kv_len,
            },
            masked: bias.mask.is_some(),
            biased: bias.bias.is_some(),
            extras: &extras,
            factor,
        },
    );
    Ok(Tensor::from_primitive::<Cube>(result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::runtime::fallbacks::{self, Fallback};
    use crate::kernels::test_values as values;
    use burn::tensor::Tolerance;

    #[test]
    fn every_variant_agrees_with_the_reference() {
        for (b, l, heads, hd, seen) in [
            (1, 1, 1, 4, 1),
            (2, 5, 3, 8, 7),
            (1, 70, 2, 32, 121),
            (3, 3, 1, 128, 9),
            (2, 5, 1, 256, 9),
        ] {
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
                let bias = AttentionBias { mask, bias };
                let found = AttentionVariant::ALL.iter().map(|&variant| {
                    let found = match attention_with(variant, &wgpu.0, &wgpu.1, &wgpu.2, bias, 0.5) {
                        Ok(found) => found,
                        Err(why) => {
                            assert_eq!(why, NoKernel::Unfit("mask or bias"));
                            assert!((masked || biased) && variant.name() == "split-head");
                            attention(wgpu.0.clone(), wgpu.1.clone(), wgpu.2.clone(), bias, 0.5)
                        }
                    };
                    found.into_data()
                });
                let found: Vec<_> = found.collect();
                let (mask, bias) = (flex.3.as_ref(), flex.4.as_ref());
                let expected = attention(flex.0, flex.1, flex.2, AttentionBias { mask, bias }, 0.5);
                let expected = expected.into_data();
                for found in found {
                    found.assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-4));
                }
            }
        }
        assert_eq!(fallbacks::take(), []);
    }

    #[test]
    fn heads_that_no_kernel_takes_are_counted() {
        let [_, (_, device)] = golden::devices();
        fallbacks::take();
        for hd in [6, 260] {
            let kv = || values([1, 2, 3, hd], &device);
            attention(
                values([1, 3, 2 * hd], &device),
                kv(),
                kv(),
                AttentionBias::default(),
                1.0,
            );
        }
        let fallback = |reason| Fallback {
            op: "attention",
            reason,
            count: 1,
        };
        let expected = ["width of a head is above 256", "width of a head is no multiple of 4"].map(fallback);
        assert_eq!(fallbacks::take(), expected);
    }
}
