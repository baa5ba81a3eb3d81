//! Decoding in strips of rows, for feature maps that are larger than a shader's binding or take too much memory.
//!
//! A map is kept as strips that are freed as soon as those of the next are made, and what lies between two kept maps is
//! computed again rather than kept: a block's inner map twice, an enlarged one three times. The statistics of a norm
//! are those of the whole map, from a pass of their own, so that the picture is the one of [`Decoder::forward`] but for
//! the order of sums.

use super::blocks::{Conv, GroupNorm, ResBlock};
use super::{Decoder, UpLevel, from_stem};
use crate::model::ModelError;
use crate::model::config::VaeConfig;
use crate::model::schedule::Grid;
use burn::tensor::{Tensor, TensorData};
use std::ops::Range;

/// Strips of the largest map that is not cut.
const STRIPS: usize = 2;

/// A feature map `[B, C, H, W]`.
enum Map<'a> {
    Kept(Strips),
    /// The convolution of a kept map, enlarged to twice its height and width.
    Doubled(Strips, &'a Conv),
}

/// Rows of a map, strip after strip; strips that are not needed any more are freed.
struct Strips {
    height: usize,
    kept: Vec<(Range<usize>, Tensor<4>)>,
}

impl Strips {
    fn whole(map: Tensor<4>) -> Self {
        let height = map.dims()[2];
        Self {
            height,
            kept: vec![(0..height, map)],
        }
    }

    fn rows(&self, rows: Range<usize>) -> Tensor<4> {
        let cut = |(at, strip): &(Range<usize>, Tensor<4>)| {
            let (start, end) = (rows.start.max(at.start), rows.end.min(at.end));
            (start < end).then(|| strip.clone().narrow(2, start - at.start, end - start))
        };
        let mut parts: Vec<_> = self.kept.iter().filter_map(cut).collect();
        match parts.len() {
            1 => parts.remove(0),
            _ => Tensor::cat(parts, 2),
        }
    }
}

impl Map<'_> {
    fn height(&self) -> usize {
        match self {
            Self::Kept(strips) => strips.height,
            Self::Doubled(strips, _) => 2 * strips.height,
        }
    }

    fn rows(&self, rows: Range<usize>) -> Tensor<4> {
        match self {
            Self::Kept(strips) => strips.rows(rows),
            Self::Doubled(strips, conv) => {
                let around = around(&rows, 1, self.height());
                let (start, end) = (around.start / 2, around.end.div_ceil(2));
                let doubled = conv.upsampled(strips.rows(start..end));
                doubled.narrow(2, rows.start - 2 * start, rows.len())
            }
        }
    }

    /// Frees the strips before `row`, which are not needed any more.
    fn forget(&mut self, row: usize) {
        let (strips, row) = match self {
            Self::Kept(strips) => (strips, row),
            Self::Doubled(strips, _) => (strips, row.saturating_sub(1) / 2),
        };
        strips.kept.retain(|(at, _)| at.end > row);
    }
}

/// `rows` and `halo` more on both sides, as far as there are any.
fn around(rows: &Range<usize>, halo: usize, height: usize) -> Range<usize> {
    rows.start.saturating_sub(halo)..(rows.end + halo).min(height)
}

fn strips(height: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..height)
        .step_by(rows)
        .map(move |start| start..(start + rows).min(height))
}

/// `rows` of the convolution of a map of so much `height`, of which `input` gives any rows.
fn convolved(conv: &Conv, rows: Range<usize>, height: usize, input: impl Fn(Range<usize>) -> Tensor<4>) -> Tensor<4> {
    let read = around(&rows, 1, height);
    let start = rows.start - read.start;
    conv.forward(input(read)).narrow(2, start, rows.len())
}

/// Mean and inverse deviation of the groups of a whole map from those of its strips.
fn statistics(norm: &GroupNorm, height: usize, rows: usize, input: impl Fn(Range<usize>) -> Tensor<4>) -> Tensor<3> {
    let mut shares = Vec::new();
    let mut parts: Vec<Tensor<3>> = Vec::new();
    for strip in strips(height, rows) {
        shares.push(strip.len() as f32 / height as f32);
        parts.push(norm.statistics(input(strip)));
    }
    let count = shares.len();
    let parts = Tensor::stack::<4>(parts, 0);
    let shares = Tensor::<4>::from_data(TensorData::new(shares, [count, 1, 1, 1]), &parts.device());
    let (means, inverses) = (parts.clone().narrow(3, 0, 1), parts.narrow(3, 1, 1));
    let mean = (means.clone() * shares.clone()).sum_dim(0);
    // Variances with their epsilon, whose shares add up to one.
    let variances = inverses.square().recip() + (means - mean.clone()).square();
    let inverse = (variances * shares).sum_dim(0).sqrt().recip();
    Tensor::cat(vec![mean, inverse], 3).squeeze_dim::<3>(0)
}

fn through_block(block: &ResBlock, mut x: Map, rows: usize) -> Strips {
    let height = x.height();
    let before = statistics(&block.norm1, height, rows, |strip| x.rows(strip));
    let inner = |x: &Map, strip: Range<usize>| {
        convolved(&block.conv1, strip, height, |rows| {
            block.norm1.silu_by(x.rows(rows), &before)
        })
    };
    let between = statistics(&block.norm2, height, rows, |strip| inner(&x, strip));
    let mut kept = Vec::new();
    for strip in strips(height, rows) {
        let activated = |rows| block.norm2.silu_by(inner(&x, rows), &between);
        let y = convolved(&block.conv2, strip.clone(), height, activated);
        let residual = x.rows(strip.clone());
        let residual = match &block.nin_shortcut {
            Some(shortcut) => shortcut.forward(residual),
            None => residual,
        };
        // The next strip reads two rows before its own, one for each convolution.
        x.forget(strip.end.saturating_sub(2));
        kept.push((strip, residual + y));
    }
    Strips { height, kept }
}

