//! Two-dimensional rotary embedding over all scales of a schedule (Sec. 3.5 of the paper).
//!
//! Of the `P = hd/2` channel pairs of a head the first half is rotated by the row, the second by the column; pair i is
//! the adjacent channels (2i, 2i+1).

use super::config::Positions;
use super::schedule::{Grid, Schedule};
use burn::tensor::{Device, Tensor, TensorData};

/// Cosines and sines `[L, P]` for the tokens of a schedule, scale after scale.
#[derive(Clone, Debug)]
pub struct RopeTables {
    pub cos: Tensor<2>,
    pub sin: Tensor<2>,
}

impl RopeTables {
    /// Tables for every token, or `None` where positions are learned instead.
    pub fn new(positions: Positions, head_dim: usize, schedule: &Schedule, device: &Device) -> Option<Self> {
        let pairs = head_dim / 2;
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for &grid in schedule.grids() {
            let (ys, xs) = match positions {
                Positions::RopePlain => (plain(grid.0), plain(grid.1)),
                Positions::RopeNormalized => stretched(grid, schedule.reference()),
                Positions::RopeInterpolated => {
                    let (ys, xs) = interpolated(grid, schedule.reference());
                    append_interpolated(&ys, &xs, pairs, &mut cos, &mut sin);
                    continue;
                }
                Positions::Learned { .. } => return None,
            };
            for y in &ys {
                for x in &xs {
                    for position in [y, x] {
                        for theta in frequencies(pairs) {
                            cos.push((position * theta).cos());
                            sin.push((position * theta).sin());
                        }
                    }
                }
            }
        }
        let table = |values| Tensor::from_data(TensorData::new(values, [schedule.total(), pairs]), device);
        Some(Self {
            cos: table(cos),
            sin: table(sin),
        })
    }

    /// The rows of tokens `start .. start + length`.
    pub fn rows(&self, start: usize, length: usize) -> Self {
        Self {
            cos: self.cos.clone().narrow(0, start, length),
            sin: self.sin.clone().narrow(0, start, length),
        }
    }

    /// Rotates `x [B, H, L, hd]` by the tables of its L tokens: `(a, b) -> (a cos - b sin, a sin + b cos)`.
    pub fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, h, l, hd] = x.dims();
        let pairs = x.reshape([b, h, l, hd / 2, 2]);
        let a = pairs.clone().narrow(4, 0, 1);
        let b_ = pairs.narrow(4, 1, 1);
        let cos = self.cos.clone().reshape([1, 1, l, hd / 2, 1]);
        let sin = self.sin.clone().reshape([1, 1, l, hd / 2, 1]);
        let first = a.clone() * cos.clone() - b_.clone() * sin.clone();
        let second = a * sin + b_ * cos;
        Tensor::cat(vec![first, second], 4).reshape([b, h, l, hd])
    }
}

/// `theta_j = 10000^(-2j/P)`, j = 0 .. P/2, in f32 as the official tables are.
fn frequencies(pairs: usize) -> impl Iterator<Item = f32> {
    (0..pairs / 2).map(move |j| 1.0 / 10000f32.powf((2 * j) as f32 / pairs as f32))
}

fn plain(size: usize) -> Vec<f32> {
    (0..size).map(|i| i as f32).collect()
}

/// `round_half_even(i H/h)`, factor and product in f32: at one place (54 rows of ratio 3) that decides the rounding.
fn stretched((h, w): Grid, (reference_h, reference_w): Grid) -> (Vec<f32>, Vec<f32>) {
    let axis = |size: usize, reference: usize| {
        let factor = reference as f32 / size as f32;
        (0..size).map(|i| (i as f32 * factor).round_ties_even()).collect()
    };
    (axis(h, reference_h), axis(w, reference_w))
}

