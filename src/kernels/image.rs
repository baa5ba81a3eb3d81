//! From the decoder's values to pixels, on the GPU, so that a third of the bytes is read back.

use super::runtime::fallbacks::or_count;
use super::runtime::{Shader, allocate_as, gpu_f32};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// Invocations of a workgroup.
const WORKGROUP_SIZE: u32 = 256;

/// One decoded image `[1, 3, H, W]` in [-1, 1] as pixels `[H, W]`: the 32 bits of each are red, green, blue and alpha from the
/// lowest byte up, and alpha is 255. What lies outside the range is cut off.
pub fn to_rgba(image: Tensor<4>) -> Tensor<2, Int> {
    match or_count("image to RGBA", gpu_f32(&image)) {
        Some(planes) => Tensor::from_primitive::<Cube>(launch(&planes)),
        None => reference(image),
    }
}

/// The reference implementation.
fn reference(image: Tensor<4>) -> Tensor<2, Int> {
    /// The highest byte, as the sign of a 32-bit integer has it.
    const ALPHA: i32 = 0xff00_0000_u32 as i32;
    let [_, _, height, width] = image.dims();
    let levels = ((image + 1.0) * 127.5 + 0.5).floor().clamp(0.0, 255.0).int();
    let plane = |i: usize| levels.clone().narrow(1, i, 1).reshape([height, width]);
    plane(0) + plane(1) * 256 + plane(2) * 65536 + ALPHA
}

fn launch(planes: &CubeTensor) -> CubeTensor {
    let (height, width) = (planes.meta.shape()[2], planes.meta.shape()[3]);
    let pixels = allocate_as(planes, [height, width], DType::I32);
    let shader = Shader {
        source: wgsl!("image.wgsl"),
        constants: vec![],
        sizes: vec![("AREA", height * width)],
        workgroup_size: WORKGROUP_SIZE,
    };
    shader.launch_each(height * width, &[planes, &pixels]);
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use burn::tensor::TensorData;

    /// Values from -1.5 to 1.5, and what stands between two levels.
    fn image(height: usize, width: usize) -> TensorData {
        let between = |i: usize| (i % 512) as f32 / 255.0 - 1.0;
        // The upper bits of a Weyl sequence.
        let uniform = |i: usize| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let anywhere = |i: usize| 3.0 * (uniform(i) as f32 / (1 << 24) as f32) - 1.5;
        let value = |i: usize| {
            if i.is_multiple_of(3) {
                between(i / 3)
            } else {
                anywhere(i)
            }
        };
        let values: Vec<f32> = (0..3 * height * width).map(value).collect();
        TensorData::new(values, [1, 3, height, width])
    }

    fn values(pixels: Tensor<2, Int>) -> Vec<i32> {
        pixels.into_data().iter::<i32>().collect()
    }

    #[test]
    fn kernel_and_reference_agree_on_every_bit() {
        for (height, width) in [(1, 1), (16, 16), (33, 7), (128, 192), (1, 300)] {
            let data = image(height, width);
            let [flex, wgpu] = golden::devices().map(|(_, device)| Tensor::from_data(data.clone(), &device));
            let expected = values(reference(flex));
            assert_eq!(values(to_rgba(wgpu.clone())), expected, "{height} x {width}");
            // A view whose rows do not follow each other in memory.
            let swapped = values(to_rgba(wgpu.swap_dims(2, 3)));
            let at = |y: usize, x: usize| expected[y * width + x];
            let transposed: Vec<i32> = (0..width).flat_map(|x| (0..height).map(move |y| at(y, x))).collect();
            assert_eq!(swapped, transposed, "{width} x {height}");
        }
    }

    #[test]
    fn bytes_are_red_green_blue_alpha() {
        for (name, device) in golden::devices() {
            let colours = TensorData::new(vec![-1.0f32, 1.0, 0.0, 2.0, -3.0, 0.5], [1, 3, 1, 2]);
            let found = values(to_rgba(Tensor::from_data(colours, &device)));
            let bytes: Vec<u8> = found.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
            assert_eq!(bytes, [0, 128, 0, 255, 255, 255, 191, 255], "{name}");
        }
    }
}
