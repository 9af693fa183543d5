//! The imports between the files of a crate, read from its source: what the layer test judges.
//!
//! A path counts wherever it stands: in a `use`, in a type, in an expression, among the arguments of a macro. The test
//! modules of a file do not count, because a test may look at everything. A file that re-exports a name is where
//! others import it from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use twofactor_tests::checkout::files_below;

/// The path of a module inside its crate: `["store", "files"]`; empty for the crate's root.
type ModulePath = Vec<String>;

/// The files of one crate and the imports between them.
pub(crate) struct Imports {
    folder: PathBuf,
    files: BTreeMap<ModulePath, PathBuf>,
    arrows: BTreeMap<(ModulePath, ModulePath), Arrow>,
}

/// A file that imports another one, with the first line that does so.
#[derive(Debug, Clone)]
pub(crate) struct Arrow {
    /// The importing file, below the crate's folder.
    pub(crate) from: PathBuf,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The path as it is written.
    pub(crate) path: String,
    /// The imported file, below the crate's folder.
    pub(crate) to: PathBuf,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} ({})", self.from.display(), self.line, self.path, self.to.display())
    }
}

impl Imports {
    /// Reads every file below `folder`, the `src` of a crate.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut imports = Self { folder: folder.to_owned(), files: modules_below(folder), arrows: BTreeMap::new() };
        for (module, file) in imports.files.clone() {
            imports.read(&module, &file);
        }
        imports
    }

    fn read(&mut self, module: &ModulePath, file: &Path) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut names = ModuleNames { files: &self.files, module, depth: 0, modules: BTreeMap::new() };
        names.visit_file(&parsed);
        let mut paths = Paths { names: &names, depth: 0, found: Vec::new() };
        paths.visit_file(&parsed);
        for (target, written, span) in paths.found {
            if target == *module {
                continue;
            }
            let arrow = Arrow {
                from: self.below(file),
                line: span.start().line,
                path: written.join("::"),
                to: self.below(&self.files[&target]),
            };
            self.arrows.entry((module.clone(), target)).or_insert(arrow);
        }
    }

    fn below(&self, file: &Path) -> PathBuf {
        file.strip_prefix(&self.folder).expect("the file lies in the crate's folder").to_owned()
    }

    /// The number of files.
    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arrow> {
        self.arrows.values()
    }

    /// The imports between two files of which each reaches the other.
    pub(crate) fn circles(&self) -> Vec<&Arrow> {
        let mut leads_to: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = BTreeMap::new();
        for (from, to) in self.arrows.keys() {
            leads_to.entry(from).or_default().insert(to);
        }
        let reaches = |from: &ModulePath, goal: &ModulePath| {
            let (mut seen, mut left) = (BTreeSet::from([from]), vec![from]);
            while let Some(next) = left.pop() {
                if next == goal {
                    return true;
                }
                left.extend(leads_to.get(next).into_iter().flatten().copied().filter(|module| seen.insert(module)));
            }
            false
        };
        self.arrows.iter().filter(|((from, to), _)| reaches(to, from)).map(|(_, arrow)| arrow).collect()
    }

    /// The imports of a file from the file of a folder that it lies in.
    pub(crate) fn upward(&self) -> Vec<&Arrow> {
        self.arrows.iter().filter(|((from, to), _)| from.starts_with(to)).map(|(_, arrow)| arrow).collect()
    }
}

/// The module of every source file below `folder` that is no test's and no program's of its own.
fn modules_below(folder: &Path) -> BTreeMap<ModulePath, PathBuf> {
    let module_of = |file: PathBuf| {
        let relative = file.strip_prefix(folder).expect("the file lies below the folder").with_extension("");
        let mut module: ModulePath = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if module.iter().any(|part| part == "tests" || part == "bin") {
            return None;
        }
        let is_root = module.len() == 1 && ["lib", "main"].contains(&module[0].as_str());
        if is_root || module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        Some((module, file))
    };
    files_below(folder, "rs").into_iter().filter_map(module_of).collect()
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

/// First pass: which names of a file stand for modules of the crate.
struct ModuleNames<'a> {
    files: &'a BTreeMap<ModulePath, PathBuf>,
    module: &'a ModulePath,
    depth: usize,
    modules: BTreeMap<String, ModulePath>,
}

