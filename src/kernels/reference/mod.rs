//! Reference implementations in plain tensor operations, and the few definitions that model and kernels share.
//!
//! They run on every device and are differentiable. A kernel's test compares it with its reference. Those that need nothing but
//! tensors are here; the reference of one op that stands on other ops is beside that op.

pub mod activation;
pub mod bits;
pub mod grid;
pub mod norm;
pub mod resize;
