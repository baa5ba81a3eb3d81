//! Norms with what follows them: two dispatches for a group norm with SiLU, one for a layer norm with its modulation, where
//! burn's operations take about ten.

use super::product::spread;
use super::shader::{Constants, Shader, bits, on_graphics, room, summing};
use super::{cpu, group_norm};
use burn::tensor::Tensor;
use burn::tensor::activation::silu;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// Most workgroups along one axis of a dispatch.
pub(super) const MOST_GROUPS: usize = 65_535;
/// Invocations of a workgroup, and of one that sums up many numbers.
const LANES: u32 = 64;
const MOST_LANES: u32 = 256;
const MANY: usize = 4096;
/// Neighbours that an invocation of the group norm takes.
const EACH: usize = 4;

/// `silu(GN(x) weight + bias)` for `x [B, C, H, W]` in `groups` groups of channels, weight and bias `[C]`.
pub fn group_norm_silu(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, groups: usize, epsilon: f64) -> Tensor<4> {
    group_norm_shader(&x, &weight, &bias, groups, epsilon)
        .or_else(|| group_norm::trained(&x, &weight, &bias, groups, epsilon))
        .unwrap_or_else(|| {
            let twin = |x| group_norm_silu_twin(x, weight.clone(), bias.clone(), groups, epsilon);
            cpu::group_norm_silu(x, &weight, &bias, groups, epsilon, twin)
        })
}

/// The same in plain tensor operations.
pub fn group_norm_silu_twin(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    groups: usize,
    epsilon: f64,
) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    // Axis by axis: a reduction gives a group to one workgroup at most, and a batch has few groups, each of many numbers.
    let mean = |x: Tensor<3>| x.mean_dim(2).mean_dim(1);
    let x = x.reshape([b * groups, c / groups, h * w]);
    let centered = x.clone() - mean(x);
    let variance = mean(centered.clone().square());
    let normed = centered / (variance + epsilon).sqrt();
    activated(normed.reshape([b, c, h, w]), weight, bias)
}

