// F_k = F_{k-1} + the codes of scale k grown to the last grid: sum [B, C, H, W] and bits [B, h w, C P P] of tokens that stand for
// P x P positions each; a code is +-SCALE. One invocation per number of the sum.
// The launcher and the reference implementation are in src/kernels/sampling/add_codes.rs.

#include shared/bilinear.wgsl

@group(0) @binding(0) var<storage, read_write> before: array<f32>;
@group(0) @binding(1) var<storage, read_write> bits: array<i32>;
@group(0) @binding(2) var<storage, read_write> sum: array<f32>;
#sizes

fn code(image: u32, channel: u32, y: u32, x: u32) -> f32 {
    let P = sizes.P;
    let token = (image * (sizes.H_K / P) + y / P) * (sizes.W_K / P) + x / P;
    let bit = bits[((token * sizes.CHANNELS + channel) * P + y % P) * P + x % P];
    return (2.0 * f32(bit) - 1.0) * bitcast<f32>(sizes.SCALE);
}

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let area = sizes.HEIGHT * sizes.WIDTH;
    if at.x >= sizes.BATCH * sizes.CHANNELS * area {
        return;
    }
    let plane = at.x / area;
    let image = plane / sizes.CHANNELS;
    let channel = plane % sizes.CHANNELS;
    let y = source(at.x % area / sizes.WIDTH, sizes.HEIGHT, sizes.H_K);
    let x = source(at.x % sizes.WIDTH, sizes.WIDTH, sizes.W_K);
    let above = mix(code(image, channel, y.low, x.low), code(image, channel, y.low, x.high), x.fraction);
    let below = mix(code(image, channel, y.high, x.low), code(image, channel, y.high, x.high), x.fraction);
    sum[at.x] = before[at.x] + mix(above, below, y.fraction);
}
