//! The sprite bank: one file with every drawing the generator pastes.
//!
//! Layout: the eight bytes `SPRITES2` and one zlib stream. In that, the length of the index as little-endian `u32`, the
//! index as JSON, then the drawings as PNG files one behind the other. The same icons always give the same bytes.

use std::io::Read;

use flate2::bufread::ZlibDecoder;
use image::{ImageFormat, RgbaImage};
use serde::{Deserialize, Serialize};

use super::captions::article;
use super::colour::Colour;
use super::concepts::CLASSIC;
use super::error::DataError;
use super::recolour::Region;
use super::style::Style;

/// Side of every sprite in pixels; the drawing touches the border on its longer axis.
pub const SPRITE_SIZE: u32 = 128;

const MAGIC: &[u8; 8] = b"SPRITES2";

/// The words for an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The concept: a singular noun (or a plural only one, such as "grapes"). Unique in a bank.
    pub noun: String,
    /// "a", "an", or empty before a noun that takes none.
    pub article: String,
    /// Empty for what is not counted.
    pub plural: String,
    /// Other nouns captions use for it.
    pub synonyms: Vec<Synonym>,
}

impl Entry {
    /// The same object under one of its synonyms.
    pub fn called(&self, synonym: &Synonym) -> Self {
        let article = match self.article.as_str() {
            "" => "",
            _ => article(&synonym.noun),
        };
        Self {
            noun: synonym.noun.clone(),
            article: article.to_owned(),
            plural: synonym.plural.clone(),
            synonyms: Vec::new(),
        }
    }
}

/// Another noun for the same thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synonym {
    pub noun: String,
    pub plural: String,
}

/// A drawing with what recolouring needs to know of it.
#[derive(Clone, Debug)]
pub struct Sprite {
    pub style: Style,
    /// Name of the drawing in the icon package.
    pub icon: String,
    /// The colour that most of the drawing has as it comes.
    pub main: Colour,
    /// Whether the main colour covers so much that one would call the object that.
    pub plain: bool,
    /// Colours it may be painted in; empty when it keeps its own.
    pub colours: Vec<Colour>,
    /// Where the colour is; `None` for a gray drawing.
    pub region: Option<Region>,
    /// [`SPRITE_SIZE`] square, straight (not premultiplied) alpha.
    pub image: RgbaImage,
}

impl Sprite {
    /// The drawing in a colour; `None`, or a colour it cannot have, leaves it as it comes.
    pub fn painted(&self, colour: Option<Colour>) -> RgbaImage {
        match (colour, &self.region) {
            (Some(colour), Some(region)) => region.paint(&self.image, colour),
            _ => self.image.clone(),
        }
    }

    /// What one would call the colour of the drawing as it comes; `None` for a many-coloured one.
    pub fn natural(&self) -> Option<Colour> {
        self.plain.then_some(self.main)
    }
}

/// A capital letter or a digit, as black ink. Lengths are in em, right and down from where the pen stands on the line.
#[derive(Clone, Debug)]
pub struct Letter {
    pub sign: char,
    /// How far the pen moves on.
    pub advance: f32,
    /// Middle of the ink, and half its width and height.
    pub centre: [f32; 2],
    pub half: [f32; 2],
    /// Side of the whole square, which the ink fills on its longer axis but for a margin.
    pub side: f32,
    /// [`SPRITE_SIZE`] square.
    pub image: RgbaImage,
}

/// An object with its drawings, at most one of each style.
#[derive(Clone, Debug)]
pub struct Subject {
    pub entry: Entry,
    pub sprites: Vec<Sprite>,
}

impl Subject {
    /// Its drawing in a style, where there is one.
    pub fn sprite(&self, style: Style) -> Option<&Sprite> {
        self.sprites.iter().find(|sprite| sprite.style == style)
    }

