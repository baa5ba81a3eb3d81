//! Pasting sprites: any size, tilt and mirroring, without jagged edges.

use image::{RgbImage, RgbaImage};

/// Where an object goes: its centre in pixels, and the matrix from offsets on the canvas to offsets on the unit square
/// of the sprite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    pub centre: [f32; 2],
    /// Side of the sprite's square on the canvas, in pixels.
    pub side: f32,
    pub cos: f32,
    pub sin: f32,
    /// -1 when mirrored, else 1.
    pub mirror: f32,
}

impl Placement {
    /// Place on the sprite, in shares of its side from its top left corner, of a point on the canvas.
    fn source(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = ((x - self.centre[0]) / self.side, (y - self.centre[1]) / self.side);
        (
            0.5 + self.mirror * (self.cos * x + self.sin * y),
            0.5 + self.cos * y - self.sin * x,
        )
    }
}

/// A painted sprite at every halving of its size, alpha premultiplied, so that any smaller size is a short average.
pub(super) struct Pyramid {
    /// Side and pixels, each level half the one before; pixels have a border of one transparent pixel.
    levels: Vec<(usize, Vec<[u8; 4]>)>,
    /// Half width and height of the content in shares of the side.
    pub half_extent: [f32; 2],
}

impl Pyramid {
    pub fn new(sprite: &RgbaImage) -> Self {
        let mut side = sprite.width() as usize;
        let mut pixels: Vec<[f32; 4]> = Vec::with_capacity(side * side);
        let middle = (side as f32 - 1.0) / 2.0;
        let mut half_extent = [0.0f32; 2];
        for (x, y, pixel) in sprite.enumerate_pixels() {
            let [r, g, b, alpha] = pixel.0.map(f32::from);
            let share = alpha / 255.0;
            pixels.push([r * share, g * share, b * share, alpha]);
            if alpha > 0.0 {
                half_extent[0] = half_extent[0].max((x as f32 - middle).abs() + 0.5);
                half_extent[1] = half_extent[1].max((y as f32 - middle).abs() + 0.5);
            }
        }
        let half_extent = half_extent.map(|extent| extent / side as f32);
        let mut levels = Vec::new();
        loop {
            levels.push((side, bordered(&pixels, side)));
            if side % 2 == 1 || side <= 8 {
                return Self { levels, half_extent };
            }
            let half = side / 2;
            let mut smaller = Vec::with_capacity(half * half);
            for y in 0..half {
                for x in 0..half {
                    let at = 2 * y * side + 2 * x;
                    let four = [pixels[at], pixels[at + 1], pixels[at + side], pixels[at + side + 1]];
                    smaller.push(std::array::from_fn(|c| four.iter().map(|p| p[c]).sum::<f32>() / 4.0));
                }
            }
            (pixels, side) = (smaller, half);
        }
    }

    /// The smallest level that is not smaller than `side` pixels, or the largest there is.
    fn level(&self, side: f32) -> (usize, &[[u8; 4]]) {
        let fit = self
            .levels
            .iter()
            .rposition(|(size, _)| *size as f32 >= side)
            .unwrap_or(0);
        let (size, pixels) = &self.levels[fit];
        (*size, pixels)
    }
}

fn bordered(pixels: &[[f32; 4]], side: usize) -> Vec<[u8; 4]> {
    let wide = side + 2;
    let mut out = vec![[0; 4]; wide * wide];
    for y in 0..side {
        for x in 0..side {
            out[(y + 1) * wide + 1 + x] = pixels[y * side + x].map(|value| (value + 0.5) as u8);
        }
    }
    out
}

/// What the sprite lays on each pixel of a `width` x `height` canvas: red, green and blue premultiplied in 0..255, and
/// alpha in 0..1, where that is not 0.
///
/// Each pixel is the mean of 2 x 2 bilinear samples from a level between one and two times its resolution, which
/// covers what the pixel covers.
pub(super) fn cover(
    [height, width]: [u32; 2],
    pyramid: &Pyramid,
    placement: &Placement,
    mut visit: impl FnMut(u32, u32, [f32; 3], f32),
) {
    let (side, pixels) = pyramid.level(placement.side);
    let (wide, scale) = (side + 2, side as f32);
    let reach = placement.side * (placement.cos + placement.sin.abs()) / 2.0 + 1.0;
    let span = |centre: f32, length: u32| {
        (
            (centre - reach).floor().max(0.0) as u32,
            ((centre + reach).ceil().max(0.0) as u32).min(length),
        )
    };
    let (left, right) = span(placement.centre[0], width);
    let (top, bottom) = span(placement.centre[1], height);
    for y in top..bottom {
        for x in left..right {
            let mut sum = [0.0f32; 4];
            for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                let (u, v) = placement.source(x as f32 + dx, y as f32 + dy);
                // Pixel centres lie at halves, and the border adds one.
                let (u, v) = (u * scale + 0.5, v * scale + 0.5);
                if u < 0.0 || v < 0.0 || u >= scale + 1.0 || v >= scale + 1.0 {
                    continue;
                }
                let (column, row) = (u as usize, v as usize);
                let (fx, fy) = (u - column as f32, v - row as f32);
                let at = row * wide + column;
                let (a, b) = (&pixels[at], &pixels[at + 1]);
                let (c, d) = (&pixels[at + wide], &pixels[at + wide + 1]);
                if a[3] | b[3] | c[3] | d[3] == 0 {
                    continue;
                }
                let (wa, wb) = ((1.0 - fx) * (1.0 - fy), fx * (1.0 - fy));
                let (wc, wd) = ((1.0 - fx) * fy, fx * fy);
                for k in 0..4 {
                    let [a, b, c, d] = [a[k], b[k], c[k], d[k]].map(f32::from);
                    sum[k] += wa * a + wb * b + wc * c + wd * d;
                }
            }
            let [r, g, b, alpha] = sum.map(|value| value / 4.0);
            if alpha > 0.0 {
                visit(x, y, [r, g, b], alpha / 255.0);
            }
        }
    }
}

