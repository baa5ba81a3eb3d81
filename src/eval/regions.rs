//! Where a picture shows something: connected pieces that differ from the color of its border.
//!
//! The method is not trained and knows nothing of what should be there. It takes a plain backdrop, which is why every
//! prompt of the test asks for one.

use crate::data::colour::OkLab;
use crate::data::oracle::flood;
use image::{Rgb, RgbImage};

/// OKLab distance from the backdrop from which a pixel is something.
const DIFFERENT: f32 = 0.07;
/// Pieces smaller than this share of the picture are dirt, and so are those smaller than the other share of the
/// largest.
const DIRT: f32 = 0.002;
const SPECK: f32 = 0.04;
/// Free rim of a cutting, in shares of its content's longer side.
const MARGIN: f32 = 0.06;

/// Left, top, right, bottom in pixels; right and bottom are just outside.
pub type Bounds = [u32; 4];

/// One or more pieces of a picture that are taken for one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    pub bounds: Bounds,
    /// Pixels, holes included.
    pub area: usize,
    /// Numbers of its pieces in the picture's map.
    pieces: Vec<usize>,
}

impl Region {
    /// Both together.
    fn with(&self, other: &Self) -> Self {
        let [a, b] = [self.bounds, other.bounds];
        Self {
            bounds: [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])],
            area: self.area + other.area,
            pieces: [self.pieces.clone(), other.pieces.clone()].concat(),
        }
    }

    /// Whether the boxes share a pixel or touch.
    fn meets(&self, other: &Self) -> bool {
        let [a, b] = [self.bounds, other.bounds];
        (0..2).all(|axis| a[axis] <= b[axis + 2] && b[axis] <= a[axis + 2])
    }

    /// Middle of the box, x and y.
    pub fn centre(&self) -> [f32; 2] {
        let [left, top, right, bottom] = self.bounds.map(|v| v as f32);
        [(left + right) / 2.0, (top + bottom) / 2.0]
    }
}

/// A picture with the things on it.
pub struct View<'a> {
    image: &'a RgbImage,
    /// Number of the piece that each pixel belongs to; none outside.
    map: Vec<Option<usize>>,
    /// The largest first.
    pub regions: Vec<Region>,
}

impl<'a> View<'a> {
    pub fn of(image: &'a RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let backdrop = OkLab::from_rgb(border(image));
        let something: Vec<bool> = image
            .pixels()
            .map(|pixel| OkLab::from_rgb(pixel.0).distance(backdrop) > DIFFERENT)
            .collect();
        // Holes belong to what encloses them: only what the border reaches is outside.
        let mut outside = vec![false; something.len()];
        for start in rim(width, height) {
            flood(start, width, height, |place| {
                let new = !something[place] && !outside[place];
                outside[place] |= new;
                new
            });
        }
        let mut map = vec![None; something.len()];
        let mut pieces: Vec<Region> = Vec::new();
        for start in 0..map.len() {
            if outside[start] || map[start].is_some() {
                continue;
            }
            let mut piece = Region {
                bounds: [u32::MAX, u32::MAX, 0, 0],
                area: 0,
                pieces: vec![pieces.len()],
            };
            flood(start, width, height, |place| {
                let new = !outside[place] && map[place].is_none();
                if new {
                    map[place] = Some(pieces.len());
                    let (x, y) = ((place % width) as u32, (place / width) as u32);
                    let [left, top, right, bottom] = piece.bounds;
                    piece.bounds = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
                    piece.area += 1;
                }
                new
            });
            pieces.push(piece);
        }
        let largest = pieces.iter().map(|piece| piece.area).max().unwrap_or(0) as f32;
        let least = (DIRT * map.len() as f32).max(SPECK * largest);
        pieces.retain(|piece| piece.area as f32 >= least);
        let mut regions = joined(pieces);
        regions.sort_by_key(|region| std::cmp::Reverse(region.area));
        Self { image, map, regions }
    }

    /// Everything there is as one region; none on an empty picture.
    pub fn whole(&self) -> Option<Region> {
        let (first, rest) = self.regions.split_first()?;
        Some(rest.iter().fold(first.clone(), |all, region| all.with(region)))
    }

    /// The regions on either side of the middle of the picture, along x and along y: two objects that fell to pieces,
    /// or that touch others.
    pub fn halves(&self) -> Vec<Region> {
        let middle = [self.image.width() as f32 / 2.0, self.image.height() as f32 / 2.0];
        let mut halves = Vec::new();
        for (axis, middle) in middle.into_iter().enumerate() {
            for behind in [false, true] {
                let mut side = (self.regions.iter()).filter(|region| (region.centre()[axis] >= middle) == behind);
                if let Some(first) = side.next() {
                    halves.push(side.fold(first.clone(), |all, region| all.with(region)));
                }
            }
        }
        halves
    }

