//! What is done to a drawn picture: pixel art, and the white border of a sticker.

use image::{Rgb, RgbImage};

use super::raster::{Placement, Pyramid, blend, cover};

/// Pixel art has so many cells along the shorter side.
const CELLS: u32 = 32;
/// And so many steps of each channel.
const STEPS: f32 = 7.0;
/// Width of a sticker's border in shares of the object's side.
const BORDER: f32 = 0.05;
/// A silhouette's black.
pub(super) const INK: [u8; 3] = [22, 21, 26];

/// Coarsens the picture to square cells of few colours.
pub(super) fn pixelate(image: &mut RgbImage) {
    let (width, height) = image.dimensions();
    let side = (width.min(height) as f32 / CELLS as f32).round().max(1.0) as u32;
    for top in (0..height).step_by(side as usize) {
        for left in (0..width).step_by(side as usize) {
            let (right, bottom) = ((left + side).min(width), (top + side).min(height));
            let mut sum = [0u32; 3];
            for y in top..bottom {
                for x in left..right {
                    for (sum, &value) in sum.iter_mut().zip(&image.get_pixel(x, y).0) {
                        *sum += u32::from(value);
                    }
                }
            }
            let area = ((right - left) * (bottom - top)) as f32;
            let cell = sum.map(|sum| {
                let level = (sum as f32 / area / 255.0 * STEPS).round();
                (level / STEPS * 255.0).round() as u8
            });
            for y in top..bottom {
                for x in left..right {
                    image.put_pixel(x, y, Rgb(cell));
                }
            }
        }
    }
}

/// Lays a white border and a soft shadow under where the object will be pasted.
pub(super) fn sticker_back(canvas: &mut RgbImage, pyramid: &Pyramid, placement: &Placement) {
    let (width, height) = canvas.dimensions();
    let mut mask = vec![0.0f32; (width * height) as usize];
    cover([height, width], pyramid, placement, |x, y, [.., alpha]| {
        // A pixel half covered is a rim already: the border is as white there as elsewhere.
        mask[(y * width + x) as usize] = (2.0 * f32::from(alpha) / 255.0).min(1.0);
    });
    let border = dilated(&mask, [height, width], (BORDER * placement.side).max(1.0));
    let shift = (0.02 * placement.side).round().max(1.0) as u32;
    for y in (0..height).rev() {
        for x in 0..width {
            if x >= shift && y >= shift {
                let shadow = border[((y - shift) * width + x - shift) as usize];
                blend(&mut canvas.get_pixel_mut(x, y).0, [0; 3], 0.22 * shadow);
            }
            blend(
                &mut canvas.get_pixel_mut(x, y).0,
                [255; 3],
                border[(y * width + x) as usize],
            );
        }
    }
}

/// The mask grown by `radius` pixels with a soft rim.
fn dilated(mask: &[f32], [height, width]: [u32; 2], radius: f32) -> Vec<f32> {
    let reach = radius.ceil() as i32;
    let mut weights = Vec::new();
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let weight = (radius + 0.5 - (dx as f32).hypot(dy as f32)).clamp(0.0, 1.0);
            if weight > 0.0 {
                weights.push((dx, dy, weight));
            }
        }
    }
    let mut out = mask.to_vec();
    let (width, height) = (width as i32, height as i32);
    for y in 0..height {
        for x in 0..width {
            let alpha = mask[(y * width + x) as usize];
            if alpha == 0.0 {
                continue;
            }
            for &(dx, dy, weight) in &weights {
                let (u, v) = (x + dx, y + dy);
                if (0..width).contains(&u) && (0..height).contains(&v) {
                    let grown = &mut out[(v * width + u) as usize];
                    *grown = grown.max(alpha * weight);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    #[test]
    fn pixel_art_is_made_of_squares() {
        for (width, height, side) in [(128, 128, 4), (64, 208, 2), (144, 112, 4)] {
            let mut image = RgbImage::from_fn(width, height, |x, y| Rgb([(x * 5) as u8, (y * 3) as u8, (x ^ y) as u8]));
            pixelate(&mut image);
            for (x, y, pixel) in image.enumerate_pixels() {
                assert_eq!(pixel, image.get_pixel(x / side * side, y / side * side));
            }
            let colours: std::collections::HashSet<_> = image.pixels().map(|pixel| pixel.0[0]).collect();
            assert!((2..=8).contains(&colours.len()), "{colours:?}");
        }
    }

    #[test]
    fn a_sticker_has_a_white_rim_of_even_width() {
        let pyramid = Pyramid::new(&RgbaImage::from_pixel(128, 128, Rgba([200, 40, 90, 255])));
        let placement = Placement {
            centre: [64.0, 64.0],
            side: 60.0,
            cos: 1.0,
            sin: 0.0,
            mirror: 1.0,
        };
        let mut canvas = RgbImage::from_pixel(128, 128, Rgb([10, 120, 30]));
        sticker_back(&mut canvas, &pyramid, &placement);
        // The object covers 34..94; the border 31..97.
        for place in [32, 33, 94, 95] {
            assert_eq!(canvas.get_pixel(place, 64).0, [255; 3], "{place}");
            assert_eq!(canvas.get_pixel(64, place).0, [255; 3], "{place}");
        }
        for place in [26, 104] {
            assert_eq!(canvas.get_pixel(place, 64).0, [10, 120, 30], "{place}");
        }
    }
}
