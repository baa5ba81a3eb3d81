// A norm of rows x [B L, C]: the layer norm if CENTERED, else the root mean square norm, which subtracts no mean. Then a factor and a
// shift per channel. If AFFINE these are the norm's own weight and bias [C]. If ADAPTIVE the factor is 1 + part SCALE, and the shift
// part SHIFT, of the prompt's [B, PARTS, C] plus a block's table [PARTS, C]. Bias and table are optional (SECOND). One workgroup per row.
// The launcher and the reference implementation are in src/kernels/norm/layer_norm.rs.

#include shared/reduction.wgsl

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> first: array<f32>;
#if SECOND
@group(0) @binding(3) var<storage, read_write> second: array<f32>;
#end
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local_index: u32) {
    let CHANNELS = sizes.CHANNELS;
    let start = group.x * CHANNELS;
    var mean = 0.0;
    #if CENTERED
    for (var c = local_index; c < CHANNELS; c += WORKGROUP_SIZE) {
        mean += x[start + c];
    }
    mean = total(local_index, mean) / f32(CHANNELS);
    #end
    var squares = 0.0;
    for (var c = local_index; c < CHANNELS; c += WORKGROUP_SIZE) {
        let off = x[start + c] - mean;
        squares += off * off;
    }
    let variance = total(local_index, squares) / f32(CHANNELS);
    let inverse = inverseSqrt(variance + bitcast<f32>(${EPSILON}u));
    for (var c = local_index; c < CHANNELS; c += WORKGROUP_SIZE) {
        let normed = (x[start + c] - mean) * inverse;
        #if ADAPTIVE
        let image = (group.x / sizes.LENGTH) * sizes.PARTS * CHANNELS + c;
        var scale = 1.0 + first[image + sizes.SCALE * CHANNELS];
        var shift = first[image + sizes.SHIFT * CHANNELS];
        #if SECOND
        scale += second[sizes.SCALE * CHANNELS + c];
        shift += second[sizes.SHIFT * CHANNELS + c];
        #end
        y[start + c] = normed * scale + shift;
        #end
        #if AFFINE
        var value = normed * first[c];
        #if SECOND
        value += second[c];
        #end
        y[start + c] = value;
        #end
    }
}
