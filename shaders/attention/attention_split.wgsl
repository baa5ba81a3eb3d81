// As attention.wgsl, but PARTS invocations share a query: each has DIM vec4s of its numbers, and the parts of KEYS scores are added in
// workgroup memory. A workgroup follows WORKGROUP_SIZE / PARTS queries, which read the same keys and values at the same time.
// The launcher is in src/kernels/attention/launch.rs, the reference implementation in mod.rs beside it.

#include attention/buffers.wgsl

#sizes

// [key][part][query], so that neighbours read neighbours.
var<workgroup> scores: array<f32, ${KEYS*WORKGROUP_SIZE}>;

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(local_invocation_index) local_index: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let at_once = ${WORKGROUP_SIZE}u / ${PARTS}u;
    let part = local_index / at_once;
    let own = local_index % at_once;
    let token = group.x * at_once + own;
    let head = group.y;
    let image = group.z;
    let read = min(token, sizes.LENGTH - 1u);
    let query = image * sizes.Q_IMAGE + head * sizes.Q_HEAD + read * sizes.Q_TOKEN + part * ${DIM}u;
    let first_key = image * sizes.K_IMAGE + head * sizes.K_HEAD + part * ${DIM}u;
    let first_value = image * sizes.V_IMAGE + head * sizes.V_HEAD + part * ${DIM}u;
    #for c DIM
    let q${c} = queries[query + ${c}u] * bitcast<f32>(sizes.FACTOR);
    var sum${c} = vec4<f32>();
    #end
    var largest = -3.0e38;
    var weights = 0.0;
    for (var start = 0u; start < sizes.KV_LEN; start += ${KEYS}u) {
        workgroupBarrier();
        #for j KEYS
        {
            let k = first_key + min(start + ${j}u, sizes.KV_LEN - 1u) * sizes.K_TOKEN;
            var score = 0.0;
            #for c DIM
            score += dot(q${c}, as_f32(keys[k + ${c}u]));
            #end
            scores[${j*WORKGROUP_SIZE}u + local_index] = score;
        }
        #end
        workgroupBarrier();
        var larger = largest;
        #for j KEYS
        var score${j} = 0.0;
        for (var p = own; p < ${WORKGROUP_SIZE}u; p += at_once) {
            score${j} += scores[${j*WORKGROUP_SIZE}u + p];
        }
        score${j} = select(-3.0e38, score${j}, start + ${j}u < sizes.KV_LEN);
        larger = max(larger, score${j});
        #end
        let kept = exp(largest - larger);
        largest = larger;
        weights *= kept;
        #for c DIM
        sum${c} *= kept;
        #end
        #for j KEYS
        {
            let weight = exp(score${j} - larger);
            let v = first_value + min(start + ${j}u, sizes.KV_LEN - 1u) * sizes.V_TOKEN;
            weights += weight;
            #for c DIM
            sum${c} += as_f32(values[v + ${c}u]) * weight;
            #end
        }
        #end
    }
    if token < sizes.LENGTH {
        let written = ((image * sizes.LENGTH + token) * sizes.HEADS + head) * ${DIM*PARTS}u + part * ${DIM}u;
        #for c DIM
        result[written + ${c}u] = sum${c} / weights;
        #end
    }
}
