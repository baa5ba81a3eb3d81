//! A folder of one's own images with captions.
//!
//! The caption of `apple.png` (or `.jpg`, `.jpeg`) is what `apple.txt` beside it says. Where there is a
//! `metadata.jsonl`, as data sets on Hugging Face have it, its lines `{"file_name": "apple.png", "text": "an apple"}`
//! name the images and the captions instead, and images it leaves out are not used.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Rgb, RgbImage};
use serde::Deserialize;

use super::error::DataError;
use super::pictures::{fitted, place};
use super::source::{Sample, Source};

const METADATA: &str = "metadata.jsonl";
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The images of a folder. Only the list is held; a sample is read when it is asked for.
pub struct Folder {
    /// Files with their captions, by the alphabet.
    images: Vec<(PathBuf, String)>,
}

#[derive(Deserialize)]
struct Line {
    file_name: String,
    text: String,
}

impl Folder {
    /// Lists the images and reads their captions; what is in an image file shows only when it is drawn.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let metadata = path.join(METADATA);
        let mut images = if metadata.is_file() {
            from_metadata(path, &metadata)?
        } else {
            from_text_files(path)?
        };
        if images.is_empty() {
            return Err(DataError::NoImages { path: path.to_owned() });
        }
        // A directory is listed in any order.
        images.sort();
        Ok(Self { images })
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }
}

impl Source for Folder {
    fn sample(&self, seed: u64, index: u64, height: usize, width: usize) -> Result<Sample, DataError> {
        let (path, caption) = &self.images[place(self.images.len(), seed, index)];
        let image = read(path).map_err(|source| DataError::BadImage {
            path: path.clone(),
            source,
        })?;
        Ok(Sample {
            image: fitted(&image, height as u32, width as u32),
            caption: caption.clone(),
            truth: None,
        })
    }

    fn captions(&self) -> Result<Vec<String>, DataError> {
        Ok(self.images.iter().map(|(_, caption)| caption.clone()).collect())
    }
}

fn from_metadata(folder: &Path, metadata: &Path) -> Result<Vec<(PathBuf, String)>, DataError> {
    let text = std::fs::read_to_string(metadata).map_err(DataError::io(metadata))?;
    let mut images = Vec::new();
    let mut seen = HashSet::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let bad = |reason: String| DataError::BadMetadata {
            path: metadata.to_owned(),
            line: number + 1,
            reason,
        };
        let line: Line = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        let path = folder.join(&line.file_name);
        if !path.is_file() {
            return Err(bad(format!("there is no file `{}`", line.file_name)));
        }
        if !seen.insert(path.clone()) {
            return Err(bad(format!("`{}` was named before", line.file_name)));
        }
        images.push(captioned(path, &line.text)?);
    }
    Ok(images)
}

fn from_text_files(folder: &Path) -> Result<Vec<(PathBuf, String)>, DataError> {
    let mut images = Vec::new();
    for file in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let path = file.map_err(DataError::io(folder))?.path();
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        if !EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)) {
            continue;
        }
        let beside = path.with_extension("txt");
        if !beside.is_file() {
            return Err(DataError::NoCaption { path });
        }
        let text = std::fs::read_to_string(&beside).map_err(DataError::io(&beside))?;
        images.push(captioned(path, &text)?);
    }
    Ok(images)
}

/// A caption is one line that is not empty.
fn captioned(path: PathBuf, text: &str) -> Result<(PathBuf, String), DataError> {
    let caption = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match caption.is_empty() {
        true => Err(DataError::NoCaption { path }),
        false => Ok((path, caption)),
    }
}

