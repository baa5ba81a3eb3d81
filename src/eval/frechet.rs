//! The Frechet distance of two sets of features taken for Gaussians (Dowson and Landau 1982; Heusel et al. 2017 for
//! images).
//!
//! On features of EfficientNet-Lite0 it is called FD-EffLite0 here. It is no FID, which is defined on Inception-v3: the
//! two cannot be compared. Like FID it is biased upwards for few images, so distances compare only at equal counts.

use super::EvalError;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_linalg::svd;

/// Most sweeps for one singular value; a handful is usual.
const SWEEPS: usize = 64;

/// Mean and covariance of a set of features.
///
/// The covariance is kept as a factor `A [r, d]` with `A^T A` the covariance, which is never formed: squaring would
/// cost half of the digits and could leave negative eigenvalues to clip.
#[derive(Clone, Debug)]
pub struct Gaussian {
    mean: Vec<f64>,
    factor: Tensor<2>,
    count: usize,
}

impl Gaussian {
    /// Of at least two rows of one width, with the unbiased covariance (divided by `n - 1`).
    pub fn of(rows: &[Vec<f32>]) -> Result<Self, EvalError> {
        let count = rows.len();
        if count < 2 {
            return Err(EvalError::TooFew(count, count));
        }
        let d = rows[0].len();
        let mut mean = vec![0.0; d];
        for row in rows {
            if row.len() != d {
                return Err(EvalError::Widths(d, row.len()));
            }
            if row.iter().any(|value| !value.is_finite()) {
                return Err(EvalError::NotFinite);
            }
            for (sum, &value) in mean.iter_mut().zip(row) {
                *sum += f64::from(value) / count as f64;
            }
        }
        let scale = 1.0 / ((count - 1) as f64).sqrt();
        let centred = |row: &Vec<f32>| -> Vec<f64> {
            let pairs = row.iter().zip(&mean);
            pairs.map(|(&value, mean)| scale * (f64::from(value) - mean)).collect()
        };
        let values: Vec<f64> = rows.iter().flat_map(centred).collect();
        let device = Device::flex();
        let mut factor = Tensor::<2>::from_data(TensorData::new(values, [count, d]), (&device, DType::F64));
        if count > d {
            // A square factor says the same as a tall one: A = U S V^T and A^T A = (S V^T)^T (S V^T).
            let (_, s, vt) = svd::<2, 1>(factor, SWEEPS);
            factor = vt * s.unsqueeze_dim(1);
        }
        Ok(Self { mean, factor, count })
    }

    /// Trace of the covariance: the sum of squares of the factor.
    fn trace(&self) -> Result<f64, EvalError> {
        Ok(values(self.factor.clone().square().sum())?.iter().sum())
    }

    /// `|m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2)`, at least 0.
    ///
    /// With `C1 = A^T A` and `C2 = B^T B`, `C1 C2` has the eigenvalues of `(A B^T)(A B^T)^T` besides zeros, so the last
    /// trace is the sum of the singular values of `A B^T`.
    pub fn distance(&self, other: &Self) -> Result<f64, EvalError> {
        if self.mean.len() != other.mean.len() {
            return Err(EvalError::Widths(self.mean.len(), other.mean.len()));
        }
        let means: f64 = (self.mean.iter().zip(&other.mean)).map(|(a, b)| (a - b).powi(2)).sum();
        let product = self.factor.clone().matmul(other.factor.clone().transpose());
        let (_, s, _) = svd::<2, 1>(product, SWEEPS);
        let common: f64 = values(s)?.iter().sum();
        Ok((means + self.trace()? + other.trace()? - 2.0 * common).max(0.0))
    }

