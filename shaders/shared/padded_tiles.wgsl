// Tiles of the operands of a matmul C = A B in workgroup memory: TILES_M x TILES_N tiles of 64 x 64 results for a workgroup of 16 x 16
// invocations, DEPTH terms of the sums at a time. A shader includes this, and in its main, in this order, padded_tiles_begin.wgsl, the
// loop over K with loads into both tiles and padded_tiles_multiply.wgsl, and padded_tiles_store.wgsl, for which it has
//
//     fn store(part: u32, m: u32, n: u32, value: f32)     writes a result of the workgroup's part of K, which may lie beyond C

// Four numbers behind every line of a tile, so that lines start in different banks of the memory.
const A_LINE = ${16*TILES_M+1}u;
const B_LINE = ${16*TILES_N+1}u;
const DEPTH = ${DEPTH}u;

var<workgroup> a_tile: array<vec4<f32>, ${DEPTH*16*TILES_M+DEPTH}>;
var<workgroup> b_tile: array<vec4<f32>, ${DEPTH*16*TILES_N+DEPTH}>;