    /// A region cut out of the picture, square and with a small rim; what is not the region becomes `ground`.
    pub fn cut(&self, region: &Region, ground: Rgb<u8>) -> RgbImage {
        let [left, top, right, bottom] = region.bounds.map(i64::from);
        let content = (right - left).max(bottom - top);
        let side = content + 2 * ((MARGIN * content as f32).ceil() as i64).max(1);
        let corner = [(left + right - side) / 2, (top + bottom - side) / 2];
        let (width, height) = (i64::from(self.image.width()), i64::from(self.image.height()));
        RgbImage::from_fn(side as u32, side as u32, |x, y| {
            let (x, y) = (corner[0] + i64::from(x), corner[1] + i64::from(y));
            if !(0..width).contains(&x) || !(0..height).contains(&y) {
                return ground;
            }
            match self.map[(y * width + x) as usize] {
                Some(piece) if region.pieces.contains(&piece) => *self.image.get_pixel(x as u32, y as u32),
                _ => ground,
            }
        })
    }
}

/// Pieces whose boxes meet are one thing: the beads of a necklace, a face and its tears.
fn joined(pieces: Vec<Region>) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for mut piece in pieces {
        while let Some(other) = regions.iter().position(|region| region.meets(&piece)) {
            piece = regions.swap_remove(other).with(&piece);
        }
        regions.push(piece);
    }
    regions
}

/// The middle value of each channel along the border: an object that touches it does not move it.
pub fn border(image: &RgbImage) -> [u8; 3] {
    let width = image.width() as usize;
    let mut values: [Vec<u8>; 3] = Default::default();
    for place in rim(width, image.height() as usize) {
        let Rgb(pixel) = image.get_pixel((place % width) as u32, (place / width) as u32);
        for (channel, &value) in values.iter_mut().zip(pixel) {
            channel.push(value);
        }
    }
    values.map(|mut channel| {
        channel.sort_unstable();
        channel.get(channel.len() / 2).copied().unwrap_or_default()
    })
}

/// All places of the outermost rows and columns.
fn rim(width: usize, height: usize) -> impl Iterator<Item = usize> {
    let outer = move |&place: &usize| {
        let (x, y) = (place % width, place / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    (0..width * height).filter(outer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK: Rgb<u8> = Rgb([240, 240, 250]);
    const INK: Rgb<u8> = Rgb([200, 30, 40]);

    fn picture(boxes: &[Bounds]) -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| {
            let inside = |b: &&Bounds| (b[0]..b[2]).contains(&x) && (b[1]..b[3]).contains(&y);
            if boxes.iter().any(|b| inside(&b)) { INK } else { BACK }
        })
    }

    fn bounds(image: &RgbImage) -> Vec<Bounds> {
        View::of(image).regions.iter().map(|region| region.bounds).collect()
    }

    #[test]
    fn things_apart_are_counted_and_measured() {
        let image = picture(&[[2, 3, 20, 30], [30, 10, 60, 40], [22, 40, 29, 46]]);
        assert_eq!(bounds(&image), [[30, 10, 60, 40], [2, 3, 20, 30], [22, 40, 29, 46]]);
        assert_eq!(View::of(&image).regions[0].area, 900);
        assert_eq!(View::of(&image).whole().unwrap().bounds, [2, 3, 60, 46]);
        assert!(View::of(&picture(&[])).whole().is_none());
    }

    #[test]
    fn dirt_does_not_count_and_pieces_inside_a_box_do_not_either() {
        assert_eq!(bounds(&picture(&[[2, 3, 40, 30], [50, 40, 51, 42]])), [[2, 3, 40, 30]]);
        // A frame of two angles with a dot in the middle.
        let frame = [
            [10, 10, 40, 12],
            [10, 10, 12, 40],
            [38, 20, 40, 40],
            [20, 38, 40, 40],
            [22, 22, 28, 28],
        ];
        assert_eq!(bounds(&picture(&frame)), [[10, 10, 40, 40]]);
    }

    #[test]
    fn holes_belong_to_what_encloses_them() {
        let ring = picture(&[[10, 10, 40, 14], [10, 36, 40, 40], [10, 10, 14, 40], [36, 10, 40, 40]]);
        assert_eq!(View::of(&ring).regions[0].area, 900);
    }

    #[test]
    fn halves_gather_what_lies_on_one_side() {
        let image = picture(&[[2, 2, 10, 10], [2, 30, 10, 40], [40, 2, 50, 12], [45, 30, 60, 44]]);
        let halves: Vec<Bounds> = View::of(&image).halves().iter().map(|half| half.bounds).collect();
        assert_eq!(
            halves,
            [[2, 2, 10, 40], [40, 2, 60, 44], [2, 2, 50, 12], [2, 30, 60, 44]]
        );
    }

    #[test]
    fn a_cutting_is_square_and_shows_nothing_else() {
        let image = picture(&[[10, 10, 30, 20], [10, 22, 14, 26]]);
        let view = View::of(&image);
        let cut = view.cut(&view.regions[0], Rgb([255; 3]));
        assert_eq!(cut.dimensions(), (24, 24));
        assert_eq!(cut.pixels().filter(|&&pixel| pixel == INK).count(), 200);
        assert_eq!(
            cut.pixels().filter(|&&pixel| pixel == Rgb([255; 3])).count(),
            24 * 24 - 200
        );
        assert_eq!((cut.get_pixel(2, 7), cut.get_pixel(1, 7)), (&INK, &Rgb([255; 3])));
    }
}
