//! From the decoder's values to pixels.

use super::EngineError;
use super::protocol::Pixels;
use burn::tensor::Tensor;

/// Reads one decoded image `[1, 3, H, W]` in [-1, 1] back; on the web this is the only wait of a scale.
pub async fn pixels(image: Tensor<4>) -> Result<Pixels, EngineError> {
    let [_, _, height, width] = image.dims();
    let data = image.into_data_async().await;
    let data = data.map_err(|error| EngineError::DeviceLost(error.to_string()))?;
    let planes: Vec<u8> = data.iter::<f32>().map(level).collect();
    let area = height * width;
    let rgba = (0..area)
        .flat_map(|i| [planes[i], planes[area + i], planes[2 * area + i], u8::MAX])
        .collect();
    Ok(Pixels { width, height, rgba })
}

/// [-1, 1] -> 0 ..= 255; what lies outside is cut off.
fn level(value: f32) -> u8 {
    ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn planes_become_pixels() {
        let values = vec![-1.0f32, 1.0, 0.0, 2.0, -3.0, 0.5];
        let image = Tensor::from_data(TensorData::new(values, [1, 3, 1, 2]), &Device::flex());
        let found = pollster::block_on(pixels(image)).unwrap();
        assert_eq!((found.width, found.height), (2, 1));
        assert_eq!(found.rgba, [0, 128, 0, 255, 255, 255, 191, 255]);
    }
}
