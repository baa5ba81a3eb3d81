//! Resizing of feature maps as matmuls with small fixed matrices: one form for every device, exact and differentiable.
//!
//! burn's `interpolate` has no area mode and aligns corners by default, hence our own weights.

use super::grid::Grid;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, TensorData};

/// How a map changes its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// Adaptive average pooling: output i averages input rows `floor(i H/h) .. ceil((i+1) H/h) - 1`.
    Area,
    /// Linear between half-pixel centres, without anti-aliasing, for enlarging and shrinking alike.
    Bilinear,
    /// Linear with the corner samples kept in place.
    BilinearAlignCorners,
}

impl Resize {
    /// `[B, C, H, W] -> [B, C, h, w]`.
    pub fn apply(self, x: Tensor<4>, (h, w): Grid) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        if (height, width) == (h, w) {
            return x;
        }
        let device = x.device();
        let rows = self.matrix(height, h, &device);
        let columns = self.matrix(width, w, &device).transpose();
        rows.unsqueeze::<4>().matmul(x.matmul(columns.unsqueeze::<4>()))
    }

    /// The `[to, from]` matrix of one axis.
    fn matrix(self, from: usize, to: usize, device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(self.weights(from, to), [to, from]), device)
    }

    fn weights(self, from: usize, to: usize) -> Vec<f32> {
        let mut weights = vec![0.0; to * from];
        for (i, row) in weights.chunks_exact_mut(from).enumerate() {
            match self {
                Resize::Area => {
                    let (start, end) = (i * from / to, ((i + 1) * from).div_ceil(to));
                    row[start..end].fill(1.0 / (end - start) as f32);
                }
                Resize::Bilinear => {
                    let scale = from as f32 / to as f32;
                    lerp(row, ((i as f32 + 0.5) * scale - 0.5).max(0.0));
                }
                Resize::BilinearAlignCorners => {
                    let scale = if to > 1 {
                        (from - 1) as f32 / (to - 1) as f32
                    } else {
                        0.0
                    };
                    lerp(row, i as f32 * scale);
                }
            }
        }
        weights
    }
}

/// Weights of the two samples around `source`.
fn lerp(row: &mut [f32], source: f32) {
    let last = row.len() - 1;
    let low = (source.floor() as usize).min(last);
    let fraction = source - low as f32;
    row[low] += 1.0 - fraction;
    row[(low + 1).min(last)] += fraction;
}

/// Pixel unshuffle by 2: `[B, C, 2h, 2w] -> [B, 4C, h, w]`, channel `4c + 2dy + dx`.
pub fn patchify(x: Tensor<4>) -> Tensor<4> {
    space_to_depth(x, 2)
}

/// Pixel shuffle by 2, the inverse of [`patchify`].
pub fn unpatchify(x: Tensor<4>) -> Tensor<4> {
    depth_to_space(x, 2)
}

/// `[B, C, s h, s w] -> [B, s^2 C, h, w]`; channel `s^2 c + s dy + dx` of (y, x) is channel c of (s y + dy, s x + dx).
pub fn space_to_depth(x: Tensor<4>, s: usize) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    x.reshape([b, c, h / s, s, w / s, s])
        .permute([0, 1, 3, 5, 2, 4])
        .reshape([b, c * s * s, h / s, w / s])
}

/// Inverse of [`space_to_depth`]: `[B, s^2 C, h, w] -> [B, C, s h, s w]`.
pub fn depth_to_space(x: Tensor<4>, s: usize) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    x.reshape([b, c / (s * s), s, s, h, w])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([b, c / (s * s), h * s, w * s])
}

/// Nearest-neighbour doubling: `[B, C, H, W] -> [B, C, 2H, 2W]`. Alignment of corners plays no part in this mode, and
/// on the CPU engine it is five times quicker than expanding two new axes.
pub fn nearest2x(x: Tensor<4>) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    let options = InterpolateOptions::new(InterpolateMode::Nearest);
    interpolate(x, options.with_output_size([2 * h, 2 * w]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use serde_json::Value;

    golden::test_per_device!(golden_resize: golden_resize_flex, golden_resize_wgpu);

    fn golden_resize(name: &str, device: &Device) {
        for case in golden::cases("resize") {
            for entry in case.get::<Vec<Value>>("cases") {
                let index = &entry["index"];
                let size: Grid = serde_json::from_value(entry["out_hw"].clone()).unwrap();
                let x = case.float::<4>(&format!("in.{index}"), device);
                let out = match entry["mode"].as_str().unwrap() {
                    "area" => Resize::Area.apply(x, size),
                    "trilinear" | "bilinear" => Resize::Bilinear.apply(x, size),
                    "bilinear_align_corners" => Resize::BilinearAlignCorners.apply(x, size),
                    "nearest2x" => nearest2x(x),
                    "pixel_unshuffle2" => patchify(x),
                    "pixel_shuffle2" => unpatchify(x),
                    mode => panic!("unknown resize {mode}"),
                };
                case.check(name, &format!("out.{index}"), out);
            }
        }
    }
}
