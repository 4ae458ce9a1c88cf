//! `cargo xtask tidy`: no import cycles, no two types of one name, no missing files in ARCHITECTURE.md.
//!
//! A file is a node of the import graph. A path in its code, or a private `use`, is an edge to the file that defines
//! the item; re-exports are followed, so a module that only declares and re-exports its children imports nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, ImplItem, Item, UseTree};
use xshell::Shell;

use crate::failure;

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// Files that are named there and belong to users.
const OF_USERS: [&str; 1] = ["regions.yaml"];

/// Crates whose import cycles are only reported, until the last one is removed.
const WITH_CYCLES: &[&str] = &[
    "crates/dms-kafka",
    "crates/dms-kafka-cli",
    "tests/conformance",
];

/// Crates whose repeated type names are only reported, until the last one is renamed.
const WITH_REPEATED_NAMES: &[&str] = &[
    "crates/dms-kafka",
    "crates/dms-kafka-cli",
    "tests/conformance",
];

/// Checks every crate of the workspace, and the names of files in ARCHITECTURE.md.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    let root = sh.current_dir();
    let manifest: toml::Table = failure::read_toml(&root, "Cargo.toml")?;
    let members = manifest["workspace"]["members"].as_array();
    let mut failures = Vec::new();
    for member in members
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str)
    {
        for file in ["lib.rs", "main.rs"].map(|file| format!("{member}/src/{file}")) {
            if root.join(&file).exists() {
                let mut code = Code::default();
                code.read(&root, &file, &[])?;
                for (found, reported_only) in [
                    (code.cycles(), WITH_CYCLES),
                    (code.repeated_types(member), WITH_REPEATED_NAMES),
                ] {
                    if reported_only.contains(&member) {
                        for found in found {
                            eprintln!("to do: {found}");
                        }
                    } else {
                        failures.extend(found);
                    }
                }
            }
        }
    }
    failures.extend(missing_files(&root)?);
    failure::unless_empty(failures)
}

/// A module by its path from the root of the crate.
type ModulePath = Vec<String>;

/// The modules of one library or program.
#[derive(Default)]
struct Code {
    modules: BTreeMap<ModulePath, Module>,
    /// `#[macro_export]` puts these at the root; here are the files that define them.
    exported_macros: BTreeMap<String, String>,
}

/// What a module says, its tests left out.
#[derive(Default)]
struct Module {
    file: String,
    uses: Vec<Import>,
    children: Vec<syn::ItemMod>,
    /// Names of the items that are defined here; whether they are types.
    items: BTreeMap<String, bool>,
    /// Whether a macro may define more.
    has_macros: bool,
    /// Everything but items of `use` and inline modules.
    code: TokenStream,
}

/// One name that a `use` brings into a module; a glob's name is `*`.
struct Import {
    name: String,
    path: Vec<String>,
    is_private: bool,
}

impl Code {
    /// Reads a file, then those of its child modules.
    fn read(&mut self, root: &Path, file: &str, path: &[String]) -> Result<()> {
        let parsed = syn::parse_file(&failure::read(root, file)?);
        let items = parsed.with_context(|| file.to_owned())?.items;
        self.add(root, file, path, items)
    }

    fn add(&mut self, root: &Path, file: &str, path: &[String], items: Vec<Item>) -> Result<()> {
        let mut module = Module {
            file: file.to_owned(),
            ..Module::default()
        };
        for mut item in items {
            if let Item::Macro(item) = &item
                && item
                    .attrs
                    .iter()
                    .any(|it| it.path().is_ident("macro_export"))
                && let Some(name) = &item.ident
            {
                self.exported_macros
                    .insert(name.to_string(), file.to_owned());
            }
            module.has_macros |= matches!(&item, Item::Macro(item) if item.ident.is_none());
            if !is_test(attributes(&item)) {
                module.items.extend(definition(&item));
            }
            module.visit_item_mut(&mut item);
            item.to_tokens(&mut module.code);
        }
        let children = std::mem::take(&mut module.children);
        self.modules.insert(path.to_vec(), module);
        for child in children {
            let name = child.ident.to_string();
            let path = [path, std::slice::from_ref(&name)].concat();
            match child.content {
                Some((_, items)) => self.add(root, file, &path, items)?,
                None => self.read(root, &child_file(root, file, &name), &path)?,
            }
        }
        Ok(())
    }

