// A matmul C = A B by workgroups of ACROSS x DOWN invocations. Sixteen of K at a time are transposed into workgroup memory, so that
// an invocation reads four rows or four columns at once, for 4 ROWS x 4 COLUMNS results of its own. A shader that includes this says
// what the matrices are; rows of A and of C are counted one by one, columns of C and `depth` in vec4s:
//
//     fn depth() -> u32                                   K in vec4s
//     fn load_a(row: u32, k: u32) -> vec4<f32>            4 k to 4 k + 3 of a row of A, of the last one for a row beyond it
//     fn load_b(local_index: u32, column: u32, image: u32, start: u32)     puts sixteen of K, from 4 start on, into b_tile
//     fn store(row: u32, column: u32, image: u32, sum: vec4<f32>)          writes results, of which some may lie beyond C

// [k][row / 4] and [k][column in vec4s].
var<workgroup> a_tile: array<vec4<f32>, ${16*ROWS*DOWN}>;
var<workgroup> b_tile: array<vec4<f32>, ${16*COLUMNS*ACROSS}>;

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(local_invocation_index) local_index: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let across = local_index % ${ACROSS}u;
    let down = local_index / ${ACROSS}u;
    // By fours.
    let row = group.y * ${ROWS*DOWN}u;
    let column = group.x * ${COLUMNS*ACROSS}u;
    let last = depth();
    #for i ROWS
    #for c 4
    #for j COLUMNS
    var sum${4*i+c}_${j} = vec4<f32>();
    #end
    #end
    #end
    for (var start = 0u; start < last; start += 4u) {
        for (var block = local_index; block < ${4*ROWS*DOWN}u; block += ${WORKGROUP_SIZE}u) {
            let part = block % 4u;
            let k = min(start + part, last - 1u);
            let inside = f32(start + part < last);
            let rows = block / 4u;
            #for c 4
            let r${c} = load_a((row + rows) * 4u + ${c}u, k) * inside;
            #end
            #for c 4
            a_tile[(part * 4u + ${c}u) * ${ROWS*DOWN}u + rows] = vec4(r0[${c}], r1[${c}], r2[${c}], r3[${c}]);
            #end
        }
        load_b(local_index, column, group.z, start);
        workgroupBarrier();
        for (var k = 0u; k < 16u; k++) {
            // Neighbours of an invocation read neighbours, so what is its own lies ACROSS or DOWN apart.
            #for i ROWS
            let a${i} = a_tile[k * ${ROWS*DOWN}u + down + ${i*DOWN}u];
            #end
            #for j COLUMNS
            let b${j} = b_tile[k * ${COLUMNS*ACROSS}u + across + ${j*ACROSS}u];
            #for i ROWS
            #for c 4
            sum${4*i+c}_${j} += a${i}[${c}] * b${j};
            #end
            #end
            #end
        }
        workgroupBarrier();
    }
    #for i ROWS
    #for c 4
    #for j COLUMNS
    store((row + down + ${i*DOWN}u) * 4u + ${c}u, column + across + ${j*ACROSS}u, group.z, sum${4*i+c}_${j});
    #end
    #end
    #end
}
