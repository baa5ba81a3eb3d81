//! The landscapes behind objects, drawn by a few strokes each.

use std::f32::consts::TAU;

use image::{Rgb, RgbImage};

use super::raster::{Placement, Pyramid, blend};
use super::rng::Rng;
use super::scene::Place;

/// A colour with red, green and blue in 0..255.
type Paint = [u8; 3];

/// Covers `canvas` with the place; horizons, clouds and waves are where `rng` puts them.
pub(super) fn draw(place: Place, canvas: &mut RgbImage, rng: &mut Rng) {
    let mut brush = Brush::new(canvas);
    match place {
        Place::Meadow => meadow(&mut brush, rng),
        Place::Night => night(&mut brush, rng),
        Place::Beach => beach(&mut brush, rng),
        Place::Snow => snow(&mut brush, rng),
        Place::UnderWater => under_water(&mut brush, rng),
        Place::Sunset => sunset(&mut brush, rng),
        Place::Desert => desert(&mut brush, rng),
    }
}

/// The soft shadow that makes an object stand on the ground, where there is ground under it.
pub(super) fn ground(place: Place, canvas: &mut RgbImage, pyramid: &Pyramid, placement: &Placement) {
    if !matches!(place, Place::Meadow | Place::Beach | Place::Snow | Place::Desert) {
        return;
    }
    let [x, y] = placement.centre;
    let foot = y + 0.97 * pyramid.half_extent[1] * placement.side;
    if foot < 0.66 * canvas.height() as f32 {
        return;
    }
    let (broad, flat) = (
        0.8 * pyramid.half_extent[0] * placement.side,
        0.06 * placement.side + 1.0,
    );
    let span = |centre: f32, reach: f32, length: u32| {
        let low = (centre - reach).floor().max(0.0) as u32;
        low..((centre + reach).ceil().max(0.0) as u32).min(length)
    };
    for v in span(foot, flat, canvas.height()) {
        for u in span(x, broad, canvas.width()) {
            let (dx, dy) = ((u as f32 + 0.5 - x) / broad, (v as f32 + 0.5 - foot) / flat);
            let strength = (1.0 - dx * dx - dy * dy).max(0.0).sqrt();
            blend(&mut canvas.get_pixel_mut(u, v).0, [30, 40, 50], 0.3 * strength);
        }
    }
}

fn meadow(brush: &mut Brush, rng: &mut Rng) {
    brush.sky(&[(0.0, [118, 190, 245]), (0.6, [205, 234, 252])]);
    clouds(brush, rng);
    let horizon = rng.range(0.50, 0.60);
    brush.hills(horizon - 0.06, 0.04, 1.3, [120, 186, 112], [104, 172, 96], rng);
    brush.hills(horizon + 0.04, 0.03, 0.9, [142, 205, 88], [96, 170, 62], rng);
    for _ in 0..brush.amount(26) {
        let at = [rng.unit() * brush.width, rng.range(horizon + 0.12, 0.98) * brush.height];
        let petal = [[255, 255, 255], [255, 226, 90], [250, 180, 210]][rng.below(3)];
        let radius = brush.short * rng.range(0.007, 0.013);
        brush.disc(at, radius, petal, 0.9);
    }
}

fn night(brush: &mut Brush, rng: &mut Rng) {
    brush.sky(&[(0.0, [12, 16, 48]), (0.6, [32, 42, 98]), (1.0, [66, 72, 136])]);
    for _ in 0..brush.amount(46) {
        let at = [rng.unit() * brush.width, rng.unit() * 0.85 * brush.height];
        let radius = brush.short * rng.range(0.004, 0.011);
        brush.disc(at, radius, [255, 250, 220], rng.range(0.5, 1.0));
    }
    brush.hills(rng.range(0.80, 0.88), 0.04, 1.4, [26, 32, 66], [16, 20, 44], rng);
}