/// The smallest box around pixels: left, top, right, bottom; right and bottom are just outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds(pub [u32; 4]);

impl Bounds {
    pub const EMPTY: Self = Self([u32::MAX, u32::MAX, 0, 0]);

    pub fn include(&mut self, x: u32, y: u32) {
        let [left, top, right, bottom] = self.0;
        self.0 = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
    }

    pub fn join(&mut self, other: Self) {
        let ([left, top, right, bottom], [l, t, r, b]) = (self.0, other.0);
        self.0 = [left.min(l), top.min(t), right.max(r), bottom.max(b)];
    }
}

/// Lays the sprite over the canvas, with all its paint replaced by `tint` if there is one. The bounds are those of what
/// covers a pixel by more than half.
pub(super) fn paste(canvas: &mut RgbImage, pyramid: &Pyramid, placement: &Placement, tint: Option<[u8; 3]>) -> Bounds {
    let mut bounds = Bounds::EMPTY;
    let size = [canvas.height(), canvas.width()];
    cover(size, pyramid, placement, |x, y, rgb, alpha| {
        let rgb = tint.map_or(rgb, |tint| tint.map(|value| f32::from(value) * alpha));
        for (under, over) in canvas.get_pixel_mut(x, y).0.iter_mut().zip(rgb) {
            *under = (f32::from(*under) * (1.0 - alpha) + over + 0.5) as u8;
        }
        if alpha > 0.5 {
            bounds.include(x, y);
        }
    });
    bounds
}

/// Mixes `rgb` into a pixel.
pub(super) fn blend(under: &mut [u8; 3], rgb: [u8; 3], alpha: f32) {
    for (under, over) in under.iter_mut().zip(rgb) {
        *under = (f32::from(*under) * (1.0 - alpha) + f32::from(over) * alpha + 0.5) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, Rgba};

    #[test]
    fn resampling_keeps_flat_colour_flat() {
        // An opaque sprite of one colour pasted over another: every pixel is one of the two or, at the rim, between.
        let pyramid = Pyramid::new(&RgbaImage::from_pixel(128, 128, Rgba([200, 40, 90, 255])));
        for side in [20.0, 37.0, 80.0, 111.0, 230.0] {
            let placement = Placement {
                centre: [128.0, 128.0],
                side,
                cos: 0.995,
                sin: 0.0998,
                mirror: 1.0,
            };
            let mut canvas = RgbImage::from_pixel(256, 256, Rgb([10, 220, 30]));
            let bounds = paste(&mut canvas, &pyramid, &placement, None).0;
            assert_eq!(canvas.get_pixel(128, 128).0, [200, 40, 90]);
            assert_eq!(canvas.get_pixel(2, 2).0, [10, 220, 30]);
            for pixel in canvas.pixels() {
                let [r, g, b] = pixel.0;
                assert!((10..=200).contains(&r) && (40..=220).contains(&g) && (30..=90).contains(&b));
                let share = (f32::from(r) - 10.0) / 190.0;
                assert!(
                    (f32::from(g) - (220.0 - 180.0 * share)).abs() < 2.0,
                    "{pixel:?} is a blend of the two"
                );
            }
            let expected = side * (0.995 + 0.0998);
            assert!(
                ((bounds[2] - bounds[0]) as f32 - expected).abs() < 0.12 * side + 2.0,
                "{bounds:?} at {side}"
            );
        }
    }

    #[test]
    fn a_tint_replaces_all_paint() {
        let pyramid = Pyramid::new(&RgbaImage::from_fn(16, 16, |x, _| Rgba([17 * x as u8, 80, 9, 255])));
        let placement = Placement {
            centre: [16.0, 16.0],
            side: 20.0,
            cos: 1.0,
            sin: 0.0,
            mirror: -1.0,
        };
        let mut canvas = RgbImage::from_pixel(32, 32, Rgb([255; 3]));
        paste(&mut canvas, &pyramid, &placement, Some([1, 2, 3]));
        for (x, y) in [(8, 8), (16, 16), (24, 24)] {
            assert_eq!(canvas.get_pixel(x, y).0, [1, 2, 3]);
        }
    }
}
