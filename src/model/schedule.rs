//! Scale schedules: which token grids `(h_k, w_k)` an image of a given shape is built from (Table 10 of the paper).
//!
//! Fifteen aspect templates, thirteen scales each. A model trained for fewer scales uses a prefix; an image is 16 times
//! its last grid. The official budgets 0.06M, 0.25M, 0.60M and 1M pixels are the prefixes of 7, 10, 12 and 13 scales.

use super::ModelError;
pub use crate::kernels::reference::grid::Grid;

/// Pixels per token and axis.
pub const TOKEN_STRIDE: usize = 16;
/// Scales of the longest schedule (1M pixels).
pub const MAX_SCALES: usize = 13;
/// Rows of the scale embedding in official checkpoints.
pub const LEVELS: usize = 15;

type Table = [Grid; MAX_SCALES];

#[rustfmt::skip]
const R1_000: Table = [
    (1, 1), (2, 2), (4, 4), (6, 6), (8, 8), (12, 12), (16, 16), (20, 20), (24, 24), (32, 32), (40, 40), (48, 48), (64, 64),
];
#[rustfmt::skip]
const R1_250: Table = [
    (1, 1), (2, 2), (3, 3), (5, 4), (10, 8), (15, 12), (20, 16), (25, 20), (30, 24), (35, 28), (45, 36), (55, 44), (70, 56),
];
#[rustfmt::skip]
const R1_333: Table = [
    (1, 1), (2, 2), (4, 3), (8, 6), (12, 9), (16, 12), (20, 15), (24, 18), (28, 21), (36, 27), (48, 36), (60, 45), (72, 54),
];
#[rustfmt::skip]
const R1_500: Table = [
    (1, 1), (2, 2), (3, 2), (6, 4), (9, 6), (15, 10), (21, 14), (27, 18), (33, 22), (39, 26), (48, 32), (63, 42), (78, 52),
];
#[rustfmt::skip]
const R1_750: Table = [
    (1, 1), (2, 2), (3, 3), (7, 4), (11, 6), (14, 8), (21, 12), (28, 16), (35, 20), (42, 24), (56, 32), (70, 40), (84, 48),
];
#[rustfmt::skip]
const R2_000: Table = [
    (1, 1), (2, 2), (4, 2), (6, 3), (10, 5), (16, 8), (22, 11), (30, 15), (38, 19), (46, 23), (60, 30), (74, 37), (90, 45),
];
#[rustfmt::skip]
const R2_500: Table = [
    (1, 1), (2, 2), (5, 2), (10, 4), (15, 6), (20, 8), (25, 10), (30, 12), (40, 16), (50, 20), (65, 26), (80, 32), (100, 40),
];
#[rustfmt::skip]
const R3_000: Table = [
    (1, 1), (2, 2), (6, 2), (9, 3), (15, 5), (21, 7), (27, 9), (36, 12), (45, 15), (54, 18), (72, 24), (90, 30), (111, 37),
];

/// One aspect ratio the model knows: `h / w` as the official tables spell it, and its grids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Template {
    /// `h / w`.
    pub ratio: f64,
    tall: &'static Table,
    wide: bool,
}

/// Height over width of each template, in the official order (ties of a nearest search go to the earlier one).
#[rustfmt::skip]
pub const TEMPLATES: [Template; 15] = [
    Template { ratio: 1.0, tall: &R1_000, wide: false },
    Template { ratio: 1.25, tall: &R1_250, wide: false },
    Template { ratio: 0.8, tall: &R1_250, wide: true },
    Template { ratio: 1.333, tall: &R1_333, wide: false },
    Template { ratio: 0.75, tall: &R1_333, wide: true },
    Template { ratio: 1.5, tall: &R1_500, wide: false },
    Template { ratio: 0.666, tall: &R1_500, wide: true },
    Template { ratio: 1.75, tall: &R1_750, wide: false },
    Template { ratio: 0.571, tall: &R1_750, wide: true },
    Template { ratio: 2.0, tall: &R2_000, wide: false },
    Template { ratio: 0.5, tall: &R2_000, wide: true },
    Template { ratio: 2.5, tall: &R2_500, wide: false },
    Template { ratio: 0.4, tall: &R2_500, wide: true },
    Template { ratio: 3.0, tall: &R3_000, wide: false },
    Template { ratio: 0.333, tall: &R3_000, wide: true },
];

impl Template {
    /// The template nearest to `height / width`.
    pub fn nearest(height: f64, width: f64) -> Result<Self, ModelError> {
        let ratio = height / width;
        if !(ratio.is_finite() && height.is_finite() && width.is_finite() && height > 0.0 && width > 0.0) {
            return Err(ModelError::Size { height, width });
        }
        let distance = |t: &Template| (ratio - t.ratio).abs();
        let mut best = TEMPLATES[0];
        for template in TEMPLATES {
            if distance(&template) < distance(&best) {
                best = template;
            }
        }
        Ok(best)
    }

    fn grid(&self, k: usize) -> Grid {
        let (h, w) = self.tall[k];
        if self.wide { (w, h) } else { (h, w) }
    }

