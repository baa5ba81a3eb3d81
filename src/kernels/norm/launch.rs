//! The launches of the group norm that its forward and backward pass share, and the limits of all norms.

use crate::kernels::runtime::{NoKernel, Shader, allocate, float_bits, reduction_workgroup_size};
use burn_cubecl::tensor::CubeTensor;

/// Invocations of a workgroup.
pub(super) const WORKGROUP_SIZE: u32 = 64;
/// Most workgroups along one axis of a dispatch.
const MOST_WORKGROUPS: usize = 65_535;
/// Workgroup size of a reduction of `MANY` numbers and more.
pub(super) const LARGE_WORKGROUP_SIZE: u32 = 256;
const MANY: usize = 4096;
/// Neighbours of an invocation.
const EACH: usize = 4;

/// Whether so many channels of images, or rows, are workgroups of one dispatch.
pub(super) fn check_rows(rows: usize) -> Result<(), NoKernel> {
    match rows {
        ..=MOST_WORKGROUPS => Ok(()),
        _ => Err(NoKernel::Unfit("more than 65,535 rows")),
    }
}

/// Mean and inverse deviation of every group of every image of `x [B, C, H, W]`: `[B G, 2]`.
pub(super) fn statistics(x: &CubeTensor, groups: usize, epsilon: f64) -> CubeTensor {
    let numbers = x.meta.shape().num_elements() / x.meta.shape()[0] / groups;
    let on_gpu = if numbers < MANY {
        WORKGROUP_SIZE
    } else {
        LARGE_WORKGROUP_SIZE
    };
    statistics_with(reduction_workgroup_size(on_gpu), x, groups, epsilon)
}

pub(super) fn statistics_with(workgroup_size: u32, x: &CubeTensor, groups: usize, epsilon: f64) -> CubeTensor {
    let shape = x.meta.shape();
    let (b, numbers) = (shape[0], shape[1] / groups * shape[2] * shape[3]);
    let statistics = allocate(x, [b * groups, 2]);
    let shader = Shader {
        source: wgsl!("norm/group_norm_statistics.wgsl"),
        constants: vec![("EPSILON", float_bits(epsilon))],
        sizes: vec![("NUMBERS", numbers)],
        workgroup_size,
    };
    shader.launch([b * groups, 1, 1], &[x, &statistics]);
    statistics
}

/// `silu((x - mean) / deviation weight + bias)` with [`statistics`].
pub(super) fn apply(
    x: &CubeTensor,
    statistics: &CubeTensor,
    weight: &CubeTensor,
    bias: &CubeTensor,
    groups: usize,
) -> CubeTensor {
    let shape = x.meta.shape();
    let (b, c, area) = (shape[0], shape[1], shape[2] * shape[3]);
    let y = allocate(x, shape.clone());
    let shader = Shader {
        source: wgsl!("norm/group_norm.wgsl"),
        constants: vec![("EACH", EACH)],
        sizes: vec![("CHANNELS", c), ("AREA", area), ("PER_GROUP", c / groups)],
        workgroup_size: WORKGROUP_SIZE,
    };
    let along = area.div_ceil(EACH).div_ceil(WORKGROUP_SIZE as usize);
    shader.launch([along, b * c, 1], &[x, statistics, weight, bias, &y]);
    y
}
