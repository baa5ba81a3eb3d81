// What the gradients of silu(GN(x) weight + bias) need to know of every channel of every image: the sums over its pixels of d and
// of d times the normed x, [B C, 2], where d is the gradient g [B, C, A] before the SiLU. A workgroup takes a channel of an image.
// The launcher is in src/kernels/group_norm.rs; its twin is burn's automatic differentiation.

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(3) var<storage, read_write> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;
#sizes

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let AREA = sizes.AREA;
    let row = at.x;
    let channel = row % sizes.CHANNELS;
    let group = row / sizes.PER_GROUP;
    let mean = statistics[2u * group];
    let inverse = statistics[2u * group + 1u];
    let factor = weight[channel];
    let shift = bias[channel];
    var all = 0.0;
    var along = 0.0;
    for (var i = lane; i < AREA; i += LANES) {
        let normed = (x[row * AREA + i] - mean) * inverse;
        let value = normed * factor + shift;
        let sigmoid = 1.0 / (1.0 + exp(-value));
        let d = g[row * AREA + i] * sigmoid * (1.0 + value * (1.0 - sigmoid));
        all += d;
        along += d * normed;
    }
    all = total(lane, all);
    along = total(lane, along);
    if lane == 0u {
        result[2u * row] = all;
        result[2u * row + 1u] = along;
    }
}
