//! Colours that have a name, and the perceptual space they are compared and moved in.
//!
//! OKLab (Björn Ottosson, 2020, <https://bottosson.github.io/posts/oklab/>) keeps lightness and hue apart far better
//! than HSV: a blue sprite turned yellow comes out yellow and not olive.

use serde::{Deserialize, Serialize};

/// A colour in OKLab: lightness in 0..1, `a` towards red, `b` towards yellow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OkLab {
    pub l: f32,
    pub a: f32,
    pub b: f32,
}

impl OkLab {
    /// From 8-bit sRGB.
    pub fn from_rgb(rgb: [u8; 3]) -> Self {
        let [r, g, b] = rgb.map(|v| {
            let v = f32::from(v) / 255.0;
            if v <= 0.04045 {
                v / 12.92
            } else {
                ((v + 0.055) / 1.055).powf(2.4)
            }
        });
        let l = (0.412_221_47 * r + 0.536_332_5 * g + 0.051_445_99 * b).cbrt();
        let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
        let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
        Self {
            l: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
            a: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            b: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        }
    }

    /// From lightness, chroma and hue in degrees.
    pub fn from_lch(l: f32, chroma: f32, hue: f32) -> Self {
        let (sin, cos) = hue.to_radians().sin_cos();
        Self {
            l,
            a: chroma * cos,
            b: chroma * sin,
        }
    }

    /// Distance from gray.
    pub fn chroma(self) -> f32 {
        self.a.hypot(self.b)
    }

    /// Hue in degrees, 0..360.
    pub fn hue(self) -> f32 {
        self.b.atan2(self.a).to_degrees().rem_euclid(360.0)
    }

    /// Euclidean distance; two shades 0.02 apart are just told apart side by side.
    pub fn distance(self, other: Self) -> f32 {
        ((self.l - other.l).powi(2) + (self.a - other.a).powi(2) + (self.b - other.b).powi(2)).sqrt()
    }

    /// Nearest 8-bit sRGB colour of the same lightness and hue: chroma shrinks until the colour exists.
    pub fn to_rgb(self) -> [u8; 3] {
        let l = self.l.clamp(0.0, 1.0);
        let at = |keep: f32| {
            Self {
                l,
                a: self.a * keep,
                b: self.b * keep,
            }
            .linear()
        };
        let exists = |rgb: [f32; 3]| rgb.iter().all(|v| (-1e-3..=1.001).contains(v));
        let mut keep = 1.0;
        if !exists(at(keep)) {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..12 {
                let middle = (low + high) / 2.0;
                if exists(at(middle)) {
                    low = middle
                } else {
                    high = middle
                }
            }
            keep = low;
        }
        at(keep).map(|v| {
            let v = v.clamp(0.0, 1.0);
            let v = if v <= 0.003_130_8 {
                v * 12.92
            } else {
                1.055 * v.powf(1.0 / 2.4) - 0.055
            };
            (v * 255.0).round() as u8
        })
    }

    /// Linear-light RGB, outside 0..1 where the screen cannot show the colour.
    fn linear(self) -> [f32; 3] {
        let l = (self.l + 0.396_337_78 * self.a + 0.215_803_76 * self.b).powi(3);
        let m = (self.l - 0.105_561_346 * self.a - 0.063_854_17 * self.b).powi(3);
        let s = (self.l - 0.089_484_18 * self.a - 1.291_485_5 * self.b).powi(3);
        [
            4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
            -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
            -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
        ]
    }
}

/// Difference of two hues in degrees, -180..180.
pub fn hue_difference(a: f32, b: f32) -> f32 {
    (a - b + 180.0).rem_euclid(360.0) - 180.0
}

/// A colour a caption may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Purple,
    Pink,
    Brown,
    Black,
    White,
    Gray,
}

