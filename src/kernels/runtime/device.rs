//! The GPU: which tensors are on it, whether kernels run there, and what its workgroup memory is worth.

use super::NoKernel;
use burn::backend::Autodiff;
use burn::backend::autodiff::ops::NodeGuard;
use burn::tensor::{DType, Int, Shape, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::cubecl::Device;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether workgroup memory is faster than global memory; software adapters only imitate it, at a cost.
static FAST_WORKGROUP_MEMORY: AtomicBool = AtomicBool::new(false);
/// Whether kernels run at all.
static ENABLED: AtomicBool = AtomicBool::new(true);

/// Says whether this process computes on a GPU with workgroup memory of its own.
pub fn set_fast_workgroup_memory(yes: bool) {
    FAST_WORKGROUP_MEMORY.store(yes, Ordering::Relaxed);
}

/// Whether tiles in workgroup memory pay.
pub fn has_fast_workgroup_memory() -> bool {
    FAST_WORKGROUP_MEMORY.load(Ordering::Relaxed)
}

/// The workgroup size of a reduction, which on a GPU is `on_gpu`. A software adapter runs a workgroup on one thread and stops
/// at every barrier: there it is as many invocations as that thread computes at once.
pub fn reduction_workgroup_size(on_gpu: u32) -> u32 {
    if has_fast_workgroup_memory() {
        on_gpu
    } else {
        on_gpu.min(4)
    }
}

/// Switches the GPU of this process to the reference implementations, or back to the kernels: for measuring one against the
/// other.
pub fn set_kernels_enabled(on: bool) {
    ENABLED.store(on, Ordering::Relaxed);
}

/// What [`set_kernels_enabled`] said last.
pub fn kernels_enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// `x` as a kernel reads it: a contiguous f32 tensor on the GPU, outside of automatic differentiation.
pub fn gpu_f32<const D: usize>(x: &Tensor<D>) -> Result<CubeTensor, NoKernel> {
    gpu_f32_view(x).map(into_contiguous)
}

/// As [`gpu_f32`], with any strides.
pub fn gpu_f32_view<const D: usize>(x: &Tensor<D>) -> Result<CubeTensor, NoKernel> {
    if kernels_enabled() {
        view(x)
    } else {
        Err(NoKernel::ByChoice)
    }
}

/// As [`gpu_f32`] even while kernels are switched off, for data that has no reference implementation.
pub fn gpu_f32_always<const D: usize>(x: &Tensor<D>) -> Result<CubeTensor, NoKernel> {
    view(x).map(into_contiguous)
}

fn view<const D: usize>(x: &Tensor<D>) -> Result<CubeTensor, NoKernel> {
    let x = x.clone().try_into_primitive::<Cube>().map_err(|_| NoKernel::ByChoice)?;
    check_f32(&x).map(|()| x)
}

/// As [`gpu_f32`] under automatic differentiation: the data, and the node of the graph that it belongs to.
pub fn gpu_f32_with_autodiff<const D: usize>(x: &Tensor<D>) -> Result<(CubeTensor, NodeGuard), NoKernel> {
    if !kernels_enabled() {
        return Err(NoKernel::ByChoice);
    }
    let tracked = x.clone().try_into_primitive::<Autodiff<Cube>>();
    let (x, node) = tracked.map_err(|_| NoKernel::ByChoice)?.into_parts();
    check_f32(&x)?;
    Ok((into_contiguous(x), node))
}

/// A whole-number tensor of 32 bits on the GPU, contiguous.
pub fn gpu_int<const D: usize>(x: &Tensor<D, Int>) -> Result<CubeTensor, NoKernel> {
    let x = x.clone().try_into_primitive::<Cube>().map_err(|_| NoKernel::ByChoice)?;
    match (&x.device, x.dtype) {
        (Device::Wgpu(_), DType::I32 | DType::U32) => Ok(into_contiguous(x)),
        (Device::Wgpu(_), _) => Err(NoKernel::Unfit("data type")),
        _ => Err(NoKernel::ByChoice),
    }
}

fn check_f32(x: &CubeTensor) -> Result<(), NoKernel> {
    match (&x.device, x.dtype) {
        (Device::Wgpu(_), DType::F32) => Ok(()),
        (Device::Wgpu(_), _) => Err(NoKernel::Unfit("data type")),
        _ => Err(NoKernel::ByChoice),
    }
}

/// An uninitialised f32 tensor of `shape` on the GPU of `like`.
pub fn allocate(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    allocate_as(like, shape, DType::F32)
}

/// As [`allocate`], of another type.
pub fn allocate_as(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    let shape = shape.into();
    let handle = like.client.empty(shape.num_elements() * dtype.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, handle, dtype)
}

/// The [`Cube`] tensor that `x`, which was made of such tensors, is.
pub fn primitive<const D: usize>(x: Tensor<D>) -> CubeTensor {
    x.try_into_primitive::<Cube>()
        .unwrap_or_else(|error| unreachable!("operations stay on their device: {error:?}"))
}
