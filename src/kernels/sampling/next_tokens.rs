//! The tokens of the next scale, from the running sum.

use crate::kernels::reference::grid::Grid;
use crate::kernels::reference::resize::{Resize, patchify};
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{ELEMENTWISE, NoKernel, Shader, allocate, gpu_f32};
use burn::tensor::Tensor;
use burn_cubecl::Cube;

/// Tokens `[times B, L, d]` of `F~_k` from `F_k [B, C, H, W]` for a next scale of `grid` latent positions, `times` over.
pub fn next_tokens(sum: &Tensor<4>, grid: Grid, patched: bool, times: usize) -> Tensor<3> {
    let launched = or_count("next tokens", launch(sum, grid, patched, times));
    launched.unwrap_or_else(|| reference(sum, grid, patched, times))
}

fn reference(sum: &Tensor<4>, grid: Grid, patched: bool, times: usize) -> Tensor<3> {
    let next = Resize::Bilinear.apply(sum.clone(), grid);
    let next = if patched { patchify(next) } else { next };
    let tokens = next.flatten::<3>(2, 3).swap_dims(1, 2);
    match times {
        1 => tokens,
        _ => Tensor::cat(vec![tokens; times], 0),
    }
}

pub(super) fn launch(sum: &Tensor<4>, (h, w): Grid, patched: bool, times: usize) -> Result<Tensor<3>, NoKernel> {
    let [batch, channels, height, width] = sum.dims();
    let sum = gpu_f32(sum)?;
    let positions = 1 + usize::from(patched);
    let each = positions * positions;
    let tokens = allocate(&sum, [times * batch, h * w / each, channels * each]);
    let shader = Shader {
        source: wgsl!("sampling/next_tokens.wgsl"),
        constants: vec![],
        sizes: vec![
            ("BATCH", batch),
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("H_K", h),
            ("W_K", w),
            ("P", positions),
            ("TIMES", times),
        ],
        workgroup_size: ELEMENTWISE,
    };
    let numbers = times * batch * channels * h * w;
    shader.launch_each(numbers, &[&sum, &tokens]);
    Ok(Tensor::from_primitive::<Cube>(tokens))
}
