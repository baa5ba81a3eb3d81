//! One object on a plain background: the generator of captioned images.
//!
//! A sample is a pure function of `(seed, index, height, width)`; the object, its colours and its caption do not depend
//! on the size.

use std::sync::OnceLock;

use image::{Rgb, RgbImage, RgbaImage};

use super::captions;
use super::colour::{Colour, OkLab};
use super::error::DataError;
use super::heldout::{Split, combinations};
use super::rng::Rng;
use super::source::{Sample, Source, Truth};
use super::sprites::SpriteBank;

/// How often an object keeps its own colour, and its caption names none.
const NATURAL: f32 = 0.2;
/// Side of the object in shares of the image's shorter side.
const SCALE: (f32, f32) = (0.60, 0.85);
/// Largest tilt either way, in degrees.
const TILT: f32 = 10.0;
/// How far the object may leave the middle, in shares of the shorter side.
const SHIFT: f32 = 0.12;
/// Samples read for the words of the captions.
const CAPTIONS: u64 = 20_000;
/// Background shades wander this far from their name's, in OKLab lightness and in each of `a` and `b`.
const SHADE_JITTER: (f32, f32) = (0.015, 0.008);

/// The composed data set.
pub struct EmojiWorld {
    bank: SpriteBank,
    split: Split,
    /// Colours of this side of the split for every sprite that has any.
    choices: Vec<(usize, Vec<Colour>)>,
    /// Painted sprites ready for pasting: [`Colour::OBJECTS`] and one more, the natural colour, for every sprite.
    painted: Vec<OnceLock<Pyramid>>,
}

impl EmojiWorld {
    /// Composes from `bank`, only combinations of `split`.
    pub fn new(bank: SpriteBank, split: Split) -> Result<Self, DataError> {
        let mut choices: Vec<(usize, Vec<Colour>)> = Vec::new();
        for (sprite, colour) in combinations(&bank, split) {
            match choices.last_mut() {
                Some((last, colours)) if *last == sprite => colours.push(colour),
                _ => choices.push((sprite, vec![colour])),
            }
        }
        if choices.is_empty() {
            return Err(DataError::BadBank(format!(
                "it has no combination for the split {split:?}"
            )));
        }
        let painted = (0..bank.sprites.len() * (Colour::OBJECTS.len() + 1))
            .map(|_| OnceLock::new())
            .collect();
        Ok(Self {
            bank,
            split,
            choices,
            painted,
        })
    }

    /// The bundled bank.
    pub fn bundled(split: Split) -> Result<Self, DataError> {
        Self::new(SpriteBank::bundled()?, split)
    }

    pub fn bank(&self) -> &SpriteBank {
        &self.bank
    }

    /// Draws object `sprite` in `colour` (`None`: its own) on `background`, placed by `rng`; returns the image and the
    /// object's bounds as in [`Truth`].
    pub fn draw(
        &self,
        sprite: usize,
        colour: Option<Colour>,
        background: Colour,
        [height, width]: [usize; 2],
        rng: &mut Rng,
    ) -> Result<(RgbImage, [u32; 4]), DataError> {
        if !(16..=4096).contains(&height) || !(16..=4096).contains(&width) {
            return Err(DataError::BadSize { width, height });
        }
        let OkLab { l, a, b } = background.backdrop();
        let mut jitter = |value: f32, by: f32| value + rng.range(-by, by);
        let shade = OkLab {
            l: jitter(l, SHADE_JITTER.0),
            a: jitter(a, SHADE_JITTER.1),
            b: jitter(b, SHADE_JITTER.1),
        };
        let mut canvas = RgbImage::from_pixel(width as u32, height as u32, Rgb(shade.to_rgb()));
        let pyramid = self.pyramid(sprite, colour);
        let placement = Placement::random(height as f32, width as f32, pyramid.half_extent, rng);
        let bounds = paste(&mut canvas, pyramid, &placement);
        Ok((canvas, bounds))
    }

