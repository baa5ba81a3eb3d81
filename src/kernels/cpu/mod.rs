//! Kernels of the CPU engine, a piece of memory at a time on all threads: GELU, softmax, the group norm with SiLU and the heads of a
//! self attention; and the order of weights in memory that its matmuls read best.
//!
//! As burn's operations these are ten passes over the whole tensor and more, most of them on one thread, and their exponential
//! function is called number by number: beside matmuls they took most of an image's time.

mod heads;

use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};
#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;
use wide::f32x8;

pub use heads::qkv_to_heads;

/// Numbers that a thread takes at once; they stay in its cache.
const PIECE: usize = 1 << 14;

/// [`reference::activation::gelu`](super::reference::activation::gelu) of a tensor of the CPU engine that is not
/// differentiated; any other is left to `otherwise`.
pub fn gelu<const D: usize>(x: Tensor<D>, otherwise: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
    let doubled = 2.0 * (2.0 / std::f32::consts::PI).sqrt();
    in_pieces(x, otherwise, PIECE, |_, piece| {
        by_eight(piece, |x| {
            let inner = (x * x * f32x8::splat(0.044715 * doubled) + f32x8::splat(doubled)) * x;
            x * sigmoid(inner)
        });
    })
}

/// Softmax over the last axis of a tensor of the CPU engine that is not differentiated; any other is left to `otherwise`.
pub fn softmax<const D: usize>(x: Tensor<D>, otherwise: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
    let length = x.dims()[D - 1].max(1);
    let rows = (PIECE / length).max(1);
    in_pieces(x, otherwise, rows * length, |_, piece| {
        for row in piece.chunks_mut(length) {
            let most = f32x8::splat(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            by_eight(row, |x| (x - most).exp());
            let factor = f32x8::splat((1.0 / sum(row, |x| x)) as f32);
            by_eight(row, |x| x * factor);
        }
    })
}

/// [`reference::norm::group_norm_silu`](super::reference::norm::group_norm_silu) of tensors of the CPU engine that are not differentiated; any other is left to `otherwise`.
pub fn group_norm_silu(
    x: Tensor<4>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    groups: usize,
    epsilon: f64,
    otherwise: impl FnOnce(Tensor<4>) -> Tensor<4>,
) -> Tensor<4> {
    let [_, c, h, w] = x.dims();
    let (area, channels) = (h * w, c / groups);
    let (Some(weight), Some(bias)) = (values(weight), values(bias)) else {
        return otherwise(x);
    };
    in_pieces(x, otherwise, channels * area, |index, group| {
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
    })
}

/// The same weight `[N, K]`, column-major in memory, as the CPU engine's matmuls read it: they would copy it so every time. Of any
/// other device it comes back as it is.
pub fn to_column_major<const D: usize>(weight: Tensor<D>) -> Tensor<D> {
    match weight.clone().try_into_primitive::<Flex>() {
        Ok(there) if D == 2 => Tensor::from_primitive::<Flex>(there.transpose(0, 1).to_contiguous().transpose(0, 1)),
        _ => weight,
    }
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

/// Replaces pieces of `size` numbers by what `work` makes of each with its index, in place where nobody else holds the tensor. Of any
/// other device `otherwise` works.
fn in_pieces<const D: usize>(
    x: Tensor<D>,
    otherwise: impl FnOnce(Tensor<D>) -> Tensor<D>,
    size: usize,
    work: impl Fn(usize, &mut [f32]) + Sync,
) -> Tensor<D> {
    match x.clone().try_into_primitive::<Flex>() {
        Ok(there) if there.dtype() == DType::F32 => {
            drop(x);
            let mut values = if there.is_contiguous() {
                there
            } else {
                there.to_contiguous()
            };
            let (start, count) = (values.layout().start_offset(), values.layout().num_elements());
            each_piece(&mut values.storage_mut::<f32>()[start..start + count], size, work);
            Tensor::from_primitive::<Flex>(values)
        }
        _ => otherwise(x),
    }
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
    use super::*;
    use crate::kernels::reference::activation::gelu as gelu_reference;
    use crate::kernels::reference::norm::group_norm_silu as group_norm_silu_reference;
    use crate::kernels::test_values;
    use burn::tensor::{Device, Tolerance};

    fn nobody<const D: usize>(_: Tensor<D>) -> Tensor<D> {
        panic!("the CPU engine's")
    }

    fn close<const D: usize>(one: Tensor<D>, other: Tensor<D>) {
        one.into_data()
            .assert_approx_eq::<f32>(&other.into_data(), Tolerance::absolute(2e-6).set_relative(2e-6));
    }

    #[test]
    fn gelu_is_its_reference() {
        let device = Device::flex();
        for shape in [[1, 1, 1], [2, 3, 7], [2, 64, 300]] {
            let x = test_values(shape, &device) * 6.0;
            close(gelu(x.clone(), nobody), gelu_reference(x.clone()));
            let swapped = x.swap_dims(1, 2);
            close(gelu(swapped.clone(), nobody), gelu_reference(swapped));
        }
    }

    #[test]
    fn gelu_of_the_far_ends_is_what_it_tends_to() {
        let x = Tensor::<1>::from_data([-1e30f32, -200.0, -20.0, 0.0, 20.0, 200.0, 1e12], &Device::flex());
        let y: Vec<f32> = gelu(x, nobody).into_data().try_to_vec().unwrap();
        assert_eq!(y, [0.0, 0.0, 0.0, 0.0, 20.0, 200.0, 1e12]);
    }

    #[test]
    fn softmax_is_burns() {
        let device = Device::flex();
        for shape in [[1, 1, 1, 1], [2, 3, 5, 7], [1, 2, 40, 521]] {
            let x = test_values(shape, &device) * 30.0;
            let expected = burn::tensor::activation::softmax(x.clone(), 3);
            close(softmax(x, nobody), expected);
        }
        let hidden = Tensor::<1>::from_data([3.0f32, f32::NEG_INFINITY, 3.0, -1e9], &device);
        let y: Vec<f32> = softmax(hidden, nobody).into_data().try_to_vec().unwrap();
        assert_eq!(y, [0.5, 0.0, 0.5, 0.0]);
    }

    #[test]
    fn what_is_worked_on_in_place_stays_as_it_is_for_others() {
        let device = Device::flex();
        let whole = test_values([2, 4, 8], &device);
        let before = whole.to_data();
        let part = whole.clone().narrow(1, 1, 2);
        close(gelu(part.clone(), nobody), gelu_reference(part));
        close(
            gelu(whole.clone().narrow(0, 1, 1), nobody),
            gelu_reference(whole.clone().narrow(0, 1, 1)),
        );
        whole.into_data().assert_eq(&before, true);
    }

    #[test]
    fn group_norms_are_their_reference() {
        let device = Device::flex();
        for (batch, channels, groups, h, w) in [(1, 8, 4, 8, 8), (2, 12, 3, 5, 7), (3, 6, 1, 2, 1), (2, 64, 4, 33, 24)]
        {
            let x = test_values([batch, channels, h, w], &device) * 3.0 + 2.0;
            let weight = test_values([channels], &device);
            let bias = test_values([channels], &device) + 0.3;
            let y = group_norm_silu(x.clone(), &weight, &bias, groups, 1e-6, nobody);
            close(y, group_norm_silu_reference(x, weight, bias, groups, 1e-6));
        }
    }

    #[test]
    fn a_column_major_weight_is_the_same_weight() {
        let device = Device::flex();
        let weight = test_values([5, 3], &device);
        let columns = to_column_major(weight.clone());
        let there = on_cpu(&columns.clone().transpose()).unwrap();
        let transposed = columns.clone().transpose().try_into_primitive::<Flex>().unwrap();
        assert!(transposed.is_contiguous() && there.layout() == transposed.layout());
        columns.into_data().assert_eq(&weight.into_data(), true);
        let other = test_values([2, 3, 4], &device);
        to_column_major(other.clone())
            .into_data()
            .assert_eq(&other.into_data(), true);
    }

    #[test]
    fn what_is_differentiated_is_left_to_the_reference() {
        let device = Device::flex().autodiff();
        let left = std::cell::Cell::new(0);
        let otherwise = |x| {
            left.set(left.get() + 1);
            x
        };
        gelu(test_values([2, 8], &device), otherwise);
        softmax(test_values([2, 8], &device), otherwise);
        assert_eq!(left.get(), 2);
    }
}
