// As attention.wgsl, but PARTS invocations share a query: each has DIM fours of its numbers, and the parts of KEYS scores are added in
// workgroup memory. A workgroup follows LANES / PARTS queries, which read the same keys and values at the same time.
// The launcher and the twin in plain tensor operations are in src/kernels/attention.rs.

#sizes

// [key][part][query], so that neighbours read neighbours.
var<workgroup> scores: array<f32, ${KEYS*LANES}>;

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let at_once = ${LANES}u / ${PARTS}u;
    let part = lane / at_once;
    let own = lane % at_once;
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
    for (var start = 0u; start < sizes.SEEN; start += ${KEYS}u) {
        workgroupBarrier();
        #for j KEYS
        {
            let k = first_key + min(start + ${j}u, sizes.SEEN - 1u) * sizes.K_TOKEN;
            var score = 0.0;
            #for c DIM
            score += dot(q${c}, numbers(keys[k + ${c}u]));
            #end
            scores[${j*LANES}u + lane] = score;
        }
        #end
        workgroupBarrier();
        var larger = largest;
        #for j KEYS
        var score${j} = 0.0;
        for (var p = own; p < ${LANES}u; p += at_once) {
            score${j} += scores[${j*LANES}u + p];
        }
        score${j} = select(-3.0e38, score${j}, start + ${j}u < sizes.SEEN);
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
            let v = first_value + min(start + ${j}u, sizes.SEEN - 1u) * sizes.V_TOKEN;
            weights += weight;
            #for c DIM
            sum${c} += numbers(values[v + ${c}u]) * weight;
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