    fn pyramid(&self, sprite: usize, colour: Option<Colour>) -> &Pyramid {
        let per_sprite = Colour::OBJECTS.len() + 1;
        let slot = colour.map_or(per_sprite - 1, |colour| colour as usize);
        self.painted[sprite * per_sprite + slot]
            .get_or_init(|| Pyramid::new(&self.bank.sprites[sprite].painted(colour)))
    }
}

impl Source for EmojiWorld {
    fn sample(&self, seed: u64, index: u64, height: usize, width: usize) -> Result<Sample, DataError> {
        let mut rng = Rng::new(seed, index);
        let (sprite, colours) = &self.choices[rng.below(self.choices.len())];
        let entry = &self.bank.sprites[*sprite].entry;
        let natural = rng.chance(NATURAL) && self.split == Split::Train;
        let colour = colours[rng.below(colours.len())];
        let painted = (!natural).then_some(colour);
        let colour = painted.unwrap_or(entry.natural);
        let others: Vec<Colour> = Colour::BACKGROUNDS.into_iter().filter(|&b| b != colour).collect();
        let background = others[rng.below(others.len())];
        let caption = captions::caption(entry, painted, background, &mut rng);
        let (image, bounds) = self.draw(*sprite, painted, background, [height, width], &mut rng)?;
        let truth = Truth {
            concept: entry.noun.clone(),
            colour,
            background,
            bounds,
        };
        Ok(Sample {
            image,
            caption,
            truth: Some(truth),
        })
    }

    /// Those of many small samples: a word that none of them has would be rarer than one in thousands.
    fn captions(&self) -> Result<Vec<String>, DataError> {
        let caption = |index| self.sample(0, index, 16, 16).map(|sample| sample.caption);
        (0..CAPTIONS).map(caption).collect()
    }
}

/// Where an object goes: its centre in pixels, and the matrix from offsets on the canvas to offsets on the unit square
/// of the sprite.
struct Placement {
    centre: [f32; 2],
    /// Side of the sprite's square on the canvas, in pixels.
    side: f32,
    cos: f32,
    sin: f32,
    mirror: f32,
}

