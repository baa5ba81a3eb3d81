//! How a convolution and the transposed one read the same weights.

use burn_cubecl::tensor::CubeTensor;

/// The weights `[O, C, k, k]` as a convolution, or as the transposed one reads them: its inputs are the outputs `O`, its kernel is
/// flipped.
pub(super) struct Sides {
    pub channels: usize,
    pub out: usize,
    /// From one output, and from one input, to the next in the weights.
    pub out_stride: usize,
    pub in_stride: usize,
}

impl Sides {
    pub fn of(weight: &CubeTensor, transposed: bool) -> Self {
        let shape = weight.meta.shape();
        let (from, to, area) = (shape[1], shape[0], shape[2] * shape[3]);
        match transposed {
            false => Self {
                channels: from,
                out: to,
                out_stride: from * area,
                in_stride: area,
            },
            true => Self {
                channels: to,
                out: from,
                out_stride: area,
                in_stride: from * area,
            },
        }
    }
}
