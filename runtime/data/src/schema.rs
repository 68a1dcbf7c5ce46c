//! Pure. Schemas as tables of nodes with positions, and what may be in such a table.

/// Bounds on what is read from others.
pub mod limits {
    /// Nesting of values and of schemas.
    pub const DEPTH: usize = 128;
    /// Nodes of one schema.
    pub const NODES: usize = 10_000;
    /// Bytes of one schema: its names, documentation, parameters and defaults, and a little for each node and field.
    pub const SCHEMA_BYTES: usize = 1 << 20;
    /// Schemas that one side of an instance may have defined at a time.
    pub const SCHEMAS: usize = 1_000;
    /// Bytes of all schemas that one side of an instance may have defined at a time.
    pub const SCHEMAS_BYTES: usize = 16 << 20;
}

/// What values of a node look like, with the positions of the nodes inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Integer of 8 bits.
    Int8,
    /// Integer of 16 bits.
    Int16,
    /// Integer of 32 bits.
    Int32,
    /// Integer of 64 bits.
    Int64,
    /// Single-precision float.
    Float32,
    /// Double-precision float.
    Float64,
    /// True or false.
    Boolean,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// Array of values of the node at this position.
    Array(u32),
    /// Map.
    Map {
        /// Position of the keys' node.
        key: u32,
        /// Position of the values' node.
        value: u32,
    },
    /// Struct.
    Struct(Vec<Field>),
}

impl Type {
    /// The types without nodes inside.
    pub const SCALARS: [Type; 9] = [
        Type::Int8,
        Type::Int16,
        Type::Int32,
        Type::Int64,
        Type::Float32,
        Type::Float64,
        Type::Boolean,
        Type::String,
        Type::Bytes,
    ];
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Position of its node.
    pub node: u32,
}

/// One schema inside a schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// What values look like.
    pub kind: Type,
    /// Whether null is a value.
    pub optional: bool,
    /// The schema's name, among them those of the logical types.
    pub name: Option<String>,
    /// The schema's version.
    pub version: Option<i32>,
    /// Its documentation.
    pub doc: Option<String>,
    /// Its parameters, in order.
    pub parameters: Vec<(String, String)>,
    /// Its default, as CBOR laid out by this node.
    pub default: Option<Vec<u8>>,
}

impl Node {
    /// A required node without name, default or anything else.
    pub fn new(kind: Type) -> Node {
        Node { kind, optional: false, name: None, version: None, doc: None, parameters: Vec::new(), default: None }
    }

    /// The same node, optional.
    pub fn optional(self) -> Node {
        Node { optional: true, ..self }
    }

    /// The same node with a name.
    pub fn named(self, name: &str) -> Node {
        Node { name: Some(name.to_owned()), ..self }
    }
}

/// A schema: its nodes, the root first; every other node is held by exactly one node before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schema {
    nodes: Vec<Node>,
}

/// Why nodes are not a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSchema(pub String);

impl std::fmt::Display for BadSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bad schema: {}", self.0)
    }
}

impl std::error::Error for BadSchema {}

impl Schema {
    /// About how much memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        bytes(&self.nodes)
    }

    /// Checks nodes and makes them a schema.
    pub fn new(nodes: Vec<Node>) -> Result<Schema, BadSchema> {
        check(&nodes).map_err(BadSchema)?;
        Ok(Schema { nodes })
    }

    /// A schema of one node.
    ///
    /// # Panics
    /// When the node holds other nodes.
    pub fn of(node: Node) -> Schema {
        Schema::new(vec![node]).expect("a node that holds no other")
    }

    /// An array of `element`.
    pub fn array(element: Schema) -> Schema {
        let mut nodes = vec![Node::new(Type::Array(1))];
        append(&mut nodes, element);
        Schema { nodes }
    }

    /// A map from `key` to `value`.
    pub fn map(key: Schema, value: Schema) -> Schema {
        let mut nodes = vec![Node::new(Type::Boolean)];
        let key = append(&mut nodes, key);
        let value = append(&mut nodes, value);
        nodes[0].kind = Type::Map { key, value };
        Schema { nodes }
    }

    /// A struct of these fields.
    pub fn record<'a>(fields: impl IntoIterator<Item = (&'a str, Schema)>) -> Schema {
        let mut nodes = vec![Node::new(Type::Boolean)];
        let fields = fields
            .into_iter()
            .map(|(name, schema)| Field { name: name.to_owned(), node: append(&mut nodes, schema) })
            .collect();
        nodes[0].kind = Type::Struct(fields);
        Schema { nodes }
    }

    /// The same schema, optional.
    pub fn optional(mut self) -> Schema {
        self.nodes[0].optional = true;
        self
    }

    /// The same schema with a name.
    pub fn named(mut self, name: &str) -> Schema {
        self.nodes[0].name = Some(name.to_owned());
        self
    }

    /// All nodes, the root first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node at a position found in this schema.
    #[inline]
    pub fn node(&self, position: u32) -> &Node {
        &self.nodes[position as usize]
    }

    /// The root.
    #[inline]
    pub fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// The schema whose root is the node at `position`.
    pub fn subschema(&self, position: u32) -> Schema {
        let mut nodes = Vec::new();
        copy(&self.nodes, position, &mut nodes);
        Schema { nodes }
    }

    /// Whether cells under this schema are the raw string or bytes instead of CBOR.
    #[inline]
    pub fn is_raw(&self) -> bool {
        matches!(self.root().kind, Type::String | Type::Bytes)
    }

    /// The fields of the root; none when it is no struct.
    pub fn fields(&self) -> &[Field] {
        match &self.root().kind {
            Type::Struct(fields) => fields,
            _ => &[],
        }
    }
}