fn beach(brush: &mut Brush, rng: &mut Rng) {
    brush.sky(&[(0.0, [110, 196, 248]), (0.5, [208, 238, 252])]);
    clouds(brush, rng);
    let horizon = rng.range(0.42, 0.50);
    let shore = horizon + rng.range(0.14, 0.18);
    brush.below(|_| horizon, [38, 142, 200], [64, 192, 214]);
    let phase = rng.range(0.0, TAU);
    let wave = move |x: f32| 0.014 * (x * 5.0 + phase).sin() + 0.006 * (x * 13.0 + phase).sin();
    brush.below(|x| shore - 0.022 + wave(x), [236, 250, 250], [236, 250, 250]);
    brush.below(|x| shore + wave(x), [246, 222, 164], [232, 196, 130]);
}

fn snow(brush: &mut Brush, rng: &mut Rng) {
    brush.sky(&[(0.0, [150, 182, 216]), (0.6, [214, 228, 242])]);
    let horizon = rng.range(0.50, 0.60);
    brush.hills(horizon - 0.08, 0.05, 1.6, [190, 208, 230], [184, 202, 226], rng);
    brush.hills(horizon + 0.03, 0.03, 0.8, [246, 250, 255], [216, 228, 244], rng);
    for _ in 0..brush.amount(44) {
        let at = [rng.unit() * brush.width, rng.unit() * brush.height];
        let radius = brush.short * rng.range(0.006, 0.014);
        brush.disc(at, radius, [255, 255, 255], 0.9);
    }
}

fn under_water(brush: &mut Brush, rng: &mut Rng) {
    brush.sky(&[(0.0, [96, 212, 232]), (0.5, [34, 140, 200]), (1.0, [14, 72, 142])]);
    let lean = rng.range(0.2, 0.5);
    for _ in 0..3 {
        let (start, broad) = (rng.range(-0.3, 1.0), rng.range(0.05, 0.12));
        brush.beam(start, lean, broad, [220, 250, 255], 0.16);
    }
    brush.hills(rng.range(0.86, 0.91), 0.02, 1.2, [206, 192, 140], [170, 158, 116], rng);
    for _ in 0..brush.amount(4) {
        let (x, tall) = (rng.unit() * brush.width, rng.range(0.14, 0.26) * brush.height);
        brush.weed(x, tall, [30, 140, 96], rng);
    }
    for _ in 0..brush.amount(14) {
        let at = [rng.unit() * brush.width, rng.unit() * 0.85 * brush.height];
        let radius = brush.short * rng.range(0.008, 0.026);
        brush.disc(at, radius, [214, 246, 255], 0.5);
        brush.disc(at, radius * 0.6, [120, 200, 230], 0.5);
    }
}

fn sunset(brush: &mut Brush, rng: &mut Rng) {
    brush.sky(&[
        (0.0, [84, 50, 120]),
        (0.3, [206, 84, 118]),
        (0.55, [250, 148, 84]),
        (0.75, [255, 212, 112]),
    ]);
    let horizon = rng.range(0.68, 0.76);
    let centre = [rng.range(0.25, 0.75) * brush.width, (horizon - 0.02) * brush.height];
    brush.glow(centre, 0.42 * brush.short, [255, 240, 170], 0.5);
    brush.disc(centre, 0.13 * brush.short, [255, 246, 196], 1.0);
    brush.below(|_| horizon, [168, 84, 110], [70, 42, 96]);
    for line in 0..6 {
        let depth = (line as f32 + 0.6) / 6.0;
        let y = (horizon + depth * (1.0 - horizon) * 0.9) * brush.height;
        let half = brush.short * (0.11 - 0.05 * depth) * rng.range(0.7, 1.3);
        brush.dash(
            [centre[0] + brush.short * rng.range(-0.02, 0.02), y],
            half,
            [255, 206, 130],
            0.75,
        );
    }
}

fn desert(brush: &mut Brush, rng: &mut Rng) {
    brush.sky(&[(0.0, [124, 192, 232]), (0.6, [252, 230, 190])]);
    let horizon = rng.range(0.50, 0.58);
    brush.hills(horizon - 0.04, 0.05, 0.9, [232, 184, 118], [224, 172, 104], rng);
    brush.hills(horizon + 0.08, 0.06, 0.7, [242, 202, 132], [226, 174, 100], rng);
    brush.hills(horizon + 0.26, 0.05, 0.8, [248, 214, 148], [220, 166, 92], rng);
}

