// The product of linear.wgsl by workgroups of ACROSS x DOWN invocations: sixteen of K at a time are turned and staged in
// workgroup memory, so that an invocation reads four rows or four columns at once, for 4 ROWS x 4 COLUMNS results of its own.

// [k][row in fours] and [k][column in fours].
var<workgroup> x_tile: array<vec4<f32>, ${16*ROWS*DOWN}>;
var<workgroup> w_tile: array<vec4<f32>, ${16*COLUMNS*ACROSS}>;

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let across = lane % ${ACROSS}u;
    let down = lane / ${ACROSS}u;
    // In fours.
    let row = group.y * ${ROWS*DOWN}u;
    let column = group.x * ${COLUMNS*ACROSS}u;
    #for i ROWS
    #for c 4
    #for j COLUMNS
    var sum${4*i+c}_${j} = vec4<f32>();
    #end
    #end
    #end
    for (var start = 0u; start < sizes.K; start += 4u) {
        for (var block = lane; block < ${4*ROWS*DOWN}u; block += ${LANES}u) {
            let part = block % 4u;
            let k = min(start + part, sizes.K - 1u);
            let inside = f32(start + part < sizes.K);
            let four = block / 4u;
            #for c 4
            let r${c} = x[min((row + four) * 4u + ${c}u, sizes.R - 1u) * sizes.K + k] * inside;
            #end
            #for c 4
            x_tile[(part * 4u + ${c}u) * ${ROWS*DOWN}u + four] = vec4(r0[${c}], r1[${c}], r2[${c}], r3[${c}]);
            #end
        }
        for (var block = lane; block < ${4*COLUMNS*ACROSS}u; block += ${LANES}u) {
            let part = block % 4u;
            let k = min(start + part, sizes.K - 1u);
            let four = block / 4u;
            let first = min(column + four, sizes.N - 1u) * 4u * sizes.STRIDE;
            #for c 4
            let r${c} = weights(first + ${c}u * sizes.STRIDE, k);
            #end
            #for c 4
            w_tile[(part * 4u + ${c}u) * ${COLUMNS*ACROSS}u + four] = vec4(r0[${c}], r1[${c}], r2[${c}], r3[${c}]);
            #end
        }
        workgroupBarrier();
        for (var k = 0u; k < 16u; k++) {
            // Neighbours of an invocation read neighbours, so what is its own lies ACROSS or DOWN apart.
            #for i ROWS
            let x${i} = x_tile[k * ${ROWS*DOWN}u + down + ${i*DOWN}u];
            #end
            #for j COLUMNS
            let w${j} = w_tile[k * ${COLUMNS*ACROSS}u + across + ${j*ACROSS}u];
            #for i ROWS
            #for c 4
            sum${4*i+c}_${j} += x${i}[${c}] * w${j};
            #end
            #end
            #end
        }
        workgroupBarrier();
    }
    #for i ROWS
    #for c 4
    #for j COLUMNS
    finish((row + down + ${i*DOWN}u) * 4u + ${c}u, column + across + ${j*ACROSS}u, sum${4*i+c}_${j});
    #end
    #end
    #end
}
