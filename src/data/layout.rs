//! Where the objects of a scene go.
//!
//! A picture is divided into cells, one for each object, and every object fits its cell however it is tilted: nothing
//! overlaps and nothing leaves the picture, in any aspect ratio. [`arrange`] keeps objects near the middle of cells of
//! equal size; [`scatter`] puts them anywhere, at any size.

use super::raster::Placement;
use super::rng::Rng;
use super::scene::{Backdrop, Kind, Place, Relation, Scene, Size};

/// Side of a single object in shares of the picture's shorter side; smaller in a landscape, which wants to be seen.
const ALONE: (f32, f32) = (0.60, 0.85);
const ALONE_OUTSIDE: (f32, f32) = (0.52, 0.72);
/// Largest side of one of several objects.
const AMONG: f32 = 0.72;
/// A small one beside a big one has this share of its size.
const SMALL_AMONG: f32 = 0.45;
/// How much of the size that would fit is used.
const FILL: (f32, f32) = (0.86, 1.0);
/// Largest tilt either way, in degrees.
const TILT: f32 = 10.0;
/// How far an object may leave the middle of its cell, in shares of the picture's shorter side.
const SHIFT: f32 = 0.12;
/// Largest free tilt either way, in degrees; half of all are tilted by less than a quarter of it.
const FREE_TILT: f32 = 28.0;
/// Side of a single free object in shares of the largest that fits: of one whose size is not said, a big and a small one.
const FREE_ALONE: (f32, f32) = (0.38, 1.0);
const BIG_ALONE: (f32, f32) = (0.80, 1.0);
const SMALL_ALONE: (f32, f32) = (0.22, 0.34);
/// How much of the size that would fit a free one among others uses.
const FREE_FILL: (f32, f32) = (0.66, 1.0);
/// Shares of a picture that the first of two objects gets.
const SHARE: (f32, f32) = (0.40, 0.60);
/// Share that a big one beside a small one gets, and the small one's side in shares of the big one's.
const BIG_SHARE: (f32, f32) = (0.60, 0.68);
const SMALL_SIDE: (f32, f32) = (0.36, 0.50);
/// How far one of two objects may leave the line that both lie on, and that the middle, in shares of the shorter side.
const ASIDE: f32 = 0.10;
const DRIFT: f32 = 0.3;
/// Places tried for a scattered object, and sizes tried for all of them.
const TRIES: usize = 24;
const SIZES: usize = 8;
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

impl Cell {
    /// All of a picture.
    fn whole([height, width]: [usize; 2]) -> Self {
        Self {
            left: 0.0,
            top: 0.0,
            width: width as f32,
            height: height as f32,
        }
    }

    /// The left part, `share` of the whole, and the right one.
    fn beside(&self, share: f32) -> [Self; 2] {
        let first = self.width * share;
        [
            Self { width: first, ..*self },
            Self {
                left: self.left + first,
                width: self.width - first,
                ..*self
            },
        ]
    }

    /// The upper part, `share` of the whole, and the lower one.
    fn stacked(&self, share: f32) -> [Self; 2] {
        let first = self.height * share;
        [
            Self { height: first, ..*self },
            Self {
                top: self.top + first,
                height: self.height - first,
                ..*self
            },
        ]
    }
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
        Self::tilted([x, y], rng.range(-TILT, TILT), mirror)
    }

    /// Tilted by so many degrees.
    fn tilted([x, y]: [f32; 2], tilt: f32, mirror: f32) -> Self {
        let (sin, cos) = tilt.to_radians().sin_cos();
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

    /// Tilted a little or, more rarely, much.
    fn free(extent: [f32; 2], mirror: f32, rng: &mut Rng) -> Self {
        let tilt = rng.range(-1.0, 1.0);
        Self::tilted(extent, FREE_TILT * tilt * tilt.abs(), mirror)
    }

    /// Puts the object into its cell, up to `shift` from the middle, lowered by `sink`.
    fn place(&self, cell: &Cell, side: f32, shift: f32, sink: f32, rng: &mut Rng) -> Placement {
        self.near(cell, side, [shift; 2], [0.0, sink], rng)
    }

    /// Puts the object into its cell, up to `shift` along each axis from where `off` leads from the middle.
    fn near(&self, cell: &Cell, side: f32, shift: [f32; 2], off: [f32; 2], rng: &mut Rng) -> Placement {
        let mut along = |start: f32, length: f32, axis: usize| {
            let free = (length / 2.0 - self.reach[axis] * side - 1.0).max(0.0);
            let room = free.min(shift[axis]);
            start + length / 2.0 + (off[axis] + rng.range(-room, room)).clamp(-free, free)
        };
        let centre = [along(cell.left, cell.width, 0), along(cell.top, cell.height, 1)];
        Placement {
            centre,
            side,
            cos: self.cos,
            sin: self.sin,
            mirror: self.mirror,
        }
    }
}

