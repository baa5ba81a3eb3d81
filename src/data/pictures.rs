//! A handful of captioned pictures in memory: what a visitor of the page trains on.

use image::imageops::FilterType;
use image::{RgbImage, imageops};

use super::error::DataError;
use super::rng::Rng;
use super::source::{Sample, Source};

/// Pictures with their captions, in the order they were given.
pub struct Pictures(Vec<(RgbImage, String)>);

impl Pictures {
    pub fn new(pictures: Vec<(RgbImage, String)>) -> Self {
        Self(pictures)
    }
}

impl Source for Pictures {
    fn sample(&self, seed: u64, index: u64, height: usize, width: usize) -> Result<Sample, DataError> {
        let (image, caption) = match self.0.is_empty() {
            true => return Err(DataError::NoPictures),
            false => &self.0[place(self.0.len(), seed, index)],
        };
        Ok(Sample {
            image: fitted(image, height as u32, width as u32),
            caption: caption.clone(),
            truth: None,
        })
    }

    fn captions(&self) -> Result<Vec<String>, DataError> {
        Ok(self.0.iter().map(|(_, caption)| caption.clone()).collect())
    }
}

/// Which of `count` images is the `index`-th of the run `seed`: each comes up once in every `count` indices, in an order
/// `(a i + b) mod count` that changes from one such round to the next.
pub(super) fn place(count: usize, seed: u64, index: u64) -> usize {
    let n = count as u64;
    let mut rng = Rng::new(seed, index / n);
    let mut factor = 1 + rng.below(count) as u64;
    while gcd(factor, n) != 1 {
        factor += 1;
    }
    let start = u128::from(rng.bits() % n);
    ((u128::from(factor) * u128::from(index % n) + start) % u128::from(n)) as usize
}

/// The largest part of the asked shape around the middle, resized; a picture of that very size is left as it is.
pub(super) fn fitted(image: &RgbImage, height: u32, width: u32) -> RgbImage {
    let (wide, high) = (u64::from(image.width()), u64::from(image.height()));
    let (to_wide, to_high) = (u64::from(width), u64::from(height));
    let part_wide = wide.min(high * to_wide / to_high).max(1) as u32;
    let part_high = high.min(wide * to_high / to_wide).max(1) as u32;
    let (left, top) = ((image.width() - part_wide) / 2, (image.height() - part_high) / 2);
    let part = imageops::crop_imm(image, left, top, part_wide, part_high).to_image();
    match part.dimensions() == (width, height) {
        true => part,
        false => imageops::resize(&part, width, height, FilterType::CatmullRom),
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use std::collections::HashSet;

    #[test]
    fn every_round_shows_every_image_once_in_another_order() {
        for n in [1usize, 2, 7, 12] {
            let round =
                |seed, round: usize| -> Vec<usize> { (0..n).map(|i| place(n, seed, (round * n + i) as u64)).collect() };
            for epoch in 0..5 {
                let mut places = round(3, epoch);
                assert_eq!(places, round(3, epoch));
                places.sort_unstable();
                assert_eq!(places, (0..n).collect::<Vec<_>>());
            }
            if n > 2 {
                let orders: HashSet<_> = (0..20).map(|epoch| round(3, epoch)).collect();
                assert!(orders.len() > 10, "{n}: {}", orders.len());
            }
        }
    }

    #[test]
    fn a_picture_of_the_right_size_keeps_every_pixel() {
        let noise = |x: u32, y: u32| Rgb([(x * 37 + y * 11) as u8, (x * y) as u8, (x ^ (y << 3)) as u8]);
        let image = RgbImage::from_fn(16, 16, noise);
        let pictures = Pictures::new(vec![(image.clone(), "noise".to_string())]);
        let sample = pictures.sample(3, 9, 16, 16).unwrap();
        assert_eq!((sample.image, sample.caption.as_str()), (image, "noise"));
        assert!(matches!(
            Pictures::new(Vec::new()).sample(1, 0, 16, 16),
            Err(DataError::NoPictures)
        ));
    }
}
