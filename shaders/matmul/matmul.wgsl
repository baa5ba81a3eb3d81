// C = A B for A [M, K] and B [K, N], each row-major or column-major, with split-K: PART of K for each layer of workgroups, so that C
// is [parts, M, N], which the launcher adds.
// The launcher and the reference implementation are in src/kernels/matmul/differentiable.rs.

@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
#sizes

#include shared/padded_tiles.wgsl

fn store(part: u32, m: u32, n: u32, value: f32) {
    if m < sizes.M && n < sizes.N {
        c[(part * sizes.M + m) * sizes.N + n] = value;
    }
}

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local_index: u32) {
    let M = sizes.M;
    let N = sizes.N;
    let K = sizes.K;
    let first = group.z * sizes.PART;
    let last = min(first + sizes.PART, K);
    #include shared/padded_tiles_begin.wgsl
    for (var k = first; k < last; k += DEPTH) {
        #for s LOADS_A
        {
            let at = local_index + ${256*s}u;
            #if A_ROW_MAJOR
            let m = at / DEPTH;
            let depth = at % DEPTH;
            let inside = row + m < M && k + depth < last;
            let value = a[select(0u, (row + m) * K + k + depth, inside)];
            #end
            #if A_COLUMN_MAJOR
            let m = at % ${64*TILES_M}u;
            let depth = at / ${64*TILES_M}u;
            let inside = row + m < M && k + depth < last;
            let value = a[select(0u, (k + depth) * M + row + m, inside)];
            #end
            a_tile[depth * A_LINE + m / 4u][m % 4u] = select(0.0, value, inside);
        }
        #end
        #for s LOADS_B
        {
            let at = local_index + ${256*s}u;
            #if B_ROW_MAJOR
            let n = at % ${64*TILES_N}u;
            let depth = at / ${64*TILES_N}u;
            let inside = column + n < N && k + depth < last;
            let value = b[select(0u, (k + depth) * N + column + n, inside)];
            #end
            #if B_COLUMN_MAJOR
            let n = at / DEPTH;
            let depth = at % DEPTH;
            let inside = column + n < N && k + depth < last;
            let value = b[select(0u, (column + n) * K + k + depth, inside)];
            #end
            b_tile[depth * B_LINE + n / 4u][n % 4u] = select(0.0, value, inside);
        }
        #end
        #include shared/padded_tiles_multiply.wgsl
    }
    #include shared/padded_tiles_store.wgsl
}