    /// Every group of files that import each other.
    fn cycles(&self) -> Vec<Error> {
        let edges = self.edges();
        let mut reach = BTreeMap::<&str, BTreeSet<&str>>::new();
        for (from, to) in edges.keys() {
            reach.entry(from).or_default().insert(to);
        }
        for middle in reach.keys().copied().collect::<Vec<_>>() {
            let onwards = reach[middle].clone();
            for files in reach.values_mut().filter(|files| files.contains(middle)) {
                files.extend(&onwards);
            }
        }
        let circle = |file: &str| -> BTreeSet<&str> {
            let is_back = |other: &&str| reach.get(other).is_some_and(|it| it.contains(file));
            reach[file].iter().copied().filter(is_back).collect()
        };
        let circles: BTreeSet<BTreeSet<&str>> = reach.keys().map(|file| circle(file)).collect();
        let circles = circles
            .iter()
            .filter_map(|files| Some((files.first()?, files)));
        let message = |(first, files): (&&str, &BTreeSet<&str>)| {
            let has = |file: &String| files.contains(file.as_str());
            let ties = edges.iter().filter(|((from, to), _)| has(from) && has(to));
            let ties = ties.map(|((from, to), names)| {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                format!("\n  {from} imports {} from {to}", names.join(", "))
            });
            let ties: String = ties.collect();
            anyhow!("{first}: import cycle of {} files{ties}", files.len())
        };
        circles.map(message).collect()
    }

    /// Pairs of files with the names that tie the first to the second.
    fn edges(&self) -> BTreeMap<(String, String), BTreeSet<String>> {
        let mut edges = BTreeMap::<_, BTreeSet<_>>::new();
        for (path, module) in &self.modules {
            // A name that is only passed on is nothing that this module needs.
            let imports = module.uses.iter().filter(|one| one.is_private);
            let imports = imports.map(|one| one.path.clone());
            for words in imports.chain(paths(module.code.clone())) {
                if let Some((file, name)) = self.defining_file(path, &words)
                    && *file != module.file
                {
                    let tie = (module.file.clone(), file.clone());
                    edges.entry(tie).or_default().insert(name);
                }
            }
        }
        edges
    }

