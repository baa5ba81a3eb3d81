//! Reads the parameters of a module: their names, shapes and values.
//!
//! A parameter's name is its path through the module's fields, passed through one `rename` function per model, so
//! that names in code and names in official checkpoints agree by construction.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// Name and values (f32) of every parameter, in field order. Reads synchronously: not for the browser's GPU.
pub fn export_module<M: Module>(module: &M, rename: impl Fn(&str) -> String) -> Vec<(String, TensorData)> {
    let mut exporter = Visitor {
        path: Vec::new(),
        visit: Export {
            rename,
            tensors: Vec::new(),
        },
    };
    module.visit(&mut exporter);
    exporter.visit.tensors
}

/// Name and shape of every parameter, in field order; nothing is allocated or read.
pub fn parameter_shapes<M: Module>(module: &M, rename: impl Fn(&str) -> String) -> Vec<(String, Vec<usize>)> {
    let mut shapes = Visitor {
        path: Vec::new(),
        visit: Shapes {
            rename,
            shapes: Vec::new(),
        },
    };
    module.visit(&mut shapes);
    shapes.visit.shapes
}

/// What to do with one parameter, given its field path.
trait Visit {
    fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>);
}

struct Visitor<V> {
    path: Vec<String>,
    visit: V,
}

impl<V: Visit> ModuleVisitor for Visitor<V> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.visit.visit(self.path.join("."), param);
    }
}

struct Export<F> {
    rename: F,
    tensors: Vec<(String, TensorData)>,
}

impl<F: Fn(&str) -> String> Visit for Export<F> {
    fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
        let values = param.val().without_autodiff().into_data();
        self.tensors.push(((self.rename)(&path), values));
    }
}

struct Shapes<F> {
    rename: F,
    shapes: Vec<(String, Vec<usize>)>,
}

impl<F: Fn(&str) -> String> Visit for Shapes<F> {
    fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().to_vec();
        self.shapes.push(((self.rename)(&path), shape));
    }
}
