// softmax(factor q k^T + mask) v without the matrix of scores: an invocation follows one query over all keys and keeps the
// largest score so far, the sum of exponentials and the sum of values. Queries [B, H, L, hd] or, if BY_TOKEN, [B, L, H, hd];
// keys and values [B, H, ROOM, hd], of which the first SEEN count; a mask [B, SEEN]; the result is [B, L, H hd].
// The launcher and the twin in plain tensor operations are in src/kernels/attention.rs.

// hd in fours.
const DIM = ${DIM}u;

@group(0) @binding(0) var<storage, read_write> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>;
#if MASKED
@group(0) @binding(4) var<storage, read_write> mask: array<f32>;
#end
#sizes

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let LENGTH = sizes.LENGTH;
    let HEADS = sizes.HEADS;
    let ROOM = sizes.ROOM;
    let SEEN = sizes.SEEN;
    let token = at.x;
    let head = at.y;
    let image = at.z;
    if token >= LENGTH {
        return;
    }
    let by_token = ((image * LENGTH + token) * HEADS + head) * DIM;
    #if BY_TOKEN
    let query = by_token;
    #end
    #if BY_HEAD
    let query = ((image * HEADS + head) * LENGTH + token) * DIM;
    #end
    let start = (image * HEADS + head) * ROOM * DIM;
    #for c DIM
    let q${c} = queries[query + ${c}u] * bitcast<f32>(${FACTOR}u);
    var sum${c} = vec4<f32>();
    #end
    var largest = -3.0e38;
    var weights = 0.0;
    for (var key = 0u; key < SEEN; key++) {
        let row = start + key * DIM;
        var score = 0.0;
        #for c DIM
        score += dot(q${c}, keys[row + ${c}u]);
        #end
        #if MASKED
        score += mask[image * SEEN + key];
        #end
        let larger = max(largest, score);
        let kept = exp(largest - larger);
        let weight = exp(score - larger);
        largest = larger;
        weights = weights * kept + weight;
        #for c DIM
        sum${c} = sum${c} * kept + values[row + ${c}u] * weight;
        #end
    }
    #for c DIM
    result[by_token + ${c}u] = sum${c} / weights;
    #end
}