    /// The first `scales` grids, 1 to 13.
    pub fn schedule(&self, scales: usize) -> Result<Schedule, ModelError> {
        if scales == 0 || scales > MAX_SCALES {
            return Err(ModelError::Scales { scales });
        }
        Ok(Schedule {
            grids: (0..scales).map(|k| self.grid(k)).collect(),
            reference: self.grid(MAX_SCALES - 1),
        })
    }
}

/// The grids of one image, coarse to fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    grids: Vec<Grid>,
    reference: Grid,
}

impl Schedule {
    /// Any list of grids, with the grid whose coordinates normalized rotary positions use.
    pub fn new(grids: Vec<Grid>, reference: Grid) -> Result<Self, ModelError> {
        let sizes = || grids.iter().chain([&reference]).flat_map(|&(h, w)| [h, w]);
        if grids.is_empty() || grids.len() > LEVELS {
            return Err(ModelError::Scales { scales: grids.len() });
        }
        if sizes().any(|size| size == 0 || size > 4096) {
            return Err(ModelError::Grids { grids });
        }
        Ok(Self { grids, reference })
    }

    /// `(h_k, w_k)` for k = 1..K, in tokens.
    pub fn grids(&self) -> &[Grid] {
        &self.grids
    }

    /// The grids of the latent: twice as fine when one token stands for 2x2 positions.
    pub fn latent_grids(&self, patchify: bool) -> Vec<Grid> {
        let s = if patchify { 2 } else { 1 };
        self.grids.iter().map(|&(h, w)| (s * h, s * w)).collect()
    }

    /// Last grid of the template's full schedule, to which rotary positions are stretched.
    pub fn reference(&self) -> Grid {
        self.reference
    }

    /// Number of scales `K`.
    pub fn len(&self) -> usize {
        self.grids.len()
    }

    /// Never: a schedule has at least one scale.
    pub fn is_empty(&self) -> bool {
        self.grids.is_empty()
    }

    /// `L_k = h_k w_k`.
    pub fn tokens(&self, k: usize) -> usize {
        self.grids[k].0 * self.grids[k].1
    }

    /// `S_k`: tokens before scale `k` (0-based), so `offset(K)` is the length of the whole sequence.
    pub fn offset(&self, k: usize) -> usize {
        (0..k).map(|j| self.tokens(j)).sum()
    }

    /// `L = sum_k L_k`.
    pub fn total(&self) -> usize {
        self.offset(self.len())
    }

    /// Height and width of the image in pixels.
    pub fn image_size(&self) -> (usize, usize) {
        let (h, w) = self.grids[self.len() - 1];
        (TOKEN_STRIDE * h, TOKEN_STRIDE * w)
    }

    /// For every token, the 0-based index of its scale.
    pub fn levels(&self) -> Vec<usize> {
        (0..self.len())
            .flat_map(|k| std::iter::repeat_n(k, self.tokens(k)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn official() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schedules.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn every_official_table_and_prefix() {
        let official = official();
        let order: Vec<f64> = serde_json::from_value(official["h_div_w_templates_in_order"].clone()).unwrap();
        assert_eq!(order, TEMPLATES.map(|t| t.ratio));
        for (name, budgets) in official["ratios"].as_object().unwrap() {
            let ratio: f64 = name.parse().unwrap();
            let template = Template::nearest(ratio, 1.0).unwrap();
            assert_eq!(template.ratio, ratio);
            for (budget, scales) in official["pn_to_number_of_scales"].as_object().unwrap() {
                let expected = &budgets[budget];
                let schedule = template.schedule(scales.as_u64().unwrap() as usize).unwrap();
                let grids: Vec<Grid> = serde_json::from_value(expected["scales_hw"].clone()).unwrap();
                assert_eq!(schedule.grids(), grids);
                let size: Grid = serde_json::from_value(expected["pixel_hw"].clone()).unwrap();
                assert_eq!(schedule.image_size(), size);
                assert_eq!(schedule.total() as u64, expected["tokens"].as_u64().unwrap());
                let offsets: Vec<usize> = serde_json::from_value(expected["offsets"].clone()).unwrap();
                let ours: Vec<usize> = (0..schedule.len()).map(|k| schedule.offset(k)).collect();
                assert_eq!(ours, offsets);
            }
        }
    }

    #[test]
    fn nearest_template_and_ties() {
        assert_eq!(Template::nearest(1000.0, 1000.0).unwrap().ratio, 1.0);
        assert_eq!(Template::nearest(1080.0, 1920.0).unwrap().ratio, 0.571);
        // 1.125 lies midway between 1 and 1.25: the earlier one wins.
        assert_eq!(Template::nearest(1.125, 1.0).unwrap().ratio, 1.0);
        assert_eq!(Template::nearest(1e9, 1.0).unwrap().ratio, 3.0);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for (h, w) in [
            (0.0, 1.0),
            (1.0, 0.0),
            (f64::NAN, 1.0),
            (-1.0, 1.0),
            (1.0, f64::INFINITY),
        ] {
            assert!(Template::nearest(h, w).is_err(), "{h}x{w}");
        }
        assert!(TEMPLATES[0].schedule(0).is_err());
        assert!(TEMPLATES[0].schedule(14).is_err());
        assert!(Schedule::new(vec![(1, 0)], (8, 8)).is_err());
    }
}
