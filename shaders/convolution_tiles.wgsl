// The convolution of convolution.wgsl as a product of matrices that are never made, by workgroups of ACROSS x DOWN invocations: the
// weights [O, C k k] times the shifted copies [C k k, H W] of the input, sixteen of C k k at a time staged in workgroup memory.
// An invocation computes 4 ROWS channels of 4 COLUMNS pixels. C k k and W are multiples of four.
// The launcher and the twin in plain tensor operations are in src/kernels/convolution.rs.

const UP = ${UP}u;
const KERNEL = ${KERNEL}u;
const PAD = KERNEL / 2u;

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
#if BIAS
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
#end
#if RESIDUAL
@group(0) @binding(4) var<storage, read_write> residual: array<vec4<f32>>;
#end
#sizes

// [k][channel in fours] and [k][pixel in fours].
var<workgroup> w_tile: array<vec4<f32>, ${16*ROWS*DOWN}>;
var<workgroup> x_tile: array<vec4<f32>, ${16*COLUMNS*ACROSS}>;

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let across = lane % ${ACROSS}u;
    let down = lane / ${ACROSS}u;
    let image = group.z;
    // In fours.
    let channel = group.y * ${ROWS*DOWN}u;
    let pixel = group.x * ${COLUMNS*ACROSS}u;
    let area = sizes.HEIGHT * sizes.WIDTH / 4u;
    let depth = sizes.CHANNELS * KERNEL * KERNEL;
    #for i ROWS
    #for c 4
    #for j COLUMNS
    var sum${4*i+c}_${j} = vec4<f32>();
    #end
    #end
    #end
    for (var start = 0u; start < depth; start += 16u) {
        for (var block = lane; block < ${4*ROWS*DOWN}u; block += ${LANES}u) {
            let part = block % 4u;
            let k = min(start / 4u + part, depth / 4u - 1u);
            let inside = f32(start + part * 4u < depth);
            let four = block / 4u;
            #for c 4
            let r${c} = weight[min((channel + four) * 4u + ${c}u, sizes.OUT - 1u) * (depth / 4u) + k] * inside;
            #end
            #for c 4
            w_tile[(part * 4u + ${c}u) * ${ROWS*DOWN}u + four] = vec4(r0[${c}], r1[${c}], r2[${c}], r3[${c}]);
            #end
        }
        for (var block = lane; block < ${16*COLUMNS*ACROSS}u; block += ${LANES}u) {
            let k = min(start + block / ${COLUMNS*ACROSS}u, depth - 1u);
            let input = k / (KERNEL * KERNEL);
            let tap = k % (KERNEL * KERNEL);
            let at = min(pixel + block % ${COLUMNS*ACROSS}u, area - 1u) * 4u;
            let row = at / sizes.WIDTH + tap / KERNEL;
            let column = at % sizes.WIDTH + tap % KERNEL;
            let row_inside = row >= PAD && row < sizes.HEIGHT + PAD;
            let line = ((image * sizes.CHANNELS + input) * (sizes.HEIGHT / UP) + select(0u, (row - PAD) / UP, row_inside)) * (sizes.WIDTH / UP);
            var inside = vec4<f32>();
            var four = vec4<f32>();
            #for p 4
            inside[${p}] = f32(row_inside && column + ${p}u >= PAD && column + ${p}u < sizes.WIDTH + PAD);
            four[${p}] = x[line + select(0u, (column + ${p}u - PAD) / UP, inside[${p}] == 1.0)];
            #end
            x_tile[block] = four * inside;
        }
        workgroupBarrier();
        for (var k = 0u; k < 16u; k++) {
            #for i ROWS
            let w${i} = w_tile[k * ${ROWS*DOWN}u + down + ${i*DOWN}u];
            #end
            #for j COLUMNS
            let x${j} = x_tile[k * ${COLUMNS*ACROSS}u + across + ${j*ACROSS}u];
            #for i ROWS
            #for c 4
            sum${4*i+c}_${j} += w${i}[${c}] * x${j};
            #end
            #end
            #end
        }
        workgroupBarrier();
    }
    #for i ROWS
    #for c 4
    {
        let output = (channel + down + ${i*DOWN}u) * 4u + ${c}u;
        #for j COLUMNS
        if output < sizes.OUT && pixel + across + ${j*ACROSS}u < area {
            let at = (image * sizes.OUT + output) * area + pixel + across + ${j*ACROSS}u;
            var value = sum${4*i+c}_${j};
            #if BIAS
            value += bias[output];
            #end
            #if RESIDUAL
            value += residual[at];
            #end
            y[at] = value;
        }
        #end
    }
    #end
    #end
}
