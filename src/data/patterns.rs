//! Regular patterns behind objects: stripes, dots and checks of two colours.

use image::{Rgb, RgbImage};

use super::rng::Rng;
use super::scene::Pattern;

/// Length of one repeat in shares of the picture's shorter side.
const REPEAT: (f32, f32) = (0.14, 0.36);
/// Radius of a dot in shares of the distance between dots.
const DOT: (f32, f32) = (0.20, 0.30);
/// Directions of stripes, as whole numbers of repeats along x and y.
const DIRECTIONS: [(i64, i64); 4] = [(0, 1), (1, 0), (1, 1), (1, -1)];
/// One pixel in fixed point.
const ONE: i64 = 256;

/// Covers `canvas` with `pattern`; how fine it is, where it begins and how stripes run is up to `rng`.
pub(super) fn draw(pattern: Pattern, canvas: &mut RgbImage, [ground, figure]: [[u8; 3]; 2], rng: &mut Rng) {
    let short = canvas.width().min(canvas.height()) as f32;
    let repeat = ((short * rng.range(REPEAT.0, REPEAT.1)).max(4.0) * ONE as f32) as i64;
    let start = [0, 1].map(|_| (rng.unit() * repeat as f32) as i64);
    // All blends of the two colours, by the figure's share.
    let blends: [[u8; 3]; ONE as usize + 1] = std::array::from_fn(|share| {
        std::array::from_fn(|c| {
            let (from, to) = (i64::from(ground[c]), i64::from(figure[c]));
            ((from * ONE + (to - from) * share as i64 + ONE / 2) / ONE) as u8
        })
    });
    let mut paint = |share: &dyn Fn(i64, i64) -> i64| {
        for (x, y, pixel) in canvas.enumerate_pixels_mut() {
            let (x, y) = (i64::from(x) * ONE + ONE / 2, i64::from(y) * ONE + ONE / 2);
            *pixel = Rgb(blends[share(x, y).clamp(0, ONE) as usize]);
        }
    };
    match pattern {
        Pattern::Stripes => {
            let (dx, dy) = DIRECTIONS[rng.below(DIRECTIONS.len())];
            // A slanted band of the same breadth is longer along the axes.
            let slanted = dx != 0 && dy != 0;
            let repeat = if slanted { repeat * 181 / 128 } else { repeat };
            paint(&|x, y| band(dx * x + dy * y + start[0], repeat));
        }
        Pattern::Checks => paint(&|x, y| {
            let (a, b) = (band(x + start[0], repeat), band(y + start[1], repeat));
            // The figure's share is that of either band without the other.
            a + b - 2 * a * b / ONE
        }),
        Pattern::Dots => {
            let radius = (repeat as f32 * rng.range(DOT.0, DOT.1)) as i64;
            paint(&|x, y| {
                let row = (y + start[1]).div_euclid(repeat);
                // Every other row is half a repeat aside.
                let aside = if row % 2 == 0 { 0 } else { repeat / 2 };
                let dx = (x + start[0] + aside).rem_euclid(repeat) - repeat / 2;
                let dy = (y + start[1]).rem_euclid(repeat) - repeat / 2;
                radius - (dx * dx + dy * dy).isqrt() + ONE / 2
            });
        }
    }
}

/// How much of a pixel at `at` lies in the second half of a repeat, in fixed point.
fn band(at: i64, repeat: i64) -> i64 {
    let at = at.rem_euclid(repeat);
    let (rise, fall) = (at - repeat / 2 + ONE / 2, repeat - at + ONE / 2);
    // The pixel that holds the end of a repeat is part of the next one's first half.
    let next = ONE / 2 - at;
    rise.min(fall).clamp(0, ONE).max(next.clamp(0, ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_colours_cover_a_good_part() {
        let colours = [[200, 30, 40], [20, 60, 220]];
        for pattern in Pattern::ALL {
            for index in 0..20 {
                let mut canvas = RgbImage::new(96, 64);
                draw(pattern, &mut canvas, colours, &mut Rng::new(3, index));
                let share = |colour| canvas.pixels().filter(|pixel| pixel.0 == colour).count() as f32 / (96.0 * 64.0);
                let least = if pattern == Pattern::Dots { 0.08 } else { 0.25 };
                assert!(share(colours[0]) > 0.25, "{pattern:?} {index}: {}", share(colours[0]));
                assert!(share(colours[1]) > least, "{pattern:?} {index}: {}", share(colours[1]));
                assert!(
                    share(colours[0]) + share(colours[1]) > 0.55,
                    "rims only between the two"
                );
            }
        }
    }

    #[test]
    fn a_band_is_half_of_its_repeat() {
        let repeat = 20 * ONE;
        let total: i64 = (0..20).map(|x| band(x * ONE + ONE / 2, repeat)).sum();
        assert_eq!(total, 10 * ONE);
        assert_eq!([band(5 * ONE, repeat), band(15 * ONE, repeat)], [0, ONE]);
    }
}
