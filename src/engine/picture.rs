//! Decoded tensors to pixels in memory, and back.

use super::EngineError;
use super::protocol::{Pixels, Residual};
use crate::kernels::to_rgba;
use crate::model::vae::images;
use burn::tensor::{DType, Device, Int, Tensor};

/// Reads one decoded image `[1, 3, H, W]` in [-1, 1] and the packed bits of its last scale back, together: in a
/// browser this is the only wait of a scale.
pub async fn read(image: Tensor<4>, words: Tensor<3, Int>) -> Result<(Pixels, Vec<u32>), EngineError> {
    let [_, _, height, width] = image.dims();
    let words = words.flatten(0, 2);
    let [pixels, words] = together([to_rgba(image).flatten(0, 1), words]).await?;
    Ok((pixels_of(width, height, pixels), unsigned(words)))
}

/// The same, and what the scale's code added to the running sum, `[1, d, H, W]`.
pub async fn read_with_residual(
    image: Tensor<4>,
    words: Tensor<3, Int>,
    added: Tensor<4>,
) -> Result<(Pixels, Vec<u32>, Residual), EngineError> {
    let [_, _, height, width] = image.dims();
    let [_, d, rows, columns] = added.dims();
    // A component of a code is 1/sqrt(d) or its negative, and resizing leaves what it makes of them between the two.
    let levels = (added * (127.0 * (d as f64).sqrt())).round().clamp(-127.0, 127.0);
    let levels: Tensor<1, Int> = levels.int().flatten(0, 3);
    let words = words.flatten(0, 2);
    let [pixels, words, levels] = together([to_rgba(image).flatten(0, 1), words, levels]).await?;
    let residual = Residual {
        height: rows,
        width: columns,
        levels: levels.into_iter().map(|level| level as u8).collect(),
    };
    Ok((pixels_of(width, height, pixels), unsigned(words), residual))
}

/// Reads several tensors in one transfer.
async fn together<const N: usize>(tensors: [Tensor<1, Int>; N]) -> Result<[Vec<i32>; N], EngineError> {
    let lengths = tensors.each_ref().map(|tensor| tensor.dims()[0]);
    let tensors = tensors.into_iter().map(|tensor| tensor.cast(DType::I32)).collect();
    let data = Tensor::cat(tensors, 0).into_data_async().await;
    let data = data.map_err(|error| EngineError::DeviceLost(error.to_string()))?;
    let mut values = data.iter::<i32>();
    Ok(lengths.map(|length| values.by_ref().take(length).collect()))
}

fn pixels_of(width: usize, height: usize, values: Vec<i32>) -> Pixels {
    let rgba = values.into_iter().flat_map(i32::to_le_bytes).collect();
    Pixels { width, height, rgba }
}

fn unsigned(words: Vec<i32>) -> Vec<u32> {
    words.into_iter().map(i32::cast_unsigned).collect()
}

/// Pixels as the encoder sees them, `[1, 3, H, W]` in [-1, 1]; alpha is left out.
pub fn tensor(image: &Pixels, device: &Device) -> Tensor<4> {
    let colours = image.rgba.chunks(4).flat_map(|pixel| &pixel[..3]);
    images(colours, [1, image.height, image.width], device)
}

/// Peak signal-to-noise ratio of two pictures of one size in decibels, over the colors; infinite where they are equal.
pub fn psnr(a: &Pixels, b: &Pixels) -> f64 {
    let pairs = a.rgba.iter().zip(&b.rgba).enumerate().filter(|(i, _)| i % 4 != 3);
    let squares = pairs.map(|(_, (a, b))| f64::from(a.abs_diff(*b)).powi(2));
    let (sum, count) = squares.fold((0.0, 0.0), |(sum, count), square| (sum + square, count + 1.0));
    10.0 * (255.0 * 255.0 * count / sum).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(level: u8, alpha: u8) -> Pixels {
        Pixels {
            width: 2,
            height: 1,
            rgba: [level, level, level, alpha].repeat(2),
        }
    }

    #[test]
    fn psnr_is_of_colours_in_decibels() {
        assert_eq!(psnr(&gray(7, 0), &gray(7, 255)), f64::INFINITY);
        assert_eq!(psnr(&gray(0, 255), &gray(255, 255)), 0.0);
        assert!((psnr(&gray(100, 255), &gray(110, 255)) - 28.13).abs() < 0.01);
    }

    #[test]
    fn pixels_survive_the_way_to_the_device_and_back() {
        let device = Device::flex();
        let rgba: Vec<u8> = (0..2 * 3u8).flat_map(|i| [i * 40, 255 - i, i, 255]).collect();
        let image = Pixels {
            width: 3,
            height: 2,
            rgba,
        };
        let words = Tensor::<3, Int>::from_data([[[i32::MIN, 7]]], &device);
        let (back, words) = pollster::block_on(read(tensor(&image, &device), words)).unwrap();
        assert_eq!((back, words), (image, vec![1 << 31, 7]));
    }
}
