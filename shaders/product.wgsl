// C = A B for A [M, K] and B [K, N], each stored by rows or by columns, one part of K a workgroup layer: C [parts, M, N]. A
// workgroup of 16 x 16 invocations stages tiles of both in its memory and computes QM x QN squares of 64 x 64 results, an
// invocation four rows and four columns of each.
// The launcher and the twin in plain tensor operations are in src/kernels/product.rs.

// Four numbers behind every line of a tile, so that lines start in different banks of the memory.
const A_LINE = ${16*QM+1}u;
const B_LINE = ${16*QN+1}u;
const DEPTH = ${DEPTH}u;

@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
#sizes

var<workgroup> a_tile: array<vec4<f32>, ${DEPTH*16*QM+DEPTH}>;
var<workgroup> b_tile: array<vec4<f32>, ${DEPTH*16*QN+DEPTH}>;

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let M = sizes.M;
    let N = sizes.N;
    let K = sizes.K;
    let row = group.y * ${64*QM}u;
    let column = group.x * ${64*QN}u;
    let across = lane % 16u;
    let down = lane / 16u;
    let first = group.z * sizes.PART;
    let last = min(first + sizes.PART, K);
    #for i QM
    #for r 4
    #for j QN
    var sum${4*i+r}_${j} = vec4<f32>();
    #end
    #end
    #end
    for (var k = first; k < last; k += DEPTH) {
        #for s STEPS_A
        {
            let at = lane + ${256*s}u;
            #if A_BY_ROWS
            let m = at / DEPTH;
            let depth = at % DEPTH;
            let inside = row + m < M && k + depth < last;
            let value = a[select(0u, (row + m) * K + k + depth, inside)];
            #end
            #if A_BY_COLUMNS
            let m = at % ${64*QM}u;
            let depth = at / ${64*QM}u;
            let inside = row + m < M && k + depth < last;
            let value = a[select(0u, (k + depth) * M + row + m, inside)];
            #end
            a_tile[depth * A_LINE + m / 4u][m % 4u] = select(0.0, value, inside);
        }
        #end
        #for s STEPS_B
        {
            let at = lane + ${256*s}u;
            #if B_BY_ROWS
            let n = at % ${64*QN}u;
            let depth = at / ${64*QN}u;
            let inside = column + n < N && k + depth < last;
            let value = b[select(0u, (k + depth) * N + column + n, inside)];
            #end
            #if B_BY_COLUMNS
            let n = at / DEPTH;
            let depth = at % DEPTH;
            let inside = column + n < N && k + depth < last;
            let value = b[select(0u, (column + n) * K + k + depth, inside)];
            #end
            b_tile[depth * B_LINE + n / 4u][n % 4u] = select(0.0, value, inside);
        }
        #end
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            #for j QN
            let b${j} = b_tile[depth * B_LINE + ${16*j}u + across];
            #end
            #for i QM
            let a${i} = a_tile[depth * A_LINE + ${16*i}u + down];
            #for r 4
            #for j QN
            sum${4*i+r}_${j} += a${i}[${r}] * b${j};
            #end
            #end
            #end
        }
        workgroupBarrier();
    }
    #for i QM
    #for r 4
    {
        let m = row + ${64*i+r}u + 4u * down;
        #for j QN
        #for s 4
        {
            let n = column + ${64*j+s}u + 4u * across;
            if m < M && n < N {
                c[(group.z * M + m) * N + n] = sum${4*i+r}_${j}[${s}];
            }
        }
        #end
        #end
    }
    #end
    #end
}
