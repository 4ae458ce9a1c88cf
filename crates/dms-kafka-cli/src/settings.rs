//! Resolves flags and environment variables to settings while the command line is parsed.

use std::fmt::Display;
use std::num::NonZeroU64;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// Settings that are resolved from the flags that clap parses.
pub(crate) trait Settings: Sized {
    type Flags: Args;

    /// # Errors
    /// What is wrong with the flags or variables.
    fn resolve(flags: Self::Flags, matches: &ArgMatches) -> Result<Self, String>;
}

/// Lets clap parse flags into settings.
#[derive(Debug)]
pub(crate) struct Resolved<T>(pub(crate) T);

impl<T: Settings> Args for Resolved<T> {
    fn augment_args(command: Command) -> Command {
        T::Flags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::Flags::augment_args_for_update(command)
    }
}

impl<T: Settings> FromArgMatches for Resolved<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let flags = T::Flags::from_arg_matches(matches)?;
        T::resolve(flags, matches)
            .map(Self)
            .map_err(|message| Error::raw(ErrorKind::ValueValidation, message + "\n"))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A value, and the flag or variable that it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) source: String,
}

impl Setting<String> {
    /// The value of a flag, or else of its variable. An empty variable is ignored.
    pub(crate) fn find(
        value: Option<String>,
        matches: &ArgMatches,
        id: &str,
        variable: &str,
    ) -> Result<Option<Self>, String> {
        let flag = format!("--{}", id.replace('_', "-"));
        let source = match (value.as_deref(), is_typed(matches, id)) {
            (Some(""), true) => {
                return Err(format!("{flag} is empty: add a value, or remove the flag"));
            }
            (_, true) => flag,
            (_, false) => variable.to_owned(),
        };
        let value = value.filter(|value| !value.is_empty());
        Ok(value.map(|value| Self { value, source }))
    }

    /// The error starts with the flag or variable.
    pub(crate) fn parse<T, E: Display>(
        self,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Result<Setting<T>, String> {
        match parse(self.value) {
            Ok(value) => Ok(Setting {
                value,
                source: self.source,
            }),
            Err(error) => Err(format!("{}: {error}", self.source)),
        }
    }
}

/// Whether a flag is on the command line. The conflicts of clap also consider its variable.
pub(crate) fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// Parses a whole number from 1 to `MAX`.
pub(crate) fn up_to<const MAX: u64, N: TryFrom<NonZeroU64>>(text: &str) -> Result<N, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &NonZeroU64| number.get() <= MAX);
    number
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| format!("expected a whole number from 1 to {MAX}"))
}
