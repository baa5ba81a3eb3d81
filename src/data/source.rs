//! What training sees of a data set.

use image::RgbImage;

use super::colour::Colour;
use super::error::DataError;
use super::lettering::Text;
use super::scene::{Backdrop, Effect, Kind, Relation, Size};
use super::style::Style;

/// An image with its caption.
#[derive(Clone, Debug)]
pub struct Sample {
    pub image: RgbImage,
    pub caption: String,
    /// What the image is known to show; `None` where only the caption says.
    pub truth: Option<Truth>,
}

impl Sample {
    /// Values in -1..1, channel by channel: `[3, height, width]`.
    pub fn to_chw(&self) -> Vec<f32> {
        let pixels = (self.image.width() * self.image.height()) as usize;
        let mut values = vec![0.0; 3 * pixels];
        for (place, pixel) in self.image.pixels().enumerate() {
            for (channel, &value) in pixel.0.iter().enumerate() {
                values[channel * pixels + place] = f32::from(value) / 127.5 - 1.0;
            }
        }
        values
    }
}

/// What a composed image shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    pub kind: Kind,
    pub objects: Vec<Placed>,
    /// Of the first object to the second.
    pub relation: Option<Relation>,
    pub backdrop: Backdrop,
    pub effect: Option<Effect>,
    /// How large each object is said to be; empty where no size is said.
    pub sizes: Vec<Size>,
    /// What is written, and where: left, top, right, bottom as in [`Placed`].
    pub text: Option<(Text, [u32; 4])>,
}

/// An object in an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The noun of the sprite bank's entry.
    pub concept: String,
    pub style: Style,
    /// The colour it is painted in; `None`: its own.
    pub colour: Option<Colour>,
    /// What the drawing's own colour is called; `None` for a many-coloured one.
    pub natural: Option<Colour>,
    /// Left, top, right, bottom in pixels; right and bottom are just outside.
    pub bounds: [u32; 4],
}

/// A set of captioned images. The same arguments always give the same sample, on every thread and machine.
pub trait Source: Send + Sync {
    /// Sample `index` of the run `seed`, `height` x `width` pixels.
    fn sample(&self, seed: u64, index: u64, height: usize, width: usize) -> Result<Sample, DataError>;

    /// Captions that together hold every word that a sample may use.
    fn captions(&self) -> Result<Vec<String>, DataError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn pixels_become_planes() {
        let mut image = RgbImage::new(2, 1);
        image.put_pixel(1, 0, Rgb([255, 0, 51]));
        let sample = Sample {
            image,
            caption: String::new(),
            truth: None,
        };
        let planes = sample.to_chw();
        assert_eq!(planes.len(), 6);
        for (value, expected) in planes.iter().zip([-1.0, 1.0, -1.0, -1.0, -1.0, -0.6]) {
            assert!((value - expected).abs() < 1e-6, "{planes:?}");
        }
    }
}