/// About how much memory a schema's nodes take.
fn bytes(nodes: &[Node]) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let of_node = |node: &Node| {
        let fields = match &node.kind {
            Type::Struct(fields) => fields.iter().map(|field| 32 + field.name.len()).sum(),
            Type::Array(_) | Type::Map { .. } => 0,
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Float32 | Type::Float64 => 0,
            Type::Boolean | Type::String | Type::Bytes => 0,
        };
        let parameters: usize = node.parameters.iter().map(|(key, value)| 48 + key.len() + value.len()).sum();
        let default = node.default.as_ref().map_or(0, Vec::len);
        128 + fields + text(&node.name) + text(&node.doc) + parameters + default
    };
    nodes.iter().map(of_node).sum()
}

/// Appends a schema's nodes and answers where its root came to stand.
fn append(nodes: &mut Vec<Node>, schema: Schema) -> u32 {
    let offset = nodes.len() as u32;
    nodes.extend(schema.nodes.into_iter().map(|mut node| {
        each_child(&mut node.kind, |child| *child += offset);
        node
    }));
    offset
}

fn copy(from: &[Node], position: u32, to: &mut Vec<Node>) -> u32 {
    let at = to.len();
    to.push(from[position as usize].clone());
    let mut kind = to[at].kind.clone();
    each_child(&mut kind, |child| *child = copy(from, *child, to));
    to[at].kind = kind;
    at as u32
}

fn each_child(kind: &mut Type, mut visit: impl FnMut(&mut u32)) {
    match kind {
        Type::Array(element) => visit(element),
        Type::Map { key, value } => {
            visit(key);
            visit(value);
        }
        Type::Struct(fields) => fields.iter_mut().for_each(|field| visit(&mut field.node)),
        Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Float32 | Type::Float64 => {}
        Type::Boolean | Type::String | Type::Bytes => {}
    }
}

fn check(nodes: &[Node]) -> Result<(), String> {
    if nodes.is_empty() {
        return Err("it has no nodes".into());
    }
    if nodes.len() > limits::NODES {
        return Err(format!("{} nodes are more than {}", nodes.len(), limits::NODES));
    }
    let bytes = bytes(nodes);
    if bytes > limits::SCHEMA_BYTES {
        return Err(format!("{bytes} bytes are more than {}", limits::SCHEMA_BYTES));
    }
    let mut depth = vec![0usize; nodes.len()];
    depth[0] = 1;
    for (at, node) in nodes.iter().enumerate() {
        if depth[at] == 0 {
            return Err(format!("node {at} is held by no node before it"));
        }
        if depth[at] > limits::DEPTH {
            return Err(format!("nested deeper than {}", limits::DEPTH));
        }
        let mut problem = None;
        each_child(&mut node.kind.clone(), |child| {
            let child = *child as usize;
            if child <= at || child >= nodes.len() {
                problem = Some(format!("node {at} holds node {child}, which does not stand behind it"));
            } else if depth[child] != 0 {
                problem = Some(format!("node {child} is held twice"));
            } else {
                depth[child] = depth[at] + 1;
            }
        });
        if let Some(problem) = problem {
            return Err(problem);
        }
        if let Type::Struct(fields) = &node.kind {
            let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            names.sort_unstable();
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(format!("field {:?} stands twice in node {at}", twice[0]));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_make_what_the_check_accepts() {
        let inner =
            Schema::record([("a", Schema::of(Node::new(Type::Int8))), ("b", Schema::of(Node::new(Type::String)))]);
        let schema = Schema::record([
            ("list", Schema::array(inner.clone())),
            ("map", Schema::map(Schema::of(Node::new(Type::String)), inner.clone().optional())),
        ]);
        assert_eq!(Schema::new(schema.nodes().to_vec()).unwrap(), schema);
        let Type::Array(element) = schema.node(schema.fields()[0].node).kind else { panic!() };
        assert_eq!(schema.subschema(element), inner);
    }

    #[test]
    fn nodes_that_are_no_tree_are_refused() {
        let leaf = || Node::new(Type::Int8);
        let array = |child| Node::new(Type::Array(child));
        for bad in [
            vec![],
            vec![array(0)],
            vec![array(1)],
            vec![array(7), leaf()],
            vec![leaf(), leaf()],
            vec![Node::new(Type::Map { key: 1, value: 1 }), leaf()],
            vec![array(1), array(0)],
            vec![
                Node::new(Type::Struct(vec![Field { name: "x".into(), node: 1 }, Field { name: "x".into(), node: 2 }])),
                leaf(),
                leaf(),
            ],
            (0..200).map(|i| if i == 199 { leaf() } else { array(i + 1) }).collect(),
            vec![leaf(); limits::NODES + 1],
            vec![Node { doc: Some("x".repeat(limits::SCHEMA_BYTES)), ..leaf() }],
        ] {
            assert!(Schema::new(bad.clone()).is_err(), "{:?}", &bad[..bad.len().min(3)]);
        }
    }
}
