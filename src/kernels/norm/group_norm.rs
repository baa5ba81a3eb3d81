//! Group norm with SiLU on the GPU.

use super::group_norm_backward::group_norm_silu_with_autodiff;
use super::launch::{apply, check_rows, statistics};
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{NoKernel, gpu_f32};
use crate::kernels::{cpu, reference};
use burn::tensor::Tensor;
use burn_cubecl::Cube;

/// `silu(GN(x) weight + bias)` for `x [B, C, H, W]` in `groups` groups of channels, weight and bias `[C]`.
pub fn group_norm_silu(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, groups: usize, epsilon: f64) -> Tensor<4> {
    let launched = or_count("group norm", launch(&x, &weight, &bias, groups, epsilon));
    let launched = launched.or_else(|| {
        let launched = group_norm_silu_with_autodiff(&x, &weight, &bias, groups, epsilon);
        or_count("group norm under autodiff", launched)
    });
    launched.unwrap_or_else(|| {
        let plain = |x| reference::norm::group_norm_silu(x, weight.clone(), bias.clone(), groups, epsilon);
        cpu::group_norm_silu(x, &weight, &bias, groups, epsilon, plain)
    })
}

/// [`reference::norm::group_statistics`].
pub fn group_statistics(x: Tensor<4>, groups: usize, epsilon: f64) -> Tensor<3> {
    let [b, _, _, _] = x.dims();
    match or_count("group norm statistics", gpu_f32(&x)) {
        Some(x) => Tensor::<2>::from_primitive::<Cube>(statistics(&x, groups, epsilon)).reshape([b, groups, 2]),
        None => reference::norm::group_statistics(x, groups, epsilon),
    }
}

/// As [`group_norm_silu`] with statistics `[B, G, 2]` as of [`group_statistics`].
pub fn normalized_silu(x: Tensor<4>, statistics: Tensor<3>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<4> {
    let ([b, c, _, _], [_, groups, _]) = (x.dims(), statistics.dims());
    let launch = || {
        let (x, statistics) = (gpu_f32(&x)?, gpu_f32(&statistics)?);
        let (weight, bias) = (gpu_f32(&weight)?, gpu_f32(&bias)?);
        check_rows(b * c)?;
        Ok(apply(&x, &statistics, &weight, &bias, groups))
    };
    match or_count("group norm", launch()) {
        Some(y) => Tensor::from_primitive::<Cube>(y),
        None => reference::norm::normalized_silu(x, statistics, weight, bias),
    }
}

fn launch(
    x: &Tensor<4>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    groups: usize,
    epsilon: f64,
) -> Result<Tensor<4>, NoKernel> {
    let [b, c, _, _] = x.dims();
    let (x, weight, bias) = (gpu_f32(x)?, gpu_f32(weight)?, gpu_f32(bias)?);
    check_rows(b * c)?;
    let statistics = statistics(&x, groups, epsilon);
    let y = apply(&x, &statistics, &weight, &bias, groups);
    Ok(Tensor::from_primitive::<Cube>(y))
}

#[cfg(test)]
mod tests {
    use super::super::launch::{LARGE_WORKGROUP_SIZE, WORKGROUP_SIZE, statistics_with};
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
            let found = launch(&wgpu.0, &wgpu.1, &wgpu.2, groups, 1e-6).expect("a kernel");
            let statistics = [&flex.0, &wgpu.0].map(|x| group_statistics(x.clone(), groups, 1e-6));
            for workgroup_size in [WORKGROUP_SIZE, LARGE_WORKGROUP_SIZE] {
                let on_gpu = statistics_with(workgroup_size, &gpu_f32(&wgpu.0).expect("a kernel"), groups, 1e-6);
                let on_gpu = Tensor::<2>::from_primitive::<Cube>(on_gpu).into_data();
                let expected = statistics[0].clone().reshape([batch * groups, 2]).into_data();
                on_gpu.assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-3));
            }
            let [on_flex, on_wgpu] = statistics;
            let apart = normalized_silu(wgpu.0, on_wgpu, wgpu.1, wgpu.2).into_data();
            let flex_apart = normalized_silu(flex.0.clone(), on_flex, flex.1.clone(), flex.2.clone());
            let expected = group_norm_silu(flex.0, flex.1, flex.2, groups, 1e-6).into_data();
            for found in [found.into_data(), apart, flex_apart.into_data()] {
                found.assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-4));
            }
        }
    }
}
