//! Letters, numbers and short words as things to draw: what may be written, and how its letters stand on a canvas.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::colour::Colour;
use super::raster::{Placement, blend};
use super::rng::Rng;
use super::sprites::Letter;

/// Words that may be written. Letters that a model saw in these it can only spell in these: captions name whole words.
pub const WORDS: [&str; 64] = [
    "ART", "BAR", "BEST", "BOOK", "BOSS", "BUS", "BYE", "CAFE", "CAT", "COFFEE", "COOL", "DANCE", "DOG", "DREAM",
    "EXIT", "FISH", "FREE", "FUN", "GAME", "GO", "HAPPY", "HELLO", "HERO", "HI", "HOME", "HOPE", "HOT", "HOTEL",
    "JAZZ", "JOY", "KING", "LIVE", "LOVE", "LUCKY", "MAX", "MOON", "MUSIC", "NEW", "NO", "OK", "OPEN", "PARK", "PARTY",
    "PEACE", "PIZZA", "PLAY", "QUEEN", "READ", "RUST", "SALE", "SHOP", "SMILE", "STAR", "STOP", "SUN", "SURF", "TAXI",
    "TEA", "WEB", "WIN", "WOW", "YES", "YOGA", "ZOO",
];
/// Numbers that may be written go up to this.
pub const LARGEST: u8 = 99;
/// Room around the letters of a sign, in shares of their height.
const PADDING: f32 = 0.45;
/// Shade of a sign's rim and post.
const FRAME: [u8; 3] = [92, 84, 80];
/// Thickness of the rim in shares of the board's height, and the post's breadth.
const RIM: f32 = 0.07;
const POST: f32 = 0.13;
/// Length of the post in shares of the board's height.
const POST_LENGTH: f32 = 0.75;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writing {
    /// A capital letter.
    Letter(char),
    Number(u8),
    /// Its place in [`WORDS`].
    Word(usize),
}

impl Writing {
    /// Any of the three, each as often as the others.
    pub fn random(rng: &mut Rng) -> Self {
        match rng.below(3) {
            0 => Self::Letter((b'A' + rng.below(26) as u8) as char),
            // One digit as often as two.
            1 if rng.chance(0.5) => Self::Number(rng.below(10) as u8),
            1 => Self::Number((10 + rng.below(usize::from(LARGEST) - 9)) as u8),
            _ => Self::Word(rng.below(WORDS.len())),
        }
    }

    /// Everything that may be written.
    pub fn all() -> impl Iterator<Item = Self> {
        let letters = ('A'..='Z').map(Self::Letter);
        letters
            .chain((0..=LARGEST).map(Self::Number))
            .chain((0..WORDS.len()).map(Self::Word))
    }

    /// The characters, in capitals.
    pub fn characters(self) -> String {
        match self {
            Self::Letter(letter) => letter.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Word(place) => WORDS.get(place).copied().unwrap_or_default().to_owned(),
        }
    }
}

/// A writing in a colour, on a sign or right on the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Text {
    pub writing: Writing,
    pub colour: Colour,
    /// Whether captions may name the colour: black letters need no word.
    pub said: bool,
    /// Colour of the board.
    pub sign: Option<Colour>,
}

/// Where a text goes.
pub(super) struct Lettering {
    /// One for each letter.
    pub letters: Vec<Placement>,
    pub board: Option<Board>,
}

/// A sign's board with its post, around a centre.
pub(super) struct Board {
    centre: [f32; 2],
    cos: f32,
    sin: f32,
    /// Half width and height, rim included.
    half: [f32; 2],
}

/// A box in em, right and down from where the first letter starts on the line.
#[derive(Clone, Copy)]
struct Extent {
    low: [f32; 2],
    high: [f32; 2],
}

