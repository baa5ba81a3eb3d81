// The linear layer of linear.wgsl as a GEMV, for few rows, limited by the bandwidth at which weights are read: a workgroup computes
// four columns, its invocations share K, and a reduction adds their sums.

#include matmul/linear.wgsl

var<workgroup> sums: array<vec4<f32>, ${ROWS*WORKGROUP_SIZE}>;

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(local_invocation_index) local_index: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let column = group.x;
    let row = group.y * ${ROWS}u;
    #for i ROWS
    let x_start${i} = min(row + ${i}u, sizes.R - 1u) * sizes.K;
    var sum${i} = vec4<f32>();
    #end
    let start = column * 4u * sizes.STRIDE;
    for (var k = local_index; k < sizes.K; k += ${WORKGROUP_SIZE}u) {
        #for c 4
        let w${c} = weights(start + ${c}u * sizes.STRIDE, k);
        #end
        #for i ROWS
        let x${i} = x[x_start${i} + k];
        sum${i} += vec4(dot(x${i}, w0), dot(x${i}, w1), dot(x${i}, w2), dot(x${i}, w3));
        #end
    }
    #for i ROWS
    sums[${i*WORKGROUP_SIZE}u + local_index] = sum${i};
    #end
    for (var half = ${WORKGROUP_SIZE}u / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local_index < half {
            #for i ROWS
            sums[${i*WORKGROUP_SIZE}u + local_index] += sums[${i*WORKGROUP_SIZE}u + local_index + half];
            #end
        }
    }
    if local_index == 0u {
        #for i ROWS
        finish(row + ${i}u, column, sums[${i*WORKGROUP_SIZE}u]);
        #end
    }
}
