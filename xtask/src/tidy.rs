//! `cargo xtask tidy`: finds import cycles, repeated type names, and missing files that documents name.
//!
//! A file is a node of the import graph. A path in its code, or a private `use`, is an edge to the file that defines
//! the item; re-exports are followed, so a module that only declares and re-exports its children imports nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser as _};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Item, UseTree};
use xshell::Shell;

use crate::failure;

/// Documents that name files.
const DOCUMENTS: [&str; 2] = ["ARCHITECTURE.md", "docs/security-model.md"];

/// Files of users, which documents name too.
const USER_FILES: [&str; 1] = ["regions.yaml"];

/// Checks every crate of the workspace, and the names of files in documents.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    let root = sh.current_dir();
    let manifest: toml::Table = failure::read_toml(&root, "Cargo.toml")?;
    let members = manifest["workspace"]["members"].as_array().into_iter();
    let mut failures = Vec::new();
    for member in members.flatten().filter_map(toml::Value::as_str) {
        for file in ["lib.rs", "main.rs"].map(|file| format!("{member}/src/{file}")) {
            if !root.join(&file).exists() {
                continue;
            }
            let mut code = Code::default();
            code.read(&root, &file, &[])?;
            failures.extend(code.cycles());
            failures.extend(code.repeated_types(member));
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
    /// The files that define macros with `#[macro_export]`, which are at the root of the crate.
    exported_macros: BTreeMap<String, String>,
}

/// A module without its tests.
#[derive(Default)]
struct Module {
    file: String,
    uses: Vec<Import>,
    children: Vec<syn::ItemMod>,
    /// Names of the items that the module defines, and whether they are types.
    items: BTreeMap<String, bool>,
    /// Whether the module calls macros, which may define more items.
    has_macros: bool,
    /// Everything except `use` items and child modules.
    code: TokenStream,
}

/// A name that a `use` item imports; `*` for a glob.
struct Import {
    name: String,
    path: Vec<String>,
    is_private: bool,
}

impl Code {
    /// Reads a file and the files of its child modules.
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
            if let Item::Macro(item) = &item {
                let mut attributes = item.attrs.iter();
                let is_exported = attributes.any(|it| it.path().is_ident("macro_export"));
                match &item.ident {
                    None => module.has_macros = true,
                    Some(name) if is_exported => {
                        let (name, file) = (name.to_string(), file.to_owned());
                        self.exported_macros.insert(name, file);
                    }
                    Some(_) => {}
                }
            }
            if !is_test(&item) {
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

    /// An error for each group of files that import each other.
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
        let cycle = |file: &str| -> BTreeSet<&str> {
            let is_back = |other: &&str| reach.get(other).is_some_and(|it| it.contains(file));
            reach[file].iter().copied().filter(is_back).collect()
        };
        let cycles: BTreeSet<BTreeSet<&str>> = reach.keys().map(|file| cycle(file)).collect();
        let message = |files: &BTreeSet<&str>| {
            let has = |file: &String| files.contains(file.as_str());
            let ties = edges.iter().filter(|((from, to), _)| has(from) && has(to));
            let ties = ties.map(|((from, to), names)| {
                format!("\n  {from} imports {} from {to}", listed(names))
            });
            let (first, ties) = (files.first()?, ties.collect::<String>());
            let count = files.len();
            Some(anyhow!("{first}: import cycle of {count} files{ties}"))
        };
        cycles.iter().filter_map(message).collect()
    }

    fn edges(&self) -> BTreeMap<(String, String), BTreeSet<String>> {
        let mut edges = BTreeMap::<_, BTreeSet<_>>::new();
        for (path, module) in &self.modules {
            // A module does not depend on the names that it only re-exports.
            let imports = module.uses.iter().filter(|one| one.is_private);
            let mut paths: Vec<Vec<String>> = imports.map(|one| one.path.clone()).collect();
            add_paths(module.code.clone(), &mut paths);
            for words in paths {
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

    /// The item that a path refers to, and the file that defines it. `None` for a module, whose items have their own paths,
    /// and for names that the module does not define.
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

    /// Resolves a path through modules and re-exports to a module and an item in it; `None` for a path to another crate.
    fn resolve(
        &self,
        from: &[String],
        words: &[String],
        hops: u8,
    ) -> Option<(ModulePath, Option<String>)> {
        // Two globs may re-export each other.
        const MOST_HOPS: u8 = 16;
        if hops == MOST_HOPS {
            return None;
        }
        let (mut module, mut rest) = (from.to_vec(), words);
        while let Some((word, after)) = rest.split_first() {
            let child = [&*module, std::slice::from_ref(word)].concat();
            match word.as_str() {
                "crate" => module.clear(),
                "self" => {}
                "super" => drop(module.pop()?),
                _ if self.modules.contains_key(&child) => module = child,
                _ => {
                    let follow = |path: &[String], after| {
                        self.resolve(&module, &[path, after].concat(), hops + 1)
                    };
                    let here = &self.modules[&module];
                    let found = Some((module.clone(), Some(word.clone())));
                    if here.items.contains_key(word) {
                        return found;
                    }
                    let named = here.uses.iter().filter(|one| one.name == *word);
                    let mut named = named.filter_map(|one| follow(&one.path, after));
                    let globs = here.uses.iter().filter(|one| one.name == "*");
                    let mut globs = globs.filter_map(|one| {
                        let (path, item) = follow(&one.path, rest)?;
                        let items = &self.modules[&path].items;
                        let is_there = item.as_ref().is_none_or(|it| items.contains_key(it));
                        is_there.then_some((path, item))
                    });
                    // A single unknown name is a local name or another crate.
                    let is_bare = rest.len() == words.len();
                    let unknown = found.filter(|_| !is_bare);
                    return named.next().or_else(|| globs.next()).or(unknown);
                }
            }
            rest = after;
        }
        Some((module, None))
    }

    /// An error for each name of several types. One file may define a type twice, for mutually exclusive `cfg`s.
    fn repeated_types(&self, member: &str) -> Vec<Error> {
        let mut places = BTreeMap::<&str, BTreeSet<&str>>::new();
        for module in self.modules.values() {
            for (name, _) in module.items.iter().filter(|(_, is_type)| **is_type) {
                places.entry(name).or_default().insert(&module.file);
            }
        }
        places.retain(|_, files| files.len() > 1);
        let message = |(name, files): (&str, BTreeSet<&str>)| {
            let files = listed(&files);
            anyhow!("{member}: more than one type has the name `{name}`: {files}")
        };
        places.into_iter().map(message).collect()
    }
}

fn listed<T: AsRef<str>>(names: &BTreeSet<T>) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.join(", ")
}

/// Moves `use` items and child modules out of the code, and removes tests.
impl VisitMut for Module {
    fn visit_item_mut(&mut self, item: &mut Item) {
        match item {
            _ if is_test(item) => {}
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
        item.items.retain(|item| !is_test(item));
        visit_mut::visit_item_impl_mut(self, item);
    }
}

/// Calls `found` with each name of a `use` item and its full path.
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

/// Adds every path in the code, split into words, including paths in macros. A word after a dot is a field or method.
fn add_paths(code: TokenStream, found: &mut Vec<Vec<String>>) {
    let mut marks = String::new();
    for token in code {
        match token {
            TokenTree::Punct(mark) => {
                marks.push(mark.as_char());
                continue;
            }
            TokenTree::Ident(word) => match (&*marks, found.last_mut()) {
                (".", _) => {}
                ("::", Some(path)) => path.push(word.to_string()),
                _ => found.push(vec![word.to_string()]),
            },
            TokenTree::Group(group) => add_paths(group.stream(), found),
            TokenTree::Literal(_) => {}
        }
        marks.clear();
    }
}

/// The name that an item defines, and whether it is a type.
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

/// Whether an item has `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
fn is_test(item: &impl ToTokens) -> bool {
    let parse = |input: ParseStream<'_>| {
        let attributes = input.call(Attribute::parse_outer)?;
        input.parse::<TokenStream>().map(|_| attributes)
    };
    let attributes = parse.parse2(item.to_token_stream()).unwrap_or_default();
    attributes.iter().any(|attribute| {
        let condition = attribute.meta.to_token_stream().to_string();
        let condition = condition.replace(' ', "");
        condition == "cfg(test)" || condition.starts_with("cfg(all(test,")
    })
}

/// The file of a child module, according to Rust's rules.
fn child_file(root: &Path, parent: &str, name: &str) -> String {
    let parent = Path::new(parent);
    let owns_folder = ["lib.rs", "main.rs", "mod.rs"].map(Path::new);
    let folder = match parent.parent() {
        Some(folder) if owns_folder.iter().any(|file| parent.ends_with(file)) => folder.to_owned(),
        _ => parent.with_extension(""),
    };
    let mut file = folder.join(format!("{name}.rs"));
    if !root.join(&file).exists() {
        file = folder.join(name).join("mod.rs");
    }
    file.display().to_string()
}

/// An error for each file or folder that a document names and that does not exist. The name may be the end of a path.
fn missing_files(root: &Path) -> Result<Vec<Error>> {
    let mut known = Vec::new();
    list(root, &mut known)?;
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = failure::read(root, document)?;
        for (number, line) in (1..).zip(text.lines()) {
            for name in named_files(line).map(|name| name.trim_start_matches("../")) {
                if !USER_FILES.contains(&name) && !known.iter().any(|path| path.ends_with(name)) {
                    let cause = format_args!("`{name}` does not exist");
                    missing.push(failure::at(document, (number, 1), cause));
                }
            }
        }
    }
    Ok(missing)
}

/// The names of files and folders in backticks and links.
fn named_files(line: &str) -> impl Iterator<Item = &str> {
    const ENDINGS: [&str; 6] = [".rs", ".toml", ".md", ".yaml", ".txt", ".java"];
    let code = line.split('`').skip(1).step_by(2);
    let links = line.split("](").skip(1);
    let links = links.filter_map(|rest| rest.split(')').next());
    code.chain(links).filter(|name| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        let is_file = name.contains('/') || ENDINGS.iter().any(|end| name.ends_with(end));
        name.bytes().all(is_plain) && is_file && !name.starts_with(['/', '-'])
    })
}

/// Lists all files and folders, except those inside `.git` and `target`.
fn list(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        found.push(entry.path());
        let name = entry.file_name();
        let is_built = name == ".git" || name == "target";
        if entry.file_type()?.is_dir() && !is_built {
            list(&entry.path(), found)?;
        }
    }
    Ok(())
}