    /// Is this how it comes in some style?
    pub fn is_natural(&self, colour: Colour) -> bool {
        self.sprites.iter().any(|sprite| sprite.main == colour)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    /// Packages the drawings come from, `name@version`.
    sources: Vec<String>,
    subjects: Vec<IndexedSubject>,
    #[serde(default)]
    letters: Vec<IndexedLetter>,
}

#[derive(Serialize, Deserialize)]
struct IndexedSubject {
    #[serde(flatten)]
    entry: Entry,
    sprites: Vec<IndexedSprite>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexedSprite {
    style: Style,
    icon: String,
    main: Colour,
    plain: bool,
    colours: Vec<Colour>,
    region: Option<Region>,
    /// Length of the PNG file.
    bytes: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexedLetter {
    sign: char,
    advance: f32,
    centre: [f32; 2],
    half: [f32; 2],
    side: f32,
    bytes: usize,
}

/// All objects of a bank, in the order of the file, and what words are written with.
#[derive(Clone, Debug)]
pub struct SpriteBank {
    pub sources: Vec<String>,
    pub subjects: Vec<Subject>,
    pub letters: Vec<Letter>,
}

impl SpriteBank {
    /// The bank that comes with the program; a page fetches it as a file.
    #[cfg(not(target_family = "wasm"))]
    pub fn bundled() -> Result<Self, DataError> {
        Self::from_bytes(include_bytes!("../../data/sprites.bin"))
    }

    /// Reads a bank file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DataError> {
        let bad = |reason: &str| DataError::BadBank(reason.to_owned());
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| bad("it does not begin with `SPRITES2`"))?;
        let mut stream = ZlibDecoder::new(rest);
        let mut content = Vec::new();
        (stream.read_to_end(&mut content)).map_err(|e| DataError::BadBank(format!("its compressed part: {e}")))?;
        if !stream.into_inner().is_empty() {
            return Err(bad("bytes are left behind its end"));
        }
        let (length, rest) = content
            .split_first_chunk::<4>()
            .ok_or_else(|| bad("it ends before the index"))?;
        let length = u32::from_le_bytes(*length) as usize;
        let (index, mut drawings) = rest
            .split_at_checked(length)
            .ok_or_else(|| bad("it ends inside the index"))?;
        let index: Index = serde_json::from_slice(index).map_err(|e| DataError::BadBank(format!("index: {e}")))?;
        let mut subjects = Vec::with_capacity(index.subjects.len());
        for IndexedSubject { entry, sprites } in index.subjects {
            let mut subject = Subject {
                entry,
                sprites: Vec::with_capacity(sprites.len()),
            };
            for sprite in sprites {
                let (png, rest) = drawings
                    .split_at_checked(sprite.bytes)
                    .ok_or_else(|| bad("it ends inside the last drawing"))?;
                drawings = rest;
                subject.sprites.push(sprite.with(png)?);
            }
            subjects.push(subject);
        }
        let mut letters = Vec::with_capacity(index.letters.len());
        for letter in index.letters {
            let (png, rest) = drawings
                .split_at_checked(letter.bytes)
                .ok_or_else(|| bad("it ends inside the last drawing"))?;
            drawings = rest;
            letters.push(Letter {
                sign: letter.sign,
                advance: letter.advance,
                centre: letter.centre,
                half: letter.half,
                side: letter.side,
                image: drawing(png, &letter.sign.to_string())?,
            });
        }
        if !drawings.is_empty() {
            return Err(bad("bytes are left behind the last drawing"));
        }
        Ok(Self {
            sources: index.sources,
            subjects,
            letters,
        })
    }

