//! Convolutions that keep the size, on graphics devices, and their gradients.
//!
//! burn without automatic tuning reads every input from global memory for every output, and takes as gradient of a weight a
//! convolution with a kernel as large as the image.

use super::linear::Way;
use super::shader::{Shader, fits, in_use, on_graphics, room, staged};
use super::tuning;
use crate::model::resize::nearest2x;
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn_cubecl::Cube;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Channels that an invocation of [`weight_gradient`] computes.
const OUTPUTS: usize = 8;
/// Invocations of a workgroup.
const LANES: usize = 32;
/// Invocations of a workgroup that stages tiles.
const STAGING: usize = 256;
/// Outputs of a tile, and how many times as many pixels or weights.
const TILE: usize = 64;
const ACROSS: usize = 2;
/// Workgroups that keep a large card busy; fewer are made more by splitting the pixels of a sum.
const GROUPS: usize = 512;
/// Pixels that a tile takes in at once.
const DEPTH: usize = 16;
/// Most sums of weights [`weight_gradient`] makes before it adds them up: 32 MiB.
const SUMS: usize = 8 << 20;

/// What follows the sum over channels and places, or comes before it.
#[derive(Clone, Default)]
pub struct Around {
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
/// None where no shader fits, that is off graphics devices and under automatic differentiation, which has [`trained`].
pub fn convolution(x: &Tensor<4>, weight: &Tensor<4>, around: &Around) -> Option<Tensor<4>> {
    convolution_by(tuning::convolution_way(), x, weight, around)
}

/// As [`convolution`] by one way.
pub fn convolution_by(way: Way, x: &Tensor<4>, weight: &Tensor<4>, around: &Around) -> Option<Tensor<4>> {
    let (x, weight) = (on_graphics(x)?, on_graphics(weight)?);
    let bias = around.bias.as_ref().and_then(on_graphics);
    let residual = around.residual.as_ref().and_then(on_graphics);
    let missing = around.bias.is_some() != bias.is_some() || around.residual.is_some() != residual.is_some();
    if missing || (residual.is_some() && bias.is_none()) {
        return None;
    }
    let (bias, residual) = (bias.as_ref(), residual.as_ref());
    let y = tiled(way, &x, &weight, around.upsampled, bias, residual);
    let y = y.unwrap_or_else(|| forward(way, &x, &weight, false, around.upsampled, bias, residual));
    Some(Tensor::from_primitive::<Cube>(y))
}

/// The same in burn's operations.
pub fn twin(x: Tensor<4>, weight: Tensor<4>, around: Around) -> Tensor<4> {
    let [_, _, kernel, _] = weight.dims();
    let x = if around.upsampled { nearest2x(x) } else { x };
    let y = conv2d(
        x,
        weight,
        around.bias,
        ConvOptions::new([1; 2], [kernel / 2; 2], [1; 2], 1),
    );
    match around.residual {
        Some(residual) => y + residual,
        None => y,
    }
}

/// The same under automatic differentiation for 3 x 3 kernels, without anything around it. None where no shader fits.
pub fn trained(x: &Tensor<4>, weight: &Tensor<4>) -> Option<Tensor<4>> {
    let [_, _, kernel, _] = weight.dims();
    let tracked = |x: &Tensor<4>| x.clone().try_into_primitive::<Autodiff<Cube>>().ok();
    let (x, weight) = (tracked(x)?, tracked(weight)?);
    if !in_use() || kernel != 3 || !fits(x.primitive()) || !fits(weight.primitive()) {
        return None;
    }
    let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
    let (x, weight) = (into_contiguous(x), into_contiguous(weight));
    let y = trained_forward(&x, &weight, false);
    let prepared = Convolution.prepare::<NoCheckpointing>([x_node, weight_node]);
    let y = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((x, weight), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    };
    Some(Tensor::from_primitive::<Autodiff<Cube>>(y))
}

/// The step back through [`trained`].
#[derive(Debug)]
struct Convolution;

impl Backward<Cube, 2> for Convolution {
    /// Input and weight.
    type State = (CubeTensor, CubeTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, weight) = ops.state;
        binary::<Cube, _, _>(
            ops.parents,
            ops.node,
            grads,
            |g| trained_forward(&into_contiguous(g), &weight, true),
            |g| match staged() {
                true => weight_gradient_tiled(&x, &into_contiguous(g)),
                false => weight_gradient(x, into_contiguous(g)),
            },
        );
    }
}

fn trained_forward(x: &CubeTensor, weight: &CubeTensor, turned: bool) -> CubeTensor {
    match staged() {
        true => forward_tiled(x, weight, turned),
        false => forward(tuning::convolution_way(), x, weight, turned, false, None, None),
    }
}

