// softmax(factor q k^T + bias + mask) v without the matrix of scores: an invocation follows QUERIES neighbours over all keys and holds
// of each the largest score so far, the sum of exponentials and the sum of values. Queries, keys and values have strides from image
// to image, head to head and token to token, in vec4s, of which a head has DIM; a bias is [H, L, KV_LEN], a mask [B, KV_LEN]; the
// result is [B, L, H hd].
// The launcher is in src/kernels/attention/launch.rs, the reference implementation in mod.rs beside it.

#include attention/buffers.wgsl

#if MASKED
@group(0) @binding(4) var<storage, read_write> mask: array<f32>;
#end
#if BIASED
@group(0) @binding(${4+MASKED}) var<storage, read_write> bias: array<f32>;
#end
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let LENGTH = sizes.LENGTH;
    let HEADS = sizes.HEADS;
    let KV_LEN = sizes.KV_LEN;
    let token = at.x * ${QUERIES}u;
    let head = at.y;
    let image = at.z;
    if token >= LENGTH {
        return;
    }
    let first_query = image * sizes.Q_IMAGE + head * sizes.Q_HEAD;
    let first_key = image * sizes.K_IMAGE + head * sizes.K_HEAD;
    let first_value = image * sizes.V_IMAGE + head * sizes.V_HEAD;
    #for t QUERIES
    // One beyond the last follows the last.
    let token${t} = min(token + ${t}u, LENGTH - 1u);
    let query${t} = first_query + token${t} * sizes.Q_TOKEN;
    #for c DIM
    let q${t}_${c} = queries[query${t} + ${c}u] * bitcast<f32>(sizes.FACTOR);
    var sum${t}_${c} = vec4<f32>();
    #end
    var largest${t} = -3.0e38;
    var weights${t} = 0.0;
    #end
    for (var key = 0u; key < KV_LEN; key++) {
        let k = first_key + key * sizes.K_TOKEN;
        let v = first_value + key * sizes.V_TOKEN;
        #for t QUERIES
        var score${t} = 0.0;
        #end
        #for c DIM
        let k${c} = as_f32(keys[k + ${c}u]);
        #for t QUERIES
        score${t} += dot(q${t}_${c}, k${c});
        #end
        #end
        #for t QUERIES
        #if MASKED
        score${t} += mask[image * KV_LEN + key];
        #end
        #if BIASED
        score${t} += bias[(head * LENGTH + token${t}) * KV_LEN + key];
        #end
        let larger${t} = max(largest${t}, score${t});
        let kept${t} = exp(largest${t} - larger${t});
        let weight${t} = exp(score${t} - larger${t});
        largest${t} = larger${t};
        weights${t} = weights${t} * kept${t} + weight${t};
        #end
        #for c DIM
        let v${c} = as_f32(values[v + ${c}u]);
        #for t QUERIES
        sum${t}_${c} = sum${t}_${c} * kept${t} + v${c} * weight${t};
        #end
        #end
    }
    #for t QUERIES
    if token + ${t}u < LENGTH {
        let written = ((image * LENGTH + token${t}) * HEADS + head) * ${DIM}u;
        #for c DIM
        result[written + ${c}u] = sum${t}_${c} / weights${t};
        #end
    }
    #end
}
