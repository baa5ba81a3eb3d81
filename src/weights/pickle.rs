//! A pickle machine that can build plain data and tensor descriptions, and nothing else.
//!
//! Python's pickle is a program; running one from a stranger runs the stranger's code. This machine knows the opcodes
//! that `torch.save` writes for state dicts (protocol 2) and a short list of globals, each of which is data here. Any
//! other opcode or global ends the reading with its name. Nothing is ever called.
//!
//! Values live in one arena and refer to each other by index, so that depth and cycles cost nothing: no step recurses,
//! and every opcode adds at most one value, which bounds memory by the length of the input.

use burn::tensor::{BoolStore, DType};
use std::collections::HashMap;

/// More axes than any weight has.
const MAX_RANK: usize = 8;

/// Longer than any key of a storage, which are decimal numbers.
const MAX_KEY: usize = 64;

/// What can be wrong with a pickle.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum PickleError {
    #[error("the pickle ends inside a value, at byte {0}; the file was cut short: download it again")]
    Truncated(usize),
    #[error(
        "the pickle uses opcode {} at byte {at}, which no state dict needs; nothing was executed. \
         Save the weights alone with torch.save(model.state_dict(), ..) or as safetensors",
        opcode_name(*.opcode)
    )]
    Opcode { opcode: u8, at: usize },
    #[error(
        "the pickle is of protocol {0}, where torch.save writes 2; save it again without the argument pickle_protocol"
    )]
    Protocol(u8),
    #[error(
        "the pickle asks for `{0}`, which no state dict needs; nothing was executed. \
         Save the weights alone with torch.save(model.state_dict(), ..) or as safetensors"
    )]
    Global(String),
    #[error("the pickle is malformed at byte {at}: {what}; the file is damaged: download it again")]
    Malformed { at: usize, what: &'static str },
}

/// Index of a value in its pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(u32);

/// A value. Containers hold the indices of theirs.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Storage(Storage),
    Tensor(StridedView),
    /// Data without use here: a device, a dtype, an integer over 64 bits, the fields of an argument namespace.
    Opaque,
    Global(Global),
}

/// The flat buffer behind tensors: entry `data/{key}` of the archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    pub key: String,
    pub dtype: DType,
    /// Elements, not bytes.
    pub elements: u64,
}

/// A tensor: a strided window into a storage, all counted in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct StridedView {
    pub storage: Id,
    pub offset: u64,
    pub shape: Vec<u64>,
    pub strides: Vec<u64>,
}

/// The globals that are understood, all as data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(DType),
    Size,
    Device,
    Namespace,
}

/// A finished pickle.
#[derive(Debug)]
pub struct Pickle {
    nodes: Vec<Node>,
    root: Id,
}

impl Pickle {
    /// Runs the machine over `bytes` until STOP.
    pub fn parse(bytes: &[u8]) -> Result<Self, PickleError> {
        Self::parse_first(bytes).map(|(pickle, _)| pickle)
    }

    /// The first of several pickles in a row, and where the next one begins.
    pub fn parse_first(bytes: &[u8]) -> Result<(Self, usize), PickleError> {
        Machine::new(bytes).run()
    }

    pub fn root(&self) -> Id {
        self.root
    }

    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The entries of a dict; empty for anything else.
    pub fn items(&self, id: Id) -> &[(Id, Id)] {
        match self.node(id) {
            Node::Dict(items) => items,
            _ => &[],
        }
    }

