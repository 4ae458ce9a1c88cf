//! `cargo xtask tidy`: no import cycles, no two types of one name, no dead links in ARCHITECTURE.md.
//!
//! A file is a node of the import graph. A path in its code, or a private `use`, is an edge to the file that defines
//! the item; re-exports are followed, so a module that only declares and re-exports its children imports nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result};
use clap::Args;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Item, UseTree};
use xshell::Shell;

use crate::failure::{self, unless_empty};

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// Files that are named there and belong to users.
const OF_USERS: [&str; 1] = ["regions.yaml"];

/// Types, by crate and name, that still share their name with another one.
const REPEATED: &[(&str, &str)] = &[
    ("crates/dms-kafka-cli", "Header"),
    ("crates/dms-kafka-cli", "Report"),
    ("crates/dms-kafka-cli", "Rows"),
    ("crates/dms-kafka-gateway", "Deletion"),
    ("crates/dms-kafka-gateway", "Partition"),
    ("crates/dms-kafka-gateway", "Row"),
    ("tests/bench", "Measured"),
    ("tests/bench", "Options"),
    ("tests/bench", "Row"),
    ("tests/bench", "Workload"),
    ("tests/conformance", "Answer"),
    ("tests/conformance", "Case"),
    ("tests/conformance", "Error"),
    ("tests/conformance", "Expect"),
    ("tests/conformance", "Request"),
    ("tests/conformance", "Row"),
    ("tests/conformance", "Tried"),
];

/// Check the structure of the code: import cycles, names of types, files named in ARCHITECTURE.md.
#[derive(Debug, Args)]
pub(crate) struct Tidy;

impl Tidy {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        check(&sh.current_dir())
    }
}

/// Checks every crate of the workspace, and the names of files in ARCHITECTURE.md.
fn check(root: &Path) -> Result<()> {
    let mut failures = Vec::new();
    for member in members(root)? {
        for target in ["lib.rs", "main.rs"].map(|file| format!("{member}/src/{file}")) {
            if root.join(&target).exists() {
                let code = Code::read(root, &target)?;
                failures.extend(code.cycles());
                failures.extend(code.repeated_types(&member));
            }
        }
    }
    failures.extend(missing_files(root)?);
    unless_empty(failures)
}

fn members(root: &Path) -> Result<Vec<String>> {
    let manifest: toml::Table = failure::read_toml(root, "Cargo.toml")?;
    let members = manifest["workspace"]["members"].as_array();
    let members = members
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str);
    Ok(members.map(str::to_owned).collect())
}

/// A module by its path from the root of the crate.
type ModulePath = Vec<String>;

/// The modules of one library or program.
#[derive(Default)]
struct Code {
    modules: BTreeMap<ModulePath, Module>,
    /// Where `#[macro_export]` puts a macro is not where it is defined.
    exported_macros: BTreeMap<String, String>,
}

/// What a module says, its tests left out.
#[derive(Default)]
struct Module {
    file: String,
    uses: Vec<Use>,
    /// Names of the items that are defined here.
    items: BTreeSet<String>,
    /// Whether a macro may define more.
    has_macros: bool,
    types: Vec<String>,
    /// Everything but items of `use` and inline modules.
    code: TokenStream,
}

/// One name that a `use` brings into a module; a glob's name is `*`.
struct Use {
    name: String,
    path: Vec<String>,
    is_private: bool,
}

/// What a path leads to: a module, or an item in it.
#[derive(Debug)]
struct Target {
    module: ModulePath,
    item: Option<String>,
}

/// The names that tie one file to another.
type Edges = BTreeMap<(String, String), BTreeSet<String>>;

impl Code {
    fn read(root: &Path, file: &str) -> Result<Self> {
        let mut code = Self::default();
        code.read_file(root, file, Vec::new())?;
        Ok(code)
    }

    /// Reads a file, then those of its child modules.
    fn read_file(&mut self, root: &Path, file: &str, path: ModulePath) -> Result<()> {
        let text = failure::read(root, file)?;
        let parsed = syn::parse_file(&text).map_err(|error| failure::file(file, error))?;
        if is_test(&parsed.attrs) {
            return Ok(());
        }
        self.add(root, file, path, parsed.items)
    }

