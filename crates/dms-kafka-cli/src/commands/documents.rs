//! `dms-kafka completions` and `dms-kafka man`: generated from the same description as the help.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, roman};
use dms_kafka::auth::Region;

use crate::exit::{Exit, Failure};
use crate::profile;
use crate::stdout;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Shell that the script is for
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Command whose page is printed; dms-kafka itself if omitted
    #[arg(
        value_name = "COMMAND",
        conflicts_with = "dir",
        value_parser = ["topics", "topic", "plan", "delete", "purge", "serve", "sign", "regions", "completions", "man"]
    )]
    pub(crate) page: Option<String>,

    /// Write every page to its own file in this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

/// The script offers the regions and profiles of the time at which it is generated.
pub(crate) fn completions(arguments: &Completions, command: Command) -> Result<Exit, Failure> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let mut profiles = profile::names();
    profiles.retain(|name| name.chars().all(is_word));
    let regions = Region::KNOWN.iter().map(|region| region.id().to_owned());
    let values = [
        ("region", static_texts(regions)),
        ("profile", static_texts(profiles)),
    ];
    let mut command = command.mut_subcommands(|subcommand| {
        subcommand.mut_args(|argument| {
            let offered = values.iter().find(|(id, _)| argument.get_id() == *id);
            match offered {
                Some((_, offered)) if !offered.is_empty() => argument.value_parser(offered.clone()),
                _ => argument,
            }
        })
    });
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "dms-kafka", &mut script);
    stdout::write(&script)?;
    Ok(Exit::Done)
}

/// clap takes no other texts. The process ends soon.
fn static_texts(texts: impl IntoIterator<Item = String>) -> Vec<&'static str> {
    let texts = texts.into_iter();
    texts
        .map(|text| &*Box::leak(text.into_boxed_str()))
        .collect()
}

pub(crate) fn man(arguments: &Man, mut command: Command) -> Result<Exit, Failure> {
    command.build();
    if let Some(folder) = &arguments.dir {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::output(format!("{} cannot be created: {error}", folder.display()))
        })?;
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            let path = folder.join(Page::new(command.clone()).get_filename());
            page(command)
                .and_then(|page| std::fs::write(&path, page))
                .map_err(|error| {
                    Failure::output(format!("{} cannot be written: {error}", path.display()))
                })?;
        }
        return Ok(Exit::Done);
    }
    let wanted = match &arguments.page {
        None => &command,
        Some(name) => command
            .find_subcommand(name)
            .ok_or_else(|| Failure::usage(format!("unknown command {name}")))?,
    };
    let page = page(wanted)
        .map_err(|error| Failure::output(format!("the page cannot be generated: {error}")))?;
    stdout::write(&page)?;
    Ok(Exit::Done)
}

/// A page in which the lines below the options are not filled.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut roff = Vec::new();
    let page = Page::new(command.clone());
    page.render_title(&mut roff)?;
    page.render_name_section(&mut roff)?;
    page.render_synopsis_section(&mut roff)?;
    page.render_description_section(&mut roff)?;
    page.render_options_section(&mut roff)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut roff)?;
    }
    let text = command.get_after_long_help().or(command.get_after_help());
    if let Some(text) = text {
        below_options(&text.to_string()).to_writer(&mut roff)?;
    }
    Ok(roff)
}

/// A line such as `Examples:` starts a section.
fn below_options(text: &str) -> Roff {
    let mut roff = Roff::new();
    let is_heading = |line: &str| line.ends_with(':') && !line.starts_with(' ');
    if !text.lines().next().is_some_and(is_heading) {
        roff.control("SH", ["NOTES"]);
        roff.control("nf", []);
    }
    for line in text.lines() {
        if is_heading(line) {
            roff.control("fi", []);
            roff.control("SH", [line.trim_end_matches(':').to_uppercase().as_str()]);
            roff.control("nf", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    roff.control("fi", []);
    roff
}
