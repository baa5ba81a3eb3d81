//! Pasting sprites: any size, tilt and mirroring, without jagged edges.
//!
//! All whole-numbered but for where a sprite begins: places with 16 bits behind the point, two channels in one number.

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

/// A painted sprite at every halving of its size, alpha premultiplied, so that any smaller size is a short average.
pub(super) struct Pyramid {
    /// Side and pixels, each level half the one before. Pixels have a border of one transparent pixel; red is in the
    /// lowest byte, alpha in the highest.
    levels: Vec<(usize, Vec<u32>)>,
    /// Half width and height of the content in shares of the side.
    pub half_extent: [f32; 2],
}

impl Pyramid {
    pub fn new(sprite: &RgbaImage) -> Self {
        let mut side = sprite.width() as usize;
        let mut pixels: Vec<[u16; 4]> = Vec::with_capacity(side * side);
        let middle = (side as f32 - 1.0) / 2.0;
        let mut half_extent = [0.0f32; 2];
        for (x, y, pixel) in sprite.enumerate_pixels() {
            let [r, g, b, alpha] = pixel.0.map(u16::from);
            // Sixteenths, so that halving rounds but once.
            pixels.push([r, g, b, 255].map(|value| ((u32::from(value) * u32::from(alpha) * 16 + 127) / 255) as u16));
            if alpha > 0 {
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
                    smaller.push(std::array::from_fn(|c| {
                        (four.iter().map(|p| p[c]).sum::<u16>() + 2) / 4
                    }));
                }
            }
            (pixels, side) = (smaller, half);
        }
    }

    /// The smallest level that is not smaller than `side` pixels, or the largest there is.
    fn level(&self, side: f32) -> (usize, &[u32]) {
        let fit = self
            .levels
            .iter()
            .rposition(|(size, _)| *size as f32 >= side)
            .unwrap_or(0);
        let (size, pixels) = &self.levels[fit];
        (*size, pixels)
    }
}

fn bordered(pixels: &[[u16; 4]], side: usize) -> Vec<u32> {
    let wide = side + 2;
    let mut out = vec![0; wide * wide];
    for y in 0..side {
        for x in 0..side {
            let bytes = pixels[y * side + x].map(|value| ((value + 8) / 16).min(255) as u8);
            out[(y + 1) * wide + 1 + x] = u32::from_le_bytes(bytes);
        }
    }
    out
}

/// One in fixed point.
const ONE: i64 = 1 << 16;

/// A place on a level, and the steps to the next pixel of the canvas: along the sprite's x and y, in fixed point.
#[derive(Clone, Copy)]
struct Walk {
    at: [i64; 2],
    step: [i64; 2],
}

impl Walk {
    /// How many steps it takes until both coordinates lie in `0..end`, and until one does no more, at most `most`.
    fn inside(&self, end: i64, most: i64) -> (i64, i64) {
        let (mut first, mut last) = (0, most);
        for (at, step) in self.at.into_iter().zip(self.step) {
            let (enters, leaves) = match step {
                0 if (0..end).contains(&at) => (0, most),
                0 => (most, most),
                // Rounded up both: the first step inside, and the first one that is no more.
                1.. => (
                    (-at + step - 1).div_euclid(step),
                    (end - at + step - 1).div_euclid(step),
                ),
                _ => (
                    (at - end + 1 - step - 1).div_euclid(-step),
                    (at + 1 - step - 1).div_euclid(-step),
                ),
            };
            first = first.max(enters);
            last = last.min(leaves);
        }
        (first.clamp(0, most), last.clamp(0, most))
    }
}

/// Four channels with 8 bits behind the point, two in each number.
type Wide = [u32; 2];

/// The bilinear mean of the four pixels around a place, channel by channel; red and blue, green and alpha.
#[inline(always)]
fn sampled(pixels: &[u32], wide: usize, u: i64, v: i64) -> Wide {
    let at = (v >> 16) as usize * wide + (u >> 16) as usize;
    let (fx, fy) = ((u >> 8) as u32 & 255, (v >> 8) as u32 & 255);
    let (Some(&[a, b]), Some(&[c, d])) = (
        pixels.get(at..).and_then(<[u32]>::first_chunk::<2>),
        pixels.get(at + wide..).and_then(<[u32]>::first_chunk::<2>),
    ) else {
        return [0; 2];
    };
    if a | b | c | d == 0 {
        return [0; 2];
    }
    let wd = (fx * fy) >> 8;
    let (wb, wc) = (fx - wd, fy - wd);
    let wa = 256 - wb - wc - wd;
    let half = |shift: u32| {
        let of = |pixel: u32| pixel >> shift & 0x00ff_00ff;
        of(a) * wa + of(b) * wb + of(c) * wc + of(d) * wd
    };
    [half(0), half(8)]
}

