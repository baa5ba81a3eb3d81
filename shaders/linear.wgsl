// y = x W^T + b for x [R, K], W [N, K], and what follows it: tanh-GELU, or residual + gamma y, where gamma is part GATE of a
// block's table [6, N] plus the prompt's [B, 6, N]. An invocation computes ROWS x COLUMNS results and loads four of K at once.
// The launcher and the twin in plain tensor operations are in src/kernels/linear.rs.

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#if BIAS
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
#end
#if RESIDUAL
@group(0) @binding(${3+BIAS}) var<storage, read_write> residual: array<f32>;
#end
#if GATED
@group(0) @binding(${4+BIAS}) var<storage, read_write> table: array<f32>;
@group(0) @binding(${5+BIAS}) var<storage, read_write> prompt: array<f32>;
#end
#sizes

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let ROWS_IN_ALL = sizes.R;
    let N = sizes.N;
    // In fours.
    let K = sizes.K;
    let LENGTH = sizes.LENGTH;
    let GATE = sizes.GATE;
    let column = at.x * ${COLUMNS}u;
    let row = at.y * ${ROWS}u;
    if column >= N {
        return;
    }
    #for i ROWS
    let x_start${i} = min(row + ${i}u, ROWS_IN_ALL - 1u) * K;
    #end
    #for j COLUMNS
    let w_start${j} = min(column + ${j}u, N - 1u) * K;
    #for i ROWS
    var sum${i}_${j} = 0.0;
    #end
    #end
    for (var k = 0u; k < K; k++) {
        #for i ROWS
        let x${i} = x[x_start${i} + k];
        #end
        #for j COLUMNS
        let w${j} = weight[w_start${j} + k];
        #for i ROWS
        sum${i}_${j} += dot(x${i}, w${j});
        #end
        #end
    }
    #for j COLUMNS
    if column + ${j}u < N {
        let n = column + ${j}u;
        #if BIAS
        let shift = bias[n];
        #end
        #if GATED
        let own = table[GATE * N + n];
        #end
        #for i ROWS
        if row + ${i}u < ROWS_IN_ALL {
            let at${i} = (row + ${i}u) * N + n;
            var value = sum${i}_${j};
            #if BIAS
            value += shift;
            #end
            #if GELU
            // 1 + tanh(u) = 2 / (1 + exp(-2 u)), which does not overflow on any adapter.
            value /= 1.0 + exp(-1.5957691216057308 * (value + 0.044715 * value * value * value));
            #end
            #if GATED
            value *= own + prompt[((row + ${i}u) / LENGTH * 6u + GATE) * N + n];
            #end
            #if RESIDUAL
            value += residual[at${i}];
            #end
            y[at${i}] = value;
        }
        #end
    }
    #end
}
