//! The differentiable matmul on the GPU: the layers' `x W^T + b` under automatic differentiation, and its gradients.
//!
//! burn without automatic tuning has one matmul, which does not tile its operands in workgroup memory, and reduces the rows of
//! a gradient in a single workgroup: for the 15,000 tokens of a batch that took longer than all matmuls.

use crate::kernels::runtime::fallbacks::or_count;
use crate::kernels::runtime::{
    NoKernel, Shader, allocate, gpu_f32_with_autodiff, has_fast_workgroup_memory, primitive,
};
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary, unary};
use burn::tensor::Tensor;
use burn_cubecl::Cube;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Invocations of a workgroup.
const WORKGROUP_SIZE: usize = 256;
/// Results of a tile, a side.
const TILE: usize = 64;
/// Workgroups that keep a large GPU busy; fewer are made more by splitting K.
const BUSY: usize = 256;
/// A part of K is no shorter than this.
const SHORTEST_PART: usize = 128;

/// `x [R, K]`, `weight [N, K]` and `bias [N]` to `x weight^T + bias [R, N]` under automatic differentiation.
pub fn linear_with_autodiff(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Result<Tensor<2>, NoKernel> {
    let ([rows, _], [outputs, _]) = (x.dims(), weight.dims());
    let ((x, x_node), (weight, weight_node)) = (gpu_f32_with_autodiff(x)?, gpu_f32_with_autodiff(weight)?);
    let y = matmul(&x, Layout::RowMajor, &weight, Layout::ColumnMajor);
    let prepared = MatmulBackward.prepare::<NoCheckpointing>([x_node, weight_node]);
    let y = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((x, weight), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    };
    let y = Tensor::<2>::from_primitive::<Autodiff<Cube>>(y);
    Ok(match bias {
        Some(bias) => y + broadcast(bias.clone(), [rows, outputs]),
        None => y,
    })
}

/// `row [N]` as it is added to, or multiplied with, a tensor of `shape`, whose last axis is N: broadcast to `[.., N]` where a
/// matmul can reduce its gradient, else `[1, .., N]`.
pub fn broadcast<const D: usize>(row: Tensor<1>, shape: [usize; D]) -> Tensor<D> {
    let launched = has_fast_workgroup_memory().then(|| broadcast_with_autodiff(&row, shape));
    match launched.and_then(|launched| or_count("broadcast", launched)) {
        Some(broadcast) => broadcast,
        None => row.unsqueeze(),
    }
}

fn broadcast_with_autodiff<const D: usize>(row: &Tensor<1>, shape: [usize; D]) -> Result<Tensor<D>, NoKernel> {
    let [count] = row.dims();
    let (row, node) = gpu_f32_with_autodiff(row)?;
    let rows = shape.iter().product::<usize>() / count;
    let row: Tensor<2> = Tensor::<1>::from_primitive::<Cube>(row).unsqueeze();
    let broadcast = primitive(row.expand([rows, count]));
    let prepared = BroadcastBackward.prepare::<NoCheckpointing>([node]);
    let broadcast = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((), broadcast),
        OpsKind::UnTracked(prepared) => prepared.finish(broadcast),
    };
    Ok(Tensor::<2>::from_primitive::<Autodiff<Cube>>(broadcast).reshape(shape))
}

/// The backward pass of [`linear_with_autodiff`] without its bias.
#[derive(Debug)]
struct MatmulBackward;

impl Backward<Cube, 2> for MatmulBackward {
    /// Input and weight.
    type State = (CubeTensor, CubeTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, weight) = ops.state;
        binary::<Cube, _, _>(
            ops.parents,
            ops.node,
            grads,
            |g| matmul(&into_contiguous(g), Layout::RowMajor, &weight, Layout::RowMajor),
            |g| matmul(&into_contiguous(g), Layout::ColumnMajor, &x, Layout::RowMajor),
        );
    }
}

/// The backward pass of [`broadcast`].
#[derive(Debug)]
struct BroadcastBackward;

impl Backward<Cube, 1> for BroadcastBackward {
    type State = ();

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<Cube, _>(ops.parents, ops.node, grads, |g| column_sums(&into_contiguous(g)));
    }
}

/// The sum of the rows of `g [R, N]`: `[N]`, as a matmul with a row of ones, which splits the rows among workgroups.
fn column_sums(g: &CubeTensor) -> CubeTensor {
    let (rows, columns) = (g.meta.shape()[0], g.meta.shape()[1]);
    let ones = Tensor::<2>::ones([1, rows], &Tensor::<2>::from_primitive::<Cube>(g.clone()).device());
    let sums = matmul(&primitive(ones), Layout::RowMajor, g, Layout::RowMajor);
    primitive(Tensor::<2>::from_primitive::<Cube>(sums).reshape([columns]))
}

/// How a matrix lies in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    RowMajor,
    ColumnMajor,
}

