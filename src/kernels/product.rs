//! Products of matrices under automatic differentiation on graphics devices: the layers' `x W^T + b` and its gradients.
//!
//! burn without automatic tuning has one way to multiply, which does not stage its operands in a workgroup's memory, and sums
//! the rows of a gradient in a single workgroup: for the 15,000 tokens of a batch that took longer than all products.

use super::shader::{Shader, fits, in_use, room, staged};
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
const LANES: usize = 256;
/// Results of a square, a side.
const SQUARE: usize = 64;
/// Workgroups that keep a large card busy; fewer are made more by splitting K.
const GROUPS: usize = 256;
/// A part of K is no shorter than this.
const SHORTEST: usize = 128;

/// `x [R, K]`, `weight [N, K]` and `bias [N]` to `x weight^T + bias [R, N]` under automatic differentiation. None where no shader
/// fits.
pub fn trained(x: &Tensor<2>, weight: &Tensor<2>, bias: Option<&Tensor<1>>) -> Option<Tensor<2>> {
    let ([rows, _], [outputs, _]) = (x.dims(), weight.dims());
    let x = x.clone().try_into_primitive::<Autodiff<Cube>>().ok()?;
    let weight = weight.clone().try_into_primitive::<Autodiff<Cube>>().ok()?;
    if !in_use() || !fits(x.primitive()) || !fits(weight.primitive()) {
        return None;
    }
    let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
    let (x, weight) = (into_contiguous(x), into_contiguous(weight));
    let y = product(&x, Stored::Rows, &weight, Stored::Columns);
    let prepared = Product.prepare::<NoCheckpointing>([x_node, weight_node]);
    let y = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((x, weight), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    };
    let y = Tensor::<2>::from_primitive::<Autodiff<Cube>>(y);
    Some(match bias {
        Some(bias) => y + spread(bias.clone(), [rows, outputs]),
        None => y,
    })
}

/// `row [N]` as it is added to, or multiplied with, a tensor of `shape`, whose last axis is N: `[.., N]` of that shape where a
/// product can sum up its gradient, else `[1, .., N]`.
pub fn spread<const D: usize>(row: Tensor<1>, shape: [usize; D]) -> Tensor<D> {
    match staged().then(|| spread_by_product(&row, shape)).flatten() {
        Some(spread) => spread,
        None => row.unsqueeze(),
    }
}

fn spread_by_product<const D: usize>(row: &Tensor<1>, shape: [usize; D]) -> Option<Tensor<D>> {
    let row = row.clone().try_into_primitive::<Autodiff<Cube>>().ok()?;
    if !in_use() || !fits(row.primitive()) {
        return None;
    }
    let (row, node) = row.into_parts();
    let [count] = row.meta.shape()[..] else { return None };
    let rows = shape.iter().product::<usize>() / count;
    let row: Tensor<2> = Tensor::<1>::from_primitive::<Cube>(row).unsqueeze();
    let spread = primitive(row.expand([rows, count]));
    let prepared = Spread.prepare::<NoCheckpointing>([node]);
    let spread = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((), spread),
        OpsKind::UnTracked(prepared) => prepared.finish(spread),
    };
    Some(Tensor::<2>::from_primitive::<Autodiff<Cube>>(spread).reshape(shape))
}

/// The same in burn's operations.
pub fn twin(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let y = x.matmul(weight.transpose());
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

/// The step back through a product.
#[derive(Debug)]
struct Product;

impl Backward<Cube, 2> for Product {
    /// Input and weight.
    type State = (CubeTensor, CubeTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, weight) = ops.state;
        binary::<Cube, _, _>(
            ops.parents,
            ops.node,
            grads,
            |g| product(&into_contiguous(g), Stored::Rows, &weight, Stored::Rows),
            |g| product(&into_contiguous(g), Stored::Columns, &x, Stored::Rows),
        );
    }
}

/// The step back through [`spread`].
#[derive(Debug)]
struct Spread;

impl Backward<Cube, 1> for Spread {
    type State = ();

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<Cube, _>(ops.parents, ops.node, grads, |g| column_sums(&into_contiguous(g)));
    }
}