impl Placement {
    /// `half_extent`: half width and height of the content in shares of the sprite's side.
    fn random(height: f32, width: f32, half_extent: [f32; 2], rng: &mut Rng) -> Self {
        let short = height.min(width);
        let side = short * rng.range(SCALE.0, SCALE.1);
        let (sin, cos) = rng.range(-TILT, TILT).to_radians().sin_cos();
        let mirror = if rng.chance(0.5) { -1.0 } else { 1.0 };
        let [x, y] = half_extent;
        // The tilted content stays inside the canvas.
        let reach = [side * (cos * x + sin.abs() * y), side * (sin.abs() * x + cos * y)];
        let mut along = |length: f32, reach: f32| {
            let room = (length / 2.0 - reach - 1.0).clamp(0.0, SHIFT * short);
            length / 2.0 + rng.range(-room, room)
        };
        let centre = [along(width, reach[0]), along(height, reach[1])];
        Self {
            centre,
            side,
            cos,
            sin,
            mirror,
        }
    }

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
struct Pyramid {
    /// Side and pixels, each level half the one before; pixels have a border of one transparent pixel.
    levels: Vec<(usize, Vec<[f32; 4]>)>,
    /// Half width and height of the content in shares of the side.
    half_extent: [f32; 2],
}

impl Pyramid {
    fn new(sprite: &RgbaImage) -> Self {
        let mut side = sprite.width() as usize;
        let mut pixels: Vec<[f32; 4]> = Vec::with_capacity(side * side);
        let middle = (side as f32 - 1.0) / 2.0;
        let mut half_extent = [0.0f32; 2];
        for (x, y, pixel) in sprite.enumerate_pixels() {
            let [r, g, b, alpha] = pixel.0.map(f32::from);
            let share = alpha / 255.0;
            pixels.push([r * share, g * share, b * share, share]);
            if alpha > 0.0 {
                half_extent[0] = half_extent[0].max((x as f32 - middle).abs() + 0.5);
                half_extent[1] = half_extent[1].max((y as f32 - middle).abs() + 0.5);
            }
        }
        let half_extent = half_extent.map(|extent| extent / side as f32);
        let mut levels = Vec::new();
        loop {
            levels.push((side, bordered(&pixels, side)));
            if side % 2 == 1 || side <= 10 {
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
    fn level(&self, side: f32) -> (usize, &[[f32; 4]]) {
        let fit = self
            .levels
            .iter()
            .rposition(|(size, _)| *size as f32 >= side)
            .unwrap_or(0);
        let (size, pixels) = &self.levels[fit];
        (*size, pixels)
    }
}

fn bordered(pixels: &[[f32; 4]], side: usize) -> Vec<[f32; 4]> {
    let wide = side + 2;
    let mut out = vec![[0.0; 4]; wide * wide];
    for y in 0..side {
        out[(y + 1) * wide + 1..][..side].copy_from_slice(&pixels[y * side..][..side]);
    }
    out
}

/// Lays the sprite over the canvas. Each canvas pixel is the mean of 2 x 2 bilinear samples from a level between one
/// and two times its resolution, which covers what the pixel covers.
fn paste(canvas: &mut RgbImage, pyramid: &Pyramid, placement: &Placement) -> [u32; 4] {
    let (side, pixels) = pyramid.level(placement.side);
    let (wide, scale) = (side + 2, side as f32);
    let reach = placement.side * (placement.cos + placement.sin.abs()) / 2.0 + 1.0;
    let span = |centre: f32, length: u32| {
        (
            (centre - reach).floor().max(0.0) as u32,
            ((centre + reach).ceil().max(0.0) as u32).min(length),
        )
    };
    let (left, right) = span(placement.centre[0], canvas.width());
    let (top, bottom) = span(placement.centre[1], canvas.height());
    let mut bounds = [u32::MAX, u32::MAX, 0, 0];
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
                let (wa, wb) = ((1.0 - fx) * (1.0 - fy), fx * (1.0 - fy));
                let (wc, wd) = ((1.0 - fx) * fy, fx * fy);
                for k in 0..4 {
                    sum[k] += wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k];
                }
            }
            let [r, g, b, alpha] = sum.map(|value| value / 4.0);
            if alpha <= 0.0 {
                continue;
            }
            let pixel = &mut canvas.get_pixel_mut(x, y).0;
            for (under, over) in pixel.iter_mut().zip([r, g, b]) {
                *under = (f32::from(*under) * (1.0 - alpha) + over + 0.5) as u8;
            }
            if alpha > 0.5 {
                bounds = [
                    bounds[0].min(x),
                    bounds[1].min(y),
                    bounds[2].max(x + 1),
                    bounds[3].max(y + 1),
                ];
            }
        }
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    fn world() -> EmojiWorld {
        EmojiWorld::bundled(Split::Train).unwrap()
    }

    #[test]
    fn the_same_arguments_give_the_same_sample() {
        let (a, b) = (world(), world());
        for index in [0, 1, 99] {
            let (one, two) = (a.sample(7, index, 64, 96).unwrap(), b.sample(7, index, 64, 96).unwrap());
            assert_eq!((one.image, one.caption, one.truth), (two.image, two.caption, two.truth));
        }
        let differ =
            (0..50).filter(|&i| a.sample(7, i, 32, 32).unwrap().image != a.sample(8, i, 32, 32).unwrap().image);
        assert_eq!(differ.count(), 50, "another seed is another run");
    }

    #[test]
    fn the_size_changes_neither_object_nor_caption() {
        let world = world();
        for index in 0..40 {
            let (wide, tall) = (
                world.sample(1, index, 64, 160).unwrap(),
                world.sample(1, index, 208, 80).unwrap(),
            );
            let (a, b) = (wide.truth.unwrap(), tall.truth.unwrap());
            assert_eq!((a.concept, a.colour, a.background), (b.concept, b.colour, b.background));
            assert_eq!(wide.caption, tall.caption);
            assert_eq!(
                (wide.image.dimensions(), tall.image.dimensions()),
                ((160, 64), (80, 208))
            );
        }
    }

