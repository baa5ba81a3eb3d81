//! What a cutting shows: the object whose drawing is nearest in EfficientNet-Lite0 features.
//!
//! Every drawing of the bank is a prototype as it comes, and those of the flat style, which prompts about colors ask
//! for, in every color they can be painted in besides: a black strawberry is nearer to other black things than to a
//! red one. Features are compared by the cosine after the mean of all prototypes is taken off, which is what all have
//! in common.

use super::EvalError;
use super::features::{Extractor, cosine};
use crate::data::colour::Colour;
use crate::data::sprites::SpriteBank;
use crate::data::style::Style;
use crate::weights::{Tensors, files, safetensors, shards};
use burn::tensor::TensorData;
use image::{Rgb, RgbImage, Rgba, RgbaImage};
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};

/// Behind prototypes and cuttings: a light gray, on which white things can still be seen.
pub const GROUND: Rgb<u8> = Rgb([224; 3]);
/// Free rim of a prototype in shares of its side, as cuttings have it.
const MARGIN: f32 = 0.06;
/// Drawings between two steps of the progress bar.
const STEP: usize = 16;

/// The prototypes of a bank.
pub struct Prototypes {
    /// Noun of each row.
    nouns: Vec<String>,
    /// Features minus their mean.
    rows: Vec<Vec<f32>>,
    mean: Vec<f32>,
}

impl Prototypes {
    /// Of all drawings, in all styles. The features are kept in a file in the folder `cache`, for two thousand drawings
    /// take a minute.
    pub fn new(bank: &SpriteBank, extractor: &Extractor, cache: &Path, bar: &ProgressBar) -> Result<Self, EvalError> {
        let (mut nouns, mut drawings) = (Vec::new(), Vec::new());
        for subject in &bank.subjects {
            for sprite in &subject.sprites {
                let painted: &[Colour] = if sprite.style == Style::Flat {
                    &sprite.colours
                } else {
                    &[]
                };
                for colour in [None].into_iter().chain(painted.iter().copied().map(Some)) {
                    nouns.push(subject.entry.noun.clone());
                    drawings.push(on_ground(&sprite.painted(colour)));
                }
            }
        }
        let file = cache.join(cache_name(&drawings));
        let rows = match load(&file) {
            Some(rows) if rows.len() == drawings.len() => rows,
            _ => {
                bar.set_length(drawings.len() as u64);
                let mut rows = Vec::with_capacity(drawings.len());
                for some in drawings.chunks(STEP) {
                    rows.extend(extractor.features(some)?);
                    bar.inc(some.len() as u64);
                }
                save(&file, &rows)?;
                rows
            }
        };
        Ok(Self::of(nouns, rows))
    }

    /// From features, one row for each noun.
    fn of(nouns: Vec<String>, mut rows: Vec<Vec<f32>>) -> Self {
        let width = rows.first().map_or(0, Vec::len);
        let mut mean = vec![0.0; width];
        for row in &rows {
            for (sum, value) in mean.iter_mut().zip(row) {
                *sum += value / rows.len() as f32;
            }
        }
        for row in &mut rows {
            *row = without(row, &mean);
        }
        Self { nouns, rows, mean }
    }

    /// The noun of the nearest prototype; none where there are no prototypes.
    pub fn nearest(&self, features: &[f32]) -> Option<&str> {
        let features = without(features, &self.mean);
        let cosines = self.rows.iter().map(|row| cosine(row, &features));
        let (best, _) = cosines.enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(&self.nouns[best])
    }
}

fn without(row: &[f32], mean: &[f32]) -> Vec<f32> {
    row.iter().zip(mean).map(|(value, mean)| value - mean).collect()
}