    fn add(&mut self, root: &Path, file: &str, path: ModulePath, items: Vec<Item>) -> Result<()> {
        let mut parts = Parts::default();
        let mut module = Module {
            file: file.to_owned(),
            ..Module::default()
        };
        for mut item in items {
            let (name, is_type) = defined(&item);
            if let Some(name) = name.filter(|_| !is_test(attributes(&item))) {
                if is_type {
                    module.types.push(name.clone());
                }
                if let Item::Macro(item) = &item
                    && item
                        .attrs
                        .iter()
                        .any(|it| it.path().is_ident("macro_export"))
                {
                    self.exported_macros.insert(name.clone(), file.to_owned());
                }
                module.items.insert(name);
            }
            module.has_macros |= matches!(&item, Item::Macro(item) if item.ident.is_none());
            parts.visit_item_mut(&mut item);
            item.to_tokens(&mut module.code);
        }
        module.uses = parts.uses;
        self.modules.insert(path.clone(), module);
        for child in parts.modules {
            let name = child.ident.to_string();
            let path = [&*path, std::slice::from_ref(&name)].concat();
            match child.content {
                Some((_, items)) => self.add(root, file, path, items)?,
                None => self.read_file(root, &child_file(root, file, &name), path)?,
            }
        }
        Ok(())
    }

    /// Every group of files that import each other.
    fn cycles(&self) -> Vec<Error> {
        let edges = self.edges();
        let mut next = BTreeMap::<&str, BTreeSet<&str>>::new();
        for (from, to) in edges.keys() {
            next.entry(from).or_default().insert(to);
        }
        let reach: BTreeMap<&str, BTreeSet<&str>> = next
            .keys()
            .map(|&file| (file, reachable(file, &next)))
            .collect();
        let circle = |file: &str| -> BTreeSet<&str> {
            let mutual = |other: &&str| reach.get(other).is_some_and(|back| back.contains(file));
            reach[file].iter().copied().filter(mutual).collect()
        };
        let circles: BTreeSet<BTreeSet<&str>> = next.keys().map(|&file| circle(file)).collect();
        circles
            .into_iter()
            .filter(|files| files.len() > 1)
            .map(|files| {
                let ties = edges.iter().filter(|((from, to), _)| {
                    files.contains(from.as_str()) && files.contains(to.as_str())
                });
                let ties: Vec<String> = ties
                    .map(|((from, to), names)| {
                        let names: Vec<&str> = names.iter().map(String::as_str).collect();
                        format!("  {from} imports {} from {to}", names.join(", "))
                    })
                    .collect();
                let first = files.first().copied().unwrap_or_default();
                let cause =
                    format_args!("import cycle of {} files\n{}", files.len(), ties.join("\n"));
                failure::file(first, cause)
            })
            .collect()
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (path, module) in &self.modules {
            let mut add = |words: &[String]| {
                let Some((file, name)) = self.definition(path, words) else {
                    return;
                };
                if *file != module.file {
                    let tie = (module.file.clone(), file.clone());
                    edges.entry(tie).or_default().insert(name);
                }
            };
            // A name that is only passed on is nothing that this module needs.
            for one in module.uses.iter().filter(|one| one.is_private) {
                add(&one.path);
            }
            for words in paths(module.code.clone()) {
                add(&words);
            }
        }
        edges
    }

    /// The file that defines what a path leads to, and the name of it. A module itself is no definition: what is used of
    /// it has a path of its own. Nor is a name that the module does not have, such as one in code that is generated.
    fn definition(&self, from: &ModulePath, words: &[String]) -> Option<(&String, String)> {
        let target = self.resolve(from, words, 0)?;
        let module = &self.modules[&target.module];
        let item = target.item?;
        let file = if module.items.contains(&item) || module.has_macros {
            &module.file
        } else {
            self.exported_macros.get(&item)?
        };
        Some((file, item))
    }

    /// Follows a path through modules and re-exports; `None` when it leads out of the crate.
    fn resolve(&self, from: &ModulePath, words: &[String], depth: usize) -> Option<Target> {
        // Two globs may re-export each other.
        const MOST_HOPS: usize = 16;
        if depth > MOST_HOPS {
            return None;
        }
        let (mut module, mut rest) = match words.first()?.as_str() {
            "crate" => (Vec::new(), &words[1..]),
            "self" => (from.clone(), &words[1..]),
            "super" => (from[..from.len().checked_sub(1)?].to_vec(), &words[1..]),
            name if self.knows(from, name) => (from.clone(), words),
            _ => return None,
        };
        while let Some(word) = rest.first() {
            let child = [&*module, std::slice::from_ref(word)].concat();
            if word == "super" {
                module.pop()?;
            } else if self.modules.contains_key(&child) {
                module = child;
            } else {
                return Some(self.item(module, rest, depth));
            }
            rest = &rest[1..];
        }
        Some(Target { module, item: None })
    }

