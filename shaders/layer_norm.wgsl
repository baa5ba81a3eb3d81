// Layer norm of rows x [B L, C], then a factor and a shift per channel: those of a norm of its own (weight, bias [C]), or, if
// MODULATED, 1 + and + the parts SCALE and SHIFT of a block's table [6, C] plus the prompt's [B, 6, C] (adaptive layer norm).
// A workgroup takes a row. The launcher and the twin in plain tensor operations are in src/kernels/norm.rs.

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> first: array<f32>;
@group(0) @binding(2) var<storage, read_write> second: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
#sizes

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let CHANNELS = sizes.CHANNELS;
    let LENGTH = sizes.LENGTH;
    let SCALE = sizes.SCALE;
    let SHIFT = sizes.SHIFT;
    let start = group.x * CHANNELS;
    var sum = 0.0;
    for (var c = lane; c < CHANNELS; c += LANES) {
        sum += x[start + c];
    }
    let mean = total(lane, sum) / f32(CHANNELS);
    var squares = 0.0;
    for (var c = lane; c < CHANNELS; c += LANES) {
        let off = x[start + c] - mean;
        squares += off * off;
    }
    let variance = total(lane, squares) / f32(CHANNELS);
    let inverse = inverseSqrt(variance + bitcast<f32>(${EPSILON}u));
    for (var c = lane; c < CHANNELS; c += LANES) {
        let normed = (x[start + c] - mean) * inverse;
        #if MODULATED
        let image = (group.x / LENGTH) * 6u * CHANNELS + c;
        let scale = 1.0 + first[SCALE * CHANNELS + c] + second[image + SCALE * CHANNELS];
        let shift = first[SHIFT * CHANNELS + c] + second[image + SHIFT * CHANNELS];
        y[start + c] = normed * scale + shift;
        #end
        #if AFFINE
        y[start + c] = normed * first[c] + second[c];
        #end
    }
}