    /// Rows that it is made of.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// The Frechet distance of two sets of features.
pub fn frechet_distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> Result<f64, EvalError> {
    if a.len() < 2 || b.len() < 2 {
        return Err(EvalError::TooFew(a.len(), b.len()));
    }
    Gaussian::of(a)?.distance(&Gaussian::of(b)?)
}

fn values(tensor: Tensor<1>) -> Result<Vec<f64>, EvalError> {
    let failed = |error: String| EvalError::Device(error);
    let data = tensor.try_into_data().map_err(|error| failed(format!("{error:?}")))?;
    data.try_to_vec().map_err(|error| failed(format!("{error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng::Rng;

    /// Points with exactly this mean and the covariance `a^T a`: `mean +- sqrt((n - 1) / 2) a_i` for the n / 2 rows of
    /// a.
    fn points<const D: usize>(mean: [f32; D], a: &[[f32; D]]) -> Vec<Vec<f32>> {
        let scale = ((2 * a.len() - 1) as f32 / 2.0).sqrt();
        let at = |row: &[f32; D], sign: f32| (0..D).map(|i| mean[i] + sign * scale * row[i]).collect();
        a.iter().flat_map(|row| [at(row, 1.0), at(row, -1.0)]).collect()
    }

    fn distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
        frechet_distance(a, b).unwrap()
    }

    #[test]
    fn one_axis_is_the_difference_of_means_and_deviations() {
        let (a, b) = (points([1.0], &[[3.0]]), points([5.0], &[[0.5]]));
        assert!((distance(&a, &b) - (16.0 + 2.5f64.powi(2))).abs() < 1e-5);
    }

    #[test]
    fn covariances_that_commute_compare_axis_by_axis() {
        let a = points([0.0, 1.0, 2.0], &[[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0]]);
        let b = points([0.0, 1.0, 0.0], &[[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]);
        assert!((distance(&a, &b) - (4.0 + 4.0 + 0.0 + 16.0)).abs() < 1e-5);
    }

    #[test]
    fn covariances_that_do_not_commute_have_the_closed_form_of_two_axes() {
        let (first, second) = ([[2.0, 1.0], [0.0, 1.0]], [[1.0, -1.0], [0.5, 3.0]]);
        let found = distance(&points([0.0; 2], &first), &points([0.0; 2], &second));
        // C = a^T a; tr sqrt(C1 C2) = sqrt(tr C1 C2 + 2 sqrt(det C1 det C2)).
        let square = |a: [[f64; 2]; 2]| {
            let entry = |i: usize, j: usize| a[0][i] * a[0][j] + a[1][i] * a[1][j];
            [[entry(0, 0), entry(0, 1)], [entry(1, 0), entry(1, 1)]]
        };
        let (c1, c2) = (square([[2.0, 1.0], [0.0, 1.0]]), square([[1.0, -1.0], [0.5, 3.0]]));
        let trace = |c: [[f64; 2]; 2]| c[0][0] + c[1][1];
        let det = |c: [[f64; 2]; 2]| c[0][0] * c[1][1] - c[0][1] * c[1][0];
        let product: f64 = (0..2).map(|i| (0..2).map(|j| c1[i][j] * c2[j][i]).sum::<f64>()).sum();
        let expected = trace(c1) + trace(c2) - 2.0 * (product + 2.0 * (det(c1) * det(c2)).sqrt()).sqrt();
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }

    #[test]
    fn few_and_many_rows_agree() {
        // Each row three times: the same distribution, by the tall way instead of the short one.
        let mut rng = Rng::new(1, 2);
        let mut rows = |n: usize, shift: f32| -> Vec<Vec<f32>> {
            (0..n).map(|_| (0..6).map(|_| rng.unit() + shift).collect()).collect()
        };
        let (a, b) = (rows(5, 0.0), rows(40, 0.3));
        let thrice: Vec<_> = a.iter().chain(&a).chain(&a).cloned().collect();
        // Unbiased covariances divide by 4 and by 14: bring both to the same.
        let scale = ((14.0f64 / 15.0) / (4.0 / 5.0)).sqrt() as f32;
        let mean: Vec<f32> = (0..6).map(|i| a.iter().map(|row| row[i]).sum::<f32>() / 5.0).collect();
        let widened: Vec<Vec<f32>> = (thrice.iter())
            .map(|row| row.iter().zip(&mean).map(|(v, m)| m + scale * (v - m)).collect())
            .collect();
        assert!((distance(&a, &b) - distance(&widened, &b)).abs() < 1e-5);
    }

    #[test]
    fn a_set_has_no_distance_from_itself_and_any_from_another() {
        let mut rng = Rng::new(3, 4);
        let mut rows = |n: usize| -> Vec<Vec<f32>> { (0..n).map(|_| (0..6).map(|_| rng.unit()).collect()).collect() };
        let (a, b) = (rows(30), rows(30));
        assert!(distance(&a, &a) < 1e-9);
        assert!(distance(&a, &b) > 1e-3);
        assert!(frechet_distance(&a, &b[..1]).is_err());
        assert!(frechet_distance(&a, &[vec![0.0], vec![1.0]]).is_err());
    }

    #[test]
    fn features_that_are_no_numbers_are_refused() {
        for wrong in [f32::NAN, f32::INFINITY] {
            let rows = vec![vec![0.0, 1.0], vec![1.0, wrong], vec![2.0, 0.0]];
            assert!(matches!(frechet_distance(&rows, &rows), Err(EvalError::NotFinite)));
        }
    }

    #[test]
    fn sets_that_hardly_vary_have_a_distance() {
        let mut rng = Rng::new(3, 0);
        let mut low_rank = |count: usize, d: usize, rank: usize| -> Vec<Vec<f32>> {
            let axes: Vec<Vec<f32>> = (0..rank)
                .map(|_| (0..d).map(|_| rng.range(-2.0, 2.0)).collect())
                .collect();
            let row = |rng: &mut Rng| {
                let at: Vec<f32> = (0..rank).map(|_| rng.range(-2.0, 2.0)).collect();
                (0..d)
                    .map(|i| at.iter().zip(&axes).map(|(at, axis)| at * axis[i]).sum())
                    .collect()
            };
            (0..count).map(|_| row(&mut rng)).collect()
        };
        for (count, d, rank) in [
            (8, 3, 0),
            (64, 5, 1),
            (100, 40, 3),
            (64, 320, 2),
            (400, 320, 5),
            (400, 320, 0),
        ] {
            let (a, b) = (low_rank(count, d, rank), low_rank(count, d, rank));
            let found = frechet_distance(&a, &b).unwrap();
            assert!(
                found.is_finite() && frechet_distance(&a, &a).unwrap() < 1e-6,
                "{count} x {d}, {rank}: {found}"
            );
        }
    }
}
