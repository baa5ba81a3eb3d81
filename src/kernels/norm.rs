//! Norms with what follows them: two dispatches for a group norm with SiLU, one for a layer norm with its modulation, where
//! burn's operations take about ten.

use super::group_norm;
use super::shader::{Shader, bits, on_graphics, room};
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
        .unwrap_or_else(|| group_norm_silu_twin(x, weight, bias, groups, epsilon))
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
    let per_channel = |values: Tensor<1>| values.reshape([1, c, 1, 1]);
    silu(normed.reshape([b, c, h, w]) * per_channel(weight) + per_channel(bias))
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
        lanes: if numbers < MANY { LANES } else { MOST_LANES },
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
    /// `1 + scale` and `shift`, parts (by index) of a block's table `[1, 1, 6, C]` plus the prompt's `[B, 1, 6, C]`.
    Adaptive {
        table: Tensor<4>,
        prompt: Tensor<4>,
        scale: usize,
        shift: usize,
    },
}

/// Part `i` of a block's table plus the prompt's, `[B, 1, C]`.
pub fn part(table: &Tensor<4>, prompt: &Tensor<4>, i: usize) -> Tensor<3> {
    let part = |x: &Tensor<4>| x.clone().narrow(2, i, 1).squeeze_dim::<3>(2);
    part(table) + part(prompt)
}

/// `LN(x) factor + shift` over the last axis of `x [B, L, C]`, biased variance.
pub fn layer_norm(x: Tensor<3>, epsilon: f64, modulation: Modulation) -> Tensor<3> {
    layer_norm_shader(&x, epsilon, &modulation).unwrap_or_else(|| layer_norm_twin(x, epsilon, modulation))
}

/// The same in plain tensor operations.
pub fn layer_norm_twin(x: Tensor<3>, epsilon: f64, modulation: Modulation) -> Tensor<3> {
    let normed = crate::model::nn::layer_norm(x, epsilon);
    match modulation {
        Modulation::Affine { weight, bias } => normed * weight.unsqueeze() + bias.unsqueeze(),
        Modulation::Adaptive {
            table,
            prompt,
            scale,
            shift,
        } => normed * (part(&table, &prompt, scale) + 1.0) + part(&table, &prompt, shift),
    }
}

fn layer_norm_shader(x: &Tensor<3>, epsilon: f64, modulation: &Modulation) -> Option<Tensor<3>> {
    let [b, l, c] = x.dims();
    if b * l > MOST_GROUPS {
        return None;
    }
    let x = on_graphics(x)?;
    let (first, second, (scale, shift)) = match modulation {
        Modulation::Affine { weight, bias } => (on_graphics(weight)?, on_graphics(bias)?, (0, 0)),
        Modulation::Adaptive {
            table,
            prompt,
            scale,
            shift,
        } => (on_graphics(table)?, on_graphics(prompt)?, (*scale, *shift)),
    };
    let affine = matches!(modulation, Modulation::Affine { .. });
    let y = room(&x, [b, l, c]);
    let shader = Shader {
        name: "layer_norm",
        source: concat!(
            include_str!("../../shaders/total.wgsl"),
            include_str!("../../shaders/layer_norm.wgsl")
        ),
        constants: vec![
            ("EPSILON", bits(epsilon)),
            ("AFFINE", usize::from(affine)),
            ("MODULATED", usize::from(!affine)),
        ],
        sizes: vec![("CHANNELS", c), ("LENGTH", l), ("SCALE", scale), ("SHIFT", shift)],
        lanes: 64,
    };
    shader.launch([b * l, 1, 1], &[&x, &first, &second, &y]);
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
            let expected = group_norm_silu(flex.0, flex.1, flex.2, groups, 1e-6);
            found
                .into_data()
                .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
        }
    }

    #[test]
    fn layer_norms_agree() {
        for (batch, length, channels) in [(1, 1, 8), (2, 9, 100), (3, 16, 256)] {
            for adaptive in [false, true] {
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let x = values([batch, length, channels], &device) * 2.0 + 1.0;
                    let modulation = match adaptive {
                        false => Modulation::Affine {
                            weight: values([channels], &device),
                            bias: values([channels], &device) + 0.5,
                        },
                        true => Modulation::Adaptive {
                            table: values([1, 1, 6, channels], &device),
                            prompt: values([batch, 1, 6, channels], &device) * 0.7,
                            scale: 2,
                            shift: 5,
                        },
                    };
                    (x, modulation)
                });
                let found = layer_norm_shader(&wgpu.0, 1e-6, &wgpu.1).expect("a shader");
                let expected = layer_norm(flex.0, 1e-6, flex.1);
                found
                    .into_data()
                    .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
            }
        }
    }
}