/// How far below the middle of `whole` things stand, which is below the horizon of a place with ground.
fn sink(scene: &Scene, whole: &Cell) -> f32 {
    match scene.backdrop {
        Backdrop::Place(Place::Meadow | Place::Beach | Place::Snow | Place::Desert) => 0.10 * whole.height,
        _ => 0.0,
    }
}

/// One placement for every object of `scene` in a picture of `size`, height and width. `extents`: half width and height of their contents in shares of their
/// sides.
pub(super) fn arrange(scene: &Scene, size: [usize; 2], extents: &[[f32; 2]], rng: &mut Rng) -> Vec<Placement> {
    let whole = Cell::whole(size);
    let Cell { width, height, .. } = whole;
    let short = height.min(width);
    let outside = matches!(scene.backdrop, Backdrop::Place(_));
    let sink = sink(scene, &whole);
    match (scene.kind, extents) {
        (Kind::Count, [extent, ..]) => grid(&whole, extents.len(), *extent, sink, rng),
        (Kind::Several, [_, _, _, ..]) => {
            let cells = in_reading_order(&whole, extents.len(), rng);
            let one = |(cell, &extent): (&Cell, &[f32; 2]), rng: &mut Rng| {
                let pose = Pose::random(extent, mirror(rng), rng);
                let side = pose.largest(cell).min(AMONG * short) * rng.range(FILL.0, FILL.1);
                pose.place(cell, side, SHIFT * short, 0.0, rng)
            };
            cells.iter().zip(extents).map(|pair| one(pair, rng)).collect()
        }
        (Kind::Relation | Kind::Colours | Kind::Several | Kind::Sizes, [first, second, ..]) => {
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
            let one = |(cell, extent, size): (Cell, [f32; 2], Option<&Size>), rng: &mut Rng| {
                let pose = Pose::random(extent, mirror(rng), rng);
                let small = if size == Some(&Size::Small) { SMALL_AMONG } else { 1.0 };
                let side = pose.largest(&cell).min(AMONG * short) * rng.range(FILL.0, FILL.1) * small;
                pose.place(&cell, side, SHIFT * short, sink, rng)
            };
            let sizes = &scene.sizes;
            [(cells[0], *first, sizes.first()), (cells[1], *second, sizes.get(1))]
                .map(|pair| one(pair, rng))
                .to_vec()
        }
        _ => {
            let (low, high) = match scene.sizes.first() {
                Some(Size::Big) => BIG_ALONE,
                Some(Size::Small) => SMALL_ALONE,
                None if outside => ALONE_OUTSIDE,
                None => ALONE,
            };
            let one = |&extent: &[f32; 2]| {
                let side = short * rng.range(low, high);
                let pose = Pose::random(extent, mirror(rng), rng);
                pose.place(&whole, side.min(pose.largest(&whole)), SHIFT * short, sink, rng)
            };
            extents.iter().take(1).map(one).collect()
        }
    }
}