/// Source coordinates on the 128-wide grid of mode 1, corners aligned.
fn interpolated((h, w): Grid, (reference_h, reference_w): Grid) -> (Vec<f32>, Vec<f32>) {
    const WIDEST: usize = 128;
    let shorter = |long: usize, short: usize| (WIDEST as f64 / long as f64 * short as f64) as usize;
    let (grid_h, grid_w) = if reference_h >= reference_w {
        (WIDEST, shorter(reference_h, reference_w))
    } else {
        (shorter(reference_w, reference_h), WIDEST)
    };
    let axis = |size: usize, from: usize| {
        let scale = if size > 1 {
            (from - 1) as f32 / (size - 1) as f32
        } else {
            0.0
        };
        (0..size).map(|i| i as f32 * scale).collect()
    };
    (axis(h, grid_h), axis(w, grid_w))
}

/// Interpolates cosine and sine between whole positions (not the angle itself).
fn append_interpolated(ys: &[f32], xs: &[f32], pairs: usize, cos: &mut Vec<f32>, sin: &mut Vec<f32>) {
    for y in ys {
        for x in xs {
            for position in [y, x] {
                let low = position.floor();
                let fraction = position - low;
                let blend = |a: f32, b: f32| a * (1.0 - fraction) + b * fraction;
                for theta in frequencies(pairs) {
                    let (low, high) = (low * theta, (low + 1.0) * theta);
                    cos.push(blend(low.cos(), high.cos()));
                    sin.push(blend(low.sin(), high.sin()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::model::schedule::TEMPLATES;
    use serde_json::Value;

    fn read<T: serde::de::DeserializeOwned>(value: &Value, key: &str) -> T {
        serde_json::from_value(value[key].clone()).unwrap()
    }

    fn mode(value: &Value) -> Positions {
        match value["mode"].as_u64().unwrap() {
            0 => Positions::RopePlain,
            1 => Positions::RopeInterpolated,
            2 => Positions::RopeNormalized,
            other => panic!("rope mode {other}"),
        }
    }

    fn tables(entry: &Value, scales: &str, device: &Device) -> (RopeTables, Schedule) {
        let reference: Vec<Grid> = read(entry, "rope_reference_schedule");
        let schedule = Schedule::new(read(entry, scales), *reference.last().unwrap()).unwrap();
        let head_dim = read(entry, "head_dim");
        let tables = RopeTables::new(mode(entry), head_dim, &schedule, device).unwrap();
        (tables, schedule)
    }

    golden::test_per_device!(golden_tables: golden_tables_flex, golden_tables_wgpu);

    fn golden_tables(name: &str, device: &Device) {
        for case in golden::cases("rope2d_tables") {
            for entry in case.get::<Vec<Value>>("tables") {
                let (tables, _) = tables(&entry, "scales", device);
                let both = Tensor::stack::<3>(vec![tables.cos, tables.sin], 0);
                case.check(name, entry["key"].as_str().unwrap(), both);
            }
        }
    }

    golden::test_per_device!(golden_rotation: golden_rotation_flex, golden_rotation_wgpu);

    fn golden_rotation(name: &str, device: &Device) {
        for case in golden::cases("rope2d_apply") {
            for entry in case.get::<Vec<Value>>("cases") {
                let (tables, _) = tables(&entry, "schedule", device);
                let first = entry["first_token"].as_u64().unwrap() as usize;
                for tensor in ["q", "k"] {
                    let x = case.float::<4>(&format!("{tensor}.{}", entry["index"]), device);
                    let rows = tables.rows(first, x.dims()[2]);
                    case.check(name, &format!("{tensor}_out.{}", entry["index"]), rows.rotate(x));
                }
            }
        }
    }

    #[test]
    fn normalised_positions_of_every_template() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schedules.json");
        let official: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for template in TEMPLATES {
            let schedule = template.schedule(13).unwrap();
            let positions = &official["ratios"][&format!("{}", template.ratio)]["rope_mode2_positions"];
            for (k, &grid) in schedule.grids().iter().enumerate() {
                let (ys, xs) = stretched(grid, schedule.reference());
                assert_eq!(ys, read::<Vec<Vec<f32>>>(positions, "y")[k]);
                assert_eq!(xs, read::<Vec<Vec<f32>>>(positions, "x")[k]);
            }
        }
    }
}
