//! Where the objects of a scene go.
//!
//! A picture is divided into cells, one for each object, and every object fits its cell however it is tilted: nothing
//! overlaps and nothing leaves the picture, in any aspect ratio.

use super::raster::Placement;
use super::rng::Rng;
use super::scene::{Backdrop, Kind, Place, Relation, Scene};

/// Side of a single object in shares of the picture's shorter side; smaller in a landscape, which wants to be seen.
const ALONE: (f32, f32) = (0.60, 0.85);
const ALONE_OUTSIDE: (f32, f32) = (0.52, 0.72);
/// Largest side of one of several objects.
const AMONG: f32 = 0.72;
/// How much of the size that would fit is used.
const FILL: (f32, f32) = (0.86, 1.0);
/// Largest tilt either way, in degrees.
const TILT: f32 = 10.0;
/// How far an object may leave the middle of its cell, in shares of the picture's shorter side.
const SHIFT: f32 = 0.12;
/// Equal objects stand no further apart than this many times their size.
const SPREAD: f32 = 1.3;

/// A part of the picture, in pixels.
#[derive(Clone, Copy, Debug)]
struct Cell {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

/// How an object is turned.
#[derive(Clone, Copy)]
struct Pose {
    cos: f32,
    sin: f32,
    mirror: f32,
    /// Half width and height of the tilted content, in shares of the side.
    reach: [f32; 2],
}

impl Pose {
    fn random([x, y]: [f32; 2], mirror: f32, rng: &mut Rng) -> Self {
        let (sin, cos) = rng.range(-TILT, TILT).to_radians().sin_cos();
        Self {
            cos,
            sin,
            mirror,
            reach: [cos * x + sin.abs() * y, sin.abs() * x + cos * y],
        }
    }

    /// The largest side that fits, one pixel from the rim.
    fn largest(&self, cell: &Cell) -> f32 {
        let fit = |length: f32, reach: f32| (length / 2.0 - 1.0) / reach;
        fit(cell.width, self.reach[0])
            .min(fit(cell.height, self.reach[1]))
            .max(1.0)
    }

