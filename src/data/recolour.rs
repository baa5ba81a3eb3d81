//! Painting a sprite another colour: the region of its dominant hue moves to the new shade, the rest stays.

use std::collections::HashMap;

use image::RgbaImage;
use serde::{Deserialize, Serialize};

use super::colour::{Colour, OkLab, hue_difference};

/// Hues this near to the dominant one belong to the region entirely, in degrees.
const INSIDE: f32 = 38.0;
/// Hues this far away do not belong to it at all. Between the two lies a ramp, for the blended pixels at edges.
const OUTSIDE: f32 = 62.0;
/// Below the first chroma a pixel has no hue to speak of; above the second it has.
const CHROMA_RAMP: (f32, f32) = (0.025, 0.06);

/// The part of a sprite that carries its colour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Mean colour of the region.
    pub mean: OkLab,
    /// Share of the sprite's opaque area that painting changes, 0..1.
    pub cover: f32,
}

impl Region {
    /// Finds the dominant hue: the fullest 40 degree window of the hue histogram, then the circular mean around it.
    /// `None` for a sprite without any hue.
    pub fn of(sprite: &RgbaImage) -> Option<Self> {
        let colours = histogram(sprite);
        let mut bins = [0.0; 36];
        for &(lab, area) in &colours {
            if lab.chroma() > CHROMA_RAMP.1 {
                bins[(lab.hue() / 10.0) as usize % 36] += area;
            }
        }
        let window = |centre: usize| (34..39).map(|step| bins[(centre + step) % 36]).sum::<f32>();
        let fullest = (0..36).max_by(|&a, &b| window(a).total_cmp(&window(b)))?;
        if window(fullest) == 0.0 {
            return None;
        }
        let mut hue = fullest as f32 * 10.0 + 5.0;
        let mut region = None;
        // The window's centre is only 10 degrees exact: twice around the mean settles it.
        for _ in 0..3 {
            let (mut sum, mut inside, mut changed, mut opaque) = ([0.0; 3], 0.0, 0.0, 0.0);
            for &(lab, area) in &colours {
                let weight = membership(lab, hue) * area;
                opaque += area;
                inside += weight;
                if weight > 0.0 {
                    changed += area;
                }
                for (sum, value) in sum.iter_mut().zip([lab.l, lab.a, lab.b]) {
                    *sum += weight * value;
                }
            }
            let mean = OkLab {
                l: sum[0] / inside,
                a: sum[1] / inside,
                b: sum[2] / inside,
            };
            hue = mean.hue();
            region = Some(Self {
                mean,
                cover: changed / opaque,
            });
        }
        region
    }

    /// To three digits.
    pub fn rounded(self) -> Self {
        let round = |value: f32| (value * 1000.0).round() / 1000.0;
        Self {
            mean: OkLab {
                l: round(self.mean.l),
                a: round(self.mean.a),
                b: round(self.mean.b),
            },
            cover: round(self.cover),
        }
    }

    /// How far a colour belongs to the region, 0..1.
    pub fn contains(&self, colour: OkLab) -> f32 {
        membership(colour, self.mean.hue())
    }

    /// The sprite with the region's mean moved to the shade of `target`. Light and shadow around the mean stay, hue
    /// differences shrink by half so that a two-tone region keeps its two tones without leaving the named colour.
    pub fn paint(&self, sprite: &RgbaImage, target: Colour) -> RgbaImage {
        let to = target.shade();
        // Near black and white little room is left for light and shadow.
        let contrast = if to.l > 0.9 || to.l < 0.35 { 0.55 } else { 0.85 };
        let mut painted: HashMap<[u8; 3], [u8; 3]> = HashMap::new();
        let mut out = sprite.clone();
        for pixel in out.pixels_mut() {
            let [r, g, b, alpha] = pixel.0;
            if alpha == 0 {
                continue;
            }
            let rgb = *painted.entry([r, g, b]).or_insert_with(|| {
                let from = OkLab::from_rgb([r, g, b]);
                let weight = self.contains(from);
                if weight == 0.0 {
                    return [r, g, b];
                }
                let chroma = to.chroma() * (from.chroma() / self.mean.chroma()).min(1.3);
                let hue = to.hue() + 0.5 * hue_difference(from.hue(), self.mean.hue());
                let moved = OkLab::from_lch(to.l + contrast * (from.l - self.mean.l), chroma, hue);
                let mix = |a: f32, b: f32| a + (b - a) * weight;
                OkLab {
                    l: mix(from.l, moved.l),
                    a: mix(from.a, moved.a),
                    b: mix(from.b, moved.b),
                }
                .to_rgb()
            });
            pixel.0 = [rgb[0], rgb[1], rgb[2], alpha];
        }
        out
    }
}

