// From projections qkv [B, L, 3, H, hd] of one scale: queries [B, H, L, hd], biased, of unit length times the head's temperature,
// and rotated; and into the cache [B, H, CAPACITY, hd], behind what is there, keys of unit length, rotated, and biased values.
// The cache is f32 if F32, f16 if F16. One invocation per token and head.
// The launcher is in src/kernels/attention/cache.rs, the reference implementation `SelfAttention` of src/model/transformer/attention.rs.

@group(0) @binding(0) var<storage, read_write> qkv: array<f32>;
// q_bias [H hd], v_bias [H hd], temperatures [H].
@group(0) @binding(1) var<storage, read_write> biases: array<f32>;
@group(0) @binding(2) var<storage, read_write> queries: array<f32>;
// In pairs.
#if F32
@group(0) @binding(3) var<storage, read_write> keys: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> values: array<vec2<f32>>;
#end
#if F16
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<u32>;
#end
#if ROTARY
@group(0) @binding(5) var<storage, read_write> cosines: array<f32>;
@group(0) @binding(6) var<storage, read_write> sines: array<f32>;
#end
#sizes

#if F32
fn stored(pair: vec2<f32>) -> vec2<f32> {
    return pair;
}
#end
#if F16
fn stored(pair: vec2<f32>) -> u32 {
    return pack2x16float(pair);
}
#end

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let LENGTH = sizes.LENGTH;
    let HEADS = sizes.HEADS;
    let DIM = sizes.DIM;
    if at.x >= LENGTH * HEADS {
        return;
    }
    let token = at.x / HEADS;
    let head = at.x % HEADS;
    let start = ((at.y * LENGTH + token) * 3u * HEADS + head) * DIM;
    let query = ((at.y * HEADS + head) * LENGTH + token) * DIM;
    let cached = ((at.y * HEADS + head) * sizes.CAPACITY + sizes.START + token) * DIM / 2u;
    var q_square = 0.0;
    var k_square = 0.0;
    for (var c = 0u; c < DIM; c++) {
        let q = qkv[start + c] + biases[head * DIM + c];
        let k = qkv[start + HEADS * DIM + c];
        q_square += q * q;
        k_square += k * k;
    }
    let q_factor = biases[2u * HEADS * DIM + head] / sqrt(max(q_square, 1e-24));
    let k_factor = 1.0 / sqrt(max(k_square, 1e-24));
    for (var pair = 0u; pair < DIM / 2u; pair++) {
        let c = 2u * pair;
        let qa = (qkv[start + c] + biases[head * DIM + c]) * q_factor;
        let qb = (qkv[start + c + 1u] + biases[head * DIM + c + 1u]) * q_factor;
        let ka = qkv[start + HEADS * DIM + c] * k_factor;
        let kb = qkv[start + HEADS * DIM + c + 1u] * k_factor;
        let va = qkv[start + 2u * HEADS * DIM + c] + biases[(HEADS + head) * DIM + c];
        let vb = qkv[start + 2u * HEADS * DIM + c + 1u] + biases[(HEADS + head) * DIM + c + 1u];
        values[cached + pair] = stored(vec2(va, vb));
        #if ROTARY
        let cosine = cosines[token * (DIM / 2u) + pair];
        let sine = sines[token * (DIM / 2u) + pair];
        queries[query + c] = qa * cosine - qb * sine;
        queries[query + c + 1u] = qa * sine + qb * cosine;
        keys[cached + pair] = stored(vec2(ka * cosine - kb * sine, ka * sine + kb * cosine));
        #end
        #if PLAIN
        queries[query + c] = qa;
        queries[query + c + 1u] = qb;
        keys[cached + pair] = stored(vec2(ka, kb));
        #end
    }
}
