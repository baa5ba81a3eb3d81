// A norm of rows x [B L, C]: the layer norm if CENTRED, else the root mean square norm, which takes no mean off. Then a factor and a
// shift per channel: the norm's own weight and bias [C] if OWN, or, if MODULATED, 1 + and + the parts SCALE and
// SHIFT of the prompt's [B, PARTS, C], plus those of a block's table [PARTS, C] (adaptive layer norm). Bias and table may lack.
// A workgroup takes a row. The launcher and the twin in plain tensor operations are in src/kernels/norm.rs.

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> first: array<f32>;
#if SECOND
@group(0) @binding(3) var<storage, read_write> second: array<f32>;
#end
#sizes

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let CHANNELS = sizes.CHANNELS;
    let start = group.x * CHANNELS;
    var mean = 0.0;
    #if CENTRED
    for (var c = lane; c < CHANNELS; c += LANES) {
        mean += x[start + c];
    }
    mean = total(lane, mean) / f32(CHANNELS);
    #end
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
        let image = (group.x / sizes.LENGTH) * sizes.PARTS * CHANNELS + c;
        var scale = 1.0 + first[image + sizes.SCALE * CHANNELS];
        var shift = first[image + sizes.SHIFT * CHANNELS];
        #if SECOND
        scale += second[sizes.SCALE * CHANNELS + c];
        shift += second[sizes.SHIFT * CHANNELS + c];
        #end
        y[start + c] = normed * scale + shift;
        #end
        #if OWN
        var value = normed * first[c];
        #if SECOND
        value += second[c];
        #end
        y[start + c] = value;
        #end
    }
}
