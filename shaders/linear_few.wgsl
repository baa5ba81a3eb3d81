// The product of linear.wgsl for few rows, which is as quick as the weights are read: a workgroup takes four columns, its
// invocations share K among them, and their sums are added in workgroup memory.

var<workgroup> sums: array<vec4<f32>, ${ROWS*LANES}>;

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let column = group.x;
    let row = group.y * ${ROWS}u;
    #for i ROWS
    let x_start${i} = min(row + ${i}u, sizes.R - 1u) * sizes.K;
    var sum${i} = vec4<f32>();
    #end
    let start = column * 4u * sizes.STRIDE;
    for (var k = lane; k < sizes.K; k += ${LANES}u) {
        #for c 4
        let w${c} = weights(start + ${c}u * sizes.STRIDE, k);
        #end
        #for i ROWS
        let x${i} = x[x_start${i} + k];
        sum${i} += vec4(dot(x${i}, w0), dot(x${i}, w1), dot(x${i}, w2), dot(x${i}, w3));
        #end
    }
    #for i ROWS
    sums[${i*LANES}u + lane] = sum${i};
    #end
    for (var half = ${LANES}u / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            #for i ROWS
            sums[${i*LANES}u + lane] += sums[${i*LANES}u + lane + half];
            #end
        }
    }
    if lane == 0u {
        #for i ROWS
        finish(row + ${i}u, column, sums[${i*LANES}u]);
        #end
    }
}
