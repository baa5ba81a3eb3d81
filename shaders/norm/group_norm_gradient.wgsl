// The gradient [B, C, A] of x in silu(GN(x) weight + bias), from the gradient g of the result and the sums [B C, 2] of
// group_norm_gradient_sums.wgsl: (d weight - mean of that - normed x times mean of that times normed x) / deviation, means over a
// group. One workgroup per channel of an image.
// The launcher is in src/kernels/norm/group_norm_backward.rs; the reference is burn's automatic differentiation.

#include shared/reduction.wgsl

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(3) var<storage, read_write> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> channel_sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> result: array<f32>;
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) local_index: u32) {
    let CHANNELS = sizes.CHANNELS;
    let AREA = sizes.AREA;
    let PER_GROUP = sizes.PER_GROUP;
    let row = at.x;
    let channel = row % CHANNELS;
    let group = row / PER_GROUP;
    var all = 0.0;
    var along = 0.0;
    for (var i = local_index; i < PER_GROUP; i += WORKGROUP_SIZE) {
        let other = group * PER_GROUP + i;
        all += weight[other % CHANNELS] * channel_sums[2u * other];
        along += weight[other % CHANNELS] * channel_sums[2u * other + 1u];
    }
    let numbers = f32(PER_GROUP * AREA);
    all = total(local_index, all) / numbers;
    along = total(local_index, along) / numbers;
    let mean = statistics[2u * group];
    let inverse = statistics[2u * group + 1u];
    let factor = weight[channel];
    let shift = bias[channel];
    for (var i = local_index; i < AREA; i += WORKGROUP_SIZE) {
        let normed = (x[row * AREA + i] - mean) * inverse;
        let value = normed * factor + shift;
        let sigmoid = 1.0 / (1.0 + exp(-value));
        let d = g[row * AREA + i] * sigmoid * (1.0 + value * (1.0 - sigmoid));
        result[row * AREA + i] = inverse * (d * factor - all - normed * along);
    }
}