/// As [`arrange`], but anywhere, at any size that `scene` says nothing against, and tilted further.
pub(super) fn scatter(scene: &Scene, size: [usize; 2], extents: &[[f32; 2]], rng: &mut Rng) -> Vec<Placement> {
    let whole = Cell::whole(size);
    let Cell { width, height, .. } = whole;
    let short = height.min(width);
    let sink = sink(scene, &whole);
    match (scene.kind, extents) {
        (Kind::Relation, [first, second, ..]) => {
            let relation = scene.relation.unwrap_or(Relation::Left);
            let share = rng.range(SHARE.0, SHARE.1);
            let cells = match relation {
                Relation::Left | Relation::Right => whole.beside(share),
                Relation::Above | Relation::Below => whole.stacked(share),
            };
            let cells = match relation {
                Relation::Left | Relation::Above => cells,
                Relation::Right | Relation::Below => [cells[1], cells[0]],
            };
            // What is beside is more beside than above: both lie near one line.
            let line = rng.range(-DRIFT, DRIFT) * short;
            let (shift, off) = match relation {
                Relation::Left | Relation::Right => ([width, ASIDE * short], [0.0, line + sink]),
                Relation::Above | Relation::Below => ([ASIDE * short, height], [line, 0.0]),
            };
            [(cells[0], *first), (cells[1], *second)]
                .map(|(cell, extent)| {
                    let pose = Pose::free(extent, mirror(rng), rng);
                    let side = pose.largest(&cell) * rng.range(FREE_FILL.0, FREE_FILL.1);
                    pose.near(&cell, side, shift, off, rng)
                })
                .to_vec()
        }
        (Kind::Colours, [first, second, ..]) => {
            let cells = halves(&whole, rng.range(SHARE.0, SHARE.1), rng);
            [(cells[0], *first), (cells[1], *second)]
                .map(|(cell, extent)| one(&cell, extent, FREE_FILL, sink, rng))
                .to_vec()
        }
        (Kind::Sizes, [first, second, ..]) => {
            let big = rng.range(BIG_SHARE.0, BIG_SHARE.1);
            let first_is_big = scene.sizes.first() != Some(&Size::Small);
            let cells = halves(&whole, if first_is_big { big } else { 1.0 - big }, rng);
            let (big, small) = if first_is_big { (0, 1) } else { (1, 0) };
            let extents = [*first, *second];
            let large = one(&cells[big], extents[big], (0.88, 1.0), sink, rng);
            let pose = Pose::free(extents[small], mirror(rng), rng);
            let side = (large.side * rng.range(SMALL_SIDE.0, SMALL_SIDE.1)).min(pose.largest(&cells[small]));
            let little = pose.place(&cells[small], side, short, sink, rng);
            if first_is_big {
                vec![large, little]
            } else {
                vec![little, large]
            }
        }
        (Kind::Count, [extent, ..]) => {
            let equal = vec![*extent; extents.len()];
            // Rows are easier to count; as many stand anyhow.
            match rng.chance(0.5).then(|| strewn(&whole, &equal, rng)).flatten() {
                Some(placements) => placements,
                None => grid(&whole, extents.len(), *extent, sink, rng),
            }
        }
        (Kind::Several, _) => {
            let cells = in_reading_order(&whole, extents.len(), rng).into_iter();
            let placed = cells.zip(extents);
            placed
                .map(|(cell, &extent)| one(&cell, extent, FREE_FILL, 0.0, rng))
                .collect()
        }
        (_, [extent, ..]) => {
            let (low, high) = match scene.sizes.first() {
                None => FREE_ALONE,
                Some(Size::Big) => BIG_ALONE,
                Some(Size::Small) => SMALL_ALONE,
            };
            let pose = Pose::free(*extent, mirror(rng), rng);
            let side = pose.largest(&whole).min(1.3 * short) * rng.range(low, high);
            vec![pose.place(&whole, side, short.max(width.max(height)), sink, rng)]
        }
        _ => Vec::new(),
    }
}

