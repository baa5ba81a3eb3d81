// Two sums over the pixels of every channel of every image, [B C, 2], for the gradients of silu(GN(x) weight + bias): of d, and of d
// times the normed x, where d is the gradient g [B, C, A] before the SiLU. One workgroup per channel of an image.
// The launcher is in src/kernels/norm/group_norm_backward.rs; the reference is burn's automatic differentiation.

#include shared/reduction.wgsl

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(3) var<storage, read_write> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) local_index: u32) {
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
    for (var i = local_index; i < AREA; i += WORKGROUP_SIZE) {
        let normed = (x[row * AREA + i] - mean) * inverse;
        let value = normed * factor + shift;
        let sigmoid = 1.0 / (1.0 + exp(-value));
        let d = g[row * AREA + i] * sigmoid * (1.0 + value * (1.0 - sigmoid));
        all += d;
        along += d * normed;
    }
    all = total(local_index, all);
    along = total(local_index, along);
    if local_index == 0u {
        result[2u * row] = all;
        result[2u * row + 1u] = along;
    }
}