/// The sum of the rows of `g [R, N]`: `[N]`, as a product with a row of ones, which splits the rows among workgroups.
fn column_sums(g: &CubeTensor) -> CubeTensor {
    let (rows, columns) = (g.meta.shape()[0], g.meta.shape()[1]);
    let ones = Tensor::<2>::ones([1, rows], &Tensor::<2>::from_primitive::<Cube>(g.clone()).device());
    let sums = product(&primitive(ones), Stored::Rows, g, Stored::Rows);
    primitive(Tensor::<2>::from_primitive::<Cube>(sums).reshape([columns]))
}

/// A tensor that was made of one of [`Cube`].
fn primitive<const D: usize>(x: Tensor<D>) -> CubeTensor {
    x.try_into_primitive::<Cube>()
        .unwrap_or_else(|error| unreachable!("operations stay on their device: {error:?}"))
}

/// How the matrix of a product lies in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    Rows,
    /// As its transpose would by rows.
    Columns,
}

/// `A [M, K]` times `B [K, N]`.
fn product(a: &CubeTensor, a_stored: Stored, b: &CubeTensor, b_stored: Stored) -> CubeTensor {
    let sides = |x: &CubeTensor, stored: Stored| {
        let shape = x.meta.shape();
        match stored {
            Stored::Rows => [shape[0], shape[1]],
            Stored::Columns => [shape[1], shape[0]],
        }
    };
    let ([m, k], [_, n]) = (sides(a, a_stored), sides(b, b_stored));
    // Squares of a workgroup each way: four where that keeps all busy, else one.
    let groups = |squares: usize| m.div_ceil(SQUARE * squares) * n.div_ceil(SQUARE * squares);
    let (squares, depth) = if groups(2) >= GROUPS { (2, 8) } else { (1, 16) };
    let wanted = GROUPS.div_ceil(groups(squares)).min(k.div_ceil(SHORTEST)).max(1);
    let part = k.div_ceil(wanted).next_multiple_of(depth);
    let parts = k.div_ceil(part);
    let c = room(a, [parts, m, n]);
    let flag = |stored: Stored, of: Stored| usize::from(stored == of);
    let shader = Shader {
        name: "product",
        source: include_str!("../../shaders/product.wgsl"),
        constants: vec![
            ("QM", squares),
            ("QN", squares),
            ("DEPTH", depth),
            ("STEPS_A", SQUARE * squares * depth / LANES),
            ("STEPS_B", SQUARE * squares * depth / LANES),
            ("A_BY_ROWS", flag(a_stored, Stored::Rows)),
            ("A_BY_COLUMNS", flag(a_stored, Stored::Columns)),
            ("B_BY_ROWS", flag(b_stored, Stored::Rows)),
            ("B_BY_COLUMNS", flag(b_stored, Stored::Columns)),
        ],
        sizes: vec![("M", m), ("N", n), ("K", k), ("PART", part)],
        lanes: LANES as u32,
    };
    let side = SQUARE * squares;
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

    #[test]
    fn products_and_gradients_are_those_of_the_twin() {
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
                    "flex" => twin(x.clone(), weight.clone(), Some(bias.clone())),
                    _ => trained(&x, &weight, Some(&bias)).expect("a shader"),
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
    fn spread_rows_have_the_gradients_of_broadcast_ones() {
        for shape in [[3, 5, 4], [2, 700, 70], [1, 1, 8]] {
            let [flex, wgpu] = golden::devices().map(|(name, device)| {
                let device = device.autodiff();
                let x = values(shape, &device);
                let [factor, shift] = [0.7, 1.3].map(|by| (values([shape[2]], &device) * by).require_grad());
                let [over, under] = [&factor, &shift].map(|row| match name {
                    "flex" => spread(row.clone(), shape),
                    _ => spread_by_product(row, shape).expect("a product"),
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
        let loss = |x: &Tensor<2>, weight: &Tensor<2>| (trained(x, weight, None).unwrap() * probe.clone()).sum();
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