/// An object anywhere in its cell, at a size in `fill` of the largest that fits.
fn one(cell: &Cell, extent: [f32; 2], fill: (f32, f32), sink: f32, rng: &mut Rng) -> Placement {
    let pose = Pose::free(extent, mirror(rng), rng);
    let side = pose.largest(cell) * rng.range(fill.0, fill.1);
    pose.place(cell, side, cell.width.max(cell.height), sink, rng)
}

/// Two parts in reading order, along the longer side or, in a square, along either.
fn halves(whole: &Cell, share: f32, rng: &mut Rng) -> [Cell; 2] {
    let ratio = whole.width / whole.height;
    // Side by side is what "and" makes one think of.
    let upright = if ratio < 0.8 {
        0.9
    } else if ratio > 1.25 {
        0.1
    } else {
        0.25
    };
    match rng.chance(upright) {
        true => whole.stacked(share),
        false => whole.beside(share),
    }
}

/// So many parts of a picture, each about as large as the others, in reading order.
fn in_reading_order(whole: &Cell, count: usize, rng: &mut Rng) -> Vec<Cell> {
    let ratio = whole.width / whole.height;
    // How many stand in each row.
    let rows: &[&[usize]] = match count {
        2 => return halves(whole, rng.range(SHARE.0, SHARE.1), rng).to_vec(),
        3 if ratio > 1.4 => &[&[3]],
        3 if ratio < 0.7 => &[&[1, 1, 1]],
        3 => &[&[1, 2], &[2, 1], &[3], &[1, 1, 1]],
        4 if ratio > 2.2 => &[&[4]],
        4 if ratio < 0.45 => &[&[1, 1, 1, 1]],
        4 => &[&[2, 2]],
        _ => return vec![*whole; count],
    };
    let rows = rows[rng.below(rows.len())];
    // Parts of uneven length, none much shorter than the others.
    let uneven = |parts: usize, rng: &mut Rng| {
        let weights: Vec<f32> = (0..parts).map(|_| rng.range(0.8, 1.2)).collect();
        let total: f32 = weights.iter().sum();
        weights
            .into_iter()
            .map(move |weight| weight / total)
            .collect::<Vec<_>>()
    };
    let mut cells = Vec::with_capacity(count);
    let mut top = whole.top;
    for (&columns, high) in rows.iter().zip(uneven(rows.len(), rng)) {
        let mut left = whole.left;
        for wide in uneven(columns, rng) {
            cells.push(Cell {
                left,
                top,
                width: wide * whole.width,
                height: high * whole.height,
            });
            left += wide * whole.width;
        }
        top += high * whole.height;
    }
    cells
}

/// Equal objects where chance puts them, none over another; `None` where chance finds no room.
fn strewn(whole: &Cell, extents: &[[f32; 2]], rng: &mut Rng) -> Option<Vec<Placement>> {
    let area = whole.width * whole.height / extents.len() as f32;
    let mut side = area.sqrt().min(whole.width.min(whole.height)) * rng.range(0.74, 0.92);
    let mirror = mirror(rng);
    let poses: Vec<Pose> = extents.iter().map(|&extent| Pose::free(extent, mirror, rng)).collect();
    for _ in 0..SIZES {
        let mut placed: Vec<(Placement, [f32; 2])> = Vec::with_capacity(extents.len());
        for pose in &poses {
            let side = side.min(pose.largest(whole));
            let reach = pose.reach.map(|reach| reach * side + 1.0);
            let free = (0..TRIES).find_map(|_| {
                let placement = pose.place(whole, side, whole.width.max(whole.height), 0.0, rng);
                let apart = |(other, far): &(Placement, [f32; 2])| {
                    (0..2).any(|axis| (other.centre[axis] - placement.centre[axis]).abs() >= far[axis] + reach[axis])
                };
                placed.iter().all(apart).then_some(placement)
            });
            match free {
                Some(placement) => placed.push((placement, reach)),
                None => break,
            }
        }
        if placed.len() == extents.len() {
            return Some(placed.into_iter().map(|(placement, _)| placement).collect());
        }
        side *= 0.92;
    }
    None
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