    #[test]
    fn objects_lie_inside_on_a_background_of_another_colour() {
        let world = world();
        // Sizes of all fifteen aspect ratios between 1:3 and 3:1 lie between these.
        for (height, width) in [(128, 128), (208, 64), (64, 208), (112, 144), (16, 16)] {
            for index in 0..200 {
                let sample = world.sample(3, index, height, width).unwrap();
                let truth = sample.truth.unwrap();
                assert_ne!(truth.colour, truth.background);
                let [left, top, right, bottom] = truth.bounds;
                assert!(left < right && top < bottom, "{truth:?}");
                assert!(right <= width as u32 && bottom <= height as u32, "{truth:?}");
                let long = (right - left).max(bottom - top) as f32 / height.min(width) as f32;
                // A 16 pixel picture loses a pixel of thin parts such as strings.
                assert!((0.4..=1.0).contains(&long), "{truth:?} at {height}x{width}: {long}");
                let (w, h) = (width as u32 - 1, height as u32 - 1);
                let corners = [(0, 0), (w, 0), (0, h), (w, h)].map(|(x, y)| sample.image.get_pixel(x, y).0);
                let alike = corners.iter().filter(|&&corner| corner == corners[0]).count();
                assert!(alike >= 3, "the object leaves the corners free");
                assert_eq!(Colour::of_background(OkLab::from_rgb(corners[0])), truth.background);
            }
        }
    }

    #[test]
    fn captions_tell_the_truth() {
        let world = world();
        let (mut natural, mut backgrounds) = (0, 0);
        for index in 0..1000 {
            let sample = world.sample(4, index, 16, 16).unwrap();
            let truth = sample.truth.unwrap();
            let entry = &world.bank().sprites[world.bank().find(&truth.concept).unwrap()].entry;
            let named = std::iter::once(&entry.noun)
                .chain(&entry.synonyms)
                .any(|n| sample.caption.contains(n.as_str()));
            assert!(named, "{} / {truth:?}", sample.caption);
            let words: Vec<&str> = sample.caption.split([' ', ',']).collect();
            let says = |colour: Colour| {
                words.contains(&colour.name())
                    || colour == Colour::Gray && words.contains(&"grey")
                    || colour == Colour::Purple && words.contains(&"violet")
            };
            for colour in Colour::OBJECTS {
                assert!(
                    !says(colour) || colour == truth.colour || colour == truth.background,
                    "{}",
                    sample.caption
                );
            }
            natural += usize::from(!says(truth.colour));
            backgrounds += usize::from(says(truth.background));
        }
        assert!((150..250).contains(&natural), "{natural} of 1000 without a colour");
        assert!(
            (650..750).contains(&backgrounds),
            "{backgrounds} of 1000 with a background"
        );
    }

    #[test]
    fn resampling_keeps_flat_colour_flat() {
        // An opaque sprite of one colour pasted over another: every pixel is one of the two or, at the rim, between.
        let pyramid = Pyramid::new(&RgbaImage::from_pixel(160, 160, Rgba([200, 40, 90, 255])));
        for side in [20.0, 37.0, 80.0, 111.0, 230.0] {
            let placement = Placement {
                centre: [128.0, 128.0],
                side,
                cos: 0.995,
                sin: 0.0998,
                mirror: 1.0,
            };
            let mut canvas = RgbImage::from_pixel(256, 256, Rgb([10, 220, 30]));
            let bounds = paste(&mut canvas, &pyramid, &placement);
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
    fn impossible_sizes_are_refused() {
        for (height, width) in [(0, 64), (64, 8), (64, 5000)] {
            assert!(matches!(
                world().sample(1, 1, height, width),
                Err(DataError::BadSize { .. })
            ));
        }
    }
}
