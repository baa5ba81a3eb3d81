// Mean and 1 / sqrt(variance + epsilon) of every group of x [B, G, N]: statistics [B G, 2]. A workgroup takes a group.
// The launcher and the twin in plain tensor operations are in src/kernels/norm.rs.

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> statistics: array<f32>;
#sizes

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let NUMBERS = sizes.NUMBERS;
    let start = group.x * NUMBERS;
    var sum = 0.0;
    for (var i = lane; i < NUMBERS; i += LANES) {
        sum += x[start + i];
    }
    let mean = total(lane, sum) / f32(NUMBERS);
    var squares = 0.0;
    for (var i = lane; i < NUMBERS; i += LANES) {
        let off = x[start + i] - mean;
        squares += off * off;
    }
    let variance = total(lane, squares) / f32(NUMBERS);
    if lane == 0u {
        statistics[2u * group.x] = mean;
        statistics[2u * group.x + 1u] = inverseSqrt(variance + bitcast<f32>(${EPSILON}u));
    }
}
