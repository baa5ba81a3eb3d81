// silu((x - mean) / deviation * weight + bias) for x [B, C, A] with the statistics [B G, 2] of group_norm_statistics.wgsl.
// The launcher is in src/kernels/norm/group_norm.rs, the reference implementation in src/kernels/reference/norm.rs.

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let CHANNELS = sizes.CHANNELS;
    let AREA = sizes.AREA;
    let PER_GROUP = sizes.PER_GROUP;
    // One invocation per up to EACH neighbours of one channel: x runs over those, y over images and channels.
    let row = at.y;
    let first = at.x * ${EACH}u;
    let channel = row % CHANNELS;
    let group = row / PER_GROUP;
    let factor = weight[channel] * statistics[2u * group + 1u];
    let shift = bias[channel] - statistics[2u * group] * factor;
    for (var i = first; i < min(first + ${EACH}u, AREA); i++) {
        let value = x[row * AREA + i] * factor + shift;
        y[row * AREA + i] = value / (1.0 + exp(-value));
    }
}