    /// The file that defines what a path leads to, and the name of it. A module itself is no definition: what is used of
    /// it has a path of its own. Nor is a name that the module does not have, such as one in code that is generated.
    fn defining_file<'a>(
        &'a self,
        from: &[String],
        words: &'a [String],
    ) -> Option<(&'a String, String)> {
        let (path, item) = self.resolve(from, words, 0)?;
        let (module, item) = (&self.modules[&path], item?);
        if module.items.contains_key(&item) || module.has_macros {
            return Some((&module.file, item));
        }
        Some((self.exported_macros.get(&item)?, item))
    }

    /// Follows a path through modules and re-exports, to a module or an item in it; `None` when it leads out of the
    /// crate.
    fn resolve(
        &self,
        from: &[String],
        words: &[String],
        hops: u8,
    ) -> Option<(ModulePath, Option<String>)> {
        // Two globs may re-export each other.
        const MOST_HOPS: u8 = 16;
        let first = words.first().filter(|_| hops < MOST_HOPS)?;
        let (mut module, mut rest) = match first.as_str() {
            "crate" => (Vec::new(), &words[1..]),
            "self" => (from.to_vec(), &words[1..]),
            "super" => (from.split_last()?.1.to_vec(), &words[1..]),
            _ => (from.to_vec(), words),
        };
        while let Some((word, after)) = rest.split_first() {
            let child = [&*module, std::slice::from_ref(word)].concat();
            if word == "super" {
                module.pop()?;
            } else if self.modules.contains_key(&child) {
                module = child;
            } else {
                let here = &self.modules[&module];
                if here.items.contains_key(word) {
                    return Some((module, Some(word.clone())));
                }
                let named = here.uses.iter().filter(|one| one.name == *word);
                let mut named = named.filter_map(|one| {
                    self.resolve(&module, &[&*one.path, after].concat(), hops + 1)
                });
                let globs = here.uses.iter().filter(|one| one.name == "*");
                let mut globs = globs.filter_map(|one| {
                    let found = self.resolve(&module, &[&*one.path, rest].concat(), hops + 1)?;
                    let is_there = |item: &String| self.modules[&found.0].items.contains_key(item);
                    found.1.as_ref().is_none_or(is_there).then_some(found)
                });
                let found = named.next().or_else(|| globs.next());
                // A bare name that nothing here defines is of another crate, or local.
                let unknown =
                    || (rest.len() < words.len()).then(|| (module.clone(), Some(word.clone())));
                return found.or_else(unknown);
            }
            rest = after;
        }
        Some((module, None))
    }

    /// Types of one crate that share a name. One file may define a type twice, under conditions that exclude each other.
    fn repeated_types(&self, member: &str) -> Vec<Error> {
        let mut places = BTreeMap::<&str, BTreeSet<&str>>::new();
        for module in self.modules.values() {
            for (name, _) in module.items.iter().filter(|(_, is_type)| **is_type) {
                places.entry(name).or_default().insert(&module.file);
            }
        }
        places.retain(|_, files| files.len() > 1);
        let message = |(name, files): (&str, BTreeSet<&str>)| {
            let files: Vec<&str> = files.into_iter().collect();
            let files = files.join(", ");
            anyhow!("{member}: more than one type has the name `{name}`: {files}")
        };
        places.into_iter().map(message).collect()
    }
}

/// Takes uses and modules out of the items, and drops tests.
impl VisitMut for Module {
    fn visit_item_mut(&mut self, item: &mut Item) {
        let is_test = is_test(attributes(item));
        match item {
            _ if is_test => {}
            Item::Use(item) => {
                let is_private = matches!(item.vis, syn::Visibility::Inherited);
                flatten(&item.tree, &[], &mut |name, path| {
                    self.uses.push(Import {
                        name,
                        path,
                        is_private,
                    });
                });
            }
            Item::Mod(item) => self.children.push(item.clone()),
            _ => return visit_mut::visit_item_mut(self, item),
        }
        *item = Item::Verbatim(TokenStream::new());
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        let is_test = |item: &ImplItem| matches!(item, ImplItem::Fn(it) if is_test(&it.attrs));
        item.items.retain(|item| !is_test(item));
        visit_mut::visit_item_impl_mut(self, item);
    }
}

/// Each name of a `use` with its whole path.
fn flatten(tree: &UseTree, path: &[String], found: &mut impl FnMut(String, Vec<String>)) {
    let with = |word: &syn::Ident| match word.to_string() {
        word if word == "self" => path.to_vec(),
        word => [path, &[word]].concat(),
    };
    match tree {
        UseTree::Path(tree) => flatten(&tree.tree, &with(&tree.ident), found),
        UseTree::Name(tree) => {
            let path = with(&tree.ident);
            found(path.last().cloned().unwrap_or_default(), path);
        }
        UseTree::Rename(tree) => found(tree.rename.to_string(), with(&tree.ident)),
        UseTree::Glob(_) => found("*".to_owned(), path.to_vec()),
        UseTree::Group(tree) => tree
            .items
            .iter()
            .for_each(|tree| flatten(tree, path, found)),
    }
}

