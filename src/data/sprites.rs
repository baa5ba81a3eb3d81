//! The sprite bank: one small file with every drawing the generator pastes.
//!
//! Layout: the eight bytes `SPRITES1`, the length of the index as little-endian `u32`, the index as JSON, then the
//! drawings as PNG files one behind the other. The same icons always give the same bytes.

use image::{ImageFormat, RgbaImage};
use serde::{Deserialize, Serialize};

use super::colour::Colour;
use super::error::DataError;
use super::recolour::Region;

/// Side of every sprite in pixels; the drawing touches the border on its longer axis.
pub const SPRITE_SIZE: u32 = 160;

const MAGIC: &[u8; 8] = b"SPRITES1";

/// What captions and recolouring need to know of a drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The concept: a singular noun (or a plural only one, such as "grapes"). Unique in a bank.
    pub noun: String,
    /// "a", "an", or empty before a noun that takes none.
    pub article: String,
    pub plural: String,
    /// Other nouns captions use for it.
    pub synonyms: Vec<String>,
    /// Name of the drawing in the icon package.
    pub icon: String,
    /// Dominant hue in degrees (OKLab).
    pub hue: f32,
    /// Share of the drawing that recolouring changes, 0..1.
    pub cover: f32,
    /// What the colour of the drawing as it comes is called.
    pub natural: Colour,
    /// Colours it may be painted in; empty when it cannot be recoloured.
    pub colours: Vec<Colour>,
}

/// A drawing with its description.
#[derive(Clone, Debug)]
pub struct Sprite {
    pub entry: Entry,
    /// [`SPRITE_SIZE`] square, straight (not premultiplied) alpha.
    pub image: RgbaImage,
    /// Where the colour is.
    pub region: Region,
}

impl Sprite {
    /// The drawing in a colour; `None` leaves it as it comes.
    pub fn painted(&self, colour: Option<Colour>) -> RgbaImage {
        match colour {
            Some(colour) => self.region.paint(&self.image, colour),
            None => self.image.clone(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    /// Package the drawings come from, `name@version`.
    source: String,
    sprites: Vec<Indexed>,
}

#[derive(Serialize, Deserialize)]
struct Indexed {
    #[serde(flatten)]
    entry: Entry,
    /// Length of the PNG file.
    bytes: usize,
}

/// All sprites of a bank, in the order of the file.
#[derive(Clone, Debug)]
pub struct SpriteBank {
    pub source: String,
    pub sprites: Vec<Sprite>,
}

impl SpriteBank {
    /// The bank that comes with the program.
    pub fn bundled() -> Result<Self, DataError> {
        Self::from_bytes(include_bytes!("../../data/sprites.bin"))
    }

    /// Reads a bank file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DataError> {
        let bad = |reason: &str| DataError::BadBank(reason.to_owned());
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| bad("it does not begin with `SPRITES1`"))?;
        let (length, rest) = rest
            .split_first_chunk::<4>()
            .ok_or_else(|| bad("it ends before the index"))?;
        let length = u32::from_le_bytes(*length) as usize;
        let (index, mut drawings) = rest
            .split_at_checked(length)
            .ok_or_else(|| bad("it ends inside the index"))?;
        let index: Index = serde_json::from_slice(index).map_err(|e| DataError::BadBank(format!("index: {e}")))?;
        let mut sprites = Vec::with_capacity(index.sprites.len());
        for Indexed { entry, bytes } in index.sprites {
            let (png, rest) = drawings
                .split_at_checked(bytes)
                .ok_or_else(|| bad("it ends inside the last drawing"))?;
            drawings = rest;
            let image = image::load_from_memory_with_format(png, ImageFormat::Png)
                .map_err(|e| DataError::BadBank(format!("drawing of `{}`: {e}", entry.noun)))?
                .into_rgba8();
            if image.dimensions() != (SPRITE_SIZE, SPRITE_SIZE) {
                return Err(DataError::BadBank(format!(
                    "drawing of `{}` has the wrong size",
                    entry.noun
                )));
            }
            let region = Region::of(&image)
                .ok_or_else(|| DataError::BadBank(format!("drawing of `{}` has no colour", entry.noun)))?;
            sprites.push(Sprite { entry, image, region });
        }
        if !drawings.is_empty() {
            return Err(bad("bytes are left behind the last drawing"));
        }
        Ok(Self {
            source: index.source,
            sprites,
        })
    }

    /// The bytes of a bank file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DataError> {
        let mut drawings = Vec::new();
        let mut index = Index {
            source: self.source.clone(),
            sprites: Vec::with_capacity(self.sprites.len()),
        };
        for sprite in &self.sprites {
            let png = png(&sprite.image).map_err(|e| DataError::BadIcon {
                icon: sprite.entry.icon.clone(),
                reason: e.to_string(),
            })?;
            index.sprites.push(Indexed {
                entry: sprite.entry.clone(),
                bytes: png.len(),
            });
            drawings.extend(png);
        }
        let index = serde_json::to_vec(&index).map_err(|e| DataError::BadBank(e.to_string()))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend((index.len() as u32).to_le_bytes());
        bytes.extend(index);
        bytes.extend(drawings);
        Ok(bytes)
    }

