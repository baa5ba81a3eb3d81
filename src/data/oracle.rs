//! The oracle: what does a picture show? It judges what a model drew and has learnt nothing itself.
//!
//! The object is what differs from the border's colour. Its outline and the part of it that carries the main colour are
//! brought to one size and correlated with those of every sprite, mirrored and tilted. Neither depends on which colour
//! that is. The colour is then read off where the best sprite has its recolourable region.
//!
//! It is not always right, so its scores are read beside its scores on real compositions.

use std::f32::consts::PI;

use image::RgbImage;
use serde::Serialize;

use super::colour::{Colour, OkLab};
use super::error::DataError;
use super::recolour::Region;
use super::sprites::{Sprite, SpriteBank};
use super::style::Style;

/// Side of the square that outlines are compared on.
const GRID: usize = 32;
const CELLS: usize = GRID * GRID;
/// Side of the canvas that sprites are tilted on.
const CANVAS: usize = 96;
/// Tilts a sprite is tried at, in degrees.
const TILTS: [f32; 5] = [-10.0, -5.0, 0.0, 5.0, 10.0];
/// A pixel belongs to the object from the first to the second OKLab distance from the background, with a ramp.
const OBJECT_RAMP: (f32, f32) = (0.035, 0.08);
/// A pixel has the object's main colour below the first distance from it, not above the second.
const COLOUR_RAMP: (f32, f32) = (0.10, 0.18);
/// Specks smaller than this share of the largest piece are no part of the object.
const SPECK: f32 = 0.04;

/// What a picture shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The noun of the sprite bank's entry.
    pub concept: String,
    pub colour: Colour,
    pub background: Colour,
    /// Correlation with the best sprite, -1..1; clean compositions reach more than 0.9. 0 for an empty picture.
    pub score: f32,
}

impl Verdict {
    /// Is it the object with this noun?
    pub fn is_object(&self, noun: &str) -> bool {
        self.score > 0.0 && self.concept == noun
    }

    /// Has the object this colour?
    pub fn is_colour(&self, colour: Colour) -> bool {
        self.score > 0.0 && self.colour == colour
    }
}

/// All sprites of the flat style, ready to be compared with.
pub struct Oracle {
    nouns: Vec<String>,
    patterns: Vec<Pattern>,
}

/// One sprite at one tilt.
struct Pattern {
    noun: usize,
    outline: Vec<f32>,
    body: Vec<f32>,
    /// Weight of each cell in the object's colour.
    region: Vec<f32>,
}

impl Oracle {
    pub fn new(bank: &SpriteBank) -> Self {
        let mut patterns = Vec::new();
        let drawings = bank.subjects.iter().map(|subject| subject.sprite(Style::Flat));
        for (noun, sprite) in drawings.enumerate().filter_map(|(noun, sprite)| Some((noun, sprite?))) {
            for mirror in [false, true] {
                patterns.extend(
                    TILTS
                        .iter()
                        .filter_map(|&tilt| Pattern::new(noun, sprite, mirror, tilt)),
                );
            }
        }
        Self {
            nouns: bank.subjects.iter().map(|subject| subject.entry.noun.clone()).collect(),
            patterns,
        }
    }

    /// The oracle of the bundled bank's objects in `emoji`.
    pub fn bundled() -> Result<Self, DataError> {
        Ok(Self::new(&SpriteBank::bundled()?.classic()))
    }

    /// Names what is on `image`, of any size.
    pub fn judge(&self, image: &RgbImage) -> Verdict {
        let view = View::of(image);
        let background = Colour::of_background(view.background);
        let nothing = Verdict {
            concept: String::new(),
            colour: background,
            background,
            score: 0.0,
        };
        let Some(found) = Figure::of(&view) else {
            return nothing;
        };
        let outline = normalised(&found.outline);
        let bodies = found.bodies.each_ref().map(|body| normalised(body));
        let mut best: Option<(f32, &Pattern)> = None;
        for pattern in &self.patterns {
            let body = bodies.iter().map(|body| dot(body, &pattern.body)).fold(-1.0, f32::max);
            let score = 0.5 * dot(&outline, &pattern.outline) + 0.5 * body;
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, pattern));
            }
        }
        let Some((score, pattern)) = best else {
            return nothing;
        };
        let colour = Colour::of_object(mean(&found.colours, &pattern.region, &found.object));
        Verdict {
            concept: self.nouns[pattern.noun].clone(),
            colour,
            background,
            score,
        }
    }
}

