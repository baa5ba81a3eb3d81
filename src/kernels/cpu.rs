//! GELU, the group norm with SiLU and products of few rows on the CPU engine, a piece of memory at a time on all threads.
//!
//! As burn's operations the first two are ten passes over the whole tensor and more, on one thread, and their exponential function is called number
//! by number: beside products they took most of an image's time. A product of two rows is bound by reading the weights once; the general one
//! first copies them into the order that it works in.

use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};
#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;
use wide::f32x8;

/// Numbers that a thread takes at once; they stay in its cache.
const PIECE: usize = 1 << 14;
/// Most rows of a product that reads weights where they are: the first two scales of one image, with and without the prompt.
const FEW: usize = 8;
/// Columns of such a product that a thread takes at once.
const COLUMNS: usize = 64;

/// [`crate::model::nn::gelu`] of a tensor of the CPU engine that is not differentiated; None of any other.
pub fn gelu<const D: usize>(x: &Tensor<D>) -> Option<Tensor<D>> {
    let mut values = values(x)?;
    let doubled = 2.0 * (2.0 / std::f32::consts::PI).sqrt();
    each_piece(&mut values, PIECE, |_, piece| {
        by_eight(piece, |x| {
            let inner = (x * x * f32x8::splat(0.044715 * doubled) + f32x8::splat(doubled)) * x;
            x * sigmoid(inner)
        });
    });
    Some(tensor(values, x.dims()))
}

/// [`super::norm::group_norm_silu`] of tensors of the CPU engine that are not differentiated; None of any other.
pub fn group_norm_silu(
    x: &Tensor<4>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    groups: usize,
    epsilon: f64,
) -> Option<Tensor<4>> {
    let [_, c, h, w] = x.dims();
    let (area, channels) = (h * w, c / groups);
    let (weight, bias) = (values(weight)?, values(bias)?);
    let mut values = values(x)?;
    each_piece(&mut values, channels * area, |index, group| {
        let count = group.len() as f64;
        let mean = sum(group, |x| x) / count;
        let mean = f32x8::splat(mean as f32);
        let squares = sum(group, |x| (x - mean) * (x - mean));
        let deviation = (squares / count + epsilon).sqrt();
        let first = index % groups * channels;
        for (values, channel) in group.chunks_mut(area).zip(first..) {
            let scale = f32x8::splat((f64::from(weight[channel]) / deviation) as f32);
            let bias = f32x8::splat(bias[channel]);
            by_eight(values, |x| {
                let normed = (x - mean) * scale + bias;
                normed * sigmoid(normed)
            });
        }
    });
    Some(tensor(values, x.dims()))
}

/// [`super::linear::twin`] with nothing after it, for at most [`FEW`] rows on the CPU engine that are not differentiated; None of any other.
pub fn linear(x: &Tensor<3>, weight: &Tensor<2>, bias: Option<&Tensor<1>>) -> Option<Tensor<3>> {
    let ([b, l, k], [n, _]) = (x.dims(), weight.dims());
    let rows = b * l;
    if rows > FEW {
        return None;
    }
    let weight = on_cpu(weight)?;
    let weight = numbers(&weight);
    let bias = match bias {
        Some(bias) => Some(values(bias)?),
        None => None,
    };
    let x = values(x)?;
    // Column by column, [N, rows], as the threads share the columns.
    let mut columns = vec![0.0; n * rows];
    each_piece(&mut columns, COLUMNS * rows, |index, piece| {
        for (column, n) in piece.chunks_mut(rows).zip(index * COLUMNS..) {
            let bias = bias.as_ref().map_or(0.0, |bias| bias[n]);
            for (y, x) in column.iter_mut().zip(x.chunks(k)) {
                *y = dot(&weight[n * k..][..k], x) + bias;
            }
        }
    });
    let y = (0..rows * n).map(|i| columns[i % n * rows + i / n]).collect();
    Some(tensor(y, [b, l, n]))
}

fn sigmoid(x: f32x8) -> f32x8 {
    f32x8::ONE / (f32x8::ONE + (-x).exp())
}

fn on_cpu<const D: usize>(x: &Tensor<D>) -> Option<FlexTensor> {
    let x = x.clone().try_into_primitive::<Flex>().ok()?;
    (x.dtype() == DType::F32).then(|| x.to_contiguous())
}

/// Of a contiguous tensor, which may be a part of a larger one.
fn numbers(x: &FlexTensor) -> &[f32] {
    let (start, count) = (x.layout().start_offset(), x.layout().num_elements());
    &x.storage::<f32>()[start..start + count]
}

/// A copy of the numbers, in their order.
fn values<const D: usize>(x: &Tensor<D>) -> Option<Vec<f32>> {
    Some(numbers(&on_cpu(x)?).to_vec())
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(FlexTensor::from_data(TensorData::new(values, shape)))
}

/// Has threads work on pieces of `size` numbers, each with its index.
fn each_piece(values: &mut [f32], size: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    #[cfg(not(target_family = "wasm"))]
    if values.len() > size {
        let pieces = values.par_chunks_mut(size).enumerate();
        return pieces.for_each(|(index, piece)| work(index, piece));
    }
    for (index, piece) in values.chunks_mut(size).enumerate() {
        work(index, piece);
    }
}