impl ModuleNames<'_> {
    /// The module that `path` names or whose item it names, `depth` inline modules below the file's own.
    fn resolve(&self, path: &[String], depth: usize) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        let absolute = match first.as_str() {
            "crate" => rest.to_vec(),
            "self" if depth > 0 => return None,
            "self" => [self.module.as_slice(), rest].concat(),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                let up_of_file = up.checked_sub(depth)?;
                let kept = self.module.len().checked_sub(up_of_file)?;
                [&self.module[..kept], &path[up..]].concat()
            }
            name => {
                let start = self.modules.get(name)?;
                [start.as_slice(), rest].concat()
            }
        };
        (0..=absolute.len())
            .rev()
            .map(|length| absolute[..length].to_vec())
            .find(|module| self.files.contains_key(module))
    }

    fn name_tree(&mut self, tree: &syn::UseTree) {
        for_each_leaf(&mut Vec::new(), tree, &mut |path, name| {
            let path = if path.last().is_some_and(|last| last == "self") { &path[..path.len() - 1] } else { path };
            let Some(module) = self.resolve(path, self.depth) else { return };
            if module.last() == path.last() && !path.is_empty() {
                self.modules.insert(name.to_owned(), module);
            }
        });
    }
}

impl<'ast> Visit<'ast> for ModuleNames<'_> {
    fn visit_file(&mut self, file: &'ast syn::File) {
        for (module, _) in self
            .files
            .iter()
            .filter(|(module, _)| module.split_last().is_some_and(|(_, parent)| parent == self.module.as_slice()))
        {
            let name = module.last().expect("a child has a name").clone();
            self.modules.insert(name, module.clone());
        }
        visit::visit_file(self, file);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.depth += 1;
            visit::visit_item_mod(self, item);
            self.depth -= 1;
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.name_tree(&item.tree);
        }
    }
}

/// Calls `act` with every path that `tree` imports and the name it gets.
fn for_each_leaf(prefix: &mut Vec<String>, tree: &syn::UseTree, act: &mut impl FnMut(&[String], &str)) {
    match tree {
        syn::UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            for_each_leaf(prefix, &path.tree, act);
            prefix.pop();
        }
        syn::UseTree::Name(name) => {
            prefix.push(name.ident.to_string());
            let own = if name.ident == "self" {
                prefix[prefix.len().saturating_sub(2)].clone()
            } else {
                name.ident.to_string()
            };
            act(prefix, &own);
            prefix.pop();
        }
        syn::UseTree::Rename(rename) => {
            prefix.push(rename.ident.to_string());
            act(prefix, &rename.rename.to_string());
            prefix.pop();
        }
        syn::UseTree::Glob(_) => act(prefix, "*"),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                for_each_leaf(prefix, tree, act);
            }
        }
    }
}

/// Second pass: every path that leads to another file.
struct Paths<'a> {
    names: &'a ModuleNames<'a>,
    depth: usize,
    found: Vec<(ModulePath, Vec<String>, Span)>,
}

impl Paths<'_> {
    fn add(&mut self, path: &[String], span: Span) {
        if let Some(module) = self.names.resolve(path, self.depth) {
            self.found.push((module, path.to_vec(), span));
        }
    }

    /// A macro's arguments are no syntax tree: `a::b` is found in its tokens.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut start, mut colons) = (Span::call_site(), 0);
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end_of(&mut path, start);
                        start = name.span();
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(point) if point.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.end_of(&mut path, start);
                    colons = 0;
                    self.add_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.end_of(&mut path, start);
                    colons = 0;
                }
            }
        }
        self.end_of(&mut path, start);
    }

    fn end_of(&mut self, path: &mut Vec<String>, start: Span) {
        if path.len() > 1 {
            self.add(path, start);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.depth += usize::from(item.content.is_some());
            visit::visit_item_mod(self, item);
            self.depth -= usize::from(item.content.is_some());
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if is_test(&item.attrs) {
            return;
        }
        let span = item.use_token.span;
        let mut leaves = Vec::new();
        for_each_leaf(&mut Vec::new(), &item.tree, &mut |path, _| leaves.push(path.to_vec()));
        for path in leaves {
            self.add(&path, span);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let (true, Some(first)) = (segments.len() > 1, path.segments.first()) {
            self.add(&segments, first.ident.span());
        }
        visit::visit_path(self, path);
    }

    /// `pub(in crate::store)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.add_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}