/// [`forward`] of a 3 x 3 kernel for many pixels, with tiles in the memory of a workgroup.
fn forward_tiled(x: &CubeTensor, weight: &CubeTensor, turned: bool) -> CubeTensor {
    let (shape, weights) = (x.meta.shape(), weight.meta.shape());
    let (batch, height, width) = (shape[0], shape[2], shape[3]);
    let (from, to, strides) = (weights[1], weights[0], [weights[1] * 9, 9]);
    let ([channels, out], [out_stride, in_stride]) = match turned {
        false => ([from, to], strides),
        true => ([to, from], [strides[1], strides[0]]),
    };
    let pixels = batch * height * width;
    let y = room(x, [batch, out, height, width]);
    let shader = Shader {
        name: "convolution_tiled",
        source: include_str!("../../shaders/convolution_tiled.wgsl"),
        constants: vec![
            ("QN", ACROSS),
            ("STEPS", DEPTH * TILE * ACROSS / STAGING),
            ("LINES", STAGING / (TILE * ACROSS)),
            ("FORWARD", usize::from(!turned)),
            ("TURNED", usize::from(turned)),
        ],
        sizes: vec![
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("OUT", out),
            ("OUT_STRIDE", out_stride),
            ("IN_STRIDE", in_stride),
            ("PIXELS", pixels),
        ],
        lanes: STAGING as u32,
    };
    shader.launch(
        [pixels.div_ceil(TILE * ACROSS), out.div_ceil(TILE), 1],
        &[x, weight, &y],
    );
    y
}

/// [`weight_gradient`] for many pixels, with tiles in the memory of a workgroup.
fn weight_gradient_tiled(x: &CubeTensor, g: &CubeTensor) -> CubeTensor {
    let (shape, out) = (x.meta.shape(), g.meta.shape()[1]);
    let (batch, channels, height, width) = (shape[0], shape[1], shape[2], shape[3]);
    let pixels = batch * height * width;
    let tiles = [(9 * channels).div_ceil(TILE * ACROSS), out.div_ceil(TILE)];
    let wanted = GROUPS.div_ceil(tiles[0] * tiles[1]).min(pixels.div_ceil(8 * DEPTH));
    let part = pixels.div_ceil(wanted).next_multiple_of(DEPTH);
    let parts = pixels.div_ceil(part);
    let sums = room(x, [parts, out, channels, 3, 3]);
    let shader = Shader {
        name: "convolution_weights_tiled",
        source: include_str!("../../shaders/convolution_weights_tiled.wgsl"),
        constants: vec![("QN", ACROSS), ("LOADS", 4 * ACROSS)],
        sizes: vec![
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("OUT", out),
            ("PIXELS", pixels),
            ("PART", part),
        ],
        lanes: STAGING as u32,
    };
    shader.launch([tiles[0], tiles[1], parts], &[x, g, &sums]);
    primitive(Tensor::<5>::from_primitive::<Cube>(sums).sum_dim(0).squeeze_dim::<4>(0))
}

/// By workgroups that stage what they read; none where the way or the sizes are others.
fn tiled(
    way: Way,
    x: &CubeTensor,
    weight: &CubeTensor,
    upsampled: bool,
    bias: Option<&CubeTensor>,
    residual: Option<&CubeTensor>,
) -> Option<CubeTensor> {
    let each = match way {
        Way::Tiles => 1,
        Way::WideTiles => 2,
        Way::Registers | Way::WideRegisters | Way::Few => return None,
    };
    let (shape, weights) = (x.meta.shape(), weight.meta.shape());
    let up = 1 + usize::from(upsampled);
    let (batch, channels, height, width) = (shape[0], shape[1], shape[2] * up, shape[3] * up);
    let (out, kernel) = (weights[0], weights[2]);
    if !(channels * kernel * kernel).is_multiple_of(4) || !width.is_multiple_of(4) {
        return None;
    }
    let y = room(x, [batch, out, height, width]);
    let side = 8;
    let shader = Shader {
        name: "convolution_tiles",
        source: include_str!("../../shaders/convolution_tiles.wgsl"),
        constants: vec![
            ("UP", up),
            ("KERNEL", kernel),
            ("ROWS", each),
            ("COLUMNS", each),
            ("ACROSS", side),
            ("DOWN", side),
            ("BIAS", usize::from(bias.is_some())),
            ("RESIDUAL", usize::from(residual.is_some())),
        ],
        sizes: vec![
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("OUT", out),
        ],
        lanes: (side * side) as u32,
    };
    let groups = [
        (height * width / 4).div_ceil(each * side),
        out.div_ceil(4 * each * side),
        batch,
    ];
    let buffers: Vec<&CubeTensor> = [x, weight, &y].into_iter().chain(bias).chain(residual).collect();
    shader.launch(groups, &buffers);
    Some(y)
}

