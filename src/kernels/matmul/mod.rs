//! Matrix multiplication: the linear layer with its epilogue for inference, the differentiable matmul for training, and the
//! formats of quantized weights.

mod differentiable;
mod linear;
pub mod quantized;
mod variant;

pub use differentiable::broadcast;
pub use linear::{Epilogue, Gate, linear, linear_reference, linear_with, standalone};
pub use quantized::WeightFormat;
pub use variant::{LinearVariant, RowCount, Workload};