/// One to three, in the upper part.
fn clouds(brush: &mut Brush, rng: &mut Rng) {
    for _ in 0..1 + rng.below(2) {
        let centre = [rng.unit() * brush.width, rng.range(0.06, 0.26) * brush.height];
        let size = brush.short * rng.range(0.05, 0.09);
        for (dx, dy, r) in [
            (-1.2, 0.25, 0.7),
            (-0.3, -0.15, 1.0),
            (0.8, 0.05, 0.85),
            (1.6, 0.35, 0.55),
        ] {
            brush.disc(
                [centre[0] + dx * size, centre[1] + dy * size],
                r * size,
                [255, 255, 255],
                0.9,
            );
        }
    }
}

/// Strokes on a canvas. Lengths are in pixels, heights of horizons in shares of the picture's height.
struct Brush<'a> {
    canvas: &'a mut RgbImage,
    width: f32,
    height: f32,
    short: f32,
}

impl<'a> Brush<'a> {
    fn new(canvas: &'a mut RgbImage) -> Self {
        let (width, height) = (canvas.width() as f32, canvas.height() as f32);
        Self {
            canvas,
            width,
            height,
            short: width.min(height),
        }
    }

    /// As many things in a long picture as make it as dense as a square with `count` of them.
    fn amount(&self, count: usize) -> usize {
        (count as f32 * self.width * self.height / (self.short * self.short)).round() as usize
    }

    /// Fills everything; `stops` are heights with their colours, from above.
    fn sky(&mut self, stops: &[(f32, Paint)]) {
        for y in 0..self.canvas.height() {
            let at = (y as f32 + 0.5) / self.height;
            let mut colour = stops[stops.len() - 1].1;
            for pair in stops.windows(2) {
                let [(above, first), (below, second)] = [pair[0], pair[1]];
                if at < below {
                    colour = mixed(first, second, ((at - above) / (below - above)).clamp(0.0, 1.0));
                    break;
                }
            }
            for pixel in self.canvas.rows_mut().nth(y as usize).into_iter().flatten() {
                *pixel = Rgb(colour);
            }
        }
    }

    /// Fills what lies below the curve `y(x)`, `x` in shares of the shorter side, with a gradient down to the rim.
    fn below(&mut self, curve: impl Fn(f32) -> f32, high: Paint, low: Paint) {
        let columns: Vec<(f32, f32)> = (0..self.canvas.width())
            .map(|x| {
                let start = curve((x as f32 + 0.5) / self.short) * self.height;
                (start, 255.0 / (self.height - start).max(1.0))
            })
            .collect();
        let highest = columns.iter().map(|(start, _)| *start).fold(f32::INFINITY, f32::min);
        // The gradient in as many shades as a byte tells apart.
        let shades: [Paint; 256] = std::array::from_fn(|share| mixed(high, low, share as f32 / 255.0));
        for y in highest.floor().max(0.0) as u32..self.canvas.height() {
            let line = y as f32 + 1.0;
            for (pixel, &(start, scale)) in self
                .canvas
                .rows_mut()
                .nth(y as usize)
                .into_iter()
                .flatten()
                .zip(&columns)
            {
                let into = line - start;
                if into > 0.0 {
                    blend(&mut pixel.0, shades[((into * scale) as usize).min(255)], into);
                }
            }
        }
    }

    /// Rolling hills around the height `level`: `rise` high, `turns` of them along the shorter side.
    fn hills(&mut self, level: f32, rise: f32, turns: f32, high: Paint, low: Paint, rng: &mut Rng) {
        let (one, two) = (rng.range(0.0, TAU), rng.range(0.0, TAU));
        let turns = turns * rng.range(0.8, 1.2) * TAU;
        let curve = |x: f32| level + rise * (0.7 * (turns * x + one).sin() + 0.3 * (2.3 * turns * x + two).sin());
        self.below(curve, high, low);
    }