/// Every invocation by itself. `turned`: the gradient of an input from the gradient of an output, which is the convolution with the turned kernel whose
/// inputs and outputs change places.
fn forward(
    way: Way,
    x: &CubeTensor,
    weight: &CubeTensor,
    turned: bool,
    upsampled: bool,
    bias: Option<&CubeTensor>,
    residual: Option<&CubeTensor>,
) -> CubeTensor {
    let (shape, weights) = (x.meta.shape(), weight.meta.shape());
    let up = 1 + usize::from(upsampled);
    let (batch, height, width) = (shape[0], shape[2] * up, shape[3] * up);
    let (from, to, kernel) = (weights[1], weights[0], weights[2]);
    let strides = [from * kernel * kernel, kernel * kernel];
    let ([channels, out], [out_stride, in_stride]) = match turned {
        false => ([from, to], strides),
        true => ([to, from], [strides[1], strides[0]]),
    };
    let y = room(x, [batch, out, height, width]);
    // Channels and neighbours in a row that an invocation computes. 16 x 16 would be a quarter quicker on a software adapter and
    // compile twice as long.
    let most = if way == Way::WideRegisters { 16 } else { 8 };
    let (outputs, pixels) = (most.min(out), if width < 8 { 4 } else { 8 });
    let tiles = height * width.div_ceil(pixels);
    let shader = Shader {
        name: "convolution",
        source: include_str!("../../shaders/convolution.wgsl"),
        constants: vec![
            ("UP", up),
            ("KERNEL", kernel),
            ("TURNED", usize::from(turned)),
            ("OUTPUTS", outputs),
            ("PIXELS", pixels),
            ("SPAN", pixels + kernel - 1),
            ("BIAS", usize::from(bias.is_some())),
            ("RESIDUAL", usize::from(residual.is_some())),
        ],
        sizes: vec![
            ("CHANNELS", channels),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("OUT", out),
            ("OUT_STRIDE", out_stride),
            ("IN_STRIDE", in_stride),
        ],
        lanes: LANES as u32,
    };
    let buffers: Vec<&CubeTensor> = [x, weight, &y].into_iter().chain(bias).chain(residual).collect();
    shader.launch([tiles.div_ceil(LANES), out.div_ceil(outputs), batch], &buffers);
    y
}

/// The gradient `[O, C, 3, 3]` from the input `x [B, C, H, W]` and the gradient of the output `g [B, O, H, W]`.
fn weight_gradient(x: CubeTensor, g: CubeTensor) -> CubeTensor {
    let (shape, out) = (x.meta.shape().clone(), g.meta.shape()[1]);
    let (batch, channels) = (shape[0], shape[1]);
    let parts = (SUMS / (out * channels * 9)).clamp(1, batch);
    let images = batch.div_ceil(parts);
    let parts = batch.div_ceil(images);
    let channels_last = Tensor::<4>::from_primitive::<Cube>(x).permute([0, 2, 3, 1]);
    let x = into_contiguous(primitive(channels_last));
    let sums = room(&x, [parts, out, channels, 3, 3]);
    let outputs = OUTPUTS.min(out);
    let shader = Shader {
        name: "convolution_weights",
        source: include_str!("../../shaders/convolution_weights.wgsl"),
        constants: vec![("OUTPUTS", outputs)],
        sizes: vec![
            ("BATCH", batch),
            ("IMAGES", images),
            ("CHANNELS", channels),
            ("HEIGHT", shape[2]),
            ("WIDTH", shape[3]),
            ("OUT", out),
        ],
        lanes: LANES as u32,
    };
    shader.launch(
        [channels.div_ceil(LANES), out.div_ceil(outputs), parts],
        &[&x, &g, &sums],
    );
    primitive(Tensor::<5>::from_primitive::<Cube>(sums).sum_dim(0).squeeze_dim::<4>(0))
}

