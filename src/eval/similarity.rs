//! How alike two pictures of one size are: PSNR, and the structural similarity of Wang et al. (2004).

use super::EvalError;
use image::RgbImage;

/// Side of SSIM's Gaussian window and its standard deviation, in pixels.
const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
/// `(K L)^2` for K = 0.01 and 0.03 and the range L = 255: they keep flat regions from dividing by 0.
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// Peak signal to noise ratio in dB over all pixels and channels; infinite for equal pictures.
pub fn psnr(a: &RgbImage, b: &RgbImage) -> Result<f64, EvalError> {
    same_size(a, b)?;
    let squares = a.as_raw().iter().zip(b.as_raw());
    let sum: f64 = squares.map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    let mse = sum / a.as_raw().len() as f64;
    Ok(10.0 * (255.0 * 255.0 / mse).log10())
}

/// Mean structural similarity, -1 to 1, over the three channels and every place where the window lies inside.
///
/// Variances are those of the window's weights (biased), as in the paper's own program.
pub fn ssim(a: &RgbImage, b: &RgbImage) -> Result<f64, EvalError> {
    same_size(a, b)?;
    let (width, height) = (a.width() as usize, a.height() as usize);
    if width < WINDOW || height < WINDOW {
        return Err(EvalError::SmallerThanWindow(a.dimensions()));
    }
    let window = gaussian();
    let channel = |image: &RgbImage, c: usize| -> Vec<f64> {
        let values = image.as_raw().iter().skip(c).step_by(3);
        values.map(|&value| f64::from(value)).collect()
    };
    let mut sum = 0.0;
    for c in 0..3 {
        let (x, y) = (channel(a, c), channel(b, c));
        let mean = |values: &[f64]| filter(values, width, &window);
        let product = |p: &[f64], q: &[f64]| mean(&p.iter().zip(q).map(|(p, q)| p * q).collect::<Vec<_>>());
        let (mx, my) = (mean(&x), mean(&y));
        let (xx, yy, xy) = (product(&x, &x), product(&y, &y), product(&x, &y));
        let at = |i: usize| {
            let (mx, my) = (mx[i], my[i]);
            let (vx, vy, cov) = (xx[i] - mx * mx, yy[i] - my * my, xy[i] - mx * my);
            (2.0 * mx * my + C1) * (2.0 * cov + C2) / ((mx * mx + my * my + C1) * (vx + vy + C2))
        };
        sum += (0..mx.len()).map(at).sum::<f64>() / mx.len() as f64;
    }
    Ok(sum / 3.0)
}

fn same_size(a: &RgbImage, b: &RgbImage) -> Result<(), EvalError> {
    match a.dimensions() == b.dimensions() {
        true => Ok(()),
        false => Err(EvalError::Sizes(a.dimensions(), b.dimensions())),
    }
}

/// One axis of the window; sums to 1.
fn gaussian() -> [f64; WINDOW] {
    let weight = |i: usize| (-(i as f64 - (WINDOW / 2) as f64).powi(2) / (2.0 * SIGMA * SIGMA)).exp();
    let weights: [f64; WINDOW] = std::array::from_fn(weight);
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// Weighted means of the windows inside a plane, along rows and then along columns.
fn filter(plane: &[f64], width: usize, window: &[f64; WINDOW]) -> Vec<f64> {
    let (height, inner) = (plane.len() / width, width - WINDOW + 1);
    let dot = |at: usize, step: usize, from: &[f64]| -> f64 {
        window.iter().enumerate().map(|(i, w)| w * from[at + i * step]).sum()
    };
    let mut rows = Vec::with_capacity(height * inner);
    for y in 0..height {
        rows.extend((0..inner).map(|x| dot(y * width + x, 1, plane)));
    }
    let mut means = Vec::with_capacity((height - WINDOW + 1) * inner);
    for y in 0..height - WINDOW + 1 {
        means.extend((0..inner).map(|x| dot(y * inner + x, inner, &rows)));
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// Two pictures of integers that any language makes alike.
    fn pictures() -> (RgbImage, RgbImage) {
        let a = RgbImage::from_fn(24, 17, |x, y| {
            Rgb([(x * 10) as u8, (y * 12 + x) as u8, (x * y % 200) as u8])
        });
        let b = RgbImage::from_fn(24, 17, |x, y| {
            let Rgb([r, g, b]) = *a.get_pixel(x, y);
            Rgb([r / 2 + 30, g.saturating_add((x % 3 * 9) as u8), b ^ 8])
        });
        (a, b)
    }

    #[test]
    fn psnr_is_that_of_the_mean_square() {
        let black = RgbImage::new(4, 3);
        let mut other = black.clone();
        // One channel of twelve pixels off by 6: a mean square of 36 / 36.
        other.put_pixel(1, 1, Rgb([0, 6, 0]));
        assert!((psnr(&black, &other).unwrap() - 10.0 * 65025f64.log10()).abs() < 1e-12);
        assert_eq!(psnr(&black, &black).unwrap(), f64::INFINITY);
        assert!(psnr(&black, &RgbImage::new(3, 4)).is_err());
    }

    #[test]
    fn ssim_is_that_of_scikit_image() {
        let (a, b) = pictures();
        // structural_similarity(a, b, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        // of scikit-image 0.26, and peak_signal_noise_ratio(a, b).
        assert!(
            (ssim(&a, &b).unwrap() - 0.888_048_942_599_796_8).abs() < 1e-9,
            "{}",
            ssim(&a, &b).unwrap()
        );
        assert!(
            (psnr(&a, &b).unwrap() - 19.571_239_677_370_61).abs() < 1e-9,
            "{}",
            psnr(&a, &b).unwrap()
        );
        assert!((ssim(&a, &a).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn ssim_of_flat_pictures_is_the_luminance_term() {
        let flat = |value| RgbImage::from_pixel(11, 11, Rgb([value; 3]));
        let expected = (2.0 * 100.0 * 200.0 + C1) / (100.0 * 100.0 + 200.0 * 200.0 + C1);
        assert!((ssim(&flat(100), &flat(200)).unwrap() - expected).abs() < 1e-9);
        assert!(ssim(&RgbImage::new(10, 30), &RgbImage::new(10, 30)).is_err());
    }
}
