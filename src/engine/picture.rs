//! From the decoder's values to pixels in memory.

use super::EngineError;
use super::protocol::Pixels;
use crate::kernels::to_rgba;
use burn::tensor::Tensor;

/// Reads one decoded image `[1, 3, H, W]` in [-1, 1] back; on the web this is the only wait of a scale.
pub async fn pixels(image: Tensor<4>) -> Result<Pixels, EngineError> {
    let [_, _, height, width] = image.dims();
    let data = to_rgba(image).into_data_async().await;
    let data = data.map_err(|error| EngineError::DeviceLost(error.to_string()))?;
    let rgba = data.iter::<i32>().flat_map(|pixel| pixel.to_le_bytes()).collect();
    Ok(Pixels { width, height, rgba })
}