    /// Place of a concept.
    pub fn find(&self, noun: &str) -> Option<usize> {
        self.sprites.iter().position(|sprite| sprite.entry.noun == noun)
    }
}

/// Always the same bytes for the same image: `Fast` is the PNG encoder's own compressor, where the others come from
/// whichever zlib the features of other crates select.
fn png(image: &RgbaImage) -> image::ImageResult<Vec<u8>> {
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive);
    image.write_with_encoder(encoder)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::build::{LEAST_COVER, PACKAGE};
    use crate::data::concepts::CONCEPTS;

    #[test]
    fn the_bundled_bank_holds_the_concept_table() {
        let bank = SpriteBank::bundled().unwrap();
        assert_eq!(bank.source, PACKAGE);
        assert_eq!(bank.sprites.len(), CONCEPTS.len());
        for (sprite, concept) in bank.sprites.iter().zip(CONCEPTS) {
            let entry = &sprite.entry;
            assert_eq!((entry.noun.as_str(), entry.icon.as_str()), (concept.noun, concept.icon));
            assert!(
                entry.cover >= LEAST_COVER && !entry.colours.is_empty(),
                "{} recolours badly",
                entry.noun
            );
            assert!((sprite.region.mean.hue() - entry.hue).abs() < 0.01, "{}", entry.noun);
        }
    }

    #[test]
    fn writing_what_was_read_gives_the_same_bytes() {
        let file: &[u8] = include_bytes!("../../data/sprites.bin");
        let bank = SpriteBank::from_bytes(file).unwrap();
        assert!(
            bank.to_bytes().unwrap() == file,
            "run `infinity data build` and commit data/sprites.bin"
        );
        assert!(file.len() < 1_500_000);
    }

    #[test]
    fn a_damaged_bank_is_refused() {
        let file: &[u8] = include_bytes!("../../data/sprites.bin");
        let mut longer = file.to_vec();
        longer.push(0);
        let mut broken_png = file.to_vec();
        let last = broken_png.len() - 40;
        broken_png[last] ^= 0xff;
        for (what, bytes) in [
            ("magic", &file[1..]),
            ("length", &file[..10]),
            ("index", &file[..100]),
            ("drawing", &file[..file.len() - 1]),
            ("rest", &longer[..]),
            ("png", &broken_png[..]),
        ] {
            assert!(
                matches!(SpriteBank::from_bytes(bytes), Err(DataError::BadBank(_))),
                "{what}"
            );
        }
    }

    #[test]
    fn every_concept_changes_by_half_when_painted() {
        for sprite in &SpriteBank::bundled().unwrap().sprites {
            for &colour in sprite.entry.colours.iter().filter(|&&c| c != sprite.entry.natural) {
                let painted = sprite.painted(Some(colour));
                let (mut changed, mut opaque) = (0, 0);
                for (a, b) in sprite.image.pixels().zip(painted.pixels()) {
                    let area = u32::from(a.0[3]);
                    opaque += area;
                    changed += if a == b { 0 } else { area };
                }
                assert!(
                    2 * changed >= opaque,
                    "{} {:?}: {changed} of {opaque}",
                    sprite.entry.noun,
                    colour
                );
            }
        }
    }
}