impl Pattern {
    fn new(noun: usize, sprite: &Sprite, mirror: bool, tilt: f32) -> Option<Self> {
        let (sin, cos) = (tilt * PI / 180.0).sin_cos();
        let mirror = if mirror { -1.0 } else { 1.0 };
        let size = sprite.image().width() as f32;
        // The tilted square's diagonal fits the canvas.
        let zoom = size * 1.2 / CANVAS as f32;
        let (mut object, mut region) = (vec![0.0; CANVAS * CANVAS], vec![0.0; CANVAS * CANVAS]);
        for place in 0..CANVAS * CANVAS {
            let centred = |v: usize| (v as f32 + 0.5 - CANVAS as f32 / 2.0) * zoom;
            let (x, y) = (centred(place % CANVAS), centred(place / CANVAS));
            let (u, v) = (
                size / 2.0 + mirror * (cos * x + sin * y),
                size / 2.0 + cos * y - sin * x,
            );
            if (0.0..size).contains(&u) && (0.0..size).contains(&v) {
                let [r, g, b, alpha] = sprite.image().get_pixel(u as u32, v as u32).0;
                object[place] = f32::from(alpha) / 255.0;
                // A gray drawing is all body.
                let within = |region: &Region| region.contains(OkLab::from_rgb([r, g, b]));
                region[place] = object[place] * sprite.region.as_ref().map_or(1.0, within);
            }
        }
        let frame = Frame::around(&object, CANVAS, CANVAS)?;
        let outline = frame.grid(&filled(&object, CANVAS, CANVAS), CANVAS, CANVAS);
        let region = frame.grid(&region, CANVAS, CANVAS);
        Some(Self {
            noun,
            outline: normalised(&outline),
            body: normalised(&region),
            region,
        })
    }
}

/// A picture against its own border.
struct View {
    width: usize,
    height: usize,
    colours: Vec<OkLab>,
    background: OkLab,
    /// How far each pixel belongs to the object, 0..1.
    object: Vec<f32>,
}

impl View {
    fn of(image: &RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let background = OkLab::from_rgb(border_median(image));
        let colours: Vec<OkLab> = image.pixels().map(|pixel| OkLab::from_rgb(pixel.0)).collect();
        let mut object: Vec<f32> = colours
            .iter()
            .map(|colour| 1.0 - ramp(colour.distance(background), OBJECT_RAMP))
            .collect();
        without_specks(&mut object, width, height);
        Self {
            width,
            height,
            colours,
            background,
            object,
        }
    }
}

/// The object of a picture on the grid.
struct Figure {
    /// What is inside the outer contour.
    outline: Vec<f32>,
    /// What differs from the background.
    object: Vec<f32>,
    /// What has the main colour, and what has the second one: a white rocket with red fins is a red rocket.
    bodies: [Vec<f32>; 2],
    colours: Vec<OkLab>,
}

impl Figure {
    fn of(view: &View) -> Option<Self> {
        let (width, height) = (view.width, view.height);
        let frame = Frame::around(&view.object, width, height)?;
        let bodies = main_colours(view).map(|main| {
            let near = |(colour, object): (&OkLab, &f32)| object * ramp(colour.distance(main), COLOUR_RAMP);
            let body: Vec<f32> = view.colours.iter().zip(&view.object).map(near).collect();
            frame.grid(&body, width, height)
        });
        let plane = |value: fn(&OkLab) -> f32| {
            let plane: Vec<f32> = view.colours.iter().map(value).collect();
            frame.grid(&plane, width, height)
        };
        let (l, a, b) = (plane(|c| c.l), plane(|c| c.a), plane(|c| c.b));
        Some(Self {
            outline: frame.grid(&filled(&view.object, width, height), width, height),
            object: frame.grid(&view.object, width, height),
            bodies,
            colours: (0..CELLS)
                .map(|i| OkLab {
                    l: l[i],
                    a: a[i],
                    b: b[i],
                })
                .collect(),
        })
    }
}

/// The square around an object that becomes the grid.
struct Frame {
    left: f32,
    top: f32,
    side: f32,
}

impl Frame {
    /// Around everything that belongs to the object by more than half.
    fn around(object: &[f32], width: usize, height: usize) -> Option<Self> {
        let (mut low, mut high) = ([usize::MAX; 2], [0; 2]);
        for y in 0..height {
            for x in 0..width {
                if object[y * width + x] > 0.5 {
                    low = [low[0].min(x), low[1].min(y)];
                    high = [high[0].max(x + 1), high[1].max(y + 1)];
                }
            }
        }
        if low[0] >= high[0] {
            return None;
        }
        let side = (high[0] - low[0]).max(high[1] - low[1]) as f32;
        let start = |axis: usize| ((low[axis] + high[axis]) as f32 - side) / 2.0;
        Some(Self {
            left: start(0),
            top: start(1),
            side,
        })
    }

