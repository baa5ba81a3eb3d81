//! Tensors as pictures, and grids of pictures.

use super::TrainError;
use crate::model::vae::images;
use burn::tensor::{Device, Tensor};
use image::{Rgb, RgbImage};

/// Pixels between the tiles of a grid.
const GAP: u32 = 2;

/// `[B, 3, H, W]` in [-1, 1] -> one picture a sample; values are truncated as the official code does.
pub fn pictures(images: Tensor<4>) -> Result<Vec<RgbImage>, TrainError> {
    let [b, _, h, w] = images.dims();
    let failed = |error: String| TrainError::Device(error);
    let data = images.try_into_data().map_err(|error| failed(format!("{error:?}")))?;
    let values: Vec<f32> = data.try_to_vec().map_err(|error| failed(format!("{error:?}")))?;
    let value = |i: usize, c: u32, y: u32, x: u32| {
        let value = values[((i * 3 + c as usize) * h + y as usize) * w + x as usize];
        ((value.clamp(-1.0, 1.0) + 1.0) / 2.0 * 255.0) as u8
    };
    let picture = |i| RgbImage::from_fn(w as u32, h as u32, |x, y| Rgb([0, 1, 2].map(|c| value(i, c, y, x))));
    Ok((0..b).map(picture).collect())
}

/// Pictures of one size as the encoder sees them, `[B, 3, H, W]` in [-1, 1].
pub fn tensor(pictures: &[RgbImage], device: &Device) -> Tensor<4> {
    let (width, height) = pictures.first().map_or((0, 0), RgbImage::dimensions);
    let levels = pictures.iter().flat_map(|picture| picture.as_raw());
    images(levels, [pictures.len(), height as usize, width as usize], device)
}

/// Tiles in rows of `columns`, each in a cell of the largest tile's size.
pub fn grid(tiles: &[RgbImage], columns: usize) -> RgbImage {
    let width = tiles.iter().map(RgbImage::width).max().unwrap_or(1) + GAP;
    let height = tiles.iter().map(RgbImage::height).max().unwrap_or(1) + GAP;
    let rows = tiles.len().div_ceil(columns.max(1));
    let size = (columns as u32 * width + GAP, rows as u32 * height + GAP);
    let mut sheet = RgbImage::from_pixel(size.0, size.1, Rgb([255; 3]));
    for (i, tile) in tiles.iter().enumerate() {
        let x = (i % columns) as u32 * width + GAP;
        let y = (i / columns) as u32 * height + GAP;
        image::imageops::replace(&mut sheet, tile, x.into(), y.into());
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_survive_the_way_to_the_device_and_back() {
        let picture =
            |seed: u32| RgbImage::from_fn(3, 2, |x, y| Rgb([0, 1, 2].map(|c| (seed + 40 * x + 90 * y + c) as u8)));
        let shown = [picture(1), picture(100)];
        let tensor = tensor(&shown, &Device::flex());
        assert_eq!(tensor.dims(), [2, 3, 2, 3]);
        // Truncated on the way back, so each level is kept or one lower.
        for (shown, found) in shown.iter().zip(pictures(tensor).unwrap()) {
            let levels = shown.as_raw().iter().zip(found.as_raw());
            assert!(levels.clone().all(|(a, b)| a.abs_diff(*b) <= 1), "{shown:?} {found:?}");
        }
    }
}