/// The named colour with the largest area of the sprite, and its share of the opaque area, 0..1.
pub fn main_colour(sprite: &RgbaImage) -> (Colour, f32) {
    let mut areas = [0.0; Colour::OBJECTS.len()];
    for (lab, area) in histogram(sprite) {
        areas[Colour::of_object(lab) as usize] += area;
    }
    let total: f32 = areas.iter().sum();
    let mut main = (Colour::Gray, 0.0);
    for (colour, area) in Colour::OBJECTS.into_iter().zip(areas) {
        if area > main.1 {
            main = (colour, area);
        }
    }
    (main.0, main.1 / total.max(1.0))
}

/// Distinct colours with the area they cover, in pixels; in order of first appearance, so that sums repeat exactly.
fn histogram(sprite: &RgbaImage) -> Vec<(OkLab, f32)> {
    let mut place: HashMap<[u8; 3], usize> = HashMap::new();
    let mut colours: Vec<(OkLab, f32)> = Vec::new();
    for pixel in sprite.pixels() {
        let [r, g, b, alpha] = pixel.0;
        if alpha == 0 {
            continue;
        }
        let index = *place.entry([r, g, b]).or_insert_with(|| {
            colours.push((OkLab::from_rgb([r, g, b]), 0.0));
            colours.len() - 1
        });
        colours[index].1 += f32::from(alpha) / 255.0;
    }
    colours
}

fn membership(colour: OkLab, hue: f32) -> f32 {
    let near = (OUTSIDE - hue_difference(colour.hue(), hue).abs()) / (OUTSIDE - INSIDE);
    let coloured = (colour.chroma() - CHROMA_RAMP.0) / (CHROMA_RAMP.1 - CHROMA_RAMP.0);
    near.clamp(0.0, 1.0) * coloured.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    /// A red disc (two tones) with a green leaf: 3/4 red, 1/4 green.
    fn fruit() -> RgbaImage {
        RgbaImage::from_fn(16, 16, |x, y| match (x, y) {
            (0..4, _) => Rgba([60, 170, 60, 255]),
            (_, 0..8) => Rgba([240, 50, 40, 255]),
            _ => Rgba([190, 30, 40, 255]),
        })
    }

    #[test]
    fn the_region_is_the_red_part() {
        let region = Region::of(&fruit()).unwrap();
        assert!((region.cover - 0.75).abs() < 1e-3, "{region:?}");
        assert!(hue_difference(region.mean.hue(), 27.0).abs() < 8.0, "{region:?}");
    }

    #[test]
    fn painting_moves_the_region_and_nothing_else() {
        let sprite = fruit();
        let region = Region::of(&sprite).unwrap();
        for colour in Colour::OBJECTS {
            let painted = region.paint(&sprite, colour);
            assert_eq!(painted.get_pixel(1, 3), sprite.get_pixel(1, 3), "the leaf stays");
            let tone = |x, y| {
                let [r, g, b, _] = painted.get_pixel(x, y).0;
                OkLab::from_rgb([r, g, b])
            };
            assert!(
                tone(8, 3).l > tone(8, 12).l,
                "light stays lighter than shadow in {colour:?}"
            );
            let (a, b) = (tone(8, 3), tone(8, 12));
            let mean = OkLab {
                l: (a.l + b.l) / 2.0,
                a: (a.a + b.a) / 2.0,
                b: (a.b + b.b) / 2.0,
            };
            assert_eq!(Colour::of_object(mean), colour, "{mean:?}");
        }
    }

    #[test]
    fn a_gray_sprite_has_no_region() {
        assert_eq!(
            Region::of(&RgbaImage::from_pixel(8, 8, Rgba([128, 128, 128, 255]))),
            None
        );
        assert_eq!(Region::of(&RgbaImage::new(8, 8)), None);
    }
}