    /// Puts the object into its cell, up to `shift` from the middle, lowered by `sink`.
    fn place(&self, cell: &Cell, side: f32, shift: f32, sink: f32, rng: &mut Rng) -> Placement {
        let mut along = |start: f32, length: f32, reach: f32, sink: f32| {
            let free = (length / 2.0 - reach * side - 1.0).max(0.0);
            let room = free.min(shift);
            start + length / 2.0 + (sink + rng.range(-room, room)).clamp(-free, free)
        };
        let centre = [
            along(cell.left, cell.width, self.reach[0], 0.0),
            along(cell.top, cell.height, self.reach[1], sink),
        ];
        Placement {
            centre,
            side,
            cos: self.cos,
            sin: self.sin,
            mirror: self.mirror,
        }
    }
}

/// One placement for every object of `scene`. `extents`: half width and height of their contents in shares of their
/// sides.
pub(super) fn arrange(
    scene: &Scene,
    [height, width]: [usize; 2],
    extents: &[[f32; 2]],
    rng: &mut Rng,
) -> Vec<Placement> {
    let (height, width) = (height as f32, width as f32);
    let short = height.min(width);
    let whole = Cell {
        left: 0.0,
        top: 0.0,
        width,
        height,
    };
    // What stands on the ground stands below the horizon.
    let outside = matches!(scene.backdrop, Backdrop::Place(_));
    let sink = match scene.backdrop {
        Backdrop::Place(Place::Meadow | Place::Beach | Place::Snow | Place::Desert) => 0.10 * height,
        _ => 0.0,
    };
    match (scene.kind, extents) {
        (Kind::Count, [extent, ..]) => grid(&whole, extents.len(), *extent, sink, rng),
        (Kind::Relation | Kind::Colours, [first, second, ..]) => {
            let relation = scene.relation.unwrap_or(Relation::Left);
            let (beside, swap) = match relation {
                Relation::Left => (true, false),
                Relation::Right => (true, true),
                Relation::Above => (false, false),
                Relation::Below => (false, true),
            };
            let mut cells = if beside {
                let half = Cell {
                    width: width / 2.0,
                    ..whole
                };
                [
                    half,
                    Cell {
                        left: width / 2.0,
                        ..half
                    },
                ]
            } else {
                let half = Cell {
                    height: height / 2.0,
                    ..whole
                };
                [
                    half,
                    Cell {
                        top: height / 2.0,
                        ..half
                    },
                ]
            };
            if swap {
                cells.reverse();
            }
            let sink = if beside { sink } else { 0.0 };
            let one = |(cell, extent): (Cell, [f32; 2]), rng: &mut Rng| {
                let pose = Pose::random(extent, mirror(rng), rng);
                let side = pose.largest(&cell).min(AMONG * short) * rng.range(FILL.0, FILL.1);
                pose.place(&cell, side, SHIFT * short, sink, rng)
            };
            [(cells[0], *first), (cells[1], *second)]
                .map(|pair| one(pair, rng))
                .to_vec()
        }
        _ => {
            let (low, high) = if outside { ALONE_OUTSIDE } else { ALONE };
            let one = |&extent: &[f32; 2]| {
                let side = short * rng.range(low, high);
                let pose = Pose::random(extent, mirror(rng), rng);
                pose.place(&whole, side.min(pose.largest(&whole)), SHIFT * short, sink, rng)
            };
            extents.iter().take(1).map(one).collect()
        }
    }
}

fn mirror(rng: &mut Rng) -> f32 {
    if rng.chance(0.5) { -1.0 } else { 1.0 }
}

/// Equal objects in rows, each row in the middle.
fn grid(whole: &Cell, count: usize, extent: [f32; 2], sink: f32, rng: &mut Rng) -> Vec<Placement> {
    let mirror = mirror(rng);
    let poses: Vec<Pose> = (0..count).map(|_| Pose::random(extent, mirror, rng)).collect();
    let widest = Pose {
        reach: [0, 1].map(|axis| poses.iter().map(|pose| pose.reach[axis]).fold(0.0, f32::max)),
        ..poses[0]
    };
    let short = whole.width.min(whole.height);
    let side_of = |rows: usize| {
        let cell = Cell {
            width: whole.width / count.div_ceil(rows) as f32,
            height: whole.height / rows as f32,
            ..*whole
        };
        widest.largest(&cell).min(AMONG * short)
    };
    // Any number of rows that needs no much smaller objects than the best one, and leaves none empty.
    let best = (1..=count).map(side_of).fold(0.0, f32::max);
    let good: Vec<usize> = (1..=count)
        .filter(|&rows| side_of(rows) >= 0.85 * best && count.div_ceil(count.div_ceil(rows)) == rows)
        .collect();
    let rows = rng.pick(&good).copied().unwrap_or(1);
    let columns = count.div_ceil(rows);
    let side = side_of(rows) * rng.range(FILL.0, FILL.1);
    let spread = rng.range(1.08, SPREAD);
    let step = |length: f32, parts: usize, reach: f32| (length / parts as f32).min(2.0 * reach * side * spread + 2.0);
    let (step_x, step_y) = (
        step(whole.width, columns, widest.reach[0]),
        step(whole.height, rows, widest.reach[1]),
    );
    let mut free = |length: f32, used: f32, sink: f32| {
        let free = (length - used) / 2.0;
        let room = free.min(SHIFT * short);
        free + (sink + rng.range(-room, room)).clamp(-free, free)
    };
    let left = free(whole.width, step_x * columns as f32, 0.0);
    let top = free(whole.height, step_y * rows as f32, sink);
    let mut placements = Vec::with_capacity(count);
    for (index, pose) in poses.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let in_row = columns.min(count - row * columns);
        let indent = step_x * (columns - in_row) as f32 / 2.0;
        let cell = Cell {
            left: left + indent + step_x * column as f32,
            top: top + step_y * row as f32,
            width: step_x,
            height: step_y,
        };
        let side = side.min(pose.largest(&cell));
        placements.push(pose.place(&cell, side, 0.03 * short, 0.0, rng));
    }
    placements
}
