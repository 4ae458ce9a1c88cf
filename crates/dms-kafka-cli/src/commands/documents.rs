//! `dms-kafka completions` and `dms-kafka man`: made from the same description as the help.

use clap::CommandFactory as _;
use clap_mangen::Man as Page;

use crate::arguments::{Arguments, Completions, Man};
use crate::exit::{Exit, Failure};
use crate::stdout;

pub(crate) fn completions(arguments: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "dms-kafka",
        &mut script,
    );
    stdout::write(&script).map_err(Failure::usage)?;
    Ok(Exit::Done)
}

pub(crate) fn man(arguments: &Man) -> Result<Exit, Failure> {
    let mut command = Arguments::command();
    if let Some(folder) = &arguments.dir {
        clap_mangen::generate_to(command, folder)
            .map_err(|error| Failure::usage(format!("--dir {}: {error}", folder.display())))?;
        return Ok(Exit::Done);
    }
    command.build();
    let page = match &arguments.page {
        None => command,
        Some(name) => command
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::usage(format!("there is no command {name}")))?,
    };
    let mut roff = Vec::new();
    Page::new(page).render(&mut roff).map_err(Failure::usage)?;
    stdout::write(&roff).map_err(Failure::usage)?;
    Ok(Exit::Done)
}
