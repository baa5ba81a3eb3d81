// Tokens [N B, L, C P P] of F~_k: the sum [B, C, H, W] resized to h x w positions, P x P of which make a token, N times one after
// the other. One invocation per number of the tokens.
// The launcher and the reference implementation are in src/kernels/sampling/next_tokens.rs.

#include shared/bilinear.wgsl

@group(0) @binding(0) var<storage, read_write> sum: array<f32>;
@group(0) @binding(1) var<storage, read_write> tokens: array<f32>;
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let P = sizes.P;
    let numbers = sizes.BATCH * sizes.CHANNELS * sizes.H_K * sizes.W_K;
    if at.x >= sizes.TIMES * numbers {
        return;
    }
    let i = at.x % numbers;
    let per_token = sizes.CHANNELS * P * P;
    let token = i / per_token;
    let per_image = (sizes.H_K / P) * (sizes.W_K / P);
    let place = token % per_image;
    let part = i % per_token;
    let row = place / (sizes.W_K / P) * P + part / P % P;
    let column = place % (sizes.W_K / P) * P + part % P;
    let plane = (token / per_image * sizes.CHANNELS + part / (P * P)) * sizes.HEIGHT * sizes.WIDTH;
    let y = source(row, sizes.H_K, sizes.HEIGHT);
    let x = source(column, sizes.W_K, sizes.WIDTH);
    let upper = plane + y.low * sizes.WIDTH;
    let lower = plane + y.high * sizes.WIDTH;
    let above = mix(sum[upper + x.low], sum[upper + x.high], x.fraction);
    let below = mix(sum[lower + x.low], sum[lower + x.high], x.fraction);
    tokens[at.x] = mix(above, below, y.fraction);
}
