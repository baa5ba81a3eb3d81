//! Error messages for an exhausted heap and for panics, where the page would only see an unreachable instruction.

use std::alloc::{GlobalAlloc, Layout, System};
use wasm_bindgen::{JsValue, throw_str};

/// Where www/worker.js looks for the text of a panic.
const PANICKED: &str = "panicked";

#[global_allocator]
static HEAP: Heap = Heap;

/// The system's allocator, but a request that it cannot meet throws. Rust would abort without a word.
struct Heap;

// SAFETY: every call is the system allocator's; what it refuses never returns.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that the system's allocator asks for, here and below.
        granted(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        granted(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        granted(unsafe { System.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

fn granted(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        throw_str("out of memory: the engine's heap cannot grow any further");
    }
    memory
}

/// Makes a panic leave its text for the worker, and print it. Of several panics the first is kept: it is the cause.
pub fn name_panics() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        let (scope, key) = (js_sys::global(), JsValue::from(PANICKED));
        if !js_sys::Reflect::has(&scope, &key).unwrap_or(false) {
            // A scope that takes no property only leaves the worker with what the browser says.
            let _ = js_sys::Reflect::set(&scope, &key, &panic.to_string().into());
        }
    }));
}