impl Colour {
    /// Colours objects are painted in.
    pub const OBJECTS: [Self; 11] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Blue,
        Self::Purple,
        Self::Pink,
        Self::Brown,
        Self::Black,
        Self::White,
        Self::Gray,
    ];

    /// Colours of plain backgrounds.
    pub const BACKGROUNDS: [Self; 10] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Blue,
        Self::Purple,
        Self::Pink,
        Self::Black,
        Self::White,
        Self::Gray,
    ];

    /// The English word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
            Self::Brown => "brown",
            Self::Black => "black",
            Self::White => "white",
            Self::Gray => "gray",
        }
    }

    /// The article before the word.
    pub fn article(self) -> &'static str {
        if self == Self::Orange { "an" } else { "a" }
    }

    /// Mean colour of the painted region of an object of this colour.
    pub fn shade(self) -> OkLab {
        match self {
            Self::Red => OkLab::from_lch(0.61, 0.22, 27.0),
            Self::Orange => OkLab::from_lch(0.74, 0.18, 57.0),
            Self::Yellow => OkLab::from_lch(0.87, 0.175, 93.0),
            Self::Green => OkLab::from_lch(0.66, 0.18, 145.0),
            Self::Blue => OkLab::from_lch(0.57, 0.18, 256.0),
            Self::Purple => OkLab::from_lch(0.53, 0.21, 303.0),
            Self::Pink => OkLab::from_lch(0.77, 0.15, 356.0),
            Self::Brown => OkLab::from_lch(0.50, 0.085, 52.0),
            Self::Black => OkLab::from_lch(0.30, 0.01, 280.0),
            Self::White => OkLab::from_lch(0.95, 0.005, 250.0),
            Self::Gray => OkLab::from_lch(0.67, 0.008, 260.0),
        }
    }

    /// Plain background of this colour: softer than the objects, so that an object stands out.
    pub fn backdrop(self) -> OkLab {
        match self {
            Self::Red => OkLab::from_lch(0.62, 0.17, 25.0),
            Self::Orange => OkLab::from_lch(0.78, 0.14, 62.0),
            Self::Yellow => OkLab::from_lch(0.91, 0.12, 98.0),
            Self::Green => OkLab::from_lch(0.76, 0.13, 148.0),
            Self::Blue => OkLab::from_lch(0.72, 0.11, 248.0),
            Self::Purple => OkLab::from_lch(0.62, 0.14, 303.0),
            Self::Pink => OkLab::from_lch(0.86, 0.08, 356.0),
            Self::Brown => OkLab::from_lch(0.52, 0.07, 55.0),
            Self::Black => OkLab::from_lch(0.20, 0.01, 280.0),
            Self::White => OkLab::from_lch(0.98, 0.002, 90.0),
            Self::Gray => OkLab::from_lch(0.73, 0.005, 260.0),
        }
    }

    /// The object colour a shade would be called.
    pub fn of_object(shade: OkLab) -> Self {
        nearest(&Self::OBJECTS, Self::shade, shade)
    }

    /// The background colour a shade would be called.
    pub fn of_background(shade: OkLab) -> Self {
        nearest(&Self::BACKGROUNDS, Self::backdrop, shade)
    }
}

/// Lightness counts for half: a pale or dark blue is called blue, not gray.
fn nearest(colours: &[Colour], of: fn(Colour) -> OkLab, shade: OkLab) -> Colour {
    let halved = |c: OkLab| OkLab { l: c.l / 2.0, ..c };
    let mut best = (f32::INFINITY, Colour::Gray);
    for &colour in colours {
        let distance = halved(of(colour)).distance(halved(shade));
        if distance < best.0 {
            best = (distance, colour);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_land_where_the_definition_says() {
        // Björn Ottosson's post: white is (1, 0, 0); sRGB red is (0.628, 0.225, 0.126).
        assert!(OkLab::from_rgb([255; 3]).distance(OkLab { l: 1.0, a: 0.0, b: 0.0 }) < 1e-3);
        assert!(
            OkLab::from_rgb([255, 0, 0]).distance(OkLab {
                l: 0.628,
                a: 0.225,
                b: 0.126
            }) < 1e-3
        );
    }

    #[test]
    fn every_8_bit_colour_survives_the_round_trip() {
        for r in (0..=255).step_by(15) {
            for g in (0..=255).step_by(15) {
                for b in (0..=255).step_by(15) {
                    assert_eq!(OkLab::from_rgb([r, g, b]).to_rgb(), [r, g, b]);
                }
            }
        }
    }

    #[test]
    fn a_colour_no_screen_shows_keeps_lightness_and_hue() {
        let wanted = OkLab::from_lch(0.6, 0.4, 145.0);
        let shown = OkLab::from_rgb(wanted.to_rgb());
        assert!(shown.chroma() < 0.3 && (shown.l - 0.6).abs() < 0.01);
        assert!(hue_difference(shown.hue(), 145.0).abs() < 2.0);
    }

    #[test]
    fn shades_and_backdrops_answer_to_their_own_names() {
        for colour in Colour::OBJECTS {
            assert_eq!(Colour::of_object(OkLab::from_rgb(colour.shade().to_rgb())), colour);
        }
        for colour in Colour::BACKGROUNDS {
            assert_eq!(
                Colour::of_background(OkLab::from_rgb(colour.backdrop().to_rgb())),
                colour
            );
        }
    }
}