    /// Means of `plane` over the cells; outside the picture it counts as 0.
    fn grid(&self, plane: &[f32], width: usize, height: usize) -> Vec<f32> {
        const TAPS: usize = 4;
        let step = self.side / (GRID * TAPS) as f32;
        let mut cells = vec![0.0; CELLS];
        for row in 0..GRID * TAPS {
            let y = self.top + (row as f32 + 0.5) * step;
            if y < 0.0 || y >= height as f32 {
                continue;
            }
            for column in 0..GRID * TAPS {
                let x = self.left + (column as f32 + 0.5) * step;
                if x >= 0.0 && x < width as f32 {
                    cells[row / TAPS * GRID + column / TAPS] += plane[y as usize * width + x as usize];
                }
            }
        }
        cells.iter().map(|sum| sum / (TAPS * TAPS) as f32).collect()
    }
}

/// The middle value of each channel along the border: an object that touches the rim does not move it.
fn border_median(image: &RgbImage) -> [u8; 3] {
    let (width, height) = image.dimensions();
    let rim = (width.min(height) / 32).max(1);
    let mut values: [Vec<u8>; 3] = Default::default();
    for (x, y, pixel) in image.enumerate_pixels() {
        if x < rim || y < rim || x >= width - rim.min(width) || y >= height - rim.min(height) {
            for (channel, &value) in values.iter_mut().zip(&pixel.0) {
                channel.push(value);
            }
        }
    }
    values.map(|mut channel| {
        channel.sort_unstable();
        channel.get(channel.len() / 2).copied().unwrap_or_default()
    })
}

/// Means of the two named colours that cover most of the object.
fn main_colours(view: &View) -> [OkLab; 2] {
    let mut sums = [(0.0, [0.0; 3]); Colour::OBJECTS.len()];
    for (colour, &weight) in view.colours.iter().zip(&view.object) {
        if weight > 0.5 {
            let (area, sum) = &mut sums[Colour::of_object(*colour) as usize];
            *area += weight;
            for (sum, value) in sum.iter_mut().zip([colour.l, colour.a, colour.b]) {
                *sum += weight * value;
            }
        }
    }
    sums.sort_by(|a, b| b.0.total_cmp(&a.0));
    // A picture of one colour only has no second: then the first counts twice.
    let second = if sums[1].0 > 0.0 { sums[1] } else { sums[0] };
    [sums[0], second].map(|(area, sum)| {
        let [l, a, b] = sum.map(|sum| sum / area);
        OkLab { l, a, b }
    })
}

/// Takes away pieces much smaller than the largest one.
fn without_specks(object: &mut [f32], width: usize, height: usize) {
    let inside: Vec<bool> = object.iter().map(|&value| value > 0.5).collect();
    let mut piece = vec![usize::MAX; object.len()];
    let mut areas = Vec::new();
    for start in 0..object.len() {
        if inside[start] && piece[start] == usize::MAX {
            let mut area = 0;
            flood(start, width, height, |place| {
                let new = inside[place] && piece[place] == usize::MAX;
                if new {
                    piece[place] = areas.len();
                    area += 1;
                }
                new
            });
            areas.push(area);
        }
    }
    let least = areas.iter().max().map_or(0.0, |&largest| SPECK * largest as f32);
    for (value, &piece) in object.iter_mut().zip(&piece) {
        if areas.get(piece).is_some_and(|&area| (area as f32) < least) {
            *value = 0.0;
        }
    }
}

/// The object with its holes closed: everything the border cannot reach without crossing it.
fn filled(object: &[f32], width: usize, height: usize) -> Vec<f32> {
    let mut outside = vec![false; object.len()];
    for start in 0..object.len() {
        let (x, y) = (start % width, start / width);
        if x == 0 || y == 0 || x + 1 == width || y + 1 == height {
            flood(start, width, height, |place| {
                let new = object[place] <= 0.5 && !outside[place];
                outside[place] |= new;
                new
            });
        }
    }
    object
        .iter()
        .zip(&outside)
        .map(|(&value, &outside)| if outside { value } else { 1.0 })
        .collect()
}