    /// The bytes of a bank file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DataError> {
        let mut drawings = Vec::new();
        let mut index = Index {
            sources: self.sources.clone(),
            subjects: Vec::with_capacity(self.subjects.len()),
            letters: Vec::with_capacity(self.letters.len()),
        };
        for subject in &self.subjects {
            let mut sprites = Vec::with_capacity(subject.sprites.len());
            for sprite in &subject.sprites {
                let png = png(&sprite.image).map_err(|e| DataError::BadIcon {
                    icon: sprite.icon.clone(),
                    reason: e.to_string(),
                })?;
                sprites.push(IndexedSprite {
                    style: sprite.style,
                    icon: sprite.icon.clone(),
                    main: sprite.main,
                    plain: sprite.plain,
                    colours: sprite.colours.clone(),
                    region: sprite.region,
                    bytes: png.len(),
                });
                drawings.extend(png);
            }
            index.subjects.push(IndexedSubject {
                entry: subject.entry.clone(),
                sprites,
            });
        }
        for letter in &self.letters {
            let png = png(&letter.image).map_err(|e| DataError::BadIcon {
                icon: letter.sign.to_string(),
                reason: e.to_string(),
            })?;
            index.letters.push(IndexedLetter {
                sign: letter.sign,
                advance: letter.advance,
                centre: letter.centre,
                half: letter.half,
                side: letter.side,
                bytes: png.len(),
            });
            drawings.extend(png);
        }
        let index = serde_json::to_vec(&index).map_err(|e| DataError::BadBank(e.to_string()))?;
        let mut content = (index.len() as u32).to_le_bytes().to_vec();
        content.extend(index);
        content.extend(drawings);
        let mut bytes = MAGIC.to_vec();
        // Not flate2, which compresses by whichever zlib the features of other crates select: the bytes would differ.
        bytes.extend(miniz_oxide::deflate::compress_to_vec_zlib(&content, 9));
        Ok(bytes)
    }

    /// Only the objects of the data set `emoji`, and no letters.
    pub fn classic(mut self) -> Self {
        self.subjects.truncate(CLASSIC);
        self.letters.clear();
        self
    }

    /// Place of a letter or a digit.
    pub fn letter(&self, sign: char) -> Option<usize> {
        self.letters.iter().position(|letter| letter.sign == sign)
    }

    /// Place of a concept.
    pub fn find(&self, noun: &str) -> Option<usize> {
        self.subjects.iter().position(|subject| subject.entry.noun == noun)
    }
}

impl IndexedSprite {
    /// Joins the description with its drawing.
    fn with(self, png: &[u8]) -> Result<Sprite, DataError> {
        let image = drawing(png, &self.icon)?;
        Ok(Sprite {
            style: self.style,
            icon: self.icon,
            main: self.main,
            plain: self.plain,
            colours: self.colours,
            region: self.region,
            image,
        })
    }
}

/// Reads the drawing called `name`.
fn drawing(png: &[u8], name: &str) -> Result<RgbaImage, DataError> {
    let image = image::load_from_memory_with_format(png, ImageFormat::Png)
        .map_err(|e| DataError::BadBank(format!("drawing of `{name}`: {e}")))?
        .into_rgba8();
    if image.dimensions() != (SPRITE_SIZE, SPRITE_SIZE) {
        return Err(DataError::BadBank(format!("drawing of `{name}` has the wrong size")));
    }
    Ok(image)
}