/// Rows of a strip, so that one of `channels` numbers a pixel has at most `bytes`; an even number.
fn rows_of(channels: usize, width: usize, bytes: usize) -> usize {
    (bytes / (channels * width * size_of::<f32>()) / 2 * 2).max(2)
}

impl Decoder {
    /// As [`forward`](Self::forward), but from the level on at which a map has more than `most` bytes in strips of half
    /// of that.
    pub fn forward_in_strips(&self, sum: Tensor<4>, most: usize) -> Tensor<4> {
        let [batch, _, _, width] = sum.dims();
        let mut width = width;
        let mut x = Map::Kept(Strips::whole(self.mid.forward(self.conv_in.forward(sum))));
        for up in self.up.iter().rev() {
            let rows = rows_of(batch * up.widest(), width, most / STRIPS);
            let whole = batch * up.widest() * x.height() * width * size_of::<f32>() <= most;
            for block in &up.block {
                x = Map::Kept(match whole {
                    true => Strips::whole(block.forward(x.rows(0..x.height()))),
                    false => through_block(block, x, rows),
                });
            }
            x = match (x, &up.upsample) {
                (Map::Kept(strips), Some(upsample)) => {
                    width *= 2;
                    Map::Doubled(strips, &upsample.conv)
                }
                (x, _) => x,
            };
        }
        let (height, rows) = (
            x.height(),
            rows_of(batch * self.norm_out.channels(), width, most / STRIPS),
        );
        let whole = statistics(&self.norm_out, height, rows, |strip| x.rows(strip));
        let mut parts = Vec::new();
        for strip in strips(height, rows) {
            let activated = |rows| self.norm_out.silu_by(x.rows(rows), &whole);
            parts.push(convolved(&self.conv_out, strip.clone(), height, activated));
            x.forget(strip.end.saturating_sub(1));
        }
        from_stem(Tensor::cat(parts, 2), self.stem_patch)
    }
}

/// Bytes that a decoding takes besides the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub peak: usize,
    /// Of the largest tensor.
    pub largest: usize,
}

/// What [`Decoder::forward_in_strips`] takes with `most` bytes a map, for `grid` latent positions: kept strips, and all
/// that is made on the way to a new one, counted as if nothing of it were freed before the strip is done.
pub fn plan(config: &VaeConfig, (height, width): Grid, most: usize) -> Result<Plan, ModelError> {
    let widths = config.widths()?;
    let halvings = config.halvings()?;
    let (mut height, mut width) = (height, width);
    let mut from = widths[widths.len() - 1];
    // Of the map before this level, and whether it still is to be doubled.
    let (mut held, mut doubled) = (from * height * width, false);
    let mut plan = Plan { peak: 0, largest: 0 };
    let mut see = |held: usize, made: usize, largest: usize| {
        plan.peak = plan.peak.max((held + made) * size_of::<f32>());
        plan.largest = plan.largest.max(largest * size_of::<f32>());
    };
    for (level, &to) in widths.iter().enumerate().rev() {
        let widest = from.max(to);
        let whole = widest * height * width * size_of::<f32>() <= most;
        let rows = if whole {
            height
        } else {
            rows_of(widest, width, most / STRIPS)
        };
        for block in 0..=config.num_res_blocks {
            let inputs = if block == 0 { from } else { to };
            let most = |halo: usize| (rows + 2 * halo).min(height);
            // What is read, two more rows on either side, and enlarged if need be; normed; convolved; normed;
            // convolved; the residual as it is and through the shortcut; the sum.
            let read = inputs * (most(2) + if doubled { most(4) } else { 0 });
            let made = read + inputs * most(2) + 2 * to * most(1) + (inputs + 3 * to) * rows;
            let result = to * height * width;
            // Strips of the map before go as those of this one come, at the same share of the height.
            let kept = if whole {
                held + result
            } else {
                held.max(result) + to * rows * width
            };
            see(kept, made * width, inputs * most(4) * width);
            (held, doubled) = (result, false);
        }
        from = to;
        if (1..=halvings).contains(&level) {
            (height, width, doubled) = (2 * height, 2 * width, true);
        }
    }
    let picture = config.stem_channels() * height * width;
    let rows = rows_of(from, width, most / STRIPS);
    see(held + picture, 3 * from * (rows + 2) * width, picture);
    Ok(plan)
}

impl Decoder {
    /// Bytes of the largest map on the way from `sum`.
    pub fn largest_map(&self, sum: &Tensor<4>) -> usize {
        let [batch, _, height, width] = sum.dims();
        let mut pixels = batch * height * width;
        let mut largest = 0;
        for up in self.up.iter().rev() {
            largest = largest.max(pixels * up.widest());
            pixels *= if up.upsample.is_some() { 4 } else { 1 };
        }
        largest * size_of::<f32>()
    }
}

impl UpLevel {
    /// Most channels of a map on this level.
    fn widest(&self) -> usize {
        let channels = |block: &ResBlock| block.norm1.channels().max(block.norm2.channels());
        self.block.iter().map(channels).max().unwrap_or(1)
    }
}