/// A drawing with a rim, on [`GROUND`].
fn on_ground(sprite: &RgbaImage) -> RgbImage {
    let rim = (MARGIN * sprite.width().max(sprite.height()) as f32).ceil() as u32;
    RgbImage::from_fn(sprite.width() + 2 * rim, sprite.height() + 2 * rim, |x, y| {
        let inside = x.checked_sub(rim).zip(y.checked_sub(rim));
        let pixel = inside.and_then(|(x, y)| sprite.get_pixel_checked(x, y));
        let Rgba([r, g, b, alpha]) = pixel.copied().unwrap_or(Rgba([0; 4]));
        let blend = |over: u8, under: u8| {
            let (over, under, alpha) = (u32::from(over), u32::from(under), u32::from(alpha));
            ((over * alpha + under * (255 - alpha) + 127) / 255) as u8
        };
        let Rgb([gr, gg, gb]) = GROUND;
        Rgb([blend(r, gr), blend(g, gg), blend(b, gb)])
    })
}

/// A name that other drawings would not have.
fn cache_name(drawings: &[RgbImage]) -> PathBuf {
    let bytes: Vec<u8> = drawings
        .iter()
        .flat_map(|drawing| drawing.as_raw().iter().copied())
        .collect();
    format!("prototypes-{}.safetensors", &shards::sha256(&bytes)[..16]).into()
}

/// Name of the only tensor in the cache.
const ROWS: &str = "rows";

/// The rows of a cache; a file that is not there, or no cache, is none.
fn load(path: &Path) -> Option<Vec<Vec<f32>>> {
    let mut file = files::open(path).ok()?;
    let index = file.entries().iter().position(|entry| entry.name == ROWS)?;
    let data = file.read(index).ok()?;
    let width = *data.shape().to_vec().get(1)?;
    let values: Vec<f32> = data.try_to_vec().ok()?;
    Some(values.chunks(width.max(1)).map(<[f32]>::to_vec).collect())
}

fn save(path: &Path, rows: &[Vec<f32>]) -> Result<(), EvalError> {
    let width = rows.first().map_or(0, Vec::len);
    let values: Vec<f32> = rows.concat();
    let tensors = Tensors::from([(ROWS.to_string(), TensorData::new(values, [rows.len(), width]))]);
    let tensors: Vec<_> = tensors.into_iter().collect();
    let bytes = safetensors::write(&tensors).map_err(crate::weights::WeightsError::from)?;
    let failed = |source| EvalError::Cache {
        path: path.to_path_buf(),
        source,
    };
    std::fs::write(path, bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::features::tests::random;

    #[test]
    fn the_nearest_is_found_whatever_all_have_in_common() {
        let rows = vec![vec![10.0, 11.0, 10.0], vec![10.0, 10.0, 12.0], vec![13.0, 10.0, 10.0]];
        let nouns = ["cat", "dog", "bell"].map(String::from).to_vec();
        let prototypes = Prototypes::of(nouns, rows);
        assert_eq!(prototypes.nearest(&[10.1, 10.6, 10.0]), Some("cat"));
        assert_eq!(prototypes.nearest(&[12.0, 10.1, 10.4]), Some("bell"));
    }

    #[test]
    fn drawings_lie_on_the_ground() {
        let sprite = RgbaImage::from_pixel(20, 20, Rgba([200, 0, 0, 128]));
        let picture = on_ground(&sprite);
        assert_eq!(picture.dimensions(), (24, 24));
        assert_eq!(
            (picture.get_pixel(1, 12), picture.get_pixel(12, 23)),
            (&GROUND, &GROUND)
        );
        assert_eq!(picture.get_pixel(12, 12), &Rgb([212, 112, 112]));
    }

    #[test]
    fn prototypes_know_their_own_drawings_and_are_cached() {
        let mut bank = SpriteBank::bundled().unwrap();
        bank.subjects.truncate(3);
        let (extractor, folder) = (random(), tempfile::tempdir().unwrap());
        let make =
            |bank: &SpriteBank| Prototypes::new(bank, &extractor, folder.path(), &ProgressBar::hidden()).unwrap();
        let first = make(&bank);
        for subject in &bank.subjects {
            for sprite in &subject.sprites {
                let row = extractor.features(&[on_ground(sprite.image())]).unwrap().remove(0);
                assert_eq!(first.nearest(&row), Some(subject.entry.noun.as_str()));
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(make(&bank).rows, first.rows);
        bank.subjects.truncate(2);
        Prototypes::new(&bank, &extractor, folder.path(), &ProgressBar::hidden()).unwrap();
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            2,
            "other drawings have a cache of their own"
        );
    }
}