    /// A disc with a smooth rim.
    fn disc(&mut self, centre: [f32; 2], radius: f32, colour: Paint, alpha: f32) {
        self.around(
            centre,
            radius + 1.0,
            |distance| (radius + 0.5 - distance).clamp(0.0, 1.0) * alpha,
            colour,
        );
    }

    /// Light that fades with the distance.
    fn glow(&mut self, centre: [f32; 2], radius: f32, colour: Paint, alpha: f32) {
        self.around(
            centre,
            radius,
            |distance| (1.0 - distance / radius).max(0.0) * alpha,
            colour,
        );
    }

    fn around(&mut self, centre: [f32; 2], reach: f32, alpha: impl Fn(f32) -> f32, colour: Paint) {
        let span = |centre: f32, length: u32| {
            let low = (centre - reach).floor().max(0.0) as u32;
            low..((centre + reach).ceil().max(0.0) as u32).min(length)
        };
        for y in span(centre[1], self.canvas.height()) {
            for x in span(centre[0], self.canvas.width()) {
                let distance = (x as f32 + 0.5 - centre[0]).hypot(y as f32 + 0.5 - centre[1]);
                blend(&mut self.canvas.get_pixel_mut(x, y).0, colour, alpha(distance));
            }
        }
    }

    /// A slanted ray from the upper rim that fades downwards; `start` and `broad` in shares of the width.
    fn beam(&mut self, start: f32, lean: f32, broad: f32, colour: Paint, alpha: f32) {
        for y in 0..self.canvas.height() {
            let down = (y as f32 + 0.5) / self.height;
            let (left, half) = (
                (start + lean * down) * self.width,
                (broad * (0.6 + down)) * self.width / 2.0,
            );
            let low = (left - half).floor().max(0.0) as u32;
            for x in low..((left + half).ceil().max(0.0) as u32).min(self.canvas.width()) {
                let edge = 1.0 - ((x as f32 + 0.5 - left) / half).abs();
                let strength = edge.clamp(0.0, 0.4) / 0.4 * (1.0 - down);
                blend(&mut self.canvas.get_pixel_mut(x, y).0, colour, alpha * strength);
            }
        }
    }

    /// A swaying blade from the lower rim.
    fn weed(&mut self, x: f32, tall: f32, colour: Paint, rng: &mut Rng) {
        let (phase, sway) = (rng.range(0.0, TAU), 0.02 * self.short);
        let steps = (tall / (0.01 * self.short).max(0.5)) as usize;
        for step in 0..steps {
            let up = step as f32 / steps as f32;
            let at = [x + sway * (phase + 7.0 * up).sin(), self.height - up * tall];
            self.disc(at, 0.018 * self.short * (1.0 - 0.7 * up), colour, 0.8);
        }
    }

    /// A short level stroke.
    fn dash(&mut self, centre: [f32; 2], half: f32, colour: Paint, alpha: f32) {
        let thick = (0.012 * self.short).max(0.5);
        for y in (centre[1] - thick).max(0.0) as u32..((centre[1] + thick).ceil() as u32).min(self.canvas.height()) {
            let low = (centre[0] - half).floor().max(0.0) as u32;
            for x in low..((centre[0] + half).ceil().max(0.0) as u32).min(self.canvas.width()) {
                let across = (thick + 0.5 - (y as f32 + 0.5 - centre[1]).abs()).clamp(0.0, 1.0);
                let along = (half + 0.5 - (x as f32 + 0.5 - centre[0]).abs()).clamp(0.0, 1.0);
                blend(&mut self.canvas.get_pixel_mut(x, y).0, colour, alpha * across * along);
            }
        }
    }
}

fn mixed(from: Paint, to: Paint, share: f32) -> Paint {
    std::array::from_fn(|c| (f32::from(from[c]) * (1.0 - share) + f32::from(to[c]) * share + 0.5) as u8)
}
