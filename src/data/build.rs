//! `infinity data build`: from the pinned icon packages to the sprite bank.
//!
//! Every [`Style`] is one package of drawings, with the licence THIRD_PARTY_LICENSES tells.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use image::{Rgba, RgbaImage};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;
use serde::Deserialize;

use super::colour::Colour;
use super::concepts::{CONCEPTS, Concept};
use super::error::DataError;
use super::recolour::{self, Region};
use super::sprites::{Entry, SPRITE_SIZE, Sprite, SpriteBank, Subject, Synonym};
use super::style::Style;
use crate::weights::shards::sha256;

/// A package's container of drawings.
const ICONS: &str = "package/icons.json";
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

/// Draws the whole bank from `packages`: the archives that `npm pack` fetches [`Style::package`] as, in any order, or
/// folders of them.
pub fn build(packages: &[PathBuf]) -> Result<SpriteBank, DataError> {
    let mut found: BTreeMap<Style, Vec<u8>> = BTreeMap::new();
    for path in packages {
        if path.is_dir() {
            for file in std::fs::read_dir(path).map_err(DataError::io(path))? {
                let file = file.map_err(DataError::io(path))?.path();
                // A folder may hold other packages too.
                if file.extension().is_some_and(|extension| extension == "tgz")
                    && let Some(json) = container(&file)?
                    && let Ok(style) = style_of(&json)
                {
                    found.insert(style, json);
                }
            }
        } else {
            let json = container(path)?.ok_or_else(|| DataError::BadPackage {
                path: path.clone(),
                reason: format!("it has no file `{ICONS}`"),
            })?;
            let style = style_of(&json).map_err(|hash| DataError::WrongPackage {
                path: path.clone(),
                found: hash,
            })?;
            found.insert(style, json);
        }
    }
    if let Some(missing) = Style::ALL.into_iter().find(|style| !found.contains_key(style)) {
        return Err(DataError::MissingPackage {
            package: missing.package().name,
        });
    }
    let packages: Vec<(Style, &[u8])> = found.iter().map(|(&style, json)| (style, json.as_slice())).collect();
    draw(&packages, CONCEPTS)
}

/// The style whose drawings these are, or their SHA-256 where they are no one's.
fn style_of(json: &[u8]) -> Result<Style, String> {
    let hash = sha256(json);
    let known = Style::ALL.into_iter().find(|style| style.package().sha256 == hash);
    known.ok_or(hash)
}

/// The bytes of the container in the archive at `path`, if there is one.
fn container(path: &Path) -> Result<Option<Vec<u8>>, DataError> {
    let archive = File::open(path).map_err(DataError::io(path))?;
    icons(archive).map_err(|error| DataError::BadPackage {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// The bytes of the container in a gzipped tar archive, if there is one.
fn icons(archive: impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for file in archive.entries()? {
        let mut file = file?;
        if file.path()?.as_ref() == Path::new(ICONS) {
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
    })
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
        // In a folder, other packages are passed over; then all four are missing.
        let error = build(&[dir.path().to_owned()]).map(|_| ()).unwrap_err();
        let DataError::MissingPackage { package } = error else {
            panic!("{error}");
        };
        assert_eq!(package, Style::Flat.package().name);
    }
}
