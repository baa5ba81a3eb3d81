//! Layer norm and root mean square norm on the GPU, with their factor and shift.

use super::launch::{WORKGROUP_SIZE, check_rows};
use crate::kernels::matmul::broadcast;
use crate::kernels::reference;
use crate::kernels::reference::norm::modulation_part;
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{Constants, NoKernel, Shader, allocate, float_bits, gpu_f32, reduction_workgroup_size};
use burn::tensor::Tensor;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

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

/// `LN(x) factor + shift` over the last axis of `x [B, L, C]`, biased variance.
pub fn layer_norm(x: Tensor<3>, epsilon: f64, modulation: Modulation) -> Tensor<3> {
    let launched = layer_norm_with(reduction_workgroup_size(WORKGROUP_SIZE), &x, epsilon, &modulation);
    or_count("layer norm", launched).unwrap_or_else(|| layer_norm_reference(x, epsilon, modulation))
}

/// The reference implementation.
pub fn layer_norm_reference(x: Tensor<3>, epsilon: f64, modulation: Modulation) -> Tensor<3> {
    let normed = reference::norm::layer_norm(x, epsilon);
    let shape = normed.dims();
    match modulation {
        Modulation::Affine { weight, bias } => normed * broadcast(weight, shape) + broadcast(bias, shape),
        Modulation::Adaptive {
            table,
            prompt,
            scale,
            shift,
        } => {
            let part = |i: usize| modulation_part(table.as_ref(), &prompt, i);
            normed * (part(scale) + 1.0) + part(shift)
        }
    }
}

fn layer_norm_with(
    workgroup_size: u32,
    x: &Tensor<3>,
    epsilon: f64,
    modulation: &Modulation,
) -> Result<Tensor<3>, NoKernel> {
    let [_, l, c] = x.dims();
    match modulation {
        Modulation::Affine { weight, bias } => {
            let sizes = vec![("CHANNELS", c)];
            row_norm(
                workgroup_size,
                x,
                true,
                epsilon,
                gpu_f32(weight)?,
                Some(gpu_f32(bias)?),
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
                Some(table) => Some(gpu_f32(table)?),
                None => None,
            };
            row_norm(workgroup_size, x, true, epsilon, gpu_f32(prompt)?, table, sizes)
        }
    }
}

/// `x / sqrt(mean(x^2) + epsilon) * weight` over the last axis of `x [B, L, C]`.
pub fn rms_norm(x: Tensor<3>, weight: Tensor<1>, epsilon: f64) -> Tensor<3> {
    or_count("rms norm", rms_norm_launch(&x, &weight, epsilon)).unwrap_or_else(|| {
        let shape = x.dims();
        reference::norm::rms_norm(x, epsilon) * broadcast(weight, shape)
    })
}

fn rms_norm_launch(x: &Tensor<3>, weight: &Tensor<1>, epsilon: f64) -> Result<Tensor<3>, NoKernel> {
    let sizes = vec![("CHANNELS", x.dims()[2])];
    let workgroup_size = reduction_workgroup_size(WORKGROUP_SIZE);
    row_norm(workgroup_size, x, false, epsilon, gpu_f32(weight)?, None, sizes)
}

/// `sizes` beyond the channels are those of a modulation.
fn row_norm(
    workgroup_size: u32,
    x: &Tensor<3>,
    centered: bool,
    epsilon: f64,
    first: CubeTensor,
    second: Option<CubeTensor>,
    sizes: Constants,
) -> Result<Tensor<3>, NoKernel> {
    let [b, l, c] = x.dims();
    let x = gpu_f32(x)?;
    check_rows(b * l)?;
    let y = allocate(&x, [b, l, c]);
    let adaptive = sizes.len() > 1;
    let shader = Shader {
        source: wgsl!("norm/layer_norm.wgsl"),
        constants: vec![
            ("EPSILON", float_bits(epsilon)),
            ("CENTERED", usize::from(centered)),
            ("AFFINE", usize::from(!adaptive)),
            ("ADAPTIVE", usize::from(adaptive)),
            ("SECOND", usize::from(second.is_some())),
        ],
        sizes,
        workgroup_size,
    };
    let buffers: Vec<&CubeTensor> = [&x, &y, &first].into_iter().chain(&second).collect();
    shader.launch([b * l, 1, 1], &buffers);
    Ok(Tensor::from_primitive::<Cube>(y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::Tolerance;

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
                for workgroup_size in [4, WORKGROUP_SIZE] {
                    let found = layer_norm_with(workgroup_size, &wgpu.0, 1e-6, &wgpu.1).expect("a kernel");
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
            let found = rms_norm_launch(&wgpu.0, &wgpu.1, 1e-6).expect("a kernel");
            let expected = rms_norm(flex.0, flex.1, 1e-6);
            found
                .into_data()
                .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
        }
    }
}