/// Filtered but not compressed, which the bank does as a whole.
fn png(image: &RgbaImage) -> image::ImageResult<Vec<u8>> {
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Uncompressed, FilterType::Adaptive);
    image.write_with_encoder(encoder)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::build::LEAST_COVER;
    use crate::data::concepts::CONCEPTS;

    #[test]
    fn the_bundled_bank_holds_the_concept_table() {
        let bank = SpriteBank::bundled().unwrap();
        assert_eq!(bank.sources, Style::ALL.map(|style| style.package().name));
        assert_eq!(bank.subjects.len(), CONCEPTS.len());
        for (subject, concept) in bank.subjects.iter().zip(CONCEPTS) {
            let entry = &subject.entry;
            assert_eq!(
                (entry.noun.as_str(), entry.article.as_str()),
                (concept.noun, concept.article)
            );
            assert_eq!(entry.plural, concept.plural);
            let synonyms: Vec<_> = (entry.synonyms.iter())
                .map(|s| (s.noun.as_str(), s.plural.as_str()))
                .collect();
            assert_eq!(synonyms, concept.synonyms);
            for style in Style::ALL {
                assert_eq!(
                    subject.sprite(style).map(|sprite| sprite.icon.as_str()),
                    concept.icon(style)
                );
            }
            for sprite in &subject.sprites {
                let cover = sprite.region.map_or(0.0, |region| region.cover);
                let paintable = !concept.fixed && cover >= LEAST_COVER;
                assert_eq!(
                    !sprite.colours.is_empty(),
                    paintable,
                    "{} {:?}",
                    entry.noun,
                    sprite.style
                );
                assert_eq!(
                    Region::of(&sprite.image).map(Region::rounded),
                    sprite.region,
                    "{}",
                    entry.noun
                );
            }
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
        assert!(file.len() <= 4_000_000);
    }

    #[test]
    fn a_synonym_brings_its_own_article() {
        let bank = SpriteBank::bundled().unwrap();
        let called = |noun: &str, synonym: &str| {
            let entry = &bank.subjects[bank.find(noun).unwrap()].entry;
            let synonym = Synonym {
                noun: synonym.to_owned(),
                plural: format!("{synonym}s"),
            };
            let Entry {
                noun, article, plural, ..
            } = entry.called(&synonym);
            [article, noun, plural].join(" ")
        };
        assert_eq!(called("umbrella", "parasol"), "a parasol parasols");
        assert_eq!(called("car", "automobile"), "an automobile automobiles");
        assert_eq!(called("grapes", "vine fruit"), " vine fruit vine fruits");
    }

    #[test]
    fn the_same_packages_give_the_same_hash() {
        // What `infinity data build` prints for the packages whose hashes `Style::package` tells.
        assert_eq!(
            crate::weights::shards::sha256(include_bytes!("../../data/sprites.bin")),
            "7e8977efb64dd26093d215f3a9644d990ad50f39d262c7156c02c5604a0d9fdd"
        );
    }

    #[test]
    fn a_damaged_bank_is_refused() {
        let file: &[u8] = include_bytes!("../../data/sprites.bin");
        let mut longer = file.to_vec();
        longer.push(0);
        let mut flipped = file.to_vec();
        let last = flipped.len() - 40;
        flipped[last] ^= 0xff;
        let packed =
            |content: &[u8]| [MAGIC, miniz_oxide::deflate::compress_to_vec_zlib(content, 1).as_slice()].concat();
        let index = br#"{"sources":[],"subjects":[]}"#;
        let content = [&(index.len() as u32).to_le_bytes(), index.as_slice()].concat();
        assert!(
            SpriteBank::from_bytes(&packed(&content)).is_ok(),
            "an empty bank is sound"
        );
        let picture = String::from_utf8_lossy(index).replace(
            r#""subjects":[]"#,
            r#""subjects":[{"noun":"dot","article":"a","plural":"dots","synonyms":[],"sprites":[{"style":"flat",
            "icon":"dot","main":"red","plain":true,"colours":[],"region":null,"bytes":3}]}]"#,
        );
        let no_png = [&(picture.len() as u32).to_le_bytes(), picture.as_bytes(), b"png"].concat();
        let bad = |bytes: &[u8]| match SpriteBank::from_bytes(bytes) {
            Err(DataError::BadBank(reason)) => reason,
            other => panic!("{other:?}"),
        };
        for (bytes, reason) in [
            (&file[1..], "begin"),
            (&file[..file.len() - 1], "compressed"),
            (&flipped, "compressed"),
            (&longer, "behind"),
            (&packed(&content[..3]), "before the index"),
            (&packed(&content[..9]), "inside the index"),
            (
                &packed(&[&content, b"x".as_slice()].concat()),
                "behind the last drawing",
            ),
            (&packed(&no_png[..no_png.len() - 1]), "inside the last drawing"),
            (&packed(&no_png), "drawing of `dot`"),
        ] {
            assert!(bad(bytes).contains(reason), "{reason}: {}", bad(bytes));
        }
    }

    #[test]
    fn every_sprite_changes_by_half_when_painted() {
        let bank = SpriteBank::bundled().unwrap();
        for sprite in bank.subjects.iter().flat_map(|subject| &subject.sprites) {
            // One colour of each is enough; all would take a minute.
            let colour = sprite.colours.iter().find(|&&colour| colour != sprite.main);
            let Some(&colour) = colour else {
                continue;
            };
            let painted = sprite.painted(Some(colour));
            let (mut changed, mut opaque) = (0, 0);
            for (a, b) in sprite.image.pixels().zip(painted.pixels()) {
                let area = u32::from(a.0[3]);
                opaque += area;
                changed += if a == b { 0 } else { area };
            }
            assert!(
                2 * changed >= opaque,
                "{} {colour:?}: {changed} of {opaque}",
                sprite.icon
            );
        }
    }
}
