//! What is said by a flag or else by a variable.

use std::env::VarError;

use crate::exit::Failure;

/// A value, and where it was said.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) value: String,
    /// The name of the flag or the variable.
    pub(crate) source: String,
    pub(crate) is_typed: bool,
}

impl Setting {
    /// The flag's value, or else the variable's. An empty variable counts as not set.
    pub(crate) fn optional(
        typed: Option<&String>,
        flag: &str,
        variable: &str,
    ) -> Result<Option<Self>, Failure> {
        if let Some(typed) = typed {
            if typed.is_empty() {
                return Err(Failure::usage(format!(
                    "{flag} is empty: give a value, or leave it out"
                )));
            }
            return Ok(Some(Self {
                value: typed.clone(),
                source: flag.to_owned(),
                is_typed: true,
            }));
        }
        Ok(variable_value(variable)?.map(|value| Self {
            value,
            source: variable.to_owned(),
            is_typed: false,
        }))
    }

    /// The same for what must be said.
    pub(crate) fn required(
        typed: Option<&String>,
        flag: &str,
        variable: &str,
    ) -> Result<Self, Failure> {
        Self::optional(typed, flag, variable)?.ok_or_else(|| {
            Failure::usage(format!(
                "{flag} is missing: give it, or set {variable}; to try without a service use --embedded"
            ))
        })
    }
}

/// A variable of the environment; `None` when it is empty or not set.
pub(crate) fn variable_value(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!("{name} is not valid UTF-8"))),
    }
}
