// Where a sample of a resized axis comes from: linear between half-pixel centers.

struct Source { low: u32, high: u32, fraction: f32 }

fn source(i: u32, to: u32, size: u32) -> Source {
    let place = max((f32(i) + 0.5) * (f32(size) / f32(to)) - 0.5, 0.0);
    let low = min(u32(place), size - 1u);
    return Source(low, min(low + 1u, size - 1u), place - f32(low));
}
