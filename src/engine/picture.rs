//! From the decoder's values to pixels in memory, and back.

use super::EngineError;
use super::protocol::Pixels;
use crate::kernels::to_rgba;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// Reads one decoded image `[1, 3, H, W]` in [-1, 1] and the packed bits of its last scale back, together: on the web this
/// is the only wait of a scale.
pub async fn read(image: Tensor<4>, words: Tensor<3, Int>) -> Result<(Pixels, Vec<u32>), EngineError> {
    let [_, _, height, width] = image.dims();
    let pixels: Tensor<1, Int> = to_rgba(image).flatten(0, 1).cast(DType::I32);
    let words: Tensor<1, Int> = words.flatten(0, 2).cast(DType::I32);
    let data = Tensor::cat(vec![pixels, words], 0).into_data_async().await;
    let data = data.map_err(|error| EngineError::DeviceLost(error.to_string()))?;
    let mut values = data.iter::<i32>();
    let rgba = values
        .by_ref()
        .take(height * width)
        .flat_map(i32::to_le_bytes)
        .collect();
    let words = values.map(i32::cast_unsigned).collect();
    Ok((Pixels { width, height, rgba }, words))
}

/// Pixels as the encoder sees them, `[1, 3, H, W]` in [-1, 1]; alpha is left out.
pub fn tensor(image: &Pixels, device: &Device) -> Tensor<4> {
    let colours = image.rgba.chunks(4).flat_map(|pixel| &pixel[..3]);
    let values: Vec<f32> = colours.map(|&level| f32::from(level) / 127.5 - 1.0).collect();
    let data = TensorData::new(values, [1, image.height, image.width, 3]);
    Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
}

/// Peak signal-to-noise ratio of two pictures of one size in decibels, over the colours; infinite where they are equal.
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