    pub fn text(&self, id: Id) -> Option<&str> {
        match self.node(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// `dict[key]`; the last of repeated keys, as in Python.
    pub fn get(&self, dict: Id, key: &str) -> Option<Id> {
        let mut items = self.items(dict).iter().rev();
        items.find(|(k, _)| self.text(*k) == Some(key)).map(|(_, v)| *v)
    }

    pub fn storage(&self, view: &StridedView) -> Option<&Storage> {
        match self.node(view.storage) {
            Node::Storage(storage) => Some(storage),
            _ => None,
        }
    }
}

/// Stack, marks, memo and arena of a pickle being read.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack at the open MARKs.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    fn run(mut self) -> Result<(Pickle, usize), PickleError> {
        loop {
            let start = self.at;
            let [opcode] = self.take()?;
            match opcode {
                op::PROTO => match self.take()? {
                    [2] => {}
                    [other] => return Err(PickleError::Protocol(other)),
                },
                op::STOP => {
                    let root = self.pop()?;
                    let pickle = Pickle {
                        nodes: self.nodes,
                        root,
                    };
                    return Ok((pickle, self.at));
                }
                op::MARK => self.marks.push(self.stack.len()),
                op::NONE => self.push(Node::None)?,
                op::NEWTRUE => self.push(Node::Bool(true))?,
                op::NEWFALSE => self.push(Node::Bool(false))?,
                op::BININT => {
                    let value = i32::from_le_bytes(self.take()?);
                    self.push(Node::Int(value.into()))?;
                }
                op::BININT1 => {
                    let [value] = self.take()?;
                    self.push(Node::Int(value.into()))?;
                }
                op::BININT2 => {
                    let value = u16::from_le_bytes(self.take()?);
                    self.push(Node::Int(value.into()))?;
                }
                op::LONG1 => {
                    let [length] = self.take()?;
                    let node = long(self.slice(length.into())?);
                    self.push(node)?;
                }
                op::BINFLOAT => {
                    let value = f64::from_be_bytes(self.take()?);
                    self.push(Node::Float(value))?;
                }
                op::BINUNICODE => {
                    let length = u32::from_le_bytes(self.take()?);
                    let text = self.utf8(length as usize)?;
                    self.push(Node::Text(text))?;
                }
                op::EMPTY_DICT => self.push(Node::Dict(Vec::new()))?,
                op::EMPTY_LIST => self.push(Node::List(Vec::new()))?,
                op::EMPTY_TUPLE => self.push(Node::Tuple(Vec::new()))?,
                op::TUPLE1 => self.tuple(1)?,
                op::TUPLE2 => self.tuple(2)?,
                op::TUPLE3 => self.tuple(3)?,
                op::TUPLE => {
                    let items = self.pop_mark()?;
                    self.push(Node::Tuple(items))?;
                }
                op::APPEND => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                op::APPENDS => {
                    let items = self.pop_mark()?;
                    self.append(items)?;
                }
                op::SETITEM => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.set(vec![key, value])?;
                }
                op::SETITEMS => {
                    let items = self.pop_mark()?;
                    self.set(items)?;
                }
                op::BINPUT => {
                    let [slot] = self.take()?;
                    self.remember(slot.into())?;
                }
                op::LONG_BINPUT => {
                    let slot = u32::from_le_bytes(self.take()?);
                    self.remember(slot)?;
                }
                op::BINGET => {
                    let [slot] = self.take()?;
                    self.recall(slot.into())?;
                }
                op::LONG_BINGET => {
                    let slot = u32::from_le_bytes(self.take()?);
                    self.recall(slot)?;
                }
                op::GLOBAL => {
                    let global = self.global()?;
                    self.push(global)?;
                }
                op::BINPERSID => self.persistent()?,
                op::REDUCE | op::NEWOBJ => self.reduce(opcode)?,
                op::BUILD => self.build()?,
                opcode => return Err(PickleError::Opcode { opcode, at: start }),
            }
        }
    }

    fn malformed(&self, what: &'static str) -> PickleError {
        PickleError::Malformed { at: self.at, what }
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.at..];
        let slice = rest.get(..length).ok_or(PickleError::Truncated(self.bytes.len()))?;
        self.at += length;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.first_chunk().ok_or(PickleError::Truncated(self.bytes.len()))?;
        self.at += N;
        Ok(*taken)
    }

    fn utf8(&mut self, length: usize) -> Result<String, PickleError> {
        let bytes = self.slice(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.malformed("text is not UTF-8"))?;
        Ok(text.to_string())
    }

    fn line(&mut self) -> Result<&'a str, PickleError> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&b| b == b'\n');
        let line = self.slice(end.ok_or(PickleError::Truncated(self.bytes.len()))?)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| self.malformed("a name is not UTF-8"))
    }

    fn push(&mut self, node: Node) -> Result<(), PickleError> {
        let id = u32::try_from(self.nodes.len()).map_err(|_| self.malformed("too many values"))?;
        self.nodes.push(node);
        self.stack.push(Id(id));
        Ok(())
    }

    /// The top of the stack, which must lie above the innermost mark.
    fn pop(&mut self) -> Result<Id, PickleError> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn top(&self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(id) if self.stack.len() > floor => Ok(*id),
            _ => Err(self.malformed("a value is missing")),
        }
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let height = self.marks.pop().ok_or_else(|| self.malformed("a mark is missing"))?;
        Ok(self.stack.split_off(height))
    }

    fn node(&self, id: Id) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn tuple(&mut self, length: usize) -> Result<(), PickleError> {
        let mut items = (0..length).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.push(Node::Tuple(items))
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), PickleError> {
        let list = self.top()?;
        match &mut self.nodes[list.0 as usize] {
            Node::List(list) => list.extend(items),
            _ => return Err(self.malformed("values are appended to what is no list")),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Result<(), PickleError> {
        let (pairs, odd) = items.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(self.malformed("a key has no value"));
        }
        let dict = self.top()?;
        match &mut self.nodes[dict.0 as usize] {
            Node::Dict(dict) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(self.malformed("items are set on what is no dict")),
        }
        Ok(())
    }

    fn remember(&mut self, slot: u32) -> Result<(), PickleError> {
        let id = self.top()?;
        self.memo.insert(slot, id);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), PickleError> {
        let id = self.memo.get(&slot).copied();
        self.stack
            .push(id.ok_or_else(|| self.malformed("an unknown memo is recalled"))?);
        Ok(())
    }

    fn global(&mut self) -> Result<Node, PickleError> {
        let (module, name) = (self.line()?, self.line()?);
        let global = match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
            ("torch", "Size") => Global::Size,
            ("torch", "device") => Global::Device,
            ("argparse", "Namespace") => Global::Namespace,
            ("torch", "float32" | "float16" | "bfloat16" | "float64" | "int64" | "int32" | "bool") => {
                return Ok(Node::Opaque);
            }
            ("torch", class) if let Some(dtype) = storage_dtype(class) => Global::Storage(dtype),
            _ => return Err(PickleError::Global(format!("{module}.{name}"))),
        };
        Ok(Node::Global(global))
    }

    /// `('storage', class, key, device, elements)`: the only kind of persistent id that torch writes. Before 1.6 it
    /// added a sixth value, None unless the storage is a part of another.
    fn persistent(&mut self) -> Result<(), PickleError> {
        let id = self.pop()?;
        let Node::Tuple(parts) = self.node(id) else {
            return Err(self.malformed("a storage is not described by a tuple"));
        };
        let (kind, class, key, elements) = match parts[..] {
            [kind, class, key, _device, elements] => (kind, class, key, elements),
            [kind, class, key, _device, elements, part] if self.node(part) == &Node::None => {
                (kind, class, key, elements)
            }
            _ => return Err(self.malformed("a storage is not described by five values")),
        };
        let described = match (self.node(kind), self.node(class), self.node(key), self.node(elements)) {
            (Node::Text(kind), Node::Global(Global::Storage(dtype)), Node::Text(key), Node::Int(elements))
                if kind == "storage" && key.len() <= MAX_KEY =>
            {
                u64::try_from(*elements).ok().map(|elements| Storage {
                    key: key.clone(),
                    dtype: *dtype,
                    elements,
                })
            }
            _ => None,
        };
        match described {
            Some(storage) => self.push(Node::Storage(storage)),
            None => Err(self.malformed("a storage is not described as torch does")),
        }
    }

    /// A "call" of one of the known globals: builds the data that it stands for.
    fn reduce(&mut self, opcode: u8) -> Result<(), PickleError> {
        let arguments = self.pop()?;
        let callee = self.pop()?;
        let Node::Global(global) = *self.node(callee) else {
            return Err(self.malformed("a value that is no global is called"));
        };
        let Node::Tuple(arguments) = self.node(arguments) else {
            return Err(self.malformed("arguments are not a tuple"));
        };
        match (global, &arguments[..]) {
            (Global::OrderedDict, []) => self.push(Node::Dict(Vec::new())),
            (Global::Namespace, []) => self.push(Node::Opaque),
            (Global::Device, _) if opcode == op::REDUCE => self.push(Node::Opaque),
            (Global::Size, &[sizes]) if opcode == op::REDUCE => {
                self.stack.push(sizes);
                Ok(())
            }
            (Global::RebuildParameter, &[tensor, ..]) if opcode == op::REDUCE => {
                if !matches!(self.node(tensor), Node::Tensor(_)) {
                    return Err(self.malformed("a parameter holds no tensor"));
                }
                self.stack.push(tensor);
                Ok(())
            }
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) if opcode == op::REDUCE => {
                let view = self.view(storage, offset, shape, strides);
                let view = view.ok_or_else(|| self.malformed("a tensor is not described as torch does"))?;
                self.push(Node::Tensor(view))
            }
            _ => Err(self.malformed("a global is called with arguments it does not take")),
        }
    }

    fn view(&self, storage: Id, offset: Id, shape: Id, strides: Id) -> Option<StridedView> {
        let (Node::Storage(_), Node::Int(offset)) = (self.node(storage), self.node(offset)) else {
            return None;
        };
        let (shape, strides) = (self.counts(shape)?, self.counts(strides)?);
        (shape.len() == strides.len()).then_some(StridedView {
            storage,
            offset: u64::try_from(*offset).ok()?,
            shape,
            strides,
        })
    }

    /// A short tuple of non-negative integers.
    fn counts(&self, id: Id) -> Option<Vec<u64>> {
        match self.node(id) {
            Node::Tuple(items) if items.len() <= MAX_RANK => items
                .iter()
                .map(|item| match self.node(*item) {
                    Node::Int(value) => u64::try_from(*value).ok(),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }

    /// Attributes set on an object (module versions of a state dict, fields of a namespace): of no use here.
    fn build(&mut self) -> Result<(), PickleError> {
        self.pop()?;
        let object = self.top()?;
        match self.node(object) {
            Node::Dict(_) | Node::Opaque | Node::Tensor(_) => Ok(()),
            _ => Err(self.malformed("attributes are set on plain data")),
        }
    }
}

/// A little-endian two's complement integer of any length.
fn long(bytes: &[u8]) -> Node {
    if bytes.len() > 8 {
        return Node::Opaque;
    }
    let negative = bytes.last().is_some_and(|&b| b >= 0x80);
    let mut all = [if negative { 0xff } else { 0 }; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(all))
}

fn storage_dtype(class: &str) -> Option<DType> {
    Some(match class {
        "DoubleStorage" => DType::F64,
        "FloatStorage" => DType::F32,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "CharStorage" => DType::I8,
        "ByteStorage" => DType::U8,
        "BoolStorage" => DType::Bool(BoolStore::U8),
        _ => return None,
    })
}

/// The opcodes that are understood.
mod op {
    pub const MARK: u8 = b'(';
    pub const STOP: u8 = b'.';
    pub const NONE: u8 = b'N';
    pub const NEWTRUE: u8 = 0x88;
    pub const NEWFALSE: u8 = 0x89;
    pub const BININT: u8 = b'J';
    pub const BININT1: u8 = b'K';
    pub const BININT2: u8 = b'M';
    pub const LONG1: u8 = 0x8a;
    pub const BINFLOAT: u8 = b'G';
    pub const BINUNICODE: u8 = b'X';
    pub const EMPTY_DICT: u8 = b'}';
    pub const EMPTY_LIST: u8 = b']';
    pub const EMPTY_TUPLE: u8 = b')';
    pub const TUPLE: u8 = b't';
    pub const TUPLE1: u8 = 0x85;
    pub const TUPLE2: u8 = 0x86;
    pub const TUPLE3: u8 = 0x87;
    pub const APPEND: u8 = b'a';
    pub const APPENDS: u8 = b'e';
    pub const SETITEM: u8 = b's';
    pub const SETITEMS: u8 = b'u';
    pub const BINPUT: u8 = b'q';
    pub const LONG_BINPUT: u8 = b'r';
    pub const BINGET: u8 = b'h';
    pub const LONG_BINGET: u8 = b'j';
    pub const GLOBAL: u8 = b'c';
    pub const BINPERSID: u8 = b'Q';
    pub const REDUCE: u8 = b'R';
    pub const NEWOBJ: u8 = 0x81;
    pub const BUILD: u8 = b'b';
    pub const PROTO: u8 = 0x80;
}

/// Python's name of an opcode that is refused, for the message.
fn opcode_name(opcode: u8) -> String {
    let name = match opcode {
        b'i' => "INST",
        b'o' => "OBJ",
        b'P' => "PERSID",
        0x82..=0x84 => "EXT",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x94 => "MEMOIZE",
        0x95 => "FRAME",
        _ => return format!("0x{opcode:02x}"),
    };
    format!("{name} (0x{opcode:02x})")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Assembles pickles by hand.
    #[derive(Clone, Default)]
    pub struct Assembler(pub Vec<u8>);

    impl Assembler {
        pub fn new() -> Self {
            Self(vec![op::PROTO, 2])
        }

        pub fn raw(mut self, bytes: &[u8]) -> Self {
            self.0.extend(bytes);
            self
        }

        pub fn text(self, text: &str) -> Self {
            let length = (text.len() as u32).to_le_bytes();
            self.raw(b"X").raw(&length).raw(text.as_bytes())
        }

        pub fn int(self, value: i32) -> Self {
            self.raw(b"J").raw(&value.to_le_bytes())
        }

        pub fn ints(self, values: &[i32]) -> Self {
            let marked = self.raw(b"(");
            values.iter().fold(marked, |all, &v| all.int(v)).raw(b"t")
        }

        pub fn global(self, module: &str, name: &str) -> Self {
            self.raw(format!("c{module}\n{name}\n").as_bytes())
        }

        /// A tensor as torch describes it, over storage `key`.
        pub fn tensor(self, key: &str, elements: i32, offset: i32, shape: &[i32], strides: &[i32]) -> Self {
            self.global("torch._utils", "_rebuild_tensor_v2")
                .raw(b"((")
                .text("storage")
                .global("torch", "FloatStorage")
                .text(key)
                .text("cpu")
                .int(elements)
                .raw(b"tQ")
                .int(offset)
                .ints(shape)
                .ints(strides)
                .raw(b"\x89")
                .global("collections", "OrderedDict")
                .raw(b")RtR")
        }

        pub fn stop(self) -> Vec<u8> {
            self.raw(b".").0
        }
    }

    fn parse(assembled: Assembler) -> Result<Pickle, PickleError> {
        Pickle::parse(&assembled.stop())
    }

    fn complaint(assembled: Assembler) -> String {
        parse(assembled).unwrap_err().to_string()
    }

    #[test]
    fn reads_plain_values() {
        let long = Assembler::new().raw(b"\x8a\x01\xfe");
        assert_eq!(parse(long).map(|p| p.node(p.root()).clone()), Ok(Node::Int(-2)));
        let float = Assembler::new().raw(b"G").raw(&1.25f64.to_be_bytes());
        assert_eq!(parse(float).map(|p| p.node(p.root()).clone()), Ok(Node::Float(1.25)));
        let wide = Assembler::new().raw(b"\x8a\x09\0\0\0\0\0\0\0\0\x01");
        assert_eq!(parse(wide).map(|p| p.node(p.root()).clone()), Ok(Node::Opaque));

        let dict = Assembler::new()
            .raw(b"}q\x05(")
            .text("a")
            .raw(b"](K\x01M\x02\x01Neu")
            .text("self")
            .raw(b"h\x05s");
        let pickle = parse(dict).unwrap();
        let root = pickle.root();
        let Node::List(list) = pickle.node(pickle.get(root, "a").unwrap()) else {
            panic!("no list");
        };
        let list: Vec<_> = list.iter().map(|id| pickle.node(*id).clone()).collect();
        assert_eq!(list, [Node::Int(1), Node::Int(258), Node::None]);
        assert_eq!(pickle.get(root, "self"), Some(root));
        assert_eq!(pickle.get(root, "b"), None);
    }

    #[test]
    fn reads_tensors_parameters_and_attributes() {
        let tensor = Assembler::new().tensor("7", 20, 3, &[2, 4], &[1, 2]);
        let pickle = parse(tensor.clone()).unwrap();
        let Node::Tensor(view) = pickle.node(pickle.root()) else {
            panic!("no tensor");
        };
        assert_eq!(
            (view.offset, &view.shape[..], &view.strides[..]),
            (3, &[2, 4][..], &[1, 2][..])
        );
        assert_eq!(pickle.storage(view).unwrap().key, "7");
        assert_eq!(pickle.storage(view).unwrap().elements, 20);

        let parameter = Assembler::new()
            .global("torch._utils", "_rebuild_parameter")
            .raw(b"(")
            .raw(&tensor.0[2..])
            .raw(b"\x88")
            .global("collections", "OrderedDict")
            .raw(b")RtR");
        let pickle = parse(parameter).unwrap();
        assert!(matches!(pickle.node(pickle.root()), Node::Tensor(_)));

        let namespace = Assembler::new()
            .global("argparse", "Namespace")
            .raw(b")\x81}(")
            .text("lr")
            .raw(b"K\x01ub");
        let pickle = parse(namespace).unwrap();
        assert_eq!(pickle.node(pickle.root()), &Node::Opaque);
    }

    #[test]
    fn names_the_global_it_refuses() {
        let system = Assembler::new()
            .global("os", "system")
            .raw(b"(")
            .text("true")
            .raw(b"tR");
        let message = complaint(system);
        assert!(
            message.contains("`os.system`") && message.contains("nothing was executed"),
            "{message}"
        );
        for (module, name) in [("builtins", "eval"), ("torch", "load"), ("torch", "UntypedStorage")] {
            assert!(complaint(Assembler::new().global(module, name)).contains(&format!("`{module}.{name}`")));
        }
    }

    #[test]
    fn names_the_opcode_it_refuses() {
        assert!(complaint(Assembler::new().raw(b"\x93")).contains("STACK_GLOBAL"));
        assert!(complaint(Assembler::new().raw(b"(ios\nsystem\n")).contains("INST"));
        assert!(complaint(Assembler::new().raw(b"N0")).contains("0x30"));
        assert_eq!(Pickle::parse(b"\x80\x04N.").unwrap_err(), PickleError::Protocol(4));
    }

    #[test]
    fn refuses_malformed_programs() {
        for (program, expected) in [
            (&b""[..], "value is missing"),
            (b"a", "value is missing"),
            (b"Na", "value is missing"),
            (b"NNa", "no list"),
            (b"NNNs", "no dict"),
            (b"}(Nu", "a key has no value"),
            (b"t", "mark is missing"),
            (b"N(\x85", "value is missing"),
            (b"h\x01", "unknown memo"),
            (b"NQ", "tuple"),
            (b")Q", "five values"),
            (b"N)R", "no global"),
            (b"ccollections\nOrderedDict\nNR", "not a tuple"),
            (b"ccollections\nOrderedDict\nN\x85R", "does not take"),
            (b"ctorch._utils\n_rebuild_tensor_v2\n)\x81", "does not take"),
            (b"NNb", "plain data"),
            (b"X\x01\0\0\0\xff", "UTF-8"),
        ] {
            let message = complaint(Assembler::new().raw(program));
            assert!(message.contains(expected), "{program:?}: {message}");
        }
        let negative = Assembler::new().tensor("0", 4, -1, &[2], &[1]);
        assert!(complaint(negative).contains("not described as torch does"));
        let ranks = Assembler::new().tensor("0", 4, 0, &[2, 2], &[1]);
        assert!(complaint(ranks).contains("not described as torch does"));
        let deep = Assembler::new().tensor("0", 4, 0, &[1; 9], &[1; 9]);
        assert!(complaint(deep).contains("not described as torch does"));
        let storage = Assembler::new().tensor("0", -4, 0, &[1], &[1]);
        assert!(complaint(storage).contains("not described as torch does"));
    }

    #[test]
    fn depth_costs_no_stack() {
        let mut deep = Assembler::new().raw(&b"]".repeat(1_000_000));
        deep = deep.raw(&b"a".repeat(999_999));
        assert!(parse(deep).is_ok());
    }

    #[test]
    fn every_prefix_is_refused() {
        let whole = Assembler::new()
            .raw(b"}")
            .text("w")
            .tensor("0", 4, 0, &[2, 2], &[2, 1])
            .raw(b"s")
            .stop();
        assert!(Pickle::parse(&whole).is_ok());
        for end in 0..whole.len() {
            assert_eq!(Pickle::parse(&whole[..end]).unwrap_err(), PickleError::Truncated(end));
        }
    }
}
