//! Passes over the generator's output.

mod boxes;
mod calls;
mod docs;
mod format;
mod inner_type;
mod objects_only;
mod optional_parameters;
mod path_segments;

use std::collections::BTreeMap;

use crate::lowering::Arguments;

/// Applies all passes and formats the file.
pub(crate) fn finish(mut file: syn::File, methods: &BTreeMap<String, Arguments>) -> String {
    format::remove_panicking_constructor(&mut file);
    boxes::apply(&mut file);
    optional_parameters::apply(&mut file, methods);
    path_segments::apply(&mut file);
    calls::apply(&mut file);
    docs::apply(&mut file);
    objects_only::apply(&mut file);
    format::format(&file)
}
