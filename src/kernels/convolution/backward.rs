//! The 3 x 3 convolution under automatic differentiation, and its gradients.

use super::forward::registers;
use super::sides::Sides;
use super::variant::{ConvolutionVariant, Tile};
use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{
    NoKernel, Shader, allocate, gpu_f32_with_autodiff, has_fast_workgroup_memory, primitive,
};
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary};
use burn::tensor::Tensor;
use burn_cubecl::Cube;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Output channels of an invocation of [`weight_gradient`], and its workgroup size.
const OUTPUTS: usize = 8;
const WORKGROUP_SIZE: usize = 32;
/// Workgroup size of the kernels with tiles in workgroup memory, whose tile has `TILE` outputs and `TILES` times as many pixels
/// or weights, and takes in `DEPTH` terms of a sum at once.
const GEMM_WORKGROUP_SIZE: usize = 256;
const TILE: usize = 64;
const TILES: usize = 2;
const DEPTH: usize = 16;
/// Workgroups that keep a large GPU busy; fewer are made more by splitting the pixels of a sum.
const BUSY: usize = 512;
/// Most sums of weights that [`weight_gradient`] makes before it adds them up: 32 MiB.
const SUMS: usize = 8 << 20;

/// As [`convolution`](super::convolution) under automatic differentiation for 3 x 3 kernels, with nothing fused. None where no
/// kernel runs.
pub fn convolution_with_autodiff(x: &Tensor<4>, weight: &Tensor<4>) -> Option<Tensor<4>> {
    or_count("convolution under autodiff", launch(x, weight))
}

fn launch(x: &Tensor<4>, weight: &Tensor<4>) -> Result<Tensor<4>, NoKernel> {
    let [_, _, kernel, _] = weight.dims();
    let ((x, x_node), (weight, weight_node)) = (gpu_f32_with_autodiff(x)?, gpu_f32_with_autodiff(weight)?);
    if kernel != 3 {
        return Err(NoKernel::Unfit("kernel is not 3 x 3"));
    }
    let y = forward(&x, &weight, false);
    let prepared = ConvolutionBackward.prepare::<NoCheckpointing>([x_node, weight_node]);
    let y = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((x, weight), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    };
    Ok(Tensor::from_primitive::<Autodiff<Cube>>(y))
}

/// The backward pass of [`convolution_with_autodiff`].
#[derive(Debug)]
struct ConvolutionBackward;

impl Backward<Cube, 2> for ConvolutionBackward {
    /// Input and weight.
    type State = (CubeTensor, CubeTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, weight) = ops.state;
        binary::<Cube, _, _>(
            ops.parents,
            ops.node,
            grads,
            |g| forward(&into_contiguous(g), &weight, true),
            |g| match has_fast_workgroup_memory() {
                true => weight_gradient_gemm(&x, &into_contiguous(g)),
                false => weight_gradient(x, into_contiguous(g)),
            },
        );
    }
}

fn forward(x: &CubeTensor, weight: &CubeTensor, transposed: bool) -> CubeTensor {
    if has_fast_workgroup_memory() {
        return implicit_gemm(x, weight, transposed);
    }
    let channels = match ConvolutionVariant::chosen().tile {
        Tile::Registers { channels } => channels,
        Tile::WorkgroupMemory { .. } => 8,
    };
    registers(channels, x, weight, transposed, false, None, None)
}

