//! The codes of a scale, added to the running sum.

use crate::kernels::reference::bits::{codes, from_tokens};
use crate::kernels::reference::grid::Grid;
use crate::kernels::reference::resize::Resize;
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{ELEMENTWISE, NoKernel, Shader, allocate, float_bits, gpu_f32, gpu_int};
use burn::tensor::{Int, Tensor};
use burn_cubecl::Cube;

/// `F_k`: the codes of `bits [B, L, d]`, of length `scale` a component, grown and added to `sum [B, C, H, W]`; `grid` is that of the
/// tokens, which stand for one latent position each, or four.
pub fn add_codes(sum: Tensor<4>, bits: &Tensor<3, Int>, grid: Grid, patched: bool, scale: f64) -> Tensor<4> {
    let launched = or_count("add codes", launch(&sum, bits, grid, patched, scale));
    launched.unwrap_or_else(|| reference(sum, bits, grid, patched, scale))
}

fn reference(sum: Tensor<4>, bits: &Tensor<3, Int>, grid: Grid, patched: bool, scale: f64) -> Tensor<4> {
    let [_, _, height, width] = sum.dims();
    let grown = codes(from_tokens(bits.clone(), grid, patched), scale);
    sum + Resize::Bilinear.apply(grown, (height, width))
}

pub(super) fn launch(
    sum: &Tensor<4>,
    bits: &Tensor<3, Int>,
    (h, w): Grid,
    patched: bool,
    scale: f64,
) -> Result<Tensor<4>, NoKernel> {
    let [batch, channels, height, width] = sum.dims();
    let (before, tokens) = (gpu_f32(sum)?, gpu_int(bits)?);
    let after = allocate(&before, [batch, channels, height, width]);
    let positions = 1 + usize::from(patched);
    let shader = Shader {
        source: wgsl!("sampling/add_codes.wgsl"),
        constants: vec![],
        sizes: vec![
            ("BATCH", batch),
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("H_K", h * positions),
            ("W_K", w * positions),
            ("P", positions),
            ("SCALE", float_bits(scale)),
        ],
        workgroup_size: ELEMENTWISE,
    };
    let numbers = batch * channels * height * width;
    shader.launch_each(numbers, &[&before, &tokens, &after]);
    Ok(Tensor::from_primitive::<Cube>(after))
}