    /// Where an item is defined that a module defines or passes on.
    fn item(&self, module: ModulePath, rest: &[String], depth: usize) -> Target {
        let word = &rest[0];
        let here = &self.modules[&module];
        let passed_on = here
            .uses
            .iter()
            .filter(|one| !here.items.contains(word) && (one.name == *word || one.name == "*"));
        for one in passed_on {
            let skipped = usize::from(one.name != "*");
            let words = [&*one.path, &rest[skipped..]].concat();
            match self.resolve(&module, &words, depth + 1) {
                Some(found) if skipped == 1 || self.defines(&found) => return found,
                _ => {}
            }
        }
        Target {
            module,
            item: Some(word.clone()),
        }
    }

    fn defines(&self, target: &Target) -> bool {
        let item = target.item.as_ref();
        item.is_none_or(|item| self.modules[&target.module].items.contains(item))
    }

    /// Whether a bare name in a module is something of this crate that another module may define.
    fn knows(&self, module: &ModulePath, name: &str) -> bool {
        let child = [&**module, &[name.to_owned()]].concat();
        let uses = &self.modules[module].uses;
        self.modules.contains_key(&child) || uses.iter().any(|one| one.name == name)
    }

    /// Types of one crate that share a name.
    fn repeated_types(&self, member: &str) -> Vec<Error> {
        // One file may define a type twice, under conditions that exclude each other.
        let mut places = BTreeMap::<&str, BTreeSet<&str>>::new();
        for module in self.modules.values() {
            for name in &module.types {
                places.entry(name).or_default().insert(&module.file);
            }
        }
        places
            .into_iter()
            .filter(|(name, files)| files.len() > 1 && !REPEATED.contains(&(member, *name)))
            .map(|(name, files)| {
                let files: Vec<&str> = files.into_iter().collect();
                let files = files.join(", ");
                let cause = format_args!("more than one type has the name `{name}`: {files}");
                failure::file(member, cause)
            })
            .collect()
    }
}

fn reachable<'a>(from: &'a str, next: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::from([from]);
    let mut todo = vec![from];
    while let Some(file) = todo.pop() {
        let new = next.get(file).into_iter().flatten();
        todo.extend(new.filter(|file| found.insert(**file)));
    }
    found
}

/// Takes the uses and modules out of a module's items, and drops its tests.
#[derive(Default)]
struct Parts {
    uses: Vec<Use>,
    modules: Vec<syn::ItemMod>,
}

impl VisitMut for Parts {
    fn visit_item_mut(&mut self, item: &mut Item) {
        let is_test = is_test(attributes(item));
        match item {
            _ if is_test => {}
            Item::Use(item) => {
                let is_private = matches!(item.vis, syn::Visibility::Inherited);
                flatten(&item.tree, &mut Vec::new(), &mut |name, path| {
                    self.uses.push(Use {
                        name,
                        path,
                        is_private,
                    });
                });
            }
            Item::Mod(item) => self.modules.push(item.clone()),
            _ => return visit_mut::visit_item_mut(self, item),
        }
        *item = Item::Verbatim(TokenStream::new());
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        item.items
            .retain(|item| !matches!(item, syn::ImplItem::Fn(method) if is_test(&method.attrs)));
        visit_mut::visit_item_impl_mut(self, item);
    }
}

/// Each name of a `use` with its whole path.
fn flatten(tree: &UseTree, path: &mut Vec<String>, found: &mut impl FnMut(String, Vec<String>)) {
    let mut leaf = |ident: &syn::Ident, name: &syn::Ident| {
        let mut path = path.clone();
        if ident != "self" {
            path.push(ident.to_string());
        }
        let name = if name == "self" {
            path.last().cloned()
        } else {
            Some(name.to_string())
        };
        found(name.unwrap_or_default(), path);
    };
    match tree {
        UseTree::Path(tree) => {
            path.push(tree.ident.to_string());
            flatten(&tree.tree, path, found);
            path.pop();
        }
        UseTree::Name(tree) => leaf(&tree.ident, &tree.ident),
        UseTree::Rename(tree) => leaf(&tree.ident, &tree.rename),
        UseTree::Glob(_) => found("*".to_owned(), path.clone()),
        UseTree::Group(tree) => {
            for tree in &tree.items {
                flatten(tree, path, found);
            }
        }
    }
}