impl Lettering {
    /// Puts `letters` somewhere on the canvas, tilted a little, with their board if there is one. Everything is inside.
    pub fn new(letters: &[&Letter], on_board: bool, [height, width]: [usize; 2], rng: &mut Rng) -> Self {
        let (width, height) = (width as f32, height as f32);
        let extent = extent(letters);
        let mut half = [0, 1].map(|axis| (extent.high[axis] - extent.low[axis]) / 2.0);
        let middle = [0, 1].map(|axis| (extent.high[axis] + extent.low[axis]) / 2.0);
        // Below the board's middle hangs the post.
        let mut below = 0.0;
        if on_board {
            let padding = 2.0 * half[1] * PADDING;
            half = half.map(|half| half + padding);
            below = 2.0 * half[1] * POST_LENGTH;
        }
        let tilt = if on_board { 4.0 } else { 10.0 };
        let (sin, cos) = rng.range(-tilt, tilt).to_radians().sin_cos();
        let reach = |down: f32| {
            [
                cos * half[0] + sin.abs() * (half[1] + down),
                sin.abs() * half[0] + cos * (half[1] + down),
            ]
        };
        // The post makes a sign higher by its length; its box is taken around the middle of both.
        let around = reach(below / 2.0);
        let fit = ((width / 2.0 - 1.5) / around[0]).min((height / 2.0 - 1.5) / around[1]);
        // A single letter need not fill the picture, a word must stay legible.
        let least = if letters.len() == 1 && !on_board { 0.4 } else { 0.72 };
        let em = fit * rng.range(least, 0.97);
        let mut along = |length: f32, reach: f32| {
            let free = (length / 2.0 - reach * em - 1.0).max(0.0);
            length / 2.0 + rng.range(-free, free)
        };
        let whole = [along(width, around[0]), along(height, around[1])];
        let turned = |x: f32, y: f32| [cos * x - sin * y, sin * x + cos * y];
        let up = turned(0.0, -below / 2.0 * em);
        let centre = [whole[0] + up[0], whole[1] + up[1]];
        let mut pen = 0.0;
        let mut placements = Vec::with_capacity(letters.len());
        for letter in letters {
            let at = turned(
                (pen + letter.centre[0] - middle[0]) * em,
                (letter.centre[1] - middle[1]) * em,
            );
            placements.push(Placement {
                centre: [centre[0] + at[0], centre[1] + at[1]],
                side: letter.side * em,
                cos,
                sin,
                mirror: 1.0,
            });
            pen += letter.advance;
        }
        let board = on_board.then(|| Board {
            centre,
            cos,
            sin,
            half: half.map(|half| half * em),
        });
        Self {
            letters: placements,
            board,
        }
    }
}

fn extent(letters: &[&Letter]) -> Extent {
    let mut extent = Extent {
        low: [f32::INFINITY; 2],
        high: [f32::NEG_INFINITY; 2],
    };
    let mut pen = 0.0;
    for letter in letters {
        for axis in 0..2 {
            let middle = letter.centre[axis] + if axis == 0 { pen } else { 0.0 };
            extent.low[axis] = extent.low[axis].min(middle - letter.half[axis]);
            extent.high[axis] = extent.high[axis].max(middle + letter.half[axis]);
        }
        pen += letter.advance;
    }
    extent
}

impl Board {
    /// Paints the post, then the board with its rim and round corners.
    pub fn paint(&self, canvas: &mut RgbImage, shade: [u8; 3]) {
        let [wide, high] = self.half;
        let rim = 2.0 * high * RIM;
        let post = 2.0 * high * POST / 2.0;
        let length = 2.0 * high * POST_LENGTH;
        let reach = wide + high + length;
        let span = |centre: f32, length: u32| {
            let low = (centre - reach).floor().max(0.0) as u32;
            low..((centre + reach).ceil().max(0.0) as u32).min(length)
        };
        for y in span(self.centre[1], canvas.height()) {
            for x in span(self.centre[0], canvas.width()) {
                let (dx, dy) = (x as f32 + 0.5 - self.centre[0], y as f32 + 0.5 - self.centre[1]);
                let (u, v) = (self.cos * dx + self.sin * dy, self.cos * dy - self.sin * dx);
                let pixel = &mut canvas.get_pixel_mut(x, y).0;
                // The post reaches from the board's middle down.
                let on_post = (post - u.abs()).min(v).min(high + length - v);
                blend(pixel, FRAME, (on_post + 0.5).clamp(0.0, 1.0));
                let outside = rounded([u, v], self.half, 2.0 * rim);
                blend(pixel, FRAME, (0.5 - outside).clamp(0.0, 1.0));
                blend(pixel, shade, (0.5 - outside - rim).clamp(0.0, 1.0));
            }
        }
    }
}

/// Distance from a rectangle with round corners, negative inside.
fn rounded([x, y]: [f32; 2], half: [f32; 2], radius: f32) -> f32 {
    let (dx, dy) = (x.abs() - half[0] + radius, y.abs() - half[1] + radius);
    dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_and_short() {
        assert!(WORDS.is_sorted() && WORDS.iter().all(|word| (2..=6).contains(&word.len())));
        assert!(
            WORDS
                .iter()
                .all(|word| word.bytes().all(|letter| letter.is_ascii_uppercase()))
        );
        assert_eq!(Writing::all().count(), 26 + 100 + 64);
        assert_eq!(Writing::Number(42).characters(), "42");
    }
}
