//! `infinity data build`: from the pinned icon packages to the sprite bank.
//!
//! Every [`Style`] is one package of drawings, and the letters come from one package of a font, with the licences that
//! THIRD_PARTY_LICENSES tells.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::bufread::ZlibDecoder;
use image::{Rgba, RgbaImage};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;
use serde::Deserialize;

use super::colour::Colour;
use super::concepts::{CONCEPTS, Concept};
use super::error::DataError;
use super::recolour::{self, Region};
use super::sprites::{Entry, Letter, SPRITE_SIZE, Sprite, SpriteBank, Subject, Synonym};
use super::style::{FONT_PACKAGE, Style};
use crate::weights::shards::sha256;

/// A package's container of drawings.
const ICONS: &str = "package/icons.json";
/// A package's font.
const FONT: &str = "package/files/fredoka-latin-600-normal.woff";
/// A recoloured object must change at least this share of itself, or its colour is not what one sees first.
pub const LEAST_COVER: f32 = 0.5;

/// Side of the drawing whose outline tells how far the content reaches.
const PROBE: u32 = 512;
/// Empty pixels around the content, so that resampling has something to fade into.
const MARGIN: f32 = 1.0;

/// Iconify's container: bodies of SVG files on a common square.
#[derive(Deserialize)]
struct Icons {
    icons: BTreeMap<String, Icon>,
    width: f32,
    height: f32,
}

#[derive(Deserialize)]
struct Icon {
    body: String,
}

/// What an archive is good for.
enum Content {
    Drawings(Style, Vec<u8>),
    Font(Vec<u8>),
}

/// Draws the whole bank from `packages`: the archives that `npm pack` fetches [`Style::package`] and [`FONT_PACKAGE`] as,
/// in any order, or folders of them.
pub fn build(packages: &[PathBuf]) -> Result<SpriteBank, DataError> {
    let (mut found, mut font) = (BTreeMap::new(), None);
    let mut keep = |content: Content| match content {
        Content::Drawings(style, json) => {
            found.insert(style, json);
        }
        Content::Font(woff) => font = Some(woff),
    };
    for path in packages {
        if path.is_dir() {
            for file in std::fs::read_dir(path).map_err(DataError::io(path))? {
                let file = file.map_err(DataError::io(path))?.path();
                // A folder may hold other packages too.
                if file.extension().is_some_and(|extension| extension == "tgz")
                    && let Some(bytes) = container(&file)?
                    && let Ok(content) = content_of(bytes)
                {
                    keep(content);
                }
            }
        } else {
            let bytes = container(path)?.ok_or_else(|| DataError::BadPackage {
                path: path.clone(),
                reason: format!("it has no file `{ICONS}` or `{FONT}`"),
            })?;
            keep(content_of(bytes).map_err(|hash| DataError::WrongPackage {
                path: path.clone(),
                found: hash,
            })?);
        }
    }
    if let Some(missing) = Style::ALL.into_iter().find(|style| !found.contains_key(style)) {
        return Err(DataError::MissingPackage {
            package: missing.package().name,
        });
    }
    let font = font.ok_or(DataError::MissingPackage {
        package: FONT_PACKAGE.name,
    })?;
    let packages: Vec<(Style, &[u8])> = found.iter().map(|(&style, json)| (style, json.as_slice())).collect();
    let mut bank = draw(&packages, CONCEPTS)?;
    bank.letters = letters(&font)?;
    bank.sources.push(FONT_PACKAGE.name.to_owned());
    Ok(bank)
}

/// What a file is, or its SHA-256 where it is in no pinned package.
fn content_of(bytes: Vec<u8>) -> Result<Content, String> {
    let hash = sha256(&bytes);
    if hash == FONT_PACKAGE.sha256 {
        return Ok(Content::Font(bytes));
    }
    match Style::ALL.into_iter().find(|style| style.package().sha256 == hash) {
        Some(style) => Ok(Content::Drawings(style, bytes)),
        None => Err(hash),
    }
}

