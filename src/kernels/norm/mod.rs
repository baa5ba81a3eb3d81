//! Norms with what follows them: two dispatches for a group norm with SiLU, one for a layer norm with its modulation, where
//! burn's operations take about ten.

mod group_norm;
mod group_norm_backward;
mod launch;
mod layer_norm;

pub use group_norm::{group_norm_silu, group_statistics, normalized_silu};
pub use layer_norm::{Modulation, layer_norm, layer_norm_reference, rms_norm};
