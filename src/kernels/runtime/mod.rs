//! What every kernel stands on: the template that its WGSL is written in, its launch, what is known of the GPU, how an op
//! names its kernel variants, and the count of runs that no kernel fitted.

mod device;
pub mod fallbacks;
mod launch;
mod template;
mod variant;

pub(super) use device::{
    allocate, allocate_as, gpu_f32, gpu_f32_always, gpu_f32_view, gpu_f32_with_autodiff, gpu_int, primitive,
    reduction_workgroup_size,
};
pub use device::{has_fast_workgroup_memory, kernels_enabled, set_fast_workgroup_memory, set_kernels_enabled};
pub use fallbacks::NoKernel;
pub use launch::Constants;
pub(super) use launch::{ELEMENTWISE, Shader, float_bits};
pub use template::Wgsl;
pub use variant::{Chosen, UnknownVariant, Variant};