fn activated(normed: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<4> {
    let [_, c, _, _] = normed.dims();
    let per_channel = |values: Tensor<1>| values.reshape([1, c, 1, 1]);
    silu(normed * per_channel(weight) + per_channel(bias))
}

/// Mean and inverse deviation `1 / sqrt(variance + epsilon)` of every group of channels of `x [B, C, H, W]`, `[B, G, 2]`.
pub fn group_statistics(x: Tensor<4>, groups: usize, epsilon: f64) -> Tensor<3> {
    let [b, c, h, w] = x.dims();
    if let Some(x) = on_graphics(&x) {
        return Tensor::<2>::from_primitive::<Cube>(statistics(&x, groups, epsilon)).reshape([b, groups, 2]);
    }
    let mean = |x: Tensor<3>| x.mean_dim(2).mean_dim(1);
    let x = x.reshape([b * groups, c / groups, h * w]);
    let means = mean(x.clone());
    let variances = mean((x - means.clone()).square());
    Tensor::cat(vec![means, (variances + epsilon).sqrt().recip()], 2).reshape([b, groups, 2])
}

/// As [`group_norm_silu`] with statistics `[B, G, 2]` as of [`group_statistics`].
pub fn normalised_silu(x: Tensor<4>, statistics: Tensor<3>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<4> {
    let ([b, c, h, w], [_, groups, _]) = (x.dims(), statistics.dims());
    let shader = || {
        let (x, statistics) = (on_graphics(&x)?, on_graphics(&statistics)?);
        let (weight, bias) = (on_graphics(&weight)?, on_graphics(&bias)?);
        (b * c <= MOST_GROUPS).then(|| apply(&x, &statistics, &weight, &bias, groups))
    };
    if let Some(y) = shader() {
        return Tensor::from_primitive::<Cube>(y);
    }
    let of_groups = |i: usize| statistics.clone().narrow(2, i, 1).reshape([b * groups, 1, 1]);
    let x = x.reshape([b * groups, c / groups, h * w]);
    let normed = (x - of_groups(0)) * of_groups(1);
    activated(normed.reshape([b, c, h, w]), weight, bias)
}

fn group_norm_shader(
    x: &Tensor<4>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    groups: usize,
    epsilon: f64,
) -> Option<Tensor<4>> {
    let [b, c, _, _] = x.dims();
    if b * c > MOST_GROUPS {
        return None;
    }
    let (x, weight, bias) = (on_graphics(x)?, on_graphics(weight)?, on_graphics(bias)?);
    let statistics = statistics(&x, groups, epsilon);
    let y = apply(&x, &statistics, &weight, &bias, groups);
    Some(Tensor::from_primitive::<Cube>(y))
}

/// Mean and inverse deviation of every group of every image of `x [B, C, H, W]`: `[B G, 2]`.
pub(super) fn statistics(x: &CubeTensor, groups: usize, epsilon: f64) -> CubeTensor {
    let numbers = x.meta.shape().num_elements() / x.meta.shape()[0] / groups;
    let lanes = summing(if numbers < MANY { LANES } else { MOST_LANES });
    statistics_by(lanes, x, groups, epsilon)
}

fn statistics_by(lanes: u32, x: &CubeTensor, groups: usize, epsilon: f64) -> CubeTensor {
    let shape = x.meta.shape();
    let (b, numbers) = (shape[0], shape[1] / groups * shape[2] * shape[3]);
    let statistics = room(x, [b * groups, 2]);
    let shader = Shader {
        name: "group_norm_statistics",
        source: concat!(
            include_str!("../../shaders/total.wgsl"),
            include_str!("../../shaders/group_norm_statistics.wgsl")
        ),
        constants: vec![("EPSILON", bits(epsilon))],
        sizes: vec![("NUMBERS", numbers)],
        lanes,
    };
    shader.launch([b * groups, 1, 1], &[x, &statistics]);
    statistics
}

/// `silu((x - mean) / deviation weight + bias)` with [`statistics`].
pub(super) fn apply(
    x: &CubeTensor,
    statistics: &CubeTensor,
    weight: &CubeTensor,
    bias: &CubeTensor,
    groups: usize,
) -> CubeTensor {
    let shape = x.meta.shape();
    let (b, c, area) = (shape[0], shape[1], shape[2] * shape[3]);
    let y = room(x, shape.clone());
    let shader = Shader {
        name: "group_norm",
        source: include_str!("../../shaders/group_norm.wgsl"),
        constants: vec![("EACH", EACH)],
        sizes: vec![("CHANNELS", c), ("AREA", area), ("PER_GROUP", c / groups)],
        lanes: LANES,
    };
    let along = area.div_ceil(EACH).div_ceil(LANES as usize);
    shader.launch([along, b * c, 1], &[x, statistics, weight, bias, &y]);
    y
}

/// The factor and the shift after a layer norm.
#[derive(Clone)]
pub enum Modulation {
    /// Learned ones `[C]`.
    Affine { weight: Tensor<1>, bias: Tensor<1> },
    /// `1 + scale` and `shift`, parts (by index) of the prompt's `[B, 1, P, C]` plus those of a block's table `[1, 1, P, C]`.
    Adaptive {
        table: Option<Tensor<4>>,
        prompt: Tensor<4>,
        scale: usize,
        shift: usize,
    },
}

/// Part `i` of the prompt's modulation plus that of a block's table, `[B, 1, C]`.
pub fn part(table: Option<&Tensor<4>>, prompt: &Tensor<4>, i: usize) -> Tensor<3> {
    let part = |x: &Tensor<4>| x.clone().narrow(2, i, 1).squeeze_dim::<3>(2);
    match table {
        Some(table) => part(table) + part(prompt),
        None => part(prompt),
    }
}

/// `LN(x) factor + shift` over the last axis of `x [B, L, C]`, biased variance.
pub fn layer_norm(x: Tensor<3>, epsilon: f64, modulation: Modulation) -> Tensor<3> {
    layer_norm_shader(summing(LANES), &x, epsilon, &modulation)
        .unwrap_or_else(|| layer_norm_twin(x, epsilon, modulation))
}

/// The same in plain tensor operations.
pub fn layer_norm_twin(x: Tensor<3>, epsilon: f64, modulation: Modulation) -> Tensor<3> {
    let normed = crate::model::nn::layer_norm(x, epsilon);
    let shape = normed.dims();
    match modulation {
        Modulation::Affine { weight, bias } => normed * spread(weight, shape) + spread(bias, shape),
        Modulation::Adaptive {
            table,
            prompt,
            scale,
            shift,
        } => normed * (part(table.as_ref(), &prompt, scale) + 1.0) + part(table.as_ref(), &prompt, shift),
    }
}

fn layer_norm_shader(lanes: u32, x: &Tensor<3>, epsilon: f64, modulation: &Modulation) -> Option<Tensor<3>> {
    let [_, l, c] = x.dims();
    match modulation {
        Modulation::Affine { weight, bias } => {
            let sizes = vec![("CHANNELS", c)];
            row_norm(
                lanes,
                x,
                true,
                epsilon,
                on_graphics(weight)?,
                Some(on_graphics(bias)?),
                sizes,
            )
        }
        Modulation::Adaptive {
            table,
            prompt,
            scale,
            shift,
        } => {
            let parts = prompt.dims()[2];
            let sizes = vec![
                ("CHANNELS", c),
                ("LENGTH", l),
                ("PARTS", parts),
                ("SCALE", *scale),
                ("SHIFT", *shift),
            ];
            let table = match table {
                Some(table) => Some(on_graphics(table)?),
                None => None,
            };
            row_norm(lanes, x, true, epsilon, on_graphics(prompt)?, table, sizes)
        }
    }
}

/// `x / sqrt(mean(x^2) + epsilon) * weight` over the last axis of `x [B, L, C]`.
pub fn rms_norm(x: Tensor<3>, weight: Tensor<1>, epsilon: f64) -> Tensor<3> {
    rms_norm_shader(&x, &weight, epsilon).unwrap_or_else(|| crate::model::nn::rms_norm(x, weight, epsilon))
}

fn rms_norm_shader(x: &Tensor<3>, weight: &Tensor<1>, epsilon: f64) -> Option<Tensor<3>> {
    let sizes = vec![("CHANNELS", x.dims()[2])];
    row_norm(summing(LANES), x, false, epsilon, on_graphics(weight)?, None, sizes)
}

/// `sizes` beyond the channels are those of a modulation.
fn row_norm(
    lanes: u32,
    x: &Tensor<3>,
    centred: bool,
    epsilon: f64,
    first: CubeTensor,
    second: Option<CubeTensor>,
    sizes: Constants,
) -> Option<Tensor<3>> {
    let [b, l, c] = x.dims();
    if b * l > MOST_GROUPS {
        return None;
    }
    let x = on_graphics(x)?;
    let y = room(&x, [b, l, c]);
    let modulated = sizes.len() > 1;
    let shader = Shader {
        name: "layer_norm",
        source: concat!(
            include_str!("../../shaders/total.wgsl"),
            include_str!("../../shaders/layer_norm.wgsl")
        ),
        constants: vec![
            ("EPSILON", bits(epsilon)),
            ("CENTRED", usize::from(centred)),
            ("OWN", usize::from(!modulated)),
            ("MODULATED", usize::from(modulated)),
            ("SECOND", usize::from(second.is_some())),
        ],
        sizes,
        lanes,
    };
    let buffers: Vec<&CubeTensor> = [&x, &y, &first].into_iter().chain(&second).collect();
    shader.launch([b * l, 1, 1], &buffers);
    Some(Tensor::from_primitive::<Cube>(y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::Tolerance;

    #[test]
    fn group_norms_agree() {
        for (batch, channels, groups, h, w) in [(1, 8, 4, 8, 8), (2, 12, 3, 5, 7), (3, 6, 1, 1, 1), (1, 64, 4, 16, 24)]
        {
            let [flex, wgpu] = golden::devices().map(|(_, device)| {
                let x = values([batch, channels, h, w], &device) * 3.0 + 2.0;
                (x, values([channels], &device), values([channels], &device) + 0.3)
            });
            let found = group_norm_shader(&wgpu.0, &wgpu.1, &wgpu.2, groups, 1e-6).expect("a shader");
            let statistics = [&flex.0, &wgpu.0].map(|x| group_statistics(x.clone(), groups, 1e-6));
            for lanes in [LANES, MOST_LANES] {
                let on_card = statistics_by(lanes, &on_graphics(&wgpu.0).expect("a shader"), groups, 1e-6);
                let on_card = Tensor::<2>::from_primitive::<Cube>(on_card).into_data();
                let expected = statistics[0].clone().reshape([batch * groups, 2]).into_data();
                on_card.assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-3));
            }
            let [on_flex, on_wgpu] = statistics;
            let apart = normalised_silu(wgpu.0, on_wgpu, wgpu.1, wgpu.2).into_data();
            let flex_apart = normalised_silu(flex.0.clone(), on_flex, flex.1.clone(), flex.2.clone());
            let expected = group_norm_silu(flex.0, flex.1, flex.2, groups, 1e-6).into_data();
            for found in [found.into_data(), apart, flex_apart.into_data()] {
                found.assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-4));
            }
        }
    }

    #[test]
    fn layer_norms_agree() {
        for (batch, length, channels) in [(1, 1, 8), (2, 9, 100), (3, 16, 256)] {
            for parts in [0, 2, 6] {
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let x = values([batch, length, channels], &device) * 2.0 + 1.0;
                    let modulation = match parts {
                        0 => Modulation::Affine {
                            weight: values([channels], &device),
                            bias: values([channels], &device) + 0.5,
                        },
                        _ => Modulation::Adaptive {
                            table: (parts == 6).then(|| values([1, 1, parts, channels], &device)),
                            prompt: values([batch, 1, parts, channels], &device) * 0.7,
                            scale: 0,
                            shift: parts - 1,
                        },
                    };
                    (x, modulation)
                });
                let expected = layer_norm(flex.0, 1e-6, flex.1).into_data();
                for lanes in [4, LANES] {
                    let found = layer_norm_shader(lanes, &wgpu.0, 1e-6, &wgpu.1).expect("a shader");
                    found
                        .into_data()
                        .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-4));
                }
            }
        }
    }

    #[test]
    fn root_mean_square_norms_agree() {
        for (batch, length, channels) in [(1, 1, 8), (2, 9, 100), (3, 16, 256)] {
            let [flex, wgpu] = golden::devices().map(|(_, device)| {
                let x = values([batch, length, channels], &device) * 2.0 + 1.0;
                (x, values([channels], &device))
            });
            let found = rms_norm_shader(&wgpu.0, &wgpu.1, 1e-6).expect("a shader");
            let expected = rms_norm(flex.0, flex.1, 1e-6);
            found
                .into_data()
                .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
        }
    }
}
