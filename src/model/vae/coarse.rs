//! Coarse decoding: the image after a scale before the last, decoded at about the size of that scale.
//!
//! `F_k` is a sum of maps that were upsampled from at most `h_k x w_k`, so a full decoding before the last scale mostly
//! decodes interpolated positions. Decoding at the size of the scale costs `h_k w_k / (H W)` of a full decoding: on the
//! square schedules all scales before the last cost 1.1 to 1.6 full decodings together, instead of 4 to 12.

use super::Decoder;
use crate::model::resize::Resize;
use crate::model::schedule::Grid;
use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

/// Fewest rows and columns that are decoded: the convolutions see little but the padding in fewer.
const FEWEST: usize = 4;

impl Decoder {
    /// As [`decode`](Self::decode) for a running sum `F_k` of the latent grid `(h_k, w_k)`: the picture of `F_k` shrunk
    /// to about that grid, enlarged to the size of the whole.
    pub fn decode_coarse(&self, sum: Tensor<4>, grid: Grid) -> Tensor<4> {
        let [_, _, height, width] = sum.dims();
        let (rows, columns) = coarse(grid, (height, width));
        if (rows, columns) == (height, width) {
            return self.decode(sum);
        }
        let small = self.decode(Resize::Area.apply(sum, (rows, columns)));
        let size = [small.dims()[2] / rows * height, small.dims()[3] / columns * width];
        let options = InterpolateOptions::new(InterpolateMode::Bilinear);
        interpolate(small, options.with_output_size(size).with_align_corners(false))
    }
}

/// `whole` made smaller, but not below `grid`, nor so that its shape changes by more than a row or column.
fn coarse((h, w): Grid, (height, width): Grid) -> Grid {
    let share = |part: usize, of: usize| part as f64 / of as f64;
    let fewest = share(FEWEST, height.min(width));
    let share = share(h, height).max(share(w, width)).max(fewest).min(1.0);
    // A hair less, for a product that rounding has lifted above its integer.
    let part = |of: usize| (of as f64 * share - 1e-9).ceil() as usize;
    (part(height), part(width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::TEMPLATES;

    #[test]
    fn no_token_is_lost_and_the_shape_stays() {
        assert_eq!(coarse((1, 1), (8, 8)), (4, 4));
        assert_eq!(coarse((6, 6), (8, 8)), (6, 6));
        assert_eq!(coarse((2, 2), (10, 5)), (8, 4));
        assert_eq!(coarse((1, 1), (3, 5)), (3, 5));
        for template in TEMPLATES {
            for scales in 1..=13 {
                let grids = template.schedule(scales).unwrap().latent_grids(false);
                let (height, width) = grids[scales - 1];
                for &(h, w) in &grids {
                    let (rows, columns) = coarse((h, w), (height, width));
                    assert!((h..=height).contains(&rows) && (w..=width).contains(&columns));
                    let squeezed = (rows * width).abs_diff(columns * height);
                    assert!(squeezed < height.max(width), "{rows} x {columns} of {height} x {width}");
                }
                assert_eq!(coarse((height, width), (height, width)), (height, width));
            }
        }
    }
}
