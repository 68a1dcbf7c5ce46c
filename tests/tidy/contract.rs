//! What holds for the contract in `wit/`: every item says what it is, and since when it is there.

use wit_parser::{
    Docs, Function, SourceMap, Span, Stability, Type, TypeDef, TypeDefKind, UnresolvedPackage, UnresolvedPackageGroup,
    WorldItem,
};

use crate::tree::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let ours = |path: &str| path.strip_prefix("wit/").is_some_and(|name| !name.contains('/') && name.ends_with(".wit"));
    let mut texts = SourceMap::new();
    for file in tree.files.iter().filter(|file| ours(&file.path)) {
        texts.push_str(&file.path, file.text.as_str());
    }
    match texts.parse() {
        Ok(UnresolvedPackageGroup { main, source_map, .. }) => {
            Contract { tree, package: &main, texts: source_map }.findings()
        }
        Err((_, error)) => vec![Finding { path: "wit".into(), line: 1, what: format!("not WIT: {error}; mend it") }],
    }
}

struct Contract<'a> {
    tree: &'a Tree,
    package: &'a UnresolvedPackage,
    texts: SourceMap,
}

impl Contract<'_> {
    fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        // An interface without a name is another package's.
        for (_, interface) in self.package.interfaces.iter().filter(|(_, interface)| interface.name.is_some()) {
            if interface.span.is_known() {
                self.item(interface.span, &interface.docs, &interface.stability, &mut found);
            }
            interface.functions.values().for_each(|function| self.function(function, &mut found));
        }
        for (_, world) in self.package.worlds.iter().filter(|(_, world)| world.span.is_known()) {
            self.item(world.span, &world.docs, &world.stability, &mut found);
            for include in &world.includes {
                self.since(include.span, &include.stability, &mut found); // the parser drops its comment
            }
            for item in world.imports.values().chain(world.exports.values()) {
                match item {
                    WorldItem::Interface { stability, docs, span, .. } => self.item(*span, docs, stability, &mut found),
                    WorldItem::Function(function) => self.function(function, &mut found),
                    WorldItem::Type { .. } => {} // comes with the types below
                }
            }
        }
        self.package.types.iter().for_each(|(_, named)| self.named(named, &mut found));
        found.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
        found
    }

    fn function(&self, function: &Function, found: &mut Vec<Finding>) {
        self.item(function.span, &function.docs, &function.stability, found);
    }

    fn named(&self, named: &TypeDef, found: &mut Vec<Finding>) {
        if named.name.is_none() || self.only_used(named) {
            return;
        }
        self.item(named.span, &named.docs, &named.stability, found);
        match &named.kind {
            TypeDefKind::Record(record) => record.fields.iter().for_each(|it| self.docs(it.span, &it.docs, found)),
            TypeDefKind::Variant(variant) => variant.cases.iter().for_each(|it| self.docs(it.span, &it.docs, found)),
            TypeDefKind::Enum(of) => of.cases.iter().for_each(|it| self.docs(it.span, &it.docs, found)),
            TypeDefKind::Flags(of) => of.flags.iter().for_each(|it| self.docs(it.span, &it.docs, found)),
            _ => {} // made of other types, which are looked at by themselves
        }
    }

    /// Whether a type is here by `use`: what it is stands where it is from.
    fn only_used(&self, named: &TypeDef) -> bool {
        match named.kind {
            TypeDefKind::Type(Type::Id(id)) => self.package.types[id].owner != named.owner,
            TypeDefKind::Unknown => true,
            _ => false,
        }
    }

    fn item(&self, span: Span, docs: &Docs, stability: &Stability, found: &mut Vec<Finding>) {
        self.docs(span, docs, found);
        self.since(span, stability, found);
    }

    fn docs(&self, span: Span, docs: &Docs, found: &mut Vec<Finding>) {
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            found.push(self.finding(span, "has no doc comment; say what it is"));
        }
    }

    fn since(&self, span: Span, stability: &Stability, found: &mut Vec<Finding>) {
        if !matches!(stability, Stability::Stable { .. }) {
            found.push(self.finding(span, "does not say since which version it is there; add @since(version = …)"));
        }
    }

    fn finding(&self, span: Span, what: &str) -> Finding {
        let place = self.texts.resolve_span(span);
        let file = place.and_then(|place| Some((self.tree.get(place.path)?, place.range.start)));
        let (file, start) = file.expect("a span of a file of ours");
        file.finding(1 + file.text[..start].matches('\n').count(), what)
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tree::{Tree, places};

    fn findings(text: &str) -> Vec<String> {
        let io = "package wasi:io@0.2.0;\ninterface bare { f: func(); }";
        let files = [
            ("wit/a.wit", "package a:b@0.1.0;\n/// I.\n@since(version = 0.1.0)\ninterface i {}"),
            ("wit/b.wit", text),
            ("wit/deps/io.wit", io),
        ];
        places(&check(&Tree::made(&files)))
    }

    #[test]
    fn what_says_all_of_itself_passes() {
        let text = "/// J.\n@since(version = 0.1.0)\ninterface j {\n use k.{t};\n/// F.\n@since(version = 0.1.0)\nf: func(t: t);\n}\n\
            /// K.\n@since(version = 0.1.0)\ninterface k {\n/// T.\n@since(version = 0.1.0)\nrecord t {\n/// U.\nu: u8 }\n}\n\
            /// W.\n@since(version = 0.1.0)\nworld w {\n/// I.\n@since(version = 0.1.0)\nimport i;\n}\n\
            /// V.\n@since(version = 0.1.0)\nworld v {\n@since(version = 0.1.0)\ninclude w;\n}\n";
        assert_eq!(findings(text), Vec::<String>::new());
    }

    #[test]
    fn every_kind_of_item_needs_its_comment_and_its_version() {
        let interface = |items: &str| format!("/// J.\n@since(version = 0.1.0)\ninterface j {{\n{items}\n}}");
        let world = |items: &str| format!("/// W.\n@since(version = 0.1.0)\nworld w {{\n{items}\n}}");
        let bare = [
            "f: func();",
            "type t = u8;",
            "type t = list<u8>;",
            "record t {\n/// U.\nu: u8 }",
            "variant t {\n/// U.\nu(u8) }",
            "enum t {\n/// U.\nu }",
            "flags t {\n/// U.\nu }",
            "resource t;",
        ];
        for item in bare {
            assert_eq!(findings(&interface(item)), ["wit/b.wit:4", "wit/b.wit:4"], "{item}");
            let described = findings(&interface(&format!("/// T.\n{item}")));
            assert_eq!(described, ["wit/b.wit:5"], "{item}: no version");
            let dated = findings(&interface(&format!("@since(version = 0.1.0)\n{item}")));
            assert_eq!(dated, ["wit/b.wit:5"], "{item}: no comment");
        }
        for item in ["import i;", "export i;", "import f: func();", "export f: func();"] {
            assert_eq!(findings(&world(item)), ["wit/b.wit:4", "wit/b.wit:4"], "{item}");
        }
        assert_eq!(findings("interface j {}"), ["wit/b.wit:1", "wit/b.wit:1"]);
        assert_eq!(findings("world w {}"), ["wit/b.wit:1", "wit/b.wit:1"]);
        assert_eq!(findings(&format!("{}\nworld v {{}}", world("include v;"))).len(), 3);
        let method = "/// T.\n@since(version = 0.1.0)\nresource t {\nm: func(); }";
        assert_eq!(findings(&interface(method)), ["wit/b.wit:7", "wit/b.wit:7"]);
    }

    #[test]
    fn every_part_of_a_type_needs_its_comment() {
        for parts in ["record t {\nu: u8,\n", "variant t {\nu(u8),\n", "enum t {\nu,\n", "flags t {\nu,\n"] {
            let text = format!(
                "/// J.\n@since(version = 0.1.0)\ninterface j {{\n/// T.\n@since(version = 0.1.0)\n{parts}}}\n}}"
            );
            assert_eq!(findings(&text), ["wit/b.wit:7"], "{parts}");
        }
    }

    #[test]
    fn what_is_not_wit_is_found() {
        assert_eq!(findings("interface j {"), ["wit:1"]);
    }
}