/// A tensor that was made of one of [`Cube`].
fn primitive(x: Tensor<4>) -> CubeTensor {
    x.try_into_primitive::<Cube>()
        .unwrap_or_else(|error| unreachable!("operations stay on their device: {error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::{TensorData, Tolerance};

    const SHAPES: [(usize, usize, usize, usize, usize); 8] = [
        (1, 8, 70, 6, 8),
        (2, 68, 36, 4, 20),
        (1, 3, 16, 8, 8),
        (2, 16, 20, 5, 7),
        (1, 8, 3, 1, 9),
        (3, 5, 12, 16, 24),
        (2, 9, 70, 3, 1),
        (1, 130, 8, 12, 13),
    ];

    #[test]
    fn shader_and_twin_agree() {
        for (batch, inputs, outputs, h, w) in SHAPES {
            for (kernel, upsampled, extras) in [(3, false, 0), (3, true, 1), (1, false, 2), (3, false, 2)] {
                let up = 1 + usize::from(upsampled);
                let [flex, wgpu] = golden::devices().map(|(_, device)| {
                    let x = values([batch, inputs, h, w], &device);
                    let weight = values([outputs, inputs, kernel, kernel], &device);
                    let around = Around {
                        bias: (extras > 0).then(|| values([outputs], &device)),
                        residual: (extras > 1).then(|| values([batch, outputs, up * h, up * w], &device)),
                        upsampled,
                    };
                    (x, weight, around)
                });
                assert!(convolution(&flex.0, &flex.1, &flex.2).is_none());
                let expected = twin(flex.0, flex.1, flex.2).into_data();
                for way in [Way::Registers, Way::WideRegisters, Way::Tiles, Way::WideTiles] {
                    let found = convolution_by(way, &wgpu.0, &wgpu.1, &wgpu.2).expect("a shader");
                    found
                        .into_data()
                        .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-3));
                }
            }
        }
    }

    #[test]
    fn gradients_are_those_of_the_twin() {
        for (batch, inputs, outputs, h, w) in SHAPES {
            let [flex, wgpu] = golden::devices().map(|(name, device)| {
                let device = device.autodiff();
                let x = values([batch, inputs, h, w], &device).require_grad();
                let weight = values([outputs, inputs, 3, 3], &device).require_grad();
                let y = match name {
                    "flex" => twin(x.clone(), weight.clone(), Around::default()),
                    _ => trained(&x, &weight).expect("a shader"),
                };
                let grads = (y.clone() * values(y.dims(), &device)).sum().backward();
                [y.inner(), x.grad(&grads).unwrap(), weight.grad(&grads).unwrap()].map(Tensor::into_data)
            });
            for (found, expected) in wgpu.iter().zip(&flex) {
                found.assert_approx_eq::<f32>(expected, Tolerance::absolute(2e-3));
            }
        }
    }

    #[test]
    fn tiles_and_their_sums_are_the_same() {
        let [_, (_, device)] = golden::devices();
        for (batch, inputs, outputs, h, w) in SHAPES {
            let x = values([batch, inputs, h, w], &device);
            let weight = values([outputs, inputs, 3, 3], &device);
            let g = values([batch, outputs, h, w], &device) * 0.8;
            let [x, weight, g] = [x, weight, g].map(primitive);
            let pairs = [
                (
                    forward_tiled(&x, &weight, false),
                    forward(Way::Registers, &x, &weight, false, false, None, None),
                ),
                (
                    forward_tiled(&g, &weight, true),
                    forward(Way::Registers, &g, &weight, true, false, None, None),
                ),
                (weight_gradient_tiled(&x, &g), weight_gradient(x, g)),
            ];
            for (tiled, plain) in pairs {
                let [tiled, plain] = [tiled, plain].map(|y| Tensor::<4>::from_primitive::<Cube>(y).into_data());
                tiled.assert_approx_eq::<f32>(&plain, Tolerance::rel_abs(1e-4, 2e-3));
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let [_, (_, device)] = golden::devices();
        let device = device.autodiff();
        let (shape, weights) = ([2, 3, 5, 6], [4, 3, 3, 3]);
        let probe = values([2, 4, 5, 6], &device);
        let loss = |x: &Tensor<4>, weight: &Tensor<4>| (trained(x, weight).unwrap() * probe.clone()).sum();
        let x = values(shape, &device).require_grad();
        let weight = values(weights, &device).require_grad();
        let grads = loss(&x, &weight).backward();
        let nudged = |x: &Tensor<4>, at: usize, by: f32| {
            let data = x.clone().inner().into_data();
            let mut numbers = data.try_to_vec::<f32>().unwrap();
            numbers[at] += by;
            Tensor::<4>::from_data(TensorData::new(numbers, x.dims()), &device)
        };
        let scalar = |x: Tensor<1>| x.inner().into_scalar::<f32>();
        for at in [0, 17, 41, 100] {
            let grad = x.grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap()[at];
            let [up, down] = [0.5, -0.5].map(|by| scalar(loss(&nudged(&x, at, by), &weight)));
            assert!((up - down - grad).abs() < 1e-3, "input {at}: {} {grad}", up - down);
            let grad = weight.grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap()[at];
            let [up, down] = [0.5, -0.5].map(|by| scalar(loss(&x, &nudged(&weight, at, by))));
            assert!((up - down - grad).abs() < 1e-3, "weight {at}: {} {grad}", up - down);
        }
    }
}
