//! Group norm with SiLU under automatic differentiation on the GPU: two dispatches there and two back, where burn's operations
//! take a dozen and thirty, each over a whole feature map.

use super::launch::{WORKGROUP_SIZE, apply, check_rows, statistics};
use crate::kernels::runtime::{NoKernel, Shader, allocate, gpu_f32_with_autodiff, primitive, reduction_workgroup_size};
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;
use burn_cubecl::Cube;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// As [`group_norm_silu`](super::group_norm_silu) under automatic differentiation.
pub fn group_norm_silu_with_autodiff(
    x: &Tensor<4>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    groups: usize,
    epsilon: f64,
) -> Result<Tensor<4>, NoKernel> {
    let [b, c, _, _] = x.dims();
    let (x, x_node) = gpu_f32_with_autodiff(x)?;
    let (weight, weight_node) = gpu_f32_with_autodiff(weight)?;
    let (bias, bias_node) = gpu_f32_with_autodiff(bias)?;
    check_rows(b * c)?;
    let statistics = statistics(&x, groups, epsilon);
    let y = apply(&x, &statistics, &weight, &bias, groups);
    let prepared = GroupNormBackward.prepare::<NoCheckpointing>([x_node, weight_node, bias_node]);
    let y = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let state = State {
                x,
                statistics,
                weight,
                bias,
                groups,
            };
            prepared.finish(state, y)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    };
    Ok(Tensor::from_primitive::<Autodiff<Cube>>(y))
}

/// The backward pass of [`group_norm_silu_with_autodiff`].
#[derive(Debug)]
struct GroupNormBackward;

#[derive(Clone, Debug)]
struct State {
    x: CubeTensor,
    statistics: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    groups: usize,
}

impl Backward<Cube, 3> for GroupNormBackward {
    type State = State;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State {
            x,
            statistics,
            weight,
            bias,
            groups,
        } = ops.state;
        let g = into_contiguous(grads.consume::<Cube>(&ops.node));
        let shape = x.meta.shape().clone();
        let (b, c, area) = (shape[0], shape[1], shape[2] * shape[3]);
        let sizes = vec![("CHANNELS", c), ("AREA", area), ("PER_GROUP", c / groups)];
        let sums = allocate(&x, [b, c, 2]);
        let shader = Shader {
            source: wgsl!("norm/group_norm_gradient_sums.wgsl"),
            constants: vec![],
            sizes: sizes.clone(),
            workgroup_size: reduction_workgroup_size(WORKGROUP_SIZE),
        };
        shader.launch([b * c, 1, 1], &[&x, &g, &statistics, &weight, &bias, &sums]);
        let [x_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = x_node {
            let result = allocate(&x, shape);
            let shader = Shader {
                source: wgsl!("norm/group_norm_gradient.wgsl"),
                constants: vec![],
                sizes,
                workgroup_size: reduction_workgroup_size(WORKGROUP_SIZE),
            };
            shader.launch([b * c, 1, 1], &[&x, &g, &statistics, &weight, &bias, &sums, &result]);
            grads.register::<Cube>(node.id, result);
        }
        // Over the batch: [2, C].
        let sums = Tensor::<3>::from_primitive::<Cube>(sums).sum_dim(0);
        for (node, part) in [(bias_node, 0), (weight_node, 1)] {
            if let Some(node) = node {
                let sum = sums.clone().narrow(2, part, 1).reshape([c]);
                grads.register::<Cube>(node.id, primitive(sum));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::kernels::reference::norm::group_norm_silu as reference;
    use crate::kernels::test_values as values;
    use burn::tensor::{TensorData, Tolerance};

    #[test]
    fn results_and_gradients_are_those_of_the_reference() {
        for (batch, channels, groups, h, w) in [(1, 8, 4, 8, 8), (2, 12, 3, 5, 7), (3, 6, 1, 2, 1), (2, 64, 4, 16, 24)]
        {
            let [flex, wgpu] = golden::devices().map(|(name, device)| {
                let device = device.autodiff();
                let x = (values([batch, channels, h, w], &device) * 3.0 + 2.0).require_grad();
                let weight = values([channels], &device).require_grad();
                let bias = (values([channels], &device) + 0.3).require_grad();
                let y = match name {
                    "flex" => reference(x.clone(), weight.clone(), bias.clone(), groups, 1e-6),
                    _ => group_norm_silu_with_autodiff(&x, &weight, &bias, groups, 1e-6).expect("a kernel"),
                };
                let grads = (y.clone() * values(y.dims(), &device)).sum().backward();
                [
                    y.inner().into_data(),
                    x.grad(&grads).unwrap().into_data(),
                    weight.grad(&grads).unwrap().into_data(),
                    bias.grad(&grads).unwrap().into_data(),
                ]
            });
            for (found, expected) in wgpu.iter().zip(&flex) {
                found.assert_approx_eq::<f32>(expected, Tolerance::rel_abs(1e-3, 1e-3));
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let [_, (_, device)] = golden::devices();
        let device = device.autodiff();
        let probe = values([2, 6, 3, 4], &device);
        let weight = values([6], &device) + 1.2;
        let bias = values([6], &device);
        let loss =
            |x: &Tensor<4>| (group_norm_silu_with_autodiff(x, &weight, &bias, 3, 1e-6).unwrap() * probe.clone()).sum();
        let x = (values([2, 6, 3, 4], &device) * 2.0).require_grad();
        let grads = loss(&x).backward();
        let grad = x.grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap();
        let numbers = x.clone().inner().into_data().try_to_vec::<f32>().unwrap();
        for at in [0, 17, 50, 143] {
            let [up, down] = [1e-2, -1e-2].map(|by| {
                let mut nudged = numbers.clone();
                nudged[at] += by;
                let x = Tensor::<4>::from_data(TensorData::new(nudged, x.dims()), &device);
                loss(&x).inner().into_scalar::<f32>()
            });
            let slope = (up - down) / 2e-2;
            assert!((slope - grad[at]).abs() < 1e-2, "input {at}: {slope} {}", grad[at]);
        }
    }
}
