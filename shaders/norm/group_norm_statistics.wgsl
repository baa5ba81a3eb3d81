// Mean and 1 / sqrt(variance + epsilon) of every group of x [B, G, N]: statistics [B G, 2]. One workgroup per group.
// The launcher is in src/kernels/norm/group_norm.rs, the reference implementation in src/kernels/reference/norm.rs.

#include shared/reduction.wgsl

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> statistics: array<f32>;
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local_index: u32) {
    let NUMBERS = sizes.NUMBERS;
    let start = group.x * NUMBERS;
    var sum = 0.0;
    for (var i = local_index; i < NUMBERS; i += WORKGROUP_SIZE) {
        sum += x[start + i];
    }
    let mean = total(local_index, sum) / f32(NUMBERS);
    var squares = 0.0;
    for (var i = local_index; i < NUMBERS; i += WORKGROUP_SIZE) {
        let off = x[start + i] - mean;
        squares += off * off;
    }
    let variance = total(local_index, squares) / f32(NUMBERS);
    if local_index == 0u {
        statistics[2u * group.x] = mean;
        statistics[2u * group.x + 1u] = inverseSqrt(variance + bitcast<f32>(${EPSILON}u));
    }
}
