//! Resolves flags and environment variables to settings while the command line is parsed.

use std::fmt::Display;
use std::num::NonZeroU64;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// Settings that are resolved from the flags that clap parses.
pub(crate) trait Settings: Sized {
    type Flags: Args;

    fn resolve(flags: Self::Flags, matches: &ArgMatches) -> Result<Self, InvalidSettings>;
}

/// What is wrong with flags, variables or a profile.
#[derive(Debug)]
pub(crate) enum InvalidSettings {
    Invalid(String),
    /// A file cannot be read.
    Unreadable(String),
}

impl From<String> for InvalidSettings {
    fn from(message: String) -> Self {
        Self::Invalid(message)
    }
}

impl From<InvalidSettings> for Error {
    /// The kind decides about the exit code.
    fn from(invalid: InvalidSettings) -> Self {
        let (kind, message) = match invalid {
            InvalidSettings::Invalid(message) => (ErrorKind::ValueValidation, message),
            InvalidSettings::Unreadable(message) => (ErrorKind::Io, message),
        };
        Self::raw(kind, message + "\n")
    }
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
        Ok(Self(T::resolve(flags, matches)?))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Where a value comes from. A later one overrides an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// The profile that a variable names.
    Profile,
    Variable,
    /// The profile that a flag names.
    TypedProfile,
    Flag,
}

/// A value, and the flag, variable or profile that it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) source: String,
    pub(crate) level: Level,
}

impl<T> Setting<T> {
    /// The value of a flag without a variable.
    pub(crate) fn typed(value: Option<T>, id: &str) -> Option<Self> {
        value.map(|value| Self {
            value,
            source: flag(id),
            level: Level::Flag,
        })
    }

    /// The one of the higher level.
    pub(crate) fn higher(one: Option<Self>, other: Option<&Self>) -> Option<Self>
    where
        T: Clone,
    {
        if Self::level(other) > Self::level(one.as_ref()) {
            other.cloned()
        } else {
            one
        }
    }

    pub(crate) fn level(setting: Option<&Self>) -> Option<Level> {
        setting.map(|setting| setting.level)
    }
}

impl Setting<String> {
    /// The value of a flag, or else of its variable. An empty variable is ignored.
    pub(crate) fn find(
        value: Option<String>,
        matches: &ArgMatches,
        id: &str,
        variable: &str,
    ) -> Result<Option<Self>, String> {
        let flag = flag(id);
        let (source, level) = match (value.as_deref(), is_typed(matches, id)) {
            (Some(""), true) => {
                return Err(format!("{flag} is empty: add a value, or remove the flag"));
            }
            (_, true) => (flag, Level::Flag),
            (_, false) => (variable.to_owned(), Level::Variable),
        };
        let value = value.filter(|value| !value.is_empty());
        Ok(value.map(|value| Self {
            value,
            source,
            level,
        }))
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
                level: self.level,
            }),
            Err(error) => Err(format!("{}: {error}", self.source)),
        }
    }
}

/// The flag with this id, as it is typed.
pub(crate) fn flag(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
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