/// Puts `f` of every number in its place.
fn by_eight(values: &mut [f32], f: impl Fn(f32x8) -> f32x8) {
    let (eights, rest) = values.as_chunks_mut::<8>();
    for eight in eights {
        *eight = f(f32x8::from(*eight)).to_array();
    }
    if !rest.is_empty() {
        let mut eight = [0.0; 8];
        eight[..rest.len()].copy_from_slice(rest);
        rest.copy_from_slice(&f(f32x8::from(eight)).to_array()[..rest.len()]);
    }
}

/// In four sums of eight lanes, which do not wait for each other.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    let mut sums = [f32x8::ZERO; 4];
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
        for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum = f32x8::from(a).mul_add(f32x8::from(b), *sum);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1] + sums[2] + sums[3]).reduce_add() + rest
}

/// Of `f` of every number, which is summed in `f32` over a piece at most.
fn sum(values: &[f32], f: impl Fn(f32x8) -> f32x8) -> f64 {
    let of_piece = |piece: &[f32]| {
        let (eights, rest) = piece.as_chunks::<8>();
        let sum = eights
            .iter()
            .fold(f32x8::ZERO, |sum, &eight| sum + f(f32x8::from(eight)));
        let rest = rest.iter().map(|&x| f64::from(f(f32x8::splat(x)).to_array()[0]));
        f64::from(sum.reduce_add()) + rest.sum::<f64>()
    };
    values.chunks(PIECE).map(of_piece).sum()
}

#[cfg(test)]
mod tests {
    use super::super::linear::{After, twin};
    use super::super::norm::group_norm_silu_twin;
    use super::super::test_values;
    use super::*;
    use crate::model::nn::gelu_twin;
    use burn::tensor::{Device, Tolerance};

    fn close<const D: usize>(one: Tensor<D>, other: Tensor<D>) {
        one.into_data()
            .assert_approx_eq::<f32>(&other.into_data(), Tolerance::absolute(2e-6).set_relative(2e-6));
    }

    #[test]
    fn gelu_is_its_twin() {
        let device = Device::flex();
        for shape in [[1, 1, 1], [2, 3, 7], [2, 64, 300]] {
            let x = test_values(shape, &device) * 6.0;
            close(gelu(&x).expect("the CPU engine's"), gelu_twin(x.clone()));
            let turned = x.swap_dims(1, 2);
            close(gelu(&turned).expect("the CPU engine's"), gelu_twin(turned));
        }
    }

    #[test]
    fn gelu_of_the_far_ends_is_what_it_tends_to() {
        let x = Tensor::<1>::from_data([-1e30f32, -200.0, -20.0, 0.0, 20.0, 200.0, 1e12], &Device::flex());
        let y: Vec<f32> = gelu(&x).unwrap().into_data().try_to_vec().unwrap();
        assert_eq!(y, [0.0, 0.0, 0.0, 0.0, 20.0, 200.0, 1e12]);
    }

    #[test]
    fn group_norms_are_their_twin() {
        let device = Device::flex();
        for (batch, channels, groups, h, w) in [(1, 8, 4, 8, 8), (2, 12, 3, 5, 7), (3, 6, 1, 2, 1), (2, 64, 4, 33, 24)]
        {
            let x = test_values([batch, channels, h, w], &device) * 3.0 + 2.0;
            let weight = test_values([channels], &device);
            let bias = test_values([channels], &device) + 0.3;
            let y = group_norm_silu(&x, &weight, &bias, groups, 1e-6).expect("the CPU engine's");
            close(y, group_norm_silu_twin(x, weight, bias, groups, 1e-6));
        }
    }

    #[test]
    fn products_of_few_rows_are_their_twin() {
        let device = Device::flex();
        for (batch, length, k, n) in [(1, 1, 3, 5), (2, 1, 768, 200), (2, 4, 100, 129)] {
            let x = test_values([batch, length, k], &device);
            let weight = test_values([n, k], &device);
            let bias = test_values([n], &device);
            for bias in [None, Some(bias)] {
                let y = linear(&x, &weight, bias.as_ref()).expect("few rows");
                let expected = twin(x.clone(), weight.clone(), bias, After::Nothing);
                let tolerance = Tolerance::absolute(1e-5 * k as f32).set_relative(1e-5);
                y.into_data().assert_approx_eq::<f32>(&expected.into_data(), tolerance);
            }
        }
        let turned = test_values([7, 5], &device).transpose();
        let x = test_values([1, 2, 7], &device);
        close(
            linear(&x, &turned, None).expect("any layout"),
            twin(x, turned, None, After::Nothing),
        );
        assert!(linear(&test_values([3, 3, 4], &device), &test_values([5, 4], &device), None).is_none());
    }

    #[test]
    fn what_is_differentiated_is_left_to_the_twin() {
        let device = Device::flex().autodiff();
        assert!(gelu(&test_values([2, 8], &device)).is_none());
    }
}