/// The bytes of the container or font in the archive at `path`, if there is one.
fn container(path: &Path) -> Result<Option<Vec<u8>>, DataError> {
    let archive = File::open(path).map_err(DataError::io(path))?;
    icons(archive).map_err(|error| DataError::BadPackage {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// The bytes of the container or font in a gzipped tar archive, if there is one.
fn icons(archive: impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for file in archive.entries()? {
        let mut file = file?;
        if [ICONS, FONT]
            .iter()
            .any(|name| file.path().is_ok_and(|path| path.as_ref() == Path::new(name)))
        {
            let mut json = Vec::new();
            file.read_to_end(&mut json)?;
            return Ok(Some(json));
        }
    }
    Ok(None)
}

/// Draws `concepts` from the texts of Iconify containers.
pub(crate) fn draw(packages: &[(Style, &[u8])], concepts: &[Concept]) -> Result<SpriteBank, DataError> {
    let mut subjects: Vec<Subject> = concepts.iter().map(subject).collect();
    for &(style, json) in packages {
        let icons: Icons = serde_json::from_slice(json).map_err(|error| bad_drawings(style, error.to_string()))?;
        for (concept, subject) in concepts.iter().zip(&mut subjects) {
            if let Some(name) = concept.icon(style) {
                subject.sprites.push(sprite(&icons, name, style, concept.fixed)?);
            }
        }
    }
    let sources = packages.iter().map(|(style, _)| style.package().name.to_owned());
    Ok(SpriteBank {
        sources: sources.collect(),
        subjects,
        letters: Vec::new(),
    })
}

/// Draws the capital letters and the digits of a font.
fn letters(woff: &[u8]) -> Result<Vec<Letter>, DataError> {
    let bad = |reason: String| DataError::BadDrawings {
        package: FONT_PACKAGE.name,
        reason,
    };
    let tables = woff_tables(woff).ok_or_else(|| bad("it is no font in WOFF".to_owned()))?;
    let table = |name: &[u8; 4]| tables.get(name).map(Vec::as_slice);
    let raw = ttf_parser::RawFaceTables {
        head: table(b"head").unwrap_or_default(),
        hhea: table(b"hhea").unwrap_or_default(),
        maxp: table(b"maxp").unwrap_or_default(),
        hmtx: table(b"hmtx"),
        loca: table(b"loca"),
        glyf: table(b"glyf"),
        cmap: table(b"cmap"),
        ..Default::default()
    };
    let face = ttf_parser::Face::from_raw_tables(raw).map_err(|error| bad(error.to_string()))?;
    let em = f32::from(face.units_per_em());
    ('A'..='Z')
        .chain('0'..='9')
        .map(|sign| {
            let missing = || bad(format!("it has no `{sign}`"));
            let glyph = face.glyph_index(sign).ok_or_else(missing)?;
            let mut path = SvgPath(String::new());
            let ink = face.outline_glyph(glyph, &mut path).ok_or_else(missing)?;
            let [left, right, top, bottom] = [ink.x_min, ink.x_max, -ink.y_max, -ink.y_min].map(|v| f32::from(v) / em);
            let half = [(right - left) / 2.0, (bottom - top) / 2.0];
            // The square begins an em above the line and left of the pen, and reaches as far the other way.
            let svg = format!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="{low} {low} {side} {side}" width="{side}" height="{side}"><path d="{path}"/></svg>"#,
                low = -em,
                side = 2.0 * em,
                path = path.0
            );
            Ok(Letter {
                sign,
                advance: f32::from(face.glyph_hor_advance(glyph).ok_or_else(missing)?) / em,
                centre: [left + half[0], top + half[1]],
                half,
                side: 2.0 * half[0].max(half[1]) * SPRITE_SIZE as f32 / (SPRITE_SIZE as f32 - 2.0 * MARGIN),
                image: rasterise(&svg).map_err(bad)?,
            })
        })
        .collect()
}

/// The tables of a font in WOFF 1.0 (W3C Recommendation of 2012): a header of 44 bytes, then a directory of 20 bytes a
/// table, each of which may be compressed with zlib.
fn woff_tables(woff: &[u8]) -> Option<BTreeMap<[u8; 4], Vec<u8>>> {
    let number = |at: usize| Some(u32::from_be_bytes(woff.get(at..at + 4)?.try_into().ok()?) as usize);
    if !woff.starts_with(b"wOFF") {
        return None;
    }
    let count = number(12)? >> 16;
    let mut tables = BTreeMap::new();
    for entry in (0..count).map(|index| 44 + 20 * index) {
        let tag: [u8; 4] = woff.get(entry..entry + 4)?.try_into().ok()?;
        let (offset, packed, length) = (number(entry + 4)?, number(entry + 8)?, number(entry + 12)?);
        let bytes = woff.get(offset..offset.checked_add(packed)?)?;
        let mut table = Vec::with_capacity(length);
        if packed < length {
            ZlibDecoder::new(bytes).read_to_end(&mut table).ok()?;
        } else {
            table.extend(bytes);
        }
        (table.len() == length).then(|| tables.insert(tag, table))?;
    }
    Some(tables)
}

/// An outline as the `d` of an SVG path, whose y axis points down.
struct SvgPath(String);

impl SvgPath {
    /// Writing to a string cannot fail.
    fn add(&mut self, text: std::fmt::Arguments) {
        let _ = self.0.write_fmt(text);
    }
}

impl ttf_parser::OutlineBuilder for SvgPath {
    fn move_to(&mut self, x: f32, y: f32) {
        self.add(format_args!("M{x} {}", -y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.add(format_args!("L{x} {}", -y));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.add(format_args!("Q{x1} {} {x} {}", -y1, -y));
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.add(format_args!("C{x1} {} {x2} {} {x} {}", -y1, -y2, -y));
    }

    fn close(&mut self) {
        self.0.push('Z');
    }
}

fn bad_drawings(style: Style, reason: String) -> DataError {
    DataError::BadDrawings {
        package: style.package().name,
        reason,
    }
}

/// The concept with no drawing yet.
fn subject(concept: &Concept) -> Subject {
    let synonym = |&(noun, plural): &(&str, &str)| Synonym {
        noun: noun.to_owned(),
        plural: plural.to_owned(),
    };
    Subject {
        entry: Entry {
            noun: concept.noun.to_owned(),
            article: concept.article.to_owned(),
            plural: concept.plural.to_owned(),
            synonyms: concept.synonyms.iter().map(synonym).collect(),
        },
        sprites: Vec::new(),
    }
}

fn sprite(icons: &Icons, name: &str, style: Style, fixed: bool) -> Result<Sprite, DataError> {
    let icon = (icons.icons.get(name)).ok_or_else(|| bad_drawings(style, format!("it has no icon `{name}`")))?;
    let svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {w} {h}" width="{w}" height="{h}">{body}</svg>"#,
        w = icons.width,
        h = icons.height,
        body = icon.body
    );
    let image = rasterise(&svg).map_err(|reason| DataError::BadIcon {
        icon: name.to_owned(),
        reason,
    })?;
    // Three digits are far below what an eye sees, and far above where machines differ.
    let region = Region::of(&image).map(Region::rounded);
    let paintable = region.filter(|region| region.cover >= LEAST_COVER);
    let (main, share) = recolour::main_colour(&image);
    Ok(Sprite {
        style,
        icon: name.to_owned(),
        main: paintable.map_or(main, |region| Colour::of_object(region.mean)),
        plain: paintable.is_some() || share >= LEAST_COVER,
        colours: match paintable {
            Some(_) if !fixed => Colour::OBJECTS.to_vec(),
            _ => Vec::new(),
        },
        region,
        image,
    })
}

/// Draws an SVG file so that its content fills a [`SPRITE_SIZE`] square, centred.
fn rasterise(svg: &str) -> Result<RgbaImage, String> {
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default()).map_err(|e| e.to_string())?;
    let scale = PROBE as f32 / tree.size().width().max(tree.size().height());
    let probe = render(&tree, PROBE, Transform::from_scale(scale, scale))?;
    let (mut low, mut high) = ([PROBE; 2], [0; 2]);
    for (x, y, pixel) in probe.enumerate_pixels() {
        if pixel.0[3] > 8 {
            low = [low[0].min(x), low[1].min(y)];
            high = [high[0].max(x + 1), high[1].max(y + 1)];
        }
    }
    if low[0] >= high[0] {
        return Err("it is empty".to_owned());
    }
    let extent = (high[0] - low[0]).max(high[1] - low[1]) as f32;
    let zoom = (SPRITE_SIZE as f32 - 2.0 * MARGIN) / extent;
    let middle = |axis: usize| (low[axis] + high[axis]) as f32 / 2.0;
    let centre = SPRITE_SIZE as f32 / 2.0;
    let place = Transform::from_row(
        scale * zoom,
        0.0,
        0.0,
        scale * zoom,
        centre - middle(0) * zoom,
        centre - middle(1) * zoom,
    );
    render(&tree, SPRITE_SIZE, place)
}

/// One rendering; resvg's pixels are premultiplied, ours are not.
fn render(tree: &usvg::Tree, side: u32, place: Transform) -> Result<RgbaImage, String> {
    let mut pixmap = Pixmap::new(side, side).ok_or("no memory for the drawing")?;
    resvg::render(tree, place, &mut pixmap.as_mut());
    Ok(RgbaImage::from_fn(side, side, |x, y| {
        let colour = pixmap.pixels()[(y * side + x) as usize].demultiply();
        Rgba([colour.red(), colour.green(), colour.blue(), colour.alpha()])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    const CONCEPT: Concept = Concept {
        icon: "dot",
        emoji: "•",
        noun: "dot",
        article: "a",
        plural: "dots",
        synonyms: &[],
        fixed: false,
        without: &[Style::Simple],
    };

    /// The flat drawing only.
    fn drawn(json: &[u8]) -> Result<SpriteBank, DataError> {
        draw(&[(Style::Flat, json)], &[CONCEPT])
    }

    fn package(body: &str) -> Vec<u8> {
        serde_json::json!({ "icons": { "dot": { "body": body } }, "width": 32, "height": 32 })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn a_drawing_is_trimmed_centred_and_repeatable() {
        let json = package(r##"<path fill="#e02020" d="M4 6h12v6h-12z"/>"##);
        let bank = drawn(&json).unwrap();
        let sprite = &bank.subjects[0].sprites[0];
        assert_eq!(sprite.image.dimensions(), (SPRITE_SIZE, SPRITE_SIZE));
        let opaque = |x, y| sprite.image.get_pixel(x, y).0[3] == 255;
        let (end, middle) = (SPRITE_SIZE - 1, SPRITE_SIZE / 2);
        assert!(
            opaque(2, middle) && opaque(end - 2, middle),
            "the longer axis fills the square"
        );
        assert!(
            opaque(middle, 34) && opaque(middle, end - 34),
            "the shorter axis is half as long"
        );
        assert!(!opaque(middle, 30) && !opaque(middle, end - 30));
        assert_eq!(sprite.image.get_pixel(middle, middle).0, [0xe0, 0x20, 0x20, 255]);
        assert_eq!(sprite.natural(), Some(Colour::Red));
        assert_eq!(sprite.colours, Colour::OBJECTS);
        assert_eq!(bank.to_bytes().unwrap(), drawn(&json).unwrap().to_bytes().unwrap());
    }

    #[test]
    fn half_transparent_paint_keeps_its_colour() {
        let json = package(r##"<path fill="#20e020" fill-opacity=".5" d="M4 4h20v20h-20z"/>"##);
        let bank = drawn(&json).unwrap();
        let [r, g, b, alpha] = bank.subjects[0].sprites[0].image.get_pixel(64, 64).0;
        assert!(alpha.abs_diff(128) <= 1 && r.abs_diff(0x20) <= 2 && g.abs_diff(0xe0) <= 2 && b.abs_diff(0x20) <= 2);
    }

    #[test]
    fn gray_and_fixed_drawings_keep_their_colours() {
        let json = package(r##"<path fill="#888" d="M2 2h28v28h-28z"/><path fill="#e02020" d="M4 4h12v12h-12z"/>"##);
        let bank = drawn(&json).unwrap();
        let sprite = &bank.subjects[0].sprites[0];
        assert!(sprite.colours.is_empty());
        assert_eq!(sprite.natural(), Some(Colour::Gray));
        let json = package(r##"<path fill="#888" d="M2 2h28v28h-28z"/>"##);
        let bank = drawn(&json).unwrap();
        let sprite = &bank.subjects[0].sprites[0];
        assert!(sprite.region.is_none() && sprite.colours.is_empty());
        assert_eq!(sprite.painted(Some(Colour::Red)), sprite.image);
        let json = package(r##"<path fill="#e02020" d="M4 6h12v6h-12z"/>"##);
        let fixed = Concept { fixed: true, ..CONCEPT };
        let bank = draw(&[(Style::Flat, &json)], &[fixed]).unwrap();
        let sprite = &bank.subjects[0].sprites[0];
        assert!(sprite.colours.is_empty());
        assert_eq!(sprite.natural(), Some(Colour::Red));
    }

    #[test]
    fn a_style_may_lack_a_drawing() {
        let json = package(r##"<path fill="#e02020" d="M4 6h12v6h-12z"/>"##);
        let bank = draw(&[(Style::Glossy, &json), (Style::Simple, &json)], &[CONCEPT]).unwrap();
        let styles: Vec<Style> = bank.subjects[0].sprites.iter().map(|sprite| sprite.style).collect();
        assert_eq!(styles, [Style::Glossy]);
        assert_eq!(
            bank.sources,
            [Style::Glossy.package().name, Style::Simple.package().name]
        );
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let error = |json: &[u8]| drawn(json).map(|_| ()).unwrap_err();
        assert!(matches!(error(b"{}"), DataError::BadDrawings { .. }));
        let empty = br#"{"icons": {}, "width": 32, "height": 32}"#;
        assert!(matches!(error(empty), DataError::BadDrawings { reason, .. } if reason.contains("`dot`")));
        assert!(matches!(error(&package("")), DataError::BadIcon { icon, .. } if icon == "dot"));
        assert!(matches!(error(&package("<path")), DataError::BadIcon { .. }));
    }

    /// A gzipped tar archive of one file.
    fn archive(name: &str, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        tar.append_data(&mut header, name, content).unwrap();
        tar.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn the_container_is_found_in_the_archive() {
        let found = |name| icons(archive(name, b"drawings").as_slice()).unwrap();
        assert_eq!(found(ICONS).unwrap(), b"drawings");
        assert_eq!(found("package/chars.json"), None);
    }

    #[test]
    fn another_package_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("package.tgz");
        let error = || build(std::slice::from_ref(&path)).map(|_| ()).unwrap_err();
        assert!(matches!(error(), DataError::Io { .. }), "no such file");
        std::fs::write(&path, "no archive").unwrap();
        assert!(matches!(error(), DataError::BadPackage { .. }), "{}", error());
        std::fs::write(&path, archive("package/index.js", b"")).unwrap();
        assert!(matches!(error(), DataError::BadPackage { .. }), "{}", error());
        std::fs::write(&path, archive(ICONS, b"{}")).unwrap();
        assert!(matches!(error(), DataError::WrongPackage { .. }), "{}", error());
        // In a folder, other packages are passed over; then all are missing.
        let error = build(&[dir.path().to_owned()]).map(|_| ()).unwrap_err();
        let DataError::MissingPackage { package } = error else {
            panic!("{error}");
        };
        assert_eq!(package, Style::Flat.package().name);
    }
}
