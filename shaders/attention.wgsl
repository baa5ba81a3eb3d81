// softmax(factor q k^T + bias + mask) v without the matrix of scores: an invocation follows one query over all keys and keeps
// the largest score so far, the sum of exponentials and the sum of values. Queries, keys and values lie as their steps from
// image to image, head to head and token to token say, in fours, of which a head has DIM; a bias is [H, L, SEEN], a mask
// [B, SEEN]; the result is [B, L, H hd]. Keys and values are f32 if WHOLE, f16 if HALVED.
// The launcher and the twin in plain tensor operations are in src/kernels/attention.rs.

#if MASKED
@group(0) @binding(4) var<storage, read_write> mask: array<f32>;
#end
#if BIASED
@group(0) @binding(${4+MASKED}) var<storage, read_write> bias: array<f32>;
#end
#sizes

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let LENGTH = sizes.LENGTH;
    let HEADS = sizes.HEADS;
    let SEEN = sizes.SEEN;
    let token = at.x;
    let head = at.y;
    let image = at.z;
    if token >= LENGTH {
        return;
    }
    let query = image * sizes.Q_IMAGE + head * sizes.Q_HEAD + token * sizes.Q_TOKEN;
    let first_key = image * sizes.K_IMAGE + head * sizes.K_HEAD;
    let first_value = image * sizes.V_IMAGE + head * sizes.V_HEAD;
    #for c DIM
    let q${c} = queries[query + ${c}u] * bitcast<f32>(sizes.FACTOR);
    var sum${c} = vec4<f32>();
    #end
    var largest = -3.0e38;
    var weights = 0.0;
    for (var key = 0u; key < SEEN; key++) {
        let k = first_key + key * sizes.K_TOKEN;
        let v = first_value + key * sizes.V_TOKEN;
        var score = 0.0;
        #for c DIM
        score += dot(q${c}, numbers(keys[k + ${c}u]));
        #end
        #if MASKED
        score += mask[image * SEEN + key];
        #end
        #if BIASED
        score += bias[(head * LENGTH + token) * SEEN + key];
        #end
        let larger = max(largest, score);
        let kept = exp(largest - larger);
        let weight = exp(score - larger);
        largest = larger;
        weights = weights * kept + weight;
        #for c DIM
        sum${c} = sum${c} * kept + numbers(values[v + ${c}u]) * weight;
        #end
    }
    let written = ((image * LENGTH + token) * HEADS + head) * ${DIM}u;
    #for c DIM
    result[written + ${c}u] = sum${c} / weights;
    #end
}