/// `A [M, K]` times `B [K, N]`, with split-K where the results alone do not keep a GPU busy.
fn matmul(a: &CubeTensor, a_layout: Layout, b: &CubeTensor, b_layout: Layout) -> CubeTensor {
    let sides = |x: &CubeTensor, layout: Layout| {
        let shape = x.meta.shape();
        match layout {
            Layout::RowMajor => [shape[0], shape[1]],
            Layout::ColumnMajor => [shape[1], shape[0]],
        }
    };
    let ([m, k], [_, n]) = (sides(a, a_layout), sides(b, b_layout));
    // Tiles of a workgroup along M and N: two where that keeps all busy, else one.
    let workgroups = |tiles: usize| m.div_ceil(TILE * tiles) * n.div_ceil(TILE * tiles);
    let (tiles, depth) = if workgroups(2) >= BUSY { (2, 8) } else { (1, 16) };
    let wanted = BUSY.div_ceil(workgroups(tiles)).min(k.div_ceil(SHORTEST_PART)).max(1);
    let part = k.div_ceil(wanted).next_multiple_of(depth);
    let parts = k.div_ceil(part);
    let c = allocate(a, [parts, m, n]);
    let flag = |layout: Layout, of: Layout| usize::from(layout == of);
    let side = TILE * tiles;
    let shader = Shader {
        source: wgsl!("matmul/matmul.wgsl"),
        constants: vec![
            ("TILES_M", tiles),
            ("TILES_N", tiles),
            ("DEPTH", depth),
            ("LOADS_A", side * depth / WORKGROUP_SIZE),
            ("LOADS_B", side * depth / WORKGROUP_SIZE),
            ("A_ROW_MAJOR", flag(a_layout, Layout::RowMajor)),
            ("A_COLUMN_MAJOR", flag(a_layout, Layout::ColumnMajor)),
            ("B_ROW_MAJOR", flag(b_layout, Layout::RowMajor)),
            ("B_COLUMN_MAJOR", flag(b_layout, Layout::ColumnMajor)),
        ],
        sizes: vec![("M", m), ("N", n), ("K", k), ("PART", part)],
        workgroup_size: WORKGROUP_SIZE as u32,
    };
    shader.launch([n.div_ceil(side), m.div_ceil(side), parts], &[a, b, &c]);
    let c = Tensor::<3>::from_primitive::<Cube>(c);
    let c = match parts {
        1 => c.reshape([m, n]),
        _ => c.sum_dim(0).reshape([m, n]),
    };
    primitive(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::test_values as values;
    use burn::tensor::{TensorData, Tolerance};

    fn reference(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
        let y = x.matmul(weight.transpose());
        match bias {
            Some(bias) => y + bias.unsqueeze(),
            None => y,
        }
    }

    #[test]
    fn results_and_gradients_are_those_of_the_reference() {
        for (rows, inputs, outputs) in [
            (1, 4, 3),
            (70, 33, 65),
            (300, 64, 130),
            (2100, 40, 1030),
            (129, 700, 17),
        ] {
            let [flex, wgpu] = golden::devices().map(|(name, device)| {
                let device = device.autodiff();
                let x = values([rows, inputs], &device).require_grad();
                let weight = (values([outputs, inputs], &device) * 0.9).require_grad();
                let bias = values([outputs], &device).require_grad();
                let y = match name {
                    "flex" => reference(x.clone(), weight.clone(), Some(bias.clone())),
                    _ => linear_with_autodiff(&x, &weight, Some(&bias)).expect("a kernel"),
                };
                let grads = (y.clone() * values(y.dims(), &device)).sum().backward();
                let bias = bias.grad(&grads).unwrap().unsqueeze();
                [y.inner(), x.grad(&grads).unwrap(), weight.grad(&grads).unwrap(), bias].map(Tensor::into_data)
            });
            for (found, expected) in wgpu.iter().zip(&flex) {
                found.assert_approx_eq::<f32>(expected, Tolerance::rel_abs(1e-4, 5e-3));
            }
        }
    }

    #[test]
    fn broadcast_rows_have_the_gradients_of_burns() {
        for shape in [[3, 5, 4], [2, 700, 70], [1, 1, 8]] {
            let [flex, wgpu] = golden::devices().map(|(name, device)| {
                let device = device.autodiff();
                let x = values(shape, &device);
                let [factor, shift] = [0.7, 1.3].map(|by| (values([shape[2]], &device) * by).require_grad());
                let [over, under] = [&factor, &shift].map(|row| match name {
                    "flex" => broadcast(row.clone(), shape),
                    _ => broadcast_with_autodiff(row, shape).expect("a matmul"),
                });
                let y = x * over + under;
                let grads = (y.clone() * values(shape, &device)).sum().backward();
                let rows = [factor, shift].map(|row| row.grad(&grads).unwrap().into_data());
                (y.inner().into_data(), rows)
            });
            let pairs = [(&wgpu.0, &flex.0), (&wgpu.1[0], &flex.1[0]), (&wgpu.1[1], &flex.1[1])];
            for (found, expected) in pairs {
                found.assert_approx_eq::<f32>(expected, Tolerance::rel_abs(1e-4, 5e-3));
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let [_, (_, device)] = golden::devices();
        let device = device.autodiff();
        let probe = values([5, 7], &device);
        let loss =
            |x: &Tensor<2>, weight: &Tensor<2>| (linear_with_autodiff(x, weight, None).unwrap() * probe.clone()).sum();
        let x = values([5, 6], &device).require_grad();
        let weight = (values([7, 6], &device) * 0.7).require_grad();
        let grads = loss(&x, &weight).backward();
        let nudged = |x: &Tensor<2>, at: usize, by: f32| {
            let mut numbers = x.clone().inner().into_data().try_to_vec::<f32>().unwrap();
            numbers[at] += by;
            Tensor::<2>::from_data(TensorData::new(numbers, x.dims()), &device)
        };
        let scalar = |x: Tensor<1>| x.inner().into_scalar::<f32>();
        let number = |grad: Option<Tensor<2>>, at: usize| grad.unwrap().into_data().try_to_vec::<f32>().unwrap()[at];
        for at in [0, 11, 29] {
            let [up, down] = [0.5, -0.5].map(|by| scalar(loss(&nudged(&x, at, by), &weight)));
            assert!((up - down - number(x.grad(&grads), at)).abs() < 1e-3, "input {at}");
            let [up, down] = [0.5, -0.5].map(|by| scalar(loss(&x, &nudged(&weight, at, by))));
            assert!(
                (up - down - number(weight.grad(&grads), at)).abs() < 1e-3,
                "weight {at}"
            );
        }
    }
}
