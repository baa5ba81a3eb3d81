//! The convolution for inference: with its bias and residual, and an enlarged input, in one dispatch.

use super::sides::Sides;
use super::variant::{ConvolutionVariant, Tile};
use crate::kernels::reference::resize::nearest2x;
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{NoKernel, Shader, Variant, allocate, gpu_f32};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// Workgroup size of the variants in registers.
const WORKGROUP_SIZE: usize = 32;
/// Invocations of a side of a tile in workgroup memory.
const SIDE: usize = 8;

/// What is computed in the same dispatch, before the convolution and after it.
#[derive(Clone, Default)]
pub struct Fused {
    /// One number per output channel.
    pub bias: Option<Tensor<1>>,
    /// Added to the result, whose shape it has; only with a bias.
    pub residual: Option<Tensor<4>>,
    /// Every pixel of the input stands for four, so that height and width double.
    pub upsampled: bool,
}

/// `x [B, C, H, W]` and `weight [O, C, k, k]`, odd k, zero padding of half the kernel, to `[B, O, H, W]`, or twice height and
/// width if upsampled.
///
/// None where no kernel runs, that is off the GPU and under automatic differentiation, which has
/// [`convolution_with_autodiff`](super::convolution_with_autodiff).
pub fn convolution(x: &Tensor<4>, weight: &Tensor<4>, fused: &Fused) -> Option<Tensor<4>> {
    let chosen = ConvolutionVariant::chosen();
    let variant = if chosen.fits(x, weight, fused.upsampled) {
        chosen
    } else {
        ConvolutionVariant::ALL[0]
    };
    or_count("convolution", convolution_with(variant, x, weight, fused))
}

impl ConvolutionVariant {
    /// Whether it computes a convolution of this size; the first of all variants computes every one.
    pub fn fits(self, x: &Tensor<4>, weight: &Tensor<4>, upsampled: bool) -> bool {
        let ([_, channels, _, width], [_, _, kernel, _]) = (x.dims(), weight.dims());
        let width = if upsampled { 2 * width } else { width };
        match self.tile {
            Tile::Registers { .. } => true,
            Tile::WorkgroupMemory { .. } => (channels * kernel * kernel).is_multiple_of(4) && width.is_multiple_of(4),
        }
    }
}

/// As [`convolution`] with one kernel variant.
pub fn convolution_with(
    variant: ConvolutionVariant,
    x: &Tensor<4>,
    weight: &Tensor<4>,
    fused: &Fused,
) -> Result<Tensor<4>, NoKernel> {
    let fits = variant.fits(x, weight, fused.upsampled);
    let (x, weight) = (gpu_f32(x)?, gpu_f32(weight)?);
    if fused.residual.is_some() && fused.bias.is_none() {
        return Err(NoKernel::Unfit("residual without a bias"));
    }
    if !fits {
        return Err(NoKernel::Unfit("width or inputs are no multiple of 4"));
    }
    let bias = fused.bias.as_ref().map(gpu_f32).transpose()?;
    let residual = fused.residual.as_ref().map(gpu_f32).transpose()?;
    let (bias, residual) = (bias.as_ref(), residual.as_ref());
    let y = match variant.tile {
        Tile::Registers { channels } => registers(channels, &x, &weight, false, fused.upsampled, bias, residual),
        Tile::WorkgroupMemory { vec4s } => tiles(vec4s, &x, &weight, fused.upsampled, bias, residual),
    };
    Ok(Tensor::from_primitive::<Cube>(y))
}

/// The reference implementation.
pub fn convolution_reference(x: Tensor<4>, weight: Tensor<4>, fused: Fused) -> Tensor<4> {
    let [_, _, kernel, _] = weight.dims();
    let x = if fused.upsampled { nearest2x(x) } else { x };
    let y = conv2d(
        x,
        weight,
        fused.bias,
        ConvOptions::new([1; 2], [kernel / 2; 2], [1; 2], 1),
    );
    match fused.residual {
        Some(residual) => y + residual,
        None => y,
    }
}

fn tiles(
    vec4s: usize,
    x: &CubeTensor,
    weight: &CubeTensor,
    upsampled: bool,
    bias: Option<&CubeTensor>,
    residual: Option<&CubeTensor>,
) -> CubeTensor {
    let (shape, weights) = (x.meta.shape(), weight.meta.shape());
    let up = 1 + usize::from(upsampled);
    let (batch, channels, height, width) = (shape[0], shape[1], shape[2] * up, shape[3] * up);
    let (out, kernel) = (weights[0], weights[2]);
    let y = allocate(x, [batch, out, height, width]);
    let shader = Shader {
        source: wgsl!("convolution/convolution_tiles.wgsl"),
        constants: vec![
            ("UP", up),
            ("KERNEL", kernel),
            ("ROWS", vec4s),
            ("COLUMNS", vec4s),
            ("ACROSS", SIDE),
            ("DOWN", SIDE),
            ("BIAS", usize::from(bias.is_some())),
            ("RESIDUAL", usize::from(residual.is_some())),
        ],
        sizes: vec![
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("OUT", out),
        ],
        workgroup_size: (SIDE * SIDE) as u32,
    };
    let workgroups = [
        (height * width / 4).div_ceil(vec4s * SIDE),
        out.div_ceil(4 * vec4s * SIDE),
        batch,
    ];
    let buffers: Vec<&CubeTensor> = [x, weight, &y].into_iter().chain(bias).chain(residual).collect();
    shader.launch(workgroups, &buffers);
    y
}

/// Every invocation by itself, for so many output channels at most. `transposed`: the gradient of an input from the gradient of
/// an output, which is the convolution with the flipped kernel whose inputs and outputs change places.
pub(super) fn registers(
    most: usize,
    x: &CubeTensor,
    weight: &CubeTensor,
    transposed: bool,
    upsampled: bool,
    bias: Option<&CubeTensor>,
    residual: Option<&CubeTensor>,
) -> CubeTensor {
    let (shape, kernel) = (x.meta.shape(), weight.meta.shape()[2]);
    let up = 1 + usize::from(upsampled);
    let (batch, height, width) = (shape[0], shape[2] * up, shape[3] * up);
    let sides = Sides::of(weight, transposed);
    let y = allocate(x, [batch, sides.out, height, width]);
    // Output channels and neighbours in a row that an invocation computes.
    let (outputs, pixels) = (most.min(sides.out), if width < 8 { 4 } else { 8 });
    let tiles = height * width.div_ceil(pixels);
    let shader = Shader {
        source: wgsl!("convolution/convolution_registers.wgsl"),
        constants: vec![
            ("UP", up),
            ("KERNEL", kernel),
            ("FLIPPED", usize::from(transposed)),
            ("OUTPUTS", outputs),
            ("PIXELS", pixels),
            ("SPAN", pixels + kernel - 1),
            ("BIAS", usize::from(bias.is_some())),
            ("RESIDUAL", usize::from(residual.is_some())),
        ],
        sizes: vec![
            ("CHANNELS", sides.channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("OUT", sides.out),
            ("OUT_STRIDE", sides.out_stride),
            ("IN_STRIDE", sides.in_stride),
        ],
        workgroup_size: WORKGROUP_SIZE as u32,
    };
    let buffers: Vec<&CubeTensor> = [x, weight, &y].into_iter().chain(bias).chain(residual).collect();
    let workgroups = [tiles.div_ceil(WORKGROUP_SIZE), sides.out.div_ceil(outputs), batch];
    shader.launch(workgroups, &buffers);
    y
}