/// Every path in the code, macros included, as its words. A word after a dot is a field or method.
fn paths(code: TokenStream) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let (mut colons, mut follows_dot) = (0, false);
    for token in code {
        match token {
            TokenTree::Ident(word) => {
                match found.last_mut() {
                    Some(path) if colons == 2 && !path.is_empty() => path.push(word.to_string()),
                    _ if follows_dot => {}
                    _ => found.push(vec![word.to_string()]),
                }
                (colons, follows_dot) = (0, false);
            }
            TokenTree::Punct(mark) => {
                colons = if mark.as_char() == ':' { colons + 1 } else { 0 };
                follows_dot = mark.as_char() == '.';
                if colons == 0 {
                    found.push(Vec::new());
                }
            }
            TokenTree::Group(group) => {
                found.extend(paths(group.stream()));
                found.push(Vec::new());
                (colons, follows_dot) = (0, false);
            }
            TokenTree::Literal(_) => (colons, follows_dot) = (0, false),
        }
    }
    found.retain(|path| !path.is_empty());
    found
}

/// The name that an item defines, and whether it is a type's.
fn defined(item: &Item) -> (Option<String>, bool) {
    let (ident, is_type) = match item {
        Item::Struct(item) => (&item.ident, true),
        Item::Enum(item) => (&item.ident, true),
        Item::Trait(item) => (&item.ident, true),
        Item::Type(item) => (&item.ident, true),
        Item::Fn(item) => (&item.sig.ident, false),
        Item::Const(item) => (&item.ident, false),
        Item::Static(item) => (&item.ident, false),
        Item::Macro(item) => return (item.ident.as_ref().map(ToString::to_string), false),
        _ => return (None, false),
    };
    (Some(ident.to_string()), is_type)
}

fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`, also with more conditions.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute
            .meta
            .to_token_stream()
            .to_string()
            .replace(' ', "");
        condition == "cfg(test)" || condition.starts_with("cfg(all(test,")
    })
}

/// The file of a child module, by Rust's rules.
fn child_file(root: &Path, parent: &str, name: &str) -> String {
    let path = Path::new(parent);
    let folder = path.parent().unwrap_or(path);
    let owns_folder = ["lib.rs", "main.rs", "mod.rs"]
        .iter()
        .any(|file| path.ends_with(file));
    let folder = if owns_folder {
        folder.to_owned()
    } else {
        path.with_extension("")
    };
    let flat = folder.join(name).with_extension("rs");
    let file = if root.join(&flat).exists() {
        flat
    } else {
        folder.join(name).join("mod.rs")
    };
    file.display().to_string()
}

/// Files and folders that ARCHITECTURE.md names and that do not exist. It may leave the beginning of a path out.
fn missing_files(root: &Path) -> Result<Vec<Error>> {
    let text = failure::read(root, ARCHITECTURE)?;
    let mut known = Vec::new();
    list(root, &mut known).map_err(|error| failure::file(root.display(), error))?;
    let mut failures = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for name in named_files(line) {
            if !OF_USERS.contains(&name) && !known.iter().any(|path| path.ends_with(name)) {
                let cause = format_args!("`{name}` does not exist");
                failures.push(failure::at(ARCHITECTURE, (number, 1), cause));
            }
        }
    }
    Ok(failures)
}

/// What looks like a file or folder, among the code and the links of a line.
fn named_files(line: &str) -> impl Iterator<Item = &str> {
    const ENDINGS: [&str; 6] = [".rs", ".toml", ".md", ".yaml", ".txt", ".java"];
    let code = line.split('`').skip(1).step_by(2);
    let links = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    code.chain(links).filter(|name| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        let is_path = name.contains('/')
            && !name.starts_with(['/', '-'])
            && !name.starts_with("application/");
        name.bytes().all(is_plain) && (is_path || ENDINGS.iter().any(|end| name.ends_with(end)))
    })
}

/// Everything below a folder but what is built or hidden from people.
fn list(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if ["target", ".git", "node_modules"]
            .iter()
            .any(|name| entry.file_name() == *name)
        {
            continue;
        }
        found.push(entry.path());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), found)?;
        }
    }
    Ok(())
}
