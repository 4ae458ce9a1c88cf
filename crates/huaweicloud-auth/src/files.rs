//! Reading the small files that hold configuration and tokens.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

use crate::CredentialsError;

/// Far above any profile or token; a device or a log named by mistake is not read to its end.
const MAX_LENGTH: u64 = 1024 * 1024;

pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?
        .take(MAX_LENGTH + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_LENGTH {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than 1 MiB",
        ));
    }
    Ok(text)
}

/// The token in a file, read anew each time because its owner replaces it.
pub(crate) fn read_token(path: &Path) -> Result<Zeroizing<String>, CredentialsError> {
    let place = format!("token file {}", path.display());
    let text = read(path).map_err(|error| {
        CredentialsError::invalid(format!("cannot be read: {error}")).at(&place)
    })?;
    match text.trim() {
        "" => Err(CredentialsError::invalid("is empty").at(&place)),
        token => Ok(Zeroizing::new(token.to_owned())),
    }
}