/// What the sprite lays on each pixel of a `width` x `height` canvas: red, green, blue premultiplied and alpha, where that
/// is not 0; row by row, with the place of the pixel among all.
///
/// A pixel is one bilinear sample where the level's resolution is near its own, and else the mean of 2 x 2, from a level
/// of at most twice its resolution: that covers what the pixel covers.
pub(super) fn cover(
    [height, width]: [u32; 2],
    pyramid: &Pyramid,
    placement: &Placement,
    mut visit: impl FnMut(u32, u32, [u8; 4]),
) {
    let (side, pixels) = pyramid.level(placement.side);
    let (wide, scale) = (side + 2, side as f32 / placement.side);
    let reach = placement.side * (placement.cos + placement.sin.abs()) / 2.0 + 1.0;
    let span = |centre: f32, length: u32| {
        (
            (centre - reach).floor().max(0.0) as u32,
            ((centre + reach).ceil().max(0.0) as u32).min(length),
        )
    };
    let (left, right) = span(placement.centre[0], width);
    let (top, bottom) = span(placement.centre[1], height);
    if left >= right {
        return;
    }
    let fixed = |value: f32| (f64::from(value) * ONE as f64).round() as i64;
    let along_x = [placement.mirror * placement.cos * scale, -placement.sin * scale].map(fixed);
    let along_y = [placement.mirror * placement.sin * scale, placement.cos * scale].map(fixed);
    // Pixel centres lie at halves, and the border adds one.
    let middle = fixed(side as f32 / 2.0 + 0.5);
    let off = [left as f32, top as f32].map(|v| v + 0.5);
    let from = [0, 1].map(|axis| fixed(off[axis] - placement.centre[axis]));
    let start = [0, 1].map(|axis| {
        middle
            + ((i128::from(from[0]) * i128::from(along_x[axis]) + i128::from(from[1]) * i128::from(along_y[axis]))
                >> 16) as i64
    });
    let end = (side as i64 + 1) * ONE;
    let single = scale <= 1.2;
    // Quarters of a pixel either way.
    let taps = [(-1, -1), (1, -1), (-1, 1), (1, 1)]
        .map(|(x, y)| [0, 1].map(|axis| (x * along_x[axis] + y * along_y[axis]) / 4));
    for y in top..bottom {
        let row = i64::from(y - top);
        let walk = Walk {
            at: [0, 1].map(|axis| start[axis] + row * along_y[axis]),
            step: along_x,
        };
        let most = i64::from(right - left);
        // One pixel more on either side: its samples may lie inside though its middle does not.
        let rim = if single { 0 } else { 2 * ONE };
        let wider = Walk {
            at: walk.at.map(|at| at + rim / 2),
            step: walk.step,
        };
        let (first, last) = wider.inside(end + rim, most);
        let mut at = [0, 1].map(|axis| walk.at[axis] + first * walk.step[axis]);
        for step in first..last {
            let [rb, ga] = if single {
                sampled(pixels, wide, at[0], at[1])
            } else {
                let mut sum = [0; 2];
                for tap in taps {
                    let (u, v) = (at[0] + tap[0], at[1] + tap[1]);
                    if (0..end).contains(&u) && (0..end).contains(&v) {
                        let [rb, ga] = sampled(pixels, wide, u, v);
                        // A quarter of each keeps within 16 bits.
                        sum = [sum[0] + (rb >> 2 & 0x3fff_3fff), sum[1] + (ga >> 2 & 0x3fff_3fff)];
                    }
                }
                sum
            };
            at = [at[0] + walk.step[0], at[1] + walk.step[1]];
            if rb | ga == 0 {
                continue;
            }
            let round = |pair: u32| (pair >> 8 & 0x00ff_00ff) + (pair >> 7 & 0x0001_0001);
            let (rb, ga) = (round(rb), round(ga));
            let rgba = [rb, ga, rb >> 16, ga >> 16].map(|value| (value & 0xffff).min(255) as u8);
            if rgba[3] > 0 {
                visit(left + step as u32, y, rgba);
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
    let (height, width) = (canvas.height(), canvas.width());
    let bytes: &mut [u8] = canvas;
    cover([height, width], pyramid, placement, |x, y, [r, g, b, alpha]| {
        let over = match tint {
            None => [r, g, b],
            Some(tint) => tint.map(|value| ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8),
        };
        let at = 3 * (y as usize * width as usize + x as usize);
        if let Some(under) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<3>) {
            match alpha {
                255 => *under = over,
                alpha => {
                    let rest = 255 - u32::from(alpha);
                    for (under, over) in under.iter_mut().zip(over) {
                        *under = (u32::from(over) + (u32::from(*under) * rest + 127) / 255).min(255) as u8;
                    }
                }
            }
        }
        if alpha > 127 {
            bounds.include(x, y);
        }
    });
    bounds
}

/// Mixes `rgb` into a pixel.
pub(super) fn blend(under: &mut [u8; 3], rgb: [u8; 3], alpha: f32) {
    if alpha >= 1.0 {
        *under = rgb;
        return;
    }
    let share = (alpha * 256.0) as u32;
    for (under, over) in under.iter_mut().zip(rgb) {
        *under = ((u32::from(*under) * (256 - share) + u32::from(over) * share + 128) >> 8) as u8;
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
