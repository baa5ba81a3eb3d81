// The linear layer of linear.wgsl, each invocation by itself: ROWS x 4 VEC4S results in registers, operands from global memory.

#include matmul/linear.wgsl

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let column = at.x * ${VEC4S}u;
    let row = at.y * ${ROWS}u;
    if column >= sizes.N {
        return;
    }
    #for i ROWS
    let x_start${i} = min(row + ${i}u, sizes.R - 1u) * sizes.K;
    #end
    #for f VEC4S
    #for c 4
    let w_start${4*f+c} = (min(column + ${f}u, sizes.N - 1u) * 4u + ${c}u) * sizes.STRIDE;
    #for i ROWS
    var sum${i}_${4*f+c} = 0.0;
    #end
    #end
    #end
    for (var k = 0u; k < sizes.K; k++) {
        #for i ROWS
        let x${i} = x[x_start${i} + k];
        #end
        #for f VEC4S
        #for c 4
        let w${4*f+c} = weights(w_start${4*f+c}, k);
        #for i ROWS
        sum${i}_${4*f+c} += dot(x${i}, w${4*f+c});
        #end
        #end
        #end
    }
    #for i ROWS
    #for f VEC4S
    finish(row + ${i}u, column + ${f}u, vec4(sum${i}_${4*f}, sum${i}_${4*f+1}, sum${i}_${4*f+2}, sum${i}_${4*f+3}));
    #end
    #end
}