/// The image as one sees it: turned as the camera noted, on white where it is transparent.
fn read(path: &Path) -> Result<RgbImage, ImageError> {
    let mut decoder = ImageReader::open(path)?.with_guessed_format()?.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    if !image.color().has_alpha() {
        return Ok(image.into_rgb8());
    }
    let image = image.into_rgba8();
    Ok(RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [r, g, b, alpha] = image.get_pixel(x, y).0.map(u32::from);
        Rgb([r, g, b].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;
    use std::fs;

    const RED: Rgb<u8> = Rgb([200, 0, 0]);
    const BLUE: Rgb<u8> = Rgb([0, 0, 200]);

    /// A wide picture: its middle square is red, what lies left and right of it blue.
    fn picture() -> RgbImage {
        RgbImage::from_fn(60, 20, |x, _| if (20..40).contains(&x) { RED } else { BLUE })
    }

    fn open(dir: &Path) -> Result<(), DataError> {
        Folder::open(dir).map(|_| ())
    }

    #[test]
    fn an_image_comes_with_the_text_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        picture().save(dir.path().join("one.png")).unwrap();
        fs::write(dir.path().join("one.txt"), "a red\n square \n").unwrap();
        fs::write(dir.path().join("notes.md"), "not an image").unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let sample = folder.sample(1, 0, 16, 16).unwrap();
        assert_eq!(
            (folder.len(), sample.caption.as_str(), sample.truth),
            (1, "a red square", None)
        );
        assert_eq!(sample.image.dimensions(), (16, 16));
        assert!(sample.image.pixels().all(|&pixel| pixel == RED), "the middle is kept");
        let wide = folder.sample(1, 0, 10, 30).unwrap().image;
        assert_eq!(
            (wide.dimensions(), *wide.get_pixel(1, 5)),
            ((30, 10), BLUE),
            "nothing is cut off"
        );
        let tall = folder.sample(1, 0, 30, 10).unwrap().image;
        assert!(tall.dimensions() == (10, 30) && tall.pixels().all(|&pixel| pixel == RED));
    }

    #[test]
    fn metadata_names_images_and_captions() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("deep")).unwrap();
        picture().save(dir.path().join("deep/one.JPG")).unwrap();
        picture().save(dir.path().join("left out.png")).unwrap();
        let lines = "{\"file_name\": \"deep/one.JPG\", \"text\": \"a square\", \"score\": 3}\n\n";
        fs::write(dir.path().join(METADATA), lines).unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let sample = folder.sample(1, 5, 16, 16).unwrap();
        assert_eq!((folder.len(), sample.caption.as_str()), (1, "a square"));
        let [r, g, b] = sample.image.get_pixel(8, 8).0;
        assert!(r > 190 && g < 20 && b < 20, "{r} {g} {b}");
    }

    #[test]
    fn transparent_parts_are_white() {
        let dir = tempfile::tempdir().unwrap();
        let clear = image::RgbaImage::from_pixel(8, 8, Rgba([0, 0, 0, 0]));
        clear.save(dir.path().join("clear.png")).unwrap();
        fs::write(dir.path().join("clear.txt"), "nothing").unwrap();
        let sample = Folder::open(dir.path()).unwrap().sample(1, 0, 16, 16).unwrap();
        assert!(sample.image.pixels().all(|pixel| pixel.0 == [255; 3]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert!(matches!(open(&at("missing")), Err(DataError::Io { .. })));
        assert!(matches!(open(dir.path()), Err(DataError::NoImages { .. })));
        fs::write(at("one.png"), "no image").unwrap();
        assert!(matches!(open(dir.path()), Err(DataError::NoCaption { path }) if path == at("one.png")));
        fs::write(at("one.txt"), " \n").unwrap();
        assert!(
            matches!(open(dir.path()), Err(DataError::NoCaption { .. })),
            "an empty caption is none"
        );
        fs::write(at("one.txt"), "an apple").unwrap();
        let error = Folder::open(dir.path()).unwrap().sample(1, 0, 16, 16).unwrap_err();
        assert!(matches!(error, DataError::BadImage { path, .. } if path == at("one.png")));

        for (lines, expected) in [
            ("\n", None),
            ("{\"file_name\": \"one.png\"}", Some((1, "text"))),
            ("\n{\"file_name\": \"two.png\", \"text\": \"\"}", Some((2, "two.png"))),
            (
                "{\"file_name\": \"one.png\", \"text\": \"a\"}\n{\"file_name\": \"one.png\", \"text\": \"b\"}",
                Some((2, "before")),
            ),
        ] {
            fs::write(at(METADATA), lines).unwrap();
            match (open(dir.path()), expected) {
                (Err(DataError::NoImages { .. }), None) => {}
                (Err(DataError::BadMetadata { line, reason, .. }), Some((number, word))) => {
                    assert!(line == number && reason.contains(word), "{line}: {reason}");
                }
                (found, _) => panic!("{lines}: {found:?}"),
            }
        }
        fs::write(at(METADATA), "{\"file_name\": \"one.png\", \"text\": \" \"}").unwrap();
        assert!(matches!(open(dir.path()), Err(DataError::NoCaption { .. })));
    }
}