/// Every path in the code, macros included, as its words. A word after one dot is a field or method.
fn paths(code: TokenStream) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let (mut colons, mut dots) = (0, 0);
    for token in code {
        let mark = match &token {
            TokenTree::Punct(mark) => mark.as_char(),
            _ => ' ',
        };
        match token {
            TokenTree::Ident(word) if colons == 2 => {
                let path = found.last_mut().filter(|path| !path.is_empty());
                if let Some(path) = path {
                    path.push(word.to_string());
                }
            }
            TokenTree::Ident(word) if dots != 1 => found.push(vec![word.to_string()]),
            TokenTree::Group(group) => found.extend(paths(group.stream())),
            _ => {}
        }
        if !mark.is_whitespace() && mark != ':' {
            found.push(Vec::new());
        }
        colons = if mark == ':' { colons + 1 } else { 0 };
        dots = if mark == '.' { dots + 1 } else { 0 };
    }
    // What follows is no part of the last path.
    found.push(Vec::new());
    found
}

/// The name that an item defines, and whether it is a type's.
fn definition(item: &Item) -> Option<(String, bool)> {
    let (ident, is_type) = match item {
        Item::Struct(item) => (&item.ident, true),
        Item::Enum(item) => (&item.ident, true),
        Item::Trait(item) => (&item.ident, true),
        Item::Type(item) => (&item.ident, true),
        Item::Fn(item) => (&item.sig.ident, false),
        Item::Const(item) => (&item.ident, false),
        Item::Static(item) => (&item.ident, false),
        Item::Macro(item) => (item.ident.as_ref()?, false),
        _ => return None,
    };
    Some((ident.to_string(), is_type))
}

fn attributes(item: &Item) -> &[Attribute] {
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
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.meta.to_token_stream().to_string();
        let condition = condition.replace(' ', "");
        condition == "cfg(test)" || condition.starts_with("cfg(all(test,")
    })
}

/// The file of a child module, by Rust's rules.
fn child_file(root: &Path, parent: &str, name: &str) -> String {
    let parent = Path::new(parent);
    let owns_folder = ["lib.rs", "main.rs", "mod.rs"].map(Path::new);
    let folder = match parent.parent() {
        Some(folder) if owns_folder.iter().any(|file| parent.ends_with(file)) => folder.to_owned(),
        _ => parent.with_extension(""),
    };
    let (flat, nested) = (
        folder.join(format!("{name}.rs")),
        folder.join(name).join("mod.rs"),
    );
    let file = if root.join(&flat).exists() {
        flat
    } else {
        nested
    };
    file.display().to_string()
}

/// Files and folders that ARCHITECTURE.md names and that do not exist. It may leave the beginning of a path out.
fn missing_files(root: &Path) -> Result<Vec<Error>> {
    let text = failure::read(root, ARCHITECTURE)?;
    let mut known = Vec::new();
    list(root, &mut known)?;
    let named = (1..)
        .zip(text.lines())
        .flat_map(|(number, line)| named_files(line).map(move |name| (number, name)));
    let missing = named.filter(|(_, name)| {
        !OF_USERS.contains(name) && !known.iter().any(|path| path.ends_with(name))
    });
    let message = |(number, name)| {
        failure::at(
            ARCHITECTURE,
            (number, 1),
            format_args!("`{name}` does not exist"),
        )
    };
    Ok(missing.map(message).collect())
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
        let is_path = name.contains('/') && !name.starts_with(['/', '-']);
        name.bytes().all(is_plain) && (is_path || ENDINGS.iter().any(|end| name.ends_with(end)))
    })
}

/// Everything below a folder but what is built.
fn list(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        found.push(entry.path());
        let is_built = [".git", "target"]
            .iter()
            .any(|name| entry.file_name() == *name);
        if entry.file_type()?.is_dir() && !is_built {
            list(&entry.path(), found)?;
        }
    }
    Ok(())
}