/// Visits `start` and, wherever `enter` says yes, the four neighbours.
pub(crate) fn flood(start: usize, width: usize, height: usize, mut enter: impl FnMut(usize) -> bool) {
    let mut open = vec![start];
    while let Some(place) = open.pop() {
        if enter(place) {
            let (x, y) = (place % width, place / width);
            open.extend((x > 0).then(|| place - 1));
            open.extend((x + 1 < width).then(|| place + 1));
            open.extend((y > 0).then(|| place - width));
            open.extend((y + 1 < height).then(|| place + width));
        }
    }
}

/// 1 below the ramp, 0 above it.
fn ramp(distance: f32, (near, far): (f32, f32)) -> f32 {
    ((far - distance) / (far - near)).clamp(0.0, 1.0)
}

/// Mean 0, length 1, so that a product of two is their correlation.
fn normalised(values: &[f32]) -> Vec<f32> {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let length = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>().sqrt().max(1e-6);
    values.iter().map(|v| (v - mean) / length).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Mean colour of the cells in both `region` and `object`.
fn mean(colours: &[OkLab], region: &[f32], object: &[f32]) -> OkLab {
    let (mut total, mut sum) = (1e-6, OkLab { l: 0.0, a: 0.0, b: 0.0 });
    for ((colour, region), object) in colours.iter().zip(region).zip(object) {
        // Cells at the rim are blends; squaring leaves them little say.
        let weight = (region * object).powi(2);
        total += weight;
        sum = OkLab {
            l: sum.l + weight * colour.l,
            a: sum.a + weight * colour.a,
            b: sum.b + weight * colour.b,
        };
    }
    OkLab {
        l: sum.l / total,
        a: sum.a / total,
        b: sum.b / total,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::compose::EmojiWorld;
    use crate::data::heldout::Split;
    use crate::data::rng::Rng;
    use crate::eval::prompts::{Task, questions};
    use image::Rgb;
    use image::imageops::{FilterType, resize};

    /// Shares of right objects, colours and backgrounds in real compositions, after `change`.
    fn accuracy(split: Split, shift: usize, change: impl Fn(RgbImage) -> RgbImage) -> [f32; 3] {
        const COUNT: usize = 300;
        let (world, oracle) = (EmojiWorld::bundled(split).unwrap(), Oracle::bundled().unwrap());
        let prompts = questions(&world, Task::Colours, split, COUNT);
        let mut right = [0; 3];
        for (i, prompt) in prompts.iter().enumerate() {
            let rng = &mut Rng::new(17, i as u64);
            let (image, _) = world.draw(&prompt.scene, [128, 128], rng).unwrap();
            let told = &prompts[(i + shift) % COUNT];
            let verdict = oracle.judge(&change(image));
            let answers = [
                verdict.is_object(&told.nouns[0]),
                told.scene.objects[0]
                    .colour
                    .is_some_and(|colour| verdict.is_colour(colour)),
                verdict.background == told.background,
            ];
            for (sum, answer) in right.iter_mut().zip(answers) {
                *sum += usize::from(answer);
            }
        }
        right.map(|sum| sum as f32 / COUNT as f32)
    }

    #[test]
    fn real_compositions_are_named() {
        for split in [Split::Train, Split::HeldOut] {
            let [object, colour, background] = accuracy(split, 0, |image| image);
            assert!(
                object >= 0.95 && colour >= 0.95 && background >= 0.99,
                "{split:?}: {object} {colour} {background}"
            );
        }
    }

    #[test]
    fn blurred_and_noisy_ones_too() {
        let [object, colour, background] = accuracy(Split::Train, 0, |image| {
            let small = resize(&image, 64, 64, FilterType::Triangle);
            let mut image = resize(&small, 128, 128, FilterType::Triangle);
            for (i, value) in image.iter_mut().enumerate() {
                *value = value.saturating_add((i * 7919 % 17) as u8).saturating_sub(8);
            }
            image
        });
        assert!(
            object >= 0.9 && colour >= 0.9 && background >= 0.95,
            "{object} {colour} {background}"
        );
    }

    #[test]
    fn other_pictures_captions_are_denied() {
        let [object, colour, background] = accuracy(Split::Train, 1, |image| image);
        assert!(
            object < 0.1 && colour < 0.2 && background < 0.2,
            "{object} {colour} {background}"
        );
    }

    #[test]
    fn an_empty_picture_shows_nothing() {
        let verdict = Oracle::bundled()
            .unwrap()
            .judge(&RgbImage::from_pixel(64, 64, Rgb([255; 3])));
        assert_eq!((verdict.score, verdict.background), (0.0, Colour::White));
        assert!(!verdict.is_object("") && !verdict.is_colour(Colour::White));
    }
}