/// The convolution with a 3 x 3 kernel, or the transposed one, for many pixels: tiles in workgroup memory.
pub(super) fn implicit_gemm(x: &CubeTensor, weight: &CubeTensor, transposed: bool) -> CubeTensor {
    let shape = x.meta.shape();
    let (batch, height, width) = (shape[0], shape[2], shape[3]);
    let sides = Sides::of(weight, transposed);
    let pixels = batch * height * width;
    let y = allocate(x, [batch, sides.out, height, width]);
    let shader = Shader {
        source: wgsl!("convolution/implicit_gemm.wgsl"),
        constants: vec![
            ("TILES_M", 1),
            ("TILES_N", TILES),
            ("DEPTH", DEPTH),
            ("LOADS", DEPTH * TILE * TILES / GEMM_WORKGROUP_SIZE),
            ("LINES", GEMM_WORKGROUP_SIZE / (TILE * TILES)),
            ("PLAIN", usize::from(!transposed)),
            ("FLIPPED", usize::from(transposed)),
        ],
        sizes: vec![
            ("CHANNELS", sides.channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("OUT", sides.out),
            ("OUT_STRIDE", sides.out_stride),
            ("IN_STRIDE", sides.in_stride),
            ("PIXELS", pixels),
        ],
        workgroup_size: GEMM_WORKGROUP_SIZE as u32,
    };
    let workgroups = [pixels.div_ceil(TILE * TILES), sides.out.div_ceil(TILE), 1];
    shader.launch(workgroups, &[x, weight, &y]);
    y
}

/// [`weight_gradient`] for many pixels: tiles in workgroup memory, and split-K over the pixels.
pub(super) fn weight_gradient_gemm(x: &CubeTensor, g: &CubeTensor) -> CubeTensor {
    let (shape, out) = (x.meta.shape(), g.meta.shape()[1]);
    let (batch, channels, height, width) = (shape[0], shape[1], shape[2], shape[3]);
    let pixels = batch * height * width;
    let tiles = [(9 * channels).div_ceil(TILE * TILES), out.div_ceil(TILE)];
    let wanted = BUSY.div_ceil(tiles[0] * tiles[1]).min(pixels.div_ceil(8 * DEPTH));
    let part = pixels.div_ceil(wanted).next_multiple_of(DEPTH);
    let parts = pixels.div_ceil(part);
    let sums = allocate(x, [parts, out, channels, 3, 3]);
    let shader = Shader {
        source: wgsl!("convolution/weight_gradient_gemm.wgsl"),
        constants: vec![
            ("TILES_M", 1),
            ("TILES_N", TILES),
            ("DEPTH", DEPTH),
            ("LOADS", 4 * TILES),
        ],
        sizes: vec![
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("OUT", out),
            ("PIXELS", pixels),
            ("PART", part),
        ],
        workgroup_size: GEMM_WORKGROUP_SIZE as u32,
    };
    shader.launch([tiles[0], tiles[1], parts], &[x, g, &sums]);
    primitive(Tensor::<5>::from_primitive::<Cube>(sums).sum_dim(0).squeeze_dim::<4>(0))
}

/// The gradient `[O, C, 3, 3]` from the input `x [B, C, H, W]` and the gradient of the output `g [B, O, H, W]`.
pub(super) fn weight_gradient(x: CubeTensor, g: CubeTensor) -> CubeTensor {
    let (shape, out) = (x.meta.shape().clone(), g.meta.shape()[1]);
    let (batch, channels) = (shape[0], shape[1]);
    let parts = (SUMS / (out * channels * 9)).clamp(1, batch);
    let images = batch.div_ceil(parts);
    let parts = batch.div_ceil(images);
    let channels_last = Tensor::<4>::from_primitive::<Cube>(x).permute([0, 2, 3, 1]);
    let x = into_contiguous(primitive(channels_last));
    let sums = allocate(&x, [parts, out, channels, 3, 3]);
    let outputs = OUTPUTS.min(out);
    let shader = Shader {
        source: wgsl!("convolution/weight_gradient.wgsl"),
        constants: vec![("OUTPUTS", outputs)],
        sizes: vec![
            ("BATCH", batch),
            ("IMAGES", images),
            ("CHANNELS", channels),
            ("HEIGHT", shape[2]),
            ("WIDTH", shape[3]),
            ("OUT", out),
        ],
        workgroup_size: WORKGROUP_SIZE as u32,
    };
    let workgroups = [channels.div_ceil(WORKGROUP_SIZE), out.div_ceil(outputs), parts];
    shader.launch(workgroups, &[&x, &g, &sums]);
    primitive(Tensor::<5>::from_primitive::<Cube>(sums).sum_dim(0).squeeze_dim::<4>(0))
}
