// The linear layer of linear.wgsl with tiles of both operands in workgroup memory.

#include matmul/linear.wgsl

fn depth() -> u32 {
    return sizes.K;
}

fn load_a(row: u32, k: u32) -> vec4<f32> {
    return x[min(row, sizes.R - 1u) * sizes.K + k];
}

fn load_b(local_index: u32, column: u32, image: u32, start: u32) {
    for (var block = local_index; block < ${4*COLUMNS*ACROSS}u; block += ${WORKGROUP_SIZE}u) {
        let part = block % 4u;
        let k = min(start + part, sizes.K - 1u);
        let columns = block / 4u;
        let first = min(column + columns, sizes.N - 1u) * 4u * sizes.STRIDE;
        #for c 4
        let r${c} = weights(first + ${c}u * sizes.STRIDE, k);
        #end
        #for c 4
        b_tile[(part * 4u + ${c}u) * ${COLUMNS*ACROSS}u + columns] = vec4(r0[${c}], r1[${c}], r2[${c}], r3[${c}]);
        #end
    }
}

fn store(row: u32, column: u32, image: u32, sum: vec4<f32>) {
    finish(row, column, sum);
}

#include shared/vec4_tiles.wgsl
