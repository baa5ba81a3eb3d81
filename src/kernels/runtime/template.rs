//! The template step: WGSL of `shaders/` with lines repeated, left out or included, and sizes filled in.
//!
//! Shader compilers keep arrays with computed indices in memory: on the software adapter a tile of sums in an array takes four
//! times as long as the same in variables. So the files may repeat lines, which WGSL itself cannot:
//!
//! ```text
//! #for p PIXELS          the lines up to its #end once for every p from 0 below PIXELS
//! let x${p} = ..;        ${..} is a sum of products of counters, constants and numbers
//! #end
//! #if BIAS               the lines up to its #end unless BIAS is 0
//! #sizes                 a uniform `sizes` with the names and values that may differ from launch to launch
//! #include shared/reduction.wgsl    the lines of that file of shaders/, which must be among `INCLUDES`
//! ```

/// A file of `shaders/`.
#[derive(Clone, Copy, Debug)]
pub struct Wgsl {
    pub path: &'static str,
    pub text: &'static str,
}

/// What files of `shaders/` may include.
const INCLUDES: [Wgsl; 9] = [
    wgsl!("attention/buffers.wgsl"),
    wgsl!("matmul/linear.wgsl"),
    wgsl!("shared/bilinear.wgsl"),
    wgsl!("shared/padded_tiles.wgsl"),
    wgsl!("shared/padded_tiles_begin.wgsl"),
    wgsl!("shared/padded_tiles_multiply.wgsl"),
    wgsl!("shared/padded_tiles_store.wgsl"),
    wgsl!("shared/reduction.wgsl"),
    wgsl!("shared/vec4_tiles.wgsl"),
];

/// The WGSL that `source` stands for. `sizes` are the names in the uniform, which is bound behind the `buffers`.
///
/// # Panics
/// On an unknown name or file, or a missing `#end`. Each would be in a file of this crate, and every kernel's test runs it.
pub fn expand(source: &str, constants: &[(&'static str, usize)], sizes: &[&str], buffers: usize) -> String {
    let fields: String = sizes.iter().map(|name| format!("{name}: u32, ")).collect();
    let uniform = format!("struct Sizes {{ {fields}}}\n@group(0) @binding({buffers}) var<uniform> sizes: Sizes;");
    let source = include(source).replace("#sizes", &uniform);
    let lines: Vec<&str> = source.lines().collect();
    let mut names: Vec<(String, usize)> = constants
        .iter()
        .map(|&(name, value)| (name.to_string(), value))
        .collect();
    let mut out = String::new();
    repeat(&lines, &mut names, &mut out);
    out
}

/// The source with the lines of every included file in place of its `#include`.
fn include(source: &str) -> String {
    let mut out = String::new();
    for line in source.lines() {
        match line.trim().strip_prefix("#include ") {
            Some(path) => {
                let found = INCLUDES.iter().find(|file| file.path == path);
                let file = found.unwrap_or_else(|| panic!("a shader includes an unknown `{path}`"));
                out.push_str(&include(file.text));
            }
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

fn repeat(lines: &[&str], names: &mut Vec<(String, usize)>, out: &mut String) {
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["#for", counter, count] => {
                let end = end_of(lines, at);
                for i in 0..value(count, names) {
                    names.push((counter.to_string(), i));
                    repeat(&lines[at + 1..end], names, out);
                    names.pop();
                }
                at = end;
            }
            ["#if", condition] => {
                let end = end_of(lines, at);
                if value(condition, names) != 0 {
                    repeat(&lines[at + 1..end], names, out);
                }
                at = end;
            }
            _ => {
                fill(line, names, out);
                out.push('\n');
            }
        }
        at += 1;
    }
}

/// The line of the `#end` that belongs to the block begun at line `start`.
fn end_of(lines: &[&str], start: usize) -> usize {
    let mut depth = 0;
    for (number, line) in lines.iter().enumerate().skip(start) {
        let line = line.trim();
        if line.starts_with("#for ") || line.starts_with("#if ") {
            depth += 1;
        } else if line == "#end" {
            depth -= 1;
            if depth == 0 {
                return number;
            }
        }
    }
    panic!("a block of a shader has no #end: {}", lines[start]);
}

/// Copies a line with every `${..}` replaced.
fn fill(line: &str, names: &[(String, usize)], out: &mut String) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("${") {
        let (expression, after) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&value(expression, names).to_string());
        rest = after;
    }
    out.push_str(rest);
}

/// A sum of products such as `2*p+1`.
fn value(expression: &str, names: &[(String, usize)]) -> usize {
    let factor = |text: &str| {
        let text = text.trim();
        text.parse().unwrap_or_else(|_| {
            let found = names.iter().rev().find(|(name, _)| name == text);
            found
                .unwrap_or_else(|| panic!("a shader asks for an unknown `{text}`"))
                .1
        })
    };
    let product = |text: &str| text.split('*').map(factor).product::<usize>();
    expression.split('+').map(product).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_repeated_and_filled() {
        let source = "a ${N}\n#for i N\n#for j 2\nx${i}_${j} = y${2*i+j}\n#end\n#if ON\nz${i}\n#end\n#end\nb";
        let expected = "a 2\nx0_0 = y0\nx0_1 = y1\nz0\nx1_0 = y2\nx1_1 = y3\nz1\nb\n";
        assert_eq!(expand(source, &[("N", 2), ("ON", 1)], &[], 0), expected);
        let without = expand(source, &[("N", 1), ("ON", 0)], &[], 0);
        assert_eq!(without, "a 1\nx0_0 = y0\nx0_1 = y1\nb\n");
    }

    #[test]
    #[should_panic(expected = "unknown `M`")]
    fn unknown_names_are_no_text() {
        expand("${M}", &[("N", 2)], &[], 0);
    }

    #[test]
    fn sizes_are_a_uniform_and_files_are_included() {
        let uniform = "struct Sizes { L: u32, C: u32, }\n@group(0) @binding(2) var<uniform> sizes: Sizes;\n";
        assert_eq!(expand("#sizes", &[], &["L", "C"], 2), uniform);
        let found = expand("a\n#include shared/reduction.wgsl\nb", &[("WORKGROUP_SIZE", 8)], &[], 0);
        assert!(found.starts_with("a\n") && found.contains("array<f32, WORKGROUP_SIZE>") && found.ends_with("b\n"));
    }

    #[test]
    #[should_panic(expected = "unknown `nowhere.wgsl`")]
    fn unknown_files_are_no_text() {
        expand("#include nowhere.wgsl", &[], &[], 0);
    }
}
